/* SPDX-License-Identifier: MIT */
/*
 * Data blocks that were read before: checked, decompressed, opened.
 *
 * One cache serves all tables of a handle, and one thread. What goes when it is full is chosen as by a clock's hand: it passes
 * over blocks that were asked for since it came by last. Blocks of tables that are closed go in the same way.
 */
#ifndef TABLE_BLOCK_CACHE_H
#define TABLE_BLOCK_CACHE_H

#include "table/block.h"

#define BLOCK_CACHE_DEFAULT ((size_t)32 << 20)

struct cached_block;

/* With a limit, and else zeroed, it is ready, and takes no memory. */
struct block_cache {
	size_t limit, used; /* bytes */
	struct cached_block **ring, **buckets; /* both of `room`, a power of two */
	size_t count, room, hand;
};

void block_cache_release(struct block_cache *c);

/* The block with this handle of this table, whatever number its owner gave it; NULL: not here. It stays until the next
 * block_cache_add. */
const struct block *block_cache_get(struct block_cache *c, uint64_t table, struct block_handle h);

/* Keeps a copy of an open block, whose contents these are, if there is room and memory for it. REQUIRES: it is not there. */
void block_cache_add(struct block_cache *c, uint64_t table, struct block_handle h, const struct block *b,
	struct sst_slice contents);

#endif
