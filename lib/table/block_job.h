/* SPDX-License-Identifier: MIT */
/*
 * A job of the table builder: some consecutive data blocks that a worker compresses and checksums, so that the
 * thread which gathers entries does neither.
 *
 *     gathering:  the builder grows raw block by block and says block_job_cut after each
 *     running:    a worker alone touches the job
 *     done:       output has the blocks as they go into the file, each with its trailer
 */
#ifndef TABLE_BLOCK_JOB_H
#define TABLE_BLOCK_JOB_H

#include "os/pool.h"
#include "table/format.h"

struct ZSTD_CCtx_s;

/* What all jobs of a builder share. */
struct block_codec {
	enum compression_type type; /* none or ZSTD */
	int level;
	unsigned count;		    /* of contexts: workers and the thread that helps */
	struct ZSTD_CCtx_s **contexts; /* one per worker, made when it is first needed */
};

int block_codec_init(struct block_codec *c, enum compression_type type, int level, unsigned workers);
void block_codec_release(struct block_codec *c);

/* One block of a job. */
struct block_span {
	size_t raw_size;		     /* contents, without the trailer */
	size_t size;			     /* stored, without the trailer; set by the worker */
	size_t first_key_size, last_key_size; /* internal keys, one after the other in keys */
};

struct block_job {
	struct pool_job job;
	struct block_codec *codec;
	struct buf raw;	   /* { contents, BLOCK_TRAILER_SIZE bytes of room } of each block */
	struct buf stored; /* { contents as stored, trailer } of each block, when compressing */
	struct buf keys;   /* { first key, last key } of each block */
	struct buf spans;  /* struct block_span of each block */
	int error;	   /* of the worker; a status without message */
};

void block_job_release(struct block_job *j);
/* Empties the job; gives back memory above `keep` bytes. */
void block_job_clear(struct block_job *j, size_t keep);
/* Ends the block whose contents are the last raw_size bytes of raw. Its first key is at the end of keys already. */
void block_job_cut(struct block_job *j, size_t raw_size, size_t first_key_size, struct sst_slice last_key);
/* For pool_job.run. */
void block_job_run(struct pool_job *job, unsigned worker);

static inline size_t block_job_count(const struct block_job *j)
{
	return j->spans.size / sizeof(struct block_span);
}

static inline const struct block_span *block_job_span(const struct block_job *j, size_t i)
{
	return (const struct block_span *)(const void *)j->spans.data + i;
}

/* The blocks as they go into the file. REQUIRES: the job is done, without error. */
static inline struct sst_slice block_job_output(const struct block_job *j)
{
	return buf_slice(j->codec->type == COMPRESSION_NONE ? &j->raw : &j->stored);
}

/* The 5 bytes behind a block's contents. */
void block_trailer(uint8_t trailer[BLOCK_TRAILER_SIZE], struct sst_slice contents, enum compression_type type);

#endif
