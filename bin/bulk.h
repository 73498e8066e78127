/* SPDX-License-Identifier: MIT */
/*
 * Many changes, one after the other: gathered into groups of a quarter of a megabyte. A group
 * is written as a whole: visible to everybody and safe from kill -9. It is waited for on the
 * disk after every 32 MiB and when the caller settles, so a fast stream costs one wait in 32
 * MiB. Memtables that are full are flushed by a thread meanwhile.
 */
#ifndef BIN_BULK_H
#define BIN_BULK_H

#include "tool.h"

struct bulk {
	struct lsm *db;
	struct lsm_batch *batch;
	struct flusher *flusher;
	uint64_t unsynced; /* bytes written and not waited for */
	bool atomic;	   /* no groups: all of it is written when the caller settles */
	bool no_sync;	   /* never wait for the disk */
};

/* Opens the store of t, or ends the program. SST_ENOMEM: close all the same. */
int bulk_open(struct bulk *b, const struct tool *t, bool create);
int bulk_put(struct bulk *b, struct sst_slice key, struct sst_slice value);
int bulk_delete(struct bulk *b, struct sst_slice key);
/* Writes what is gathered, waits for the disk. */
int bulk_settle(struct bulk *b);
/* Gives the shared memory back until the next change: for a pause that lasts. REQUIRES: settled. */
int bulk_rest(struct bulk *b);
/* Drops what is not settled; waits for a flush under way. */
void bulk_close(struct bulk *b);

#endif
