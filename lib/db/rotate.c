/* SPDX-License-Identifier: MIT */
/*
 * Freeze: a new log and a new memtable take over at once, the old ones get no more writes.
 *
 *  1  make the old log durable whole: no record may be in a log whose predecessor has a hole, so that recovery can
 *     tell a torn end (of the last log: never acknowledged) from damage (of any other)
 *  2  create the next log (O_EXCL) and the next memtable segment; fill in the next generation's descriptor
 *  3  publish a view with active + 1: one store. From here on everybody writes to the new ones
 *
 * All under the writer lock, with nothing slow but step 1, whose work is due anyway. A failure before 3 removes
 * what was made; a kill before 3 leaves a log and a segment that nobody knows: the segment is replaced by the next
 * rotation, the empty log goes with the next sweep.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/status.h"
#include "db/store.h"
#include "os/kill_point.h"


/* What root makes belongs to the directory's owner; in a directory that is shared by its group (setgid, group-writable)
 * the group may write, whatever the umask. */
static int adopt(struct lsm *db, const char *name, int fd)
{
	struct file_access a;
	int rc = db->owner != (uid_t)-1 ? file_give(fd, db->owner, db->access.gid, name) : 0;
	if (!rc)
		rc = file_access(fd, &a, name);
	if (!rc && db->group_shared)
		file_set_mode(fd, a.mode | S_IRGRP | S_IWGRP);
	return rc;
}

int store_file_create(struct lsm *db, const char *name, int *fd)
{
	int rc = file_open(fd, db->dirfd, name, O_RDWR | O_CREAT | O_EXCL, db->mode);
	return rc ? rc : adopt(db, name, *fd);
}

int store_file_adopt(struct lsm *db, const char *name)
{
	if (db->owner == (uid_t)-1 && !db->group_shared)
		return 0;
	int fd, rc = file_open(&fd, db->dirfd, name, O_RDONLY, 0);
	if (!rc)
		rc = adopt(db, name, fd);
	file_close(&fd);
	return rc;
}

static int segment_in(struct lsm *db, enum place place, uint64_t g, uint64_t size, uint64_t commit,
	const struct file_access *like, struct segment *s)
{
	char name[SEGMENT_NAME_MAX];
	int dirfd = segment_place_fd(db, place);
	if (dirfd < 0)
		return fail(SST_EFULL, "there is no /dev/shm");
	segment_name(name, db->control->token, place, g);
	(void)dir_remove(dirfd, name); /* of a rotation that was killed: unpublished, hence unused */
	return segment_create(s, dirfd, name, size, commit, like->mode, like->uid, like->gid);
}

int generation_memtable(struct lsm *db, struct generation *d, uint64_t g, uint64_t limit, uint64_t commit, int wal_fd,
	struct memtable **out)
{
	struct segment s;
	struct file_access like;
	uint64_t size = memtable_segment_size(limit, commit);
	int rc = file_access(wal_fd, &like, "write-ahead log");
	if (rc)
		return rc;
	d->place = db->no_shm ? PLACE_DIRECTORY : PLACE_SHM;
	rc = segment_in(db, d->place, g, size, commit, &like, &s);
	if (rc == SST_EFULL && d->place == PLACE_SHM) {
		store_log(db, 1, "%s: the memtable goes to the store directory", sst_errmsg());
		d->place = PLACE_DIRECTORY;
		rc = segment_in(db, d->place, g, size, commit, &like, &s);
	}
	if (rc)
		return rc;
	struct memtable *m = view_slot(db);
	*out = m;
	return memtable_format(m, &s, commit, db->control->token, g);
}

int generation_make(struct lsm *db, uint64_t g, uint64_t base, uint64_t commit)
{
	char name[FILE_NAME_MAX];
	struct generation d = {.base = base, .wal_number = atomic_fetch_add(&db->control->next_file, 1)};
	struct memtable *m;
	struct file_id id;
	int fd, rc = store_file_create(db, file_name(name, FILE_WAL, d.wal_number), &fd);
	if (rc)
		return rc;
	KILL_POINT("rotate-log-made");
	rc = file_identify(fd, &id, name);
	if (!rc)
		rc = generation_memtable(db, &d, g, db->config.write_buffer_size, commit, fd, &m);
	if (rc) {
		file_close(&fd);
		(void)dir_remove(db->dirfd, name);
		return rc;
	}
	KILL_POINT("rotate-memtable-made");
	d.wal_inode = id.inode;
	d.number = g;
	*control_generation(db->control, g) = d;
	file_close(&db->wal_fd);
	db->wal_fd = fd;
	db->wal_generation = g;
	file_name(db->wal_name, FILE_WAL, d.wal_number);
	return 0;
}

int store_rotate(struct lsm *db, uint64_t commit)
{
	struct generation *g;
	struct memtable *m;
	int rc = writer_active(db, &g, &m);
	if (rc)
		return rc;
	/* A sync that fails poisons the log; the new generation then waits, empty, until the old one is flushed. */
	if (!g->poisoned && store_sync_active(db, g))
		store_log(db, 0, "%s", sst_errmsg());
	KILL_POINT("rotate-synced");
	uint64_t base = g->base + atomic_load_explicit(&g->wal_tail, memory_order_relaxed);
	uint64_t appended = atomic_load_explicit(&db->control->appended, memory_order_relaxed);
	struct view v = view_read(db, NULL);
	rc = generation_make(db, v.active + 1, base > appended ? base : appended, commit);
	if (rc)
		return fail_in(rc, "cannot begin a new memtable");
	v.active++;
	KILL_POINT("rotate-ready");
	view_publish(db, &v);
	KILL_POINT("rotate-published");
	view_forget(db, v.oldest); /* what others have flushed meanwhile */
	return 0;
}
