/* SPDX-License-Identifier: MIT */
/*
 * libsst: LSM-tree stores that many processes share without a server (lsm_*), and RocksDB/LevelDB table
 * files by themselves (sst_*). See lsm(7) for the concepts and guarantees, libsst(3) for examples.
 *
 * Conventions
 *  - Functions return 0, a positive "no" (SST_NO: absent, or the end), or a negative enum sst_status.
 *    sst_errmsg() then has one line of text for the calling thread, valid until its next call here.
 *  - Keys and values are any bytes, the empty ones included; keys are ordered by memcmp, the shorter first.
 *  - A slice given to a function is only read during the call. A slice handed out says how long it lives.
 *  - A handle is used by one thread at a time. Any number of handles, threads and processes may use one
 *    store at once. Handles do not survive fork(2): the child must open its own.
 *  - The library never prints, exits or installs signal handlers.
 */
#ifndef SST_H
#define SST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SST_API __attribute__((visibility("default")))
#else
#define SST_API
#endif

#define SST_VERSION "0.1.0"

enum sst_status {
	SST_OK = 0,
	SST_NO = 1,		 /* absent; already there; the end of an iteration */
	SST_EIO = -1,		 /* a system call failed */
	SST_ECORRUPT = -2,	 /* bytes that no correct writer leaves behind */
	SST_ENOENT = -3,	 /* no such file or store */
	SST_EBUSY = -4,		 /* a lock was not to be had in time: try again */
	SST_EINVAL = -5,	 /* an argument no store can take */
	SST_EUNSUPPORTED = -6,	 /* sound, but of a kind this library does not read or write */
	SST_ENOMEM = -7,
	SST_EFULL = -8,		 /* no room: disk, quota or shared memory */
};

/* Borrowed bytes. data may be NULL when size is 0. */
struct sst_slice {
	const uint8_t *data;
	size_t size;
};

/* The last failure of this thread, one line without a full stop. */
SST_API const char *sst_errmsg(void);

#define LSM_KEY_MAX (UINT32_C(8) << 20)	    /* bytes in a key */
#define LSM_VALUE_MAX (UINT32_C(1) << 30)   /* bytes in a value */

/* ---------------------------------------------------------------- stores */

struct lsm; /* an open store */

struct lsm_options {
	bool create;	 /* make the store when DIR has none (DIR's parent must exist) */
	bool read_only;	 /* never write; works on read-only media and on stores of LevelDB and RocksDB */
	int64_t timeout_ms; /* how long to wait for a lock before SST_EBUSY; < 0: for ever */
	/* Told what goes on, one line each: `level` 0 = what a user should hear (waiting for a lock, damage
	 * worked around), 1 = details for -v. May be NULL. Called on the thread that called the library. */
	void (*log)(void *arg, int level, const char *line);
	void *log_arg;
};

/* Opens the store in directory `dir`. opt may be NULL: all zero but timeout_ms -1.
 * SST_ENOENT when there is no store and create is not set. */
SST_API int lsm_open(struct lsm **out, const char *dir, const struct lsm_options *opt);
/* Accepts NULL. Never waits for anything: what was not synced stays in the page cache. */
SST_API void lsm_close(struct lsm *db);

/* A set of changes that becomes visible and durable as a whole, in order. */
struct lsm_batch;
SST_API struct lsm_batch *lsm_batch_new(void); /* NULL: no memory */
SST_API void lsm_batch_free(struct lsm_batch *b);
SST_API void lsm_batch_clear(struct lsm_batch *b);
SST_API int lsm_batch_put(struct lsm_batch *b, struct sst_slice key, struct sst_slice value);
SST_API int lsm_batch_delete(struct lsm_batch *b, struct sst_slice key);
SST_API size_t lsm_batch_count(const struct lsm_batch *b); /* changes in it */
SST_API size_t lsm_batch_size(const struct lsm_batch *b);  /* its bytes in the write-ahead log */

enum lsm_write_flags {
	LSM_NO_SYNC = 1,    /* do not wait for the disk: survives kill -9, not a power cut */
	LSM_NO_CLOBBER = 2, /* lsm_put, lsm_write: SST_NO, and nothing written, when any key is there */
};

/* 0: durable (unless LSM_NO_SYNC) and visible to every process.
 * A memtable that is full is frozen on the way; who flushes it: see lsm_flush_pending(). */
SST_API int lsm_put(struct lsm *db, struct sst_slice key, struct sst_slice value, unsigned flags);
SST_API int lsm_delete(struct lsm *db, struct sst_slice key, unsigned flags);
/* b is kept as it is and may be written again (as new changes). */
SST_API int lsm_write(struct lsm *db, struct lsm_batch *b, unsigned flags);
/* Waits until all that this handle wrote is durable: the end of a run of LSM_NO_SYNC writes. */
SST_API int lsm_sync(struct lsm *db);

/* 0 with *value = the newest value, SST_NO when absent. *value lives until the next call on db. */
SST_API int lsm_get(struct lsm *db, struct sst_slice key, struct sst_slice *value);

/* Number of frozen memtables that wait for a flush. Whoever sees > 0 after a write sees to it that
 * lsm_flush runs soon, in another thread (with its own handle) or process; writers that find too many
 * flush one themselves. */
SST_API unsigned lsm_flush_pending(struct lsm *db);

struct lsm_flush_options {
	bool frozen_only;	/* only what is frozen already; leave the active memtable alone */
	uint64_t if_size;	/* the active one only when it holds at least this many bytes; 0: any */
	uint64_t if_age_ms;	/* ... or when its oldest record is at least this old; 0: any */
};

/* What one flush made. */
struct lsm_flushed {
	uint64_t records;	/* entries read from the memtable */
	uint64_t entries;	/* entries in the table: one for each key */
	uint64_t table_bytes;	/* size of the table file */
	uint64_t nanoseconds;
	char table[32];		/* its name in the directory: "000005.sst" */
};

/* Writes what is unflushed into tables, oldest first, one table per memtable, and calls `done` (may be NULL)
 * after each is durable and recorded. opt may be NULL: flush everything. With both if_size and if_age_ms set,
 * either suffices. Nothing to do is success. */
SST_API int lsm_flush(struct lsm *db, const struct lsm_flush_options *opt,
	void (*done)(void *arg, const struct lsm_flushed *f), void *arg);

/* ---------------------------------------------------------------- tables */

struct sst_table; /* an open table file: RocksDB block-based, format versions 0 to 7, or LevelDB */

SST_API int sst_table_open(struct sst_table **out, const char *path);
SST_API void sst_table_close(struct sst_table *t);

#ifdef __cplusplus
}
#endif

#endif
