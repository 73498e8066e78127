/* SPDX-License-Identifier: MIT */
/* RocksDB's full Bloom filter of format_version 5 ("FastLocalBloom"): one 64-byte cache line per key. */
#ifndef TABLE_FILTER_H
#define TABLE_FILTER_H

#include "base/buf.h"

/* Appends the filter block (bits, ff 00 K 00 00) for n hashes (filter_hash of distinct user keys). */
void filter_build(struct buf *out, const uint64_t *hashes, size_t n, unsigned bits_per_key);
/* False only when the key is surely not there. A block that is not of this kind may match anything. */
bool filter_may_match(struct sst_slice block, uint64_t hash);

#endif
