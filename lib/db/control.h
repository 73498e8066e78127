/* SPDX-License-Identifier: MIT */
/*
 * The control segment: what the processes of a store must agree on from one instruction to the next. Layout
 * only; the protocols are in the files of the verbs (attach.c, rebuild.c, writer.c, put.c, sync.c, rotate.c, flush.c).
 *
 * Everything in it can be made again from the directory: it is a cache, see rebuild.c.
 */
#ifndef DB_CONTROL_H
#define DB_CONTROL_H

#include <stdatomic.h>

#include "mem/memtable.h"

#define CONTROL_MAGIC UINT64_C(0x6c6f72746e6f6331) /* "1control" */
#define RING 64
#define STORE_PATH_MAX 1024

enum place { PLACE_SHM = 0, PLACE_DIRECTORY = 1 };

/* One memtable and its write-ahead log. */
struct generation {
	_Atomic uint64_t number;
	uint64_t wal_number, wal_inode;
	uint64_t base;		   /* log position (LSN) of the log's first byte */
	_Atomic uint64_t wal_tail; /* behind its last whole record whose changes are in the memtable */
	_Atomic uint64_t first_ns; /* clock_boot_ns of its first record; 0: none yet */
	uint32_t place;		   /* of the memtable segment: enum place */
	_Atomic uint32_t name_synced; /* the directory was synced after the log was made */
	_Atomic uint32_t poisoned; /* a sync of the log failed: nothing may be appended to it any more */
	uint32_t reserved[15];
};

/* What a reader needs for a consistent picture; immutable from publication until its slot is used again, RING
 * views later. Published by storing control.view, under the writer lock. */
struct view {
	_Atomic uint64_t number;
	uint64_t oldest, active; /* generations; all but the active one are frozen */
	uint64_t manifest_number, manifest_size, manifest_inode;
	uint64_t tables;	/* how many the MANIFEST holds up to manifest_size */
	uint64_t reserved;
};

struct control {
	/* Who we are; constant once magic is set. */
	_Atomic uint64_t magic;
	uint32_t layout;
	uint32_t reserved;
	uint8_t token[TOKEN_SIZE];
	uint8_t boot[16];
	/* Where the store was when this was made, for those who clear away what is left of stores that are gone. "": unknown. */
	uint64_t path_space;
	char path[STORE_PATH_MAX];

	/* The writer lock: 0, or the owner's id. And whether somebody may be asleep over it. */
	_Alignas(64) _Atomic uint32_t writer;
	_Atomic uint32_t sleepers;
	/* Bumped whenever frozen memtables become fewer, or a flush failed: what writers wait for when too many are. */
	_Atomic uint32_t flush_event;
	_Atomic uint32_t dirty;	    /* a write is under way, or was when its writer died: see writer.c */
	_Atomic uint32_t condemned; /* the segments are damaged: detach, so that somebody can rebuild */

	/* What readers may see. */
	_Alignas(64) _Atomic uint64_t visible; /* last sequence number */
	_Atomic uint64_t view;		       /* number of the current view */

	/* Log positions: handed to the kernel; known durable. And who is at it. */
	_Alignas(64) _Atomic uint64_t appended;
	_Atomic uint64_t synced;
	_Atomic uint32_t sync_leader; /* 0 or an id */
	_Atomic uint32_t sync_event;
	_Atomic uint32_t sync_followers; /* somebody has waited for a leader since the last one began */

	_Alignas(64) _Atomic uint64_t next_file;
	_Atomic uint32_t next_id;
	_Atomic uint32_t manifest_failed; /* it, or what CURRENT says, is in doubt: the next flush starts a new MANIFEST */
	_Atomic uint64_t renewed_number, renewed_inode; /* the last MANIFEST that CURRENT was pointed to, published or not */
	_Atomic int32_t writer_pid, flush_pid; /* of who took the lock last, for lsm-stat: nobody decides by them */
	_Atomic uint64_t flushes, flush_failures;
	char flush_error[256]; /* of the last failure, for lsm-stat; written under the writer lock */

	struct generation generations[RING];
	struct view views[RING];
};

/* The last number is to be raised whenever a field changes its place or its meaning. */
#define CONTROL_LAYOUT ((uint32_t)(sizeof(struct control) << 8 | 5))

static inline struct generation *control_generation(struct control *c, uint64_t number)
{
	return &c->generations[number % RING];
}

#endif
