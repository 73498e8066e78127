/* SPDX-License-Identifier: MIT */
/*
 * One look into a large index without keeping it. A process that asks for one key would spend most of its time on
 * the memory of the index: half a megabyte for a table of 64, every page of it new. So the index is read twice: once
 * in pieces through one small buffer, for its checksum; then only the places where a search by halves looks, and the
 * run of entries it ends at. That run is made a small block of its own, so that all further reading is that of
 * index.c.
 */
#ifndef TABLE_INDEX_PROBE_H
#define TABLE_INDEX_PROBE_H

#include "table/index.h"

/* 0: *index has the entries around the one that ikey is to be looked for at: the last whose key is below it, and
 * those behind, up to the second restart. SST_NO: this index is not of the kind that can be probed (compressed,
 * small, two-level, ...): use index_open. A zeroed or used index. Release it in any case. */
int index_probe(struct index *index, struct block_source *blocks, struct block_handle h, const struct table_info *info,
	struct sst_slice ikey);

#endif
