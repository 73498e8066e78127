/* SPDX-License-Identifier: MIT */
/*
 * The tables of a store that is being checked. lib/table/check.c holds each against itself; here it is held against what
 * the MANIFEST says of it, on which every reader relies and which RocksDB does not verify:
 *
 *     there, of that size, ordered by the column family's comparator
 *     smallest and largest key   the first and last entry's, exactly. With range tombstones, which reach beyond the
 *                                entries, entries lie between them
 *     sequence numbers           likewise; a table made for ingestion has one for all entries
 *     levels from 1 on           do not overlap (the version's builder checks that for the bytewise order)
 *     level 0                    what is newer by its epoch is newer by its sequence numbers, if the two have a key in
 *                                common: the newer one is asked first, and its answer counts
 *     identity                   no two tables with one session identity and number: RocksDB's block cache gives one's
 *                                blocks for the other's
 *     the logs                   are newer than any table
 */
#include <fcntl.h>
#include <stdlib.h>

#include "base/status.h"
#include "db/check.h"
#include "table/check.h"
#include "table/inspect.h"

#define HELD_MAX 400 /* tables kept open; those beyond are opened when their turn comes */
#define PROPERTY_SESSION "rocksdb.creating.session.identity"
#define PROPERTY_NUMBER "rocksdb.original.file.number"

/* ---------------------------------------------------------------- opening */

static int open_table(struct check *c, struct check_table *t)
{
	struct file_id id;
	int rc = file_open_id(&t->fd, &id, c->db->dirfd, file_name(t->name, FILE_TABLE, t->meta->number), O_RDONLY, 0);
	if (rc == SST_ENOENT) {
		rc = file_open_id(&t->fd, &id, c->db->dirfd, file_name(t->name, FILE_TABLE_LDB, t->meta->number), O_RDONLY, 0);
		if (rc == SST_ENOENT) {
			check_say(c, LSM_FINDING_DAMAGE, file_name(t->name, FILE_TABLE, t->meta->number),
				"is missing, the MANIFEST has it at level %u", t->meta->level);
			t->gone = true;
			return 0;
		}
	}
	if (rc) {
		t->gone = true;
		return check_failure(c, rc, t->name);
	}
	if (id.size != t->meta->size)
		check_say(c, LSM_FINDING_DAMAGE, t->name, "has %llu bytes, the MANIFEST says %llu",
			(unsigned long long)id.size, (unsigned long long)t->meta->size);
	return 0;
}

int check_tables_open(struct check *c, struct check_family *f)
{
	size_t n = f->version.table_count;
	int rc = 0;
	f->tables = calloc(n + 1, sizeof(*f->tables));
	if (!f->tables)
		return fail_memory();
	for (size_t i = 0; i < n; i++)
		f->tables[i] = (struct check_table){.meta = &f->version.tables[i], .fd = -1};
	for (size_t i = 0; i < n && !rc && c->held < HELD_MAX; i++, c->held++)
		rc = open_table(c, &f->tables[i]);
	return rc;
}

void check_tables_close(struct check *c, struct check_family *f)
{
	(void)c;
	for (size_t i = 0; f->tables && i < f->version.table_count; i++)
		file_close(&f->tables[i].fd);
	free(f->tables);
	free(f->now);
	f->tables = NULL;
	f->now = NULL;
}

/* ---------------------------------------------------------------- levels */

static const char *table_name(char name[FILE_NAME_MAX], const struct table_meta *m)
{
	return file_name(name, FILE_TABLE, m->number);
}

static struct sst_slice lowest(const struct table_meta *m)
{
	return ikey_user(buf_slice(&m->smallest));
}

static struct sst_slice highest(const struct table_meta *m)
{
	return ikey_user(buf_slice(&m->largest));
}

static bool share_keys(const struct table_meta *a, const struct table_meta *b, enum key_order order)
{
	return order_cmp_user(order, lowest(a), highest(b)) <= 0 && order_cmp_user(order, lowest(b), highest(a)) <= 0;
}

/* a, asked before b, has entries that are older than some of b's. */
static bool is_older(const struct table_meta *a, const struct table_meta *b)
{
	return a->has_sequences && b->has_sequences && b->largest_sequence && a->smallest_sequence <= b->largest_sequence;
}

static void check_before(struct check *c, const struct check_family *f, size_t i, size_t end)
{
	char name[FILE_NAME_MAX], other[FILE_NAME_MAX];
	const struct table_meta *a = &f->version.tables[i];
	for (size_t j = i + 1; j < end; j++) {
		const struct table_meta *b = &f->version.tables[j];
		if (!is_older(a, b) || !share_keys(a, b, f->order))
			continue;
		check_say(c, LSM_FINDING_DAMAGE, table_name(name, a),
			"is asked before '%s' at level 0 (epochs %llu and %llu), but its sequence numbers begin at %llu and that "
			"one's end at %llu", table_name(other, b), (unsigned long long)a->epoch, (unsigned long long)b->epoch,
			(unsigned long long)a->smallest_sequence, (unsigned long long)b->largest_sequence);
		return;
	}
}

/* In a level that is in order each table is newer than the next, and none needs to be held against all. */
static void check_level0(struct check *c, const struct check_family *f, size_t end)
{
	bool in_order = true;
	for (size_t i = 0; i + 1 < end && in_order; i++)
		in_order = !is_older(&f->version.tables[i], &f->version.tables[i + 1]) && f->version.tables[i].has_sequences;
	for (size_t i = 0; i + 1 < end && !in_order; i++)
		check_before(c, f, i, end);
}

static int by_level_and_key(const void *x, const void *y, void *arg)
{
	const struct table_meta *a = *(const struct table_meta *const *)x, *b = *(const struct table_meta *const *)y;
	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	return order_cmp(*(enum key_order *)arg, buf_slice(&a->smallest), buf_slice(&b->smallest));
}

static void check_neighbours(struct check *c, const struct table_meta *a, const struct table_meta *b, enum key_order order)
{
	char name[FILE_NAME_MAX], other[FILE_NAME_MAX];
	if (order_cmp(order, buf_slice(&b->smallest), buf_slice(&b->largest)) > 0)
		check_say(c, LSM_FINDING_DAMAGE, table_name(name, b), "its smallest key in the MANIFEST is behind its largest");
	if (a && a->level == b->level && b->level && order_cmp(order, buf_slice(&a->largest), buf_slice(&b->smallest)) >= 0)
		check_say(c, LSM_FINDING_DAMAGE, table_name(name, b), "overlaps '%s' at level %u", table_name(other, a), b->level);
}

/* What builder_finish does for the bytewise order. */
static int check_overlaps(struct check *c, const struct check_family *f)
{
	enum key_order order = f->order;
	size_t n = f->version.table_count;
	const struct table_meta **sorted = calloc(n + 1, sizeof(*sorted));
	if (!sorted)
		return fail_memory();
	for (size_t i = 0; i < n; i++)
		sorted[i] = &f->version.tables[i];
	qsort_r(sorted, n, sizeof(*sorted), by_level_and_key, &order);
	for (size_t i = 0; i < n; i++)
		check_neighbours(c, i ? sorted[i - 1] : NULL, sorted[i], order);
	free(sorted);
	return 0;
}

int check_levels(struct check *c, const struct check_family *f)
{
	size_t level0 = 0;
	while (level0 < f->version.table_count && f->version.tables[level0].level == 0)
		level0++;
	if (f->order != ORDER_UNKNOWN)
		check_level0(c, f, level0);
	return f->order == ORDER_REVERSE ? check_overlaps(c, f) : 0;
}

/* ---------------------------------------------------------------- one table */

struct identity_of_table {
	struct buf session;
	uint64_t original, number; /* of the file: in its properties; by its name */
};

struct identities {
	struct identity_of_table *list;
	size_t count, cap;
	uint64_t newest;	/* sequence number in any table that was not ingested */
	uint64_t newest_number; /* that table's */
};

/* What the entries of a table say. */
struct extent {
	bool entries;
	struct buf first, last; /* internal keys */
	uint64_t smallest, largest; /* sequence numbers, range tombstones' included */
	size_t tombstones;
};

struct reading {
	struct check *c;
	const char *name;
	uint64_t damages;
};

static void relay(void *arg, const struct sst_damage *d)
{
	struct reading *r = arg;
	struct lsm_finding f = {.kind = LSM_FINDING_DAMAGE, .file = r->name, .damage = *d};
	r->damages++;
	check_give(r->c, &f);
}

static void see_sequence(struct extent *x, uint64_t sequence)
{
	x->smallest = sequence < x->smallest ? sequence : x->smallest;
	x->largest = sequence > x->largest ? sequence : x->largest;
}

static int set_key(struct buf *b, struct sst_slice key)
{
	buf_clear(b);
	buf_append_slice(b, key);
	return buf_check(b);
}

/* 0, also when the first entry that cannot be read was said; or a failure of the walk. */
static int measure_entries(struct check *c, struct check_family *f, struct table *t, const char *name, struct extent *x)
{
	struct iter *it = table_iter_new(t);
	bool told = false;
	if (!it)
		return fail_memory();
	int rc = iter_seek_first(it);
	while (!rc) {
		see_sequence(x, tag_sequence(ikey_tag(it->key)));
		rc = x->entries ? 0 : set_key(&x->first, it->key);
		x->entries = true;
		if (!rc)
			rc = set_key(&x->last, it->key);
		if (!rc)
			rc = check_readable(c, f, name, ikey_user(it->key), tag_type(ikey_tag(it->key)), it->value, &told);
		if (!rc)
			rc = iter_next(it);
	}
	iter_free(it);
	return rc == SST_NO ? 0 : rc;
}

static int measure(struct check *c, struct check_family *f, struct table *t, const char *name, struct extent *x)
{
	const struct range_dels *dels;
	int rc = table_range_dels(t, &dels);
	if (rc)
		return rc;
	x->smallest = UINT64_MAX;
	for (size_t i = 0; i < dels->count; i++)
		see_sequence(x, dels->list[i].sequence);
	x->tombstones = dels->count;
	return measure_entries(c, f, t, name, x);
}

static void extent_release(struct extent *x)
{
	buf_release(&x->first);
	buf_release(&x->last);
}

/* ---------------------------------------------------------------- a table and the MANIFEST */

static void say_bound(struct check *c, const char *name, struct sst_slice have, const char *which, struct sst_slice said,
	const char *bound)
{
	char text[400];
	fail_key(SST_ECORRUPT, ikey_user(have), "is its %s, sequence %llu", which,
		(unsigned long long)tag_sequence(ikey_tag(have)));
	strncpy(text, sst_errmsg(), sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	fail_key(SST_ECORRUPT, ikey_user(said), "its %s by the MANIFEST, sequence %llu", bound,
		(unsigned long long)tag_sequence(ikey_tag(said)));
	check_say(c, LSM_FINDING_DAMAGE, name, "%s; %s", text, sst_errmsg());
}

/* Exact without range tombstones; else the entries lie within. */
static bool bound_holds(const struct check_family *f, const struct extent *x, struct sst_slice have, struct sst_slice said,
	int outwards)
{
	if (slice_eq(have, said))
		return true;
	if (f->order == ORDER_UNKNOWN)
		return true;
	int d = order_cmp(f->order, said, have);
	return x->tombstones && d * outwards >= 0;
}

static void check_bounds(struct check *c, const struct check_family *f, const struct check_table *t, const struct extent *x)
{
	struct sst_slice first = buf_slice(&x->first), last = buf_slice(&x->last);
	struct sst_slice smallest = buf_slice(&t->meta->smallest), largest = buf_slice(&t->meta->largest);
	if (!x->entries && !x->tombstones)
		check_say(c, LSM_FINDING_DAMAGE, t->name, "has no entries");
	if (!x->entries)
		return;
	if (!bound_holds(f, x, first, smallest, -1))
		say_bound(c, t->name, first, "first key", smallest, "smallest key");
	if (!bound_holds(f, x, last, largest, 1))
		say_bound(c, t->name, last, "last key", largest, "largest key");
}

static void check_sequences(struct check *c, const struct check_family *f, const struct check_table *t,
	const struct extent *x)
{
	const struct table_meta *m = t->meta;
	if (!x->entries && !x->tombstones)
		return;
	if (!m->has_sequences) {
		if (x->largest > f->version.last_sequence)
			check_say(c, LSM_FINDING_DAMAGE, t->name, "has sequence number %llu, the store only %llu",
				(unsigned long long)x->largest, (unsigned long long)f->version.last_sequence);
		return;
	}
	bool within = m->smallest_sequence <= x->smallest && x->largest <= m->largest_sequence;
	bool exact = m->smallest_sequence == x->smallest && x->largest == m->largest_sequence;
	if (!within || (!exact && !x->tombstones))
		check_say(c, LSM_FINDING_DAMAGE, t->name, "has sequence numbers %llu to %llu, the MANIFEST says %llu to %llu",
			(unsigned long long)x->smallest, (unsigned long long)x->largest,
			(unsigned long long)m->smallest_sequence, (unsigned long long)m->largest_sequence);
}

/* That the one number is the MANIFEST's was seen when it was opened. */
static void check_ingested(struct check *c, const struct check_table *t, const struct table_info *info)
{
	const struct table_meta *m = t->meta;
	if (!info->external || !m->has_sequences)
		return;
	if (m->smallest_sequence != m->largest_sequence)
		check_say(c, LSM_FINDING_DAMAGE, t->name,
			"was made for ingestion, with one sequence number for all; the MANIFEST says %llu to %llu",
			(unsigned long long)m->smallest_sequence, (unsigned long long)m->largest_sequence);
}

static void check_comparator(struct check *c, const struct check_family *f, const struct check_table *t,
	const struct table_info *info)
{
	const struct buf *name = &version_family(&f->version, f->version.family)->comparator;
	size_t n = strlen(info->comparator);
	if (n && n < sizeof(info->comparator) - 1 && name->size && !slice_eq(buf_slice(name), slice_str(info->comparator)))
		check_say(c, LSM_FINDING_DAMAGE, t->name, "is ordered by '%s', the MANIFEST says '%.*s'", info->comparator,
			name->size > 80 ? 80 : (int)name->size, (const char *)name->data);
}

/* ---------------------------------------------------------------- identities */

static int see_property(void *arg, const struct sst_property *p)
{
	struct identity_of_table *i = arg;
	if (slice_eq(p->name, slice_str(PROPERTY_SESSION)) && p->value.size)
		return set_key(&i->session, p->value);
	if (slice_eq(p->name, slice_str(PROPERTY_NUMBER)) && p->is_number)
		i->original = p->number;
	return 0;
}

static int note_identity(struct identities *ids, struct table *t, uint64_t number)
{
	if (ids->count == ids->cap) {
		size_t cap = ids->cap ? 2 * ids->cap : 64;
		struct identity_of_table *p = reallocarray(ids->list, cap, sizeof(*p));
		if (!p)
			return fail_memory();
		ids->list = p;
		ids->cap = cap;
	}
	struct identity_of_table *i = &ids->list[ids->count];
	*i = (struct identity_of_table){.number = number};
	int rc = table_show_properties(t, see_property, i);
	if (!rc && i->session.size && i->original)
		ids->count++;
	else
		buf_release(&i->session);
	return rc;
}

static int identity_cmp(const void *x, const void *y)
{
	const struct identity_of_table *a = x, *b = y;
	int c = slice_cmp(buf_slice(&a->session), buf_slice(&b->session));
	c = c ? c : (a->original > b->original) - (a->original < b->original);
	return c ? c : (a->number > b->number) - (a->number < b->number);
}

static void check_identities(struct check *c, struct identities *ids)
{
	char name[FILE_NAME_MAX], other[FILE_NAME_MAX];
	if (ids->count)
		qsort(ids->list, ids->count, sizeof(*ids->list), identity_cmp);
	for (size_t i = 1; i < ids->count; i++) {
		const struct identity_of_table *a = &ids->list[i - 1], *b = &ids->list[i];
		if (a->original == b->original && slice_eq(buf_slice(&a->session), buf_slice(&b->session)))
			check_say(c, LSM_FINDING_DAMAGE, file_name(name, FILE_TABLE, b->number),
				"has the session identity and number of '%s': RocksDB takes one's blocks for the other's",
				file_name(other, FILE_TABLE, a->number));
	}
}

static void identities_release(struct identities *ids)
{
	for (size_t i = 0; i < ids->count; i++)
		buf_release(&ids->list[i].session);
	free(ids->list);
}

/* ---------------------------------------------------------------- reading them */

/* 0 when the table was read and nothing is wrong with it; SST_NO when that was said. */
static int check_contents(struct check *c, struct table *t, const char *name)
{
	struct reading r = {.c = c, .name = name};
	struct lsm_finding f = {.kind = LSM_FINDING_FILE, .file = name};
	int rc = table_check(t, relay, &r, &f.read);
	if (rc < 0) {
		rc = check_failure(c, rc, name);
		return rc ? rc : SST_NO;
	}
	c->stats->tables++;
	c->stats->entries += f.read.entries;
	c->stats->bytes += f.read.bytes;
	check_give(c, &f);
	return r.damages ? SST_NO : 0;
}

static int hold_against_manifest(struct check *c, struct check_family *f, const struct check_table *t, struct table *table,
	struct identities *ids)
{
	const struct table_info *info = table_info(table);
	struct extent x = {0};
	int rc = measure(c, f, table, t->name, &x);
	if (!rc) {
		check_comparator(c, f, t, info);
		check_ingested(c, t, info);
		check_bounds(c, f, t, &x);
		check_sequences(c, f, t, &x);
		if (!info->external && x.largest > ids->newest) {
			ids->newest = x.largest;
			ids->newest_number = t->meta->number;
		}
		rc = note_identity(ids, table, t->meta->number);
	}
	extent_release(&x);
	return check_failure(c, rc, t->name);
}

/* f, t->meta: NULL when no MANIFEST tells. */
static int check_open_table(struct check *c, struct check_family *f, const struct check_table *t, struct identities *ids)
{
	struct table_read_options options = {
		.manifest_sequence = t->meta && t->meta->has_sequences ? t->meta->largest_sequence : UINT64_MAX};
	struct file_source source;
	struct file_id id;
	struct table *table;
	int rc = file_identify(t->fd, &id, t->name);
	if (rc)
		return check_failure(c, rc, t->name);
	file_source_init(&source, t->fd, id.size, t->name);
	rc = table_open(&table, &source.source, &options);
	if (rc)
		return check_failure(c, rc, t->name);
	rc = check_contents(c, table, t->name);
	if (!rc && t->meta)
		rc = hold_against_manifest(c, f, t, table, ids);
	table_close(table);
	return rc == SST_NO ? 0 : rc;
}

static int read_now(struct check *c, struct check_family *f, uint64_t manifest, uint64_t size)
{
	struct version v;
	int rc = manifest_read(c->db->dirfd, manifest, size, f->name ? f->name : c->db->options.family, &v);
	if (rc)
		return rc;
	free(f->now);
	f->now = calloc(v.table_count + 1, sizeof(*f->now));
	f->now_count = f->now ? v.table_count : 0;
	for (size_t i = 0; i < f->now_count; i++)
		f->now[i] = v.tables[i].number;
	version_release(&v);
	if (!f->now)
		return fail_memory();
	qsort(f->now, f->now_count, sizeof(*f->now), file_number_cmp);
	f->now_manifest = manifest;
	f->now_size = size;
	return 0;
}

/* Is the table out of the store by now? Those that were not held open may be. The MANIFEST is read again only when it
 * has changed, however many are missing. */
static bool went_away(struct check *c, struct check_family *f, const struct check_table *t)
{
	char name[FILE_NAME_MAX];
	struct file_id id;
	uint64_t manifest;
	if (current_read(c->db->dirfd, &manifest) ||
		file_identify_at(c->db->dirfd, file_name(name, FILE_MANIFEST, manifest), &id))
		return false;
	if ((manifest != f->now_manifest || id.size != f->now_size) && read_now(c, f, manifest, id.size))
		return false;
	return !bsearch(&t->meta->number, f->now, f->now_count, sizeof(*f->now), file_number_cmp);
}

static int check_table(struct check *c, struct check_family *f, struct check_table *t, struct identities *ids)
{
	char name[FILE_NAME_MAX];
	struct file_id id;
	if (t->gone)
		return 0;
	if (t->fd < 0) {
		bool missing = file_identify_at(c->db->dirfd, file_name(name, FILE_TABLE, t->meta->number), &id) == SST_NO;
		if (missing && went_away(c, f, t)) {
			check_say(c, LSM_FINDING_NOTE, name, "was replaced before its turn came: not read");
			return 0;
		}
		int rc = open_table(c, t);
		if (rc || t->gone)
			return rc;
	}
	int rc = check_open_table(c, f, t, ids);
	file_close(&t->fd);
	return rc;
}

/* A log older than a table has been flushed, or is a copy from the past: its entries would hide newer ones. */
static void check_log_age(struct check *c, const struct identities *ids)
{
	char name[FILE_NAME_MAX], table[FILE_NAME_MAX];
	const struct version *v = &c->families[0].version;
	if (v->leveldb || v->family_count > 1 || !c->log_first || c->log_first > ids->newest)
		return;
	check_say(c, LSM_FINDING_DAMAGE, file_name(name, FILE_WAL, c->log_first_number),
		"its sequence numbers begin at %llu, '%s' has %llu already", (unsigned long long)c->log_first,
		file_name(table, FILE_TABLE, ids->newest_number), (unsigned long long)ids->newest);
}

int check_tables(struct check *c)
{
	struct identities ids = {0};
	int rc = 0;
	for (size_t i = 0; i < c->family_count && !rc; i++)
		for (size_t j = 0; j < c->families[i].version.table_count && !rc; j++)
			rc = check_table(c, &c->families[i], &c->families[i].tables[j], &ids);
	if (!rc) {
		check_identities(c, &ids);
		check_log_age(c, &ids);
	}
	identities_release(&ids);
	return rc;
}

int check_table_alone(struct check *c, const char *name)
{
	struct check_table t = {.fd = -1};
	strncpy(t.name, name, sizeof(t.name) - 1);
	int rc = file_open(&t.fd, c->db->dirfd, name, O_RDONLY, 0);
	if (rc)
		return check_failure(c, rc, name);
	rc = check_open_table(c, NULL, &t, NULL);
	file_close(&t.fd);
	return rc;
}
