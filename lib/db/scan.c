/* SPDX-License-Identifier: MIT */
/*
 * Scan: a snapshot of the store in order
 *
 *     view + snapshot (view.c) -> its memtables, mapped for this scan; its tables, all opened now
 *     -> merging iterator -> newest version <= snapshot of each key, if that is a value -> out
 *
 * What is mapped and open stays readable when its name is gone, so from the moment everything is open the scan depends on
 * nobody: no lock, no pin. A file that is missing while opening means that the view has moved: begin again.
 *
 * Range tombstones (RocksDB's) are not in the merge: each value is held against those of all tables.
 */
#include "db/scan.h"

#include <stdlib.h>

#include "base/merge.h"
#include "base/status.h"
#include "db/apply.h"
#include "db/tables.h"
#include "table/reader.h"

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
	const struct range_dels **dels;
	size_t del_count;

	struct iter *it;
	bool pending;	      /* it stands on an entry that was not looked at yet */
	struct buf key, value; /* the last key given; reverse: the candidate */
	uint64_t tag;
	bool has_key;
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
	/* In reverse order bounds say nothing here; and tables are few. */
	return s->order != ORDER_BYTEWISE || (!above(s, ikey_user(buf_slice(&m->smallest))) &&
						     !below(s, ikey_user(buf_slice(&m->largest))));
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
		s->dels[s->del_count++] = dels;
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
	s->dels = calloc(n, sizeof(struct range_dels *));
	if (!s->open || !s->tables || !s->metas || !s->meta_copies || !s->dels)
		return fail_memory();
	if (s->db->log_dels.count)
		s->dels[s->del_count++] = &s->db->log_dels;
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

static bool covered(const struct lsm_scan *s, struct sst_slice key, uint64_t sequence)
{
	for (size_t i = 0; i < s->del_count; i++)
		if (range_dels_covering(s->dels[i], key, s->snapshot) > sequence)
			return true;
	return false;
}

/* 0: (key, tag) is a value to be shown; SST_NO: it is not; or an error. */
static int judge(const struct lsm_scan *s, struct sst_slice key, uint64_t tag)
{
	uint8_t type = tag_type(tag);
	if (type == TYPE_DELETION || type == TYPE_SINGLE_DELETION || covered(s, key, tag_sequence(tag)))
		return SST_NO;
	return type == TYPE_VALUE ? 0 : fail_key(SST_EUNSUPPORTED, key, "its newest entry is a %s", value_type_name(type));
}

static int start(struct lsm_scan *s)
{
	struct buf target = {0};
	int rc;
	s->started = true;
	if (s->order == ORDER_REVERSE) {
		rc = s->reverse ? iter_seek_last(s->it) : iter_seek_first(s->it);
	} else if (s->reverse) {
		put_ikey(&target, buf_slice(&s->upper), tag_make(SEQUENCE_MAX, TYPE_SEEK));
		rc = s->has_upper ? iter_seek_before(s->it, buf_slice(&target)) : iter_seek_last(s->it);
	} else {
		put_ikey(&target, buf_slice(&s->lower), tag_make(SEQUENCE_MAX, TYPE_SEEK));
		rc = s->lower.size ? iter_seek(s->it, buf_slice(&target)) : iter_seek_first(s->it);
	}
	buf_release(&target);
	return rc;
}

static int step(struct lsm_scan *s)
{
	if (!s->started)
		return start(s);
	return s->reverse ? iter_prev(s->it) : iter_next(s->it);
}

static int next_forward(struct lsm_scan *s, struct sst_slice *key, struct sst_slice *value)
{
	for (;;) {
		int rc = step(s);
		if (rc)
			return rc;
		struct sst_slice user = ikey_user(s->it->key);
		uint64_t tag = ikey_tag(s->it->key);
		if (tag_sequence(tag) > s->snapshot)
			continue;
		if (s->has_key && slice_eq(user, buf_slice(&s->key)))
			continue; /* an older version */
		if (s->order == ORDER_BYTEWISE && above(s, user))
			return SST_NO;
		s->key.size = 0;
		buf_append_slice(&s->key, user);
		s->has_key = true;
		rc = buf_check(&s->key);
		if (!rc && s->order == ORDER_REVERSE && (above(s, user) || below(s, user)))
			continue;
		if (!rc)
			rc = judge(s, user, tag);
		if (rc == SST_NO)
			continue;
		*key = buf_slice(&s->key);
		*value = s->it->value;
		return rc;
	}
}

/* Backwards the newest version of a key comes last: each is a candidate until another key, or the end, appears. */
static int next_backward(struct lsm_scan *s, struct sst_slice *key, struct sst_slice *value)
{
	for (;;) {
		int rc = s->pending ? 0 : s->done ? SST_NO : step(s);
		s->pending = false;
		if (rc < 0)
			return rc;
		struct sst_slice user = rc ? slice_of(NULL, 0) : ikey_user(s->it->key);
		if (!rc && s->order == ORDER_BYTEWISE && below(s, user))
			rc = SST_NO;
		if (rc)
			s->done = true;
		if (s->has_key && (rc || !slice_eq(user, buf_slice(&s->key)))) {
			s->has_key = false;
			s->pending = rc == 0;
			*key = buf_slice(&s->key);
			*value = buf_slice(&s->value);
			bool outside = s->order == ORDER_REVERSE && (above(s, *key) || below(s, *key));
			int verdict = outside ? SST_NO : judge(s, *key, s->tag);
			if (verdict != SST_NO)
				return verdict;
			continue;
		}
		if (rc)
			return SST_NO;
		if (tag_sequence(ikey_tag(s->it->key)) > s->snapshot)
			continue;
		buf_clear(&s->key);
		buf_clear(&s->value);
		buf_append_slice(&s->key, user);
		buf_append_slice(&s->value, s->it->value);
		s->tag = ikey_tag(s->it->key);
		s->has_key = true;
		rc = buf_check(&s->key);
		if (!rc)
			rc = buf_check(&s->value);
		if (rc)
			return rc;
	}
}

int lsm_scan_next(struct lsm_scan *s, struct sst_slice *key, struct sst_slice *value)
{
	return s->reverse ? next_backward(s, key, value) : next_forward(s, key, value);
}

/* ---------------------------------------------------------------- life */

static int open_sources(struct lsm_scan *s)
{
	for (;;) {
		struct view v = view_read(s->db, &s->snapshot);
		if (!v.active)
			return fail(SST_ECORRUPT, "the control segment is damaged");
		int rc = take_memtables(s, &v);
		if (!rc)
			rc = take_tables(s, &v);
		if (!rc)
			return merge_sources(s);
		drop_sources(s);
		if (rc != VIEW_MOVED)
			return rc;
		if (view_read(s->db, NULL).number == v.number)
			return fail(SST_ECORRUPT, "store '%s': a file it needs is missing", s->db->path);
	}
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
	buf_release(&s->value);
	free(s);
}
