/* SPDX-License-Identifier: MIT */
/*
 * Get: active memtable, frozen ones newest first, then the tables (tables.c). The first that mentions the key decides.
 * No lock is taken and nothing is written; what is gone means that the view has moved (view.c): begin again.
 */
#include "base/status.h"
#include "db/apply.h"
#include "db/tables.h"

static int get_from(struct lsm *db, struct memtable *m, struct sst_slice key, uint64_t snapshot, struct sst_slice *value)
{
	const struct tree_record *r;
	int rc = memtable_get(m, key, snapshot, &r);
	store_condemn(db, rc);
	if (rc < 0)
		return rc;
	uint64_t covered = db->log_dels.count ? range_dels_covering(&db->log_dels, key, snapshot) : 0;
	if (covered && (rc == SST_NO || covered > tag_sequence(r->tag)))
		return KEY_DELETED;
	if (rc)
		return rc;
	switch (tag_type(r->tag)) {
	case TYPE_VALUE:
		*value = tree_record_value(r);
		return 0;
	case TYPE_DELETION:
		return KEY_DELETED;
	default:
		return fail_key(SST_EUNSUPPORTED, key, "its newest entry is a %s", value_type_name(tag_type(r->tag)));
	}
}

int view_get(struct lsm *db, const struct view *v, uint64_t snapshot, struct sst_slice key, struct sst_slice *value)
{
	for (uint64_t n = v->active; n >= v->oldest && n; n--) {
		struct memtable *m;
		int rc = view_memtable_find(db, n, &m);
		if (rc)
			return rc == SST_NO ? VIEW_MOVED : rc;
		rc = get_from(db, m, key, snapshot, value);
		if (rc != SST_NO)
			return rc == KEY_DELETED ? SST_NO : rc;
	}
	if (!v->tables)
		return v->active ? SST_NO : fail(SST_ECORRUPT, "the control segment is damaged");
	int rc = view_version(db, v);
	if (rc)
		return rc == SST_NO ? VIEW_MOVED : rc;
	return tables_get(db, key, snapshot, value);
}

/* What only foreign stores have, merge operands and blobs, a scan knows how to read. */
static int get_by_scan(struct lsm *db, struct sst_slice key, struct sst_slice *value)
{
	struct lsm_scan_options o = {.from = key, .has_to = true};
	struct lsm_scan *s = NULL;
	struct buf end = {0};
	buf_append_slice(&end, key);
	buf_push(&end, 0);
	o.to = buf_slice(&end);
	int rc = buf_check(&end);
	if (!rc)
		rc = lsm_scan_new(&s, db, &o);
	if (!rc)
		rc = lsm_scan_next(s, &key, value);
	if (!rc) {
		buf_clear(&db->frame);
		buf_append_slice(&db->frame, *value);
		*value = buf_slice(&db->frame);
		rc = buf_check(&db->frame);
	}
	lsm_scan_free(s);
	buf_release(&end);
	return rc;
}

int lsm_get(struct lsm *db, struct sst_slice key, struct sst_slice *value)
{
	bool rebuilt = false;
	int rc = store_ready(db);
	while (!rc) {
		uint64_t snapshot;
		struct view v = view_read(db, &snapshot);
		rc = view_get(db, &v, snapshot, key, value);
		if (rc == 0 || rc == SST_NO)
			return rc;
		if (rc == SST_EUNSUPPORTED && db->private)
			return get_by_scan(db, key, value);
		rc = view_retry(db, &v, rc, &rebuilt);
	}
	return rc;
}
