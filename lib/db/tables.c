/* SPDX-License-Identifier: MIT */
/*
 * The tables of a version: which of them may have a key, and those that are open.
 *
 * Level 0 overlaps: all whose bounds take in the key, newest first. Below, one table of each level can have it (two
 * where they meet in one user key), found by binary search. Tables are opened when first needed and stay open, as many as
 * half of the process's descriptors, the one unused for longest going first (but for those that the first lookup of a
 * handle passes through: new memory for each would cost more than opening it); a table that is gone means that the view
 * has moved.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "base/status.h"
#include "db/tables.h"
#include "table/reader.h"

#define OPEN_MAX 1024 /* not in a private store, whose tables may go at any time */

struct open_table {
	uint64_t number;
	unsigned holders;
	bool listed; /* in the handle's list */
	uint64_t used; /* db->table_uses when it was last */
	int fd;
	struct file_source source;
	struct table *table;
	char name[FILE_NAME_MAX];
};

static void close_one(struct open_table *o)
{
	if (o->holders || o->listed)
		return;
	table_close(o->table);
	file_close(&o->fd);
	free(o);
}

void tables_close(struct lsm *db)
{
	for (size_t i = 0; i < db->table_count; i++) {
		db->tables[i]->listed = false;
		close_one(db->tables[i]);
	}
	free(db->tables);
	db->tables = NULL;
	db->table_count = db->table_cap = 0;
	block_cache_release(&db->blocks);
}

static void close_at(struct lsm *db, size_t i)
{
	struct open_table *o = db->tables[i];
	memmove(db->tables + i, db->tables + i + 1, (--db->table_count - i) * sizeof(*db->tables));
	o->listed = false;
	close_one(o);
}

/* Where the table with this number is, or belongs. */
static size_t place_of(const struct lsm *db, uint64_t number)
{
	size_t low = 0, high = db->table_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (db->tables[mid]->number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void close_least_used(struct lsm *db)
{
	size_t least = 0;
	for (size_t i = 1; i < db->table_count; i++)
		if (db->tables[i]->used < db->tables[least]->used)
			least = i;
	close_at(db, least);
}

static int open_file(struct lsm *db, struct open_table *o, struct file_id *id)
{
	int rc = file_open_id(&o->fd, id, db->dirfd, file_name(o->name, FILE_TABLE, o->number), O_RDONLY, 0);
	if (rc == SST_ENOENT) /* LevelDB's name for it, which RocksDB takes as well */
		rc = file_open_id(&o->fd, id, db->dirfd, file_name(o->name, FILE_TABLE_LDB, o->number), O_RDONLY, 0);
	return rc == SST_ENOENT ? VIEW_MOVED : rc;
}

static int open_one(struct lsm *db, const struct table_meta *meta, struct open_table *o)
{
	struct table_read_options options = {
		.manifest_sequence = meta->has_sequences ? meta->largest_sequence : UINT64_MAX,
		.cache = &db->blocks,
		.cache_number = meta->number,
		.crew = &db->crew};
	struct file_id id;
	int rc = open_file(db, o, &id);
	if (rc)
		return rc;
	if (id.size != meta->size)
		return fail(SST_ECORRUPT, "'%s' has %llu bytes, the MANIFEST says %llu", o->name, (unsigned long long)id.size,
			(unsigned long long)meta->size);
	file_source_init(&o->source, o->fd, id.size, o->name);
	return table_open(&o->table, &o->source.source, &options);
}

static int make_room(struct lsm *db)
{
	if (!db->table_max) {
		size_t half = file_limit() / 2;
		db->table_max = half > OPEN_MAX ? OPEN_MAX : half ? half : 1;
	}
	if (db->table_count >= db->table_max && !db->private)
		close_least_used(db);
	if (db->table_count < db->table_cap)
		return 0;
	size_t cap = db->table_cap ? 2 * db->table_cap : 16;
	struct open_table **p = realloc(db->tables, cap * sizeof(*p));
	if (!p)
		return fail_memory();
	db->tables = p;
	db->table_cap = cap;
	return 0;
}

static void remember(struct lsm *db, struct open_table *o)
{
	size_t i = place_of(db, o->number);
	memmove(db->tables + i + 1, db->tables + i, (db->table_count++ - i) * sizeof(*db->tables));
	db->tables[i] = o;
	o->listed = true;
}

static int find_or_open(struct lsm *db, const struct table_meta *meta, struct open_table **out)
{
	size_t i = place_of(db, meta->number);
	if (i < db->table_count && db->tables[i]->number == meta->number) {
		*out = db->tables[i];
		(*out)->used = ++db->table_uses;
		return 0;
	}
	int rc = make_room(db);
	if (rc)
		return rc;
	struct open_table *o = calloc(1, sizeof(*o));
	if (!o)
		return fail_memory();
	o->number = meta->number;
	o->used = ++db->table_uses;
	o->fd = -1;
	rc = open_one(db, meta, o);
	if (rc) {
		close_one(o);
		return rc;
	}
	remember(db, o);
	*out = o;
	return 0;
}

int tables_open(struct lsm *db, const struct table_meta *meta, struct table **out)
{
	struct open_table *o;
	int rc = find_or_open(db, meta, &o);
	if (!rc)
		*out = o->table;
	return rc;
}

int tables_hold(struct lsm *db, const struct table_meta *meta, struct open_table **held, struct table **out)
{
	int rc = find_or_open(db, meta, held);
	if (!rc) {
		(*held)->holders++;
		*out = (*held)->table;
	}
	return rc;
}

void tables_unhold(struct open_table *o)
{
	o->holders--;
	close_one(o);
}

/* ---- looking for a key */

/* `once`: a table that does not have the key is closed again, and its memory is used for the next. */
static int look(struct lsm *db, const struct table_meta *meta, struct sst_slice key, uint64_t snapshot,
	struct sst_slice *value, bool once)
{
	struct table *t;
	struct table_found found;
	size_t open_before = db->table_count;
	int rc = tables_open(db, meta, &t);
	if (!rc)
		rc = table_get(t, key, snapshot, &found);
	if (rc == SST_NO && once && db->table_count > open_before)
		close_at(db, place_of(db, meta->number));
	if (rc)
		return rc;
	if (found.type != TYPE_VALUE)
		return KEY_DELETED;
	*value = found.value;
	return 0;
}

/* A largest key that stands for the end of a range tombstone is not in the table itself. */
static bool may_have(const struct table_meta *m, struct sst_slice key, enum key_order order)
{
	uint64_t end = tag_make(SEQUENCE_MAX, TYPE_RANGE_DELETION);
	int c = order_cmp_user(order, key, ikey_user(buf_slice(&m->largest)));
	return order_cmp_user(order, ikey_user(buf_slice(&m->smallest)), key) <= 0 &&
	       (c < 0 || (c == 0 && ikey_tag(buf_slice(&m->largest)) != end));
}

/* The first of tables [from, to), which are in order, whose largest user key is >= key. */
static size_t first_reaching(const struct version *v, size_t from, size_t to, struct sst_slice key, enum key_order order)
{
	while (from < to) {
		size_t mid = from + (to - from) / 2;
		if (order_cmp_user(order, ikey_user(buf_slice(&v->tables[mid].largest)), key) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

int tables_get(struct lsm *db, struct sst_slice key, uint64_t snapshot, struct sst_slice *value)
{
	const struct version *v = &db->version;
	size_t i = 0;
	bool once = !db->looked_in_tables; /* it may be the only lookup of this process */
	db->looked_in_tables = true;
	while (i < v->table_count) {
		unsigned level = v->tables[i].level;
		size_t end = i;
		while (end < v->table_count && v->tables[end].level == level)
			end++;
		if (level)
			i = first_reaching(v, i, end, key, db->order);
		for (; i < end; i++) {
			if (level && order_cmp_user(db->order, key, ikey_user(buf_slice(&v->tables[i].smallest))) < 0)
				break;
			if (!may_have(&v->tables[i], key, db->order))
				continue;
			int rc = look(db, &v->tables[i], key, snapshot, value, once);
			if (rc != SST_NO)
				return rc == KEY_DELETED ? SST_NO : rc;
		}
		i = end;
	}
	return SST_NO;
}
