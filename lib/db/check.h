/* SPDX-License-Identifier: MIT */
/* Inside lsm_check: one picture of a store, and what is found wrong with it. See check.c. */
#ifndef DB_CHECK_H
#define DB_CHECK_H

#include "db/foreign.h"
#include "db/logs.h"

/* A table that the MANIFEST names, open since the picture was taken. */
struct check_table {
	const struct table_meta *meta;
	int fd; /* -1: to be opened when its turn comes; or `gone` */
	bool gone; /* that it is missing was said */
	char name[FILE_NAME_MAX];
};

/* A column family with its tables. */
struct check_family {
	char *name; /* NULL: the one that was asked for, or the default one */
	struct version version;
	struct foreign *foreign;
	enum key_order order;
	struct check_table *tables; /* version.table_count, in its order */
	/* The tables of a later MANIFEST, read when one of these is found missing: numbers, ascending. */
	uint64_t *now;
	size_t now_count;
	uint64_t now_manifest, now_size; /* as it was then; 0: none was read */
};

struct check_log_read {
	uint64_t number, records, bytes;
	bool failed;
};

struct check {
	struct lsm *db;
	void (*report)(void *arg, const struct lsm_finding *f);
	void *arg;
	struct lsm_check_stats *stats;

	/* The picture. */
	bool live; /* the shared memory is there and belongs to the files */
	struct view view;
	uint64_t snapshot;
	struct check_family *families;
	size_t family_count;
	bool alone; /* the MANIFEST is no help: every file for itself */
	size_t held; /* tables open */
	uint64_t log_first, log_last; /* sequence numbers in the logs; 0: none */
	uint64_t log_first_number;    /* the log that has the first */
	struct check_log_read *log_reads;
	size_t log_read_count;

	/* While the picture is taken findings are kept: kind, name, 0, text, 0, one behind the other. */
	bool keeping;
	struct buf kept;
	char io_error[512]; /* of the last UNREADABLE */
	struct buf value; /* of check_readable */
};

/* ---- check.c */
void check_say(struct check *c, enum lsm_finding_kind kind, const char *file, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void check_give(struct check *c, const struct lsm_finding *f);
/* A failure to read the file: said, by its kind, and 0; but no memory is passed on. */
int check_failure(struct check *c, int rc, const char *file);
/* The last message without the name of the file in front. */
const char *check_bare_message(const char *file);

/* ---- check_memory.c: the shared memory */
/* Maps it, when it belongs to the files, of which CURRENT names MANIFEST `manifest`: c->live, c->view, c->snapshot. No
 * lock is taken. */
int check_memory_attach(struct check *c, uint64_t manifest);
/* Memtable n, mapped; SST_NO: it is gone, which was said. */
int check_memory_open(struct check *c, uint64_t n, struct memtable **m);

/* ---- check_logs.c: the write-ahead logs, and the memtables against them */
int check_logs(struct check *c);
/* How much was read of each. */
void check_logs_tell(struct check *c);
/* The first log that counts for any column family. */
uint64_t check_log_minimum(const struct check *c);

/* ---- check_readable.c */
/* An entry of family f: says of the file's first that no reader could answer for, *told then. f may be NULL: not known. */
int check_readable(struct check *c, struct check_family *f, const char *file, struct sst_slice user_key, uint8_t type,
	struct sst_slice value, bool *told);

/* ---- check_tables.c */
/* Opens them, as many as may be held; says which are missing, or not of the size that the MANIFEST tells. */
int check_tables_open(struct check *c, struct check_family *f);
void check_tables_close(struct check *c, struct check_family *f);
/* What the MANIFEST says of the tables, by itself: order at level 0, overlaps below. */
int check_levels(struct check *c, const struct check_family *f);
/* Reads all tables of all families. */
int check_tables(struct check *c);
/* A table of which no MANIFEST tells. */
int check_table_alone(struct check *c, const char *name);

#endif
