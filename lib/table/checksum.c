/* SPDX-License-Identifier: MIT */
/*
 * The checksum in a block's trailer covers the contents as stored and the type byte behind them. RocksDB's
 * table/format.cc computes all kinds but one over that concatenation; XXH3 is over the contents alone, with the
 * type mixed into the result.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/crc32c.h"
#include "table/format.h"

#define XXH3_TYPE_FACTOR UINT32_C(0x6b9083d9)

static uint32_t checksum_crc32c(struct sst_slice contents, uint8_t type)
{
	return crc32c_mask(crc32c(crc32c(0, contents.data, contents.size), &type, 1));
}

static uint32_t checksum_xxhash32(struct sst_slice contents, uint8_t type)
{
	XXH32_state_t state;
	XXH32_reset(&state, 0);
	if (contents.size)
		XXH32_update(&state, contents.data, contents.size);
	XXH32_update(&state, &type, 1);
	return XXH32_digest(&state);
}

static uint32_t checksum_xxhash64(struct sst_slice contents, uint8_t type)
{
	XXH64_state_t state;
	XXH64_reset(&state, 0);
	if (contents.size)
		XXH64_update(&state, contents.data, contents.size);
	XXH64_update(&state, &type, 1);
	return (uint32_t)XXH64_digest(&state);
}

static uint32_t checksum_xxh3(struct sst_slice contents, uint8_t type)
{
	return (uint32_t)XXH3_64bits(contents.data, contents.size) ^ type * XXH3_TYPE_FACTOR;
}

uint32_t block_checksum(enum checksum_type kind, struct sst_slice contents, uint8_t type)
{
	switch (kind) {
	case CHECKSUM_CRC32C:
		return checksum_crc32c(contents, type);
	case CHECKSUM_XXHASH32:
		return checksum_xxhash32(contents, type);
	case CHECKSUM_XXHASH64:
		return checksum_xxhash64(contents, type);
	case CHECKSUM_XXH3:
		return checksum_xxh3(contents, type);
	case CHECKSUM_NONE:
		break;
	}
	return 0;
}
