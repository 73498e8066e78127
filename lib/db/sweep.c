/* SPDX-License-Identifier: MIT */
/*
 * Sweep: what is no longer named goes away, after what names its successor is durable.
 *
 * Only names that we or RocksDB give (filename.h), and never while an edit of the MANIFEST is in doubt.
 *
 * Most of the time goes where the kernel takes back memory page by page: that of the segment and that of the log, which are of
 * a size. So the one goes on a worker while the other goes here.
 */
#include "db/flush.h"
#include "os/kill_point.h"

#include <stdlib.h>

struct sweep {
	struct lsm *db;
	uint64_t log_number, manifest_number;
	uint64_t *tables; /* numbers in the version, ascending */
	size_t table_count;
};

static bool wanted(const struct sweep *s, enum file_kind kind, uint64_t number)
{
	switch (kind) {
	case FILE_WAL:
		return number >= s->log_number;
	case FILE_TABLE:
		return bsearch(&number, s->tables, s->table_count, sizeof(number), file_number_cmp) != NULL;
	case FILE_MANIFEST:
		return number == s->manifest_number;
	case FILE_TEMPORARY:
		return false;
	default:
		return true;
	}
}

static int sweep_file(void *arg, const char *name)
{
	const struct sweep *s = arg;
	char canonical[FILE_NAME_MAX];
	uint64_t number;
	enum file_kind kind = file_name_parse(name, &number);
	if (wanted(s, kind, number) || strcmp(file_name(canonical, kind, number), name))
		return 0;
	KILL_POINT("sweep-file");
	if (dir_remove(s->db->dirfd, name) == 0)
		store_log(s->db, 1, "removed '%s'", name);
	return 0;
}

static void sweep_segments(struct lsm *db, uint64_t oldest)
{
	/* Those of the generations before, back to the first that still has its name. */
	for (uint64_t n = oldest - 1; n > 0; n--) {
		char name[SEGMENT_NAME_MAX];
		int removed = SST_NO;
		for (uint32_t place = PLACE_SHM; place <= PLACE_DIRECTORY; place++) {
			int dirfd = segment_place_fd(db, place);
			segment_name(name, db->control->token, place, n);
			if (dirfd >= 0 && dir_remove(dirfd, name) == 0)
				removed = 0;
		}
		if (removed == SST_NO && oldest - n > 1)
			break;
	}
}

/* A memtable that has no name any more, on its way out. */
struct drop {
	struct pool_job job;
	struct memtable memtable;
};

static void drop_run(struct pool_job *job, unsigned worker)
{
	(void)worker;
	memtable_close(&((struct drop *)job)->memtable);
}

static void sweep_files(struct lsm *db, const struct view *v)
{
	struct sweep s = {.db = db, .log_number = db->version.log_number, .manifest_number = v->manifest_number};
	s.tables = calloc(db->version.table_count + 1, sizeof(*s.tables));
	if (!s.tables)
		return;
	for (; s.table_count < db->version.table_count; s.table_count++)
		s.tables[s.table_count] = db->version.tables[s.table_count].number;
	qsort(s.tables, s.table_count, sizeof(*s.tables), file_number_cmp);
	(void)dir_list(db->dirfd, sweep_file, &s);
	free(s.tables);
}

void store_sweep(struct lsm *db, const struct view *v, struct pool *pool)
{
	struct drop drops[MAPPED_MAX];
	unsigned n = 0;
	if (atomic_load(&db->control->manifest_failed))
		return;
	sweep_segments(db, v->oldest);
	for (; n < MAPPED_MAX && view_detach(db, v->oldest, &drops[n].memtable); n++) {
		drops[n].job.run = drop_run;
		if (pool)
			pool_submit(pool, &drops[n].job);
		else
			drop_run(&drops[n].job, 0);
	}
	sweep_files(db, v);
	while (pool && n)
		pool_wait(pool, &drops[--n].job);
}
