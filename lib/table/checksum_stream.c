/* SPDX-License-Identifier: MIT */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/crc32c.h"
#include "table/checksum_stream.h"

bool checksum_stream_start(struct checksum_stream *s, enum checksum_type kind)
{
	*s = (struct checksum_stream){.kind = kind};
	if (kind != CHECKSUM_XXH3)
		return kind == CHECKSUM_CRC32C || kind == CHECKSUM_NONE;
	s->xxh3 = XXH3_createState();
	return s->xxh3 && XXH3_64bits_reset(s->xxh3) == XXH_OK;
}

void checksum_stream_add(struct checksum_stream *s, struct sst_slice piece)
{
	if (s->kind == CHECKSUM_CRC32C)
		s->crc = crc32c(s->crc, piece.data, piece.size);
	else if (s->kind == CHECKSUM_XXH3)
		XXH3_64bits_update(s->xxh3, piece.data, piece.size);
}

uint32_t checksum_stream_end(struct checksum_stream *s, uint8_t type)
{
	if (s->kind == CHECKSUM_CRC32C)
		return crc32c_mask(crc32c(s->crc, &type, 1));
	if (s->kind != CHECKSUM_XXH3)
		return 0;
	uint32_t sum = (uint32_t)XXH3_64bits_digest(s->xxh3);
	XXH3_freeState(s->xxh3);
	/* how the type is mixed in does not depend on the contents */
	static const struct sst_slice empty = {0};
	return sum ^ block_checksum(CHECKSUM_XXH3, empty, type) ^ block_checksum(CHECKSUM_XXH3, empty, 0);
}
