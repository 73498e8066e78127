/* SPDX-License-Identifier: MIT */
/*
 * The ordered structure of a memtable: a B+-tree with append-only leaves, in an arena that only grows and
 * that many processes have mapped at different addresses. One writer at a time, readers without locks.
 *
 * The essay is in tree.c. REQUIRES for whatever inserts: the writer lock, and room secured by tree_bound().
 */
#ifndef MEM_TREE_H
#define MEM_TREE_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/ikey.h"

/* What begins a segment's arena; all offsets are from the segment's first byte. */
struct tree_header {
	uint64_t node_next, node_end; /* what is free of the chunk that nodes are taken from; the writer's */
	_Atomic uint64_t used;	    /* bytes of the segment in use, this header's page included */
	_Atomic uint64_t committed; /* bytes that are backed: nothing beyond is ever touched */
	_Atomic uint64_t entries, deletions, raw_bytes, leaves;
	/* Reference (offset / 8) of the root node. Last: a cut that took the number of entries has taken this, too, and what is
	 * left is not an empty tree. */
	_Atomic uint32_t root;
	uint32_t reserved;
};

struct window;

/* A tree: base of the segment, its header, bytes mapped. Copy freely. Without a base, `mapped` bytes are there to be read
 * through the window (mem/window.h): that is for tree_get. */
struct tree {
	uint8_t *base;
	struct tree_header *header;
	uint64_t mapped;
	struct window *window;
};

/* A record in the arena: an internal key and its value, written once, then linked. */
struct tree_record {
	uint64_t tag;
	uint32_t key_size, value_size;
	uint32_t crc; /* crc32c of everything else here and of the data: a stray write must not become a table */
	uint8_t data[]; /* key, value */
};

static inline struct sst_slice tree_record_key(const struct tree_record *r)
{
	return slice_of(r->data, r->key_size);
}

static inline struct sst_slice tree_record_value(const struct tree_record *r)
{
	return slice_of(r->data + r->key_size, r->value_size);
}

/* Bytes of arena that inserting records with `bytes` of keys and values, `n` records in all, can take at most,
 * whatever their order, in a tree that has `leaves` leaves. */
uint64_t tree_bound(uint64_t leaves, uint64_t bytes, uint64_t n);

/* Makes an empty tree. REQUIRES: t->header->used and ->committed set, with tree_bound(0, 0, 0) between them. */
int tree_format(struct tree *t);

/* 0; SST_EFULL when the room secured does not suffice; SST_ECORRUPT when the segment is damaged. An entry with the
 * same key and tag that is there already is left alone (repair inserts what a dead writer may have inserted). */
int tree_insert(struct tree *t, struct sst_slice key, uint64_t tag, struct sst_slice value);

/*
 * The same for many: the records are made in a buffer, written behind each other to where tree_run_take says, by whatever
 * means, and then linked. A run of records is copied by one write; through a mapping, each page would be touched for the
 * first time.
 */
void tree_run_add(struct buf *run, struct sst_slice key, uint64_t tag, struct sst_slice value); /* see buf_check */
/* 0: the leaf that the entry goes to has room for `count`; SST_NO: it would have to be split. */
int tree_has_room(const struct tree *t, struct sst_slice key, uint64_t tag, size_t count);
int tree_run_take(struct tree *t, const struct buf *run, uint64_t *offset);
/* Links the records from byte *done of the run on, and counts *done up. SST_NO: the next one splits a leaf, which takes a
 * mapping; t has none. */
int tree_run_link(struct tree *t, const struct buf *run, uint64_t offset, size_t *done);

/* The newest entry of the key whose sequence is <= snapshot: 0 with *found (checked against its crc; lives as
 * long as the mapping, or until the window is renewed), SST_NO, or SST_ECORRUPT. */
int tree_get(const struct tree *t, struct sst_slice key, uint64_t snapshot, const struct tree_record **found);

/* Checks the crc of a record. */
int tree_record_check(const struct tree_record *r);

#define TREE_LEAF_MAX 56
#define TREE_DEPTH_MAX 16

/* A walk in key order over the entries with sequence <= snapshot. */
struct tree_walk {
	struct tree tree;
	uint64_t snapshot;
	unsigned depth;
	struct {
		uint32_t node, child;
	} path[TREE_DEPTH_MAX];
	unsigned count, at;
	const struct tree_record *entries[TREE_LEAF_MAX];
};

/* Each returns 0 with walk->entries[walk->at] current, SST_NO at the end, or SST_ECORRUPT. */
int tree_walk_first(struct tree_walk *w);
int tree_walk_last(struct tree_walk *w);
int tree_walk_seek(struct tree_walk *w, struct sst_slice key, uint64_t tag); /* first entry >= (key, tag) */
int tree_walk_next(struct tree_walk *w);
int tree_walk_prev(struct tree_walk *w);

#endif
