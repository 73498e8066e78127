/* SPDX-License-Identifier: MIT */
#include "table/index_probe.h"

#include "base/status.h"
#include "table/checksum_stream.h"

#define PROBE_MIN ((uint64_t)24 << 10) /* smaller ones are read whole */
#define PIECE ((size_t)32 << 10)
#define KEY_PIECE ((size_t)1024) /* what is read to see one key */

/* Where things lie in the block, by its own words. */
struct probe {
	struct block_source *blocks;
	struct block_handle h;
	struct buf *piece;
	struct buf restarts; /* of the whole block */
	uint32_t count, size; /* of restarts; bytes of entries */
	unsigned flags;
	enum key_order order;
};

static int read_at(const struct probe *p, uint64_t offset, size_t n)
{
	buf_clear(p->piece);
	if (!buf_reserve(p->piece, n))
		return fail_memory();
	struct source *file = p->blocks->file;
	int rc = file->read(file, p->h.offset + offset, p->piece->data, n);
	p->piece->size = rc ? 0 : n;
	return rc;
}

static int verify(const struct probe *p)
{
	struct checksum_stream sum;
	uint8_t trailer[BLOCK_TRAILER_SIZE];
	struct source *file = p->blocks->file;
	int rc = file->read(file, p->h.offset + p->h.size, trailer, sizeof(trailer));
	if (rc || trailer[0] || !checksum_stream_start(&sum, p->blocks->checksum))
		return rc ? rc : SST_NO;
	for (uint64_t done = 0; !rc && done < p->h.size; done += p->piece->size) {
		uint64_t left = p->h.size - done;
		rc = read_at(p, done, left < PIECE ? (size_t)left : PIECE);
		if (!rc)
			checksum_stream_add(&sum, buf_slice(p->piece));
	}
	uint32_t found = checksum_stream_end(&sum, trailer[0]) + checksum_context(p->blocks->base, p->h.offset);
	if (!rc && found != load32(trailer + 1) && !p->blocks->unchecked)
		rc = block_fail(p->blocks, p->h.offset, fail(SST_ECORRUPT, "checksum mismatch"));
	return rc;
}

/* The count of restarts and the restarts. Anything out of the ordinary is left to block_open to judge. */
static int read_restarts(struct probe *p)
{
	int rc = read_at(p, p->h.size - 4, 4);
	if (rc)
		return rc;
	p->count = load32(p->piece->data) & ~BLOCK_COUNT_UNIFORM;
	if (p->count < 2 || p->count > p->h.size / 8)
		return SST_NO;
	p->size = (uint32_t)(p->h.size - 4 - 4 * (uint64_t)p->count);
	rc = read_at(p, p->size, 4 * (size_t)p->count);
	if (!rc)
		buf_append_slice(&p->restarts, buf_slice(p->piece));
	return rc ? rc : buf_check(&p->restarts);
}

static uint32_t restart(const struct probe *p, uint32_t i)
{
	return i < p->count ? load32(p->restarts.data + 4 * (size_t)i) : p->size;
}

/* A small block of the runs from restart i up to restart j; SST_NO when the restarts are not in order. */
static int cut(const struct probe *p, uint32_t i, uint32_t j)
{
	uint32_t begin = restart(p, i), end = restart(p, j);
	if (begin >= end || end > p->size)
		return SST_NO;
	int rc = read_at(p, begin, end - begin);
	for (uint32_t k = i; !rc && (k == i || k < j); k++) {
		if (restart(p, k) < begin)
			return SST_NO;
		put_fixed32(p->piece, restart(p, k) - begin);
	}
	if (!rc)
		put_fixed32(p->piece, j - i);
	return rc ? rc : buf_check(p->piece);
}

/* Whether the key at restart i is below the target: by its first bytes, or by the run it begins. */
static int below(const struct probe *p, uint32_t i, struct sst_slice target, bool *is)
{
	uint32_t begin = restart(p, i);
	if (begin >= p->size)
		return SST_NO;
	size_t left = p->size - begin;
	int rc = read_at(p, begin, left < KEY_PIECE ? left : KEY_PIECE);
	if (rc)
		return rc;
	struct sst_slice in = buf_slice(p->piece), key;
	uint32_t shared, unshared, length = 0;
	size_t tag = p->flags & BLOCK_TAGGED ? IKEY_TAG_SIZE : 0;
	if (!get_varint32(&in, &shared) || !get_varint32(&in, &unshared) ||
		(!(p->flags & BLOCK_DELTA) && !get_varint32(&in, &length)) || shared || unshared < tag ||
		!get_bytes(&in, unshared, &key))
		return SST_NO; /* long, or damaged */
	*is = (tag ? order_cmp(p->order, key, target) : order_cmp_user(p->order, key, target)) < 0;
	return 0;
}

static int search(const struct probe *p, struct sst_slice target, uint32_t *found)
{
	uint32_t low = 0, high = p->count - 1; /* key(low) < target, or low is 0 */
	while (low < high) {
		uint32_t mid = low + (high - low + 1) / 2;
		bool is = false;
		int rc = below(p, mid, target, &is);
		if (rc)
			return rc;
		if (is)
			low = mid;
		else
			high = mid - 1;
	}
	*found = low;
	return 0;
}

int index_probe(struct index *index, struct block_source *blocks, struct block_handle h, const struct table_info *info,
	struct sst_slice ikey)
{
	uint64_t tail_offset = blocks->file->size - blocks->tail.size;
	if (info->index_type == INDEX_TWO_LEVEL || info->order == ORDER_UNKNOWN || h.size < PROBE_MIN ||
		h.size > UINT32_MAX || h.offset >= tail_offset || h.offset > blocks->limit ||
		h.size + BLOCK_TRAILER_SIZE > blocks->limit - h.offset)
		return SST_NO;
	index_prepare(index, blocks, h, info);
	struct probe p = {.blocks = blocks, .h = h, .piece = &index->memory.raw, .flags = index->top_flags,
		.order = info->order};
	uint32_t at = 0;
	int rc = verify(&p);
	if (!rc)
		rc = read_restarts(&p);
	if (!rc)
		rc = search(&p, index->user_keys ? ikey_user(ikey) : ikey, &at);
	if (!rc)
		rc = cut(&p, at, at + 2 < p.count ? at + 2 : p.count);
	index->cut_off = at + 2 < p.count;
	buf_release(&p.restarts);
	return rc ? rc : index_open_top(index, buf_slice(&index->memory.raw));
}
