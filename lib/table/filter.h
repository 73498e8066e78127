/* SPDX-License-Identifier: MIT */
/*
 * RocksDB's full Bloom filter of format_version 5 ("FastLocalBloom": util/bloom_impl.h,
 * table/block_based/filter_policy.cc): one 64-byte cache line per key.
 *
 *     bits[64 * L]   ff 00 K 00 00         K = probes
 *
 * The low half of a key's filter_hash chooses the line, the high half the K bits in it.
 */
#ifndef TABLE_FILTER_H
#define TABLE_FILTER_H

#include "base/buf.h"

#define FILTER_LINE 64u
#define FILTER_TRAILER_SIZE 5u

/* Bytes filter_build appends. */
size_t filter_size(size_t n, unsigned bits_per_key);
/* Appends the filter block for n hashes (filter_hash of distinct user keys) with bits_per_key >= 1. No more
 * than 4 GiB are used: from some 3 billion keys on there are more false positives, never a false negative.
 * Ask buf_check. */
void filter_build(struct buf *out, const uint64_t *hashes, size_t n, unsigned bits_per_key);
/* False only when the key is surely not there. A block that is not of this kind may match anything. */
bool filter_may_match(struct sst_slice block, uint64_t hash);

#endif
