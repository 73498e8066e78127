/* SPDX-License-Identifier: MIT */
#include "table/decompress.h"

#include <bzlib.h>
#include <lz4.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "base/status.h"

/* A first guess where the size is not stored, and what is added to every limit by ratio: the smallest streams. */
#define ROOM_MIN (UINT64_C(128) << 10)

/* How zlib is told the wrapping: raw deflate of any window, and zlib's own header. */
#define DEFLATE_RAW (-15)
#define DEFLATE_ZLIB 15

const char *compression_name(enum dialect dialect, uint8_t type)
{
	static const char *const names[] = {"NoCompression", "Snappy", "Zlib", "BZip2", "LZ4", "LZ4HC", "Xpress",
		"ZSTD"};
	static const char *const leveldb[] = {"NoCompression", "Snappy", "ZSTD or Zlib", "unknown", "Zlib"};
	if (dialect == DIALECT_LEVELDB)
		return type < sizeof(leveldb) / sizeof(leveldb[0]) ? leveldb[type] : "unknown";
	return type < sizeof(names) / sizeof(names[0]) ? names[type] : "unknown";
}

void decompressor_release(struct decompressor *d)
{
	buf_release(&d->dictionary);
	ZSTD_freeDCtx(d->zstd);
	ZSTD_freeDDict(d->zstd_dictionary);
	*d = (struct decompressor){0};
}

static int fail_damaged(const char *codec)
{
	return fail(SST_ECORRUPT, "damaged %s data", codec);
}

static uint64_t limit_of(const struct decompressor *d)
{
	return d->limit ? d->limit : DECOMPRESSED_MAX;
}

/* Makes room for exactly `size` bytes if `stored` bytes can hold that many: `ratio` is the most that one byte of
 * the codec's output can stand for. */
static int make_room(const struct decompressor *d, struct buf *out, uint64_t size, size_t stored, uint64_t ratio)
{
	if (size > limit_of(d))
		return fail(SST_ECORRUPT, "decompressed size of %llu bytes is too large", (unsigned long long)size);
	if (size > stored * ratio + ROOM_MIN)
		return fail(SST_ECORRUPT, "%zu compressed bytes cannot be %llu", stored, (unsigned long long)size);
	buf_clear(out);
	return buf_reserve(out, (size_t)size + 1) ? 0 : fail_memory();
}

/* ---------------------------------------------------------------- one codec each */

/* Three bytes of a copy make 64. */
static int decompress_snappy(const struct decompressor *d, struct sst_slice in, struct buf *out)
{
	const char *p = (const char *)in.data;
	size_t size;
	if (snappy_uncompressed_length(p, in.size, &size) != SNAPPY_OK)
		return fail_damaged("Snappy");
	int rc = make_room(d, out, size, in.size, 22);
	if (rc)
		return rc;
	if (snappy_uncompress(p, in.size, (char *)out->data, &size) != SNAPPY_OK)
		return fail_damaged("Snappy");
	out->size = size;
	return 0;
}

/* One byte of a length makes 255. */
static int decompress_lz4(const struct decompressor *d, uint64_t size, struct sst_slice in, bool with_dictionary,
	struct buf *out)
{
	int rc = make_room(d, out, size, in.size, 255);
	if (rc)
		return rc;
	const struct buf *dict = &d->dictionary;
	const char *p = (const char *)in.data;
	int n;
	if (in.size > LZ4_MAX_INPUT_SIZE)
		return fail_damaged("LZ4");
	if (with_dictionary && dict->size)
		n = LZ4_decompress_safe_usingDict(p, (char *)out->data, (int)in.size, (int)size,
			(const char *)dict->data, (int)dict->size);
	else
		n = LZ4_decompress_safe(p, (char *)out->data, (int)in.size, (int)size);
	if (n < 0 || (uint64_t)n != size)
		return fail_damaged("LZ4");
	out->size = (size_t)size;
	return 0;
}

static int zstd_prepare(struct decompressor *d, bool with_dictionary)
{
	if (!d->zstd && !(d->zstd = ZSTD_createDCtx()))
		return fail_memory();
	if (with_dictionary && d->dictionary.size && !d->zstd_dictionary &&
		!(d->zstd_dictionary = ZSTD_createDDict(d->dictionary.data, d->dictionary.size)))
		return fail(SST_ECORRUPT, "ZSTD does not take the table's dictionary");
	return 0;
}

/* A block of 128 KiB may have four bytes. */
static int decompress_zstd(struct decompressor *d, uint64_t size, struct sst_slice in, bool with_dictionary,
	struct buf *out)
{
	int rc = zstd_prepare(d, with_dictionary);
	if (!rc)
		rc = make_room(d, out, size, in.size, 32768);
	if (rc)
		return rc;
	size_t n;
	if (with_dictionary && d->dictionary.size)
		n = ZSTD_decompress_usingDDict(d->zstd, out->data, (size_t)size, in.data, in.size,
			d->zstd_dictionary);
	else
		n = ZSTD_decompressDCtx(d->zstd, out->data, (size_t)size, in.data, in.size);
	if (ZSTD_isError(n) || n != size)
		return fail_damaged("ZSTD");
	out->size = n;
	return 0;
}

/* LevelDB: the frame tells the size. */
static int decompress_zstd_frame(struct decompressor *d, struct sst_slice in, struct buf *out)
{
	unsigned long long size = ZSTD_getFrameContentSize(in.data, in.size);
	if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR)
		return fail_damaged("ZSTD");
	return decompress_zstd(d, size, in, false, out);
}

/* ---------------------------------------------------------------- streams */

/* Zlib and BZip2 are decoded as streams, since old tables do not tell the size. */
#define SIZE_UNKNOWN UINT64_MAX

/* Room for more output. One byte more than there may be is asked for, so that an excess shows. */
static int stream_grow(const struct decompressor *d, struct buf *out, uint64_t size)
{
	if (out->size > limit_of(d) || (size != SIZE_UNKNOWN && out->size > size))
		return fail(SST_ECORRUPT, "more decompressed bytes than there may be");
	if (out->cap == out->size && !buf_reserve(out, out->size))
		return fail_memory();
	return 0;
}

/* Memory that out had before may have held more than there may be. */
static int stream_check(const struct decompressor *d, uint64_t size, const struct buf *out, const char *codec)
{
	return out->size > limit_of(d) || (size != SIZE_UNKNOWN && out->size != size) ? fail_damaged(codec) : 0;
}

static unsigned stream_room(const struct buf *out)
{
	size_t room = out->cap - out->size;
	return room > INT32_MAX ? INT32_MAX : (unsigned)room;
}

static int inflate_all(const struct decompressor *d, z_stream *z, uint64_t size, struct buf *out)
{
	for (;;) {
		int rc = stream_grow(d, out, size);
		if (rc)
			return rc;
		unsigned room = stream_room(out);
		z->next_out = out->data + out->size;
		z->avail_out = room;
		int r = inflate(z, Z_NO_FLUSH);
		out->size += room - z->avail_out;
		if (r == Z_STREAM_END)
			return z->avail_in ? fail_damaged("Zlib") : 0;
		if (r != Z_OK)
			return r == Z_MEM_ERROR ? fail_memory() : fail_damaged("Zlib");
	}
}

static int decompress_zlib(const struct decompressor *d, int window, uint64_t size, struct sst_slice in,
	bool with_dictionary, struct buf *out)
{
	if (in.size > INT32_MAX)
		return fail_damaged("Zlib");
	int rc = make_room(d, out, size == SIZE_UNKNOWN ? ROOM_MIN : size, in.size, 1032);
	if (rc)
		return rc;
	z_stream z = {0};
	z.next_in = (Bytef *)(uintptr_t)in.data;
	z.avail_in = (uInt)in.size;
	if (inflateInit2(&z, window) != Z_OK)
		return fail_memory();
	if (with_dictionary && d->dictionary.size &&
		inflateSetDictionary(&z, d->dictionary.data, (uInt)d->dictionary.size) != Z_OK)
		rc = fail(SST_ECORRUPT, "Zlib does not take the table's dictionary");
	if (!rc)
		rc = inflate_all(d, &z, size, out);
	inflateEnd(&z);
	return rc ? rc : stream_check(d, size, out, "Zlib");
}

static int bzip2_all(const struct decompressor *d, bz_stream *z, uint64_t size, struct buf *out)
{
	for (;;) {
		int rc = stream_grow(d, out, size);
		if (rc)
			return rc;
		unsigned room = stream_room(out);
		z->next_out = (char *)out->data + out->size;
		z->avail_out = room;
		int r = BZ2_bzDecompress(z);
		out->size += room - z->avail_out;
		if (r == BZ_STREAM_END)
			return z->avail_in ? fail_damaged("BZip2") : 0;
		if (r == BZ_MEM_ERROR)
			return fail_memory();
		if (r != BZ_OK || (!z->avail_in && z->avail_out)) /* the end is missing */
			return fail_damaged("BZip2");
	}
}

/* 40 bytes may stand for 46 MB: the output grows as it comes, up to the absolute limit. */
static int decompress_bzip2(const struct decompressor *d, uint64_t size, struct sst_slice in, struct buf *out)
{
	if (in.size > INT32_MAX)
		return fail_damaged("BZip2");
	int rc = make_room(d, out, ROOM_MIN, in.size, 1);
	if (rc)
		return rc;
	bz_stream z = {0};
	z.next_in = (char *)(uintptr_t)in.data;
	z.avail_in = (unsigned)in.size;
	if (BZ2_bzDecompressInit(&z, 0, 0) != BZ_OK)
		return fail_memory();
	rc = bzip2_all(d, &z, size, out);
	BZ2_bzDecompressEnd(&z);
	return rc ? rc : stream_check(d, size, out, "BZip2");
}

/* ---------------------------------------------------------------- dialects */

static int fail_codec(enum dialect dialect, uint8_t type)
{
	return fail(SST_EUNSUPPORTED, "compression type %u (%s) is not supported", type,
		compression_name(dialect, type));
}

static int decompress_leveldb(struct decompressor *d, uint8_t type, struct sst_slice in, struct buf *out)
{
	static const uint8_t zstd_magic[4] = {0x28, 0xb5, 0x2f, 0xfd};
	switch (type) {
	case COMPRESSION_SNAPPY:
		return decompress_snappy(d, in, out);
	case 2:
		if (slice_has_prefix(in, slice_of(zstd_magic, sizeof(zstd_magic))))
			return decompress_zstd_frame(d, in, out);
		return decompress_zlib(d, DEFLATE_ZLIB, SIZE_UNKNOWN, in, false, out);
	case 4:
		return decompress_zlib(d, DEFLATE_RAW, SIZE_UNKNOWN, in, false, out);
	default:
		return fail_codec(DIALECT_LEVELDB, type);
	}
}

static int take_size(enum dialect dialect, uint8_t type, struct sst_slice *in, uint64_t *size)
{
	uint32_t n;
	*size = SIZE_UNKNOWN;
	if (dialect == DIALECT_ROCKSDB || type == COMPRESSION_ZSTD) {
		if (!get_varint32(in, &n))
			return fail(SST_ECORRUPT, "malformed decompressed size");
		*size = n;
	} else if (type == COMPRESSION_LZ4 || type == COMPRESSION_LZ4HC) {
		if (!get_fixed64(in, size))
			return fail(SST_ECORRUPT, "malformed decompressed size");
		*size &= UINT32_MAX;
	}
	return 0;
}

int decompress(struct decompressor *d, uint8_t type, struct sst_slice stored, bool with_dictionary, struct buf *out)
{
	if (d->dialect == DIALECT_LEVELDB)
		return decompress_leveldb(d, type, stored, out);
	if (type == COMPRESSION_SNAPPY)
		return decompress_snappy(d, stored, out);
	if (type == COMPRESSION_XPRESS || type > COMPRESSION_ZSTD)
		return fail_codec(d->dialect, type);
	uint64_t size;
	int rc = take_size(d->dialect, type, &stored, &size);
	if (rc)
		return rc;
	switch (type) {
	case COMPRESSION_ZLIB:
		return decompress_zlib(d, DEFLATE_RAW, size, stored, with_dictionary, out);
	case COMPRESSION_BZIP2:
		return decompress_bzip2(d, size, stored, out);
	case COMPRESSION_ZSTD:
		return decompress_zstd(d, size, stored, with_dictionary, out);
	default:
		return decompress_lz4(d, size, stored, with_dictionary, out);
	}
}
