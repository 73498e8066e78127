/* SPDX-License-Identifier: MIT */
/*
 * Rebuild: shared memory from the directory
 *
 * Nobody is attached anywhere (W on ATTACH), so what is found is all there is. Killed at any point, the next one does it
 * again from the start: nothing is deleted before what replaces it is complete.
 *
 *  1  a new token into LOCK, without a control segment: whoever comes now knows that a rebuild is under way; then
 *     the segments of the old token go
 *  2  CURRENT and MANIFEST; a torn tail of the MANIFEST is cut off
 *  3  the control segment; the logs that count, in order: all but the last into one frozen memtable, the last into
 *     the active one, whose log goes on behind its last whole record (or, if it is not of a kind to append to, into
 *     the frozen one, and a new log begins)
 *  4  every log is synced: what was read is durable from here on
 *  5  magic, then the identity into LOCK: the rest of the world may attach
 *
 * Only the last log may end torn. An earlier one was durable whole before the next got its first record (rotate.c), so
 * a bad end there is damage - unless nothing follows it.
 */
#include <fcntl.h>

#include "base/status.h"
#include "db/apply.h"
#include "db/logs.h"
#include "os/event.h"
#include "os/kill_point.h"

/* ---- 2: what kind of store is it? */

static int may_write(struct lsm *db, const struct version *v)
{
	struct file_id id;
	/* RocksDB's MANIFEST has no tag of its own before the first table; but it leaves an IDENTITY. */
	if (v->leveldb && file_identify_at(db->dirfd, "IDENTITY", &id) != 0)
		return fail(SST_EUNSUPPORTED, "'%s' is a LevelDB store: it can be read, not written", db->path);
	if (v->family_count > 1)
		return fail(SST_EUNSUPPORTED, "'%s' has %zu column families: it can be read, not written", db->path,
			v->family_count);
	if (v->blob_count)
		return fail(SST_EUNSUPPORTED, "'%s' has blob files: it can be read, not written", db->path);
	if (!family_is_bytewise(&v->families[0]))
		return fail(SST_EUNSUPPORTED, "'%s' is ordered by '%.*s': it cannot be written", db->path,
			(int)v->families[0].comparator.size, (const char *)v->families[0].comparator.data);
	return 0;
}

static int cut_manifest(struct lsm *db, const struct version *v, uint64_t *inode)
{
	char name[FILE_NAME_MAX];
	struct file_id id;
	int fd, rc = file_open(&fd, db->dirfd, file_name(name, FILE_MANIFEST, v->manifest_number), O_RDWR, 0);
	if (rc)
		return rc;
	if (v->file_size > v->manifest_size)
		rc = file_truncate(fd, v->manifest_size, name);
	if (!rc)
		rc = file_sync(fd, name);
	if (!rc)
		rc = file_identify(fd, &id, name);
	if (!rc)
		*inode = id.inode;
	file_close(&fd);
	return rc;
}

static int read_version(struct lsm *db)
{
	uint64_t number;
	int rc = current_read(db->dirfd, &number);
	if (rc == SST_ENOENT && !db->options.create)
		return store_absent(db);
	if (rc == SST_ENOENT) {
		rc = store_create_files(db);
		if (!rc)
			rc = current_read(db->dirfd, &number);
	}
	version_release(&db->version);
	db->version_view_manifest = 0;
	if (!rc)
		rc = manifest_read(db->dirfd, number, UINT64_MAX, NULL, &db->version);
	return rc ? rc : may_write(db, &db->version);
}

/* ---- 3: control segment and memtables */

static int make_control(struct lsm *db, struct identity *id)
{
	static const enum place places[] = {PLACE_SHM, PLACE_DIRECTORY};
	uint64_t size = (sizeof(struct control) + 4095) & ~(uint64_t)4095;
	int rc = SST_EFULL;
	for (size_t i = 0; i < 2 && rc == SST_EFULL; i++) {
		char name[SEGMENT_NAME_MAX];
		int dirfd = segment_place_fd(db, places[i]);
		if (dirfd < 0)
			continue;
		segment_name(name, id->token, places[i], 0);
		id->control_place = places[i];
		rc = segment_create(&db->control_segment, dirfd, name, size, size, db->access.mode & 0666,
			db->owner, db->access.gid);
	}
	if (rc)
		return fail_in(rc, "cannot make the control segment");
	struct control *c = db->control = (void *)db->control_segment.base;
	c->layout = CONTROL_LAYOUT;
	memcpy(c->token, id->token, TOKEN_SIZE);
	memcpy(c->boot, id->boot, sizeof(c->boot));
	c->path_space = path_space();
	dir_path(db->dirfd, c->path, sizeof(c->path));
	c->next_id = 1;
	id->control_device = db->control_segment.device;
	id->control_inode = db->control_segment.inode;
	return 0;
}

/* What was replayed is durable afterwards. The last log goes on behind its last whole record; the others stay as found. */
static int settle_log(struct lsm *db, uint64_t number, bool cut, const struct replayed *r, struct generation *g)
{
	char name[FILE_NAME_MAX];
	struct file_id id;
	int fd, rc = file_open(&fd, db->dirfd, file_name(name, FILE_WAL, number), O_RDWR, 0);
	if (rc)
		return rc;
	KILL_POINT("rebuild-cut");
	if (cut && r->file_size > r->good_end)
		rc = file_truncate(fd, r->good_end, name);
	if (!rc)
		rc = file_sync(fd, name);
	if (!rc)
		rc = file_identify(fd, &id, name);
	if (!rc)
		g->wal_inode = id.inode;
	file_close(&fd);
	return rc;
}

/* Replays log i into m, behind everything replayed so far. */
static int replay_into(struct lsm *db, const struct logs *l, size_t i, struct generation *g, struct memtable *m,
	struct replayed *r)
{
	struct apply a = {.memtable = m, .control = db->control};
	struct replay_sink sink = {apply_record, apply_op, &a};
	char name[FILE_NAME_MAX];
	uint64_t before = db->control->visible;
	int rc = wal_replay(db->dirfd, l->numbers[i], 0, &sink, r);
	if (rc)
		return rc;
	if (l->torn && r->records && r->first_sequence != before + 1)
		return fail(SST_ECORRUPT, "'%s' ends in the middle of a record, and later ones follow in '%s'",
			file_name(name, FILE_WAL, l->torn), file_name((char[FILE_NAME_MAX]){0}, FILE_WAL, l->numbers[i]));
	if (r->last_sequence > before)
		db->control->visible = r->last_sequence;
	if (r->records && !g->first_ns) {
		uint64_t now = clock_boot_ns();
		g->first_ns = now > r->age_ns ? now - r->age_ns : 1;
	}
	KILL_POINT("rebuild-log");
	return settle_log(db, l->numbers[i], i + 1 == l->count, r, g);
}

static int make_memtable(struct lsm *db, struct generation *g, uint64_t n, uint64_t wal, uint64_t bytes,
	struct memtable **m)
{
	char name[FILE_NAME_MAX];
	int fd, rc = file_open(&fd, db->dirfd, file_name(name, FILE_WAL, wal), O_RDONLY, 0);
	if (rc)
		return rc;
	*g = (struct generation){.number = n, .wal_number = wal, .name_synced = 1};
	/* A record of a few bytes takes 32 and its share of nodes more in memory than in the log. */
	uint64_t limit = db->config.write_buffer_size > 8 * bytes ? db->config.write_buffer_size : 8 * bytes;
	rc = generation_memtable(db, g, n, limit, memtable_commit_for(0, 0), fd, m);
	file_close(&fd);
	return rc;
}

/* All logs but the last. */
static int replay_frozen(struct lsm *db, struct logs *l, struct view *v)
{
	struct generation *g = control_generation(db->control, v->active);
	struct memtable *m;
	int rc = make_memtable(db, g, v->active, l->numbers[0], l->bytes, &m);
	for (size_t i = 0; i + 1 < l->count && !rc; i++) {
		struct replayed r;
		rc = replay_into(db, l, i, g, m, &r);
		l->torn = r.torn ? l->numbers[i] : 0;
		g->wal_tail += r.good_end;
	}
	v->active++;
	return rc;
}

/* The last log, into what becomes the active memtable if *plain: then it goes on there. */
static int replay_last(struct lsm *db, struct logs *l, struct view *v, bool *plain)
{
	struct generation *g = control_generation(db->control, v->active);
	struct memtable *m;
	struct replayed r;
	int rc = make_memtable(db, g, v->active, l->numbers[l->count - 1], l->bytes, &m);
	if (!rc)
		rc = replay_into(db, l, l->count - 1, g, m, &r);
	if (rc)
		return rc;
	g->base = v->active > 1 ? control_generation(db->control, v->active - 1)->wal_tail : 0;
	g->wal_tail = r.good_end;
	*plain = r.plain;
	return 0;
}

static int replay_all(struct lsm *db, struct logs *l, struct view *v)
{
	struct control *c = db->control;
	bool plain = false;
	int rc = 0;
	v->oldest = v->active = 1;
	if (l->count > 1)
		rc = replay_frozen(db, l, v);
	if (!rc && l->count)
		rc = replay_last(db, l, v, &plain);
	if (rc)
		return rc;
	const struct generation *g = control_generation(c, v->active);
	uint64_t end = l->count ? g->base + g->wal_tail : 0;
	if (l->count && !plain)
		v->active++;
	if (!plain)
		rc = generation_make(db, v->active, end, memtable_commit_for(0, 0));
	c->appended = c->synced = end;
	return rc;
}

/* A log whose name is lost must not be there for the next rebuild: its own sync of the directory would succeed, and what
 * it then appends would be on no disk. */
static int sync_names(struct lsm *db, const struct logs *l, const struct view *v)
{
	char name[FILE_NAME_MAX];
	uint64_t number = control_generation(db->control, v->active)->wal_number;
	int rc = dir_sync(db->dirfd);
	if (rc && number > l->largest) /* made here */
		(void)dir_remove(db->dirfd, file_name(name, FILE_WAL, number));
	return rc;
}

static int rebuild_steps(struct lsm *db, struct identity *id)
{
	struct logs l = {0};
	struct view v = {0};
	int rc = read_version(db);
	if (!rc)
		rc = cut_manifest(db, &db->version, &v.manifest_inode);
	if (!rc)
		rc = make_control(db, id);
	KILL_POINT("rebuild-control");
	if (!rc)
		rc = logs_find(db, &db->version, &l);
	if (rc)
		goto done;
	struct control *c = db->control;
	c->next_file = l.largest + 1 > db->version.next_file ? l.largest + 1 : db->version.next_file;
	c->visible = db->version.last_sequence;
	rc = replay_all(db, &l, &v);
	KILL_POINT("rebuild-replayed");
	if (!rc)
		rc = sync_names(db, &l, &v);
	if (rc)
		goto done;
	v.manifest_number = db->version.manifest_number;
	v.manifest_size = db->version.manifest_size;
	v.tables = db->version.table_count;
	db->version_view_manifest = v.manifest_number;
	db->version_view_size = v.manifest_size;
	view_publish(db, &v);
	KILL_POINT("rebuild-published");
	atomic_store_explicit(&c->magic, CONTROL_MAGIC, memory_order_release);
	KILL_POINT("rebuild-magic");
	store_log(db, 1, "rebuilt the shared memory: %zu logs, %llu bytes", l.count, (unsigned long long)l.bytes);
done:
	logs_release(&l);
	return rc;
}

static void give_up(struct lsm *db, const struct identity *id)
{
	store_unmap(db);
	segments_remove(db, id->token);
}

int store_rebuild(struct lsm *db)
{
	struct identity id = {0}, old = {0};
	(void)identity_read(db, &old); /* its token is good where the rest is not, unless it is a copy's */
	int rc = random_bytes(id.token, TOKEN_SIZE);
	if (!rc)
		rc = boot_id(id.boot);
	if (!rc)
		rc = identity_write(db, &id);
	if (rc)
		return rc;
	KILL_POINT("rebuild-token");
	segments_remove(db, old.token);
	segments_collect(db);
	KILL_POINT("rebuild-removed");
	rc = rebuild_steps(db, &id);
	if (rc == SST_EFULL) { /* there was room for a memtable, but not for what the logs hold */
		store_log(db, 1, "%s: the memtables go to the store directory", sst_errmsg());
		give_up(db, &id);
		db->no_shm = true;
		rc = rebuild_steps(db, &id);
		db->no_shm = false;
	}
	if (!rc)
		rc = identity_write(db, &id);
	if (rc)
		give_up(db, &id);
	return rc;
}
