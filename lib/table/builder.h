/* SPDX-License-Identifier: MIT */
/*
 * The table builder: internal keys in order -> a block-based table of format_version 5 (format.md 3), blocks
 * compressed and checksummed by a pool of workers while earlier ones are written.
 */
#ifndef TABLE_BUILDER_H
#define TABLE_BUILDER_H

#include "base/ikey.h"
#include "base/stream.h"
#include "os/pool.h"
#include "table/format.h"

struct table_builder;

struct table_options {
	size_t block_size;	      /* bytes of contents at which a data block is cut; default 16384 */
	enum compression_type compression; /* COMPRESSION_NONE or COMPRESSION_ZSTD */
	int compression_level;
	unsigned bloom_bits_per_key;  /* 0: no filter */
	bool external;		      /* all sequences are 0: mark the table as ingestible (format.md 9) */
	struct pool *pool;	      /* borrowed; NULL: everything on the calling thread */
};

/* What was built; keys are internal keys, borrowed from the builder. */
struct table_stats {
	uint64_t entries, deletions, data_blocks, raw_key_bytes, raw_value_bytes, data_bytes, file_size;
	uint64_t smallest_sequence, largest_sequence;
	struct sst_slice smallest, largest;
};

/* sink and options->pool are borrowed until table_builder_free. */
int table_builder_new(struct table_builder **out, struct sink *sink, const struct table_options *options);
/* REQUIRES: ikey > every one added before (checked: SST_EINVAL), its sequence 0 with external. */
int table_builder_add(struct table_builder *b, struct sst_slice ikey, struct sst_slice value);
/* The same with the internal key in its two parts, and the value after them: what the memtable has. */
int table_builder_add_parts(struct table_builder *b, struct sst_slice user_key, uint64_t tag, struct sst_slice value);
/* Everything behind the last block. Does not sync. After 0 the stats are final. */
int table_builder_finish(struct table_builder *b);
const struct table_stats *table_builder_stats(const struct table_builder *b);
/* Bytes handed to the sink so far (approximate while workers are busy). */
uint64_t table_builder_size(const struct table_builder *b);
void table_builder_free(struct table_builder *b); /* accepts NULL; waits for its jobs */

#endif
