/* SPDX-License-Identifier: MIT */
/* Showing what a table is made of. The callbacks' results other than 0 end a walk and are returned. */
#ifndef TABLE_INSPECT_H
#define TABLE_INSPECT_H

#include "table/reader.h"

/* The contracts are those of sst_table_properties, sst_table_index and sst_table_blocks. */
int table_show_properties(struct table *t, int (*each)(void *arg, const struct sst_property *p), void *arg);
int table_show_index(struct table *t, int (*each)(void *arg, const struct sst_block *b), void *arg);
int table_show_blocks(struct table *t, int (*each)(void *arg, const struct sst_block *b), void *arg);

/* A list of a table's blocks, sorted by offset. */
struct table_block {
	const char *kind;
	struct block_handle handle;
};

struct table_block_list {
	struct table_block *list;
	size_t count, cap;
};

void table_block_list_release(struct table_block_list *l);
/* Every block but the data blocks: what the metaindex names, the index and its parts, the parts of a filter, the
 * metaindex itself. A zeroed list. Damaged indexes of parts end it with their failure. They may overlap. */
int table_list_meta(struct table *t, struct table_block_list *l);

#endif
