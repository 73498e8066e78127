/* SPDX-License-Identifier: MIT */
/*
 * Views: what there is to read, as one consistent picture.
 *
 * A view names the generations (memtables) and, by MANIFEST number and size, the tables. Writers of views hold the
 * writer lock, fill the next slot of the ring and publish it by one store of control.view. A reader copies the slot, takes
 * the last visible sequence number as its snapshot, and looks whether the view is still the same: if so, everything
 * up to the snapshot is in the memtables and tables that the view names, and its tables hold nothing newer.
 *
 * The files of a view may go away while a reader is at it (a flush finished): a missing file means "the view has moved,
 * begin again". If it has not moved, the file is damage.
 */
#include "base/status.h"
#include "db/store.h"
#include "os/kill_point.h"

#define TRIES 1000000

static bool is_possible(const struct view *v)
{
	return v->oldest && v->oldest <= v->active && v->active - v->oldest < RING;
}

struct view view_read(struct lsm *db, uint64_t *snapshot)
{
	struct control *c = db->control;
	uint64_t n = 0;
	for (unsigned i = 0; i < TRIES; i++) {
		n = atomic_load_explicit(&c->view, memory_order_acquire);
		struct view v = c->views[n % RING];
		atomic_thread_fence(memory_order_acquire);
		uint64_t s = atomic_load_explicit(&c->visible, memory_order_acquire);
		if (v.number == n && atomic_load_explicit(&c->view, memory_order_acquire) == n) {
			if (snapshot)
				*snapshot = s;
			if (is_possible(&v))
				return v;
			break;
		}
	}
	/* Only a damaged segment is in motion for ever, or shows what cannot be. None is answered by SST_ECORRUPT downstream;
	 * it has the number of the current one, so that nobody takes it for one that has moved. */
	store_condemn(db, SST_ECORRUPT);
	return (struct view){.number = n};
}

void view_publish(struct lsm *db, struct view *v)
{
	struct control *c = db->control;
	uint64_t n = atomic_load_explicit(&c->view, memory_order_relaxed) + 1;
	v->number = n;
	atomic_store_explicit(&c->views[n % RING].number, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	KILL_POINT("view-slot");
	c->views[n % RING] = *v;
	KILL_POINT("view-filled");
	atomic_store_explicit(&c->view, n, memory_order_release);
}

struct memtable *view_slot(struct lsm *db)
{
	struct memtable *oldest = &db->mapped[0];
	for (struct memtable *m = db->mapped; m < db->mapped + MAPPED_MAX; m++) {
		if (!memtable_is_open(m))
			return m;
		if (m->generation < oldest->generation)
			oldest = m;
	}
	memtable_close(oldest);
	return oldest;
}

static int open_segment(struct lsm *db, const struct generation *d, uint64_t generation, struct memtable *m)
{
	char name[SEGMENT_NAME_MAX];
	struct segment s;
	segment_name(name, db->control->token, d->place, generation);
	int rc = segment_find(&s, segment_place_fd(db, d->place), name, memtable_commit_for(0, 0),
		db->control_segment.read_only);
	if (!rc)
		rc = memtable_attach(m, &s, db->control->token, generation);
	store_condemn(db, rc);
	return rc;
}

int view_memtable_own(struct lsm *db, uint64_t generation, struct memtable *m)
{
	const struct generation *d = control_generation(db->control, generation);
	if (db->private) {
		*m = db->mapped[0];
		return 0;
	}
	int rc = d->number == generation ? open_segment(db, d, generation, m) : SST_NO;
	if (!rc && (rc = memtable_map(m)) != 0)
		memtable_close(m);
	return rc;
}

int view_memtable(struct lsm *db, uint64_t generation, struct memtable **m)
{
	int rc = view_memtable_find(db, generation, m);
	return rc ? rc : memtable_map(*m);
}

int view_memtable_find(struct lsm *db, uint64_t generation, struct memtable **out)
{
	for (struct memtable *m = db->mapped; m < db->mapped + MAPPED_MAX; m++)
		if (memtable_is_open(m) && m->generation == generation) {
			*out = m;
			return 0;
		}
	const struct generation *d = control_generation(db->control, generation);
	if (!generation || d->number != generation)
		return SST_NO; /* its slot has been used again */
	*out = view_slot(db);
	return open_segment(db, d, generation, *out);
}

bool view_detach(struct lsm *db, uint64_t oldest, struct memtable *out)
{
	for (struct memtable *m = db->mapped; m < db->mapped + MAPPED_MAX; m++)
		if (memtable_is_open(m) && m->generation < oldest) {
			*out = *m;
			*m = (struct memtable){.segment.fd = -1};
			return true;
		}
	return false;
}

void view_forget(struct lsm *db, uint64_t oldest)
{
	struct memtable m;
	while (view_detach(db, oldest, &m))
		memtable_close(&m);
}

static bool memtable_missing(struct lsm *db, const struct view *v)
{
	struct memtable *m;
	for (uint64_t n = v->oldest; n && n <= v->active; n++)
		if (view_memtable(db, n, &m) == SST_NO)
			return true;
	return false;
}

int view_retry(struct lsm *db, const struct view *v, int rc, bool *rebuilt)
{
	bool moved = view_number(db) != v->number;
	if (rc == VIEW_MOVED && moved)
		return 0;
	bool may_rebuild = !db->private && !db->control_segment.read_only && !*rebuilt;
	if (may_rebuild && rc == VIEW_MOVED && memtable_missing(db, v))
		atomic_store(&db->control->condemned, 1);
	if (may_rebuild && atomic_load(&db->control->condemned)) {
		*rebuilt = true;
		return store_ready(db);
	}
	return rc == VIEW_MOVED ? fail(SST_ECORRUPT, "store '%s': a file it needs is missing", db->path) : rc;
}

int view_version(struct lsm *db, const struct view *v)
{
	if (!v->active)
		return fail(SST_ECORRUPT, "the control segment is damaged");
	if (db->version_view_manifest == v->manifest_number && db->version_view_size == v->manifest_size)
		return 0;
	version_release(&db->version);
	db->version_view_manifest = 0;
	int rc = manifest_read(db->dirfd, v->manifest_number, v->manifest_size, db->options.family, &db->version);
	if (rc == SST_ENOENT)
		return SST_NO;
	if (rc)
		return rc;
	db->version_view_manifest = v->manifest_number;
	db->version_view_size = v->manifest_size;
	return 0;
}
