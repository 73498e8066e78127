/* SPDX-License-Identifier: MIT */
/*
 * What stands behind the data blocks of a table: filter, index, properties, metaindex, footer. Blocks here are not
 * compressed; everything is found through the metaindex, but for the metaindex itself and the index, whose handles
 * are in the footer:
 *
 *     checksum type:1   metaindex handle, index handle, zeros to 40 bytes   format_version:4   magic:8
 */
#ifndef TABLE_TAIL_H
#define TABLE_TAIL_H

#include "table/block_builder.h"
#include "table/builder.h"

struct table_tail {
	struct sink *sink;
	uint64_t offset; /* of the next byte in the file */
	const struct table_options *options;
	const struct table_stats *stats;
	uint64_t filter_entries;
	struct buf *filter;	     /* its block; empty: the table has none */
	struct block_builder *index; /* complete, but for its end */
};

/* Writes it all; offset is the size of the file then. */
int table_tail_write(struct table_tail *t);

#endif
