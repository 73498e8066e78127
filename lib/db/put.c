/* SPDX-License-Identifier: MIT */
/*
 * Put
 *
 *     take the writer lock
 *       room: everything that can fail for want of space or memory happens here, before the log is touched
 *       seal the batch: sequence = visible + 1, the note of replay.c
 *       dirty = 1
 *       pwrite the framed record at wal_tail       error: cut the log back, or poison it
 *       appended = behind it
 *       link every change into the memtable
 *       visible = its last sequence                one store: the batch is there, whole, for everybody
 *       wal_tail = behind it;  dirty = 0
 *     release
 *     wait until the log is durable up to there (sync.c)
 *
 * What a kill at each step leaves, and who mends it: writer.c.
 *
 * Room: a memtable that has reached write_buffer_size is frozen (rotate.c). Too many frozen ones: the writer flushes one
 * itself, or waits for whoever is at it. A poisoned log (sync.c): what it holds is flushed before anything is written
 * anywhere else, so that no log ever has a hole before it.
 */
#include <stdio.h>

#include "base/status.h"
#include "db/apply.h"
#include "os/event.h"
#include "wal/log.h"
#include "os/kill_point.h"

static bool any_poisoned(struct lsm *db, const struct view *v)
{
	for (uint64_t n = v->oldest; n <= v->active; n++)
		if (atomic_load_explicit(&control_generation(db->control, n)->poisoned, memory_order_acquire))
			return true;
	return false;
}

/* 0 with the lock held again; on an error it is not. */
static int flush_meanwhile(struct lsm *db)
{
	writer_unlock(db, false);
	int rc = flush_help(db);
	return rc ? rc : writer_lock(db);
}

#define RUN_MAX ((size_t)1 << 20) /* bytes of a batch whose records are put together beforehand */

/* All that could go wrong behind the log is done before it: the records are made, in memory of ours, and the places where they
 * go are looked at. A large batch goes through the mapping instead, record by record, which takes no memory. */
static int prepare(struct lsm *db, struct lsm_batch *b, struct memtable *m)
{
	struct batch_iter it;
	struct batch_op op;
	buf_clear(&db->run);
	if (b->batch.rep.size > RUN_MAX)
		return memtable_map(m);
	/* Its place in history it gets when it is written, and not before: seal(). */
	uint64_t before = atomic_load_explicit(&db->control->visible, memory_order_relaxed);
	batch_seal(&b->batch, 1);
	int rc = batch_iter_init(&it, buf_slice(&b->batch.rep));
	while (!rc && (rc = batch_iter_next(&it, &op)) == 0) {
		if (op.type == TYPE_LOG_DATA)
			continue;
		uint64_t tag = tag_make(before + op.sequence, op.type);
		tree_run_add(&db->run, op.key, tag, op.value);
		rc = memtable_prepare(m, op.key, tag, b->batch.count);
	}
	return rc == SST_NO ? buf_check(&db->run) : rc;
}

/* Room for a batch in the active memtable. 0 with the lock held; on an error it is released. */
static int make_room(struct lsm *db, struct lsm_batch *b, struct generation **g, struct memtable **m)
{
	for (;;) {
		int rc = writer_active(db, g, m);
		if (rc)
			goto out;
		struct view v = view_read(db, NULL);
		bool poisoned = any_poisoned(db, &v);
		bool empty = memtable_entries(*m) == 0;
		if (!poisoned && (empty || memtable_used(*m) < db->config.write_buffer_size)) {
			rc = memtable_reserve(*m, b->bytes, b->batch.count);
			if (rc == 0 && (rc = prepare(db, b, *m)) == 0)
				return 0;
			store_condemn(db, rc);
			/* No room in shared memory: begin another memtable, wherever there is room for this batch. */
			if (rc < 0 && (rc != SST_EFULL || (empty && (*g)->place == PLACE_DIRECTORY)))
				goto out;
		}
		if (v.active - v.oldest >= FROZEN_MAX || (poisoned && !(*g)->poisoned)) {
			rc = flush_meanwhile(db);
			if (rc)
				return rc;
			continue;
		}
		rc = store_rotate(db, memtable_commit_for(b->bytes, b->batch.count));
out:
		if (rc) {
			writer_unlock(db, false);
			return rc;
		}
	}
}

static int append(struct lsm *db, struct generation *g, struct sst_slice record)
{
	uint64_t tail = atomic_load_explicit(&g->wal_tail, memory_order_relaxed);
	buf_clear(&db->frame);
	log_frame(&db->frame, tail, record);
	int rc = buf_check(&db->frame);
	if (rc)
		return rc;
	KILL_POINT("put-locked");
	atomic_store_explicit(&db->control->dirty, 1, memory_order_release);
	KILL_POINT("put-dirty");
	rc = file_write(db->wal_fd, tail, db->frame.data, db->frame.size, db->wal_name);
	if (!rc) {
		KILL_POINT("put-logged");
		db->written = g->base + tail + db->frame.size;
		atomic_store_explicit(&db->control->appended, db->written, memory_order_release);
		return 0;
	}
	char first[512];
	snprintf(first, sizeof(first), "%s", sst_errmsg());
	if (file_truncate(db->wal_fd, tail, db->wal_name))
		atomic_store_explicit(&g->poisoned, 1, memory_order_release);
	atomic_store_explicit(&db->control->dirty, 0, memory_order_release);
	return fail(rc, "%s", first);
}

/* Marks the batch with its place in history. */
static uint64_t seal(struct lsm *db, const struct generation *g, struct lsm_batch *b)
{
	struct control *c = db->control;
	uint64_t synced = atomic_load_explicit(&c->synced, memory_order_relaxed);
	uint64_t sequence = atomic_load_explicit(&c->visible, memory_order_relaxed) + 1;
	store64(b->batch.rep.data + NOTE_OFFSET, synced > g->base ? synced - g->base : 0);
	batch_seal(&b->batch, sequence);
	return sequence;
}

static int write_locked(struct lsm *db, struct lsm_batch *b, struct generation *g, struct memtable *m)
{
	struct control *c = db->control;
	uint64_t sequence = seal(db, g, b);
	if (sequence + b->batch.count > SEQUENCE_MAX)
		return fail(SST_EFULL, "sequence numbers are used up");
	int rc = append(db, g, buf_slice(&b->batch.rep));
	if (rc)
		return rc;
	struct apply a = {.memtable = m, .generation = g, .control = c};
	KILL_POINT("put-appended");
	apply_begin(&a);
	rc = db->run.size ? memtable_insert(m, &db->run) : apply_batch(&a, buf_slice(&b->batch.rep));
	if (rc) { /* whoever comes next shall see it: rebuild the memtable from the log */
		atomic_store(&c->condemned, 1);
		return fail_in(rc, "the record is in the log but not in the memtable");
	}
	KILL_POINT("put-linked");
	atomic_store_explicit(&c->visible, sequence + b->batch.count - 1, memory_order_release);
	KILL_POINT("put-visible");
	atomic_store_explicit(&g->wal_tail, db->written - g->base, memory_order_release);
	KILL_POINT("put-tail");
	atomic_store_explicit(&c->dirty, 0, memory_order_release);
	KILL_POINT("put-clean");
	return 0;
}

/* SST_NO when any key of the batch has a value. REQUIRES: the writer lock, so that none can come in between. */
static int all_absent(struct lsm *db, const struct lsm_batch *b)
{
	struct batch_iter it;
	struct batch_op op;
	struct sst_slice value;
	uint64_t snapshot;
	struct view v = view_read(db, &snapshot);
	int rc = batch_iter_init(&it, buf_slice(&b->batch.rep));
	while (!rc) {
		rc = batch_iter_next(&it, &op);
		if (rc || op.type == TYPE_LOG_DATA)
			continue;
		rc = view_get(db, &v, snapshot, op.key, &value);
		if (rc == 0)
			return SST_NO;
		if (rc == VIEW_MOVED)
			return fail(SST_ECORRUPT, "a file that the store needs is missing");
		rc = rc == SST_NO ? 0 : rc;
	}
	return rc == SST_NO ? 0 : rc;
}

/* The writer lock and room for the batch. */
static int begin_once(struct lsm *db, struct lsm_batch *b, struct generation **g, struct memtable **m)
{
	int rc = store_ready(db);
	if (!rc)
		rc = writer_identify(db);
	if (!rc)
		rc = writer_lock(db);
	return rc ? rc : make_room(db, b, g, m);
}

/* Memory that turns out to be damaged or gone is rebuilt, once, as nothing has been written yet. */
static int begin_write(struct lsm *db, struct lsm_batch *b, struct generation **g, struct memtable **m)
{
	if (db->options.read_only)
		return fail(SST_EINVAL, "store '%s' is open for reading only", db->path);
	int rc = begin_once(db, b, g, m);
	if (rc < 0 && db->control && atomic_load(&db->control->condemned))
		rc = begin_once(db, b, g, m);
	return rc;
}

int lsm_write(struct lsm *db, struct lsm_batch *b, unsigned flags)
{
	int rc = buf_check(&b->batch.rep);
	if (rc || !b->batch.count)
		return rc;
	struct generation *g;
	struct memtable *m;
	rc = begin_write(db, b, &g, &m);
	if (rc)
		return rc;
	if (flags & LSM_NO_CLOBBER) {
		batch_seal(&b->batch, 1); /* a proper header, so that it can be read */
		rc = all_absent(db, b);
		/* Reading tables may have unmapped the memtable. */
		if (!rc)
			rc = writer_active(db, &g, &m);
		if (!rc)
			rc = prepare(db, b, m);
	}
	if (!rc)
		rc = write_locked(db, b, g, m);
	uint64_t position = db->written;
	writer_unlock(db, flags & LSM_NO_SYNC);
	KILL_POINT("put-unlocked");
	if (rc)
		return rc;
	return flags & LSM_NO_SYNC ? 0 : store_sync(db, position);
}

static int write_one(struct lsm *db, struct sst_slice key, const struct sst_slice *value, unsigned flags)
{
	if (!db->single)
		db->single = lsm_batch_new();
	if (!db->single)
		return SST_ENOMEM;
	lsm_batch_clear(db->single);
	int rc = value ? lsm_batch_put(db->single, key, *value) : lsm_batch_delete(db->single, key);
	return rc ? rc : lsm_write(db, db->single, flags);
}

int lsm_put(struct lsm *db, struct sst_slice key, struct sst_slice value, unsigned flags)
{
	return write_one(db, key, &value, flags);
}

int lsm_delete(struct lsm *db, struct sst_slice key, unsigned flags)
{
	return write_one(db, key, NULL, flags & ~(unsigned)LSM_NO_CLOBBER);
}

int lsm_sync(struct lsm *db)
{
	int rc = store_ready(db); /* a rebuild on the way has synced every log */
	return rc ? rc : store_sync(db, db->written);
}
