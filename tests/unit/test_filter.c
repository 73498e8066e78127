/* SPDX-License-Identifier: MIT */
#include "table/filter.h"

#include "base/filter_hash.h"
#include "unit.h"

static uint64_t hash_of(const char *key)
{
	return filter_hash(slice_str(key));
}

/* A filter that RocksDB 7.8 was seen to use: "a", "b", "hello world", 10 bits a key. */
static void test_golden(void)
{
	static const uint8_t want[69] = {0x0a, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0x40, 0x40, 0, 0, 0x20, 0, 0, 0, 0,
		0, 0, 2, 0, 0, 4, 0, 0, 0, 0, 0, 0x20, 0, 0x12, 0, 2, 0, 0, 0x20, 0, 0, 0, 0, 0, 0x80, 1, 0, 0, 0,
		0, 0, 2, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0x40, 0xff, 0, 6, 0, 0};
	uint64_t hashes[] = {hash_of("a"), hash_of("b"), hash_of("hello world")};
	struct buf out = {0};
	filter_build(&out, hashes, 3, 10);
	CHECK_EQ(buf_check(&out), 0);
	CHECK_EQ(out.size, sizeof(want));
	CHECK_EQ(filter_size(3, 10), sizeof(want));
	CHECK_EQ(memcmp(out.data, want, sizeof(want)), 0);
	for (int i = 0; i < 3; i++)
		CHECK(filter_may_match(buf_slice(&out), hashes[i]));
	CHECK(!filter_may_match(buf_slice(&out), hash_of("c")));
	buf_release(&out);
}

static uint64_t hash_of_number(uint64_t i)
{
	return filter_hash(slice_of(&i, sizeof(i)));
}

/* No key is denied; strangers are let through about as often as the bits promise. */
static void test_rates(void)
{
	static const struct {
		unsigned bits, probes;
		double rate_max;
	} rows[] = {{1, 1, 0.7}, {2, 1, 0.5}, {3, 2, 0.3}, {5, 3, 0.13}, {6, 4, 0.08}, {8, 5, 0.035}, {10, 6, 0.015},
		{11, 7, 0.01}, {14, 8, 0.005}, {16, 9, 0.004}, {18, 10, 0.003}, {22, 11, 0.002}, {25, 12, 0.002},
		{26, 11, 0.002}, {40, 18, 0.001}, {100, 24, 0.001}, {1000, 24, 0.001}};
	enum { N = 20000 };
	static uint64_t hashes[N];
	for (uint64_t i = 0; i < N; i++)
		hashes[i] = hash_of_number(i);
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		struct buf out = {0};
		filter_build(&out, hashes, N, rows[r].bits);
		CHECK_EQ(out.size, filter_size(N, rows[r].bits));
		CHECK_EQ(out.data[out.size - 3], rows[r].probes);
		for (size_t i = 0; i < N; i++)
			CHECK(filter_may_match(buf_slice(&out), hashes[i]));
		unsigned wrong = 0;
		for (uint64_t i = N; i < 2 * N; i++)
			wrong += filter_may_match(buf_slice(&out), hash_of_number(i));
		CHECK((double)wrong / N <= rows[r].rate_max);
		buf_release(&out);
	}
}

/* What we do not know must not hide a key. */
static void test_strangers(void)
{
	uint8_t block[69] = {0};
	uint8_t *trailer = block + 64;
	const uint8_t good[5] = {0xff, 0, 6, 0, 0};
	memcpy(trailer, good, 5);
	CHECK(!filter_may_match(slice_of(block, 69), 1));
	static const uint8_t other[][5] = {{0xfe, 0, 6, 0, 0}, {6, 0, 6, 0, 0}, {0xff, 1, 6, 0, 0}, {0xff, 0, 0, 0, 0},
		{0xff, 0, 31, 0, 0}, {0xff, 0, 0x26, 0, 0}, {0xff, 0, 6, 1, 0}, {0xff, 0, 6, 0, 1}};
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		memcpy(trailer, other[i], 5);
		CHECK(filter_may_match(slice_of(block, 69), 1));
	}
	memcpy(trailer, good, 5);
	for (size_t n = 0; n < 69; n++)
		CHECK(filter_may_match(slice_of(block + 69 - n, n), UINT64_MAX));
}

static void test_no_keys(void)
{
	struct buf out = {0};
	filter_build(&out, NULL, 0, 10);
	CHECK_EQ(out.size, 5);
	CHECK(filter_may_match(buf_slice(&out), 7));
	buf_release(&out);
}

int main(void)
{
	RUN(test_golden);
	RUN(test_rates);
	RUN(test_strangers);
	RUN(test_no_keys);
	return unit_done("filter");
}
