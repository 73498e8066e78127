/* SPDX-License-Identifier: MIT */
/* The checksum of a block that is read in pieces: the same value as block_checksum. */
#ifndef TABLE_CHECKSUM_STREAM_H
#define TABLE_CHECKSUM_STREAM_H

#include "table/format.h"

struct checksum_stream {
	enum checksum_type kind;
	uint32_t crc;
	struct XXH3_state_s *xxh3;
};

/* False for the kinds that few files have (xxHash32 and 64), and when there is no memory: read the block whole. */
bool checksum_stream_start(struct checksum_stream *s, enum checksum_type kind);
void checksum_stream_add(struct checksum_stream *s, struct sst_slice piece);
/* Of the pieces and the type byte behind them. Releases what s holds. */
uint32_t checksum_stream_end(struct checksum_stream *s, uint8_t type);

#endif
