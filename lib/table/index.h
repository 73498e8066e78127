/* SPDX-License-Identifier: MIT */
/*
 * The index of a table: one entry for each data block, in order.
 *
 *     key     a separator: >= every key of its block, < every key of the next. A user key or an internal key
 *     value   handle, or its difference to the entry before it (shared > 0): offset behind that block, size by a
 *             signed varint; index type 3: then the block's first internal key as a slice
 *
 * Type 1 (hash) is read as type 0. Type 2 is two-level: the entries of the top block lead to further index blocks.
 * Source: RocksDB table/format.cc (IndexValue), table/block_based/index_builder.cc.
 *
 * Blocks must lie in the file in the order of the index, as every writer puts them: so no index, whatever it says,
 * leads to the same block twice.
 */
#ifndef TABLE_INDEX_H
#define TABLE_INDEX_H

#include "table/info.h"

/* What stays the same for one table. */
struct index {
	struct block_source *blocks; /* borrowed */
	enum key_order order;
	bool user_keys, two_level;
	bool cut_off; /* of a probe: there are entries behind those that are here */
	unsigned top_flags, leaf_flags; /* of struct block */
	uint64_t offset;		/* of the top block, for messages */
	struct block_memory memory;
	struct block top;
};

/* Reads the top block. info is only read during the call. Whole messages, as everywhere here. */
int index_open(struct index *index, struct block_source *blocks, struct block_handle h, const struct table_info *info);
void index_release(struct index *index);

/* What index_open does before and after it has the block: for index_probe. */
void index_prepare(struct index *index, struct block_source *blocks, struct block_handle h, const struct table_info *info);
int index_open_top(struct index *index, struct sst_slice contents);

/* A place in one block of the index. */
struct index_cursor {
	struct block_iter it;
	uint64_t offset; /* of the block, for messages */
	struct block_handle handle;
	struct sst_slice first_key; /* borrowed from the block; with BLOCK_FIRST_KEY or type 3 only */
	bool first_keys;	    /* the values have them */
};

/* Through the top block alone: a cursor is zeroed, or was given to index_top_first before. Release c->it. */
int index_top_first(const struct index *index, struct index_cursor *c);
int index_top_next(const struct index *index, struct index_cursor *c);

/* A zeroed one is ready for the seeks. The moves are those of struct iter. */
struct index_iter {
	struct index *index; /* set before the first move; borrowed */
	struct index_cursor top, leaf;
	struct block_memory memory; /* of the leaf */
	struct block leaf_block;
};

void index_iter_release(struct index_iter *it);
int index_iter_first(struct index_iter *it);
int index_iter_last(struct index_iter *it);
/* The first block that may have keys >= ikey. */
int index_iter_seek(struct index_iter *it, struct sst_slice ikey);
int index_iter_next(struct index_iter *it);
int index_iter_prev(struct index_iter *it);

/* After a failure of these: on with the next part of a two-level index. SST_NO: there is none. */
int index_iter_skip_leaf(struct index_iter *it);
int index_iter_skip_leaf_back(struct index_iter *it);

static inline const struct index_cursor *index_iter_cursor(const struct index_iter *it)
{
	return it->index->two_level ? &it->leaf : &it->top;
}

/* Of the entry the iterator is at. Keys are borrowed until its next move. */
static inline struct block_handle index_iter_handle(const struct index_iter *it)
{
	return index_iter_cursor(it)->handle;
}

static inline struct sst_slice index_iter_separator(const struct index_iter *it)
{
	return index_iter_cursor(it)->it.key;
}

/* data NULL when the index has none. */
static inline struct sst_slice index_iter_first_key(const struct index_iter *it)
{
	return index_iter_cursor(it)->first_key;
}

#endif
