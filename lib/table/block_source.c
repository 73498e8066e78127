/* SPDX-License-Identifier: MIT */
#include "table/block_source.h"

#include "base/status.h"

void block_source_release(struct block_source *s)
{
	buf_release(&s->tail);
	decompressor_release(&s->decompressor);
	*s = (struct block_source){0};
}

void block_memory_release(struct block_memory *m)
{
	buf_release(&m->raw);
	buf_release(&m->contents);
	*m = (struct block_memory){0};
}

int block_source_fail(const struct block_source *s, int rc)
{
	return fail_in(rc, "cannot read '%s'", s->file->name);
}

int block_fail(const struct block_source *s, uint64_t offset, int rc)
{
	return fail_in(rc, "cannot read '%s': block at %llu", s->file->name, (unsigned long long)offset);
}

/* A table may be a sparse file of any size; no block of one is larger than its own 32-bit numbers can tell. */
static int check_handle(const struct block_source *s, struct block_handle h)
{
	unsigned long long size = h.size;
	if (h.offset > s->limit || h.size > s->limit - h.offset || s->limit - h.offset - h.size < BLOCK_TRAILER_SIZE)
		return block_fail(s, h.offset, fail(SST_ECORRUPT, "%llu bytes reach beyond the end", size));
	if (h.size > UINT32_MAX)
		return block_fail(s, h.offset, fail(SST_ECORRUPT, "%llu bytes are too many for a block", size));
	return 0;
}

/* How much to read for a block of n bytes. */
static size_t plan_read(const struct block_source *s, struct block_handle h, size_t n, unsigned flags,
	struct block_memory *m)
{
	if (!(flags & FETCH_AHEAD) || m->expected != h.offset)
		m->ahead = 0;
	else
		m->ahead = m->ahead ? m->ahead * 2 : READ_AHEAD_MIN;
	size_t most = m->ahead_max ? m->ahead_max : READ_AHEAD_MAX;
	if (m->ahead > most)
		m->ahead = most;
	size_t want = n > m->ahead ? n : m->ahead;
	return want < s->limit - h.offset ? want : (size_t)(s->limit - h.offset);
}

/* The block with its trailer: from what is in memory already, or read. */
static int read_raw(struct block_source *s, struct block_handle h, unsigned flags, struct block_memory *m,
	const uint8_t **p)
{
	size_t n = (size_t)h.size + BLOCK_TRAILER_SIZE;
	uint64_t tail_offset = s->file->size - s->tail.size;
	if (h.offset >= tail_offset) {
		*p = s->tail.data + (h.offset - tail_offset);
		return 0;
	}
	if (h.offset < m->raw_offset || h.offset + n > m->raw_offset + m->raw.size) {
		size_t want = plan_read(s, h, n, flags, m);
		buf_clear(&m->raw);
		if (!buf_reserve(&m->raw, want))
			return fail_memory();
		int rc = s->file->read(s->file, h.offset, m->raw.data, want);
		if (rc)
			return rc;
		m->raw.size = want;
		m->raw_offset = h.offset;
	}
	m->expected = h.offset + n;
	*p = m->raw.data + (h.offset - m->raw_offset);
	return 0;
}

bool block_verify(const struct block_source *s, uint64_t offset, struct sst_slice contents)
{
	const uint8_t *trailer = contents.data + contents.size;
	return s->unchecked ||
	       block_checksum(s->checksum, contents, trailer[0]) + checksum_context(s->base, offset) ==
		       load32(trailer + 1);
}

int block_unpack(const struct block_source *s, struct decompressor *d, uint64_t offset, struct sst_slice stored, bool data,
	struct buf *out, struct sst_slice *contents)
{
	uint8_t type = stored.data[stored.size];
	if (!block_verify(s, offset, stored))
		return block_fail(s, offset, fail(SST_ECORRUPT, "checksum mismatch"));
	int rc = type == COMPRESSION_NONE ? 0 : decompress(d, type, stored, data, out);
	if (rc)
		return block_fail(s, offset, rc);
	*contents = type == COMPRESSION_NONE ? stored : buf_slice(out);
	return 0;
}

int block_fetch(struct block_source *s, struct block_handle h, unsigned flags, struct block_memory *m,
	struct sst_slice *contents)
{
	const uint8_t *p = NULL;
	int rc = check_handle(s, h);
	if (!rc)
		rc = read_raw(s, h, flags, m, &p);
	if (rc)
		return rc;
	*contents = slice_of(p, (size_t)h.size);
	uint8_t type = m->type = p[h.size];
	if (flags & FETCH_UNCHECKED)
		return type ? block_fail(s, h.offset, fail(SST_ECORRUPT, "compressed, which it may not be")) : 0;
	return block_unpack(s, &s->decompressor, h.offset, *contents, flags & FETCH_DATA, &m->contents, contents);
}
