/* SPDX-License-Identifier: MIT */
/*
 * Flush: the IOU is paid
 *
 *     take FLUSH                                       one at a time; MANIFEST has one writer
 *     catch up: a MANIFEST longer than the view says   a predecessor died between its sync and its publication
 *     (rotate, when the active memtable is wanted too)
 *     for each frozen generation, oldest first:
 *       newest version of each key -> table builder -> NNNNNN.sst (O_EXCL), fsync, fsync of the directory
 *       one edit to the MANIFEST, fdatasync            <- from here on the table holds the data
 *       writer lock: publish the next view             <- from here on readers look there
 *       sweep: the log, the segment
 *     release FLUSH
 *
 * Writers and readers go on all the while; the writer lock is held only for the rotation and the publications.
 *
 *     killed                           left behind                      who mends it
 *     building, or before the edit     a table nobody names             swept by the next flush
 *     in the edit                      torn tail of the MANIFEST        cut off by the next flush
 *     after it, before the view        MANIFEST ahead of the view       adopted by the next flush
 *     before the sweep                 log and segment not needed       swept by the next flush
 *
 * The log goes last. An edit whose append or sync failed is in doubt: on the disk it may be whole or not there at all.
 * Its table therefore stays, nothing is swept and nothing appended until the next flush has written a new MANIFEST
 * and pointed CURRENT at it. The same while CURRENT is pointed at a new one, until that is published: a kill, or
 * an error of the directory's sync, leaves CURRENT with either name, and the view with the old one, which is still there.
 */
#include "db/flush.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/status.h"
#include "os/event.h"
#include "os/kill_point.h"
#include "os/lock.h"
#include "os/pool.h"
#include "os/seq_writer.h"
#include "table/builder.h"

/* A MANIFEST of more bytes than this, and than eight times its state, is written anew. */
#define MANIFEST_REWRITE_MIN (256 << 10)

/* ---- the table */

static int build_entries(const struct memtable *m, struct table_builder *b, struct lsm_flushed *out)
{
	struct tree_walk w = {.tree = m->tree, .snapshot = SEQUENCE_MAX};
	const struct tree_record *last = NULL;
	int rc = tree_walk_first(&w);
	for (; rc == 0; rc = tree_walk_next(&w)) {
		const struct tree_record *r = w.entries[w.at];
		out->records++;
		if (last && slice_eq(tree_record_key(last), tree_record_key(r)))
			continue; /* an older version */
		last = r;
		rc = tree_record_check(r);
		if (!rc)
			rc = table_builder_add_parts(b, tree_record_key(r), r->tag, tree_record_value(r));
		if (rc)
			return rc;
		out->entries++;
	}
	return rc == SST_NO ? 0 : rc;
}

static int note_table(const struct table_builder *b, uint64_t number, struct edit *e)
{
	const struct table_stats *st = table_builder_stats(b);
	struct table_meta *t = edit_add_table(e, 0);
	if (!t)
		return fail_memory();
	t->number = number;
	t->size = st->file_size;
	t->has_sequences = true;
	t->smallest_sequence = st->smallest_sequence;
	t->largest_sequence = st->largest_sequence;
	buf_append_slice(&t->smallest, st->smallest);
	buf_append_slice(&t->largest, st->largest);
	int rc = buf_check(&t->smallest);
	return rc ? rc : buf_check(&t->largest);
}

static int build_into(struct lsm *db, const struct memtable *m, struct seq_writer *w, uint64_t number, struct pool *pool,
	struct edit *e, struct lsm_flushed *out)
{
	struct table_options options = {
		.block_size = db->config.block_size,
		.compression = db->config.zstd ? COMPRESSION_ZSTD : COMPRESSION_NONE,
		.compression_level = db->config.zstd_level,
		.bloom_bits_per_key = db->config.bloom_bits_per_key,
		.pool = pool,
	};
	struct table_builder *b;
	int rc = table_builder_new(&b, seq_writer_sink(w), &options);
	if (!rc) {
		rc = build_entries(m, b, out);
		store_condemn(db, rc);
		if (!rc)
			rc = table_builder_finish(b);
		if (!rc)
			rc = seq_writer_finish(w);
		if (!rc)
			rc = note_table(b, number, e);
		out->table_bytes = rc ? 0 : table_builder_stats(b)->file_size;
		table_builder_free(b);
	}
	return rc;
}

/* The memtable as table `number`, durable with its name; *e says so. On failure nothing is left. */
static int build_table(struct lsm *db, const struct memtable *m, uint64_t number, struct pool *pool, struct edit *e,
	struct lsm_flushed *out)
{
	struct seq_writer *w;
	struct seq_writer_options options = {.expected_size = memtable_bytes(m)};
	file_name(out->table, FILE_TABLE, number);
	int rc = seq_writer_open(&w, db->dirfd, out->table, db->mode, &options);
	if (rc)
		return rc;
	KILL_POINT("flush-table-created");
	store_log(db, 1, "%s: %s", out->table, seq_writer_mode(w));
	rc = build_into(db, m, w, number, pool, e, out);
	seq_writer_close(w);
	KILL_POINT("flush-table-written");
	if (!rc)
		rc = store_file_adopt(db, out->table);
	if (!rc)
		rc = store_sync_names(db);
	KILL_POINT("flush-table-durable");
	if (rc) {
		(void)dir_remove(db->dirfd, out->table);
		return fail_in(rc, "cannot write '%s'", out->table);
	}
	return 0;
}

/* ---- the MANIFEST */

/* A new MANIFEST with the whole state, and CURRENT pointing to it. Updates v, which is not published yet: until then
 * the MANIFEST is in doubt. */
static int manifest_renew(struct lsm *db, struct view *v)
{
	char name[FILE_NAME_MAX];
	struct file_id id;
	uint64_t number = atomic_fetch_add(&db->control->next_file, 1);
	db->version.next_file = atomic_load(&db->control->next_file);
	KILL_POINT("manifest-renew");
	int rc = manifest_create(db->dirfd, number, &db->version, db->mode);
	KILL_POINT("manifest-created");
	if (!rc)
		rc = file_identify_at(db->dirfd, file_name(name, FILE_MANIFEST, number), &id);
	if (!rc)
		rc = store_file_adopt(db, name);
	if (!rc) {
		atomic_store(&db->control->renewed_inode, id.inode);
		atomic_store(&db->control->renewed_number, number);
		atomic_store(&db->control->manifest_failed, 1);
		rc = current_write(db->dirfd, number, db->mode);
	}
	if (!rc)
		rc = store_file_adopt(db, "CURRENT");
	KILL_POINT("manifest-current");
	if (rc == SST_EIO)
		store_names_lost(db); /* it may have been a sync of the directory */
	if (rc)
		return rc < 0 ? rc : fail(SST_EIO, "the new MANIFEST is gone");
	v->manifest_number = number;
	v->manifest_size = db->version.manifest_size;
	v->manifest_inode = id.inode;
	return 0;
}

/* Appends the edit at the end that the view knows. */
static int manifest_extend(struct lsm *db, struct view *v, struct edit *e)
{
	char name[FILE_NAME_MAX];
	int fd, rc = file_open(&fd, db->dirfd, file_name(name, FILE_MANIFEST, v->manifest_number), O_RDWR, 0);
	if (rc)
		return rc;
	rc = manifest_append(fd, &v->manifest_size, e, name);
	KILL_POINT("flush-recorded");
	file_close(&fd);
	if (rc) {
		atomic_store(&db->control->manifest_failed, 1);
		return rc;
	}
	db->version_view_manifest = 0; /* until it is published, what we have is of no view */
	return version_apply(&db->version, e);
}

static bool manifest_is_long(const struct lsm *db, const struct view *v)
{
	uint64_t state = 256 + 160 * (uint64_t)db->version.table_count;
	return v->manifest_size > MANIFEST_REWRITE_MIN && v->manifest_size > 8 * state && !db->version.foreign_tables &&
	       db->version.family_count == 1;
}

/* Makes v current: readers look at it from now on. */
static int publish(struct lsm *db, struct view *v)
{
	struct control *c = db->control;
	int rc = writer_lock(db);
	if (rc)
		return rc;
	KILL_POINT("flush-publish");
	struct view now = view_read(db, NULL);
	v->active = now.active; /* writers may have rotated meanwhile */
	v->tables = db->version.table_count;
	uint64_t durable = control_generation(c, v->oldest)->base; /* all before is in tables */
	if (atomic_load(&c->synced) < durable)
		atomic_store_explicit(&c->synced, durable, memory_order_release);
	view_publish(db, v);
	KILL_POINT("flush-published");
	writer_unlock(db, false);
	db->version_view_manifest = v->manifest_number;
	db->version_view_size = v->manifest_size;
	atomic_fetch_add(&c->flush_event, 1);
	event_wake(&c->flush_event, INT_MAX);
	atomic_fetch_add(&c->sync_event, 1);
	event_wake(&c->sync_event, INT_MAX);
	return 0;
}

static int publish_renewed(struct lsm *db, struct view *v)
{
	int rc = manifest_renew(db, v);
	if (!rc)
		rc = publish(db, v);
	KILL_POINT("manifest-published");
	if (!rc)
		atomic_store(&db->control->manifest_failed, 0);
	return rc;
}

/* ---- catching up with a predecessor that died */

static uint64_t oldest_with_log(struct lsm *db, const struct view *v, uint64_t log_number)
{
	uint64_t n = v->oldest;
	while (n < v->active && control_generation(db->control, n)->wal_number < log_number)
		n++;
	return n;
}

static int adopt(struct lsm *db, struct view *v, const char *name, int fd)
{
	version_release(&db->version);
	db->version_view_manifest = 0;
	int rc = manifest_read(db->dirfd, v->manifest_number, UINT64_MAX, NULL, &db->version);
	if (!rc && db->version.file_size > db->version.manifest_size)
		rc = file_truncate(fd, db->version.manifest_size, name);
	if (!rc)
		rc = file_sync(fd, name);
	if (rc)
		return rc;
	if (db->version.manifest_size == v->manifest_size)
		return 0;
	KILL_POINT("flush-adopt");
	v->manifest_size = db->version.manifest_size;
	v->oldest = oldest_with_log(db, v, db->version.log_number);
	store_log(db, 1, "adopted what a flush that did not finish had recorded");
	return publish(db, v);
}

static int catch_up(struct lsm *db, struct view *v)
{
	char name[FILE_NAME_MAX];
	struct file_id id;
	int rc = view_version(db, v);
	if (rc)
		return rc < 0 ? rc : fail(SST_ECORRUPT, "the MANIFEST is gone");
	if (atomic_load(&db->control->manifest_failed))
		return publish_renewed(db, v);
	int fd;
	rc = file_open_id(&fd, &id, db->dirfd, file_name(name, FILE_MANIFEST, v->manifest_number), O_RDWR, 0);
	if (rc)
		return rc;
	if (id.size > v->manifest_size)
		rc = adopt(db, v, name, fd);
	file_close(&fd);
	return rc;
}

/* ---- one generation */

static int record(struct lsm *db, struct view *v, struct edit *e, uint64_t n)
{
	struct control *c = db->control;
	const struct generation *next = control_generation(c, n + 1);
	e->has_log_number = e->has_next_file = e->has_last_sequence = true;
	e->log_number = next->wal_number;
	e->last_sequence = db->version.last_sequence;
	if (e->added_count) {
		e->added[0].epoch = db->version.epoch_max + 1;
		if (e->added[0].largest_sequence > e->last_sequence)
			e->last_sequence = e->added[0].largest_sequence;
	}
	e->next_file = atomic_load(&c->next_file);
	v->oldest = n + 1;
	int rc = manifest_extend(db, v, e);
	if (!rc && manifest_is_long(db, v))
		return publish_renewed(db, v);
	return rc ? rc : publish(db, v);
}

static int flush_generation(struct lsm *db, struct view *v, struct pool *pool, struct lsm_flushed *out)
{
	uint64_t begin = clock_monotonic_ns(), n = v->oldest;
	struct memtable *m;
	struct edit e = {0};
	*out = (struct lsm_flushed){0};
	int rc = view_memtable(db, n, &m);
	if (rc)
		return rc < 0 ? rc : fail(SST_ECORRUPT, "a frozen memtable segment is gone");
	if (memtable_entries(m)) {
		memtable_warm(m, pool);
		rc = build_table(db, m, atomic_fetch_add(&db->control->next_file, 1), pool, &e, out);
	}
	if (!rc)
		rc = record(db, v, &e, n);
	edit_release(&e);
	out->nanoseconds = clock_monotonic_ns() - begin;
	return rc;
}

static void note_failure(struct lsm *db)
{
	struct control *c = db->control;
	atomic_fetch_add(&c->flush_failures, 1);
	snprintf(c->flush_error, sizeof(c->flush_error), "%s", sst_errmsg());
	atomic_fetch_add(&c->flush_event, 1);
	event_wake(&c->flush_event, INT_MAX);
}

static int flush_frozen(struct lsm *db, struct view *v, uint64_t until,
	void (*done)(void *arg, const struct lsm_flushed *f), void *arg)
{
	int rc = 0;
	struct pool *pool = v->oldest < until ? pool_new(0) : NULL;
	while (!rc && v->oldest < until) {
		struct lsm_flushed f;
		rc = flush_generation(db, v, pool, &f);
		if (rc) {
			note_failure(db);
			break;
		}
		atomic_fetch_add(&db->control->flushes, 1);
		db->control->flush_error[0] = 0;
		KILL_POINT("flush-sweep");
		store_sweep(db, v, pool);
		KILL_POINT("flush-swept");
		if (done && f.entries)
			done(arg, &f);
	}
	pool_free(pool);
	return rc;
}

/* ---- the verb */

static bool due(const struct lsm_flush_options *opt, const struct generation *g, const struct memtable *m)
{
	uint64_t age_ms = (clock_boot_ns() - atomic_load(&g->first_ns)) / 1000000;
	if (!memtable_entries(m) || opt->frozen_only)
		return false;
	if (!opt->if_size && !opt->if_age_ms)
		return true;
	return (opt->if_size && memtable_used(m) >= opt->if_size) || (opt->if_age_ms && age_ms >= opt->if_age_ms);
}

/* Freezes the active memtable if it is wanted; *v is what there is then. */
static int freeze(struct lsm *db, const struct lsm_flush_options *opt, struct view *v)
{
	struct generation *g;
	struct memtable *m;
	int rc = opt->frozen_only ? 0 : writer_lock(db);
	if (rc)
		return rc;
	if (!opt->frozen_only) {
		rc = writer_active(db, &g, &m);
		if (!rc && due(opt, g, m))
			rc = store_rotate(db, memtable_commit_for(0, 0));
		writer_unlock(db, false);
	}
	uint64_t oldest = v->oldest;
	*v = view_read(db, NULL);
	view_forget(db, oldest);
	return rc;
}

static int flush_owned(struct lsm *db, const struct lsm_flush_options *opt,
	void (*done)(void *arg, const struct lsm_flushed *f), void *arg)
{
	atomic_store(&db->control->flush_pid, db->pid);
	struct view v = view_read(db, NULL);
	int rc = catch_up(db, &v);
	if (!rc)
		rc = freeze(db, opt, &v);
	if (rc)
		return rc;
	rc = flush_frozen(db, &v, v.active, done, arg);
	return rc;
}

static unsigned frozen_count(struct lsm *db)
{
	struct view v = view_read(db, NULL);
	return (unsigned)(v.active - v.oldest);
}

unsigned lsm_flush_pending(struct lsm *db)
{
	unsigned frozen = db->control ? frozen_count(db) : 0;
	return frozen && lock_test(db->lockfd, LOCK_FLUSH, NULL) == SST_NO ? 0 : frozen;
}

int lsm_flush(struct lsm *db, const struct lsm_flush_options *opt,
	void (*done)(void *arg, const struct lsm_flushed *f), void *arg)
{
	static const struct lsm_flush_options everything = {0};
	struct patience p = {0};
	if (db->options.read_only)
		return fail(SST_EINVAL, "store '%s' is open for reading only", db->path);
	int rc = store_ready(db);
	if (!rc)
		rc = writer_identify(db);
	if (rc)
		return rc;
	while ((rc = lock_try(db->lockfd, LOCK_FLUSH, LOCK_EXCLUSIVE)) == SST_NO) {
		rc = patience_wait(&p, db, "another process is flushing it");
		if (rc)
			return rc;
	}
	if (rc)
		return rc;
	KILL_POINT("flush-locked");
	opt = opt ? opt : &everything;
	do
		rc = flush_owned(db, opt, done, arg);
	while (!rc && opt->frozen_only && frozen_count(db)); /* nobody else comes for it while we are at work */
	lock_drop(db->lockfd, LOCK_FLUSH);
	return rc;
}

/* Waits for the flush of somebody else to make one memtable less, as long as that somebody lives. */
static int await_other(struct lsm *db, struct patience *p)
{
	uint32_t event = atomic_load(&db->control->flush_event);
	if (lock_test(db->lockfd, LOCK_FLUSH, NULL) == SST_NO)
		event_wait(&db->control->flush_event, event, 50);
	return patience_check(p, db, "its memtables are full and another process is flushing one");
}

int flush_help(struct lsm *db)
{
	static const struct lsm_flush_options frozen = {.frozen_only = true};
	struct patience p = {0};
	uint64_t oldest = view_read(db, NULL).oldest;
	while (view_read(db, NULL).oldest == oldest) {
		int rc = lock_try(db->lockfd, LOCK_FLUSH, LOCK_EXCLUSIVE);
		if (rc == 0) {
			if (view_read(db, NULL).oldest == oldest)
				rc = flush_owned(db, &frozen, NULL, NULL);
			lock_drop(db->lockfd, LOCK_FLUSH);
			return rc;
		}
		rc = rc < 0 ? rc : await_other(db, &p);
		if (rc)
			return rc;
	}
	return 0;
}
