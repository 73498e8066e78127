/* SPDX-License-Identifier: MIT */
/*
 * Checking a table: every block against its checksum, the order of keys within and across blocks, the index against
 * the blocks (separators, first keys), the properties against what is there, the filter against every key.
 */
#ifndef TABLE_CHECK_H
#define TABLE_CHECK_H

#include "table/reader.h"

/* The contract is that of sst_table_check. */
int table_check(struct table *t, void (*report)(void *arg, const struct sst_damage *d), void *arg,
	struct sst_check_stats *stats);

/* The user keys between which the block h lies, by the index: of the block before (from) and its own separator (to),
 * kept in the two buffers. False when the index does not tell. */
bool table_key_range(struct table *t, struct block_handle h, struct buf *from, struct buf *to);

/* The last failure's message without "cannot read 'NAME': " and "block at OFFSET: ". */
const char *table_bare_message(const struct table *t, uint64_t offset);

#endif
