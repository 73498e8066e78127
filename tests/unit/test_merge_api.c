/* SPDX-License-Identifier: MIT */
/* sst_merge_*: random tables, with and without sequence numbers, against a model that compares everything. */
#include "table_maker.h"

enum { TABLES = 5, KEYS = 12, ENTRIES = 40, STONES = 3 };

/* What the model knows. */
struct fact {
	int table, rank;
	uint64_t sequence;
	uint8_t type;
	char key[2], end[2], value[24]; /* end: of a range deletion */
};

struct world {
	int tables;
	bool external[TABLES];
	int rank[TABLES];
	struct made_entry entries[TABLES][ENTRIES], stones[TABLES][STONES];
	size_t count[TABLES], stone_count[TABLES];
	struct fact facts[TABLES * (ENTRIES + STONES)];
	int fact_count;
	struct maker maker[TABLES];
	struct sst_table *open[TABLES];
};

static uint32_t seed;

static unsigned dice(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* ---------------------------------------------------------------- a world */

/* External tables in front and behind, the others between. */
static void choose_kinds(struct world *w)
{
	int front = (int)dice((unsigned)w->tables + 1), back = front + (int)dice((unsigned)(w->tables - front) + 1);
	for (int i = 0; i < w->tables; i++) {
		w->external[i] = i < front || i >= back;
		w->rank[i] = w->external[i] ? i : front;
	}
}

static struct fact *add_fact(struct world *w, int t, uint64_t sequence, uint8_t type)
{
	struct fact *f = &w->facts[w->fact_count++];
	*f = (struct fact){.table = t, .rank = w->rank[t], .sequence = sequence, .type = type};
	return f;
}

static void make_entries(struct world *w, int t)
{
	static const uint8_t types[] = {TYPE_VALUE, TYPE_VALUE, TYPE_VALUE, TYPE_DELETION, TYPE_SINGLE_DELETION};
	for (int k = 0; k < KEYS; k++) {
		uint64_t sequence = 1 + dice(30);
		int versions = (int)dice(w->external[t] ? 2 : 4);
		for (; versions && sequence; versions--, sequence -= 1 + dice((unsigned)sequence)) {
			struct fact *f = add_fact(w, t, w->external[t] ? 0 : sequence, types[dice(5)]);
			f->key[0] = (char)('a' + k);
			if (f->type == TYPE_VALUE)
				snprintf(f->value, sizeof(f->value), "%d.%d", t, w->fact_count);
			w->entries[t][w->count[t]++] = (struct made_entry){f->key, f->sequence, f->type, f->value};
		}
	}
}

static void make_stones(struct world *w, int t)
{
	for (unsigned n = dice(STONES + 1); n; n--) {
		struct fact *f = add_fact(w, t, w->external[t] ? 0 : 1 + dice(30), TYPE_RANGE_DELETION);
		unsigned begin = dice(KEYS);
		f->key[0] = (char)('a' + begin);
		f->end[0] = (char)('a' + begin + dice(5));
		w->stones[t][w->stone_count[t]++] = (struct made_entry){f->key, f->sequence, 0, f->end};
	}
}

static void make_world(struct world *w, bool with_stones)
{
	*w = (struct world){.tables = 1 + (int)dice(TABLES)};
	choose_kinds(w);
	for (int t = 0; t < w->tables; t++) {
		make_entries(w, t);
		if (with_stones)
			make_stones(w, t);
		w->maker[t] = (struct maker){.checksum = CHECKSUM_XXH3, .external = w->external[t],
			.tombstones = w->stones[t], .tombstone_count = w->stone_count[t]};
		make_table(&w->maker[t], w->entries[t], w->count[t]);
		CHECK_EQ(sst_table_open_memory(&w->open[t], w->maker[t].out.data, w->maker[t].out.size, "made"), 0);
	}
}

static void end_world(struct world *w)
{
	for (int t = 0; t < w->tables; t++) {
		sst_table_close(w->open[t]);
		buf_release(&w->maker[t].out);
	}
}

/* ---------------------------------------------------------------- the model */

static bool is_newer(const struct fact *a, const struct fact *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank;
	if (a->sequence != b->sequence)
		return a->sequence > b->sequence;
	return a->table < b->table;
}

/* The newest entry of the key, or NULL; *deleted: by a range deletion. */
static const struct fact *newest(const struct world *w, char key, bool *deleted)
{
	const struct fact *best = NULL;
	for (int i = 0; i < w->fact_count; i++) {
		const struct fact *f = &w->facts[i];
		if (f->type != TYPE_RANGE_DELETION && f->key[0] == key && (!best || is_newer(f, best)))
			best = f;
	}
	*deleted = false;
	for (int i = 0; best && i < w->fact_count; i++) {
		const struct fact *f = &w->facts[i];
		if (f->type == TYPE_RANGE_DELETION && f->key[0] <= key && key < f->end[0] && is_newer(f, best))
			*deleted = true;
	}
	return best;
}

static void compare(struct world *w, bool deletions)
{
	struct sst_merge_options options = {.deletions = deletions};
	struct sst_merge *m;
	struct sst_entry e;
	CHECK_EQ(sst_merge_new(&m, w->open, (size_t)w->tables, &options), 0);
	for (int k = 0; k < KEYS; k++) {
		bool deleted;
		const struct fact *f = newest(w, (char)('a' + k), &deleted);
		if (!f || deleted || (f->type != TYPE_VALUE && !deletions))
			continue;
		CHECK_EQ(sst_merge_next(m, &e), 0);
		CHECK(slice_eq(e.key, slice_str(f->key)) && slice_eq(e.value, slice_str(f->value)));
		CHECK_EQ(e.type, f->type);
		CHECK_EQ(e.sequence, f->sequence);
	}
	CHECK_EQ(sst_merge_next(m, &e), SST_NO);
	sst_merge_free(m);
}

static void test_random(void)
{
	for (uint32_t i = 1; i < 3000; i++) {
		struct world w;
		seed = i * 7919u;
		make_world(&w, true);
		compare(&w, false);
		end_world(&w);
	}
}

static bool is_mixed(const struct world *w)
{
	for (int t = 1; t < w->tables; t++)
		if (w->external[t] != w->external[0])
			return true;
	return false;
}

static void test_random_with_deletions(void)
{
	int compared = 0;
	for (uint32_t i = 1; i < 2000; i++) {
		struct world w;
		struct sst_merge_options options = {.deletions = true};
		struct sst_merge *m;
		seed = i * 104729u;
		make_world(&w, false);
		if (is_mixed(&w)) {
			CHECK_EQ(sst_merge_new(&m, w.open, (size_t)w.tables, &options), SST_EINVAL);
		} else {
			compare(&w, true);
			compared++;
		}
		end_world(&w);
	}
	CHECK(compared > 500);
}

/* ---------------------------------------------------------------- what is refused */

static struct sst_table *one(struct maker *m, const struct made_entry *e)
{
	struct sst_table *t;
	m->checksum = CHECKSUM_XXH3;
	make_table(m, e, 1);
	CHECK_EQ(sst_table_open_memory(&t, m->out.data, m->out.size, "one"), 0);
	return t;
}

static void test_refusals(void)
{
	static const struct made_entry put = {"k", 5, TYPE_VALUE, "v"}, bare = {"k", 0, TYPE_VALUE, "v"},
		operand = {"k", 9, TYPE_MERGE, "1"}, stone = {"a", 7, 0, "z"};
	struct maker m[5] = {[1] = {.external = true}, [3] = {.reverse = true},
		[4] = {.tombstones = &stone, .tombstone_count = 1}};
	struct sst_table *t[] = {one(&m[0], &put), one(&m[1], &bare), one(&m[2], &operand), one(&m[3], &put),
		one(&m[4], &put)};
	struct sst_merge *s;
	struct sst_entry e;
	CHECK_EQ(sst_merge_new(&s, (struct sst_table *[]){t[0], t[1], t[0]}, 3, NULL), SST_EINVAL);
	CHECK(strstr(sst_errmsg(), "in front of all"));
	CHECK_EQ(sst_merge_new(&s, &t[3], 1, NULL), SST_EUNSUPPORTED);
	CHECK_EQ(sst_merge_new(&s, &t[4], 1, &(struct sst_merge_options){.deletions = true}), SST_EUNSUPPORTED);
	CHECK(strstr(sst_errmsg(), "range deletion"));
	CHECK_EQ(sst_merge_new(&s, (struct sst_table *[]){t[0], t[2]}, 2, NULL), 0);
	CHECK_EQ(sst_merge_next(s, &e), SST_EUNSUPPORTED);
	CHECK(strstr(sst_errmsg(), "'k'"));
	sst_merge_free(s);
	/* an operand that is older, or deleted by a range, is nobody's concern */
	CHECK_EQ(sst_merge_new(&s, (struct sst_table *[]){t[1], t[2]}, 2, NULL), 0);
	CHECK(sst_merge_next(s, &e) == 0 && sst_merge_next(s, &e) == SST_NO);
	sst_merge_free(s);
	CHECK_EQ(sst_merge_new(&s, NULL, 0, NULL), 0);
	CHECK_EQ(sst_merge_next(s, &e), SST_NO);
	sst_merge_free(s);
	for (int i = 0; i < 5; i++) {
		sst_table_close(t[i]);
		buf_release(&m[i].out);
	}
}

/* ---------------------------------------------------------------- damage */

struct seen_damage {
	int count;
	bool has_keys;
};

static void note(void *arg, size_t table, const struct sst_damage *d)
{
	struct seen_damage *s = arg;
	CHECK_EQ(table, 1);
	CHECK(strstr(d->what, "'made'"));
	s->count++;
	s->has_keys |= d->has_keys;
}

/* Every byte of one of two tables is changed: without `damage` that is an error or changes nothing; with it every entry
 * comes from one of the tables, in order, and those of the sound one are all there, in one version or the other. */
static void walk_damaged(struct sst_table *const *t, struct sst_merge_options *options, struct seen_damage *seen)
{
	struct sst_merge *m;
	struct sst_entry e;
	char last = 0;
	int rc = sst_merge_new(&m, t, 2, options), sound = 0;
	CHECK_EQ(rc, 0);
	while (!(rc = sst_merge_next(m, &e))) {
		CHECK(e.key.size == 1 && (char)e.key.data[0] > last);
		last = (char)e.key.data[0];
		CHECK(e.value.size == 1 && (e.value.data[0] == 's' || e.value.data[0] == 'd'));
		sound += (last - 'a') % 2;
	}
	CHECK_EQ(rc, SST_NO);
	CHECK(sound == 6);
	CHECK(seen->count || last == 'l');
	sst_merge_free(m);
}

static void test_damage(void)
{
	struct made_entry sound[6], damaged[12];
	static const char keys[12][2] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};
	int skipped = 0;
	for (int i = 0; i < 12; i++)
		damaged[i] = (struct made_entry){keys[i], 9, TYPE_VALUE, "d"};
	for (int i = 0; i < 6; i++)
		sound[i] = (struct made_entry){keys[2 * i + 1], 3, TYPE_VALUE, "s"};
	struct maker m[2] = {{.checksum = CHECKSUM_XXH3}, {.checksum = CHECKSUM_XXH3, .per_block = 3}};
	struct sst_table *t[2];
	make_table(&m[0], sound, 6);
	make_table(&m[1], damaged, 12);
	CHECK_EQ(sst_table_open_memory(&t[0], m[0].out.data, m[0].out.size, "sound"), 0);
	for (size_t at = 0; at < m[1].out.size; at++) {
		struct seen_damage seen = {0};
		struct sst_merge_options options = {.damage = note, .damage_arg = &seen};
		m[1].out.data[at] ^= 0x55;
		if (sst_table_open_memory(&t[1], m[1].out.data, m[1].out.size, "made") == 0) {
			walk_damaged(t, &options, &seen);
			sst_table_close(t[1]);
		}
		m[1].out.data[at] ^= 0x55;
		skipped += seen.has_keys;
	}
	CHECK(skipped > 50);
	sst_table_close(t[0]);
	buf_release(&m[0].out);
	buf_release(&m[1].out);
}

static void ignore(void *arg, size_t table, const struct sst_damage *d)
{
	(void)table;
	*(bool *)arg |= d->has_keys;
}

/* The block of k's newest version is damaged, one version is in the next: that is no answer. */
static void test_cut_key(void)
{
	static const struct made_entry entries[] = {{"a", 1, TYPE_VALUE, "a1"}, {"k", 9, TYPE_DELETION, ""},
		{"k", 5, TYPE_VALUE, "k5"}, {"z", 1, TYPE_VALUE, "z1"}};
	struct maker m = {.checksum = CHECKSUM_XXH3, .per_block = 1};
	struct sst_table *t;
	struct sst_merge *s;
	struct sst_entry e;
	bool has_keys = false;
	struct sst_merge_options options = {.damage = ignore, .damage_arg = &has_keys};
	make_table(&m, entries, 4);
	/* the key as it stands in its block: user key and tag */
	uint8_t *second = memmem(m.out.data, m.out.size, "k\0\x09\0\0\0\0\0\0", 9);
	CHECK(second);
	*second ^= 1;
	CHECK_EQ(sst_table_open_memory(&t, m.out.data, m.out.size, "made"), 0);
	CHECK_EQ(sst_merge_new(&s, &t, 1, &options), 0);
	CHECK(sst_merge_next(s, &e) == 0 && slice_eq(e.value, slice_str("a1")));
	CHECK(sst_merge_next(s, &e) == 0 && slice_eq(e.value, slice_str("z1")));
	CHECK_EQ(sst_merge_next(s, &e), SST_NO);
	CHECK(has_keys);
	sst_merge_free(s);
	sst_table_close(t);
	buf_release(&m.out);
}

static void test_empty_key_and_ingested_file(void)
{
	static const struct made_entry seven = {"", 0, TYPE_VALUE, "seven"}, five = {"", 5, TYPE_VALUE, "five"},
		nine = {"", 9, TYPE_VALUE, "nine"};
	struct maker m[3] = {[0] = {.external = true, .external_sequence = 7}};
	struct sst_table *t[] = {one(&m[0], &seven), one(&m[1], &five), one(&m[2], &nine)};
	struct sst_merge *s;
	struct sst_entry e;
	for (size_t n = 2; n <= 3; n++) {
		CHECK_EQ(sst_merge_new(&s, t, n, NULL), 0);
		CHECK_EQ(sst_merge_next(s, &e), 0);
		CHECK(slice_eq(e.value, slice_str(n == 2 ? "seven" : "nine")) && e.sequence == (n == 2 ? 7 : 9));
		CHECK_EQ(sst_merge_next(s, &e), SST_NO);
		sst_merge_free(s);
	}
	for (int i = 0; i < 3; i++) {
		sst_table_close(t[i]);
		buf_release(&m[i].out);
	}
}

int main(void)
{
	RUN(test_cut_key);
	RUN(test_empty_key_and_ingested_file);
	RUN(test_random);
	RUN(test_random_with_deletions);
	RUN(test_refusals);
	RUN(test_damage);
	return unit_done("test_merge_api");
}
