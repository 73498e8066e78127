/* SPDX-License-Identifier: MIT */
/* What table builder and table reader share: constants of the block-based table and block checksums. */
#ifndef TABLE_FORMAT_H
#define TABLE_FORMAT_H

#include "base/coding.h"

#define TABLE_MAGIC UINT64_C(0x88e241b785f4cff7)
#define TABLE_MAGIC_LEGACY UINT64_C(0xdb4775248b80fb57)
#define TABLE_FOOTER_SIZE 53
#define TABLE_FOOTER_SIZE_LEGACY 48
#define BLOCK_TRAILER_SIZE 5

#define META_FILTER "fullfilter.rocksdb.BuiltinBloomFilter"
#define META_PROPERTIES "rocksdb.properties"
#define META_RANGE_DEL "rocksdb.range_del"
#define META_COMPRESSION_DICT "rocksdb.compression_dict"
#define META_INDEX "rocksdb.index"

enum checksum_type { CHECKSUM_NONE = 0, CHECKSUM_CRC32C = 1, CHECKSUM_XXHASH32 = 2, CHECKSUM_XXHASH64 = 3, CHECKSUM_XXH3 = 4 };

enum compression_type {
	COMPRESSION_NONE = 0,
	COMPRESSION_SNAPPY = 1,
	COMPRESSION_ZLIB = 2,
	COMPRESSION_BZIP2 = 3,
	COMPRESSION_LZ4 = 4,
	COMPRESSION_LZ4HC = 5,
	COMPRESSION_XPRESS = 6,
	COMPRESSION_ZSTD = 7,
};

enum index_type { INDEX_BINARY = 0, INDEX_HASH = 1, INDEX_TWO_LEVEL = 2, INDEX_FIRST_KEY = 3 };

/* A block's place; size is without the 5-byte trailer. */
struct block_handle {
	uint64_t offset, size;
};

static inline bool handle_eq(struct block_handle a, struct block_handle b)
{
	return a.offset == b.offset && a.size == b.size;
}

static inline void put_handle(struct buf *b, struct block_handle h)
{
	put_varint(b, h.offset);
	put_varint(b, h.size);
}

static inline bool get_handle(struct sst_slice *in, struct block_handle *h)
{
	return get_varint64(in, &h->offset) && get_varint64(in, &h->size);
}

/* The checksum stored for a block's contents and type byte (sst(5)), before the context that format versions 6 and 7 add. */
uint32_t block_checksum(enum checksum_type kind, struct sst_slice contents, uint8_t type);

#endif
