/* SPDX-License-Identifier: MIT */
#include "table/builder.h"

#include <limits.h>

#include "base/status.h"
#include "table/properties.h"
#include "unit.h"

/* A sink that keeps what it is given, up to a limit. */
struct memory_sink {
	struct sink sink;
	struct buf out;
	size_t limit;
};

static int memory_write(struct sink *sink, const void *p, size_t n)
{
	struct memory_sink *m = (struct memory_sink *)(void *)sink;
	if (m->out.size + n > m->limit)
		return fail(SST_EFULL, "the sink is full");
	buf_append(&m->out, p, n);
	return buf_check(&m->out);
}

static struct memory_sink memory_sink(void)
{
	return (struct memory_sink){.sink = {memory_write}, .limit = SIZE_MAX};
}

static int add(struct table_builder *b, const char *key, uint64_t sequence, unsigned type, const char *value)
{
	return table_builder_add_parts(b, slice_str(key), tag_make(sequence, type), slice_str(value));
}

/* The annotated table of sst(5): a@3 = one, ab@1 = two, b@2 deleted. RocksDB's sst_dump verified it. Ours has more
 * properties; up to them (data, filter, index), and in the form of everything behind, it is the same. */
static const uint8_t tiny[523] = {
	/* data block */
	0x00, 0x09, 0x03, 0x61, 0x01, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x6f, 0x6e, 0x65, 0x01,
	0x09, 0x03, 0x62, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x74, 0x77, 0x6f, 0x00, 0x09,
	0x00, 0x62, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
	0x00, 0x00, 0x00, 0x67, 0x68, 0x02, 0x3a,
	/* filter, at 55 */
	0x0a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x20, 0x00, 0x03, 0x00, 0x02, 0x40, 0x00, 0x20, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x01, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x00,
	0xff, 0x00, 0x06, 0x00, 0x00, 0x00, 0x7a, 0x25, 0xb0, 0xc4,
	/* index, at 129 */
	0x00, 0x09, 0x0c, 0x62, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x32, 0x09, 0x61,
	0x01, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
	0x00, 0xce, 0x16, 0x5c, 0x43,
	/* properties, at 166 */
	0x00, 0x24, 0x04, 0x72, 0x6f, 0x63, 0x6b, 0x73, 0x64, 0x62, 0x2e, 0x62, 0x6c, 0x6f, 0x63, 0x6b,
	0x2e, 0x62, 0x61, 0x73, 0x65, 0x64, 0x2e, 0x74, 0x61, 0x62, 0x6c, 0x65, 0x2e, 0x69, 0x6e, 0x64,
	0x65, 0x78, 0x2e, 0x74, 0x79, 0x70, 0x65, 0x03, 0x00, 0x00, 0x00, 0x08, 0x0a, 0x1a, 0x63, 0x6f,
	0x6d, 0x70, 0x61, 0x72, 0x61, 0x74, 0x6f, 0x72, 0x6c, 0x65, 0x76, 0x65, 0x6c, 0x64, 0x62, 0x2e,
	0x42, 0x79, 0x74, 0x65, 0x77, 0x69, 0x73, 0x65, 0x43, 0x6f, 0x6d, 0x70, 0x61, 0x72, 0x61, 0x74,
	0x6f, 0x72, 0x08, 0x09, 0x01, 0x64, 0x61, 0x74, 0x61, 0x2e, 0x73, 0x69, 0x7a, 0x65, 0x37, 0x09,
	0x0b, 0x01, 0x65, 0x6c, 0x65, 0x74, 0x65, 0x64, 0x2e, 0x6b, 0x65, 0x79, 0x73, 0x01, 0x08, 0x0e,
	0x01, 0x6d, 0x65, 0x72, 0x67, 0x65, 0x2e, 0x6f, 0x70, 0x65, 0x72, 0x61, 0x6e, 0x64, 0x73, 0x00,
	0x08, 0x0f, 0x01, 0x6e, 0x75, 0x6d, 0x2e, 0x64, 0x61, 0x74, 0x61, 0x2e, 0x62, 0x6c, 0x6f, 0x63,
	0x6b, 0x73, 0x01, 0x0c, 0x07, 0x01, 0x65, 0x6e, 0x74, 0x72, 0x69, 0x65, 0x73, 0x03, 0x0c, 0x0f,
	0x01, 0x72, 0x61, 0x6e, 0x67, 0x65, 0x2d, 0x64, 0x65, 0x6c, 0x65, 0x74, 0x69, 0x6f, 0x6e, 0x73,
	0x00, 0x08, 0x0c, 0x01, 0x72, 0x61, 0x77, 0x2e, 0x6b, 0x65, 0x79, 0x2e, 0x73, 0x69, 0x7a, 0x65,
	0x1c, 0x0c, 0x0a, 0x01, 0x76, 0x61, 0x6c, 0x75, 0x65, 0x2e, 0x73, 0x69, 0x7a, 0x65, 0x06, 0x00,
	0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0xab, 0x8d, 0x78, 0xd3,
	/* metaindex, at 386 */
	0x00, 0x25, 0x02, 0x66, 0x75, 0x6c, 0x6c, 0x66, 0x69, 0x6c, 0x74, 0x65, 0x72, 0x2e, 0x72, 0x6f,
	0x63, 0x6b, 0x73, 0x64, 0x62, 0x2e, 0x42, 0x75, 0x69, 0x6c, 0x74, 0x69, 0x6e, 0x42, 0x6c, 0x6f,
	0x6f, 0x6d, 0x46, 0x69, 0x6c, 0x74, 0x65, 0x72, 0x37, 0x45, 0x00, 0x12, 0x04, 0x72, 0x6f, 0x63,
	0x6b, 0x73, 0x64, 0x62, 0x2e, 0x70, 0x72, 0x6f, 0x70, 0x65, 0x72, 0x74, 0x69, 0x65, 0x73, 0xa6,
	0x01, 0xd7, 0x01, 0x00, 0x00, 0x00, 0x00, 0x2a, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00,
	0x0d, 0x83, 0x64, 0x72,
	/* footer, at 470 */
	0x04, 0x82, 0x03, 0x4f, 0x81, 0x01, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0xf7, 0xcf, 0xf4,
	0x85, 0xb7, 0x41, 0xe2, 0x88,
};

enum { TINY_PROPERTIES = 166, TINY_PROPERTIES_SIZE = 215, TINY_META = 386, TINY_META_SIZE = 79, TINY_FOOTER = 470 };

static void build_tiny(struct memory_sink *m, struct table_builder **b)
{
	struct table_options o = {.bloom_bits_per_key = 10};
	CHECK_EQ(table_builder_new(b, &m->sink, &o), 0);
	CHECK_EQ(add(*b, "a", 3, TYPE_VALUE, "one"), 0);
	CHECK_EQ(add(*b, "ab", 1, TYPE_VALUE, "two"), 0);
	CHECK_EQ(add(*b, "b", 2, TYPE_DELETION, ""), 0);
	CHECK_EQ(table_builder_finish(*b), 0);
}

static void check_trailer(const uint8_t *contents, size_t size)
{
	CHECK_EQ(contents[size], COMPRESSION_NONE);
	CHECK_EQ(load32(contents + size + 1), block_checksum(CHECKSUM_XXH3, slice_of(contents, size), 0));
}

static void test_tiny(void)
{
	struct memory_sink m = memory_sink();
	struct table_builder *b;
	build_tiny(&m, &b);
	const uint8_t *f = m.out.data;
	CHECK(m.out.size > sizeof(tiny));
	CHECK_EQ(memcmp(f, tiny, TINY_PROPERTIES), 0);
	size_t footer = m.out.size - TABLE_FOOTER_SIZE;
	size_t meta = footer - BLOCK_TRAILER_SIZE - TINY_META_SIZE;
	size_t properties_size = meta - BLOCK_TRAILER_SIZE - TINY_PROPERTIES;
	/* The metaindex: only the length of the properties is another. */
	size_t length_at = 42 + 3 + sizeof("rocksdb.properties") - 1 + 2;
	CHECK_EQ(memcmp(f + meta, tiny + TINY_META, length_at), 0);
	struct sst_slice length = slice_of(f + meta + length_at, 2);
	uint64_t v;
	CHECK(get_varint64(&length, &v));
	CHECK_EQ(v, properties_size);
	CHECK_EQ(memcmp(f + meta + length_at + 2, tiny + TINY_META + length_at + 2, 12), 0);
	check_trailer(f + meta, TINY_META_SIZE);
	check_trailer(f + TINY_PROPERTIES, properties_size);
	/* The footer: only the metaindex's offset is another. */
	struct sst_slice offset = slice_of(f + footer + 1, 2);
	CHECK(get_varint64(&offset, &v));
	CHECK_EQ(v, meta);
	CHECK_EQ(f[footer], tiny[TINY_FOOTER]);
	CHECK_EQ(memcmp(f + footer + 3, tiny + TINY_FOOTER + 3, 50), 0);

	/* The size of the index (32 bytes and trailer) among the properties. */
	CHECK(memmem(f + TINY_PROPERTIES, properties_size, "size\x25", 5));

	const struct table_stats *s = table_builder_stats(b);
	CHECK_EQ(s->entries, 3);
	CHECK_EQ(s->deletions, 1);
	CHECK_EQ(s->data_blocks, 1);
	CHECK_EQ(s->data_bytes, 55);
	CHECK_EQ(s->raw_key_bytes, 28);
	CHECK_EQ(s->raw_value_bytes, 6);
	CHECK_EQ(s->smallest_sequence, 1);
	CHECK_EQ(s->largest_sequence, 3);
	CHECK_EQ(s->file_size, m.out.size);
	CHECK_EQ(table_builder_size(b), m.out.size);
	CHECK_EQ(memcmp(s->smallest.data, "a\1\3\0\0\0\0\0\0", 9), 0);
	CHECK_EQ(memcmp(s->largest.data, "b\0\2\0\0\0\0\0\0", 9), 0);
	CHECK_EQ(s->smallest.size, 9);
	CHECK_EQ(s->largest.size, 9);
	table_builder_free(b);
	buf_release(&m.out);
}

/* The same properties give the same bytes, and so the whole of tiny. */
static void test_tiny_properties(void)
{
	struct properties_writer w;
	struct buf out = {0};
	properties_start(&w, &out);
	properties_fixed32(&w, PROPERTY_INDEX_TYPE, INDEX_FIRST_KEY);
	properties_text(&w, PROPERTY_COMPARATOR, COMPARATOR_BYTEWISE);
	properties_number(&w, PROPERTY_DATA_SIZE, 55);
	properties_number(&w, PROPERTY_DELETED_KEYS, 1);
	properties_number(&w, PROPERTY_MERGE_OPERANDS, 0);
	properties_number(&w, PROPERTY_NUM_DATA_BLOCKS, 1);
	properties_number(&w, PROPERTY_NUM_ENTRIES, 3);
	properties_number(&w, PROPERTY_NUM_RANGE_DELETIONS, 0);
	properties_number(&w, PROPERTY_RAW_KEY_SIZE, 28);
	properties_number(&w, PROPERTY_RAW_VALUE_SIZE, 6);
	CHECK_EQ(properties_finish(&w), 0);
	CHECK_EQ(out.size, TINY_PROPERTIES_SIZE);
	CHECK_EQ(memcmp(out.data, tiny + TINY_PROPERTIES, out.size), 0);
	check_trailer(tiny + TINY_PROPERTIES, TINY_PROPERTIES_SIZE);
	buf_release(&out);
}

static void test_order(void)
{
	struct memory_sink m = memory_sink();
	struct table_builder *b;
	CHECK_EQ(table_builder_new(&b, &m.sink, &(struct table_options){0}), 0);
	CHECK_EQ(add(b, "m", 5, TYPE_VALUE, "x"), 0);
	static const struct {
		const char *key;
		uint64_t sequence;
		unsigned type;
	} bad[] = {{"m", 5, TYPE_VALUE}, {"m", 6, TYPE_VALUE}, {"l", 1, TYPE_VALUE}, {"", 1, TYPE_VALUE},
		{"lzzzzzzzzzzzzzzzz", 1, TYPE_VALUE}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(add(b, bad[i].key, bad[i].sequence, bad[i].type, "y"), SST_EINVAL);
	/* Refused entries leave no trace; the type is part of the order. */
	CHECK_EQ(add(b, "m", 5, TYPE_DELETION, ""), 0);
	CHECK_EQ(add(b, "m", 4, TYPE_SINGLE_DELETION, ""), 0);
	CHECK_EQ(add(b, "m", 4, TYPE_SINGLE_DELETION, ""), SST_EINVAL);
	/* "m" and tag 0x0000000000000401 of "m" share bytes with this key beyond "m". */
	CHECK_EQ(add(b, "m\7\4", 9, TYPE_VALUE, "v"), 0);
	CHECK_EQ(add(b, "m\7", 9, TYPE_VALUE, "v"), SST_EINVAL);
	CHECK_EQ(add(b, "n", 9, TYPE_VALUE, "v"), 0);
	CHECK_EQ(add(b, "o", 1, TYPE_MERGE, "v"), SST_EINVAL);
	CHECK_EQ(add(b, "o", 1, TYPE_RANGE_DELETION, "v"), SST_EINVAL);
	CHECK_EQ(table_builder_finish(b), 0);
	CHECK_EQ(table_builder_stats(b)->entries, 5);
	CHECK_EQ(table_builder_stats(b)->deletions, 2);
	CHECK_EQ(add(b, "z", 1, TYPE_VALUE, ""), SST_EINVAL);
	CHECK_EQ(table_builder_finish(b), SST_EINVAL);
	table_builder_free(b);
	buf_release(&m.out);
}

static void test_arguments(void)
{
	struct memory_sink m = memory_sink();
	struct table_builder *b;
	struct table_options o = {.compression = COMPRESSION_SNAPPY};
	CHECK_EQ(table_builder_new(&b, &m.sink, &o), SST_EUNSUPPORTED);
	CHECK(!b);
	o = (struct table_options){.compression = COMPRESSION_ZSTD, .compression_level = 1000};
	CHECK_EQ(table_builder_new(&b, &m.sink, &o), SST_EINVAL);
	o = (struct table_options){.block_size = TABLE_BLOCK_SIZE_MAX + 1};
	CHECK_EQ(table_builder_new(&b, &m.sink, &o), SST_EINVAL);
	o = (struct table_options){.external = true};
	CHECK_EQ(table_builder_new(&b, &m.sink, &o), 0);
	CHECK_EQ(add(b, "a", 1, TYPE_VALUE, ""), SST_EINVAL);
	CHECK_EQ(add(b, "a", 0, TYPE_VALUE, ""), 0);
	struct sst_slice large = slice_of("", (size_t)LSM_KEY_MAX + 1);
	CHECK_EQ(table_builder_add_parts(b, large, TYPE_VALUE, slice_of("", 0)), SST_EINVAL);
	large.size = (size_t)LSM_VALUE_MAX + 1;
	CHECK_EQ(table_builder_add_parts(b, slice_str("b"), TYPE_VALUE, large), SST_EINVAL);
	CHECK_EQ(table_builder_finish(b), 0);
	table_builder_free(b);
	table_builder_free(NULL);
	buf_release(&m.out);
}

static void test_no_entries(void)
{
	struct memory_sink m = memory_sink();
	struct table_builder *b;
	struct table_options o = {.bloom_bits_per_key = 10};
	CHECK_EQ(table_builder_new(&b, &m.sink, &o), 0);
	CHECK_EQ(table_builder_finish(b), 0);
	const struct table_stats *s = table_builder_stats(b);
	CHECK_EQ(s->entries + s->data_blocks + s->data_bytes + s->smallest.size + s->largest.size, 0);
	CHECK_EQ(memcmp(m.out.data, "\0\0\0\0\1\0\0\0\0", 9), 0); /* the index: no entry, one restart */
	table_builder_free(b);
	buf_release(&m.out);
}

static void fill_noise(uint8_t *p, size_t n)
{
	uint32_t x = 1;
	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (uint8_t)(x >> 24);
	}
}

/* The type byte of the only block of a table with one value, of which the first `noise` bytes are noise. */
static uint8_t type_of_block(size_t noise)
{
	static uint8_t value[10000];
	memset(value, 'v', sizeof(value));
	fill_noise(value, noise);
	struct memory_sink m = memory_sink();
	struct table_options o = {.compression = COMPRESSION_ZSTD, .compression_level = 1};
	struct table_builder *b;
	CHECK_EQ(table_builder_new(&b, &m.sink, &o), 0);
	CHECK_EQ(table_builder_add_parts(b, slice_str("k"), tag_make(1, TYPE_VALUE), slice_of(value, sizeof(value))), 0);
	CHECK_EQ(table_builder_finish(b), 0);
	const struct table_stats *s = table_builder_stats(b);
	CHECK_EQ(s->data_blocks, 1);
	size_t size = s->data_bytes - BLOCK_TRAILER_SIZE;
	uint8_t type = m.out.data[size];
	CHECK_EQ(load32(m.out.data + size + 1),
		block_checksum(CHECKSUM_XXH3, slice_of(m.out.data, size), type));
	CHECK_EQ(size > sizeof(value), type == COMPRESSION_NONE);
	table_builder_free(b);
	buf_release(&m.out);
	return type;
}

/* A block is stored compressed when that gains an eighth. */
static void test_an_eighth(void)
{
	CHECK_EQ(type_of_block(10000), COMPRESSION_NONE);
	CHECK_EQ(type_of_block(9100), COMPRESSION_NONE);
	CHECK_EQ(type_of_block(8300), COMPRESSION_ZSTD);
	CHECK_EQ(type_of_block(0), COMPRESSION_ZSTD);
}

/* An entry larger than a block is alone in its own. */
static void test_large_entry_alone(void)
{
	struct memory_sink m = memory_sink();
	struct table_builder *b;
	CHECK_EQ(table_builder_new(&b, &m.sink, &(struct table_options){.block_size = 30}), 0);
	CHECK_EQ(add(b, "a", 1, TYPE_VALUE, ""), 0);
	CHECK_EQ(add(b, "b", 1, TYPE_VALUE, "more than twenty bytes"), 0);
	CHECK_EQ(add(b, "c", 1, TYPE_VALUE, ""), 0);
	CHECK_EQ(table_builder_finish(b), 0);
	CHECK_EQ(table_builder_stats(b)->data_blocks, 3);
	table_builder_free(b);
	buf_release(&m.out);
}

/* Data of all sorts: compressible and not, entries larger than a block, many versions of a key, empty ones. */
static void add_mixture(struct table_builder *b)
{
	enum { N = 3000, HUGE_VALUE = 300000 };
	uint8_t *noise = malloc(HUGE_VALUE);
	fill_noise(noise, HUGE_VALUE);
	CHECK_EQ(add(b, "", 9, TYPE_VALUE, ""), 0);
	CHECK_EQ(add(b, "", 8, TYPE_DELETION, ""), 0);
	for (unsigned i = 0; i < N; i++) {
		char key[16];
		snprintf(key, sizeof(key), "k%08u", i / 3);
		struct sst_slice value = slice_of(noise + i, i % 200);
		if (i % 1000 == 7)
			value = slice_of(noise, HUGE_VALUE);
		if (i % 2)
			value = slice_of(tiny + 100, 8);
		uint64_t tag = tag_make(100 - i % 3, i % 7 ? TYPE_VALUE : TYPE_DELETION);
		CHECK_EQ(table_builder_add_parts(b, slice_str(key), tag, value), 0);
	}
	free(noise);
}

/* With a pool or without, the file is the same. */
static void test_pool_makes_no_difference(void)
{
	static const enum compression_type kinds[] = {COMPRESSION_NONE, COMPRESSION_ZSTD};
	struct pool *pool = pool_new(3);
	CHECK(pool);
	for (int k = 0; k < 2; k++) {
		struct memory_sink alone = memory_sink(), with = memory_sink();
		struct memory_sink *sinks[] = {&alone, &with};
		for (int i = 0; i < 2; i++) {
			struct table_options o = {.block_size = 1024, .compression = kinds[k],
				.compression_level = 1, .bloom_bits_per_key = 10, .pool = i ? pool : NULL};
			struct table_builder *b;
			CHECK_EQ(table_builder_new(&b, &sinks[i]->sink, &o), 0);
			add_mixture(b);
			CHECK_EQ(table_builder_finish(b), 0);
			CHECK(table_builder_stats(b)->data_blocks > 100);
			table_builder_free(b);
		}
		CHECK_EQ(alone.out.size, with.out.size);
		CHECK_EQ(memcmp(alone.out.data, with.out.data, alone.out.size), 0);
		buf_release(&alone.out);
		buf_release(&with.out);
	}
	pool_free(pool);
}

/* A sink that fails at any byte loses the table, and only it. */
static void test_full_sink(void)
{
	struct pool *pool = pool_new(2);
	for (size_t limit = 0; limit < 200000; limit += 7919) {
		struct memory_sink m = memory_sink();
		m.limit = limit;
		struct table_options o = {.block_size = 512, .compression = COMPRESSION_ZSTD, .bloom_bits_per_key = 10,
			.pool = limit % 2 ? pool : NULL};
		struct table_builder *b;
		CHECK_EQ(table_builder_new(&b, &m.sink, &o), 0);
		int rc = 0;
		for (unsigned i = 0; i < 20000 && !rc; i++) {
			char key[16];
			snprintf(key, sizeof(key), "%08u", i);
			rc = add(b, key, 1, TYPE_VALUE, "a value of some twenty bytes");
		}
		if (rc)
			CHECK_EQ(add(b, "z", 1, TYPE_VALUE, ""), SST_EFULL);
		rc = table_builder_finish(b);
		CHECK_EQ(rc, SST_EFULL);
		table_builder_free(b);
		buf_release(&m.out);
	}
	pool_free(pool);
}

/* Freed in the middle, with jobs under way. */
static void test_abandoned(void)
{
	struct pool *pool = pool_new(2);
	struct memory_sink m = memory_sink();
	struct table_options o = {.compression = COMPRESSION_ZSTD, .compression_level = 9, .pool = pool};
	struct table_builder *b;
	CHECK_EQ(table_builder_new(&b, &m.sink, &o), 0);
	add_mixture(b);
	table_builder_free(b);
	pool_free(pool);
	buf_release(&m.out);
}

/* Every allocation of the library fails in turn; the table is lost with SST_ENOMEM, or comes out whole. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__)
static void test_no_memory(void)
{
	printf("skipped: failing allocations: gcc without sanitizers only\n");
}
#else
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_calloc(size_t n, size_t size);

static long allocations_left = LONG_MAX; /* REQUIRES: one thread */

void *realloc(void *p, size_t n)
{
	return allocations_left-- > 0 ? __libc_realloc(p, n) : NULL;
}

void *calloc(size_t n, size_t size)
{
	return allocations_left-- > 0 ? __libc_calloc(n, size) : NULL;
}

static int build_small(struct memory_sink *m)
{
	struct table_options o = {.block_size = 256, .bloom_bits_per_key = 10};
	struct table_builder *b;
	int rc = table_builder_new(&b, &m->sink, &o);
	for (unsigned i = 0; i < 300 && !rc; i++) {
		char key[16];
		snprintf(key, sizeof(key), "%08u", i);
		rc = add(b, key, 1, TYPE_VALUE, "a value of some twenty bytes");
	}
	if (!rc)
		rc = table_builder_finish(b);
	table_builder_free(b);
	return rc;
}

static void test_no_memory(void)
{
	struct memory_sink whole = memory_sink();
	CHECK_EQ(build_small(&whole), 0);
	int rc = SST_ENOMEM;
	for (long n = 0; rc; n++) {
		struct memory_sink m = memory_sink();
		CHECK(buf_reserve(&m.out, whole.out.size));
		allocations_left = n;
		rc = build_small(&m);
		allocations_left = LONG_MAX;
		CHECK(rc == 0 || rc == SST_ENOMEM);
		CHECK(rc || slice_eq(buf_slice(&m.out), buf_slice(&whole.out)));
		CHECK(rc || n > 20);
		buf_release(&m.out);
	}
	buf_release(&whole.out);
}
#endif

int main(void)
{
	RUN(test_tiny);
	RUN(test_tiny_properties);
	RUN(test_order);
	RUN(test_arguments);
	RUN(test_no_entries);
	RUN(test_an_eighth);
	RUN(test_large_entry_alone);
	RUN(test_pool_makes_no_difference);
	RUN(test_full_sink);
	RUN(test_abandoned);
	RUN(test_no_memory);
	return unit_done("builder");
}
