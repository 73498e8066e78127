/* SPDX-License-Identifier: MIT */
#include "base/coding.h"

#include "unit.h"

static const struct {
	uint64_t value;
	size_t size;
	const char *bytes;
} varints[] = {
	{0, 1, "\x00"},
	{1, 1, "\x01"},
	{127, 1, "\x7f"},
	{128, 2, "\x80\x01"},
	{300, 2, "\xac\x02"},
	{16384, 3, "\x80\x80\x01"},
	{UINT32_MAX, 5, "\xff\xff\xff\xff\x0f"},
	{UINT64_C(72057594037927935), 8, "\xff\xff\xff\xff\xff\xff\xff\x7f"},
	{UINT64_MAX, 10, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
};

#define VARINTS (sizeof(varints) / sizeof(varints[0]))

static void varints_both_ways(void)
{
	struct buf b = {0};
	for (size_t i = 0; i < VARINTS; i++) {
		struct sst_slice want = slice_of(varints[i].bytes, varints[i].size);
		buf_clear(&b);
		put_varint(&b, varints[i].value);
		CHECK(slice_eq(buf_slice(&b), want));
		CHECK_EQ(varint_size(varints[i].value), want.size);
		uint64_t v = ~varints[i].value;
		CHECK(get_varint64(&want, &v) && want.size == 0);
		CHECK_EQ(v, varints[i].value);
	}
	buf_release(&b);
}

static void varints_cut_short(void)
{
	for (size_t i = 0; i < VARINTS; i++)
		for (size_t n = 0; n < varints[i].size; n++) {
			struct sst_slice in = slice_of(varints[i].bytes, n);
			uint64_t v;
			CHECK(!get_varint64(&in, &v));
			CHECK_EQ(in.size, n);
		}
}

static void varints_malformed(void)
{
	static const struct {
		const char *bytes;
		size_t size;
		bool is64, is32;
	} cases[] = {
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, false, false},	    /* 65 bits */
		{"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11, false, false}, /* 11 bytes */
		{"\x80\x80\x80\x80\x80\x00", 6, true, false},			    /* 6 bytes */
		{"\xff\xff\xff\xff\x1f", 5, true, false},			    /* 33 bits */
		{"\xff\xff\xff\xff\x0f", 5, true, true},
		{"\x80\x00", 2, true, true}, /* longer than need be, as RocksDB takes it */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sst_slice a = slice_of(cases[i].bytes, cases[i].size), b = a;
		uint64_t v;
		uint32_t w;
		CHECK(get_varint64(&a, &v) == cases[i].is64);
		CHECK(get_varint32(&b, &w) == cases[i].is32);
		CHECK(cases[i].is32 || b.size == cases[i].size);
	}
}

static void zigzag(void)
{
	static const struct {
		int64_t value;
		size_t size;
		const char *bytes;
	} cases[] = {
		{0, 1, "\x00"},	     {-1, 1, "\x01"},	      {1, 1, "\x02"}, {-64, 1, "\x7f"},
		{64, 2, "\x80\x01"}, {-3000, 2, "\xef\x2e"}, {INT64_MIN, 10, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
	};
	struct buf b = {0};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&b);
		put_varint_signed(&b, cases[i].value);
		CHECK(slice_eq(buf_slice(&b), slice_of(cases[i].bytes, cases[i].size)));
		struct sst_slice in = buf_slice(&b);
		int64_t v;
		CHECK(get_varint_signed(&in, &v) && v == cases[i].value);
	}
	buf_release(&b);
}

static void slices(void)
{
	struct buf b = {0};
	put_slice(&b, slice_str("key"));
	put_slice(&b, slice_str(""));
	put_fixed32(&b, 0x01020304);
	put_fixed64(&b, 5);
	CHECK(slice_eq(buf_slice(&b), slice_of("\3key\0\4\3\2\1\5\0\0\0\0\0\0\0", 17)));
	for (size_t n = 0; n <= b.size; n++) {
		struct sst_slice in = slice_of(b.data, n), s;
		uint32_t w;
		uint64_t v;
		bool all = get_slice(&in, &s) && slice_eq(s, slice_str("key")) && get_slice(&in, &s) && s.size == 0 &&
			   get_fixed32(&in, &w) && w == 0x01020304 && get_fixed64(&in, &v) && v == 5;
		CHECK(all == (n == b.size));
	}
	buf_release(&b);
}

static void a_slice_longer_than_its_input(void)
{
	struct sst_slice in = slice_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10), s;
	CHECK(!get_slice(&in, &s));
	CHECK_EQ(in.size, 10);
}

int main(void)
{
	RUN(varints_both_ways);
	RUN(varints_cut_short);
	RUN(varints_malformed);
	RUN(zigzag);
	RUN(slices);
	RUN(a_slice_longer_than_its_input);
	return unit_done("coding");
}
