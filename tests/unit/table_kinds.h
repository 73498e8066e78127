/* SPDX-License-Identifier: MIT */
/* The kinds of tables that there are, in small: what a reader must get through. */
#ifndef TABLE_KINDS_H
#define TABLE_KINDS_H

#include "table_maker.h"

#define DICTIONARY "the value of the key number 0 1 2 3 4 5 6 7 8 9 key00000"
#define KIND(text, ...) {.label = text, __VA_ARGS__}

static const struct maker kinds[] = {
	KIND("version 5", .version = 5, .checksum = CHECKSUM_XXH3),
	KIND("crc32c", .version = 5, .checksum = CHECKSUM_CRC32C),
	KIND("xxHash32", .version = 2, .checksum = CHECKSUM_XXHASH32),
	KIND("xxHash64", .version = 3, .checksum = CHECKSUM_XXHASH64),
	KIND("no checksum", .version = 4),
	KIND("filter", .checksum = CHECKSUM_XXH3, .filter = true),
	KIND("first keys", .checksum = CHECKSUM_XXH3, .index_type = INDEX_FIRST_KEY),
	KIND("first keys, delta", .checksum = CHECKSUM_XXH3, .index_type = INDEX_FIRST_KEY, .delta = true,
		.index_interval = 3),
	KIND("hash index", .checksum = CHECKSUM_XXH3, .index_type = INDEX_HASH, .hash_index = true),
	KIND("delta", .checksum = CHECKSUM_XXH3, .delta = true, .index_interval = 16),
	KIND("user keys", .checksum = CHECKSUM_XXH3, .user_keys = true, .per_block = 6),
	KIND("user keys, delta", .checksum = CHECKSUM_XXH3, .user_keys = true, .delta = true, .per_block = 3,
		.index_interval = 4),
	KIND("loose separators", .checksum = CHECKSUM_XXH3, .loose = true),
	KIND("two-level, loose", .checksum = CHECKSUM_XXH3, .index_type = INDEX_TWO_LEVEL, .loose = true),
	KIND("two-level", .checksum = CHECKSUM_XXH3, .index_type = INDEX_TWO_LEVEL),
	KIND("two-level, user keys, delta, compressed", .checksum = CHECKSUM_XXH3, .index_type = INDEX_TWO_LEVEL,
		.user_keys = true, .delta = true, .per_block = 3, .codec = COMPRESSION_ZSTD, .compress_index = true),
	KIND("Snappy", .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_SNAPPY, .compress_index = true),
	KIND("Zlib", .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_ZLIB),
	KIND("BZip2", .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_BZIP2),
	KIND("LZ4", .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_LZ4),
	KIND("LZ4HC", .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_LZ4HC),
	KIND("ZSTD", .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_ZSTD, .per_block = 20),
	KIND("ZSTD dictionary", .checksum = CHECKSUM_XXH3, .codec = COMPRESSION_ZSTD, .dictionary = DICTIONARY,
		.compress_index = true),
	KIND("LZ4 dictionary", .checksum = CHECKSUM_XXH3, .codec = COMPRESSION_LZ4, .dictionary = DICTIONARY),
	KIND("Zlib dictionary", .checksum = CHECKSUM_XXH3, .codec = COMPRESSION_ZLIB, .dictionary = DICTIONARY),
	KIND("apart", .checksum = CHECKSUM_XXH3, .apart = true),
	KIND("apart, hash, uniform", .checksum = CHECKSUM_XXH3, .apart = true, .hash_index = true, .uniform = true,
		.interval = 3),
	KIND("version 6", .version = 6, .checksum = CHECKSUM_XXH3, .codec = COMPRESSION_ZSTD),
	KIND("version 7", .version = 7, .checksum = CHECKSUM_CRC32C, .filter = true, .index_type = INDEX_TWO_LEVEL),
	KIND("version 1", .version = 1, .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_ZLIB),
	KIND("version 1, LZ4", .version = 1, .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_LZ4),
	KIND("version 1, BZip2", .version = 1, .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_BZIP2),
	KIND("version 0 of RocksDB", .old = true, .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_ZLIB),
	KIND("LevelDB", .leveldb = true, .checksum = CHECKSUM_CRC32C),
	KIND("LevelDB, Snappy", .leveldb = true, .checksum = CHECKSUM_CRC32C, .codec = COMPRESSION_SNAPPY,
		.compress_index = true),
	KIND("LevelDB, ZSTD", .leveldb = true, .checksum = CHECKSUM_CRC32C, .codec = 22, .compress_index = true),
	KIND("LevelDB, zlib", .leveldb = true, .checksum = CHECKSUM_CRC32C, .codec = 2, .compress_index = true),
	KIND("LevelDB, raw deflate", .leveldb = true, .checksum = CHECKSUM_CRC32C, .codec = 4,
		.compress_index = true),
	KIND("reverse", .checksum = CHECKSUM_XXH3, .reverse = true, .filter = true),
};

#endif
