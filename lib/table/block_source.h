/* SPDX-License-Identifier: MIT */
/*
 * Where the blocks of a table come from: read, held against their checksum, decompressed.
 *
 * Failures here and above have a whole message: "cannot read 'NAME': block at OFFSET: what".
 */
#ifndef TABLE_BLOCK_SOURCE_H
#define TABLE_BLOCK_SOURCE_H

#include "base/stream.h"
#include "table/decompress.h"
#include "table/footer.h"

struct block_source {
	struct source *file; /* borrowed */
	enum checksum_type checksum;
	uint32_t base;
	bool unchecked;	 /* blocks are not held against their checksums */
	uint64_t limit;	 /* where blocks end */
	struct buf tail; /* the last bytes of the file, read with the footer */
	struct decompressor decompressor;
};

/* Reading ahead begins with the second block in a row and doubles up to the most. */
#define READ_AHEAD_MIN ((size_t)64 << 10)
#define READ_AHEAD_MAX ((size_t)1 << 20)

/* Memory for one block, and for what was read ahead behind it. A zeroed one is ready. */
struct block_memory {
	struct buf raw, contents;
	uint8_t type;	     /* compression of the block fetched last */
	uint64_t raw_offset; /* of raw in the file */
	uint64_t expected;   /* a block here would continue a sequential walk */
	size_t ahead;	     /* bytes to read at once while it does */
	size_t ahead_max;    /* no more than that; 0: READ_AHEAD_MAX */
};

void block_source_release(struct block_source *s);
void block_memory_release(struct block_memory *m);

enum fetch_flags {
	FETCH_DATA = 1,	    /* compressed with the table's dictionary, if it has one */
	FETCH_AHEAD = 2,    /* a walk from block to block: read more at once while it goes on */
	FETCH_UNCHECKED = 4, /* never compressed; the caller sees to the checksum with block_verify */
};

/* The block's contents, borrowed from m (or from s) until m is used again. SST_ECORRUPT, SST_EUNSUPPORTED,
 * SST_ENOMEM and what reading the file fails with. */
int block_fetch(struct block_source *s, struct block_handle h, unsigned flags, struct block_memory *m,
	struct sst_slice *contents);
/* What is stored at `offset`, its trailer behind it, is verified and, into out where it must be, decompressed by d. data: with
 * the table's dictionary. *contents is set on success only. */
int block_unpack(const struct block_source *s, struct decompressor *d, uint64_t offset, struct sst_slice stored, bool data,
	struct buf *out, struct sst_slice *contents);
/* Contents as stored, and the trailer behind them, against the checksum. */
bool block_verify(const struct block_source *s, uint64_t offset, struct sst_slice contents);

/* "cannot read 'NAME': " and "cannot read 'NAME': block at OFFSET: " in front of the message; return rc. */
int block_source_fail(const struct block_source *s, int rc);
int block_fail(const struct block_source *s, uint64_t offset, int rc);

/* Where the block behind this one begins. REQUIRES: h is within the file. */
static inline uint64_t handle_end(struct block_handle h)
{
	return h.offset + h.size + BLOCK_TRAILER_SIZE;
}

/* REQUIRES: second does not begin before first. Any numbers, not only places within a file. */
static inline bool handle_overlaps(struct block_handle first, struct block_handle second)
{
	uint64_t distance = second.offset - first.offset;
	return distance < BLOCK_TRAILER_SIZE || distance - BLOCK_TRAILER_SIZE < first.size;
}

#endif
