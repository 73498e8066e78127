/* SPDX-License-Identifier: MIT */
/*
 * Stat: what a store holds and who is at it, as one view shows it. Nothing is locked and nothing written; the numbers of
 * the active memtable may move while they are read.
 */
#include "base/status.h"
#include "db/logs.h"
#include "os/event.h"
#include "os/lock.h"

static int stat_memtables(struct lsm *db, const struct view *v, struct lsm_stats *s)
{
	for (uint64_t n = v->active; n >= v->oldest && n; n--) {
		struct memtable *m;
		int rc = view_memtable(db, n, &m);
		if (rc)
			return rc == SST_NO ? VIEW_MOVED : rc;
		if (n < v->active) {
			s->frozen_records += memtable_entries(m);
			s->frozen_bytes += memtable_used(m);
			continue;
		}
		const struct generation *g = control_generation(db->control, n);
		uint64_t first = g->first_ns, now = clock_boot_ns();
		s->records = memtable_entries(m);
		s->bytes = memtable_used(m);
		s->oldest_ms = s->records && first ? (int64_t)((now > first ? now - first : 0) / 1000000) : -1;
		s->in_directory = g->place == PLACE_DIRECTORY;
	}
	s->frozen = v->active - v->oldest;
	s->limit = db->config.write_buffer_size;
	return 0;
}

static int stat_tables(struct lsm *db, const struct view *v, struct lsm_stats *s)
{
	int rc = view_version(db, v);
	if (rc)
		return rc == SST_NO ? VIEW_MOVED : rc;
	for (size_t i = 0; i < db->version.table_count; i++) {
		const struct table_meta *t = &db->version.tables[i];
		s->tables++;
		s->table_bytes += t->size;
		s->level_tables[t->level]++;
		s->level_bytes[t->level] += t->size;
	}
	struct logs l;
	rc = logs_find(db, &db->version, &l);
	s->wal_files = l.count;
	s->wal_bytes = l.bytes;
	logs_release(&l);
	return rc;
}

static void stat_control(struct lsm *db, struct lsm_stats *s)
{
	struct control *c = db->control;
	uint64_t appended = c->appended, synced = c->synced;
	s->shared = !db->private;
	s->wal_unsynced = appended > synced ? appended - synced : 0;
	s->flushes = c->flushes;
	s->flush_failures = c->flush_failures;
	s->flush_error = c->flush_error;
	if (db->private)
		return;
	if (atomic_load(&c->writer))
		s->writer_pid = c->writer_pid;
	if (lock_test(db->lockfd, LOCK_FLUSH, NULL) == SST_NO)
		s->flush_pid = c->flush_pid;
}

int lsm_stat(struct lsm *db, struct lsm_stats *s)
{
	bool rebuilt = false;
	int rc = store_ready(db);
	while (!rc) {
		*s = (struct lsm_stats){0};
		struct view v = view_read(db, &s->sequence);
		rc = stat_memtables(db, &v, s);
		if (!rc)
			rc = stat_tables(db, &v, s);
		if (!rc)
			stat_control(db, s);
		if (!rc)
			return 0;
		rc = view_retry(db, &v, rc, &rebuilt);
	}
	return rc;
}

static int each_table(struct lsm *db, int (*each)(void *arg, const struct lsm_file *f), void *arg)
{
	int rc = 0;
	for (size_t i = 0; i < db->version.table_count && !rc; i++) {
		const struct table_meta *t = &db->version.tables[i];
		char name[FILE_NAME_MAX];
		struct file_id id;
		file_name(name, FILE_TABLE, t->number);
		if (file_identify_at(db->dirfd, name, &id) == SST_NO)
			file_name(name, FILE_TABLE_LDB, t->number);
		struct lsm_file f = {name, true, t->level, t->size, t->smallest_sequence, t->largest_sequence,
			ikey_user(buf_slice(&t->smallest)), ikey_user(buf_slice(&t->largest))};
		rc = each(arg, &f);
	}
	return rc;
}

static int each_log(struct lsm *db, int (*each)(void *arg, const struct lsm_file *f), void *arg)
{
	struct logs l;
	int rc = logs_find(db, &db->version, &l);
	for (size_t i = 0; i < l.count && !rc; i++) {
		char name[FILE_NAME_MAX];
		struct file_id id;
		if (file_identify_at(db->dirfd, file_name(name, FILE_WAL, l.numbers[i]), &id))
			continue; /* flushed meanwhile */
		struct lsm_file f = {.name = name, .size = id.size};
		rc = each(arg, &f);
	}
	logs_release(&l);
	return rc;
}

static int read_version(struct lsm *db)
{
	bool rebuilt = false;
	int rc;
	do {
		struct view v = view_read(db, NULL);
		rc = view_version(db, &v);
		if (!rc)
			return 0;
		rc = view_retry(db, &v, rc == SST_NO ? VIEW_MOVED : rc, &rebuilt);
	} while (!rc);
	return rc;
}

int lsm_files(struct lsm *db, int (*each)(void *arg, const struct lsm_file *f), void *arg)
{
	int rc = store_ready(db);
	if (!rc)
		rc = read_version(db);
	if (!rc)
		rc = each_table(db, each, arg);
	return rc ? rc : each_log(db, each, arg);
}
