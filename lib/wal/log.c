/* SPDX-License-Identifier: MIT */
/* The writer's side of the framing; log_reader.c has the reader's. */
#include "wal/log.h"

#include "base/coding.h"
#include "base/crc32c.h"
#include "wal/format.h"

static const uint8_t zeros[LOG_HEADER_SIZE];

static void put_fragment(struct buf *out, uint8_t type, struct sst_slice payload)
{
	uint8_t header[LOG_HEADER_SIZE];
	uint32_t crc = crc32c(crc32c(0, &type, 1), payload.data, payload.size);
	store32(header, crc32c_mask(crc));
	store16(header + 4, (uint16_t)payload.size);
	header[6] = type;
	buf_append(out, header, sizeof(header));
	buf_append_slice(out, payload);
}

void log_frame(struct buf *out, uint64_t offset, struct sst_slice payload)
{
	bool begin = true, end;
	do {
		size_t room = LOG_BLOCK_SIZE - (size_t)(offset % LOG_BLOCK_SIZE);
		if (room < LOG_HEADER_SIZE) {
			buf_append(out, zeros, room);
			offset += room;
			room = LOG_BLOCK_SIZE;
		}
		room -= LOG_HEADER_SIZE;
		end = payload.size <= room;
		size_t n = end ? payload.size : room;
		uint8_t type =
			begin ? (end ? LOG_FULL : LOG_FIRST) : (end ? LOG_LAST : LOG_MIDDLE);
		put_fragment(out, type, slice_of(payload.data, n));
		if (n)
			payload = slice_skip(payload, n);
		offset += LOG_HEADER_SIZE + n;
		begin = false;
	} while (!end);
}

size_t log_frame_bound(size_t n)
{
	/* Besides those that fill a block there is the first, which may be empty, and the
	 * last. */
	size_t fragments = n / (LOG_BLOCK_SIZE - LOG_HEADER_SIZE) + 2;
	return n + fragments * LOG_HEADER_SIZE + LOG_HEADER_SIZE - 1;
}
