/* SPDX-License-Identifier: MIT */
/*
 * What a store of RocksDB's may have beside tables and logs, for reading: merge operands with
 * their operator, blob files. And what the versions of one key come to. See foreign.c, fold.c.
 */
#ifndef DB_FOREIGN_H
#define DB_FOREIGN_H

#include "db/store.h"

struct foreign;

/* Opens the blob files that the version names, so that they stay readable: one that is gone is
 * missed when a value in it is asked for. Other files are looked at when needed. */
int foreign_open(struct lsm *db);
void foreign_close(struct lsm *db);

/* Replaces out with the value of an entry of type 17. */
int foreign_blob(struct lsm *db, struct sst_slice user_key, struct sst_slice blob_index,
	struct buf *out);

struct merge_input;
/* Applies the store's merge operator; in->delimiter is filled in. SST_EUNSUPPORTED: it is not
 * known. Replaces out. */
int foreign_merge(struct lsm *db, struct sst_slice user_key, struct merge_input *in, struct buf *out);

/* ---- fold.c: the versions of one key, in either direction, to what a reader sees */
struct fold {
	struct lsm *db;
	bool newest_first; /* the order in which versions come */
	uint8_t base_type; /* what lies under the operands */
	struct buf base, base_blob, operand_bytes, result;
	struct sst_slice *operands; /* sizes; data when all are there */
	size_t operand_count, operand_cap;
};

void fold_release(struct fold *f);
/* Forgets the key before. */
void fold_start(struct fold *f);
/* The next version: older when newest_first, else newer. One under a range tombstone is given as
 * a deletion. 0; SST_NO: what follows does not matter (newest_first only); or an error. */
int fold_add(struct fold *f, struct sst_slice user_key, uint8_t type, struct sst_slice value);
/* 0 with the value (until the next call), SST_NO: the key is not there, or an error. */
int fold_finish(struct fold *f, struct sst_slice user_key, struct sst_slice *value);

#endif
