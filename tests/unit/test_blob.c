/* SPDX-License-Identifier: MIT */
/* Blob indexes and blob files: the sound one, and every way to be wrong. */
#include "db/blob.h"

#include "base/crc32c.h"
#include "base/status.h"
#include "unit.h"

#define S(literal) slice_of(literal, sizeof(literal) - 1)

struct memory_source {
	struct source source;
	const uint8_t *data;
};

static int read_memory(struct source *s, uint64_t offset, void *buf, size_t n)
{
	const struct memory_source *m = (const struct memory_source *)(const void *)s;
	CHECK(offset <= s->size && n <= s->size - offset);
	memcpy(buf, m->data + offset, n);
	return 0;
}

static void put_crc(struct buf *b, size_t from)
{
	put_fixed32(b, crc32c_mask(crc32c(0, b->data + from, b->size - from)));
}

/* Returns where the value is. */
static uint64_t put_record(struct buf *b, struct sst_slice key, struct sst_slice value)
{
	size_t at = b->size;
	uint32_t crc = crc32c(crc32c(0, key.data, key.size), value.data, value.size);
	put_fixed64(b, key.size);
	put_fixed64(b, value.size);
	put_fixed64(b, 0);
	put_crc(b, at);
	put_fixed32(b, crc32c_mask(crc));
	buf_append_slice(b, key);
	uint64_t offset = b->size;
	buf_append_slice(b, value);
	return offset;
}

static void put_header(struct buf *b, uint32_t family, uint8_t compression)
{
	put_fixed32(b, 0x00248f37);
	put_fixed32(b, 1);
	put_fixed32(b, family);
	buf_push(b, 0);
	buf_push(b, compression);
	put_fixed64(b, 0);
	put_fixed64(b, 0);
}

static void put_footer(struct buf *b, uint64_t count)
{
	size_t at = b->size;
	put_fixed32(b, 0x00248f37);
	put_fixed64(b, count);
	put_fixed64(b, 0);
	put_fixed64(b, 0);
	put_crc(b, at);
}

static struct buf record, value;
static struct decompressor decompressor = {.dialect = DIALECT_ROCKSDB};

static int read_blob(const struct buf *b, const struct blob_index *index, struct sst_slice key)
{
	struct memory_source m = {{.read = read_memory, .size = b->size, .name = "000012.blob"}, b->data};
	struct blob_file f;
	int rc = blob_file_open(&f, &m.source, 7);
	return rc ? rc : blob_file_read(&f, index, key, &decompressor, &record, &value);
}

static void indexes(void)
{
	struct blob_index b;
	CHECK(blob_index_decode(&b, S("\1\x0c\xac\2\x05\7")) == 0);
	CHECK(b.file == 12 && b.offset == 300 && b.size == 5 && b.compression == 7);
	CHECK(blob_index_decode(&b, S("")) == SST_ECORRUPT && blob_index_decode(&b, S("\1")) == SST_ECORRUPT);
	CHECK(blob_index_decode(&b, S("\1\x0c\xac\2\x05")) == SST_ECORRUPT);
	CHECK(blob_index_decode(&b, S("\1\x0c\xac\2\x05\7\7")) == SST_ECORRUPT);
	CHECK(blob_index_decode(&b, S("\1\x0c\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\1\0")) == SST_ECORRUPT);
	CHECK(blob_index_decode(&b, S("\3\1\1\1\0")) == SST_ECORRUPT);
	CHECK(blob_index_decode(&b, S("\0\1value")) == SST_EUNSUPPORTED);
	CHECK(blob_index_decode(&b, S("\2\1\x0c\xac\2\x05\7")) == SST_EUNSUPPORTED);
	CHECK(blob_index_decode(&b, S("\1\0\xac\2\x05\7")) == SST_EUNSUPPORTED); /* within a table */
}

static void values(void)
{
	struct buf b = {0};
	put_header(&b, 7, 0);
	struct blob_index one = {12, put_record(&b, S("key"), S("value")), 5, 0};
	struct blob_index two = {12, put_record(&b, S(""), S("")), 0, 0};
	put_footer(&b, 2);
	CHECK(read_blob(&b, &one, S("key")) == 0 && slice_eq(buf_slice(&value), S("value")));
	CHECK(read_blob(&b, &two, S("")) == 0 && value.size == 0);
	CHECK(read_blob(&b, &one, S("kez")) == SST_ECORRUPT && read_blob(&b, &one, S("ke")) == SST_ECORRUPT);
	CHECK(strstr(sst_errmsg(), "'000012.blob'"));
	struct blob_index wrong = one;
	wrong.size = 4;
	CHECK(read_blob(&b, &wrong, S("key")) == SST_ECORRUPT);
	wrong = one;
	wrong.compression = 4;
	CHECK(read_blob(&b, &wrong, S("key")) == SST_ECORRUPT);
	for (uint64_t offset = 0; offset < b.size + 10; offset++) {
		wrong = one;
		wrong.offset = offset;
		CHECK(read_blob(&b, &wrong, S("key")) == (offset == one.offset ? 0 : SST_ECORRUPT));
	}
	wrong.offset = UINT64_MAX - 2;
	CHECK(read_blob(&b, &wrong, S("key")) == SST_ECORRUPT);
	wrong = one;
	wrong.size = UINT64_MAX - 20;
	CHECK(read_blob(&b, &wrong, S("key")) == SST_ECORRUPT);
	buf_release(&b);
}

static void compressed(void)
{
	struct buf b = {0};
	put_header(&b, 7, COMPRESSION_SNAPPY);
	/* 6 bytes: a literal of 2, then 4 copied from 2 before. */
	struct blob_index i = {12, put_record(&b, S("k"), S("\6\4ab\1\2")), 6, COMPRESSION_SNAPPY};
	struct blob_index bad = {12, put_record(&b, S("k"), S("\6\4ab\1\3")), 6, COMPRESSION_SNAPPY};
	put_footer(&b, 2);
	CHECK(read_blob(&b, &i, S("k")) == 0 && slice_eq(buf_slice(&value), S("ababab")));
	CHECK(read_blob(&b, &bad, S("k")) == SST_ECORRUPT);
	buf_release(&b);
}

/* Every byte of the file is held against something. */
static void every_byte_changed(void)
{
	struct buf b = {0};
	put_header(&b, 7, 0);
	struct blob_index i = {12, put_record(&b, S("key"), S("value")), 5, 0};
	put_footer(&b, 1);
	for (size_t at = 0; at < b.size; at++) {
		b.data[at] ^= 0x11;
		int rc = read_blob(&b, &i, S("key"));
		if (rc != SST_ECORRUPT && rc != SST_EUNSUPPORTED)
			fprintf(stderr, "byte %zu\n", at);
		CHECK(rc == SST_ECORRUPT || rc == SST_EUNSUPPORTED);
		b.data[at] ^= 0x11;
	}
	for (size_t size = 0; size < b.size; size++) {
		struct buf cut = {.data = b.data, .size = size};
		CHECK(read_blob(&cut, &i, S("key")) == SST_ECORRUPT);
	}
	buf_release(&b);
}

int main(void)
{
	RUN(indexes);
	RUN(values);
	RUN(compressed);
	RUN(every_byte_changed);
	buf_release(&record);
	buf_release(&value);
	decompressor_release(&decompressor);
	return unit_done("blob");
}
