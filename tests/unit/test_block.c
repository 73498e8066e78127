/* SPDX-License-Identifier: MIT */
/* Blocks by themselves: what block_builder makes is read back; malformed ones are refused at the right place. */
#include "table/block.h"

#include "table/block_builder.h"
#include "unit.h"

/* contents in a buffer of exactly their size. */
static struct sst_slice exact(const void *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);
	memcpy(copy, p, n);
	return slice_of(copy, n);
}

static void drop(struct sst_slice s)
{
	free((void *)(uintptr_t)s.data);
}

static void number(char text[16], unsigned i)
{
	snprintf(text, 16, "k%06u", i);
}

static struct buf build(unsigned n, uint32_t interval)
{
	struct buf out = {0};
	struct block_builder b = {0};
	char text[16], last[16] = "";
	block_builder_start(&b, &out, interval);
	for (unsigned i = 0; i < n; i++) {
		number(text, i * 2);
		struct sst_slice key = slice_str(text);
		block_builder_add(&b, key, i ? slice_common(slice_str(last), key) : 0, key);
		memcpy(last, text, sizeof(last));
	}
	CHECK_EQ(block_builder_finish(&b), 0);
	block_builder_release(&b);
	return out;
}

static bool at(const struct block_iter *it, unsigned i)
{
	char text[16];
	number(text, i);
	return slice_eq(it->key, slice_str(text)) && slice_eq(it->value, slice_str(text));
}

static void test_walks_and_seeks(void)
{
	static const uint32_t intervals[] = {1, 2, 16, RESTART_NEVER};
	for (unsigned n = 0; n < 40; n += 13)
		for (size_t k = 0; k < 4; k++) {
			struct buf out = build(n, intervals[k]);
			struct block b;
			struct block_iter it = {0};
			char text[16];
			CHECK_EQ(block_open(&b, buf_slice(&out), 0, ORDER_BYTEWISE), 0);
			block_iter_start(&it, &b, false);
			for (unsigned i = 0; i < n; i++) {
				CHECK_EQ(block_iter_next(&it), 0);
				CHECK(at(&it, i * 2));
			}
			CHECK_EQ(block_iter_next(&it), SST_NO);
			CHECK_EQ(block_iter_last(&it), n ? 0 : SST_NO);
			for (unsigned i = n; i-- > 0;) {
				CHECK(at(&it, i * 2));
				CHECK_EQ(block_iter_prev(&it), i ? 0 : SST_NO);
			}
			for (unsigned i = 0; i < 2 * n + 2; i++) {
				number(text, i);
				CHECK_EQ(block_iter_seek(&it, slice_str(text)), i + 1 < 2 * n ? 0 : SST_NO);
				if (i + 1 < 2 * n)
					CHECK(at(&it, (i + 1) / 2 * 2));
			}
			block_iter_release(&it);
			buf_release(&out);
		}
}

/* Walks, sought and walked backwards, whatever the bytes are: errors or entries, within bounds and in order. */
static void survive(const void *p, size_t n, unsigned flags, enum key_order order)
{
	struct sst_slice c = exact(p, n);
	struct block b;
	struct block_iter it = {0};
	struct buf last = {0};
	if (block_open(&b, c, flags, order) == 0) {
		block_iter_start(&it, &b, false);
		bool first = true;
		while (block_iter_next(&it) == 0) {
			CHECK(first || order == ORDER_UNKNOWN || block_cmp(&b, buf_slice(&last), it.key) < 0);
			first = false;
			buf_clear(&last);
			buf_append_slice(&last, it.key);
			if (it.value.size) /* touch it */
				CHECK(memchr(it.value.data, it.value.data[it.value.size - 1], it.value.size));
		}
		for (int rc = block_iter_last(&it); rc == 0; rc = block_iter_prev(&it))
			;
		if (order != ORDER_UNKNOWN)
			block_iter_seek(&it, slice_of("k000007\0\0\0\0\0\0\0\0", 15));
	}
	block_iter_release(&it);
	buf_release(&last);
	drop(c);
}

static void test_flips_and_cuts(void)
{
	static const unsigned flags[] = {0, BLOCK_TAGGED, BLOCK_TAGGED | BLOCK_DATA, BLOCK_DELTA,
		BLOCK_DELTA | BLOCK_FIRST_KEY};
	struct buf out = build(12, 3);
	for (size_t f = 0; f < sizeof(flags) / sizeof(flags[0]); f++) {
		for (size_t n = 0; n <= out.size; n++)
			survive(out.data, n, flags[f], ORDER_BYTEWISE);
		for (size_t i = 0; i < out.size; i++)
			for (unsigned bit = 0; bit < 8; bit++) {
				out.data[i] ^= (uint8_t)(1u << bit);
				survive(out.data, out.size, flags[f], ORDER_BYTEWISE);
				survive(out.data, out.size, flags[f], ORDER_UNKNOWN);
				out.data[i] ^= (uint8_t)(1u << bit);
			}
	}
	buf_release(&out);
}

static void check_malformed(const char *bytes, size_t n, unsigned flags, int code, const char *message)
{
	struct sst_slice c = exact(bytes, n);
	struct block b;
	struct block_iter it = {0};
	int rc = block_open(&b, c, flags, ORDER_BYTEWISE);
	if (rc == 0) {
		block_iter_start(&it, &b, false);
		while ((rc = block_iter_next(&it)) == 0)
			;
	}
	CHECK_EQ(rc, code);
	if (!strstr(sst_errmsg(), message)) {
		fprintf(stderr, "message: %s, not: %s\n", sst_errmsg(), message);
		exit(1);
	}
	block_iter_release(&it);
	drop(c);
}

#define MALFORMED(text, flags, code, message) check_malformed(text, sizeof(text) - 1, flags, code, message)
#define ONE_RESTART "\0\0\0\0\1\0\0\0"

static void test_malformed(void)
{
	MALFORMED("", 0, SST_ECORRUPT, "block of 0 bytes");
	MALFORMED("\1\0\0\0", 0, SST_ECORRUPT, "1 restarts in a block of 0 bytes");
	MALFORMED("\xff\xff\xff\x0f", 0, SST_ECORRUPT, "restarts");
	MALFORMED("\0\1\1ax" ONE_RESTART, 0, SST_NO, "");
	MALFORMED("\0\1\1ax\0\0\0\0", 0, SST_ECORRUPT, "no restarts");
	MALFORMED("\0\1\1ax\1\0\0\0\1\0\0\0", 0, SST_ECORRUPT, "first restart is at 1");
	MALFORMED("\0\1\1ax\0\0\0\0\5\0\0\0\2\0\0\0", 0, SST_ECORRUPT, "restart 1 is at 5");
	MALFORMED("\0\1\1ax\0\0\0\0\0\0\0\0\2\0\0\0", 0, SST_ECORRUPT, "restart 1 is at 0");
	MALFORMED("\0\1\1ax\0\0\0\0\1\0\0\0\2\0\0\0", 0, SST_ECORRUPT, "runs over a restart");
	MALFORMED("\1\1\1ax" ONE_RESTART, 0, SST_ECORRUPT, "malformed entry at 0");
	MALFORMED("\0\1\2ax" ONE_RESTART, 0, SST_ECORRUPT, "malformed entry at 0");
	MALFORMED("\0\5\0ax" ONE_RESTART, 0, SST_ECORRUPT, "malformed entry at 0");
	MALFORMED("\0\3\0ax" ONE_RESTART, 0, SST_ECORRUPT, "malformed entry at 0");
	MALFORMED("\0\1\0a\1\1\0b\0\0\0\0\4\0\0\0\2\0\0\0", 0, SST_ECORRUPT, "malformed entry at 4"); /* a restart that shares */
	MALFORMED("\0\1\1ax\2\1\0b" ONE_RESTART, 0, SST_ECORRUPT, "malformed entry at 5");
	MALFORMED("\0\1\0b\0\1\0a" ONE_RESTART, 0, SST_ECORRUPT, "keys out of order at 4");
	MALFORMED("\0\1\0b\1\0\0" ONE_RESTART, 0, SST_ECORRUPT, "keys out of order at 4");
	MALFORMED("\0\1\0b\xff\xff\xff\xff\xff\1\0" ONE_RESTART, 0, SST_ECORRUPT, "malformed entry at 4");
	MALFORMED("\0\1\1ax" ONE_RESTART, BLOCK_TAGGED, SST_ECORRUPT, "no room for its sequence");
	MALFORMED("\0\0\0\0\0\0\0\x40", 0, SST_EUNSUPPORTED, "unknown flags 4");
	MALFORMED("\0\0\0\0\0\0\0\x10", 0, SST_EUNSUPPORTED, "unknown flags 1"); /* apart, not a data block */
	MALFORMED("\0\0\0\0\0\0\0\x10", BLOCK_DATA, SST_NO, "");
	MALFORMED("\0\0\0\x10", BLOCK_DATA, SST_ECORRUPT, "too short");
	MALFORMED("\0\0\0\x80", 0, SST_ECORRUPT, "hash index");
	MALFORMED("\1\0\0\0\0\x80", 0, SST_ECORRUPT, "hash index");
	/* apart: shared, unshared, length, offset of the value, suffix; values at 5 */
	MALFORMED("\0\1\1\0ax" "\0\0\0\0" "\5\0\0\0" "\1\0\0\x10", BLOCK_DATA, SST_NO, "");
	MALFORMED("\0\1\2\0ax" "\0\0\0\0" "\5\0\0\0" "\1\0\0\x10", BLOCK_DATA, SST_ECORRUPT, "malformed");
	MALFORMED("\0\1\1\1ax" "\0\0\0\0" "\5\0\0\0" "\1\0\0\x10", BLOCK_DATA, SST_ECORRUPT, "malformed");
	MALFORMED("\0\1\1\0ax" "\0\0\0\0" "\7\0\0\0" "\1\0\0\x10", BLOCK_DATA, SST_ECORRUPT, "values at 7");
}

/* Versions of a key share bytes of their tags: the order must not be judged by bytes alone. */
static void test_order_of_versions(void)
{
	static const uint64_t tags[] = {0x0000010000000001, 0x00000000ff000001, 0x0000000000000201, 0x0000000000000200,
		0x0000000000000107, 1, 0};
	enum { N = sizeof(tags) / sizeof(tags[0]) };
	for (unsigned i = 0; i < N; i++)
		for (unsigned j = 0; j < N; j++) {
			struct buf out = {0}, a = {0}, c = {0};
			struct block_builder b = {0};
			put_ikey(&a, slice_str("key"), tags[i]);
			put_ikey(&c, slice_str("key"), tags[j]);
			block_builder_start(&b, &out, 16);
			block_builder_add(&b, buf_slice(&a), 0, slice_str(""));
			block_builder_add(&b, buf_slice(&c), slice_common(buf_slice(&a), buf_slice(&c)), slice_str(""));
			CHECK_EQ(block_builder_finish(&b), 0);
			struct block blk;
			struct block_iter it = {0};
			CHECK_EQ(block_open(&blk, buf_slice(&out), BLOCK_TAGGED, ORDER_BYTEWISE), 0);
			block_iter_start(&it, &blk, false);
			CHECK_EQ(block_iter_next(&it), 0);
			CHECK_EQ(block_iter_next(&it), tags[i] > tags[j] ? 0 : SST_ECORRUPT);
			block_iter_release(&it);
			block_builder_release(&b);
			buf_release(&out);
			buf_release(&a);
			buf_release(&c);
		}
}

/* Sharing must not make giants of many small entries. */
static void test_long_keys(void)
{
	struct buf out = {0};
	size_t n = LSM_KEY_MAX;
	char *key = malloc(n + 9);
	memset(key, 'k', n + 9);
	for (int extra = 0; extra < 2; extra++) {
		struct block_builder b = {0};
		struct block blk;
		struct block_iter it = {0};
		buf_clear(&out);
		block_builder_start(&b, &out, 16);
		block_builder_add(&b, slice_of(key, n + (size_t)extra * 9), 0, slice_str("v"));
		CHECK_EQ(block_builder_finish(&b), 0);
		block_builder_release(&b);
		CHECK_EQ(block_open(&blk, buf_slice(&out), 0, ORDER_BYTEWISE), 0);
		block_iter_start(&it, &blk, false);
		CHECK_EQ(block_iter_next(&it), extra ? SST_EUNSUPPORTED : 0);
		block_iter_release(&it);
	}
	free(key);
	buf_release(&out);
}

int main(void)
{
	RUN(test_walks_and_seeks);
	RUN(test_flips_and_cuts);
	RUN(test_malformed);
	RUN(test_order_of_versions);
	RUN(test_long_keys);
	return unit_done("test_block");
}
