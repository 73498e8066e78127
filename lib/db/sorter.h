/* SPDX-License-Identifier: MIT */
/*
 * External sorting: entries come in any order and go out sorted by key; of those with one key only the one that
 * was added last. Memory is bounded, but for the largest entry; what is more goes to temporary files without names.
 */
#ifndef DB_SORTER_H
#define DB_SORTER_H

#include "base/iter.h"

#define SORTER_MEMORY_DEFAULT ((size_t)256 << 20)
#define SORTER_MEMORY_MIN ((size_t)64 << 10)

struct sorter;

/* memory: bytes for entries, at least SORTER_MEMORY_MIN. directory: of the temporary files; copied. */
int sorter_new(struct sorter **out, size_t memory, const char *directory);
void sorter_free(struct sorter *s); /* accepts NULL */
/* Both are copied. type: TYPE_VALUE, TYPE_DELETION, TYPE_SINGLE_DELETION. REQUIRES: sizes up to LSM_KEY_MAX,
 * LSM_VALUE_MAX. */
int sorter_add(struct sorter *s, struct sst_slice user_key, uint8_t type, struct sst_slice value);
/* Once, when all are added: gives each with sequence number 0 to `take`, until that returns other than 0, and
 * returns it. */
int sorter_drain(struct sorter *s, int (*take)(void *arg, struct sst_slice ikey, struct sst_slice value), void *arg);

#endif
