/* SPDX-License-Identifier: MIT */
#include "version/version.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/status.h"

#define FAMILIES_MAX 4096

/* One line of some edit: table `number` was added (as metas[meta]) to a level or removed
 * from it. */
struct change {
	uint64_t number;
	uint64_t at; /* offset of the edit + 1; 0: it was there before */
	size_t meta;
	unsigned level;
	bool removed;
};

static void family_release(struct family *f)
{
	buf_release(&f->name);
	buf_release(&f->comparator);
}

void version_release(struct version *v)
{
	for (size_t i = 0; i < v->table_count; i++)
		table_meta_release(&v->tables[i]);
	for (size_t i = 0; i < v->family_count; i++)
		family_release(&v->families[i]);
	free(v->tables);
	free(v->families);
	free(v->blobs);
	buf_release(&v->foreign);
	*v = (struct version){0};
}

bool family_is_bytewise(const struct family *f)
{
	return !f->comparator.size ||
	       slice_eq(buf_slice(&f->comparator), slice_str(BYTEWISE_COMPARATOR));
}

bool family_is_reverse(const struct family *f)
{
	return slice_eq(buf_slice(&f->comparator), slice_str(REVERSE_COMPARATOR));
}

/* Where the family is or would be. */
static size_t family_place(const struct version *v, uint32_t id)
{
	size_t lo = 0, hi = v->family_count;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (v->families[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct family *version_family(const struct version *v, uint32_t id)
{
	size_t i = family_place(v, id);
	return i < v->family_count && v->families[i].id == id ? &v->families[i] : NULL;
}

static struct family *insert_family(struct version *v, uint32_t id)
{
	struct family *all = reallocarray(v->families, v->family_count + 1, sizeof(*all));
	if (!all)
		return NULL;
	v->families = all;
	size_t i = family_place(v, id);
	memmove(all + i + 1, all + i, (v->family_count - i) * sizeof(*all));
	all[i] = (struct family){.id = id};
	v->family_count++;
	return &all[i];
}

int version_init(struct version *v)
{
	*v = (struct version){0};
	struct family *f = insert_family(v, 0);
	if (!f)
		return fail_memory();
	buf_append_slice(&f->name, slice_str("default"));
	buf_append_slice(&f->comparator, slice_str(BYTEWISE_COMPARATOR));
	return buf_check(&f->name) || buf_check(&f->comparator) ? SST_ENOMEM : 0;
}

/* ---------------------------------------------------------------- resolving */

/* By table; then in the order of the edits; one edit removes before it adds. */
static int change_cmp(const void *x, const void *y)
{
	const struct change *a = x, *b = y;
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return (int)b->removed - (int)a->removed;
}

static int wrong_change(const struct change *c, const char *what)
{
	return fail(SST_ECORRUPT, "table %" PRIu64 " %s level %u, by the edit at %" PRIu64,
		c->number, what, c->level, c->at ? c->at - 1 : 0);
}

/* goleveldb enters tables twice in the first edit of a MANIFEST, word for word; LevelDB
 * takes no notice. */
static bool is_repeated(
	const struct builder *b, const struct change *first, const struct change *again)
{
	const struct table_meta *m = &b->metas[first->meta], *n = &b->metas[again->meta];
	return m->level == n->level && m->size == n->size && !m->has_sequences &&
	       !n->has_sequences &&
	       slice_eq(buf_slice(&m->smallest), buf_slice(&n->smallest)) &&
	       slice_eq(buf_slice(&m->largest), buf_slice(&n->largest));
}

/* *there: the living addition of c's table, or NULL. */
static int resolve_one(const struct builder *b, const struct change *c,
	const struct change **there, size_t *alive)
{
	if (c->removed) {
		if (!*there || (*there)->level != c->level)
			return wrong_change(c, "is removed but not at");
		alive[(*there)->meta] = 0;
		*there = NULL;
		return 0;
	}
	if (*there)
		return is_repeated(b, *there, c) ? 0
						 : wrong_change(c, "is added twice, again to");
	alive[c->meta] = 1;
	*there = c;
	return 0;
}

/* Sets alive[i] to 1 for the metas that are still there. */
static int resolve(struct builder *b, size_t *alive)
{
	const struct change *there = NULL;
	if (b->change_count)
		qsort(b->changes, b->change_count, sizeof(*b->changes), change_cmp);
	for (size_t i = 0; i < b->change_count; i++) {
		const struct change *c = &b->changes[i];
		if (there && there->number != c->number)
			there = NULL;
		int rc = resolve_one(b, c, &there, alive);
		if (rc)
			return rc;
	}
	return 0;
}

/* Leaves the living tables, in the order in which they came, and a note of each one's
 * addition. alive[i] becomes 1 + its new place. */
static void sweep(struct builder *b, size_t *alive)
{
	size_t n = 0, changes = 0;
	for (size_t i = 0; i < b->meta_count; i++) {
		if (!alive[i]) {
			table_meta_release(&b->metas[i]);
			continue;
		}
		struct table_meta m = b->metas[i];
		b->metas[n++] = m;
		alive[i] = n;
	}
	b->meta_count = n;
	for (size_t i = 0; i < b->change_count; i++) {
		struct change c = b->changes[i];
		if (c.removed || !alive[c.meta])
			continue;
		c.meta = alive[c.meta] - 1;
		b->changes[changes++] = c;
	}
	b->change_count = changes;
}

static int settle(struct builder *b)
{
	size_t *alive = calloc(b->meta_count + 1, sizeof(*alive));
	int rc = alive ? resolve(b, alive) : fail_memory();
	if (!rc)
		sweep(b, alive);
	free(alive);
	return rc;
}

/* ---------------------------------------------------------------- noting */

static int note(struct builder *b, struct change c)
{
	if (b->change_count == b->change_cap) {
		size_t cap = b->change_cap ? 2 * b->change_cap : 64;
		struct change *p = reallocarray(b->changes, cap, sizeof(*p));
		if (!p)
			return fail_memory();
		b->changes = p;
		b->change_cap = cap;
	}
	b->changes[b->change_count++] = c;
	return 0;
}

/* Room for one more meta: by sweeping out the dead as long as they are the majority, so that
 * memory follows the living. */
static int room_for_meta(struct builder *b)
{
	if (b->meta_count < b->meta_cap)
		return 0;
	int rc = settle(b);
	if (rc || b->meta_count < b->meta_cap / 2)
		return rc;
	size_t cap = b->meta_cap ? 2 * b->meta_cap : 64;
	struct table_meta *p = reallocarray(b->metas, cap, sizeof(*p));
	if (!p)
		return fail_memory();
	b->metas = p;
	b->meta_cap = cap;
	return 0;
}

/* Moves *m into the builder. */
static int note_added(struct builder *b, struct table_meta *m, uint64_t at)
{
	int rc = room_for_meta(b);
	if (rc)
		return rc;
	struct change c = {
		.number = m->number, .at = at, .meta = b->meta_count, .level = m->level};
	rc = note(b, c);
	if (rc)
		return rc;
	b->metas[b->meta_count++] = *m;
	*m = (struct table_meta){0};
	return 0;
}

static void forget_tables(struct builder *b)
{
	for (size_t i = 0; i < b->meta_count; i++)
		table_meta_release(&b->metas[i]);
	b->meta_count = b->change_count = 0;
}

int builder_init(struct builder *b, struct version *v, const char *family)
{
	bool fresh = !v->family_count;
	*b = (struct builder){.v = v, .wanted = family ? family : "default"};
	b->has_family = !fresh || strcmp(b->wanted, "default") == 0;
	if (fresh) {
		struct family *f = insert_family(v, 0);
		if (!f)
			return fail_memory();
		buf_append_slice(&f->name, slice_str("default"));
		v->leveldb = true;
		return buf_check(&f->name);
	}
	for (size_t i = 0; i < v->table_count; i++) {
		int rc = note_added(b, &v->tables[i], 0);
		if (rc)
			return rc;
	}
	free(v->tables);
	v->tables = NULL;
	v->table_count = 0;
	return 0;
}

void builder_release(struct builder *b)
{
	forget_tables(b);
	free(b->metas);
	free(b->changes);
	*b = (struct builder){0};
}

static int add_family(struct builder *b, struct edit *e)
{
	if (version_family(b->v, e->column_family))
		return fail(SST_ECORRUPT, "column family %" PRIu32 " added twice",
			e->column_family);
	if (b->v->family_count == FAMILIES_MAX)
		return fail(SST_EUNSUPPORTED, "more than %d column families", FAMILIES_MAX);
	struct family *f = insert_family(b->v, e->column_family);
	if (!f)
		return fail_memory();
	f->name = e->family_name;
	e->family_name = (struct buf){0};
	if (!b->has_family && slice_eq(buf_slice(&f->name), slice_str(b->wanted))) {
		b->has_family = true;
		b->v->family = f->id;
	}
	return 0;
}

static int drop_family(struct builder *b, struct family *f)
{
	if (f->id == 0)
		return fail(SST_ECORRUPT, "the default column family dropped");
	if (b->has_family && b->v->family == f->id) {
		forget_tables(b);
		b->v->blob_count = 0;
		b->has_family = false;
	}
	family_release(f);
	size_t i = (size_t)(f - b->v->families);
	b->v->family_count--;
	memmove(f, f + 1, (b->v->family_count - i) * sizeof(*f));
	return 0;
}

static int add_family_facts(struct builder *b, struct family *f, struct edit *e)
{
	if (e->has_comparator && f->comparator.size &&
		!slice_eq(buf_slice(&f->comparator), buf_slice(&e->comparator)))
		return fail(
			SST_ECORRUPT, "a second comparator for column family %" PRIu32, f->id);
	if (e->has_comparator) {
		buf_clear(&f->comparator);
		buf_append_slice(&f->comparator, buf_slice(&e->comparator));
	}
	if (e->has_log_number && e->log_number > f->log_number)
		f->log_number = e->log_number;
	if (e->has_log_number && f->id == 0)
		b->has_log_number = true;
	return buf_check(&f->comparator);
}

static int add_store_facts(struct builder *b, const struct edit *e)
{
	struct version *v = b->v;
	if (e->log_number > FILE_NUMBER_MAX || e->prev_log_number > FILE_NUMBER_MAX ||
		e->next_file > FILE_NUMBER_MAX || e->min_log_number > FILE_NUMBER_MAX)
		return fail(SST_ECORRUPT, "a file number is out of range");
	if (e->last_sequence > SEQUENCE_MAX)
		return fail(SST_ECORRUPT, "last sequence number %" PRIu64 " is out of range",
			e->last_sequence);
	v->leveldb = v->leveldb && e->leveldb_only;
	b->has_next_file |= e->has_next_file;
	b->has_last_sequence |= e->has_last_sequence;
	if (e->has_log_number || e->prev_log_number)
		v->prev_log_number = e->prev_log_number;
	if (e->next_file > v->next_file)
		v->next_file = e->next_file;
	if (e->last_sequence > v->last_sequence)
		v->last_sequence = e->last_sequence;
	if (e->min_log_number > v->min_log_number)
		v->min_log_number = e->min_log_number;
	buf_append_slice(&v->foreign, buf_slice(&e->foreign));
	return buf_check(&v->foreign);
}

static int check_line(unsigned level, uint64_t number)
{
	if (level >= LEVELS_MAX)
		return fail(
			SST_EUNSUPPORTED, "table %" PRIu64 " is at level %u", number, level);
	if (number > FILE_NUMBER_MAX)
		return fail(SST_ECORRUPT, "table number %" PRIu64 " is out of range", number);
	return 0;
}

static int add_tables(struct builder *b, struct edit *e, uint64_t at)
{
	for (size_t i = 0; i < e->removed_count; i++) {
		struct change c = {.number = e->removed[i].number,
			.at = at,
			.level = e->removed[i].level,
			.removed = true};
		int rc = check_line(c.level, c.number);
		if (!rc)
			rc = note(b, c);
		if (rc)
			return rc;
	}
	for (size_t i = 0; i < e->added_count; i++) {
		int rc = check_line(e->added[i].level, e->added[i].number);
		if (!rc)
			rc = note_added(b, &e->added[i], at);
		if (rc)
			return rc;
	}
	return 0;
}

/* Where the blob file is or would be; they mostly come in order. */
static size_t blob_place(const struct version *v, uint64_t number)
{
	size_t lo = 0, hi = v->blob_count;
	if (hi && v->blobs[hi - 1].number < number)
		return hi;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (v->blobs[mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int insert_blob(struct version *v, size_t i, const struct blob_change *c)
{
	if (v->blob_count == v->blob_cap) {
		size_t cap = v->blob_cap ? 2 * v->blob_cap : 16;
		struct blob_meta *p = reallocarray(v->blobs, cap, sizeof(*p));
		if (!p)
			return fail_memory();
		v->blobs = p;
		v->blob_cap = cap;
	}
	memmove(v->blobs + i + 1, v->blobs + i, (v->blob_count - i) * sizeof(*v->blobs));
	v->blobs[i] = (struct blob_meta){.number = c->number, .count = c->count};
	v->blob_count++;
	return 0;
}

static int add_blob(struct version *v, const struct blob_change *c)
{
	size_t i = blob_place(v, c->number);
	bool there = i < v->blob_count && v->blobs[i].number == c->number;
	if (c->number > FILE_NUMBER_MAX)
		return fail(SST_ECORRUPT, "blob file number %" PRIu64 " is out of range", c->number);
	if (there != c->garbage)
		return fail(SST_ECORRUPT, "blob file %" PRIu64 " %s", c->number,
			there ? "added twice" : "has garbage but was not added");
	if (!there)
		return insert_blob(v, i, c);
	struct blob_meta *m = &v->blobs[i];
	if (c->count > m->count - m->garbage)
		return fail(SST_ECORRUPT, "blob file %" PRIu64 " has more garbage than blobs",
			c->number);
	m->garbage += c->count;
	return 0;
}

static int add_blobs(struct version *v, const struct edit *e)
{
	int rc = 0;
	for (size_t i = 0; i < e->blob_count && !rc; i++)
		rc = add_blob(v, &e->blobs[i]);
	return rc;
}

/* Of a family that was not asked for only the number of tables is kept. */
static int count_tables(struct family *f, const struct edit *e)
{
	if (e->removed_count > f->tables)
		return fail(SST_ECORRUPT,
			"more tables removed than column family %" PRIu32 " has", f->id);
	f->tables = f->tables - e->removed_count + e->added_count;
	return 0;
}

int builder_add(struct builder *b, struct edit *e, uint64_t at)
{
	int rc = add_store_facts(b, e);
	if (!rc && e->add_family)
		rc = add_family(b, e);
	if (rc)
		return rc;
	struct family *f = version_family(b->v, e->column_family);
	if (!f)
		return fail(SST_ECORRUPT, "unknown column family %" PRIu32, e->column_family);
	if (e->drop_family)
		return drop_family(b, f);
	rc = add_family_facts(b, f, e);
	if (rc)
		return rc;
	if (!b->has_family || f->id != b->v->family)
		return count_tables(f, e);
	rc = add_blobs(b->v, e);
	return rc ? rc : add_tables(b, e, at + 1);
}

/* ---------------------------------------------------------------- completing */

struct order {
	/* Of internal keys; NULL: not known, tables stay as the MANIFEST has them. */
	int (*cmp)(struct sst_slice a, struct sst_slice b);
	bool epochs; /* every table of level 0 has one */
};

static int reverse_cmp(struct sst_slice a, struct sst_slice b)
{
	int c = slice_cmp(ikey_user(b), ikey_user(a));
	return c ? c : tag_cmp(ikey_tag(a), ikey_tag(b));
}

static int newer_first(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

/* Level 0, newest first, as RocksDB's NewestFirstByEpochNumber and NewestFirstBySeqNo;
 * LevelDB's, which all have sequence number 0 here, by number. */
static int level0_cmp(
	const struct table_meta *a, const struct table_meta *b, const struct order *o)
{
	int c = o->epochs ? newer_first(a->epoch, b->epoch) : 0;
	if (!c)
		c = newer_first(a->largest_sequence, b->largest_sequence);
	if (!c)
		c = newer_first(a->smallest_sequence, b->smallest_sequence);
	return c ? c : newer_first(a->number, b->number);
}

static int table_cmp(const void *x, const void *y, void *arg)
{
	const struct table_meta *a = *(struct table_meta *const *)x,
				*b = *(struct table_meta *const *)y;
	const struct order *o = arg;
	int c = 0;
	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	if (a->level == 0)
		c = level0_cmp(a, b, o);
	else if (o->cmp)
		c = o->cmp(buf_slice(&a->smallest), buf_slice(&b->smallest));
	return c ? c : (a > b) - (a < b); /* else as the MANIFEST has them */
}

static struct order order_of(
	const struct version *v, struct table_meta *const *sorted, size_t n)
{
	const struct family *f = version_family(v, v->family);
	struct order o = {.epochs = true};
	if (f && family_is_bytewise(f))
		o.cmp = ikey_cmp;
	else if (f && family_is_reverse(f))
		o.cmp = reverse_cmp;
	for (size_t i = 0; i < n && o.epochs; i++)
		o.epochs = sorted[i]->level != 0 || sorted[i]->epoch;
	return o;
}

static int check_bounds(const struct version *v, const struct order *o)
{
	const struct table_meta *before = NULL;
	for (size_t i = 0; i < v->table_count; i++) {
		const struct table_meta *m = &v->tables[i];
		if (o->cmp(buf_slice(&m->smallest), buf_slice(&m->largest)) > 0)
			return fail(SST_ECORRUPT,
				"table %" PRIu64 ": its smallest key is behind its largest",
				m->number);
		if (before && before->level == m->level && m->level > 0 &&
			o->cmp(buf_slice(&before->largest), buf_slice(&m->smallest)) >= 0)
			return fail(SST_ECORRUPT,
				"tables %" PRIu64 " and %" PRIu64 " overlap at level %u",
				before->number, m->number, m->level);
		before = m;
	}
	return 0;
}

/* Moves the metas into v->tables, in order. sorted: room for a pointer to each. */
static int collect(struct builder *b, struct table_meta **sorted)
{
	struct version *v = b->v;
	size_t n = b->meta_count;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &b->metas[i];
	struct order order = order_of(v, sorted, n);
	qsort_r(sorted, n, sizeof(*sorted), table_cmp, &order);
	v->tables = n ? calloc(n, sizeof(*v->tables)) : NULL;
	if (n && !v->tables)
		return fail_memory();
	for (size_t i = 0; i < n; i++)
		v->tables[i] = *sorted[i];
	v->table_count = n;
	b->meta_count = 0;
	return order.cmp ? check_bounds(v, &order) : 0;
}

static int settle_and_collect(struct builder *b)
{
	int rc = settle(b);
	if (rc)
		return rc;
	struct table_meta **sorted = calloc(b->meta_count + 1, sizeof(*sorted));
	rc = sorted ? collect(b, sorted) : fail_memory();
	free(sorted);
	return rc;
}

static void raise_above(uint64_t *v, uint64_t number)
{
	if (*v <= number)
		*v = number + 1;
}

int builder_finish(struct builder *b)
{
	struct version *v = b->v;
	int rc = b->has_family ? settle_and_collect(b)
			       : fail(SST_ENOENT, "no column family '%s'", b->wanted);
	if (rc)
		return rc;
	struct family *f = version_family(v, v->family);
	f->tables = v->table_count;
	v->log_number = f->log_number;
	v->foreign_tables = 0;
	for (size_t i = 0; i < v->family_count; i++) {
		v->foreign_tables += v->families[i].id == v->family ? 0 : v->families[i].tables;
		raise_above(&v->next_file, v->families[i].log_number);
	}
	for (size_t i = 0; i < v->table_count; i++) {
		raise_above(&v->next_file, v->tables[i].number);
		if (v->tables[i].epoch > v->epoch_max)
			v->epoch_max = v->tables[i].epoch;
	}
	return 0;
}

int version_apply(struct version *v, struct edit *e)
{
	struct builder b;
	int rc = builder_init(&b, v, NULL);
	if (!rc)
		rc = builder_add(&b, e, 0);
	if (!rc)
		rc = builder_finish(&b);
	builder_release(&b);
	return rc;
}
