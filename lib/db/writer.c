/* SPDX-License-Identifier: MIT */
/*
 * The writer lock: one word in the control segment, 0 or the owner's id.
 *
 * Who finds it taken spins, then says so in `sleepers` and sleeps on the word; who lets go wakes one of them. A sleeper that is
 * woken for every write would make of each a change of process, which costs more than the write: so a process in the middle
 * of a run of writes that do not wait for the disk wakes nobody until it has had a turn of TURN_NS. (Should it end in
 * the middle of a turn, the others sleep on until their time is over: some milliseconds.)
 *
 * Nobody owns anything by pid. An id is a byte of LOCK that its owner keeps write-locked (LIVE + id); the kernel
 * frees it when the owner dies, in whatever namespace, and keeps it while the owner is merely stopped. So whoever waits
 * looks at the owner's byte now and then: free means dead, and the word is taken over by compare-and-swap.
 *
 * `dirty` is set before the first byte of a write goes to the log and cleared when memtable and wal_tail have
 * caught up with it. Whoever takes the lock and finds it set - the predecessor died, or failed half way - repairs
 * before anything else: the log is read from wal_tail, what is missing in the memtable is inserted (a look first makes
 * that idempotent), the rest behind the last whole record is cut off. A repairer that dies leaves dirty set.
 *
 *     killed                                  found by the next owner
 *     before or in the write to the log       torn bytes behind wal_tail: cut off
 *     before, in, after linking records       whole record behind wal_tail: inserted, published
 *     after visible, before wal_tail          the same, all there already
 *     anywhere in a rotation                  nothing: it is published by one store (rotate.c)
 */
#include <fcntl.h>

#include "base/status.h"
#include "db/store.h"
#include "db/apply.h"
#include "os/event.h"
#include "os/kill_point.h"
#include "os/lock.h"

#define SPINS 200
#define TURN_NS UINT64_C(500000)
#define SLEEP_MAX_MS 20

int writer_identify(struct lsm *db)
{
	while (!db->id) {
		uint32_t id = atomic_fetch_add(&db->control->next_id, 1);
		if (!id)
			continue;
		int rc = lock_try(db->lockfd, LOCK_LIVE + id, LOCK_EXCLUSIVE);
		if (rc < 0)
			return rc;
		KILL_POINT("writer-identified");
		if (rc == 0)
			db->id = id;
	}
	return 0;
}

int writer_test(const struct lsm *db, uint32_t id)
{
	return lock_test(db->lockfd, LOCK_LIVE + id, NULL);
}

static bool take(struct control *c, uint32_t from, uint32_t to)
{
	return atomic_compare_exchange_strong_explicit(&c->writer, &from, to, memory_order_acquire,
		memory_order_relaxed);
}

static void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

/* Sleeps until the word changes; takes it over from a dead owner. 0: taken. SST_NO: try again. */
static int sleep_or_steal(struct lsm *db, struct patience *p)
{
	struct control *c = db->control;
	uint32_t w = atomic_load_explicit(&c->writer, memory_order_relaxed);
	if (!w)
		return SST_NO;
	atomic_store(&c->sleepers, 1);
	event_wait(&c->writer, w, p->rounds < SLEEP_MAX_MS ? ++p->rounds : SLEEP_MAX_MS);
	if (atomic_load_explicit(&c->writer, memory_order_relaxed) != w)
		return SST_NO;
	int rc = writer_test(db, w);
	if (!rc)
		return take(c, w, db->id) ? 0 : SST_NO;
	if (rc == SST_NO)
		rc = patience_check(p, db, "another process holds the writer lock");
	return rc ? rc : SST_NO;
}

static int spin(struct lsm *db)
{
	struct control *c = db->control;
	for (unsigned i = 0; i < SPINS; i++) {
		if (atomic_load_explicit(&c->writer, memory_order_relaxed) == 0 && take(c, 0, db->id))
			return 0;
		relax();
	}
	return SST_NO;
}

static int take_patiently(struct lsm *db)
{
	struct patience p = {0};
	int rc = spin(db);
	if (!rc)
		return 0;
	while (rc == SST_NO)
		if ((rc = sleep_or_steal(db, &p)) == SST_NO)
			rc = spin(db);
	if (!rc) {
		atomic_store(&db->control->sleepers, 1); /* there may be others */
		db->turn_ns = clock_monotonic_ns();
	}
	return rc;
}

static int repair(struct lsm *db)
{
	struct generation *g;
	struct memtable *m;
	int rc = writer_active(db, &g, &m);
	if (!rc)
		rc = memtable_map(m);
	if (rc)
		return rc;
	struct apply a = {.memtable = m, .generation = g, .control = db->control};
	struct replayed r;
	struct replay_sink sink = {apply_record, apply_op, &a};
	uint64_t tail = atomic_load_explicit(&g->wal_tail, memory_order_relaxed);
	KILL_POINT("repair-begin");
	rc = wal_replay(db->dirfd, g->wal_number, tail, &sink, &r);
	KILL_POINT("repair-replayed");
	if (!rc && r.file_size > r.good_end)
		rc = file_truncate(db->wal_fd, r.good_end, db->wal_name);
	if (rc)
		return rc;
	if (r.last_sequence > atomic_load_explicit(&db->control->visible, memory_order_relaxed))
		atomic_store_explicit(&db->control->visible, r.last_sequence, memory_order_release);
	KILL_POINT("repair-visible");
	if (atomic_load_explicit(&db->control->appended, memory_order_relaxed) < g->base + r.good_end)
		atomic_store_explicit(&db->control->appended, g->base + r.good_end, memory_order_release);
	atomic_store_explicit(&g->wal_tail, r.good_end, memory_order_release);
	KILL_POINT("repair-tail");
	atomic_store_explicit(&db->control->dirty, 0, memory_order_release);
	store_log(db, 1, "repaired after a writer that did not finish: %llu records", (unsigned long long)r.records);
	return 0;
}

int writer_lock(struct lsm *db)
{
	struct control *c = db->control;
	int rc = take_patiently(db);
	if (rc)
		return rc;
	atomic_store_explicit(&c->writer_pid, db->pid, memory_order_relaxed);
	if (!atomic_load_explicit(&c->dirty, memory_order_acquire))
		return 0;
	rc = repair(db);
	if (rc) {
		store_condemn(db, rc);
		writer_unlock(db, false);
		return fail_in(rc, "cannot repair the memtable");
	}
	return 0;
}

/* In the middle of a run of writes, and of a turn? */
static bool has_turn(struct lsm *db)
{
	uint64_t now = clock_monotonic_ns();
	bool runs = now - db->unlocked_ns < TURN_NS, turn = now - db->turn_ns < TURN_NS;
	db->unlocked_ns = now;
	if (!turn)
		db->turn_ns = now;
	return runs && turn;
}

void writer_unlock(struct lsm *db, bool more)
{
	struct control *c = db->control;
	atomic_store(&c->writer, 0);
	if (!atomic_load(&c->sleepers) || (more && has_turn(db)))
		return;
	atomic_store(&c->sleepers, 0);
	event_wake(&c->writer, 1);
}

int writer_active(struct lsm *db, struct generation **g, struct memtable **m)
{
	struct view v = view_read(db, NULL);
	*g = control_generation(db->control, v.active);
	int rc = view_memtable_find(db, v.active, m);
	if (!rc)
		rc = memtable_refresh(*m);
	if (rc == SST_NO)
		rc = fail(SST_ECORRUPT, "the active memtable segment is gone");
	if (!rc && (db->wal_fd < 0 || db->wal_generation != v.active)) {
		file_close(&db->wal_fd);
		file_name(db->wal_name, FILE_WAL, (*g)->wal_number);
		rc = file_open(&db->wal_fd, db->dirfd, db->wal_name, O_RDWR, 0);
		db->wal_generation = v.active;
	}
	if (rc == SST_ECORRUPT || rc == SST_ENOENT)
		atomic_store(&db->control->condemned, 1);
	return rc;
}
