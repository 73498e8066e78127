/* SPDX-License-Identifier: MIT */
/*
 * The pieces a scan is made of: all sources of one view, merged, and what a reader sees of that.
 */
#ifndef DB_SCAN_H
#define DB_SCAN_H

#include "db/tables.h"
#include "base/iter.h"

/* One level below 0: tables that do not overlap, in order, as one iterator. Takes nothing; tables and metas are borrowed
 * until iter_free. NULL: no memory. */
struct iter *level_iter_new(struct table *const *tables, const struct table_meta *const *metas, size_t n);

/* A memtable of a private store in the order of RocksDB's reverse comparator. NULL: no memory. m is borrowed. */
struct iter *sorted_iter_new(const struct memtable *m, uint64_t snapshot);
int order_cmp_reverse(struct sst_slice a, struct sst_slice b); /* of internal keys */

#endif
