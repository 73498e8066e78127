/* SPDX-License-Identifier: MIT */
/*
 * The log reader over arbitrary bytes. The first byte of the input says: bit 0, put right
 * checksums where headers are, so that what is behind them is reached; bits 1.., the number of
 * the log. Also: the input framed as one record at an offset reads back as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "base/coding.h"
#include "base/crc32c.h"
#include "wal/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
	struct source source;
	const uint8_t *data;
};

static void need(bool what)
{
	if (!what)
		abort();
}

static int memory_read(struct source *s, uint64_t offset, void *buf, size_t n)
{
	const struct memory *m = (const struct memory *)s;
	need(offset <= s->size && n <= s->size - offset);
	memcpy(buf, m->data + offset, n);
	return 0;
}

static void mend_checksums(uint8_t *p, size_t size)
{
	for (size_t i = 0; i + LOG_HEADER_SIZE <= size;) {
		size_t room = LOG_BLOCK_SIZE - i % LOG_BLOCK_SIZE;
		size_t n = LOG_HEADER_SIZE + load16(p + i + 4);
		bool longer =
			(p[i + 6] >= 5 && p[i + 6] <= 8) || p[i + 6] == 11 || p[i + 6] == 131;
		n += longer ? 4 : 0;
		if (room < LOG_HEADER_SIZE || n > room || n > size - i) {
			i += room;
			continue;
		}
		store32(p + i, crc32c_mask(crc32c(0, p + i + 6, n - 6)));
		i += n;
	}
}

/* Every record is read by itself once, and the reader always comes to an end. */
static void read_to_the_end(const uint8_t *p, size_t size, uint64_t number)
{
	struct memory m = {.source = {.read = memory_read, .size = size, .name = "input"}, .data = p};
	struct log_reader r;
	struct sst_slice record;
	uint64_t last = 0;
	bool any = false;
	log_reader_init(&r, &m.source, number, 0);
	do {
		int rc;
		while (!(rc = log_reader_next(&r, &record))) {
			need(!any || r.record_offset > last);
			need(r.good_end <= size && r.good_end > r.record_offset);
			need(record.size <= (64u << 21) + 128 * size);
			last = r.record_offset;
			any = true;
		}
		need(rc == SST_NO || rc == SST_ECORRUPT || rc == SST_EUNSUPPORTED);
		need(rc != SST_NO || r.end == LOG_END_CLEAN || r.end == LOG_END_TORN);
		if (rc == SST_NO && r.end == LOG_END_CLEAN)
			break;
		need(r.bad_offset <= size);
	} while (log_reader_resync(&r) == 0);
	log_reader_release(&r);
}

static void round_trip(uint64_t at, struct sst_slice payload)
{
	struct buf b = {0};
	struct log_reader r;
	struct sst_slice record;
	need(buf_reserve(&b, (size_t)at));
	memset(b.data, 0, (size_t)at);
	b.size = (size_t)at;
	log_frame(&b, at, payload);
	need(b.size - at <= log_frame_bound(payload.size));
	struct memory m = {.source = {.read = memory_read, .size = b.size, .name = "input"}, .data = b.data};
	log_reader_init(&r, &m.source, 1, at);
	need(log_reader_next(&r, &record) == 0 && slice_eq(record, payload) &&
		r.good_end == b.size);
	need(log_reader_next(&r, &record) == SST_NO && r.end == LOG_END_CLEAN);
	log_reader_release(&r);
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	uint8_t *copy = malloc(size);
	need(copy);
	memcpy(copy, data, size);
	if (data[0] & 1)
		mend_checksums(copy + 1, size - 1);
	read_to_the_end(copy + 1, size - 1, data[0] >> 1);
	round_trip(LOG_BLOCK_SIZE - data[0], slice_of(copy, size));
	free(copy);
	return 0;
}
