/* SPDX-License-Identifier: MIT */
/* What a table says of itself in its properties block. Absent properties have the values of old tables. */
#ifndef TABLE_INFO_H
#define TABLE_INFO_H

#include "table/block.h"
#include "table/block_source.h"

struct table_info {
	bool present; /* there is a properties block */
	enum key_order order;
	char comparator[128]; /* its name, cut to fit; "" when absent */
	enum index_type index_type;
	bool index_user_keys, index_delta;
	bool no_whole_keys;	/* a filter has prefixes only */
	bool external;		/* made to be ingested: one sequence number for all */
	uint64_t external_sequence; /* that number; 0: not known here */
	/* What checks hold against the contents; UINT64_MAX: absent. */
	uint64_t entries, deletions, merges, range_deletions, data_blocks, raw_key_size, raw_value_size,
		data_size;
};

#define INFO_ABSENT UINT64_MAX

void table_info_init(struct table_info *info);
/* Reads the properties block. A block whose checksum fails only because the global sequence number was written
 * into it later (RocksDB's write_global_seqno) is sound. Whole messages. */
int table_info_read(struct table_info *info, struct block_source *s, struct block_handle h, struct block_memory *m);

/* The properties one by one, sorted by name: a block_iter over *b. b borrows m. */
int properties_open(struct block *b, struct block_source *s, struct block_handle h, struct block_memory *m);

#endif
