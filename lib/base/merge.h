/* SPDX-License-Identifier: MIT */
/*
 * The merging iterator: k iterators in one order. Equal internal keys come in the order of the children, so the
 * newest source goes first.
 *
 * One walk has one direction: after seek_first and seek only next, after seek_last only prev.
 */
#ifndef BASE_MERGE_H
#define BASE_MERGE_H

#include "base/iter.h"

typedef int (*merge_cmp)(struct sst_slice a, struct sst_slice b);

/* Takes the n children (the array is the caller's), also on failure. cmp compares internal keys; NULL: ikey_cmp.
 * With one child that child itself is returned. NULL: no memory. */
struct iter *merge_new(struct iter **children, size_t n, merge_cmp cmp);

/* Positions any iterator on the last entry < ikey; SST_NO when there is none. A backward walk begins here. */
int iter_seek_before(struct iter *it, struct sst_slice ikey);

#endif
