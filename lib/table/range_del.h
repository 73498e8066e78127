/* SPDX-License-Identifier: MIT */
/*
 * The range tombstones of a table: block "rocksdb.range_del", internal key of type 15 (begin) -> user key (end,
 * exclusive), in any order and overlapping as they like. A tombstone covers the entries of smaller sequence.
 *
 * They are kept sorted by begin, as an implicit balanced tree whose nodes also know the largest end and the largest
 * sequence below them, so that "who covers this key" costs O(log n + answers that matter), however they are nested.
 */
#ifndef TABLE_RANGE_DEL_H
#define TABLE_RANGE_DEL_H

#include "table/block.h"

struct tombstone {
	struct sst_slice begin, end; /* borrowed from the struct range_dels */
	uint64_t sequence; /* the one that counts */
	uint64_t stored;   /* the one in the block: another one in an ingested file */
};

/* A zeroed one has none. */
struct range_dels {
	enum key_order order;
	struct tombstone *list; /* as stored in the block */
	size_t count;
	struct range_node *tree; /* count nodes; NULL when the order is unknown */
	struct buf bytes;	 /* the keys */
};

void range_dels_release(struct range_dels *r);
/* Takes the block's contents (copies them). sequence: of all of them if not 0. */
int range_dels_read(struct range_dels *r, struct sst_slice contents, enum key_order order, uint64_t sequence);
/* The largest sequence <= snapshot of those that cover the user key; 0: none does (one of sequence 0 covers
 * nothing). REQUIRES: the order is known. */
uint64_t range_dels_covering(const struct range_dels *r, struct sst_slice user_key, uint64_t snapshot);

#endif
