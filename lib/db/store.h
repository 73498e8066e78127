/* SPDX-License-Identifier: MIT */
/*
 * The handle and what the verbs of lib/db share. One file a verb; each states its protocol at its top.
 *
 * Lock order: INIT, ATTACH, FLUSH (byte locks on LOCK), then the writer lock. Nothing slow is done under the writer
 * lock but what the next write needs anyway.
 */
#ifndef DB_STORE_H
#define DB_STORE_H

#include "base/batch.h"
#include "db/config.h"
#include "db/control.h"
#include "os/file.h"
#include "table/block_cache.h"
#include "table/read_ahead.h"
#include "table/range_del.h"
#include "version/manifest.h"

/* Byte map of LOCK, far behind its contents. */
#define LOCK_ATTACH (UINT64_C(1) << 40)	    /* R: attached; W: rebuilding, nobody is attached anywhere */
#define LOCK_INIT (LOCK_ATTACH + 1)	    /* W: serialises rebuilders */
#define LOCK_FLUSH (LOCK_ATTACH + 2)	    /* W: one flush (or compaction) at a time; writer of the MANIFEST */
#define LOCK_LIVE (UINT64_C(1) << 41)	    /* + id, W: this writer lives */

#define FROZEN_MAX 4	/* frozen memtables; then writers flush */
#define MAPPED_MAX 8	/* memtables a handle keeps open */

struct open_table;

struct lsm {
	char *path;
	struct lsm_options options;
	bool private;		/* read-only without shared memory: logs replayed into memory of our own */
	int dirfd, lockfd, shmfd;
	bool lock_read_only;	/* we may read LOCK, not write it: no rebuild, segments mapped for reading */
	struct file_access access; /* of the directory */
	mode_t mode;		/* of new files, before the umask */
	bool group_shared;	/* the directory is its group's: so are the files */
	uid_t owner;		/* whom root gives what it makes; (uid_t)-1: nobody */
	struct config config;

	struct segment control_segment;
	struct control *control;
	uint32_t id;		/* of our LIVE byte; 0: none yet */
	int pid;
	unsigned forks;		/* process_forks() of the process that opened it */
	uint64_t checked_ns;	/* when the control segment was last seen to have its name */

	struct memtable mapped[MAPPED_MAX]; /* those that are open; not all are mapped */
	bool no_shm;		/* memtables are made in the directory: rebuild.c */
	int wal_fd;
	uint64_t wal_generation; /* whose log wal_fd is */
	char wal_name[FILE_NAME_MAX]; /* made once: printing it was a tenth of the cost of a put */
	uint64_t written;	/* log position behind our last write */
	uint64_t turn_ns, unlocked_ns; /* writer.c */

	struct range_dels log_dels; /* private: range tombstones of the logs */
	enum key_order order;	/* of the column family; other than bytewise only when private */
	struct foreign *foreign; /* private: blob files and the merge operator */
	struct version version;	/* of the view last looked at */
	uint64_t version_view_manifest, version_view_size;
	struct open_table **tables; /* in the order of their numbers */
	size_t table_count, table_cap, table_max;
	uint64_t table_uses;
	bool looked_in_tables;
	struct block_cache blocks; /* of the tables */
	struct read_crew crew;

	struct lsm_batch *single; /* for lsm_put and lsm_delete */
	struct buf frame;	/* framed record */
	struct buf run;		/* records of the batch to be written, as the memtable has them */
};

struct lsm_batch {
	struct batch batch;
	size_t bytes; /* of keys and values */
};

/* ---- write_batch.c, replay.c: the note that begins every record of ours */
#define NOTE_MAGIC "lsm\1"
#define NOTE_SIZE 12			    /* magic, durable bytes of this log:8 */
#define NOTE_OFFSET (BATCH_HEADER_SIZE + 2 + 4) /* of the number, in the batch */

/* ---- log.c: messages to the user */
void store_log(const struct lsm *db, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Waiting for somebody: sleeps a little longer each time; says so once after a second; SST_EBUSY (with `what` in the
 * message) when the handle's time-out is over. Start with a zeroed one. */
struct patience {
	uint64_t since_ns;
	unsigned rounds;
	bool said;
};
int patience_wait(struct patience *p, const struct lsm *db, const char *what);
/* The same without the sleep, for those who sleep on an event: 0 or SST_EBUSY. */
int patience_check(struct patience *p, const struct lsm *db, const char *what);

/* ---- lockfile.c: the contents of LOCK, which tie the segments to this very directory */
struct identity {
	uint8_t token[TOKEN_SIZE];
	uint8_t boot[16];
	uint64_t control_device, control_inode; /* 0: a rebuild is, or was, under way */
	uint32_t control_place;
};
/* 0; SST_NO: none, of another layout, or of another directory (a copy): a rebuild is needed. */
int identity_read(const struct lsm *db, struct identity *id);
/* Does LOCK say that the store is one of ours, of whatever layout? */
bool identity_is_ours(const struct lsm *db);
int identity_write(const struct lsm *db, const struct identity *id);
/* Name of the control segment (generation 0) or of a memtable's. */
#define SEGMENT_NAME_MAX 80
void segment_name(char name[SEGMENT_NAME_MAX], const uint8_t token[TOKEN_SIZE], enum place place, uint64_t generation);
int segment_place_fd(const struct lsm *db, uint32_t place);
/* Removes the segments in /dev/shm of stores that are no longer where they were. */
void segments_collect(const struct lsm *db);
/* Removes every segment whose name has this token. */
void segments_remove(const struct lsm *db, const uint8_t token[TOKEN_SIZE]);

/* ---- attach.c, rebuild.c */
/* Attaches to the live segments of a store whose LOCK is open, or rebuilds them. SST_NO (no message): there are none and
 * LOCK is not to be written. */
int store_attach(struct lsm *db);
/* Gives up the segments (they lost their name): the next use attaches again. */
void store_detach(struct lsm *db);
/* Unmaps and closes everything but the directory and LOCK. */
void store_unmap(struct lsm *db);
/* At the beginning of every operation: attached, and to segments that still have their name. */
int store_ready(struct lsm *db);
/* REQUIRES: INIT and ATTACH held exclusively. Afterwards attached (ATTACH still exclusive). */
int store_rebuild(struct lsm *db);
/* ---- create.c: a store that has no CURRENT yet: MANIFEST and CURRENT. REQUIRES as above. */
int store_create_files(struct lsm *db);
/* What a directory without CURRENT is: SST_ENOENT, no store; SST_ECORRUPT, with files that a store without one never has. */
int store_absent(const struct lsm *db);
/* New file of the store with its mode and owner. */
int store_file_create(struct lsm *db, const char *name, int *fd);
/* The same mode and owner for a file that was made otherwise. */
int store_file_adopt(struct lsm *db, const char *name);

/* rc is what came of reading shared memory: if that is damaged, everybody is to detach, so that somebody can rebuild it. */
static inline void store_condemn(struct lsm *db, int rc)
{
	if (rc == SST_ECORRUPT && db->control && !db->control_segment.read_only)
		atomic_store(&db->control->condemned, 1);
}

/* ---- private.c */
int store_open_private(struct lsm *db);

/* ---- replay.c */
struct replayed {
	uint64_t good_end;	/* bytes of whole records */
	uint64_t file_size;
	uint64_t first_sequence, last_sequence; /* 0: no record */
	uint64_t age_ns;	/* since the log was made, by the file system's clock */
	uint64_t records;
	bool torn;		/* bytes behind good_end are the rest of an unfinished write */
	bool plain;		/* records may be appended to it */
};
/* Gives every operation of WAL `number` from offset `from` to `op`, whole records only, in order; the operations of a record
 * come between record(arg, begin) and record(arg, end). Damage is SST_ECORRUPT with its offset, a torn tail is not. */
struct replay_sink {
	int (*record)(void *arg, uint64_t sequence, uint32_t count, uint64_t bytes);
	int (*op)(void *arg, const struct batch_op *op);
	void *arg;
};
int wal_replay(int dirfd, uint64_t number, uint64_t from, const struct replay_sink *sink, struct replayed *r);

/* ---- view.c */
/* The current view, whole, and (when not NULL) a snapshot that belongs to it. Its `active` is 0 when the memory shows
 * none that can be; it is condemned then. */
struct view view_read(struct lsm *db, uint64_t *snapshot);
/* The number of the current view. */
static inline uint64_t view_number(const struct lsm *db)
{
	return atomic_load_explicit(&db->control->view, memory_order_acquire);
}
/* REQUIRES: the writer lock. Fills in the number, publishes. */
void view_publish(struct lsm *db, struct view *v);
/* After a read of view v has ended with rc: 0 when it is to be begun again - the view has moved, or the memory was gone or
 * damaged and has been rebuilt (once: *rebuilt) -, else what to return. */
int view_retry(struct lsm *db, const struct view *v, int rc, bool *rebuilt);
/* The memtable of a generation, mapped. SST_NO: its segment is gone (the view has moved). */
int view_memtable(struct lsm *db, uint64_t generation, struct memtable **m);
/* The same for memtable_get: it need not be mapped. */
int view_memtable_find(struct lsm *db, uint64_t generation, struct memtable **m);
/* The same for the caller alone, who closes it (in a private store: borrowed). */
int view_memtable_own(struct lsm *db, uint64_t generation, struct memtable *m);
/* A free slot of db->mapped; the oldest generation's is freed when there is none. */
struct memtable *view_slot(struct lsm *db);
/* Gives away one of those that are older than `oldest`, for the caller to close. False: there is none. */
bool view_detach(struct lsm *db, uint64_t oldest, struct memtable *out);
/* Closes them. */
void view_forget(struct lsm *db, uint64_t oldest);
/* db->version = the tables of v. SST_NO: the MANIFEST is gone (the view has moved). */
int view_version(struct lsm *db, const struct view *v);

/* Answers of the roads to a value besides 0, SST_NO and errors. */
enum { KEY_DELETED = 2, VIEW_MOVED = 3 };

/* ---- writer.c: the writer lock */
int writer_identify(struct lsm *db); /* takes a LIVE byte, once */
/* 0: the owner of that id is dead. SST_NO: it is not. An error: the kernel does not say. */
int writer_test(const struct lsm *db, uint32_t id);
int writer_lock(struct lsm *db);
/* more: this handle will probably want it again at once. */
void writer_unlock(struct lsm *db, bool more);
/* REQUIRES: the writer lock. Opens the active generation: its memtable (which need not be mapped) and log. */
int writer_active(struct lsm *db, struct generation **g, struct memtable **m);

/* ---- rotate.c. REQUIRES (both): the writer lock. */
/* Freezes the active generation and begins one of whose segment `commit` bytes are backed (memtable_commit_for). */
int store_rotate(struct lsm *db, uint64_t commit);
/* Makes generation g with a new log and an empty memtable, unpublished; *m is mapped in db. */
int generation_make(struct lsm *db, uint64_t g, uint64_t base, uint64_t commit);
/* Makes the memtable segment of generation g, wherever there is room for what is to be backed, owned and guarded as the
 * log `wal_fd` is. */
int generation_memtable(struct lsm *db, struct generation *d, uint64_t g, uint64_t limit, uint64_t commit, int wal_fd,
	struct memtable **m);

/* ---- sync.c */
/* Waits until everything before log position lsn is durable, or makes it so. */
int store_sync(struct lsm *db, uint64_t lsn);
/* REQUIRES: the writer lock. Makes the active log durable whole (before a record goes to the next). */
int store_sync_active(struct lsm *db, struct generation *g);
/* Syncs the directory. When that fails, logs whose names it may have lost are poisoned. */
int store_sync_names(struct lsm *db);
/* The same consequence for a sync of the directory that somebody else tried. */
void store_names_lost(struct lsm *db);

/* ---- get.c */
/* The newest value that this view and snapshot show: 0, SST_NO, VIEW_MOVED, or an error. */
int view_get(struct lsm *db, const struct view *v, uint64_t snapshot, struct sst_slice key, struct sst_slice *value);

/* ---- flush.c */
/* Flushes the frozen memtables; when another flush is under way, waits until it has finished one. */
int flush_help(struct lsm *db);

#endif
