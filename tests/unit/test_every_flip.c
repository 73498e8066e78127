/* SPDX-License-Identifier: MIT */
/*
 * Every byte of small tables of every kind, flipped in two ways, the footer's in nine: the check of the table
 * says so, or nothing that can be asked of it has another answer (padding; a format version that reads the same).
 * Outside the footer every flip is damage. Tables without checksums are told by the trailers, which are zero then.
 */
#include "table/check.h"
#include "memory_source.h"
#include "table_maker.h"

#define LONG_VALUE "a value with repeats, a value with repeats, a value with repeats, a value with repeats"

static const struct made_entry list[] = {
	{"apple", 9, TYPE_VALUE, LONG_VALUE},
	{"apple", 3, TYPE_DELETION, ""},
	{"apply", 4, TYPE_VALUE, LONG_VALUE},
	{"apricot", 5, TYPE_VALUE, ""},
	{"banana", 8, TYPE_SINGLE_DELETION, ""},
	{"banana", 2, TYPE_VALUE, LONG_VALUE "!"},
	{"cherry", 6, TYPE_VALUE, LONG_VALUE},
}, ingested[] = {
	{"apple", 0, TYPE_VALUE, LONG_VALUE},
	{"apply", 0, TYPE_VALUE, LONG_VALUE},
	{"banana", 0, TYPE_VALUE, ""},
	{"cherry", 0, TYPE_VALUE, LONG_VALUE},
}, tombstones[] = {
	{"b", 7, TYPE_RANGE_DELETION, "bb"},
	{"cherry", 1, TYPE_RANGE_DELETION, "d"},
}, ingested_tombstones[] = {
	{"b", 0, TYPE_RANGE_DELETION, "bb"},
};

/* ---------------------------------------------------------------- what a table answers */

struct answer {
	int opened, checked; /* of table_open, table_check */
	int rc;		     /* of the walk */
	struct buf log;	     /* of all answers but those */
};

static void note(struct buf *log, uint64_t n, struct sst_slice a, struct sst_slice b)
{
	put_varint(log, n);
	put_slice(log, a);
	put_slice(log, b);
}

static void no_report(void *arg, const struct sst_damage *d)
{
	(void)arg;
	CHECK(d->what);
}

static void walk(struct answer *a, struct table *t, const struct buf *truth)
{
	struct iter *it = table_iter_new(t);
	for (a->rc = iter_seek_first(it); a->rc == 0; a->rc = iter_next(it)) {
		note(&a->log, 1, it->key, it->value);
		if (truth) /* before the damage nothing is wrong */
			CHECK(a->log.size <= truth->size && memcmp(a->log.data, truth->data, a->log.size) == 0);
	}
	iter_free(it);
}

static const char *const asked[] = {"", "apple", "apply", "applz", "apricot", "b", "ba", "banana", "cherry", "d", "z"};

/* A get that fails is no answer; one that does not must be right. */
static void ask(struct answer *a, struct table *t, uint64_t snapshot)
{
	static const struct sst_slice none = {0};
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		struct table_found f = {0};
		int rc = table_get(t, slice_str(asked[i]), snapshot, &f);
		note(&a->log, rc < 0 ? 99 : (uint64_t)rc, none, none);
		if (!rc) /* what a tombstone's value is does not matter */
			note(&a->log, f.sequence << 8 | f.type, none, f.type == TYPE_VALUE ? f.value : none);
	}
}

static void look(struct answer *a, const uint8_t *data, size_t size, uint64_t sequence, const struct buf *truth)
{
	struct memory m = memory_of(slice_of(data, size), "t.sst");
	struct table_read_options opt = {.manifest_sequence = sequence};
	struct sst_check_stats stats;
	struct table *t;
	buf_clear(&a->log);
	a->checked = a->rc = a->opened = table_open(&t, &m.source, &opt);
	if (a->opened)
		return;
	walk(a, t, truth);
	ask(a, t, SEQUENCE_MAX);
	ask(a, t, 7);
	a->checked = table_check(t, no_report, NULL, &stats);
	table_close(t);
}

/* ---------------------------------------------------------------- flips */

static unsigned flips, unnoticed;

static bool try_flip(struct maker *m, size_t i, uint8_t flip, uint64_t sequence, const struct answer *truth)
{
	struct answer a = {0};
	const struct buf *right = m->checksum == CHECKSUM_NONE ? NULL : &truth->log;
	m->out.data[i] ^= flip;
	look(&a, m->out.data, m->out.size, sequence, right);
	m->out.data[i] ^= flip;
	flips++;
	bool noticed = a.checked != 0;
	if (!noticed && right && !slice_eq(buf_slice(&a.log), buf_slice(right))) {
		fprintf(stderr, "%s: byte %zu of %zu ^ %02x: another answer, and no damage is told\n", m->label, i,
			m->out.size, flip);
		exit(1);
	}
	unnoticed += !noticed;
	buf_release(&a.log);
	return noticed;
}

/* The padding of a footer, a zero more in the number before it, and the low byte of the format version. */
static bool may_pass(const struct maker *m, size_t i, unsigned flip)
{
	bool legacy = m->leveldb || m->old;
	size_t footer = m->out.size - (legacy ? TABLE_FOOTER_SIZE_LEGACY : TABLE_FOOTER_SIZE);
	struct sst_slice handles = slice_of(m->out.data + footer + !legacy, 40);
	struct block_handle h;
	if (i < footer || m->version >= FORMAT_VERSION_CONTEXT)
		return false;
	CHECK(get_handle(&handles, &h) && get_handle(&handles, &h));
	size_t padding = footer + !legacy + 40 - handles.size;
	return (i >= padding && i < padding + handles.size) || (i == padding - 1 && flip == 0x80) ||
	       (!legacy && i == m->out.size - 12);
}

static void flip_all(struct maker *m)
{
	bool external = m->external;
	const struct made_entry *entries = external ? ingested : list;
	size_t count = external ? sizeof(ingested) / sizeof(ingested[0]) : sizeof(list) / sizeof(list[0]);
	uint64_t sequence = external ? 7 : UINT64_MAX;
	struct answer truth = {0};
	if (!m->leveldb) {
		m->tombstones = external ? ingested_tombstones : tombstones;
		m->tombstone_count = external ? 1 : 2;
	}
	m->per_block = m->per_block ? m->per_block : 2;
	make_table(m, entries, count);
	look(&truth, m->out.data, m->out.size, sequence, NULL);
	CHECK_EQ(truth.opened, 0);
	CHECK_EQ(truth.checked, 0);
	CHECK_EQ(truth.rc, SST_NO);
	for (size_t i = 0; i < m->out.size; i++) {
		bool footer = m->out.size - i <= TABLE_FOOTER_SIZE;
		for (unsigned flip = 1; flip < 256; flip++) {
			bool one_bit = (flip & (flip - 1)) == 0;
			if (flip != 0xff && !(one_bit && (footer || flip == 1u << i % 8)))
				continue;
			bool noticed = try_flip(m, i, (uint8_t)flip, sequence, &truth);
			if (noticed || may_pass(m, i, flip) || m->checksum == CHECKSUM_NONE)
				continue;
			fprintf(stderr, "%s: byte %zu of %zu ^ %02x: no damage is told\n", m->label, i, m->out.size,
				flip);
			exit(1);
		}
	}
	buf_release(&truth.log);
	buf_release(&m->out);
}

#define KIND(...)                                                                                                      \
	{                                                                                                              \
		.label = #__VA_ARGS__, __VA_ARGS__                                                                     \
	}

#define DICTIONARY "a value with repeats of a dictionary"

static const struct maker kinds[] = {
	KIND(.leveldb = true, .checksum = CHECKSUM_CRC32C),
	KIND(.leveldb = true, .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_SNAPPY, .compress_index = true),
	KIND(.leveldb = true, .checksum = CHECKSUM_CRC32C, .codec = 2),
	KIND(.leveldb = true, .checksum = CHECKSUM_CRC32C, .codec = 22),
	KIND(.old = true, .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_LZ4),
	KIND(.version = 1, .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_ZSTD),
	KIND(.version = 1, .checksum = CHECKSUM_XXHASH32, .codec = COMPRESSION_LZ4),
	KIND(.version = 1, .checksum = CHECKSUM_XXHASH64, .codec = COMPRESSION_ZLIB),
	KIND(.version = 2, .checksum = CHECKSUM_XXHASH32, .codec = COMPRESSION_BZIP2, .index_type = INDEX_HASH),
	KIND(.version = 2, .checksum = CHECKSUM_XXHASH64, .codec = COMPRESSION_LZ4),
	KIND(.version = 3, .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_ZLIB, .user_keys = true),
	KIND(.version = 4, .checksum = CHECKSUM_XXH3, .codec = COMPRESSION_SNAPPY, .user_keys = true, .delta = true,
		.index_interval = 2),
	KIND(.version = 5, .checksum = CHECKSUM_XXH3, .filter = true),
	KIND(.version = 5, .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_ZSTD, .compress_index = true,
		.index_type = INDEX_TWO_LEVEL, .per_block = 1),
	KIND(.version = 5, .checksum = CHECKSUM_XXHASH32, .codec = COMPRESSION_LZ4HC, .index_type = INDEX_FIRST_KEY,
		.filter = true),
	KIND(.version = 5, .checksum = CHECKSUM_XXHASH64, .codec = COMPRESSION_ZSTD, .dictionary = DICTIONARY),
	KIND(.version = 5, .checksum = CHECKSUM_XXH3, .codec = COMPRESSION_LZ4, .dictionary = DICTIONARY,
		.hash_index = true),
	KIND(.version = 5, .checksum = CHECKSUM_XXH3, .external = true, .external_sequence = 0),
	KIND(.version = 5, .checksum = CHECKSUM_CRC32C, .external = true, .external_sequence = 7, .filter = true),
	KIND(.version = 5, .checksum = CHECKSUM_XXH3, .apart = true, .uniform = true),
	KIND(.version = 6, .checksum = CHECKSUM_XXH3, .index_type = INDEX_TWO_LEVEL, .per_block = 1),
	KIND(.version = 6, .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_SNAPPY, .external = true),
	KIND(.version = 6, .checksum = CHECKSUM_XXHASH32, .codec = COMPRESSION_ZSTD, .dictionary = DICTIONARY),
	KIND(.version = 7, .checksum = CHECKSUM_XXHASH64, .codec = COMPRESSION_LZ4, .index_type = INDEX_FIRST_KEY),
	KIND(.version = 7, .checksum = CHECKSUM_XXH3, .codec = COMPRESSION_ZSTD, .apart = true, .filter = true,
		.user_keys = true, .delta = true, .index_interval = 3),
	KIND(.version = 5, .checksum = CHECKSUM_NONE),
	KIND(.version = 2, .checksum = CHECKSUM_NONE, .codec = COMPRESSION_SNAPPY),
	KIND(.version = 7, .checksum = CHECKSUM_NONE, .index_type = INDEX_TWO_LEVEL, .per_block = 1, .filter = true),
};

static void test_every_flip(void)
{
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		struct maker m = kinds[k];
		flip_all(&m);
	}
}

/* The kind of checksum cannot be taken for another, nor for none, nor none for one. */
static void test_checksum_kinds(void)
{
	for (int kind = CHECKSUM_NONE; kind <= CHECKSUM_XXH3; kind++)
		for (uint32_t version = 1; version <= FORMAT_VERSION_MAX; version++) {
			struct maker m = {.label = "kinds", .checksum = (enum checksum_type)kind, .version = version};
			struct answer truth = {0};
			make_table(&m, list, 3);
			look(&truth, m.out.data, m.out.size, UINT64_MAX, NULL);
			CHECK_EQ(truth.checked, 0);
			for (unsigned flip = 1; flip < 256; flip++) {
				struct answer a = {0};
				m.out.data[m.out.size - TABLE_FOOTER_SIZE] ^= (uint8_t)flip;
				look(&a, m.out.data, m.out.size, UINT64_MAX, &truth.log);
				CHECK(a.opened < 0);
				m.out.data[m.out.size - TABLE_FOOTER_SIZE] ^= (uint8_t)flip;
				buf_release(&a.log);
			}
			buf_release(&truth.log);
			buf_release(&m.out);
		}
}

/* Where there are no checksums, what should be zero is. */
static void test_trailers_without_checksums(void)
{
	struct maker m = {.label = "trailers", .version = 5};
	struct answer truth = {0}, a = {0};
	make_table(&m, list, 3);
	look(&truth, m.out.data, m.out.size, UINT64_MAX, NULL);
	struct block_handle metaindex;
	struct sst_slice handles = slice_of(m.out.data + m.out.size - 52, 40);
	CHECK(get_handle(&handles, &metaindex));
	m.out.data[metaindex.offset + metaindex.size + 4] = 1;
	look(&a, m.out.data, m.out.size, UINT64_MAX, NULL);
	CHECK_EQ(a.opened, SST_ECORRUPT);
	CHECK(strstr(sst_errmsg(), "checksum mismatch"));
	buf_release(&truth.log);
	buf_release(&a.log);
	buf_release(&m.out);
}

int main(void)
{
	RUN(test_every_flip);
	RUN(test_checksum_kinds);
	RUN(test_trailers_without_checksums);
	printf("%u flips, %u of them neither damage nor another answer\n", flips, unnoticed);
	return unit_done("test_every_flip");
}
