/* SPDX-License-Identifier: MIT */
/*
 * Decompression of blocks. The codec's number in a block's trailer means different things in different files:
 *
 *     DIALECT_ROCKSDB   format_version >= 2: varint size of the contents, then the codec's output. Snappy has no
 *                       such size, it has its own. (RocksDB util/compression.h)
 *     DIALECT_OLD       RocksDB's versions 0 and 1: no size for Zlib and BZip2, 8 bytes for LZ4
 *     DIALECT_LEVELDB   1 Snappy; 2 ZSTD without a size (LevelDB since 2023), or zlib with its header (Mojang's
 *                       LevelDB, told apart by the frame's magic); 4 raw deflate (Mojang's)
 *
 * Memory: contents are at most DECOMPRESSED_MAX bytes, and a size that no stream of the stored length can have is
 * refused before anything is allocated.
 *
 * Time: so is it bounded, by a block's DECOMPRESSED_MAX, but not by the size of the file: a value of 256 MiB of zeros is a
 * sound table of 9 KB. No ratio, nor a property (which the same hand wrote), tells it from a bomb; every block is
 * inflated at most once in a walk (index.h).
 */
#ifndef TABLE_DECOMPRESS_H
#define TABLE_DECOMPRESS_H

#include "table/format.h"

/* The largest value, with room for the rest of its block. */
#define DECOMPRESSED_MAX ((UINT64_C(1) << 30) + (UINT64_C(64) << 20))

enum dialect { DIALECT_ROCKSDB, DIALECT_OLD, DIALECT_LEVELDB };

/* A zeroed one is ready. */
struct decompressor {
	enum dialect dialect;
	uint64_t limit; /* of the contents, where it is not DECOMPRESSED_MAX; what is larger is SST_ECORRUPT */
	struct buf dictionary; /* of RocksDB's compression_dict block; empty: none */
	struct ZSTD_DCtx_s *zstd;
	struct ZSTD_DDict_s *zstd_dictionary;
};

void decompressor_release(struct decompressor *d);
/* Replaces out with the contents. with_dictionary: this is a data block. SST_ECORRUPT, SST_EUNSUPPORTED (the codec,
 * named), SST_ENOMEM. REQUIRES: type is not COMPRESSION_NONE. */
int decompress(struct decompressor *d, uint8_t type, struct sst_slice stored, bool with_dictionary,
	struct buf *out);
/* "ZSTD"; "unknown" for a number without a name. */
const char *compression_name(enum dialect dialect, uint8_t type);

#endif
