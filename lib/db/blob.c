/* SPDX-License-Identifier: MIT */
/*
 * Blob files NNNNNN.blob, where RocksDB puts large values so that compaction need not copy them.
 * The table has in their place an entry of type 17 whose value is a blob index:
 *
 *     0  varint expiration  value                  in the index itself, with a time to live
 *     1  varint file  varint offset  varint size  compression:1
 *     2  varint expiration, then as 1
 *
 * Offset is that of the stored value, whose record begins with header and key before it. The
 * file:
 *
 *     header 30   magic:4 248f3700  version:4 =1  family:4  flags:1  compression:1  expiration:16
 *     record      key size:8  value size:8  expiration:8  crc:4 of these  crc:4 of key and value
 *                 key  value
 *     footer 32   magic:4  blobs:8  expiration:16  crc:4 of all before
 *
 * All little-endian, crcs masked CRC-32C. A value is compressed by the one method of its file, with
 * its size in front as in tables; always, even when that makes it larger.
 *
 * The integrated BlobDB has no times to live (flags and expiration are 0), and RocksDB refuses
 * what has: so do we, since such a value is there or not as the clock says. Source: RocksDB
 * db/blob/blob_index.h, blob_log_format.h, blob_file_reader.cc; held against librocksdb 7.8.
 */
#include "db/blob.h"

#include <inttypes.h>

#include "base/crc32c.h"
#include "base/status.h"

#define BLOB_MAGIC UINT32_C(0x00248f37)
#define BLOB_VERSION 1
#define HEADER_SIZE 30u
#define FOOTER_SIZE 32u
#define RECORD_HEADER_SIZE 32u

enum blob_kind { BLOB_INLINED_TTL = 0, BLOB_PLAIN = 1, BLOB_TTL = 2 };

/* ---------------------------------------------------------------- index */

int blob_index_decode(struct blob_index *b, struct sst_slice in)
{
	if (!in.size || in.data[0] > BLOB_TTL)
		return fail(SST_ECORRUPT, "malformed blob index");
	if (in.data[0] != BLOB_PLAIN)
		return fail(SST_EUNSUPPORTED, "its value has a time to live (blob index of kind %u)",
			in.data[0]);
	struct sst_slice rest = slice_skip(in, 1);
	if (!get_varint64(&rest, &b->file) || !get_varint64(&rest, &b->offset) ||
		!get_varint64(&rest, &b->size) || rest.size != 1)
		return fail(SST_ECORRUPT, "malformed blob index");
	b->compression = rest.data[0];
	return b->file ? 0 : fail(SST_EUNSUPPORTED, "its value is a blob within a table");
}

/* ---------------------------------------------------------------- file */

static int damaged(const struct blob_file *f, uint64_t offset, const char *what)
{
	return fail(SST_ECORRUPT, "cannot read '%s': %s at %" PRIu64, f->source->name, what, offset);
}

static bool crc_is(const void *p, size_t n, const void *stored)
{
	return crc32c_mask(crc32c(0, p, n)) == load32(stored);
}

static int check_header(struct blob_file *f, const uint8_t h[HEADER_SIZE], uint32_t family)
{
	static const uint8_t no_expiration[16];
	if (load32(h) != BLOB_MAGIC)
		return damaged(f, 0, "not a blob file's header");
	if (load32(h + 4) != BLOB_VERSION)
		return fail(SST_EUNSUPPORTED, "cannot read '%s': blob file of version %" PRIu32,
			f->source->name, load32(h + 4));
	f->family = load32(h + 8);
	f->compression = h[13];
	if (f->family != family)
		return fail(SST_ECORRUPT,
			"cannot read '%s': it is of column family %" PRIu32 ", not %" PRIu32,
			f->source->name, f->family, family);
	if (h[12] & 1 || memcmp(h + 14, no_expiration, sizeof(no_expiration)) != 0)
		return fail(SST_EUNSUPPORTED, "cannot read '%s': its values have times to live",
			f->source->name);
	return 0;
}

static int check_footer(const struct blob_file *f)
{
	struct source *s = f->source;
	uint8_t b[FOOTER_SIZE];
	int rc = s->read(s, s->size - FOOTER_SIZE, b, FOOTER_SIZE);
	if (rc)
		return rc;
	if (load32(b) != BLOB_MAGIC || !crc_is(b, FOOTER_SIZE - 4, b + FOOTER_SIZE - 4))
		return damaged(f, s->size - FOOTER_SIZE, "damaged footer");
	return 0;
}

int blob_file_open(struct blob_file *f, struct source *source, uint32_t family)
{
	uint8_t header[HEADER_SIZE];
	*f = (struct blob_file){.source = source};
	if (source->size < HEADER_SIZE + FOOTER_SIZE)
		return fail(SST_ECORRUPT, "cannot read '%s': too short for a blob file",
			source->name);
	int rc = source->read(source, 0, header, sizeof(header));
	if (!rc)
		rc = check_header(f, header, family);
	return rc ? rc : check_footer(f);
}

/* ---------------------------------------------------------------- record */

static int check_record(const struct blob_file *f, const struct blob_index *b,
	struct sst_slice user_key, const uint8_t *r)
{
	uint64_t at = b->offset - user_key.size - RECORD_HEADER_SIZE;
	if (!crc_is(r, 24, r + 24))
		return damaged(f, at, "checksum mismatch of a record's header");
	if (load64(r) != user_key.size || load64(r + 8) != b->size ||
		!slice_eq(slice_of(r + RECORD_HEADER_SIZE, user_key.size), user_key))
		return damaged(f, at, "record of another key or size");
	if (!crc_is(r + RECORD_HEADER_SIZE, user_key.size + (size_t)b->size, r + 28))
		return damaged(f, at, "checksum mismatch of a record");
	return 0;
}

/* The whole record must lie between header and footer. */
static bool lies_within(const struct blob_file *f, const struct blob_index *b, size_t key_size)
{
	uint64_t end = f->source->size - FOOTER_SIZE;
	uint64_t before = HEADER_SIZE + RECORD_HEADER_SIZE + (uint64_t)key_size;
	return b->offset >= before && b->offset <= end && b->size <= end - b->offset;
}

int blob_file_read(const struct blob_file *f, const struct blob_index *b, struct sst_slice user_key,
	struct decompressor *d, struct buf *record, struct buf *out)
{
	if (!lies_within(f, b, user_key.size))
		return damaged(f, b->offset, "no room for a value");
	if (b->compression != f->compression)
		return damaged(f, b->offset, "value of another compression than the file's");
	size_t before = RECORD_HEADER_SIZE + user_key.size, size = before + (size_t)b->size;
	buf_clear(record);
	buf_clear(out);
	if (!buf_reserve(record, size))
		return fail_memory();
	int rc = f->source->read(f->source, b->offset - before, record->data, size);
	if (!rc)
		rc = check_record(f, b, user_key, record->data);
	if (rc)
		return rc;
	struct sst_slice stored = slice_of(record->data + before, (size_t)b->size);
	if (b->compression == COMPRESSION_NONE) {
		buf_append_slice(out, stored);
		return buf_check(out);
	}
	rc = decompress(d, b->compression, stored, false, out);
	return rc ? fail_in(rc, "cannot read '%s': value at %" PRIu64, f->source->name, b->offset) : 0;
}
