/* SPDX-License-Identifier: MIT */
#include "table/tail.h"

#include "base/status.h"
#include "table/block_job.h"
#include "table/properties.h"

#define FORMAT_VERSION 5

static int emit(struct table_tail *t, struct sst_slice bytes)
{
	int rc = t->sink->write(t->sink, bytes.data, bytes.size);
	if (!rc)
		t->offset += bytes.size;
	return rc;
}

/* Writes a block that is not compressed, and its trailer. */
static int emit_block(struct table_tail *t, struct buf *contents, struct block_handle *h)
{
	uint8_t trailer[BLOCK_TRAILER_SIZE];
	*h = (struct block_handle){t->offset, contents->size};
	block_trailer(trailer, buf_slice(contents), COMPRESSION_NONE);
	buf_append(contents, trailer, sizeof(trailer));
	int rc = buf_check(contents);
	return rc ? rc : emit(t, buf_slice(contents));
}

static int write_filter(struct table_tail *t, struct block_handle *h)
{
	int rc = buf_check(t->filter);
	return rc || !t->filter->size ? rc : emit_block(t, t->filter, h);
}

static int write_index(struct table_tail *t, struct block_handle *h)
{
	int rc = block_builder_finish(t->index);
	return rc ? fail_in(rc, "the table is too large for its index") : emit_block(t, t->index->out, h);
}

static int write_properties(struct table_tail *t, uint64_t filter_bytes, uint64_t index_bytes,
	struct block_handle *h)
{
	const struct table_stats *s = t->stats;
	struct properties_writer w;
	struct buf out = {0};
	properties_start(&w, &out);
	properties_fixed32(&w, PROPERTY_INDEX_TYPE, INDEX_FIRST_KEY);
	if (filter_bytes) {
		properties_text(&w, PROPERTY_PREFIX_FILTERING, "0");
		properties_text(&w, PROPERTY_WHOLE_KEY_FILTERING, "1");
	}
	properties_text(&w, PROPERTY_COMPARATOR, COMPARATOR_BYTEWISE);
	properties_text(&w, PROPERTY_COMPRESSION,
		t->options->compression == COMPRESSION_ZSTD ? "ZSTD" : "NoCompression");
	properties_number(&w, PROPERTY_DATA_SIZE, s->data_bytes);
	properties_number(&w, PROPERTY_DELETED_KEYS, s->deletions);
	if (t->options->external) {
		properties_fixed64(&w, PROPERTY_EXTERNAL_SEQNO, 0);
		properties_fixed32(&w, PROPERTY_EXTERNAL_VERSION, EXTERNAL_VERSION);
	}
	if (filter_bytes)
		properties_text(&w, PROPERTY_FILTER_POLICY, FILTER_POLICY_BLOOM);
	properties_number(&w, PROPERTY_FILTER_SIZE, filter_bytes);
	properties_number(&w, PROPERTY_INDEX_KEY_IS_USER_KEY, 0);
	properties_number(&w, PROPERTY_INDEX_SIZE, index_bytes);
	properties_number(&w, PROPERTY_INDEX_VALUE_IS_DELTA, 0);
	properties_number(&w, PROPERTY_MERGE_OPERANDS, 0);
	properties_number(&w, PROPERTY_NUM_DATA_BLOCKS, s->data_blocks);
	properties_number(&w, PROPERTY_NUM_ENTRIES, s->entries);
	properties_number(&w, PROPERTY_NUM_FILTER_ENTRIES, t->filter_entries);
	properties_number(&w, PROPERTY_NUM_RANGE_DELETIONS, 0);
	properties_number(&w, PROPERTY_RAW_KEY_SIZE, s->raw_key_bytes);
	properties_number(&w, PROPERTY_RAW_VALUE_SIZE, s->raw_value_bytes);
	int rc = properties_finish(&w);
	if (!rc)
		rc = emit_block(t, &out, h);
	buf_release(&out);
	return rc;
}

static void add_meta(struct block_builder *m, const char *name, struct block_handle h)
{
	uint8_t bytes[20];
	size_t n = encode_varint(bytes, h.offset);
	n += encode_varint(bytes + n, h.size);
	block_builder_add(m, slice_str(name), 0, slice_of(bytes, n));
}

static int write_metaindex(struct table_tail *t, struct block_handle filter, struct block_handle properties,
	struct block_handle *h)
{
	struct block_builder m = {0};
	struct buf out = {0};
	block_builder_start(&m, &out, 1);
	if (filter.size)
		add_meta(&m, META_FILTER, filter);
	add_meta(&m, META_PROPERTIES, properties);
	int rc = block_builder_finish(&m);
	if (!rc)
		rc = emit_block(t, &out, h);
	block_builder_release(&m);
	buf_release(&out);
	return rc;
}

static int write_footer(struct table_tail *t, struct block_handle metaindex, struct block_handle index)
{
	uint8_t f[TABLE_FOOTER_SIZE] = {CHECKSUM_XXH3};
	size_t n = 1;
	n += encode_varint(f + n, metaindex.offset);
	n += encode_varint(f + n, metaindex.size);
	n += encode_varint(f + n, index.offset);
	encode_varint(f + n, index.size);
	store32(f + TABLE_FOOTER_SIZE - 12, FORMAT_VERSION);
	store64(f + TABLE_FOOTER_SIZE - 8, TABLE_MAGIC);
	return emit(t, slice_of(f, sizeof(f)));
}

int table_tail_write(struct table_tail *t)
{
	struct block_handle filter_at = {0}, index_at, properties_at, metaindex_at;
	int rc = write_filter(t, &filter_at);
	if (!rc)
		rc = write_index(t, &index_at);
	if (!rc)
		rc = write_properties(t, filter_at.size, index_at.size + BLOCK_TRAILER_SIZE, &properties_at);
	if (!rc)
		rc = write_metaindex(t, filter_at, properties_at, &metaindex_at);
	return rc ? rc : write_footer(t, metaindex_at, index_at);
}
