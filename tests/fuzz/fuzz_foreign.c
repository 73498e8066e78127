/* SPDX-License-Identifier: MIT */
/*
 * What only foreign stores have. The first byte chooses:
 *
 *     even  an OPTIONS file: an operator it names is one with a name
 *     odd   length of a key:1, length of a blob index:1, key, blob index, blob file. Its checksums are made right, so
 *           that the rest is reached; a value that is read comes whole from the record.
 */
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/status.h"
#include "db/blob.h"
#include "db/options_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool what)
{
	if (!what)
		abort();
}

static void read_options(struct sst_slice text)
{
	struct merge_options m = {0};
	int rc = merge_options_read(&m, text, "default");
	need(rc == 0 || rc == SST_NO);
	need(rc || m.name.size + m.delimiter.size <= text.size);
	merge_options_release(&m);
}

struct memory_source {
	struct source source;
	uint8_t *data;
};

static int read_memory(struct source *s, uint64_t offset, void *buf, size_t n)
{
	const struct memory_source *m = (const struct memory_source *)(const void *)s;
	need(offset <= s->size && n <= s->size - offset);
	memcpy(buf, m->data + offset, n);
	return 0;
}

static void set_crc(uint8_t *to, const uint8_t *from, size_t n)
{
	store32(to, crc32c_mask(crc32c(0, from, n)));
}

static void set_crcs(struct memory_source *m, const struct blob_index *b, size_t key_size)
{
	size_t size = (size_t)m->source.size;
	if (size < 62)
		return;
	set_crc(m->data + size - 4, m->data + size - 32, 28);
	if (b->offset > size || b->offset < 32 + key_size || b->size > size - b->offset)
		return;
	uint8_t *record = m->data + b->offset - key_size - 32;
	set_crc(record + 24, record, 24);
	set_crc(record + 28, record + 32, key_size + (size_t)b->size);
}

static void read_blob(struct sst_slice in)
{
	struct decompressor d = {.dialect = DIALECT_ROCKSDB};
	struct buf record = {0}, value = {0}, copy = {0};
	struct sst_slice key, index;
	struct blob_index b;
	struct blob_file f;
	if (in.size < 2)
		return;
	size_t key_size = in.data[0], index_size = in.data[1];
	in = slice_skip(in, 2);
	if (!get_bytes(&in, key_size, &key) || !get_bytes(&in, index_size, &index) || blob_index_decode(&b, index))
		return;
	buf_append_slice(&copy, in);
	struct memory_source m = {{.read = read_memory, .size = copy.size, .name = "fuzz"}, copy.data};
	set_crcs(&m, &b, key_size);
	int rc = blob_file_open(&f, &m.source, 0);
	if (!rc)
		rc = blob_file_read(&f, &b, key, &d, &record, &value);
	need(rc == 0 || rc == SST_ECORRUPT || rc == SST_EUNSUPPORTED || rc == SST_ENOMEM);
	need(rc || b.compression || value.size == b.size);
	decompressor_release(&d);
	buf_release(&record);
	buf_release(&value);
	buf_release(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	struct sst_slice in = slice_skip(slice_of(data, size), 1);
	if (data[0] & 1)
		read_blob(in);
	else
		read_options(in);
	return 0;
}
