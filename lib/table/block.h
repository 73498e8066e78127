/* SPDX-License-Identifier: MIT */
/*
 * Reading the contents of a block of any kind but filter and dictionary (RocksDB table/block_based/block.cc,
 * data_block_footer.h):
 *
 *     entry*   restart[i]:4 ...   [bucket:1 ... n:2]   [values:4]   count:4
 *     entry = varint shared, varint unshared, varint value_length, key suffix, value
 *
 * The top four bits of count are flags: 31 a hash index of n buckets (not needed to read), 29 keys evenly spread
 * (a hint), 28 keys and values apart, 30 reserved. Apart means: entries end at `values`, hold no value, and at
 * restarts have one more varint in front of the suffix, the value's offset from there; other values follow on one
 * another. Index entries may leave out value_length (BLOCK_DELTA): their value is a handle (shared 0) or a signed
 * varint, then (BLOCK_FIRST_KEY) a slice.
 *
 * Keys longer than LSM_KEY_MAX are refused: sharing could make each of millions of entries a giant.
 *
 * Every byte is checked before use, the order of keys as well: an iterator never gives a key that is not above the
 * one it gave before it.
 */
#ifndef TABLE_BLOCK_H
#define TABLE_BLOCK_H

#include "table/format.h"
#include "table/order.h"

enum block_flags {
	BLOCK_TAGGED = 1,    /* keys are internal keys */
	BLOCK_DATA = 2,	     /* keys and values may be apart */
	BLOCK_DELTA = 4,     /* values without a length */
	BLOCK_FIRST_KEY = 8, /* ... that end with a slice */
};

#define BLOCK_COUNT_UNIFORM (UINT32_C(1) << 29)

struct block {
	const uint8_t *data; /* borrowed */
	uint32_t size;	     /* of the entries; with values apart, of what is left of them */
	uint32_t values, values_end; /* where values lie; values 0: in the entries */
	uint32_t count;		     /* restarts; 0: no entries */
	const uint8_t *restarts;
	unsigned flags;
	enum key_order order; /* ORDER_UNKNOWN: not checked, not searched */
};

/* contents are borrowed. SST_ECORRUPT, SST_EUNSUPPORTED. */
int block_open(struct block *b, struct sst_slice contents, unsigned flags, enum key_order order);

#define BLOCK_NO_ENTRY UINT32_MAX

/* Accepts all moves only after block_iter_start. A zeroed one can be released. */
struct block_iter {
	const struct block *b;
	struct sst_slice key;	/* borrowed from the iterator until its next move */
	struct sst_slice value; /* borrowed from the block */
	uint32_t shared;	/* bytes of the key that came from the one before: what BLOCK_DELTA depends on */
	uint32_t offset;	/* of the entry; BLOCK_NO_ENTRY before the first move */
	uint32_t next;		/* of the one behind it */
	uint32_t restart;	/* the first restart that is not before next */
	uint32_t value_next;	/* where the next value lies when values are apart */
	uint32_t prefix;	/* bytes of `bytes` that the next entry may share */
	bool ordered;		/* `bytes` has a key that the next one must be above */
	struct buf bytes;
};

/* Before the first entry of b, which is borrowed. in_sequence: the first key must be above the last one that this
 * iterator gave (of the block before). Memory is kept from block to block. */
void block_iter_start(struct block_iter *it, const struct block *b, bool in_sequence);
void block_iter_release(struct block_iter *it);

/* The moves return 0, SST_NO behind either end, SST_ECORRUPT or SST_ENOMEM. */
int block_iter_next(struct block_iter *it);
int block_iter_prev(struct block_iter *it); /* REQUIRES: positioned on an entry */
int block_iter_last(struct block_iter *it);
int block_iter_seek(struct block_iter *it, struct sst_slice target); /* first key >= target; order is known */

/* Before restart i (before the first entry when there are none). */
void block_iter_to_restart(struct block_iter *it, uint32_t i);
/* Before the last restart whose key is < target, or the first. */
int block_iter_to_run(struct block_iter *it, struct sst_slice target);
/* Before the run of entries that the one before `offset` belongs to. REQUIRES: 0 < offset <= b->size. */
void block_iter_to_run_before(struct block_iter *it, uint32_t offset);

static inline int block_cmp(const struct block *b, struct sst_slice x, struct sst_slice y)
{
	return b->flags & BLOCK_TAGGED ? order_cmp(b->order, x, y) : order_cmp_user(b->order, x, y);
}

#endif
