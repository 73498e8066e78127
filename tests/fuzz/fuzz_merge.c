/* SPDX-License-Identifier: MIT */
/*
 * Two or three tables as one, with what is damaged left out: sst_merge_*, the way of sst-merge --skip-bad. Checksums count,
 * as they do there, so whole tables of the seeds stand beside damaged ones. What must hold, whatever the bytes are:
 *
 *     keys rise, a walk ends, and damage that is left out is told with a message, of a table that there is
 *     an entry comes, byte for byte, out of one of the tables, where an own iterator that leaves damage out finds it too
 *     nothing damaged and no error: for each key what the newest of the tables' own views says, worked out here by hand
 *     damage that nobody asks to leave out ends the walk behind the same entries
 *
 *     input    flags:1   size:2 of each table but the last   tables
 *     flags    1 = deletions are given   2 = three tables, else two
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/coding.h"
#include "sst.h"
#include "take.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TABLES = 3, STEPS = 20000 };

static void need(bool what)
{
	if (!what)
		abort();
}

/* ---------------------------------------------------------------- the tables */

struct tables {
	struct sst_table *open[TABLES];
	size_t count;
	bool deletions;
};

/* Those that can be opened, in their order. */
static void open_tables(struct tables *t, struct sst_slice in)
{
	uint8_t flags = take(&in, 1).data[0];
	size_t n = flags & 2 ? 3 : 2, sizes[TABLES] = {0};
	*t = (struct tables){.deletions = flags & 1};
	for (size_t i = 0; i + 1 < n; i++)
		sizes[i] = take_size(&in);
	sizes[n - 1] = SIZE_MAX;
	for (size_t i = 0; i < n; i++) {
		struct sst_slice bytes = take(&in, sizes[i]);
		if (sst_table_open_memory(&t->open[t->count], bytes.data, bytes.size, "fuzz") == 0)
			t->count++;
	}
}

static void close_tables(struct tables *t)
{
	for (size_t i = 0; i < t->count; i++)
		sst_table_close(t->open[i]);
}

/* ---------------------------------------------------------------- what comes out */

/* Entries one behind the other: type:1 sequence:8 slice key slice value. */
struct list {
	struct buf bytes;
	size_t count;
	int rc; /* how the walk ended */
	unsigned damages;
	size_t tables;
};

static void list_add(struct list *l, const struct sst_entry *e)
{
	buf_push(&l->bytes, (uint8_t)e->type);
	put_fixed64(&l->bytes, e->sequence);
	put_slice(&l->bytes, e->key);
	put_slice(&l->bytes, e->value);
	l->count++;
}

static bool list_take(struct sst_slice *in, struct sst_entry *e)
{
	if (!in->size)
		return false;
	*e = (struct sst_entry){.type = take(in, 1).data[0]};
	need(get_fixed64(in, &e->sequence) && get_slice(in, &e->key) && get_slice(in, &e->value));
	return true;
}

static void see_damage(void *arg, size_t table, const struct sst_damage *d)
{
	struct list *l = arg;
	need(d->what && *d->what && table < l->tables);
	l->damages++;
}

static void merge(const struct tables *t, bool skip_bad, struct list *l)
{
	struct sst_merge_options o = {.deletions = t->deletions, .damage = skip_bad ? see_damage : NULL, .damage_arg = l};
	struct sst_merge *m;
	struct sst_entry e;
	struct buf last = {0};
	*l = (struct list){.tables = t->count};
	l->rc = sst_merge_new(&m, t->open, t->count, &o);
	if (l->rc)
		return;
	while (l->count < STEPS && (l->rc = sst_merge_next(m, &e)) == 0) {
		need(!l->count || slice_cmp(buf_slice(&last), e.key) < 0);
		need(e.type == SST_PUT || (t->deletions && (e.type == SST_DELETE || e.type == SST_SINGLE_DELETE)));
		buf_clear(&last);
		buf_append_slice(&last, e.key);
		list_add(l, &e);
	}
	need(l->rc <= SST_NO);
	if (l->rc < 0)
		need(*sst_errmsg());
	sst_merge_free(m);
	buf_release(&last);
}

/* ---------------------------------------------------------------- held against the tables themselves */

/* Whether table t, walked by itself, damage left out, has the entry. */
static bool table_has(struct sst_table *t, const struct sst_entry *want)
{
	struct sst_iter *it;
	struct sst_entry e;
	struct sst_damage d;
	bool found = false;
	if (sst_iter_new(&it, t, SST_ITER_ALL))
		return false;
	int rc = sst_iter_first(it, &e);
	for (unsigned n = 0; rc != SST_NO && n < 2 * STEPS && !found; n++) {
		found = rc == 0 && e.type == want->type && slice_eq(e.key, want->key) && slice_eq(e.value, want->value) &&
			e.sequence == want->sequence;
		if (rc < 0 && rc != SST_ECORRUPT)
			break;
		rc = rc ? sst_iter_skip(it, false, &d, &e) : sst_iter_next(it, &e);
	}
	sst_iter_free(it);
	return found;
}

/* Every entry is of some table. Enough of them to catch a mistake, few enough to be fast. */
static void check_origin(const struct tables *t, const struct list *l)
{
	struct sst_slice in = buf_slice(&l->bytes);
	struct sst_entry e;
	for (unsigned n = 0; n < 16 && list_take(&in, &e); n++) {
		bool found = false;
		for (size_t i = 0; i < t->count && !found; i++)
			found = table_has(t->open[i], &e);
		need(found);
	}
}

/* What the newest table by sequence number, then by place, says of a key, by sst_table_get, range deletions included,
 * which shares no code with the merge. false: that cannot be told, since a table's newest entry is of a kind that has no answer. REQUIRES: one has
 * the key. */
static bool newest(const struct tables *t, struct sst_slice key, struct sst_entry *best)
{
	bool any = false;
	for (size_t i = 0; i < t->count; i++) {
		struct sst_entry e;
		int rc = sst_table_get(t->open[i], key, &e);
		if (rc == SST_EUNSUPPORTED)
			return false;
		need(rc >= 0);
		if (rc == 0 && (!any || e.sequence > best->sequence))
			*best = e;
		any |= rc == 0;
	}
	need(any);
	return true;
}

static bool is_given(const struct tables *t, const struct sst_entry *e)
{
	return e->type == SST_PUT || (t->deletions && (e->type == SST_DELETE || e->type == SST_SINGLE_DELETE));
}

static void check_given(const struct tables *t, const struct list *l)
{
	struct sst_slice in = buf_slice(&l->bytes);
	struct sst_entry e, best;
	while (list_take(&in, &e))
		if (newest(t, e.key, &best))
			need(best.type == e.type && best.sequence == e.sequence && slice_eq(best.value, e.value));
}

static bool has_key(const struct list *l, struct sst_slice key)
{
	struct sst_slice in = buf_slice(&l->bytes);
	struct sst_entry e;
	while (list_take(&in, &e))
		if (slice_eq(e.key, key))
			return true;
	return false;
}

/* No key of table t that is to be given was left out. Of the first ones, for speed. */
static void check_complete(const struct tables *t, const struct list *l, struct sst_table *of)
{
	struct sst_iter *it;
	struct sst_entry e, best;
	struct buf key = {0};
	need(sst_iter_new(&it, of, SST_ITER_ALL) == 0);
	int rc = sst_iter_first(it, &e);
	for (unsigned n = 0; n < 200 && rc == 0; n++, rc = sst_iter_next(it, &e)) {
		buf_clear(&key);
		buf_append_slice(&key, e.key);
		if (newest(t, buf_slice(&key), &best))
			need(is_given(t, &best) == has_key(l, buf_slice(&key)));
	}
	need(rc >= 0);
	sst_iter_free(it);
	buf_release(&key);
}

/* REQUIRES: nothing made for ingestion, nothing damaged. */
static void check_newest(const struct tables *t, const struct list *l)
{
	check_given(t, l);
	for (size_t i = 0; i < t->count; i++)
		check_complete(t, l, t->open[i]);
}

static int see_property(void *arg, const struct sst_property *p)
{
	bool *external = arg;
	*external |= slice_eq(p->name, slice_str("rocksdb.external_sst_file.version"));
	return 0;
}

static bool is_plain(const struct tables *t)
{
	bool external = false;
	for (size_t i = 0; i < t->count; i++)
		if (sst_table_properties(t->open[i], see_property, &external) || external)
			return false;
	return true;
}

/* Is there nothing that sst-check, which looks at more than a walk does, calls damaged? */
static void no_damage(void *arg, const struct sst_damage *d)
{
	(void)arg;
	need(d->what);
}

static bool is_sound(const struct tables *t)
{
	for (size_t i = 0; i < t->count; i++) {
		struct sst_check_stats stats;
		if (sst_table_check(t->open[i], no_damage, NULL, &stats))
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tables t;
	struct list salvaged, strict;
	if (size < 1)
		return 0;
	open_tables(&t, slice_of(data, size));
	merge(&t, true, &salvaged);
	merge(&t, false, &strict);
	check_origin(&t, &salvaged);
	if (!salvaged.damages) {
		need(salvaged.rc == strict.rc && slice_eq(buf_slice(&salvaged.bytes), buf_slice(&strict.bytes)));
		if (salvaged.rc == SST_NO && is_plain(&t) && is_sound(&t))
			check_newest(&t, &salvaged);
	} else {
		need(strict.rc < 0 || strict.count == STEPS);
	}
	buf_release(&salvaged.bytes);
	buf_release(&strict.bytes);
	close_tables(&t);
	return 0;
}
