/* SPDX-License-Identifier: MIT */
/*
 * The table builder: internal keys in order -> a block-based table of format_version 5 (format: sst(5)), blocks
 * compressed and checksummed by a pool of workers while earlier ones are written.
 *
 * Memory does not grow with the table, but for its index (one entry per block: two internal keys and about 10
 * bytes) and the filter's hashes (8 bytes a key, 16 at worst, while the table is built, then the filter). Blocks on
 * their way take some 2 MiB per worker; when entries are huge, up to 64 MiB and a few times the largest one.
 */
#ifndef TABLE_BUILDER_H
#define TABLE_BUILDER_H

#include "base/ikey.h"
#include "base/stream.h"
#include "os/pool.h"
#include "table/format.h"

#define TABLE_BLOCK_SIZE_DEFAULT ((size_t)16384)
#define TABLE_BLOCK_SIZE_MAX ((size_t)64 << 20)

struct table_builder;

struct table_options {
	size_t block_size; /* bytes of contents at which a data block is cut; 0: the default, 16384 */
	enum compression_type compression; /* COMPRESSION_NONE or COMPRESSION_ZSTD */
	int compression_level;		   /* zstd's: 1 is fast, negative ones are faster, 0 is zstd's own default */
	unsigned bloom_bits_per_key;	   /* 0: no filter; more than 100 is 100 */
	bool external;	   /* all sequences are 0: mark the table as ingestible by IngestExternalFile */
	struct pool *pool; /* borrowed; NULL: everything on the calling thread */
};

/* What was built; keys are internal keys, borrowed from the builder. */
struct table_stats {
	uint64_t entries, deletions, data_blocks, raw_key_bytes, raw_value_bytes, data_bytes, file_size;
	uint64_t smallest_sequence, largest_sequence; /* 0 without entries */
	struct sst_slice smallest, largest;	      /* empty without entries */
};

/* sink and options->pool are borrowed until table_builder_free. A builder is for one thread at a time. */
int table_builder_new(struct table_builder **out, struct sink *sink, const struct table_options *options);

/* Adds an entry; key and value are copied. SST_EINVAL, and nothing is changed, when ikey is not greater than every
 * one added before, its sequence not 0 with external, its type none of value, deletion, single deletion, or key or
 * value above LSM_KEY_MAX, LSM_VALUE_MAX. After any other failure (memory, sink) the table is lost and every
 * later call fails. REQUIRES: ikey.size >= 8. */
int table_builder_add(struct table_builder *b, struct sst_slice ikey, struct sst_slice value);
/* The same with the internal key in its two parts, and the value after them: what the memtable has. */
int table_builder_add_parts(struct table_builder *b, struct sst_slice user_key, uint64_t tag,
	struct sst_slice value);

/* Everything behind the last block. Does not sync. After 0 the stats are final, and nothing may be added. A table
 * without entries is legal: an index without blocks, no filter. */
int table_builder_finish(struct table_builder *b);
const struct table_stats *table_builder_stats(const struct table_builder *b);
/* Bytes handed to the sink so far (approximate while workers are busy). */
uint64_t table_builder_size(const struct table_builder *b);
void table_builder_free(struct table_builder *b); /* accepts NULL; waits for its jobs */

#endif
