/* SPDX-License-Identifier: MIT */
/*
 * The shared memory of a store that is being checked. attach.c asks whether the memory is good, holding R on ATTACH, and
 * rebuilds it otherwise; here the same is asked without a lock, and the answer is told:
 *
 *     not there, or of another directory or layout     the files are all there is; the next program rebuilds it: a note
 *     other files (a restored copy; RocksDB was here)  the same
 *     these files, but one is shorter than was written damage: what is gone had been acknowledged
 *     its view cannot be                               damage, but of nothing that was acknowledged
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/status.h"
#include "db/check.h"
#include "os/event.h"

#define MEMORY "shared memory"

/* Made by somebody of the directory's circle, for this LOCK, since the last boot? */
static bool is_ours(const struct lsm *db, const struct identity *id, const struct segment *s)
{
	const struct control *c = (const void *)s->base;
	struct file_access access;
	uint8_t boot[16];
	if (s->device != id->control_device || s->inode != id->control_inode ||
		atomic_load_explicit(&c->magic, memory_order_acquire) != CONTROL_MAGIC || c->layout != CONTROL_LAYOUT ||
		memcmp(c->token, id->token, TOKEN_SIZE) || atomic_load_explicit(&c->condemned, memory_order_relaxed))
		return false;
	if (file_access(s->fd, &access, "segment") || (access.mode & S_IWOTH && !(db->access.mode & S_IWOTH)))
		return false;
	return id->control_place == PLACE_SHM || (boot_id(boot) == 0 && !memcmp(boot, c->boot, sizeof(boot)));
}

/* 0 with the control segment mapped; SST_NO: none that can be used. */
static int map_control(struct lsm *db)
{
	struct identity id;
	char name[SEGMENT_NAME_MAX];
	struct segment s;
	int rc = identity_read(db, &id);
	if (rc || id.control_place > PLACE_DIRECTORY || segment_place_fd(db, id.control_place) < 0)
		return rc == SST_ENOMEM ? rc : SST_NO;
	segment_name(name, id.token, id.control_place, 0);
	rc = segment_open(&s, segment_place_fd(db, id.control_place), name, sizeof(struct control), true);
	if (rc)
		return rc == SST_ENOMEM ? rc : SST_NO;
	if (!is_ours(db, &id, &s)) {
		segment_close(&s);
		return SST_NO;
	}
	db->control_segment = s;
	db->control = (void *)s.base;
	return 0;
}

/* The file as the memory knows it: 0; SST_NO: another file. A shorter one is said. */
static int same_file(struct check *c, const char *name, uint64_t inode, uint64_t size_min)
{
	struct file_id id;
	int rc = file_identify_at(c->db->dirfd, name, &id);
	if (rc < 0)
		return rc == SST_ENOMEM ? rc : SST_NO;
	if (rc || id.inode != inode)
		return SST_NO;
	if (id.size < size_min)
		check_say(c, LSM_FINDING_DAMAGE, name, "has %llu bytes, %llu were written", (unsigned long long)id.size,
			(unsigned long long)size_min);
	return 0;
}

static int files_belong(struct check *c, uint64_t manifest)
{
	char name[FILE_NAME_MAX];
	const struct view *v = &c->view;
	const struct generation *g = control_generation(c->db->control, v->active);
	if (g->number != v->active || v->manifest_number != manifest)
		return SST_NO;
	uint64_t tail = atomic_load_explicit(&g->wal_tail, memory_order_acquire);
	int rc = same_file(c, file_name(name, FILE_MANIFEST, manifest), v->manifest_inode, v->manifest_size);
	return rc ? rc : same_file(c, file_name(name, FILE_WAL, g->wal_number), g->wal_inode, tail);
}

int check_memory_attach(struct check *c, uint64_t manifest)
{
	struct lsm *db = c->db;
	const char *fs;
	if (dir_is_remote(db->dirfd, &fs) || file_open(&db->lockfd, db->dirfd, "LOCK", O_RDONLY, 0) || !identity_is_ours(db))
		return 0;
	int rc = map_control(db);
	if (rc == SST_NO)
		check_say(c, LSM_FINDING_NOTE, MEMORY, "there is none that belongs to this directory: the files are read");
	if (rc)
		return rc == SST_NO ? 0 : rc;
	if (c->alone)
		return 0; /* without CURRENT there is nothing to hold it against */
	c->view = view_read(db, &c->snapshot);
	if (!c->view.active) {
		check_say(c, LSM_FINDING_DAMAGE, MEMORY, "it is damaged: the files are read");
		return 0;
	}
	rc = files_belong(c, manifest);
	if (rc == SST_NO)
		check_say(c, LSM_FINDING_NOTE, MEMORY, "it belongs to other files than those that are here: the files are read");
	c->live = rc == 0;
	return rc == SST_NO ? 0 : rc;
}

int check_memory_open(struct check *c, uint64_t n, struct memtable **m)
{
	int rc = view_memtable(c->db, n, m);
	if (rc == SST_NO)
		check_say(c, LSM_FINDING_NOTE, MEMORY, "memtable %llu is gone: the next program reads its log again",
			(unsigned long long)n);
	else if (rc < 0 && rc != SST_ENOMEM)
		check_say(c, LSM_FINDING_DAMAGE, MEMORY, "memtable %llu: %s", (unsigned long long)n, sst_errmsg());
	return rc < 0 && rc != SST_ENOMEM ? SST_NO : rc;
}
