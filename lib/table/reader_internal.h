/* SPDX-License-Identifier: MIT */
/* The inside of struct table, for the files that read tables: reader.c, table_iter.c, table_check.c. */
#ifndef TABLE_READER_INTERNAL_H
#define TABLE_READER_INTERNAL_H

#include "table/reader.h"

enum meta_kind { KIND_PROPERTIES, KIND_FILTER, KIND_RANGE_DEL, KIND_DICTIONARY, KIND_INDEX, KIND_COUNT };

struct table {
	struct block_source blocks;
	struct footer footer;
	struct table_info info;
	struct block metaindex;
	struct block_memory metaindex_memory;
	struct block_handle meta[KIND_COUNT]; /* size 0: there is none */
	uint64_t global_sequence;	      /* of every entry; 0: each its own */
	struct read_crew *crew;		      /* of the walks; NULL: none */

	struct index index;
	struct range_dels range_dels;
	struct sst_slice filter;
	struct block_memory filter_memory;
	bool index_ready, range_dels_ready, filter_ready, no_filter;

	/* table_get */
	struct index probe;   /* a part of a large index, while that has not been read */
	unsigned probes;      /* how often one was made */
	struct index_iter get_index;
	struct block_memory memory; /* of get_own; while opening, of whatever is read */
	struct block_handle get_handle; /* of get_own */
	struct block get_own;
	const struct block *get_block; /* where the last get looked: get_own, or one of the cache */
	struct block_cache *cache; /* NULL: none */
	uint64_t cache_number;
	struct block_iter get_entry;
	struct buf target;
	uint64_t get_bytes; /* of data blocks read so far */
	bool get_own_ready;
	struct table_get_trace trace;
};

/* 'key', cut and with what is not printable as \xHH. */
void table_describe_key(char *text, size_t size, struct sst_slice user_key);

#endif
