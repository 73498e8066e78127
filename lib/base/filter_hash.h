/* SPDX-License-Identifier: MIT */
/* The hash of RocksDB's Bloom filters (its Hash64): XXH3_64bits of xxHash 0.7.2, seed 0. It is NOT the XXH3
 * of today's libxxhash: a filter made with that one hides keys from RocksDB without a word. */
#ifndef BASE_FILTER_HASH_H
#define BASE_FILTER_HASH_H

#include "base/slice.h"

uint64_t filter_hash(struct sst_slice key);

#endif
