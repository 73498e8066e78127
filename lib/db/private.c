/* SPDX-License-Identifier: MIT */
/*
 * A store read without its shared memory: on media that cannot be written, without permission to, or made by LevelDB or
 * RocksDB. The logs are replayed into memory of this process; nothing in the directory changes, no lock is taken.
 *
 * The result is an attached handle like any other, only that control segment and memtable are anonymous: all that reads
 * is the same code.
 */
#include <stdlib.h>

#include "base/status.h"
#include "db/apply.h"
#include "db/logs.h"

static int read_version(struct lsm *db)
{
	uint64_t number;
	int rc = current_read(db->dirfd, &number);
	if (!rc)
		rc = manifest_read(db->dirfd, number, UINT64_MAX, NULL, &db->version);
	if (rc)
		return rc;
	const struct buf *name = &db->version.families[0].comparator;
	if (!slice_eq(buf_slice(name), slice_str("leveldb.BytewiseComparator")))
		return fail(SST_EIO, "'%s' is ordered by '%.*s', which is not known here: use sst-dump on its tables", db->path,
			name->size > 80 ? 80 : (int)name->size, (const char *)name->data);
	return 0;
}

static int make_memory(struct lsm *db, uint64_t log_bytes, struct memtable **m)
{
	static const uint8_t token[TOKEN_SIZE];
	struct segment s;
	int rc = segment_anonymous(&db->control_segment, (sizeof(struct control) + 4095) & ~(uint64_t)4095);
	if (rc)
		return rc;
	db->control = (void *)db->control_segment.base;
	rc = segment_anonymous(&s, memtable_segment_size(8 * log_bytes, 0));
	*m = view_slot(db);
	return rc ? rc : memtable_format(*m, &s, token, 1);
}

static int replay_logs(struct lsm *db, const struct logs *l, struct memtable *m)
{
	struct apply a = {.memtable = m, .control = db->control, .any_type = true};
	struct replay_sink sink = {apply_record, apply_op, &a};
	struct replayed r;
	int rc = 0;
	for (size_t i = 0; i < l->count && !rc; i++) {
		rc = wal_replay(db->dirfd, l->numbers[i], 0, &sink, &r);
		if (!rc && r.last_sequence > db->control->visible)
			db->control->visible = r.last_sequence;
	}
	return rc;
}

int store_open_private(struct lsm *db)
{
	struct logs l;
	struct memtable *m;
	db->private = true;
	int rc = read_version(db);
	if (!rc)
		rc = logs_find(db, &db->version, &l);
	if (rc)
		return rc;
	rc = make_memory(db, l.bytes, &m);
	if (!rc) {
		db->control->visible = db->version.last_sequence;
		rc = replay_logs(db, &l, m);
	}
	logs_release(&l);
	if (rc)
		return rc;
	control_generation(db->control, 1)->number = 1;
	struct view v = {.oldest = 1, .active = 1, .manifest_number = db->version.manifest_number,
		.manifest_size = db->version.manifest_size, .tables = db->version.table_count};
	db->version_view_manifest = v.manifest_number;
	db->version_view_size = v.manifest_size;
	view_publish(db, &v);
	return 0;
}
