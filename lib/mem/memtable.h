/* SPDX-License-Identifier: MIT */
/*
 * A memtable: one segment that begins with an identified header and holds one tree. Shared by all processes of a
 * store (generation g of token T), or private memory where the logs of a read-only store are replayed.
 */
#ifndef MEM_MEMTABLE_H
#define MEM_MEMTABLE_H

#include "base/iter.h"
#include "mem/tree.h"
#include "os/pool.h"
#include "os/segment.h"

#define TOKEN_SIZE 16

struct memtable {
	struct segment segment;
	struct tree tree;
	struct window *window; /* as long as it is not mapped */
	unsigned lookups;      /* through the window */
	uint64_t generation;
};

static inline bool memtable_is_open(const struct memtable *m)
{
	return m->segment.base || m->window;
}

/* How much of a new segment must be backed for it to take n records with `bytes` of keys and values (0, 0: at least). */
uint64_t memtable_commit_for(uint64_t bytes, uint64_t n);
/* Bytes of a segment of which `limit` are for records and their order, with room beyond for a batch that needs as much. */
uint64_t memtable_segment_size(uint64_t limit, uint64_t commit);

/* Makes an empty memtable in a fresh segment, which it takes (also on failure), and of which `commit` bytes are backed. */
int memtable_format(struct memtable *m, struct segment *s, uint64_t commit, const uint8_t token[TOKEN_SIZE],
	uint64_t generation);
/* Takes a segment (also on failure) that somebody formatted and that is not mapped yet; anything unexpected is SST_ECORRUPT.
 * Until memtable_map() only what says so is for it. */
int memtable_attach(struct memtable *m, struct segment *s, const uint8_t token[TOKEN_SIZE], uint64_t generation);
void memtable_close(struct memtable *m); /* accepts a zeroed one */

/* Secures room for n inserts with `bytes` of keys and values. 0; SST_NO when the segment's size does not allow it;
 * SST_EFULL when the system has no room. REQUIRES: the writer lock. */
int memtable_reserve(struct memtable *m, uint64_t bytes, uint64_t n);

/* Maps one that was attached without. Nothing happens to others. */
int memtable_map(struct memtable *m);

/* As tree_get, also for one that is not mapped: that is read, the first few times, and then mapped. *found lives until the
 * next call. */
int memtable_get(struct memtable *m, struct sst_slice key, uint64_t snapshot, const struct tree_record **found);

/* Inserts the records that tree_run_add put into the run. REQUIRES: as tree_insert, and memtable_prepare() for each of the
 * `count` keys: after that it fails for nothing but damage, or when neither writing nor mapping is possible any more. */
int memtable_insert(struct memtable *m, const struct buf *run);
int memtable_prepare(struct memtable *m, struct sst_slice key, uint64_t tag, size_t count);
/* For who reads all of one that is mapped: fills the page tables at once, on all processors of the pool (NULL: one). A hint. */
void memtable_warm(struct memtable *m, struct pool *pool);

/* tree_insert of mem/tree.h with m->tree, for one that is mapped. */

/* The figures below of one that is not mapped are those of its last refresh or insert; of others they are live. */
int memtable_refresh(struct memtable *m);
uint64_t memtable_used(const struct memtable *m);   /* bytes of the segment in use */
uint64_t memtable_entries(const struct memtable *m);
uint64_t memtable_bytes(const struct memtable *m);  /* of keys and values */

/* The entries with sequence <= snapshot in order; SEQUENCE_MAX for a frozen one. Checks each record's crc. m is
 * borrowed. NULL: no memory. */
struct iter *memtable_iter_new(const struct memtable *m, uint64_t snapshot);

#endif
