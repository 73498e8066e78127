/* SPDX-License-Identifier: MIT */
/* Codecs: damage and bombs. That each is read right is in test_reader.c. */
#include "table/decompress.h"

#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "unit.h"

static int try_within(uint64_t limit, enum dialect dialect, uint8_t type, struct sst_slice in, struct buf *out)
{
	struct decompressor d = {.dialect = dialect, .limit = limit};
	uint8_t *copy = malloc(in.size ? in.size : 1);
	memcpy(copy, in.data, in.size);
	int rc = decompress(&d, type, slice_of(copy, in.size), true, out);
	decompressor_release(&d);
	free(copy);
	return rc;
}

static int try(enum dialect dialect, uint8_t type, struct sst_slice in, struct buf *out)
{
	return try_within(0, dialect, type, in, out);
}

/* A size that so few bytes cannot stand for is refused before memory is asked for. */
static void test_impossible_sizes(void)
{
	static const uint8_t types[] = {COMPRESSION_SNAPPY, COMPRESSION_ZLIB, COMPRESSION_LZ4, COMPRESSION_LZ4HC,
		COMPRESSION_ZSTD};
	for (size_t i = 0; i < sizeof(types); i++) {
		struct buf in = {0}, out = {0};
		put_varint(&in, types[i] == COMPRESSION_ZSTD ? 1200000000 : 1000000000);
		buf_append(&in, "0123456789", 10);
		CHECK_EQ(try(DIALECT_ROCKSDB, types[i], buf_slice(&in), &out), SST_ECORRUPT);
		CHECK_EQ(out.cap, 0);
		buf_release(&in);
	}
}

/* A limit that the caller sets. */
static void test_smaller_limit(void)
{
	char zeros[2000] = {0}, packed[3000];
	size_t n = sizeof(packed);
	struct buf out = {0};
	CHECK(snappy_compress(zeros, sizeof(zeros), packed, &n) == SNAPPY_OK);
	CHECK_EQ(try_within(2000, DIALECT_ROCKSDB, COMPRESSION_SNAPPY, slice_of((uint8_t *)packed, n), &out), 0);
	CHECK_EQ(try_within(1999, DIALECT_ROCKSDB, COMPRESSION_SNAPPY, slice_of((uint8_t *)packed, n), &out), SST_ECORRUPT);
	buf_release(&out);
}

static void test_unknown_types(void)
{
	struct buf out = {0};
	for (unsigned type = 8; type < 256; type++)
		CHECK_EQ(try(DIALECT_ROCKSDB, (uint8_t)type, slice_str("\1x"), &out), SST_EUNSUPPORTED);
	CHECK_EQ(try(DIALECT_ROCKSDB, COMPRESSION_XPRESS, slice_str("\1x"), &out), SST_EUNSUPPORTED);
	CHECK_EQ(try(DIALECT_LEVELDB, 3, slice_str("\1x"), &out), SST_EUNSUPPORTED);
	CHECK_EQ(try(DIALECT_LEVELDB, 7, slice_str("\1x"), &out), SST_EUNSUPPORTED);
	buf_release(&out);
}

/* Streams without a size grow as they come, and are cut off at the limit. */
static void test_unsized_stream(void)
{
	enum { N = 5 << 20 };
	uint8_t *zeros = calloc(1, N), *packed = malloc(N);
	z_stream z = {.next_in = zeros, .avail_in = N, .next_out = packed, .avail_out = N};
	struct buf out = {0};
	CHECK(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
	CHECK_EQ(try(DIALECT_LEVELDB, 4, slice_of(packed, z.total_out), &out), 0);
	CHECK_EQ(out.size, N);
	CHECK(memcmp(out.data, zeros, N) == 0);
	CHECK_EQ(try(DIALECT_LEVELDB, 4, slice_of(packed, z.total_out - 1), &out), SST_ECORRUPT);
	CHECK_EQ(try_within(N, DIALECT_LEVELDB, 4, slice_of(packed, z.total_out), &out), 0);
	CHECK_EQ(try_within(N / 2, DIALECT_LEVELDB, 4, slice_of(packed, z.total_out), &out), SST_ECORRUPT);
	packed[z.total_out] = 0; /* something behind the end */
	CHECK_EQ(try(DIALECT_LEVELDB, 4, slice_of(packed, z.total_out + 1), &out), SST_ECORRUPT);
	deflateEnd(&z);
	free(zeros);
	free(packed);
	buf_release(&out);
}

/* The stored size must be the true one, one more or less is damage. */
static void test_wrong_size(void)
{
	char text[1000], packed[2000];
	memset(text, 'x', sizeof(text));
	size_t n = ZSTD_compress(packed, sizeof(packed), text, sizeof(text), 1);
	CHECK(!ZSTD_isError(n));
	for (unsigned size = 999; size <= 1001; size++) {
		struct buf in = {0}, out = {0};
		put_varint(&in, size);
		buf_append(&in, packed, n);
		CHECK_EQ(try(DIALECT_ROCKSDB, COMPRESSION_ZSTD, buf_slice(&in), &out), size == 1000 ? 0 : SST_ECORRUPT);
		buf_release(&in);
		buf_release(&out);
	}
}

static void test_every_codec_survives_junk(void)
{
	uint32_t seed = 7;
	for (unsigned round = 0; round < 3000; round++) {
		uint8_t junk[64];
		for (size_t i = 0; i < sizeof(junk); i++)
			junk[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
		junk[0] &= 0x7f;
		struct buf out = {0};
		for (uint8_t type = 1; type <= 7; type++)
			for (enum dialect d = DIALECT_ROCKSDB; d <= DIALECT_LEVELDB; d++) {
				int rc = try(d, type, slice_of(junk, seed % sizeof(junk)), &out);
				CHECK(rc == 0 || rc == SST_ECORRUPT || rc == SST_EUNSUPPORTED);
			}
		buf_release(&out);
	}
}

int main(void)
{
	RUN(test_impossible_sizes);
	RUN(test_smaller_limit);
	RUN(test_unknown_types);
	RUN(test_unsized_stream);
	RUN(test_wrong_size);
	RUN(test_every_codec_survives_junk);
	return unit_done("test_decompress");
}
