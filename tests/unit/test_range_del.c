/* SPDX-License-Identifier: MIT */
/* Range tombstones: "who covers this key" against the plain search, over random heaps of them. */
#include "table/range_del.h"

#include "table/block_builder.h"
#include "unit.h"

static uint32_t seed = 1;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

enum { MAX = 200 };
struct stone {
	char begin[8], end[8];
	uint64_t sequence;
};
static struct stone stones[MAX];

static void random_stones(unsigned n, unsigned span)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned a = rnd(100), b = a + rnd(span);
		snprintf(stones[i].begin, 8, "%03u", a);
		snprintf(stones[i].end, 8, "%03u", b); /* empty ones among them */
		stones[i].sequence = rnd(50);
	}
}

static void build(struct buf *out, unsigned n, bool reverse)
{
	struct block_builder b = {0};
	struct buf key = {0};
	block_builder_start(&b, out, 1);
	for (unsigned i = 0; i < n; i++) {
		const char *begin = reverse ? stones[i].end : stones[i].begin;
		buf_clear(&key);
		put_ikey(&key, slice_str(begin), tag_make(stones[i].sequence, TYPE_RANGE_DELETION));
		block_builder_add(&b, buf_slice(&key), 0, slice_str(reverse ? stones[i].begin : stones[i].end));
	}
	CHECK_EQ(block_builder_finish(&b), 0);
	block_builder_release(&b);
	buf_release(&key);
}

static uint64_t plain(unsigned n, const char *key, uint64_t snapshot, bool reverse)
{
	uint64_t best = 0;
	for (unsigned i = 0; i < n; i++) {
		bool in = reverse ? strcmp(stones[i].begin, key) < 0 && strcmp(key, stones[i].end) <= 0
				  : strcmp(stones[i].begin, key) <= 0 && strcmp(key, stones[i].end) < 0;
		if (in && stones[i].sequence <= snapshot && stones[i].sequence > best)
			best = stones[i].sequence;
	}
	return best;
}

static void check(unsigned n, unsigned span, bool reverse)
{
	struct buf out = {0};
	struct range_dels r;
	random_stones(n, span);
	build(&out, n, reverse);
	CHECK_EQ(range_dels_read(&r, buf_slice(&out), reverse ? ORDER_REVERSE : ORDER_BYTEWISE, 0), 0);
	CHECK_EQ(r.count, n);
	for (unsigned k = 0; k < 130; k++) {
		char key[8];
		snprintf(key, 8, "%03u", k);
		for (uint64_t snapshot = 0; snapshot < 60; snapshot += 7)
			CHECK_EQ(range_dels_covering(&r, slice_str(key), snapshot), plain(n, key, snapshot, reverse));
	}
	range_dels_release(&r);
	buf_release(&out);
}

static void test_against_plain_search(void)
{
	for (unsigned round = 0; round < 60; round++) {
		check(rnd(12), 30, false);
		check(rnd(MAX), 1 + rnd(100), false);
		check(rnd(MAX), 1 + rnd(20), true);
	}
}

static void test_wrong_type(void)
{
	struct buf out = {0}, key = {0};
	struct block_builder b = {0};
	struct range_dels r = {0};
	put_ikey(&key, slice_str("a"), tag_make(1, TYPE_VALUE));
	block_builder_start(&b, &out, 1);
	block_builder_add(&b, buf_slice(&key), 0, slice_str("b"));
	CHECK_EQ(block_builder_finish(&b), 0);
	CHECK_EQ(range_dels_read(&r, buf_slice(&out), ORDER_BYTEWISE, 0), SST_ECORRUPT);
	range_dels_release(&r);
	block_builder_release(&b);
	buf_release(&out);
	buf_release(&key);
}

/* Two long keys that thousands of entries share would be gigabytes. */
static void test_sharing_is_bounded(void)
{
	struct buf out = {0}, key = {0};
	struct block_builder b = {0};
	struct range_dels r = {0};
	for (unsigned i = 0; i < 100000; i++)
		buf_push(&key, 'k');
	put_fixed64(&key, tag_make(1, TYPE_RANGE_DELETION));
	block_builder_start(&b, &out, RESTART_NEVER);
	for (unsigned i = 0; i < 1000; i++)
		block_builder_add(&b, buf_slice(&key), i ? key.size : 0, slice_str("z"));
	CHECK_EQ(block_builder_finish(&b), 0);
	CHECK_EQ(range_dels_read(&r, buf_slice(&out), ORDER_BYTEWISE, 0), SST_ECORRUPT);
	range_dels_release(&r);
	block_builder_release(&b);
	buf_release(&out);
	buf_release(&key);
}

int main(void)
{
	RUN(test_against_plain_search);
	RUN(test_wrong_type);
	RUN(test_sharing_is_bounded);
	return unit_done("test_range_del");
}
