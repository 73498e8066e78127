/* SPDX-License-Identifier: MIT */
/*
 * Scan: a snapshot of the store in order
 *
 *     view + snapshot (view.c) -> its memtables, mapped for this scan; its tables, all opened now
 *     -> merging iterator -> the versions <= snapshot of each key, folded into a value (fold.c) -> out
 *
 * What is mapped and open stays readable when its name is gone, so from the moment everything is open the scan depends on
 * nobody: no lock, no pin. A file that is missing while opening means that the view has moved: begin again.
 *
 * Range tombstones (RocksDB's) are not in the merge: each entry is held against those of all tables.
 *
 * Bounds are of keys in bytewise order, whatever the order of the walk: in that of RocksDB's reverse comparator, or
 * backwards, it begins at the other bound.
 */
#include "db/scan.h"

#include <stdlib.h>

#include "base/merge.h"
#include "base/status.h"
#include "db/foreign.h"
#include "db/tables.h"
#include "table/reader.h"

/* Range tombstones, and the table they are of, outside whose bounds they do not count: RocksDB writes one that spans
 * several tables into each of them whole, and may forget it with the keys of one before the others. */
struct scan_dels {
	const struct range_dels *dels;
	const struct table_meta *meta; /* NULL: those of the logs */
};

struct lsm_scan {
	struct lsm *db;
	uint64_t snapshot;
	enum key_order order;
	bool reverse, started, done;
	bool has_upper;
	struct buf lower, upper; /* user keys: lower <= key < upper, in bytewise or reverse order */

	struct memtable *memtables; /* ours to close unless the store is private */
	size_t memtable_count;
	struct open_table **open;
	struct table **tables; /* beside open */
	const struct table_meta **metas;
	struct table_meta *meta_copies; /* bounds for the level iterators */
	size_t table_count;
	struct scan_dels *dels;
	size_t del_count;

	struct iter *it;
	bool pending;	/* it stands on an entry that was not looked at yet */
	struct buf key; /* the last one looked at */
	bool has_key;
	struct fold fold; /* its versions */
};

/* ---------------------------------------------------------------- bounds */

/* The smallest string above all that begin with prefix; false: there is none. */
static bool successor(struct buf *b, struct sst_slice prefix)
{
	size_t n = prefix.size;
	while (n && prefix.data[n - 1] == 0xff)
		n--;
	buf_append(b, prefix.data, n);
	if (n && !b->failed)
		b->data[n - 1]++;
	return n > 0;
}

static int set_bounds(struct lsm_scan *s, const struct lsm_scan_options *o)
{
	struct buf end = {0};
	buf_append_slice(&s->lower, slice_cmp(o->from, o->prefix) > 0 ? o->from : o->prefix);
	s->has_upper = o->prefix.size && successor(&end, o->prefix);
	if (o->has_to && (!s->has_upper || slice_cmp(o->to, buf_slice(&end)) < 0)) {
		buf_clear(&end);
		buf_append_slice(&end, o->to);
		s->has_upper = true;
	}
	s->upper = end;
	s->reverse = o->reverse;
	int rc = buf_check(&s->lower);
	return rc ? rc : buf_check(&s->upper);
}

static bool below(const struct lsm_scan *s, struct sst_slice key)
{
	return slice_cmp(key, buf_slice(&s->lower)) < 0;
}

static bool above(const struct lsm_scan *s, struct sst_slice key)
{
	return s->has_upper && slice_cmp(key, buf_slice(&s->upper)) >= 0;
}

/* ---------------------------------------------------------------- sources */

static int take_memtables(struct lsm_scan *s, const struct view *v)
{
	size_t n = (size_t)(v->active - v->oldest + 1);
	s->memtables = calloc(n, sizeof(*s->memtables));
	if (!s->memtables)
		return fail_memory();
	for (uint64_t g = v->active; g >= v->oldest; g--) {
		struct memtable *m = &s->memtables[s->memtable_count];
		int rc = view_memtable_own(s->db, g, m);
		if (rc)
			return rc == SST_NO ? VIEW_MOVED : rc;
		s->memtable_count++;
	}
	return 0;
}

static bool overlaps(const struct lsm_scan *s, const struct table_meta *m)
{
	bool reverse = s->order == ORDER_REVERSE;
	return !above(s, ikey_user(buf_slice(reverse ? &m->largest : &m->smallest))) &&
	       !below(s, ikey_user(buf_slice(reverse ? &m->smallest : &m->largest)));
}

static int copy_meta(struct table_meta *to, const struct table_meta *from)
{
	to->number = from->number;
	to->level = from->level;
	buf_append_slice(&to->smallest, buf_slice(&from->smallest));
	buf_append_slice(&to->largest, buf_slice(&from->largest));
	int rc = buf_check(&to->smallest);
	return rc ? rc : buf_check(&to->largest);
}

static int take_table(struct lsm_scan *s, const struct table_meta *m)
{
	size_t i = s->table_count;
	int rc = tables_hold(s->db, m, &s->open[i], &s->tables[i]);
	if (rc)
		return rc;
	s->table_count++;
	s->metas[i] = &s->meta_copies[i];
	rc = copy_meta(&s->meta_copies[i], m);
	const struct range_dels *dels;
	if (!rc)
		rc = table_range_dels(s->tables[i], &dels);
	if (!rc && dels->count)
		s->dels[s->del_count++] = (struct scan_dels){dels, s->metas[i]};
	return rc;
}

static int take_tables(struct lsm_scan *s, const struct view *v)
{
	int rc = view_version(s->db, v);
	if (rc)
		return rc == SST_NO ? VIEW_MOVED : rc;
	size_t n = s->db->version.table_count + 1;
	s->open = calloc(n, sizeof(struct open_table *));
	s->tables = calloc(n, sizeof(struct table *));
	s->metas = calloc(n, sizeof(struct table_meta *));
	s->meta_copies = calloc(n, sizeof(*s->meta_copies));
	s->dels = calloc(n, sizeof(*s->dels));
	if (!s->open || !s->tables || !s->metas || !s->meta_copies || !s->dels)
		return fail_memory();
	if (s->db->log_dels.count)
		s->dels[s->del_count++] = (struct scan_dels){&s->db->log_dels, NULL};
	for (size_t i = 0; i < s->db->version.table_count && !rc; i++)
		if (overlaps(s, &s->db->version.tables[i]))
			rc = take_table(s, &s->db->version.tables[i]);
	return rc;
}

static void drop_sources(struct lsm_scan *s)
{
	iter_free(s->it);
	s->it = NULL;
	for (size_t i = 0; i < s->memtable_count && !s->db->private; i++)
		memtable_close(&s->memtables[i]);
	for (size_t i = 0; i < s->table_count; i++) {
		tables_unhold(s->open[i]);
		table_meta_release(&s->meta_copies[i]);
	}
	free(s->memtables);
	free(s->open);
	free(s->tables);
	free(s->metas);
	free(s->meta_copies);
	free(s->dels);
	s->memtables = NULL;
	s->open = NULL;
	s->tables = NULL;
	s->metas = NULL;
	s->meta_copies = NULL;
	s->dels = NULL;
	s->memtable_count = s->table_count = s->del_count = 0;
}

/* ---------------------------------------------------------------- merge */

static int merge_sources(struct lsm_scan *s)
{
	struct iter **child = calloc(s->memtable_count + s->table_count + 1, sizeof(struct iter *));
	size_t n = 0;
	if (!child)
		return fail_memory();
	bool ok = true;
	for (size_t i = 0; i < s->memtable_count && ok; i++) {
		child[n] = s->order == ORDER_REVERSE ? sorted_iter_new(&s->memtables[i], s->snapshot)
						     : memtable_iter_new(&s->memtables[i], s->snapshot);
		ok = child[n] != NULL;
		n += ok;
	}
	for (size_t i = 0; i < s->table_count && ok;) {
		size_t end = i + 1;
		if (s->metas[i]->level)
			while (end < s->table_count && s->metas[end]->level == s->metas[i]->level)
				end++;
		child[n] = end - i == 1 ? table_iter_new(s->tables[i])
					: level_iter_new(s->tables + i, s->metas + i, end - i);
		ok = child[n] != NULL;
		n += ok;
		i = end;
	}
	if (ok) {
		s->it = merge_new(child, n, s->order == ORDER_REVERSE ? order_cmp_reverse : NULL);
	} else {
		while (n)
			iter_free(child[--n]);
	}
	free(child);
	return s->it ? 0 : fail_memory();
}

/* ---------------------------------------------------------------- what a reader sees */

static bool within(const struct lsm_scan *s, const struct table_meta *m, struct sst_slice ikey)
{
	return order_cmp(s->order, buf_slice(&m->smallest), ikey) <= 0 &&
	       order_cmp(s->order, ikey, buf_slice(&m->largest)) <= 0;
}

static bool covered(const struct lsm_scan *s, struct sst_slice ikey)
{
	for (const struct scan_dels *d = s->dels; d < s->dels + s->del_count; d++)
		if (range_dels_covering(d->dels, ikey_user(ikey), s->snapshot) > tag_sequence(ikey_tag(ikey)) &&
			(!d->meta || within(s, d->meta, ikey)))
			return true;
	return false;
}

/* The type of the entry the iterator stands on: a deletion, if a range tombstone covers it. */
static uint8_t type_here(const struct lsm_scan *s)
{
	uint8_t type = tag_type(ikey_tag(s->it->key));
	return type != TYPE_DELETION && covered(s, s->it->key) ? TYPE_DELETION : type;
}

/* Where the walk begins. In the reverse order the keys below upper come first, those from lower on last. */
static int start(struct lsm_scan *s)
{
	bool reverse = s->order == ORDER_REVERSE;
	bool from_upper = s->reverse != reverse;
	bool bounded = from_upper ? s->has_upper : s->lower.size > 0;
	struct buf target = {0};
	s->started = true;
	if (!bounded)
		return s->reverse ? iter_seek_last(s->it) : iter_seek_first(s->it);
	/* All versions of the key at the bound are within it at its lower end and without at its upper end. */
	put_ikey(&target, buf_slice(from_upper ? &s->upper : &s->lower),
		reverse ? 0 : tag_make(SEQUENCE_MAX, TYPE_SEEK));
	int rc = buf_check(&target);
	if (!rc)
		rc = s->reverse ? iter_seek_before(s->it, buf_slice(&target)) : iter_seek(s->it, buf_slice(&target));
	buf_release(&target);
	return rc;
}

static bool behind_end(const struct lsm_scan *s, struct sst_slice user)
{
	return s->reverse != (s->order == ORDER_REVERSE) ? below(s, user) : above(s, user);
}

/* On to the next entry that the snapshot shows and the bounds take in. SST_NO: there is none any more. */
static int step(struct lsm_scan *s)
{
	if (s->done)
		return SST_NO;
	for (;;) {
		int rc = s->pending	 ? 0
			 : !s->started ? start(s)
			 : s->reverse  ? iter_prev(s->it)
				       : iter_next(s->it);
		s->pending = false;
		if (rc == 0 && tag_sequence(ikey_tag(s->it->key)) > s->snapshot)
			continue;
		if (rc == 0 && behind_end(s, ikey_user(s->it->key)))
			rc = SST_NO;
		s->done = rc != 0;
		return rc;
	}
}

static bool same_key(const struct lsm_scan *s)
{
	return s->has_key && slice_eq(ikey_user(s->it->key), buf_slice(&s->key));
}

static int begin_key(struct lsm_scan *s)
{
	fold_start(&s->fold);
	buf_clear(&s->key);
	buf_append_slice(&s->key, ikey_user(s->it->key));
	s->has_key = true;
	return buf_check(&s->key);
}

/* Adds the versions from the one it stands on. Forwards until no more matter, backwards all. */
static int fold_versions(struct lsm_scan *s)
{
	int rc;
	do {
		rc = fold_add(&s->fold, buf_slice(&s->key), type_here(s), s->it->value);
		if (!rc)
			rc = step(s);
	} while (!rc && same_key(s));
	s->pending = rc == 0;
	return rc < 0 ? rc : 0;
}

/* Of the key the iterator stands on, at its first version of the walk: 0 with the value, SST_NO: it is not there. */
static int read_key(struct lsm_scan *s, struct sst_slice *value)
{
	int rc = begin_key(s);
	if (rc)
		return rc;
	uint8_t type = s->reverse ? TYPE_MERGE : type_here(s);
	if (type == TYPE_DELETION || type == TYPE_SINGLE_DELETION)
		return SST_NO;
	if (type == TYPE_VALUE) {
		*value = s->it->value;
		return 0;
	}
	rc = fold_versions(s);
	return rc ? rc : fold_finish(&s->fold, buf_slice(&s->key), value);
}

/* Something is damaged: a table, or a memtable? */
static void blame(struct lsm_scan *s)
{
	for (size_t i = 0; i < s->memtable_count; i++) {
		struct iter *it = memtable_iter_new(&s->memtables[i], s->snapshot);
		int rc = it ? iter_seek_first(it) : SST_ENOMEM;
		while (!rc)
			rc = iter_next(it);
		store_condemn(s->db, rc);
		iter_free(it);
	}
}

int lsm_scan_next(struct lsm_scan *s, struct sst_slice *key, struct sst_slice *value)
{
	int rc;
	while (!(rc = step(s))) {
		if (same_key(s))
			continue; /* an older version */
		rc = read_key(s, value);
		if (rc == SST_NO)
			continue;
		*key = buf_slice(&s->key);
		break;
	}
	if (rc == SST_ECORRUPT)
		blame(s);
	return rc;
}

/* ---------------------------------------------------------------- life */

static int open_sources(struct lsm_scan *s)
{
	bool rebuilt = false;
	int rc = 0;
	while (!rc) {
		struct view v = view_read(s->db, &s->snapshot);
		rc = v.active ? take_memtables(s, &v) : fail(SST_ECORRUPT, "the control segment is damaged");
		if (!rc)
			rc = take_tables(s, &v);
		if (!rc)
			return merge_sources(s);
		drop_sources(s);
		rc = view_retry(s->db, &v, rc, &rebuilt);
	}
	return rc;
}

int lsm_scan_new(struct lsm_scan **out, struct lsm *db, const struct lsm_scan_options *opt)
{
	static const struct lsm_scan_options everything;
	*out = NULL;
	int rc = store_ready(db);
	if (rc)
		return rc;
	struct lsm_scan *s = calloc(1, sizeof(*s));
	if (!s)
		return fail_memory();
	s->db = db;
	s->order = db->order;
	rc = set_bounds(s, opt ? opt : &everything);
	s->fold = (struct fold){.db = db, .newest_first = !s->reverse};
	if (!rc)
		rc = open_sources(s);
	if (rc) {
		lsm_scan_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

uint64_t lsm_scan_sequence(const struct lsm_scan *s)
{
	return s->snapshot;
}

void lsm_scan_free(struct lsm_scan *s)
{
	if (!s)
		return;
	drop_sources(s);
	buf_release(&s->lower);
	buf_release(&s->upper);
	buf_release(&s->key);
	fold_release(&s->fold);
	free(s);
}
