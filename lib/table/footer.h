/* SPDX-License-Identifier: MIT */
/*
 * The footer: the last bytes of a table, from which everything else is found (RocksDB table/format.cc).
 *
 *     format_version 0 (LevelDB; 48 bytes)   metaindex handle, index handle, padding to 40   magic:8
 *     1 to 5 (53 bytes)    checksum type:1   metaindex handle, index handle, padding to 40   version:4   magic:8
 *     6 and 7 (53 bytes)   checksum type:1   3e 00 7a 00   footer checksum:4   base:4   metaindex size:4
 *                          zeros:16          zeros:8       version:4   magic:8
 *
 * From version 6 on the metaindex lies directly before the footer and names the index; and every checksum has a
 * context added that binds it to this file (base) and to the place in it, so that a block written to the wrong
 * place is noticed.
 */
#ifndef TABLE_FOOTER_H
#define TABLE_FOOTER_H

#include "table/format.h"

#define FORMAT_VERSION_MAX 7
#define FORMAT_VERSION_CONTEXT 6 /* the first with context checksums */

struct footer {
	uint32_t version;
	enum checksum_type checksum;
	uint32_t base;	 /* 0: checksums have no context */
	uint64_t offset; /* where the footer begins; all blocks end before it */
	struct block_handle metaindex;
	struct block_handle index; /* size 0: to be found in the metaindex */
};

/* tail: the last bytes of a file of file_size bytes, all of it or at least TABLE_FOOTER_SIZE. unchecked: its own
 * checksum does not matter. SST_ECORRUPT; SST_EUNSUPPORTED: versions, checksum types and table kinds that are not read,
 * named. */
int footer_decode(struct footer *f, struct sst_slice tail, uint64_t file_size, bool unchecked);

/* What is added to the checksum of the block or footer at offset. */
static inline uint32_t checksum_context(uint32_t base, uint64_t offset)
{
	return base ? base ^ ((uint32_t)offset + (uint32_t)(offset >> 32)) : 0;
}

#endif
