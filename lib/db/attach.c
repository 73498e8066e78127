/* SPDX-License-Identifier: MIT */
/*
 * Attach: from a directory to its shared memory, in constant time, replaying nothing.
 *
 *     LOCK: R on ATTACH -> identity (lockfile.c) -> control segment, checked -> do the files still belong to it?
 *
 * They belong when CURRENT names the view's MANIFEST (or the one that a flush was about to publish when it failed) and
 * that, and the active log, are the same inodes, and as long as the memory says. RocksDB's read-write open always makes
 * a new MANIFEST; a restored backup has other inodes; after a reboot there is no segment. In all these cases the memory
 * is worthless and the directory is right: rebuild.c.
 *
 * A rebuild needs W on ATTACH: nobody is attached in any namespace. When somebody is - to a memory that we cannot see,
 * since ours is not there - there must not be a second memtable: wait, and say so. Processes whose control segment lost
 * its name find that out at their next operation (store_ready) and detach.
 *
 * RocksDB's whole-file lock conflicts with R on ATTACH: while it has the store open, we wait; while we are attached, it
 * refuses to open.
 */
#include "db/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/status.h"
#include "os/event.h"
#include "os/forked.h"
#include "os/kill_point.h"
#include "os/lock.h"
#include "db/foreign.h"
#include "db/tables.h"

#define NAME_CHECK_NS UINT64_C(10000000)

/* ---- do the files still belong to the memory? */

static bool file_belongs(struct lsm *db, const char *name, uint64_t inode, uint64_t size_min)
{
	struct file_id id;
	return file_identify_at(db->dirfd, name, &id) == 0 && id.inode == inode && id.size >= size_min;
}

/* The active log: as long as the memory says. Longer only while a writer is at it, or was when it died, or when what could
 * not be written could not be cut off either; else somebody has put another log in its place. */
static bool log_belongs(struct lsm *db, const struct generation *g)
{
	char name[FILE_NAME_MAX];
	struct file_id id;
	uint64_t tail = atomic_load_explicit(&g->wal_tail, memory_order_acquire);
	if (file_identify_at(db->dirfd, file_name(name, FILE_WAL, g->wal_number), &id) || id.inode != g->wal_inode ||
		id.size < tail)
		return false;
	return id.size == tail || atomic_load_explicit(&db->control->dirty, memory_order_acquire) ||
	       atomic_load_explicit(&g->poisoned, memory_order_acquire) ||
	       atomic_load_explicit(&g->wal_tail, memory_order_acquire) != tail;
}

/* Is it the MANIFEST that a flush had pointed CURRENT to, and then failed or died before it was published? The next
 * flush writes another; until then the view's own is still there, and good. */
static bool is_renewed(struct lsm *db, uint64_t manifest)
{
	const struct control *c = db->control;
	char name[FILE_NAME_MAX];
	return atomic_load(&c->manifest_failed) && manifest == atomic_load(&c->renewed_number) &&
	       file_belongs(db, file_name(name, FILE_MANIFEST, manifest), atomic_load(&c->renewed_inode), 1);
}

static bool view_belongs(struct lsm *db, const struct view *v)
{
	char name[FILE_NAME_MAX];
	uint64_t manifest;
	const struct generation *g = control_generation(db->control, v->active);
	return v->active && g->number == v->active && current_read(db->dirfd, &manifest) == 0 &&
	       (manifest == v->manifest_number || is_renewed(db, manifest)) &&
	       file_belongs(db, file_name(name, FILE_MANIFEST, v->manifest_number), v->manifest_inode, v->manifest_size) &&
	       log_belongs(db, g);
}

/* A view that changes while we look is a sign of life, not of strangeness. */
static bool files_belong(struct lsm *db)
{
	for (;;) {
		struct view v = view_read(db, NULL);
		if (view_belongs(db, &v))
			return true;
		if (view_number(db) == v.number)
			return false;
	}
}

/* ---- the control segment */

static bool control_is(const struct lsm *db, const struct identity *id, const struct segment *s)
{
	const struct control *c = (const void *)s->base;
	struct file_access access;
	uint8_t boot[16];
	if (s->device != id->control_device || s->inode != id->control_inode ||
		atomic_load_explicit(&c->magic, memory_order_acquire) != CONTROL_MAGIC || c->layout != CONTROL_LAYOUT ||
		memcmp(c->token, id->token, TOKEN_SIZE) || atomic_load_explicit(&c->condemned, memory_order_relaxed))
		return false;
	/* Nobody outside the directory's circle may have made it. */
	if (file_access(s->fd, &access, "segment") || (access.mode & S_IWOTH && !(db->access.mode & S_IWOTH)))
		return false;
	/* /dev/shm is empty after a reboot; a segment in the directory is still there and worth nothing. */
	return id->control_place == PLACE_SHM || (boot_id(boot) == 0 && !memcmp(boot, c->boot, sizeof(boot)));
}

static int open_control(struct lsm *db)
{
	struct identity id;
	char name[SEGMENT_NAME_MAX];
	struct segment s;
	int rc = identity_read(db, &id);
	if (rc)
		return rc;
	if (id.control_place > PLACE_DIRECTORY || segment_place_fd(db, id.control_place) < 0)
		return SST_NO;
	segment_name(name, id.token, id.control_place, 0);
	rc = segment_open(&s, segment_place_fd(db, id.control_place), name, sizeof(struct control), db->lock_read_only);
	if (rc) /* whatever is there under our name, it is not ours */
		return rc == SST_ENOMEM ? rc : SST_NO;
	if (!control_is(db, &id, &s)) {
		segment_close(&s);
		return SST_NO;
	}
	db->control_segment = s;
	db->control = (void *)s.base;
	return 0;
}

/* With R (or W) on ATTACH. 0 attached; SST_NO: a rebuild is needed. */
static int attach_live(struct lsm *db)
{
	int rc = open_control(db);
	if (rc)
		return rc;
	if (files_belong(db))
		return 0;
	store_unmap(db);
	return SST_NO;
}

/* ---- waiting and rebuilding */

static const char *holder(struct lsm *db, char text[128])
{
	pid_t pid = 0;
	(void)lock_test(db->lockfd, LOCK_ATTACH, &pid);
	char name[PROCESS_NAME_MAX];
	if (pid)
		snprintf(text, 128, "process %d (%s) has locked it as RocksDB does", (int)pid, process_name(name, (int)pid));
	else
		snprintf(text, 128, "another process is rebuilding it, or RocksDB has it open");
	return text;
}

static int share_attach(struct lsm *db)
{
	struct patience p = {0};
	char text[128];
	int rc;
	while ((rc = lock_try(db->lockfd, LOCK_ATTACH, LOCK_SHARED)) == SST_NO) {
		rc = patience_wait(&p, db, holder(db, text));
		if (rc)
			return rc;
	}
	return rc;
}

/* INIT and W on ATTACH, or SST_NO after a short sleep: look again, somebody else may have rebuilt it. */
static int own_attach(struct lsm *db, struct patience *p)
{
	int rc = lock_try(db->lockfd, LOCK_INIT, LOCK_EXCLUSIVE);
	if (rc == 0) {
		rc = lock_try(db->lockfd, LOCK_ATTACH, LOCK_EXCLUSIVE);
		if (rc == 0)
			return 0;
		lock_drop(db->lockfd, LOCK_INIT);
	}
	if (rc < 0)
		return rc;
	rc = patience_wait(p, db,
		"other processes use it through a shared memory that is not to be seen here "
		"(another container, or /dev/shm was cleaned)");
	return rc ? rc : SST_NO;
}

static int rebuild_owned(struct lsm *db)
{
	int rc = attach_live(db); /* somebody may have been faster */
	KILL_POINT("attach-owned");
	if (rc == SST_NO)
		rc = store_rebuild(db);
	KILL_POINT("attach-rebuilt");
	if (!rc)
		rc = lock_try(db->lockfd, LOCK_ATTACH, LOCK_SHARED); /* from W: cannot fail for want of the lock */
	if (rc)
		store_unmap(db);
	if (rc)
		lock_drop(db->lockfd, LOCK_ATTACH);
	lock_drop(db->lockfd, LOCK_INIT);
	return rc;
}

int store_attach(struct lsm *db)
{
	struct patience p = {0};
	for (;;) {
		int rc = share_attach(db);
		if (!rc)
			rc = attach_live(db);
		if (rc != SST_NO) {
			if (rc)
				lock_drop(db->lockfd, LOCK_ATTACH);
			db->checked_ns = clock_tick_ns();
			return rc;
		}
		lock_drop(db->lockfd, LOCK_ATTACH);
		if (db->lock_read_only)
			return SST_NO;
		rc = own_attach(db, &p);
		if (rc == 0)
			return rebuild_owned(db);
		if (rc != SST_NO)
			return rc;
	}
}

void store_unmap(struct lsm *db)
{
	for (struct memtable *m = db->mapped; m < db->mapped + MAPPED_MAX; m++)
		memtable_close(m);
	file_close(&db->wal_fd);
	tables_close(db);
	foreign_close(db);
	version_release(&db->version);
	db->version_view_manifest = 0;
	segment_close(&db->control_segment);
	db->control = NULL;
	range_dels_release(&db->log_dels);
}

void store_detach(struct lsm *db)
{
	store_unmap(db);
	if (db->id)
		lock_drop(db->lockfd, LOCK_LIVE + db->id);
	db->id = 0;
	db->written = 0; /* a rebuild syncs every log it reads */
	lock_drop(db->lockfd, LOCK_ATTACH);
}

void lsm_rest(struct lsm *db)
{
	if (db && db->control && !db->private && db->forks == process_forks() &&
		atomic_load_explicit(&db->control->synced, memory_order_acquire) >= db->written)
		store_detach(db);
}

/* Was any of what is mapped cut short? Then the others must detach, too. */
static bool memory_cut(struct lsm *db)
{
	if (segment_cut(&db->control_segment))
		return true;
	for (const struct memtable *m = db->mapped; m < db->mapped + MAPPED_MAX; m++)
		if (memtable_is_open(m) && segment_cut(&m->segment)) {
			store_condemn(db, SST_ECORRUPT);
			return true;
		}
	return false;
}

/* Why the memory that we are attached to is not to be used any more; NULL: it is. Its files are asked first, and not every
 * time: one that was cut short cannot be touched. */
static const char *memory_trouble(struct lsm *db)
{
	uint64_t now = clock_tick_ns();
	if (now - db->checked_ns >= NAME_CHECK_NS) {
		db->checked_ns = now;
		if (segment_unlinked(&db->control_segment))
			return "the shared memory was removed";
		if (memory_cut(db))
			return "the shared memory was cut short";
	}
	return atomic_load_explicit(&db->control->condemned, memory_order_relaxed) ? "the shared memory is damaged" : NULL;
}

/* A child of fork(2) shares our locks, which belong to the open file: were it to write, nobody could tell the two apart, and
 * were it to detach, it would take the locks from under its parent. Closing is harmless: no lock goes with it. */
int store_ready(struct lsm *db)
{
	if (db->forks != process_forks())
		return fail(SST_EINVAL, "store '%s' was opened before a fork: the child must open its own", db->path);
	if (db->private)
		return 0;
	if (db->control) {
		const char *trouble = memory_trouble(db);
		if (!trouble)
			return 0;
		store_log(db, 1, "%s: attaching again", trouble);
		store_detach(db);
	}
	int rc = store_attach(db);
	return rc == SST_NO ? fail(SST_EIO, "the shared memory of store '%s' went away and cannot be rebuilt", db->path)
			    : rc;
}
