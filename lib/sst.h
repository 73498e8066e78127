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
 *    store at once. Handles do not survive fork(2): the child must open its own, and may only close those of its
 *    parent (anything else is SST_EINVAL). It should do so, or exec: until then the parent's locks live on in it.
 *  - The library never prints, exits or installs signal handlers.
 *  - Stores live in memory that all their processes share. Should another process of the same user cut that memory
 *    short (truncate(2) of a file in /dev/shm), a call that is just touching it ends in SIGBUS. Nothing that was
 *    acknowledged is lost, and the next process to come rebuilds it; the programs catch the signal and exit 75.
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
	const char *family; /* with read_only: another column family than "default" of RocksDB's; NULL: that */
	size_t cache_size; /* bytes of decompressed blocks to keep for lsm_get; 0: 32 MiB; less than a block: none */
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

/* For a handle that will not be used for a while: gives up the shared memory and the lock that goes with it, until the next
 * operation takes them again. An idle process then stands in nobody's way: not of RocksDB, nor of those that must
 * rebuild the memory. Nothing happens as long as something it wrote is not durable: lsm_sync() first. */
SST_API void lsm_rest(struct lsm *db);

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

/* ---- scans */

struct lsm_scan_options {
	struct sst_slice from;	 /* keys >= from; empty: from the first */
	bool has_to;
	struct sst_slice to;	 /* keys < to */
	struct sst_slice prefix; /* keys that begin with it */
	bool reverse;		 /* the last key first */
};

/* A walk over one instant of the store: what others put, delete and flush meanwhile changes nothing in it, and it holds
 * up nobody, however long it lives. Memory and open files are bounded by the number of tables. opt may be NULL:
 * everything. Lives on without db's attention, but is to be freed before db is closed. */
struct lsm_scan;
SST_API int lsm_scan_new(struct lsm_scan **out, struct lsm *db, const struct lsm_scan_options *opt);
/* 0: the next pair, borrowed until the next call on s; SST_NO: that was all. */
SST_API int lsm_scan_next(struct lsm_scan *s, struct sst_slice *key, struct sst_slice *value);
/* The instant: every change up to this sequence number is seen, none behind it. */
SST_API uint64_t lsm_scan_sequence(const struct lsm_scan *s);
SST_API void lsm_scan_free(struct lsm_scan *s); /* accepts NULL */

/* Number of frozen memtables that wait for a flush while nobody is flushing. Whoever sees > 0 after a write sees to it that
 * lsm_flush runs soon, in another thread (with its own handle) or process; writers that find too many
 * flush one themselves. */
SST_API unsigned lsm_flush_pending(struct lsm *db);

struct lsm_flush_options {
	bool frozen_only;	/* only what is frozen already, or meanwhile; leave the active memtable alone */
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

/* ---- looking at a store */

struct lsm_stats {
	bool shared;		 /* attached to shared memory; false: read privately */
	bool in_directory;	 /* the active memtable had no room in /dev/shm and lives in the store directory */
	uint64_t sequence;	 /* the last that readers see */
	uint64_t records, bytes, limit; /* of the active memtable; bytes and limit: what write_buffer_size counts */
	int64_t oldest_ms;	 /* age of its oldest record; -1: it is empty */
	uint64_t frozen, frozen_records, frozen_bytes; /* memtables that wait for a flush, and what they hold */
	uint64_t wal_files, wal_bytes, wal_unsynced;   /* unsynced: bytes not known to be on the disk */
	uint64_t tables, table_bytes, level_tables[7], level_bytes[7];
	uint64_t flushes, flush_failures; /* since the shared memory was made */
	const char *flush_error; /* of the last flush; "" when it succeeded. Lives as long as db */
	int writer_pid, flush_pid; /* who holds the writer lock, who flushes (0: nobody); as they know themselves */
};
SST_API int lsm_stat(struct lsm *db, struct lsm_stats *s);

struct lsm_file {
	const char *name; /* in the directory */
	bool is_table;	  /* else a write-ahead log */
	unsigned level;
	uint64_t size, smallest_sequence, largest_sequence;
	struct sst_slice smallest, largest; /* user keys */
};
/* Every table and log that counts, until each returns other than 0, which is returned. */
SST_API int lsm_files(struct lsm *db, int (*each)(void *arg, const struct lsm_file *f), void *arg);

/* ---- checking a store */

struct lsm_finding;

struct lsm_check_stats {
	uint64_t damages, unsupported, unreadable; /* how many of each were reported */
	uint64_t tables, logs;			   /* files read to their end */
	uint64_t entries, records, bytes;	   /* entries of tables, records of logs, bytes of both */
};

/* Reads the whole store in `dir`, or LevelDB's or RocksDB's, and holds everything against everything: CURRENT, MANIFEST,
 * logs, tables, the shared memory. Works beside writers on one picture, takes no lock, changes nothing. Of opt (may be
 * NULL) are used: family (only that one's tables; NULL: every family's), timeout_ms (for a picture of a store that
 * keeps changing) and log.
 * 0: sound; SST_NO: damage, or something this library does not know, was reported; < 0: there is no such store, or
 * (SST_EIO, after reports) a part of it could not be read. */
SST_API int lsm_check(const char *dir, const struct lsm_options *opt,
	void (*report)(void *arg, const struct lsm_finding *f), void *arg, struct lsm_check_stats *stats);

/* ---------------------------------------------------------------- tables */

struct sst_table; /* an open table: RocksDB's block-based format, versions 0 to 7, or LevelDB's */

/* Never written to, nor is its access time where that can be helped. */
SST_API int sst_table_open(struct sst_table **out, const char *path);
/* The same for bytes in memory, borrowed until the table is closed; name is for messages (copied). */
SST_API int sst_table_open_memory(struct sst_table **out, const void *data, size_t size, const char *name);
SST_API void sst_table_close(struct sst_table *t); /* accepts NULL; close its iterators first */

/* 0 when keys are ordered by memcmp, as libsst's own are; SST_EUNSUPPORTED, naming the comparator, otherwise. */
SST_API int sst_table_bytewise(struct sst_table *t);

/* Types of entries, with RocksDB's numbers. */
enum sst_type {
	SST_DELETE = 0,
	SST_PUT = 1,
	SST_MERGE = 2,		   /* an operand for a merge operator */
	SST_SINGLE_DELETE = 7,
	SST_RANGE_DELETE = 15,	   /* key: begin, value: end (exclusive) */
	SST_BLOB = 17,		   /* the value is in another file */
	SST_DELETE_TIMESTAMP = 20, /* the key ends with a timestamp */
	SST_WIDE = 22,		   /* several named columns */
};
/* "del", "put", "merge", "sdel", "rdel", "blob", "delts", "wide"; NULL for other numbers. */
SST_API const char *sst_type_name(unsigned type);

struct sst_entry {
	struct sst_slice key, value;
	uint64_t sequence;
	unsigned type; /* enum sst_type */
};

/* The newest that this table says of a key: type SST_PUT, or a deletion of any kind. SST_NO: it says nothing.
 * SST_EUNSUPPORTED: its newest entry needs more than a table to be understood (SST_MERGE, ...).
 * *e is borrowed from t until its next call. */
SST_API int sst_table_get(struct sst_table *t, struct sst_slice key, struct sst_entry *e);
/* Where the last sst_table_get looked, one line; borrowed until the next call on t. */
SST_API const char *sst_table_trace(struct sst_table *t);

/* ---- walking */

enum sst_iter_flags {
	/* Every entry but range deletions, as stored; otherwise what a reader would see: the newest version of each
	 * key, nothing that is deleted. */
	SST_ITER_ALL = 1,
};

/* Several may be open on one table, which they borrow. All belong to one thread. */
struct sst_iter;
SST_API int sst_iter_new(struct sst_iter **out, struct sst_table *t, unsigned flags);
SST_API void sst_iter_free(struct sst_iter *it); /* accepts NULL */
/* 0: *e (borrowed until the next call on it) is the first, last, next entry, ...; SST_NO: there is none. Keys come
 * in the order of the table's comparator; with one that is not known only SST_ITER_ALL works, without seek. */
SST_API int sst_iter_first(struct sst_iter *it, struct sst_entry *e);
SST_API int sst_iter_last(struct sst_iter *it, struct sst_entry *e);
SST_API int sst_iter_seek(struct sst_iter *it, struct sst_slice key, struct sst_entry *e); /* first key >= key */
/* REQUIRES: the last call on it returned 0. */
SST_API int sst_iter_next(struct sst_iter *it, struct sst_entry *e);
SST_API int sst_iter_prev(struct sst_iter *it, struct sst_entry *e);

/* A part of a file that is not as it should be. */
struct sst_damage {
	uint64_t offset, size;	  /* the block, with its trailer; size 0: not one block */
	const char *what;	  /* one line, without file name and offset */
	bool has_keys;		  /* from and to are known: */
	struct sst_slice from, to; /* user keys; what is lost lies between them */
};
/* After a call on it failed with SST_ECORRUPT or SST_EIO: leaves that block out and goes on as sst_iter_next
 * (sst_iter_prev when backwards) does, with the first entry of the next sound block. *d tells what was left out, but
 * for what the message of that call said; borrowed until the next call on it. */
SST_API int sst_iter_skip(struct sst_iter *it, bool backwards, struct sst_damage *d, struct sst_entry *e);

/* The range deletion number i, in stored order; SST_NO behind the last. Its sequence is the stored one even in an
 * ingested file (0), as RocksDB's tools show it; the views go by the one that counts. Borrowed from t. */
SST_API int sst_table_range_deletion(struct sst_table *t, size_t i, struct sst_entry *e);

/* ---- looking inside. Each calls back until that returns other than 0, and returns it. */

struct sst_property {
	struct sst_slice name, value; /* as stored */
	bool is_number;
	uint64_t number;
};
/* What the file says of itself, sorted by name; before that what its form says ("file.size", "format.version",
 * "checksum", "global.sequence"). */
SST_API int sst_table_properties(struct sst_table *t,
	int (*each)(void *arg, const struct sst_property *p), void *arg);

struct sst_block {
	const char *kind; /* "data", "index", "filter", "properties", "metaindex", ... */
	uint64_t offset, size; /* without the trailer */
	const char *compression; /* "NoCompression", "ZSTD", ... */
	uint64_t contents_size;	 /* decompressed */
	uint64_t entries;	 /* of data blocks */
	struct sst_slice first_key; /* user key; of data blocks that are not empty */
	bool has_first_key;
};
/* The data blocks, in order, as the index has them. A first key that the index does not hold is read from the block;
 * contents_size and entries are not given. */
SST_API int sst_table_index(struct sst_table *t, int (*each)(void *arg, const struct sst_block *b), void *arg);
/* Every block of the file, in the order of their offsets. Reads and decodes them all. */
SST_API int sst_table_blocks(struct sst_table *t, int (*each)(void *arg, const struct sst_block *b), void *arg);

struct sst_check_stats {
	uint64_t damages, blocks, entries, bytes;
};
/* Reads everything and compares it: checksums, order, index and blocks, properties and contents, filter and keys.
 * 0: sound; SST_NO: each damage was reported; < 0: could not go on. */
SST_API int sst_table_check(struct sst_table *t, void (*report)(void *arg, const struct sst_damage *d), void *arg,
	struct sst_check_stats *stats);

/* What lsm_check tells. */
enum lsm_finding_kind {
	LSM_FINDING_FILE,	 /* no finding: this file was read; `read` says how much of it */
	LSM_FINDING_NOTE,	 /* no damage, but worth knowing: an unfinished write, a file that does not count */
	LSM_FINDING_UNREADABLE,	 /* a system call failed */
	LSM_FINDING_UNSUPPORTED, /* sound as far as can be told; damage.what says what was left out */
	LSM_FINDING_DAMAGE,
};

struct lsm_finding {
	enum lsm_finding_kind kind;
	const char *file;	    /* its name in the directory; "shared memory" */
	struct sst_damage damage;   /* of all but LSM_FINDING_FILE */
	struct sst_check_stats read; /* of LSM_FINDING_FILE. A log has records as entries, and no blocks */
};

/* ---- several tables as one */

struct sst_merge_options {
	/* Gives the newest entry of a key when it is a deletion, too. Range deletions cannot be given. */
	bool deletions;
	/* Told of every damaged part of a table (by its place among them), which is left out. d->what is a whole
	 * message. NULL: damage ends the walk. */
	void (*damage)(void *arg, size_t table, const struct sst_damage *d);
	void *damage_arg;
};

/* The newest entry of each key in the tables, which are borrowed and must be sst_table_bytewise(). What is newer goes
 * by sequence number, then by place, the first table being the newest. Tables made to be ingested have no sequence
 * numbers: one in front of all tables that have them is newer than those, one behind them older; SST_EINVAL for one
 * between. opt may be NULL. */
struct sst_merge;
SST_API int sst_merge_new(struct sst_merge **out, struct sst_table *const *tables, size_t n,
	const struct sst_merge_options *opt);
SST_API void sst_merge_free(struct sst_merge *m); /* accepts NULL; before the tables are closed */
/* 0: *e, borrowed until the next call on m: SST_PUT, or (with deletions) SST_DELETE or SST_SINGLE_DELETE. SST_NO: that
 * was all. SST_EUNSUPPORTED: the newest entry of a key is of another type. */
SST_API int sst_merge_next(struct sst_merge *m, struct sst_entry *e);
/* Whether any of the tables has sequence numbers. With deletions all have them, or none (else SST_EINVAL). */
SST_API bool sst_merge_sequences(const struct sst_merge *m);

/* ---------------------------------------------------------------- building */

/* A table being written, in RocksDB's block-based format, version 5. Its bytes follow from the entries and the options
 * alone: not from the machine, the number of its CPUs, or the time. */
struct sst_builder;

struct sst_builder_options {
	size_t block_size;	     /* bytes of contents in a data block; 0: 16384 */
	int zstd_level;		     /* 1 to 22, or a negative one, which is faster; 0: not compressed */
	unsigned bloom_bits_per_key; /* 0: no filter */
	/* Entries have sequence numbers. Otherwise these are 0, there is one entry for a key, and the table is one
	 * that RocksDB's IngestExternalFile takes. */
	bool sequences;
	/* Entries come in any order; of those with one key the one added last counts. Not with sequences. */
	bool sort;
	size_t sort_memory;	    /* bytes for that; 0: 256 MiB. What is more goes to temporary files */
	const char *sort_directory; /* of these; NULL: that of the table; for a stream, /tmp */
};

/* Writes to PATH.tmp, which becomes PATH when it is whole; what is there then is replaced. opt may be NULL: zstd 1,
 * 10 bits. SST_EBUSY: another process is writing it. SST_EINVAL: PATH is there and no regular file. */
SST_API int sst_builder_open(struct sst_builder **out, const char *path, const struct sst_builder_options *opt);
/* Hands the bytes to `write` in their order. What that returns other than 0 (a negative enum sst_status) ends it. */
SST_API int sst_builder_open_stream(struct sst_builder **out, int (*write)(void *arg, const void *p, size_t n),
	void *arg, const struct sst_builder_options *opt);
/* "PATH.tmp", for whoever has to remove it on a signal; NULL for a stream. Borrowed. */
SST_API const char *sst_builder_temporary(const struct sst_builder *b);
/* Key and value are copied. SST_EINVAL, and nothing is changed: the key is not above the one before it (with
 * sequences: the entry not behind the one before it), or the entry is one that no such table can have. */
SST_API int sst_builder_add(struct sst_builder *b, const struct sst_entry *e);

struct sst_built {
	uint64_t entries, deletions, bytes; /* bytes: of the file */
};
/* Once, when all entries are added: 0 when the table is on the disk under its name. built may be NULL. */
SST_API int sst_builder_finish(struct sst_builder *b, struct sst_built *built);
/* Without sst_builder_finish, or after a failure, nothing is left. Accepts NULL. */
SST_API void sst_builder_close(struct sst_builder *b);

#ifdef __cplusplus
}
#endif

#endif
