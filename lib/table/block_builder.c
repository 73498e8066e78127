/* SPDX-License-Identifier: MIT */
#include "table/block_builder.h"

#include "base/status.h"

#define ENTRY_HEADER_MAX 15 /* three varints of 32 bits */

void block_builder_start(struct block_builder *b, struct buf *out, uint32_t interval)
{
	b->out = out;
	b->start = out->size;
	b->interval = interval;
	b->since_restart = 0;
	buf_clear(&b->restarts);
	put_fixed32(&b->restarts, 0);
}

void block_builder_release(struct block_builder *b)
{
	buf_release(&b->restarts);
	*b = (struct block_builder){0};
}

/* Nearly all entries: each of the three numbers fits in a byte. */
static inline size_t encode_header(uint8_t *p, size_t shared, size_t unshared, size_t value)
{
	if ((shared | unshared | value) < 0x80) {
		p[0] = (uint8_t)shared;
		p[1] = (uint8_t)unshared;
		p[2] = (uint8_t)value;
		return 3;
	}
	size_t n = encode_varint(p, shared);
	n += encode_varint(p + n, unshared);
	return n + encode_varint(p + n, value);
}

void block_builder_add(struct block_builder *b, struct sst_slice key, size_t shared, struct sst_slice value)
{
	struct buf *out = b->out;
	if (b->since_restart == b->interval) {
		/* An offset beyond 32 bits makes a block that block_builder_finish refuses. */
		put_fixed32(&b->restarts, (uint32_t)(out->size - b->start));
		b->since_restart = 0;
	}
	if (b->since_restart++ == 0)
		shared = 0;
	size_t unshared = key.size - shared;
	if (!buf_reserve(out, ENTRY_HEADER_MAX + unshared + value.size))
		return;
	uint8_t *p = out->data + out->size;
	p += encode_header(p, shared, unshared, value.size);
	if (unshared)
		memcpy(p, key.data + shared, unshared);
	p += unshared;
	if (value.size)
		memcpy(p, value.data, value.size);
	out->size = (size_t)(p + value.size - out->data);
}

int block_builder_finish(struct block_builder *b)
{
	if (block_builder_size(b) > UINT32_MAX || b->restarts.size / 4 > RESTARTS_MAX)
		return fail(SST_EINVAL, "a block of %zu bytes with %zu restarts is more than the format holds",
			block_builder_size(b), b->restarts.size / 4);
	uint32_t count = (uint32_t)(b->restarts.size / 4);
	buf_append_slice(b->out, buf_slice(&b->restarts));
	put_fixed32(b->out, count);
	int rc = buf_check(&b->restarts);
	return rc ? rc : buf_check(b->out);
}
