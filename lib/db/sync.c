/* SPDX-License-Identifier: MIT */
/*
 * Durability: one fdatasync serves everybody who waits for it.
 *
 * A log position (LSN) counts bytes over all logs. `appended` is what the kernel has, `synced` what the disk has. Who
 * needs a position durable becomes the leader if there is none: it notes `appended`, syncs the active log (and, once for
 * each log, the directory that holds its name), raises `synced` to what it noted, and wakes the others, who sleep on
 * an event. While it was at it more records have come: the next leader takes them all. Those that it wakes
 * will mostly write again: so a leader after a round with followers lets others run, as long as the log grows, before
 * it notes how far it goes. Otherwise the first to wake would sync its own record alone, and all others wait twice.
 *
 * The active log is enough, because no record goes to a log before the one before it is durable whole (rotate.c).
 * A leader that dies is found out by its LIVE byte; an fdatasync more is always allowed.
 *
 * An fdatasync that fails is final: the kernel drops what it could not write and calls the pages clean. The log is
 * poisoned. Nobody who waits for it gets a 0; nothing more is appended; its memtable is flushed instead (put.c), which
 * makes what it holds durable by another road. The same for a sync of the directory, whoever wanted it: it may have
 * lost the name of every log that has not been synced since it was made.
 *
 * Others who sync the directory at the same time, as a flush does for its table, need not be told by us: a sync that failed is
 * reported once to every descriptor that was open by then (errseq_t, since Linux 4.13), and each has one that is older than its
 * names.
 */
#include "base/status.h"
#include "db/store.h"
#include "os/event.h"
#include "os/kill_point.h"
#include "os/lock.h"

#include <fcntl.h>
#include <limits.h>

/* How often a follower looks whether its leader lives: longer than most syncs, or all would wake for nothing. */
#define SLEEP_MS 20
#define YIELDS_MAX 32

static void raise_to(_Atomic uint64_t *p, uint64_t v)
{
	uint64_t old = atomic_load_explicit(p, memory_order_relaxed);
	while (old < v && !atomic_compare_exchange_weak_explicit(p, &old, v, memory_order_release, memory_order_relaxed))
		;
}

void store_names_lost(struct lsm *db)
{
	struct view v = view_read(db, NULL);
	for (uint64_t n = v.oldest; n && n <= v.active; n++) {
		struct generation *g = control_generation(db->control, n);
		if (!atomic_load_explicit(&g->name_synced, memory_order_acquire))
			atomic_store_explicit(&g->poisoned, 1, memory_order_release);
	}
}

int store_sync_names(struct lsm *db)
{
	int rc = dir_sync(db->dirfd);
	if (rc)
		store_names_lost(db);
	return rc;
}

static int sync_log(struct lsm *db, struct generation *g, int fd)
{
	char name[FILE_NAME_MAX];
	int rc = file_sync_data(fd, file_name(name, FILE_WAL, g->wal_number));
	KILL_POINT("sync-log");
	if (!rc && !atomic_load_explicit(&g->name_synced, memory_order_acquire)) {
		rc = store_sync_names(db);
		if (!rc)
			atomic_store_explicit(&g->name_synced, 1, memory_order_release);
	}
	if (rc)
		atomic_store_explicit(&g->poisoned, 1, memory_order_release);
	return rc;
}

int store_sync_active(struct lsm *db, struct generation *g)
{
	uint64_t end = g->base + atomic_load_explicit(&g->wal_tail, memory_order_relaxed);
	if (atomic_load_explicit(&db->control->synced, memory_order_acquire) >= end)
		return 0;
	int rc = sync_log(db, g, db->wal_fd);
	if (!rc)
		raise_to(&db->control->synced, end);
	return rc;
}

static void gather(struct control *c)
{
	uint64_t before, now = atomic_load_explicit(&c->appended, memory_order_relaxed);
	unsigned i = 0;
	do {
		before = now;
		cpu_yield();
		now = atomic_load_explicit(&c->appended, memory_order_relaxed);
	} while (now != before && ++i < YIELDS_MAX);
}

static int lead(struct lsm *db)
{
	struct control *c = db->control;
	if (atomic_exchange_explicit(&c->sync_followers, 0, memory_order_relaxed))
		gather(c);
	/* In this order: if the generation has changed since, all before its base is durable already. */
	uint64_t target = atomic_load_explicit(&c->appended, memory_order_acquire);
	struct view v = view_read(db, NULL);
	struct generation *g = control_generation(c, v.active);
	if (target > g->base) {
		char name[FILE_NAME_MAX];
		int fd = db->wal_fd, rc = 0;
		if (db->wal_generation != v.active || fd < 0)
			rc = file_open(&fd, db->dirfd, file_name(name, FILE_WAL, g->wal_number), O_RDWR, 0);
		if (!rc)
			rc = sync_log(db, g, fd);
		if (fd != db->wal_fd)
			file_close(&fd);
		if (rc)
			return rc;
	}
	raise_to(&c->synced, target);
	return 0;
}

/* Does the position lie in a log that could not be synced? */
static bool lost(struct lsm *db, uint64_t lsn)
{
	struct view v = view_read(db, NULL);
	for (uint64_t n = v.oldest; n && n <= v.active; n++) {
		const struct generation *g = control_generation(db->control, n);
		uint64_t end = n < v.active ? control_generation(db->control, n + 1)->base : UINT64_MAX;
		if (g->poisoned && lsn > g->base && lsn <= end)
			return true;
	}
	return false;
}

static int follow(struct lsm *db, uint32_t event, struct patience *p)
{
	struct control *c = db->control;
	uint32_t leader = atomic_load_explicit(&c->sync_leader, memory_order_relaxed);
	atomic_store_explicit(&c->sync_followers, 1, memory_order_relaxed);
	int64_t timeout_ms = db->options.timeout_ms;
	event_wait(&c->sync_event, event, timeout_ms >= 0 && timeout_ms < SLEEP_MS ? timeout_ms + 1 : SLEEP_MS);
	if (leader && atomic_load_explicit(&c->sync_event, memory_order_relaxed) == event) {
		int rc = writer_test(db, leader);
		if (rc < 0)
			return rc;
		if (!rc)
			atomic_compare_exchange_strong(&c->sync_leader, &leader, 0);
	}
	return patience_check(p, db, "another process syncs the write-ahead log");
}

int store_sync(struct lsm *db, uint64_t lsn)
{
	struct control *c = db->control;
	struct patience p = {0};
	while (atomic_load_explicit(&c->synced, memory_order_acquire) < lsn) {
		if (lost(db, lsn))
			return fail(SST_EIO, "the write-ahead log could not be synced");
		uint32_t event = atomic_load_explicit(&c->sync_event, memory_order_acquire);
		uint32_t nobody = 0;
		if (!atomic_compare_exchange_strong(&c->sync_leader, &nobody, db->id)) {
			int rc = follow(db, event, &p);
			if (rc)
				return rc;
			continue;
		}
		KILL_POINT("sync-leader");
		int rc = atomic_load_explicit(&c->synced, memory_order_acquire) < lsn ? lead(db) : 0;
		KILL_POINT("sync-led");
		atomic_store_explicit(&c->sync_leader, 0, memory_order_release);
		KILL_POINT("sync-resigned");
		atomic_fetch_add(&c->sync_event, 1);
		event_wake(&c->sync_event, INT_MAX);
		if (rc)
			return rc;
	}
	return 0;
}
