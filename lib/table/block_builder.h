/* SPDX-License-Identifier: MIT */
/*
 * The contents of a block of any kind but filter and dictionary (RocksDB table/block_based/block_builder.cc):
 *
 *     entry*   restart[i]:4 ...   count:4
 *     entry = varint shared, varint unshared, varint value_length, key suffix, value
 *
 * `shared` counts the bytes that a key has in common with the one before it. Every `interval` entries it is 0:
 * a restart, whose offset in the block is listed, so that readers can search by halves.
 */
#ifndef TABLE_BLOCK_BUILDER_H
#define TABLE_BLOCK_BUILDER_H

#include "base/coding.h"

/* An interval for blocks with only the first restart. */
#define RESTART_NEVER UINT32_MAX
/* The upper four bits of the count word are flags in new versions of the format. */
#define RESTARTS_MAX ((UINT32_C(1) << 28) - 1)

struct block_builder {
	struct buf *out;     /* borrowed; the block grows at its end */
	size_t start;	     /* where in out the block begins */
	struct buf restarts; /* offsets, 4 bytes each */
	uint32_t interval, since_restart;
};

/* Begins a block at the end of out. A zeroed or used builder; the memory for restarts is kept. */
void block_builder_start(struct block_builder *b, struct buf *out, uint32_t interval);
void block_builder_release(struct block_builder *b);

/* Adds an entry. `shared`: bytes at the front of key that are those of the key added before (0 is always right,
 * the most is best; not looked at where a restart is due). Key and value together below 4 GiB; memory that runs
 * out is remembered in out and restarts. */
void block_builder_add(struct block_builder *b, struct sst_slice key, size_t shared, struct sst_slice value);

/* Bytes the block will have when finished. Readers need < 4 GiB and at most RESTARTS_MAX restarts. */
static inline size_t block_builder_size(const struct block_builder *b)
{
	return b->out->size - b->start + b->restarts.size + 4;
}

static inline bool block_builder_empty(const struct block_builder *b)
{
	return b->out->size == b->start;
}

/* Appends restarts and count. 0, SST_ENOMEM, or SST_EINVAL when the block is larger than the format allows. */
int block_builder_finish(struct block_builder *b);

#endif
