/* SPDX-License-Identifier: MIT */
/*
 * The properties block: plain (not internal) keys, sorted bytewise, in a block with a single restart. Numbers are
 * varints but for the few that have fixed width. Names and meanings: RocksDB include/rocksdb/table_properties.h,
 * table/meta_blocks.cc.
 */
#ifndef TABLE_PROPERTIES_H
#define TABLE_PROPERTIES_H

#include "table/block_builder.h"

#define PROPERTY_INDEX_TYPE "rocksdb.block.based.table.index.type" /* fixed32 */
#define PROPERTY_PREFIX_FILTERING "rocksdb.block.based.table.prefix.filtering" /* text, 0 or 1 */
#define PROPERTY_WHOLE_KEY_FILTERING "rocksdb.block.based.table.whole.key.filtering"
#define PROPERTY_COMPARATOR "rocksdb.comparator"
#define PROPERTY_COMPRESSION "rocksdb.compression"
#define PROPERTY_DATA_SIZE "rocksdb.data.size" /* data blocks with their trailers */
#define PROPERTY_DELETED_KEYS "rocksdb.deleted.keys"
#define PROPERTY_EXTERNAL_SEQNO "rocksdb.external_sst_file.global_seqno" /* fixed64 */
#define PROPERTY_EXTERNAL_VERSION "rocksdb.external_sst_file.version"	 /* fixed32 */
#define PROPERTY_FILTER_POLICY "rocksdb.filter.policy"
#define PROPERTY_FILTER_SIZE "rocksdb.filter.size" /* contents */
#define PROPERTY_INDEX_KEY_IS_USER_KEY "rocksdb.index.key.is.user.key"
#define PROPERTY_INDEX_SIZE "rocksdb.index.size" /* with trailer */
#define PROPERTY_INDEX_VALUE_IS_DELTA "rocksdb.index.value.is.delta.encoded"
#define PROPERTY_MERGE_OPERANDS "rocksdb.merge.operands"
#define PROPERTY_NUM_DATA_BLOCKS "rocksdb.num.data.blocks"
#define PROPERTY_NUM_ENTRIES "rocksdb.num.entries"
#define PROPERTY_NUM_FILTER_ENTRIES "rocksdb.num.filter_entries"
#define PROPERTY_NUM_RANGE_DELETIONS "rocksdb.num.range-deletions"
#define PROPERTY_RAW_KEY_SIZE "rocksdb.raw.key.size" /* internal keys, before prefix compression */
#define PROPERTY_RAW_VALUE_SIZE "rocksdb.raw.value.size"

#define COMPARATOR_BYTEWISE "leveldb.BytewiseComparator"
#define FILTER_POLICY_BLOOM "bloomfilter"
#define EXTERNAL_VERSION 2

/* Writes the block. REQUIRES: names ascending; a name must live until the next call. */
struct properties_writer {
	struct block_builder block;
	struct sst_slice last;
};

void properties_start(struct properties_writer *w, struct buf *out);
void properties_number(struct properties_writer *w, const char *name, uint64_t v);
void properties_fixed32(struct properties_writer *w, const char *name, uint32_t v);
void properties_fixed64(struct properties_writer *w, const char *name, uint64_t v);
void properties_text(struct properties_writer *w, const char *name, const char *text);
/* Also releases w. 0 or SST_ENOMEM. */
int properties_finish(struct properties_writer *w);

#endif
