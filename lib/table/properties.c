/* SPDX-License-Identifier: MIT */
#include "table/properties.h"

#include <assert.h>

void properties_start(struct properties_writer *w, struct buf *out)
{
	*w = (struct properties_writer){0};
	block_builder_start(&w->block, out, RESTART_NEVER);
}

static void add(struct properties_writer *w, const char *name, struct sst_slice value)
{
	struct sst_slice key = slice_str(name);
	assert(slice_cmp(w->last, key) < 0);
	block_builder_add(&w->block, key, slice_common(w->last, key), value);
	w->last = key;
}

void properties_number(struct properties_writer *w, const char *name, uint64_t v)
{
	uint8_t bytes[10];
	add(w, name, slice_of(bytes, encode_varint(bytes, v)));
}

void properties_fixed32(struct properties_writer *w, const char *name, uint32_t v)
{
	uint8_t bytes[4];
	store32(bytes, v);
	add(w, name, slice_of(bytes, sizeof(bytes)));
}

void properties_fixed64(struct properties_writer *w, const char *name, uint64_t v)
{
	uint8_t bytes[8];
	store64(bytes, v);
	add(w, name, slice_of(bytes, sizeof(bytes)));
}

void properties_text(struct properties_writer *w, const char *name, const char *text)
{
	add(w, name, slice_str(text));
}

int properties_finish(struct properties_writer *w)
{
	int rc = block_builder_finish(&w->block);
	block_builder_release(&w->block);
	return rc;
}
