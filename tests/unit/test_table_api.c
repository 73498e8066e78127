/* SPDX-License-Identifier: MIT */
/* The public sst_* functions: views, skipping damage, checks. */
#include "table_maker.h"

static const struct made_entry entries[] = {
	{"a", 9, TYPE_VALUE, "a9"}, {"a", 5, TYPE_VALUE, "a5"}, {"b", 8, TYPE_DELETION, ""}, {"b", 3, TYPE_VALUE, "b3"},
	{"c", 7, TYPE_VALUE, "c7"}, {"d", 6, TYPE_SINGLE_DELETION, ""}, {"e", 4, TYPE_VALUE, "e4"},
	{"e", 2, TYPE_DELETION, ""}, {"f", 1, TYPE_VALUE, "f1"}, {"g", 11, TYPE_VALUE, "g11"},
	{"g", 10, TYPE_VALUE, "g10"}, {"g", 9, TYPE_VALUE, "g9"}, {"h", 0, TYPE_VALUE, ""},
};
enum { N = sizeof(entries) / sizeof(entries[0]) };
static const struct made_entry stones[] = {{"f", 5, 0, "g"}, {"g", 10, 0, "h"}};
static const char *const seen[] = {"a=a9", "c=c7", "e=e4", "g=g11", "h="};
enum { SEEN = 5 };

static struct sst_table *open_maker(const struct maker *m)
{
	struct sst_table *t;
	CHECK_EQ(sst_table_open_memory(&t, m->out.data, m->out.size, "made"), 0);
	return t;
}

static bool is(const struct sst_entry *e, const char *pair)
{
	struct sst_slice s = slice_str(pair);
	size_t n = e->key.size;
	return s.size == n + 1 + e->value.size && memcmp(pair, e->key.data, n) == 0 && pair[n] == '=' &&
	       slice_eq(slice_of(pair + n + 1, s.size - n - 1), e->value);
}

static void test_view(void)
{
	for (unsigned per_block = 1; per_block < 6; per_block++) {
		struct maker m = {.checksum = CHECKSUM_XXH3, .per_block = per_block, .tombstones = stones,
			.tombstone_count = 2};
		struct sst_iter *it;
		struct sst_entry e;
		make_table(&m, entries, N);
		struct sst_table *t = open_maker(&m);
		CHECK_EQ(sst_iter_new(&it, t, 0), 0);
		int rc = sst_iter_first(it, &e);
		for (int i = 0; i < SEEN; i++, rc = sst_iter_next(it, &e))
			CHECK(rc == 0 && is(&e, seen[i]));
		CHECK_EQ(rc, SST_NO);
		rc = sst_iter_last(it, &e);
		for (int i = SEEN; i-- > 0; rc = sst_iter_prev(it, &e))
			CHECK(rc == 0 && is(&e, seen[i]));
		CHECK_EQ(rc, SST_NO);
		/* a turn at the very first */
		CHECK_EQ(sst_iter_last(it, &e), 0);
		for (int i = SEEN - 1; i > 0; i--)
			CHECK_EQ(sst_iter_prev(it, &e), 0);
		CHECK(is(&e, seen[0]));
		CHECK(sst_iter_next(it, &e) == 0 && is(&e, seen[1]));
		/* every place, one step to either side and back */
		for (int i = 0; i < SEEN; i++) {
			CHECK_EQ(sst_iter_seek(it, slice_of(seen[i], 1), &e), 0);
			CHECK(is(&e, seen[i]));
			rc = sst_iter_next(it, &e);
			CHECK(rc == (i + 1 < SEEN ? 0 : SST_NO) && (rc || is(&e, seen[i + 1])));
			if (!rc)
				CHECK(sst_iter_prev(it, &e) == 0 && is(&e, seen[i]));
			else
				CHECK_EQ(sst_iter_last(it, &e), 0);
			rc = sst_iter_prev(it, &e);
			CHECK(rc == (i ? 0 : SST_NO) && (rc || is(&e, seen[i - 1])));
			if (!rc)
				CHECK(sst_iter_next(it, &e) == 0 && is(&e, seen[i]));
		}
		CHECK(sst_iter_seek(it, slice_str("b"), &e) == 0 && is(&e, "c=c7"));
		CHECK_EQ(sst_iter_seek(it, slice_str("i"), &e), SST_NO);
		sst_iter_free(it);
		sst_table_close(t);
		buf_release(&m.out);
	}
}

static void test_all(void)
{
	struct maker m = {.checksum = CHECKSUM_XXH3, .tombstones = stones, .tombstone_count = 2};
	struct sst_iter *it;
	struct sst_entry e;
	make_table(&m, entries, N);
	struct sst_table *t = open_maker(&m);
	CHECK_EQ(sst_iter_new(&it, t, SST_ITER_ALL), 0);
	int rc = sst_iter_first(it, &e);
	for (int i = 0; i < N; i++, rc = sst_iter_next(it, &e)) {
		CHECK_EQ(rc, 0);
		CHECK_EQ(e.sequence, entries[i].sequence);
		CHECK_EQ(e.type, entries[i].type);
	}
	CHECK_EQ(rc, SST_NO);
	sst_iter_free(it);
	CHECK_EQ(sst_table_range_deletion(t, 1, &e), 0);
	CHECK(e.type == SST_RANGE_DELETE && e.sequence == 10 && is(&e, "g=h"));
	CHECK_EQ(sst_table_range_deletion(t, 2, &e), SST_NO);
	CHECK_EQ(sst_table_get(t, slice_str("f"), &e), 0);
	CHECK_EQ(e.type, SST_RANGE_DELETE);
	CHECK_EQ(sst_table_get(t, slice_str("ff"), &e), 0);
	CHECK_EQ(sst_table_get(t, slice_str("aa"), &e), SST_NO);
	sst_table_close(t);
	buf_release(&m.out);
}

static void test_view_refuses_merges(void)
{
	static const struct made_entry merges[] = {{"a", 2, TYPE_VALUE, "x"}, {"b", 1, TYPE_MERGE, "y"}};
	struct maker m = {.checksum = CHECKSUM_XXH3};
	struct sst_iter *it;
	struct sst_entry e;
	make_table(&m, merges, 2);
	struct sst_table *t = open_maker(&m);
	CHECK_EQ(sst_iter_new(&it, t, 0), 0);
	CHECK_EQ(sst_iter_first(it, &e), 0);
	CHECK_EQ(sst_iter_next(it, &e), SST_EUNSUPPORTED);
	CHECK(strstr(sst_errmsg(), "'b' is of type 2 (merge)"));
	CHECK_EQ(sst_iter_last(it, &e), SST_EUNSUPPORTED);
	sst_iter_free(it);
	sst_table_close(t);
	buf_release(&m.out);
}

/* Walks as sst-dump --skip-bad does; returns what was seen, one letter each. */
static void salvage(struct maker *m, bool back, char *letters, unsigned *lost)
{
	struct sst_iter *it;
	struct sst_entry e;
	struct sst_damage d;
	struct sst_table *t = open_maker(m);
	CHECK_EQ(sst_iter_new(&it, t, 0), 0);
	int rc = back ? sst_iter_last(it, &e) : sst_iter_first(it, &e);
	*lost = 0;
	while (rc != SST_NO) {
		if (rc == 0) {
			*letters++ = (char)e.key.data[0];
			rc = back ? sst_iter_prev(it, &e) : sst_iter_next(it, &e);
			continue;
		}
		CHECK_EQ(rc, SST_ECORRUPT);
		CHECK(++*lost < 20);
		rc = sst_iter_skip(it, back, &d, &e);
	}
	*letters = 0;
	sst_iter_free(it);
	sst_table_close(t);
}

/* g's newest version is in a bad block: its older ones in the next block must not come out instead. */
static void test_skip_gives_no_old_versions(void)
{
	struct maker m = {.checksum = CHECKSUM_XXH3, .per_block = 2};
	char letters[32];
	unsigned lost;
	make_table(&m, entries, N);
	/* blocks: a a | b b | c d | e e | f g | g g | h */
	/* found by their contents: the values lie in them as they are */
	uint8_t *g = memmem(m.out.data, m.out.size, "g11", 3), *c = memmem(m.out.data, m.out.size, "c7", 2);
	CHECK(g && c);
	*g ^= 1;
	salvage(&m, false, letters, &lost);
	CHECK_EQ(lost, 1);
	CHECK(strcmp(letters, "aceh") == 0);
	salvage(&m, true, letters, &lost);
	CHECK_EQ(lost, 1);
	CHECK(strcmp(letters, "heca") == 0);
	*g ^= 1;
	uint8_t *first = memmem(m.out.data, m.out.size, "e4", 2); /* f, the first of the next block, is complete */
	*first ^= 1;
	salvage(&m, true, letters, &lost);
	CHECK_EQ(lost, 1);
	CHECK(strcmp(letters, "hgfca") == 0);
	*first ^= 1;
	*g ^= 1;
	*c ^= 1;
	salvage(&m, false, letters, &lost);
	CHECK_EQ(lost, 2);
	CHECK(strcmp(letters, "aeh") == 0);
	buf_release(&m.out);
}

struct told {
	unsigned count;
	char what[300];
	struct sst_damage last;
};

static void note(void *arg, const struct sst_damage *d)
{
	struct told *told = arg;
	told->count++;
	told->last = *d;
	snprintf(told->what, sizeof(told->what), "%s", d->what);
}

static struct told check(const struct maker *m)
{
	struct told told = {0};
	struct sst_check_stats stats;
	struct sst_table *t = open_maker(m);
	int rc = sst_table_check(t, note, &told, &stats);
	CHECK_EQ(rc, told.count ? SST_NO : 0);
	CHECK_EQ(stats.damages, told.count);
	sst_table_close(t);
	return told;
}

static void test_check(void)
{
	struct maker m = {.checksum = CHECKSUM_XXH3, .per_block = 2, .filter = true, .tombstones = stones,
		.tombstone_count = 2};
	make_table(&m, entries, N);
	CHECK_EQ(check(&m).count, 0);

	uint8_t *c = memmem(m.out.data, m.out.size, "c7", 2);
	*c ^= 1;
	struct told told = check(&m);
	CHECK_EQ(told.count, 1);
	CHECK(strcmp(told.what, "checksum mismatch") == 0);
	CHECK(told.last.has_keys && told.last.size && told.last.offset < (uint64_t)(c - m.out.data));
	*c ^= 1;

	m.wrong_filter = true;
	make_table(&m, entries, N);
	told = check(&m);
	CHECK(told.count > 0);
	CHECK(strstr(told.what, "the filter denies key"));
	m.wrong_filter = false;
	m.wrong_count = true;
	make_table(&m, entries, N);
	told = check(&m);
	CHECK_EQ(told.count, 1);
	CHECK(strstr(told.what, "rocksdb.num.entries"));
	m.wrong_count = false;
	m.wrong_separator = true;
	make_table(&m, entries, N);
	told = check(&m);
	CHECK(told.count > 0);
	CHECK(strstr(told.what, "its last key is above its separator"));
	m.wrong_separator = false;
	m.index_type = INDEX_FIRST_KEY;
	make_table(&m, entries, N);
	CHECK_EQ(check(&m).count, 0);
	m.wrong_first_key = true;
	make_table(&m, entries, N);
	told = check(&m);
	CHECK(told.count > 0);
	CHECK(strstr(told.what, "first key is not the one in the index"));
	buf_release(&m.out);
}

static void test_check_goes_on(void)
{
	/* every block of the file damaged in turn is one line; all data blocks at once are as many */
	struct maker m = {.checksum = CHECKSUM_CRC32C, .per_block = 1, .index_type = INDEX_TWO_LEVEL};
	make_table(&m, entries, N);
	CHECK_EQ(check(&m).count, 0);
	for (unsigned i = 0; i < N; i++) {
		if (entries[i].type != TYPE_VALUE || !entries[i].value[0])
			continue;
		uint8_t *p = memmem(m.out.data, m.out.size, entries[i].value, strlen(entries[i].value));
		*p ^= 0x40;
	}
	CHECK_EQ(check(&m).count, 9);
	buf_release(&m.out);
}

static int count_block(void *arg, const struct sst_block *b)
{
	uint64_t *end = arg;
	CHECK_EQ(b->offset, *end);
	*end = b->offset + b->size + 5;
	return 0;
}

/* The blocks cover the file without a hole, up to the footer. */
static void test_blocks(void)
{
	struct maker m = {.checksum = CHECKSUM_XXH3, .per_block = 2, .filter = true, .tombstones = stones,
		.tombstone_count = 2, .codec = COMPRESSION_ZSTD, .index_type = INDEX_TWO_LEVEL,
		.dictionary = "words of a dictionary"};
	uint64_t end = 0;
	make_table(&m, entries, N);
	struct sst_table *t = open_maker(&m);
	CHECK_EQ(sst_table_blocks(t, count_block, &end), 0);
	CHECK_EQ(end, m.out.size - TABLE_FOOTER_SIZE);
	end = 0;
	CHECK_EQ(sst_table_index(t, count_block, &end), 0);
	sst_table_close(t);
	buf_release(&m.out);
}

int main(void)
{
	RUN(test_view);
	RUN(test_all);
	RUN(test_view_refuses_merges);
	RUN(test_skip_gives_no_old_versions);
	RUN(test_check);
	RUN(test_check_goes_on);
	RUN(test_blocks);
	return unit_done("test_table_api");
}
