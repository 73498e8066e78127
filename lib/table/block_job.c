/* SPDX-License-Identifier: MIT */
#include "table/block_job.h"

#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/status.h"

int block_codec_init(struct block_codec *c, enum compression_type type, int level, unsigned workers)
{
	*c = (struct block_codec){.type = type, .level = level, .count = workers + 1};
	if (type != COMPRESSION_NONE && type != COMPRESSION_ZSTD)
		return fail(SST_EUNSUPPORTED, "compression type %d is not written", (int)type);
	if (type == COMPRESSION_ZSTD && (level < ZSTD_minCLevel() || level > ZSTD_maxCLevel()))
		return fail(SST_EINVAL, "compression level %d is not between %d and %d", level, ZSTD_minCLevel(),
			ZSTD_maxCLevel());
	c->contexts = calloc(c->count, sizeof(c->contexts[0]));
	return c->contexts ? 0 : fail_memory();
}

void block_codec_release(struct block_codec *c)
{
	for (unsigned i = 0; c->contexts && i < c->count; i++)
		ZSTD_freeCCtx(c->contexts[i]);
	free(c->contexts);
	*c = (struct block_codec){0};
}

void block_job_release(struct block_job *j)
{
	buf_release(&j->raw);
	buf_release(&j->stored);
	buf_release(&j->keys);
	buf_release(&j->spans);
}

static void clear(struct buf *b, size_t keep)
{
	if (b->cap > keep)
		buf_release(b);
	buf_clear(b);
}

void block_job_clear(struct block_job *j, size_t keep)
{
	clear(&j->raw, keep);
	clear(&j->stored, keep);
	clear(&j->keys, keep);
	clear(&j->spans, keep);
	j->error = 0;
}

void block_job_cut(struct block_job *j, size_t raw_size, size_t first_key_size, struct sst_slice last_key)
{
	struct block_span span = {
		.raw_size = raw_size, .first_key_size = first_key_size, .last_key_size = last_key.size};
	buf_append_slice(&j->keys, last_key);
	buf_append(&j->spans, &span, sizeof(span));
	if (buf_reserve(&j->raw, BLOCK_TRAILER_SIZE))
		j->raw.size += BLOCK_TRAILER_SIZE;
}

void block_trailer(uint8_t trailer[BLOCK_TRAILER_SIZE], struct sst_slice contents, enum compression_type type)
{
	trailer[0] = (uint8_t)type;
	store32(trailer + 1, block_checksum(CHECKSUM_XXH3, contents, (uint8_t)type));
}

static int context_for(struct block_codec *c, unsigned worker, ZSTD_CCtx **out)
{
	if (!c->contexts[worker])
		c->contexts[worker] = ZSTD_createCCtx();
	*out = c->contexts[worker];
	return *out ? 0 : SST_ENOMEM;
}

/*
 * Compresses one block to `to`, which has room for the raw size. Like RocksDB we keep what gains at least an
 * eighth; zstd, given no more room than that, gives up early on the rest. SST_NO: not compressible. That it had no
 * memory says nothing of the block, and the same records are to make the same bytes.
 */
static int compress(ZSTD_CCtx *context, int level, uint8_t *to, struct sst_slice raw, size_t *size)
{
	size_t room = raw.size - raw.size / 8, n = varint_size(raw.size);
	if (room <= n + 1)
		return SST_NO;
	*size = ZSTD_compressCCtx(context, to + n, room - 1 - n, raw.data, raw.size, level);
	if (ZSTD_isError(*size))
		return ZSTD_getErrorCode(*size) == ZSTD_error_memory_allocation ? SST_ENOMEM : SST_NO;
	*size += encode_varint(to, raw.size);
	return 0;
}

static int store_block(ZSTD_CCtx *context, int level, uint8_t *to, struct sst_slice raw, size_t *size)
{
	int rc = compress(context, level, to, raw, size);
	if (rc < 0)
		return rc;
	if (rc == SST_NO) {
		*size = raw.size;
		memcpy(to, raw.data, raw.size);
	}
	block_trailer(to + *size, slice_of(to, *size), rc ? COMPRESSION_NONE : COMPRESSION_ZSTD);
	return 0;
}

static int compress_all(struct block_job *j, unsigned worker)
{
	ZSTD_CCtx *context;
	int rc = context_for(j->codec, worker, &context);
	if (rc)
		return rc;
	if (!buf_reserve(&j->stored, j->raw.size))
		return SST_ENOMEM;
	struct block_span *span = (struct block_span *)(void *)j->spans.data;
	const uint8_t *from = j->raw.data;
	uint8_t *to = j->stored.data;
	for (size_t i = 0; i < block_job_count(j); i++) {
		rc = store_block(context, j->codec->level, to, slice_of(from, span[i].raw_size), &span[i].size);
		if (rc)
			return rc;
		from += span[i].raw_size + BLOCK_TRAILER_SIZE;
		to += span[i].size + BLOCK_TRAILER_SIZE;
	}
	j->stored.size = (size_t)(to - j->stored.data);
	return 0;
}

/* Uncompressed blocks stay where they are. */
static void checksum_all(struct block_job *j)
{
	struct block_span *span = (struct block_span *)(void *)j->spans.data;
	uint8_t *at = j->raw.data;
	for (size_t i = 0; i < block_job_count(j); i++) {
		span[i].size = span[i].raw_size;
		block_trailer(at + span[i].size, slice_of(at, span[i].size), COMPRESSION_NONE);
		at += span[i].size + BLOCK_TRAILER_SIZE;
	}
}

void block_job_run(struct pool_job *job, unsigned worker)
{
	struct block_job *j = (struct block_job *)(void *)job;
	if (j->codec->type == COMPRESSION_NONE)
		checksum_all(j);
	else
		j->error = compress_all(j, worker);
}
