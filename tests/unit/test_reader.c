/* SPDX-License-Identifier: MIT */
/*
 * The table reader over tables of every kind: walked both ways, sought, asked for every key at every sequence, and
 * with every byte of them flipped.
 */
#include "table/reader.h"

#include "memory_source.h"
#include "table_kinds.h"

/* Many keys of several versions, deletions among them, in order. */
enum { KEYS = 60, VERSIONS = 3, ENTRIES = KEYS * VERSIONS };
static struct made_entry entries[ENTRIES], backwards[ENTRIES], single[KEYS];
static char texts[KEYS][2][48];

static void make_entries(void)
{
	static const uint8_t types[] = {TYPE_VALUE, TYPE_DELETION, TYPE_VALUE, TYPE_SINGLE_DELETION, TYPE_VALUE};
	for (int k = 0; k < KEYS; k++) {
		snprintf(texts[k][0], sizeof(texts[k][0]), "key%05d", k * 7);
		snprintf(texts[k][1], sizeof(texts[k][1]), "the value of the key number %d", k);
		for (int v = 0; v < VERSIONS; v++) {
			uint8_t type = types[(k + v) % 5];
			entries[k * VERSIONS + v] = (struct made_entry){texts[k][0],
				(uint64_t)(1000 + 10 * k + VERSIONS - v), type, type == TYPE_VALUE ? texts[k][1] : ""};
		}
		single[k] = (struct made_entry){texts[k][0], 0, TYPE_VALUE, texts[k][1]};
	}
	for (int k = 0; k < KEYS; k++)
		memcpy(&backwards[k * VERSIONS], &entries[(KEYS - 1 - k) * VERSIONS], VERSIONS * sizeof(entries[0]));
}

static bool is_entry(const struct iter *it, const struct made_entry *e, uint64_t global)
{
	return slice_eq(ikey_user(it->key), slice_str(e->key)) &&
	       ikey_tag(it->key) == tag_make(global ? global : e->sequence, e->type) &&
	       slice_eq(it->value, slice_str(e->value));
}

static void check_walk(struct table *t, const struct made_entry *list, size_t n, uint64_t global)
{
	struct iter *it = table_iter_new(t);
	int rc = iter_seek_first(it);
	for (size_t i = 0; i < n; i++, rc = iter_next(it)) {
		CHECK_EQ(rc, 0);
		CHECK(is_entry(it, &list[i], global));
	}
	CHECK_EQ(rc, SST_NO);
	rc = iter_seek_last(it);
	for (size_t i = n; i-- > 0; rc = iter_prev(it)) {
		CHECK_EQ(rc, 0);
		CHECK(is_entry(it, &list[i], global));
	}
	CHECK_EQ(rc, SST_NO);
	iter_free(it);
}

/* Every entry's place and the gap behind it; one step on from there, one back. */
static void check_seek(struct table *t, const struct made_entry *list, size_t n, uint64_t global)
{
	struct iter *it = table_iter_new(t);
	struct buf target = {0};
	for (size_t i = 0; i < n; i++) {
		uint64_t tag = tag_make(global ? global : list[i].sequence, list[i].type);
		for (int behind = 0; behind < 2; behind++) {
			size_t want = i + (size_t)behind;
			buf_clear(&target);
			put_ikey(&target, slice_str(list[i].key), tag - (uint64_t)behind);
			CHECK_EQ(iter_seek(it, buf_slice(&target)), want < n ? 0 : SST_NO);
			if (want == n)
				continue;
			CHECK(is_entry(it, &list[want], global));
			CHECK_EQ(iter_next(it), want + 1 < n ? 0 : SST_NO);
			CHECK_EQ(iter_seek(it, buf_slice(&target)), 0);
			CHECK_EQ(iter_prev(it), want ? 0 : SST_NO);
			if (want)
				CHECK(is_entry(it, &list[want - 1], global));
		}
	}
	iter_free(it);
	buf_release(&target);
}

static void check_get(struct table *t, const struct made_entry *list, size_t n, uint64_t global)
{
	struct table_found f;
	for (size_t i = 0; i < n; i++) {
		uint64_t sequence = global ? global : list[i].sequence;
		CHECK_EQ(table_get(t, slice_str(list[i].key), sequence, &f), 0);
		CHECK_EQ(f.type, list[i].type);
		CHECK_EQ(f.sequence, sequence);
		CHECK(slice_eq(f.value, slice_str(list[i].value)));
		bool oldest = i + 1 == n || strcmp(list[i].key, list[i + 1].key) != 0;
		if (sequence)
			CHECK_EQ(table_get(t, slice_str(list[i].key), sequence - 1, &f), oldest ? SST_NO : 0);
		char absent[64];
		snprintf(absent, sizeof(absent), "%s!", list[i].key);
		CHECK_EQ(table_get(t, slice_str(absent), SEQUENCE_MAX, &f), SST_NO);
	}
	CHECK_EQ(table_get(t, slice_str(""), SEQUENCE_MAX, &f), SST_NO);
	CHECK_EQ(table_get(t, slice_str("zzz"), SEQUENCE_MAX, &f), SST_NO);
}

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Opens what m holds in a buffer of exactly its size. */
static int open_made(struct table **t, struct memory *mem, const struct maker *m, uint64_t manifest_sequence)
{
	struct table_read_options opt = {.manifest_sequence = manifest_sequence};
	*mem = memory_of(buf_slice(&m->out), "t.sst");
	return table_open(t, &mem->source, &opt);
}

static void test_every_kind(void)
{
	for (size_t k = 0; k < KINDS; k++) {
		struct maker m = kinds[k];
		const struct made_entry *list = m.reverse ? backwards : entries;
		struct memory mem;
		struct table *t;
		make_table(&m, list, ENTRIES);
		CHECK_EQ(open_made(&t, &mem, &m, UINT64_MAX), 0);
		check_walk(t, list, ENTRIES, 0);
		check_seek(t, list, ENTRIES, 0);
		check_get(t, list, ENTRIES, 0);
		table_close(t);
		buf_release(&m.out);
	}
}

static void test_empty_tables(void)
{
	for (size_t k = 0; k < KINDS; k++) {
		struct maker m = kinds[k];
		struct memory mem;
		struct table *t;
		struct table_found f;
		make_table(&m, NULL, 0);
		CHECK_EQ(open_made(&t, &mem, &m, UINT64_MAX), 0);
		check_walk(t, NULL, 0, 0);
		CHECK_EQ(table_get(t, slice_str("k"), SEQUENCE_MAX, &f), SST_NO);
		table_close(t);
		buf_release(&m.out);
	}
}

/* What a damaged copy gives is the beginning of the truth, then an error; or all of it. Checksums may be off. */
static void check_damaged(const void *data, size_t size, const struct made_entry *list, size_t n, bool truth)
{
	uint8_t *copy = malloc(size ? size : 1); /* a read one byte too far shows */
	memcpy(copy, data, size);
	struct memory mem = memory_of(slice_of(copy, size), "t.sst");
	struct table *t;
	struct table_found f;
	int rc = table_open(&t, &mem.source, NULL);
	if (rc == 0) {
		struct iter *it = table_iter_new(t);
		size_t i = 0;
		for (rc = iter_seek_first(it); rc == 0; rc = iter_next(it), i++)
			CHECK(!truth || (i < n && is_entry(it, &list[i], 0)));
		CHECK(!truth || rc < 0 || i == n);
		for (rc = iter_seek_last(it), i = n; rc == 0; rc = iter_prev(it), i--)
			CHECK(!truth || (i > 0 && is_entry(it, &list[i - 1], 0)));
		CHECK(!truth || rc < 0 || i == 0);
		iter_free(it);
		for (i = 0; i < n; i += 3) {
			rc = table_get(t, slice_str(list[i].key), list[i].sequence, &f);
			CHECK(!truth || rc < 0 || (rc == 0 && f.sequence == list[i].sequence));
		}
		table_close(t);
	}
	CHECK(rc >= SST_EUNSUPPORTED);
	free(copy);
}

static void test_every_byte_flipped(void)
{
	enum { SOME = 12 };
	for (size_t k = 0; k < KINDS; k++) {
		struct maker m = kinds[k];
		const struct made_entry *list = m.reverse ? backwards : entries;
		bool truth = m.checksum != CHECKSUM_NONE;
		make_table(&m, list, SOME);
		check_damaged(m.out.data, m.out.size, list, SOME, true);
		for (size_t i = 0; i < m.out.size; i++) {
			uint8_t was = m.out.data[i];
			m.out.data[i] ^= 0xff;
			check_damaged(m.out.data, m.out.size, list, SOME, truth);
			m.out.data[i] = (uint8_t)(was ^ 1);
			check_damaged(m.out.data, m.out.size, list, SOME, truth);
			m.out.data[i] = was;
		}
		for (size_t n = 0; n < m.out.size; n += 7)
			check_damaged(m.out.data, n, list, SOME, true);
		buf_release(&m.out);
	}
}

/* ---------------------------------------------------------------- what is refused, and how it is said */

static void check_refused(const struct maker *m, int code, const char *message)
{
	struct memory mem;
	struct table *t = NULL;
	int rc = open_made(&t, &mem, m, UINT64_MAX);
	if (rc == 0) {
		struct iter *it = table_iter_new(t);
		for (rc = iter_seek_first(it); rc == 0; rc = iter_next(it))
			;
		iter_free(it);
		table_close(t);
	}
	CHECK_EQ(rc, code);
	if (!strstr(sst_errmsg(), message)) {
		fprintf(stderr, "message: %s, not: %s\n", sst_errmsg(), message);
		exit(1);
	}
}

static void test_refusals(void)
{
	struct maker m = {.checksum = CHECKSUM_XXH3, .version = 5};
	make_table(&m, entries, 8);
	size_t n = m.out.size;

	m.out.data[n - 12] = 99;
	check_refused(&m, SST_EUNSUPPORTED, "cannot read 't.sst': format version 99 is not supported");
	m.out.data[n - 12] = 5;
	m.out.data[n - 53] = 9;
	check_refused(&m, SST_EUNSUPPORTED, "checksum type 9");
	m.out.data[n - 53] = CHECKSUM_XXH3;
	m.out.data[2] ^= 1;
	check_refused(&m, SST_ECORRUPT, "cannot read 't.sst': block at 0: checksum mismatch");
	m.out.data[2] ^= 1;
	store64(m.out.data + n - 8, UINT64_C(0xb3aa9ff0b3aa9ff0));
	check_refused(&m, SST_EUNSUPPORTED, "Pebble");
	store64(m.out.data + n - 8, 1);
	check_refused(&m, SST_ECORRUPT, "not a table");
	m.out.size = 20;
	check_refused(&m, SST_ECORRUPT, "only 20 bytes");
	m.out.size = 0;
	check_refused(&m, SST_ECORRUPT, "only 0 bytes");

	m = (struct maker){.checksum = CHECKSUM_XXH3, .codec = 6, .out = m.out};
	make_table(&m, entries, 8);
	check_refused(&m, SST_EUNSUPPORTED, "compression type 6 (Xpress)");
	m = (struct maker){.checksum = CHECKSUM_XXH3, .codec = 0x81, .version = 7, .out = m.out};
	make_table(&m, entries, 8);
	check_refused(&m, SST_EUNSUPPORTED, "compression type 129");
	m = (struct maker){.checksum = CHECKSUM_XXH3, .extra_meta = "rocksdb.user_defined_index_x", .out = m.out};
	make_table(&m, entries, 8);
	check_refused(&m, SST_EUNSUPPORTED, "user-defined index");
	m = (struct maker){.checksum = CHECKSUM_XXH3, .index_type = 9, .out = m.out};
	make_table(&m, entries, 8);
	check_refused(&m, SST_EUNSUPPORTED, "index type 9");
	buf_release(&m.out);
}

/* Keys out of order, within a block and from block to block. */
static void test_order_is_checked(void)
{
	for (size_t swap = 1; swap <= 3; swap += 2) {
		struct made_entry list[8];
		memcpy(list, single, sizeof(list));
		struct made_entry e = list[swap];
		list[swap] = list[swap + 1];
		list[swap + 1] = e;
		struct maker m = {.checksum = CHECKSUM_XXH3, .per_block = 4, .interval = 16};
		make_table(&m, list, 8);
		check_refused(&m, SST_ECORRUPT, swap == 1 ? "block at 0: keys out of order" : "out of order");
		buf_release(&m.out);
	}
}

/* A key twice in the same version is no order either. */
static void test_equal_keys(void)
{
	struct made_entry list[2] = {single[0], single[0]};
	struct maker m = {.checksum = CHECKSUM_XXH3};
	make_table(&m, list, 2);
	check_refused(&m, SST_ECORRUPT, "out of order");
	buf_release(&m.out);
}

static void test_foreign_comparator(void)
{
	struct maker m = {.checksum = CHECKSUM_XXH3, .comparator = "acme.Comparator"};
	struct memory mem;
	struct table *t;
	struct table_found f;
	make_table(&m, backwards, ENTRIES);
	CHECK_EQ(open_made(&t, &mem, &m, UINT64_MAX), 0);
	check_walk(t, backwards, ENTRIES, 0);
	CHECK_EQ(table_get(t, slice_str("key00000"), SEQUENCE_MAX, &f), SST_EUNSUPPORTED);
	CHECK(strstr(sst_errmsg(), "'acme.Comparator'"));
	struct iter *it = table_iter_new(t);
	CHECK_EQ(iter_seek(it, slice_str("key\1\0\0\0\0\0\0\0")), SST_EUNSUPPORTED);
	iter_free(it);
	table_close(t);
	buf_release(&m.out);
}

static void test_types_refused_by_get(void)
{
	static const uint8_t types[] = {TYPE_MERGE, TYPE_BLOB_INDEX, TYPE_WIDE_COLUMN, TYPE_DELETION_WITH_TIMESTAMP,
		TYPE_VALUE_PREFERRED_SEQ, TYPE_RANGE_DELETION, 99};
	for (size_t i = 0; i < sizeof(types); i++) {
		struct made_entry list[2] = {{"a\1", 5, types[i], "x"}, {"b", 6, TYPE_VALUE, "y"}};
		struct maker m = {.checksum = CHECKSUM_XXH3};
		struct memory mem;
		struct table *t;
		struct table_found f;
		make_table(&m, list, 2);
		CHECK_EQ(open_made(&t, &mem, &m, UINT64_MAX), 0);
		CHECK_EQ(table_get(t, slice_str("a\1"), SEQUENCE_MAX, &f), i < 5 ? SST_EUNSUPPORTED : SST_ECORRUPT);
		CHECK(strstr(sst_errmsg(), "cannot read 't.sst': key 'a\\x01' is of type"));
		CHECK_EQ(table_get(t, slice_str("b"), SEQUENCE_MAX, &f), 0);
		CHECK_EQ(table_get(t, slice_str("a\1"), 4, &f), SST_NO);
		table_close(t);
		buf_release(&m.out);
	}
}

/* ---------------------------------------------------------------- sequences of ingested files */

static void test_global_sequence(void)
{
	static const struct made_entry stones[] = {{"a", 0, 0, "b"}};
	static const struct {
		uint64_t property, manifest, want;
		int rc;
	} cases[] = {
		{77, UINT64_MAX, 77, 0},
		{0, 77, 77, 0},
		{77, 77, 77, 0},
		{0, UINT64_MAX, 0, 0},
		{0, 0, 0, 0},
		{77, 78, 0, SST_ECORRUPT},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct maker m = {.checksum = CHECKSUM_XXH3, .external = true, .tombstones = stones,
			.tombstone_count = 1, .external_sequence = cases[i].property,
			.index_type = INDEX_FIRST_KEY};
		struct memory mem;
		struct table *t;
		struct table_found f;
		make_table(&m, single, KEYS);
		CHECK_EQ(open_made(&t, &mem, &m, cases[i].manifest), cases[i].rc);
		if (!cases[i].rc) {
			uint64_t g = cases[i].want;
			CHECK_EQ(table_global_sequence(t), g);
			check_walk(t, single, KEYS, g);
			check_seek(t, single, KEYS, g);
			check_get(t, single, KEYS, g);
			const struct range_dels *d;
			CHECK_EQ(table_range_dels(t, &d), 0);
			CHECK_EQ(d->list[0].sequence, g);
			CHECK_EQ(d->list[0].stored, 0);
			if (g) {
				CHECK_EQ(table_get(t, slice_str("key00007"), g - 1, &f), SST_NO);
				CHECK_EQ(table_get(t, slice_str("a"), g - 1, &f), SST_NO);
				CHECK_EQ(table_get(t, slice_str("a"), g, &f), 0);
				CHECK_EQ(f.type, TYPE_RANGE_DELETION);
				CHECK_EQ(f.sequence, g);
			}
			table_close(t);
		}
		buf_release(&m.out);
	}
}

/* RocksDB's write_global_seqno changes the property in place and leaves the checksum alone. */
static void test_sequence_written_in_place(void)
{
	struct maker m = {.checksum = CHECKSUM_XXH3, .external = true};
	make_table(&m, single, KEYS);
	static const char name[] = "external_sst_file.global_seqno";
	uint8_t *p = memmem(m.out.data, m.out.size, name, strlen(name));
	CHECK(p);
	store64(p + strlen(name), 4711);
	struct memory mem;
	struct table *t;
	CHECK_EQ(open_made(&t, &mem, &m, UINT64_MAX), 0);
	CHECK_EQ(table_global_sequence(t), 4711);
	check_walk(t, single, KEYS, 4711);
	table_close(t);
	p[0] ^= 1; /* another byte of the block: damage */
	check_refused(&m, SST_ECORRUPT, "checksum mismatch");
	buf_release(&m.out);
}

/* ---------------------------------------------------------------- range deletions */

static void test_range_deletions(void)
{
	static const struct made_entry stones[] = {
		{"b", 10, 0, "d"}, {"c", 30, 0, "e"}, {"a", 5, 0, "z"}, {"c", 20, 0, "f"}};
	static const struct made_entry list[] = {{"a", 3, TYPE_VALUE, "1"}, {"b", 12, TYPE_VALUE, "2"},
		{"b", 9, TYPE_VALUE, "3"}, {"c", 25, TYPE_MERGE, "4"}, {"e", 20, TYPE_VALUE, "5"}};
	static const struct {
		const char *key;
		uint64_t snapshot;
		int rc;
		uint8_t type;
		uint64_t sequence;
	} cases[] = {
		{"a", 100, 0, TYPE_RANGE_DELETION, 5},
		{"a", 4, 0, TYPE_VALUE, 3},
		{"a", 2, SST_NO, 0, 0},
		{"b", 100, 0, TYPE_VALUE, 12},
		{"b", 11, 0, TYPE_RANGE_DELETION, 10},
		{"b", 9, 0, TYPE_VALUE, 9},
		{"c", 100, 0, TYPE_RANGE_DELETION, 30}, /* what it covers need not be understood */
		{"c", 26, SST_EUNSUPPORTED, 0, 0},
		{"cc", 25, 0, TYPE_RANGE_DELETION, 20},
		{"d", 8, 0, TYPE_RANGE_DELETION, 5},
		{"d", 15, 0, TYPE_RANGE_DELETION, 5},
		{"e", 100, 0, TYPE_VALUE, 20}, /* one of the same sequence does not cover */
		{"z", 100, SST_NO, 0, 0},
	};
	struct maker m = {.checksum = CHECKSUM_XXH3, .filter = true, .tombstones = stones, .tombstone_count = 4,
		.per_block = 2};
	struct memory mem;
	struct table *t;
	make_table(&m, list, 5);
	CHECK_EQ(open_made(&t, &mem, &m, UINT64_MAX), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct table_found f;
		CHECK_EQ(table_get(t, slice_str(cases[i].key), cases[i].snapshot, &f), cases[i].rc);
		if (cases[i].rc)
			continue;
		CHECK_EQ(f.type, cases[i].type);
		CHECK_EQ(f.sequence, cases[i].sequence);
	}
	table_close(t);
	buf_release(&m.out);
}

/* ---------------------------------------------------------------- cost */

static void test_reads_are_few(void)
{
	struct maker m = {.checksum = CHECKSUM_XXH3, .filter = true, .per_block = 4};
	struct memory mem;
	struct table *t;
	struct table_found f;
	make_table(&m, entries, ENTRIES);
	CHECK(m.out.size > 8192); /* else it all is in the tail */
	CHECK_EQ(open_made(&t, &mem, &m, UINT64_MAX), 0);
	CHECK_EQ(mem.reads, 1);
	CHECK_EQ(table_get(t, slice_str(entries[0].key), SEQUENCE_MAX, &f), 0);
	CHECK_EQ(mem.reads, 2); /* filter and index came with the tail */
	CHECK(table_get_trace(t)->filter_asked);
	CHECK_EQ(table_get(t, slice_str(entries[1].key), entries[1].sequence, &f), 0);
	CHECK_EQ(mem.reads, 2); /* the same block */
	CHECK_EQ(table_get(t, slice_str("absent"), SEQUENCE_MAX, &f), SST_NO);
	CHECK(table_get_trace(t)->filter_said_no);
	CHECK_EQ(mem.reads, 2);
	mem.reads = 0;
	check_walk(t, entries, ENTRIES, 0);
	CHECK(mem.reads < 60); /* forwards in big reads; backwards block by block */
	table_close(t);
	buf_release(&m.out);
}

/* A large index is only looked into by the first gets of a handle: they must find what all of it says. */
enum { MANY = 400 };
static struct made_entry many[MANY];

static void make_many(void)
{
	static char keys[MANY][800];
	for (int i = 0; i < MANY; i++) {
		memset(keys[i], 'a' + i % 7, sizeof(keys[i]) - 1);
		keys[i][snprintf(keys[i], 16, "k%04d-", i / 3 * 2)] = 'x'; /* three versions of each */
		memcpy(keys[i] + 6, keys[i - i % 3] + 6, sizeof(keys[i]) - 6);
		many[i] = (struct made_entry){keys[i], (uint64_t)(1000 - i), TYPE_VALUE, keys[i] + 790};
	}
}

/* One get of a handle of its own. */
static int get_once(const struct maker *m, const char *key, uint64_t snapshot, uint64_t *sequence, unsigned *reads)
{
	struct memory mem;
	struct table *t;
	struct table_found f;
	int rc = open_made(&t, &mem, m, UINT64_MAX);
	if (rc)
		return rc;
	rc = table_get(t, slice_str(key), snapshot, &f);
	*sequence = rc ? 0 : f.sequence;
	*reads = mem.reads;
	table_close(t);
	return rc;
}

static const struct maker large[] = {
	KIND("large", .checksum = CHECKSUM_XXH3, .per_block = 1, .filter = true),
	KIND("large, delta, runs", .checksum = CHECKSUM_XXH3, .per_block = 1, .delta = true, .index_interval = 2),
	KIND("large, version 6, first keys", .version = 6, .checksum = CHECKSUM_CRC32C, .per_block = 1,
		.index_type = INDEX_FIRST_KEY),
	KIND("large, loose", .checksum = CHECKSUM_XXH3, .per_block = 1, .loose = true),
	KIND("large, user keys", .checksum = CHECKSUM_NONE, .per_block = 3, .user_keys = true, .uniform = true),
	KIND("large, xxHash32", .checksum = CHECKSUM_XXHASH32, .per_block = 1), /* not probed */
};

static void test_large_index(void)
{
	make_many();
	for (size_t k = 0; k < sizeof(large) / sizeof(large[0]); k++) {
		struct maker m = large[k];
		uint64_t sequence;
		unsigned reads;
		char absent[810];
		make_table(&m, many, MANY);
		for (int i = 0; i < MANY; i++) {
			CHECK_EQ(get_once(&m, many[i].key, many[i].sequence, &sequence, &reads), 0);
			CHECK_EQ(sequence, many[i].sequence);
			CHECK((reads > 6) == (m.checksum != CHECKSUM_XXHASH32)); /* the pieces, the halves */
			bool oldest = i % 3 == 2 || i + 1 == MANY;
			CHECK_EQ(get_once(&m, many[i].key, sequence - 1, &sequence, &reads), oldest ? SST_NO : 0);
			snprintf(absent, sizeof(absent), "%s!", many[i].key);
			CHECK_EQ(get_once(&m, absent, SEQUENCE_MAX, &sequence, &reads), SST_NO);
		}
		CHECK_EQ(get_once(&m, "", SEQUENCE_MAX, &sequence, &reads), SST_NO);
		CHECK_EQ(get_once(&m, "z", SEQUENCE_MAX, &sequence, &reads), SST_NO);
		struct memory mem; /* one handle: from the third get on by the whole index */
		struct table *t;
		CHECK_EQ(open_made(&t, &mem, &m, UINT64_MAX), 0);
		check_get(t, many, MANY, 0);
		table_close(t);
		if (m.checksum != CHECKSUM_NONE)
			for (size_t i = m.out.size / 3; i < m.out.size; i += 997) {
				m.out.data[i] ^= 4;
				int rc = get_once(&m, many[100].key, many[100].sequence, &sequence, &reads);
				CHECK(rc < 0 || (rc == 0 && sequence == many[100].sequence));
				m.out.data[i] ^= 4;
			}
		buf_release(&m.out);
	}
}

/* Sizes and counts that a file of this length cannot have are refused before memory is asked for. */
static void test_giants_are_refused(void)
{
	struct maker m = {.checksum = CHECKSUM_NONE, .version = 5};
	make_table(&m, entries, 8);
	static const uint64_t sizes[] = {UINT64_MAX, UINT64_C(1) << 60, UINT64_C(1) << 63, UINT32_MAX};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buf f = {0};
		put_handle(&f, (struct block_handle){0, sizes[i]});
		put_handle(&f, (struct block_handle){sizes[i], 8});
		memcpy(m.out.data + m.out.size - 52, f.data, f.size);
		buf_release(&f);
		check_refused(&m, SST_ECORRUPT, "beyond the end");
	}
	buf_release(&m.out);
}

int main(void)
{
	make_entries();
	RUN(test_every_kind);
	RUN(test_empty_tables);
	RUN(test_every_byte_flipped);
	RUN(test_refusals);
	RUN(test_order_is_checked);
	RUN(test_equal_keys);
	RUN(test_foreign_comparator);
	RUN(test_types_refused_by_get);
	RUN(test_global_sequence);
	RUN(test_sequence_written_in_place);
	RUN(test_range_deletions);
	RUN(test_reads_are_few);
	RUN(test_large_index);
	RUN(test_giants_are_refused);
	return unit_done("test_reader");
}
