/* SPDX-License-Identifier: MIT */
#include "table/block_builder.h"

#include "table/format.h"
#include "unit.h"

static void add(struct block_builder *b, const char *key, size_t shared, const char *value)
{
	block_builder_add(b, slice_str(key), shared, slice_str(value));
}

static void check_bytes(const struct buf *out, const void *want, size_t n)
{
	CHECK_EQ(out->size, n);
	CHECK_EQ(memcmp(out->data, want, n), 0);
}

static void test_prefixes_and_restarts(void)
{
	struct block_builder b = {0};
	struct buf out = {0};
	block_builder_start(&b, &out, 2);
	CHECK(block_builder_empty(&b));
	add(&b, "apple", 0, "1");
	add(&b, "apply", 4, "");
	CHECK(!block_builder_empty(&b));
	add(&b, "apt", 2, "33"); /* a restart: shares nothing, whatever it could */
	add(&b, "apt", 3, "4");
	size_t size = block_builder_size(&b);
	CHECK_EQ(block_builder_finish(&b), 0);
	static const char want[] = "\0\5\1apple1"
				   "\4\1\0y"
				   "\0\3\2apt33"
				   "\3\0\1"
				   "4"
				   "\0\0\0\0\x0d\0\0\0\2\0\0\0";
	check_bytes(&out, want, sizeof(want) - 1);
	CHECK_EQ(size, out.size);
	block_builder_release(&b);
	buf_release(&out);
}

static void test_empty_block(void)
{
	struct block_builder b = {0};
	struct buf out = {0};
	block_builder_start(&b, &out, 1);
	CHECK_EQ(block_builder_finish(&b), 0);
	check_bytes(&out, "\0\0\0\0\1\0\0\0", 8);
	block_builder_release(&b);
	buf_release(&out);
}

/* Offsets count from the block's own beginning; a builder is used again. */
static void test_behind_other_bytes(void)
{
	struct block_builder b = {0};
	struct buf out = {0};
	for (int i = 0; i < 2; i++) {
		buf_append(&out, "xyz", 3);
		block_builder_start(&b, &out, 1);
		add(&b, "", 0, "");
		add(&b, "k", 0, "v");
		CHECK_EQ(block_builder_finish(&b), 0);
	}
	static const char want[] = "xyz\0\0\0\0\1\1kv\0\0\0\0\3\0\0\0\2\0\0\0"
				   "xyz\0\0\0\0\1\1kv\0\0\0\0\3\0\0\0\2\0\0\0";
	check_bytes(&out, want, sizeof(want) - 1);
	block_builder_release(&b);
	buf_release(&out);
}

/* Lengths of more than a byte, each alone and all together. */
static void test_long_lengths(void)
{
	enum { LONG = 70000 };
	char *text = malloc(LONG + 1);
	memset(text, 'k', LONG);
	text[LONG] = 0;
	struct block_builder b = {0};
	struct buf out = {0};
	block_builder_start(&b, &out, RESTART_NEVER);
	struct sst_slice whole = slice_of(text, LONG), part = slice_of(text, 200);
	block_builder_add(&b, part, 0, slice_str("v"));	  /* 0, c8 01, 1 */
	block_builder_add(&b, whole, 200, slice_str("")); /* c8 01, a8 a1 04, 0 */
	block_builder_add(&b, whole, LONG, whole);	  /* f0 a2 04, 0, f0 a2 04 */
	const uint8_t *p = out.data;
	CHECK_EQ(memcmp(p, "\0\xc8\1\1k", 5), 0);
	p += 4 + 200 + 1;
	CHECK_EQ(memcmp(p, "\xc8\1\xa8\xa1\4\0k", 7), 0);
	p += 6 + LONG - 200;
	CHECK_EQ(memcmp(p, "\xf0\xa2\4\0\xf0\xa2\4k", 8), 0);
	CHECK_EQ((size_t)(out.data + out.size - p), 7 + LONG);
	CHECK_EQ(block_builder_finish(&b), 0);
	block_builder_release(&b);
	buf_release(&out);
	free(text);
}

/* Vectors of all kinds; RocksDB verified files made with each. */
static void test_checksums(void)
{
	static const struct {
		enum checksum_type kind;
		uint32_t plain, zstd;
	} rows[] = {{CHECKSUM_NONE, 0, 0}, {CHECKSUM_CRC32C, 0xf527f663, 0x3df58cf7},
		{CHECKSUM_XXHASH32, 0x64a84e5c, 0x73423e56}, {CHECKSUM_XXHASH64, 0xe30adef1, 0x622818fa},
		{CHECKSUM_XXH3, 0x582a86cf, 0xa8d91c20}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK_EQ(block_checksum(rows[i].kind, slice_str("block data"), 0), rows[i].plain);
		CHECK_EQ(block_checksum(rows[i].kind, slice_str("block data"), 7), rows[i].zstd);
		block_checksum(rows[i].kind, slice_of(NULL, 0), 0);
	}
}

int main(void)
{
	RUN(test_prefixes_and_restarts);
	RUN(test_empty_block);
	RUN(test_behind_other_bytes);
	RUN(test_long_lengths);
	RUN(test_checksums);
	return unit_done("block_builder");
}
