/* SPDX-License-Identifier: MIT */
/*
 * A store read without its shared memory: on media that cannot be written, without permission to, or made by LevelDB or
 * RocksDB. The logs are replayed into memory of this process; nothing in the directory changes, no lock is taken.
 *
 * The result is an attached handle like any other, only that control segment and memtable are anonymous: all that reads
 * is the same code. Range tombstones of the logs are kept apart, in the form that a table has them.
 *
 * RocksDB may be at work in the directory meanwhile. So everything is opened and read first, then CURRENT and the
 * MANIFEST are looked at again: if they have changed, or a file was missing, it begins anew.
 */
#include <stdlib.h>

#include "base/status.h"
#include "db/apply.h"
#include "db/foreign.h"
#include "db/logs.h"
#include "db/tables.h"
#include "table/block_builder.h"

#define TRIES 100

struct private {
	struct lsm *db;
	struct memtable *memtable;
	struct buf dels; /* block of range tombstones */
	struct block_builder builder;
};

static int choose_order(struct lsm *db)
{
	const struct family *f = version_family(&db->version, db->version.family);
	const struct buf *name = &f->comparator;
	db->order = ORDER_BYTEWISE;
	if (family_is_bytewise(f))
		return 0;
	db->order = ORDER_REVERSE;
	if (family_is_reverse(f))
		return 0;
	return fail(SST_EIO, "'%s' is ordered by '%.*s', which is not known here: use sst-dump on its tables", db->path,
		name->size > 80 ? 80 : (int)name->size, (const char *)name->data);
}

static int read_version(struct lsm *db)
{
	uint64_t number;
	int rc = current_read(db->dirfd, &number);
	if (!rc)
		rc = manifest_read(db->dirfd, number, UINT64_MAX, db->options.family, &db->version);
	return rc ? rc : choose_order(db);
}

/* ---- memory and logs */

static int make_memory(struct private *p, uint64_t log_bytes)
{
	static const uint8_t token[TOKEN_SIZE];
	struct lsm *db = p->db;
	struct segment s;
	int rc = segment_anonymous(&db->control_segment, (sizeof(struct control) + 4095) & ~(uint64_t)4095);
	if (rc)
		return rc;
	db->control = (void *)db->control_segment.base;
	uint64_t size = memtable_segment_size(8 * log_bytes, 0);
	rc = segment_anonymous(&s, size);
	p->memtable = &db->mapped[0];
	return rc ? rc : memtable_format(p->memtable, &s, size, token, 1);
}

static int keep_range_deletion(void *arg, const struct batch_op *op)
{
	struct private *p = arg;
	struct buf key = {0};
	put_ikey(&key, op->key, tag_make(op->sequence, TYPE_RANGE_DELETION));
	block_builder_add(&p->builder, buf_slice(&key), 0, op->value);
	int rc = buf_check(&key);
	buf_release(&key);
	return rc ? rc : buf_check(&p->dels);
}

/* A log that ends in the middle of a record, and another goes on behind it: there is a hole between
 * them, unless the sequence numbers say otherwise. LevelDB does not care. */
static int check_hole(const struct private *p, const struct logs *l, const struct replayed *r, size_t i)
{
	size_t next = i + 1;
	while (next < l->count && !r[next].records)
		next++;
	if (!r[i].torn || next == l->count || p->db->version.leveldb ||
		(r[i].records && r[i].last_sequence + 1 == r[next].first_sequence))
		return 0;
	return fail(SST_ECORRUPT, "'%06llu.log' ends unfinished at %llu, and '%06llu.log' goes on behind it",
		(unsigned long long)l->numbers[i], (unsigned long long)r[i].good_end,
		(unsigned long long)l->numbers[next]);
}

/* The newest log first: RocksDB may be writing, and has ended a log before it begins the next. The other way round
 * the end of one could be missed and the beginning of the next not. */
static int replay_each(struct private *p, const struct logs *l, struct replayed *r)
{
	struct lsm *db = p->db;
	struct apply a = {.memtable = p->memtable, .control = db->control, .any_type = true,
		.family = db->version.family, .range_deletion = keep_range_deletion, .range_arg = p};
	struct replay_sink sink = {apply_record, apply_op, &a};
	int rc = 0;
	for (size_t i = l->count; i-- > 0 && !rc;) {
		rc = wal_replay(db->dirfd, l->numbers[i], 0, &sink, &r[i]);
		if (!rc && r[i].last_sequence > db->control->visible)
			db->control->visible = r[i].last_sequence;
		if (!rc)
			rc = check_hole(p, l, r, i);
	}
	return rc;
}

static int replay_logs(struct private *p, const struct logs *l)
{
	struct lsm *db = p->db;
	struct replayed *r = calloc(l->count + 1, sizeof(*r));
	if (!r)
		return fail_memory();
	block_builder_start(&p->builder, &p->dels, 1);
	int rc = replay_each(p, l, r);
	free(r);
	if (rc || block_builder_empty(&p->builder))
		return rc;
	rc = block_builder_finish(&p->builder);
	return rc ? rc : range_dels_read(&db->log_dels, buf_slice(&p->dels), db->order, 0);
}

static int read_logs(struct private *p)
{
	struct logs l;
	int rc = logs_find(p->db, &p->db->version, &l);
	if (!rc)
		rc = make_memory(p, l.bytes);
	if (!rc) {
		p->db->control->visible = p->db->version.last_sequence;
		rc = replay_logs(p, &l);
	}
	logs_release(&l);
	return rc;
}

/* ---- one consistent picture */

static int open_tables(struct lsm *db)
{
	struct table *t;
	int rc = 0;
	for (size_t i = 0; i < db->version.table_count && !rc; i++)
		rc = tables_open(db, &db->version.tables[i], &t);
	return rc;
}

/* What RocksDB changes with every change of its files; zero: it cannot be read. */
struct state {
	uint64_t manifest_number, manifest_size;
};

static struct state look(const struct lsm *db)
{
	char name[FILE_NAME_MAX];
	struct file_id id;
	struct state s;
	if (current_read(db->dirfd, &s.manifest_number) ||
		file_identify_at(db->dirfd, file_name(name, FILE_MANIFEST, s.manifest_number), &id))
		return (struct state){0};
	s.manifest_size = id.size;
	return s;
}

static void publish(struct lsm *db)
{
	struct view v = {.oldest = 1, .active = 1, .manifest_number = db->version.manifest_number,
		.manifest_size = db->version.manifest_size, .tables = db->version.table_count};
	control_generation(db->control, 1)->number = 1;
	db->version_view_manifest = v.manifest_number;
	db->version_view_size = v.manifest_size;
	view_publish(db, &v);
}

static int read_once(struct lsm *db)
{
	struct private p = {.db = db};
	int rc = read_version(db);
	if (!rc)
		rc = read_logs(&p);
	if (!rc)
		rc = open_tables(db);
	if (!rc)
		rc = foreign_open(db);
	buf_release(&p.dels);
	block_builder_release(&p.builder);
	if (!rc)
		publish(db);
	return rc;
}

int store_open_private(struct lsm *db)
{
	db->private = true;
	for (unsigned i = 0; i < TRIES; i++) {
		struct state before = look(db);
		int rc = read_once(db);
		struct state after = look(db);
		if (memcmp(&before, &after, sizeof(before)) == 0)
			return rc == VIEW_MOVED ? fail(SST_ECORRUPT,
							  "store '%s': a table that its MANIFEST names is missing",
							  db->path)
						: rc;
		store_unmap(db);
	}
	return fail(SST_EBUSY, "store '%s' changes faster than it can be read", db->path);
}
