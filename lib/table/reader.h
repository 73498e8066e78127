/* SPDX-License-Identifier: MIT */
/*
 * Reading a table: RocksDB's block-based table of format versions 0 to 7, and LevelDB's. What is read, and the
 * order of looking:
 *
 *     open          the tail in one read: footer, metaindex and properties, and of a small table its filter and index
 *     table_get     [filter] -> index -> one data block; filter, index and range tombstones are read when first
 *                   needed and kept, so is the data block of the last get, and others in a cache
 *     table_iter    index -> data blocks, read ahead while the walk goes on
 *
 * The first gets of a handle only look into a large index (index_probe.h). A filter is only held against its checksum
 * as a whole, and reading a large one costs more than the block it may save: it is read when the gets of this handle
 * have read as many bytes of blocks as it has itself, at once when it is small. Nor do the first gets put anything into the
 * cache: new memory costs more than a block, which a process that wants one key has no use for.
 *
 * One thread at a time uses a table and its iterators. Messages are whole: "cannot read 'NAME': ...".
 */
#ifndef TABLE_READER_H
#define TABLE_READER_H

#include "base/iter.h"
#include "table/block_cache.h"
#include "table/index.h"
#include "table/range_del.h"

struct table_read_options {
	/* The largest sequence of the file's MANIFEST entry: in a file made for ingestion every entry has it.
	 * UINT64_MAX: there is no such entry, the file stands for itself. */
	uint64_t manifest_sequence;
	bool no_filter; /* never use the filter */
	bool unchecked; /* ignore checksums, so that tests and fuzzing get behind them */
	struct block_cache *cache; /* for table_get, borrowed; NULL: none */
	uint64_t cache_number;	   /* of this table, there */
	struct read_crew *crew;	   /* for long walks, borrowed; NULL: none */
};

struct table;

/* source is borrowed until table_close. opt may be NULL. */
int table_open(struct table **out, struct source *source, const struct table_read_options *opt);
void table_close(struct table *t); /* accepts NULL */

/* What a table says of a key. */
struct table_found {
	uint8_t type; /* TYPE_VALUE, TYPE_DELETION, TYPE_SINGLE_DELETION; TYPE_RANGE_DELETION: covered by one */
	uint64_t sequence;
	struct sst_slice value; /* borrowed until the next table_get of any table with this cache, or table_close */
};

/* The newest that the table says of the key up to sequence `snapshot`. SST_NO: nothing. SST_EUNSUPPORTED: its
 * newest entry is of another type (merge operand, ...), or the table's comparator is not known. */
int table_get(struct table *t, struct sst_slice user_key, uint64_t snapshot, struct table_found *found);

/* Internal keys in order, with the sequence numbers that count; range tombstones not among them, not applied.
 * NULL: no memory. t is borrowed. With a foreign comparator there is no seek: SST_EUNSUPPORTED. */
struct iter *table_iter_new(struct table *t);

/* After a move failed: the block that failed; size 0: it was the index, or a part of it. */
struct block_handle table_iter_failed_block(const struct iter *it);
/* Then: on with the first entry of the next sound block (the last one of the block before). SST_NO: there is none. */
int table_iter_skip(struct iter *it, bool backwards);

/* The range tombstones, read when first asked for. Borrowed until table_close. */
int table_range_dels(struct table *t, const struct range_dels **out);

const struct table_info *table_info(const struct table *t);
const struct footer *table_footer(const struct table *t);
uint64_t table_size(const struct table *t);
/* The sequence that counts for every entry; 0: each has its own. */
uint64_t table_global_sequence(const struct table *t);
struct block_source *table_blocks(struct table *t);
/* The index, read when first asked for. Borrowed until table_close. */
int table_index(struct table *t, const struct index **out);
/* The next entry of the metaindex: it->key is the name. A zeroed iterator begins; release it. SST_NO: the end. */
int table_meta(const struct table *t, struct block_iter *it, struct block_handle *h);
/* The filter block, contents borrowed until table_close; SST_NO when there is none that can be used. */
int table_filter(struct table *t, struct sst_slice *contents);

/* What happened in the last table_get, for those who want to know. */
struct table_get_trace {
	bool filter_asked, filter_said_no, index_read;
	uint64_t block_offset, block_size; /* the last data block looked into; size 0: none */
};
const struct table_get_trace *table_get_trace(const struct table *t);

/* 0, or SST_EUNSUPPORTED naming the table's comparator. */
int table_order_known(const struct table *t);

/* The failure of an entry whose type the caller does not take: SST_EUNSUPPORTED, or SST_ECORRUPT when no table may
 * have it. */
int table_fail_type(const struct table *t, struct sst_slice user_key, uint8_t type);

/* "put", "del", ... for a type that may stand in a table; NULL: none such. */
const char *table_type_name(uint8_t type);

#endif
