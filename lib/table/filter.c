/* SPDX-License-Identifier: MIT */
#include "table/filter.h"

#include "base/coding.h"

#define PROBE_FACTOR UINT32_C(0x9e3779b9)
#define LINES_MAX (UINT64_C(0xffffffc0) / FILTER_LINE) /* a filter's length has 32 bits */
#define BITS_PER_KEY_MAX 100u
#define PROBES_MAX 30u

/* RocksDB's choice, by thousandths of a bit per key (FastLocalBloomImpl::ChooseNumProbes). */
static unsigned choose_probes(unsigned millibits)
{
	static const unsigned up_to[] = {2080, 3580, 5100, 6640, 8300, 10070, 11720, 14001, 16050, 18300,
		22001, 25501};
	for (unsigned i = 0; i < sizeof(up_to) / sizeof(up_to[0]); i++)
		if (millibits <= up_to[i])
			return i + 1;
	return millibits > 50000 ? 24 : (millibits - 1) / 2000 - 1;
}

static uint64_t count_lines(uint64_t n, unsigned bits_per_key)
{
	if (n > LINES_MAX * FILTER_LINE * 8 / bits_per_key)
		return LINES_MAX;
	uint64_t bytes = (n * bits_per_key + 7) / 8;
	return (bytes + FILTER_LINE - 1) / FILTER_LINE;
}

static unsigned sane_bits(unsigned bits_per_key)
{
	return bits_per_key < 1 ? 1 : bits_per_key > BITS_PER_KEY_MAX ? BITS_PER_KEY_MAX : bits_per_key;
}

size_t filter_size(size_t n, unsigned bits_per_key)
{
	return count_lines(n, sane_bits(bits_per_key)) * FILTER_LINE + FILTER_TRAILER_SIZE;
}

/* REQUIRES: 0 < lines <= LINES_MAX. */
static inline size_t line_of(uint64_t hash, uint64_t lines)
{
	return (size_t)((lines * (uint32_t)hash) >> 32) * FILTER_LINE;
}

static inline void set_bits(uint8_t *line, uint64_t hash, unsigned probes)
{
	uint32_t x = (uint32_t)(hash >> 32);
	for (unsigned i = 0; i < probes; i++, x *= PROBE_FACTOR) {
		uint32_t bit = x >> 23;
		line[bit >> 3] |= (uint8_t)(1u << (bit & 7));
	}
}

/* The lines are visited at random: each is called for some keys before it is written. */
static void add_all(uint8_t *bits, uint64_t lines, const uint64_t *hashes, size_t n, unsigned probes)
{
	enum { AHEAD = 16 };
	for (size_t i = 0; i < n; i++) {
		if (i + AHEAD < n)
			__builtin_prefetch(bits + line_of(hashes[i + AHEAD], lines), 1);
		set_bits(bits + line_of(hashes[i], lines), hashes[i], probes);
	}
}

void filter_build(struct buf *out, const uint64_t *hashes, size_t n, unsigned bits_per_key)
{
	unsigned bits = sane_bits(bits_per_key);
	unsigned probes = choose_probes(bits * 1000);
	uint64_t lines = count_lines(n, bits);
	size_t size = lines * FILTER_LINE;
	if (!buf_reserve(out, size + FILTER_TRAILER_SIZE))
		return;
	uint8_t *p = out->data + out->size;
	memset(p, 0, size);
	add_all(p, lines, hashes, n, probes);
	memcpy(p + size, (const uint8_t[FILTER_TRAILER_SIZE]){0xff, 0, (uint8_t)probes, 0, 0},
		FILTER_TRAILER_SIZE);
	out->size += size + FILTER_TRAILER_SIZE;
}

/* ff: not the legacy filter; 00: FastLocalBloom; K with block size code 0 (64 bytes) above it; 2 reserved. */
static bool is_ours(const uint8_t *trailer)
{
	return trailer[0] == 0xff && trailer[1] == 0 && trailer[2] >= 1 && trailer[2] <= PROBES_MAX &&
	       trailer[3] == 0 && trailer[4] == 0;
}

bool filter_may_match(struct sst_slice block, uint64_t hash)
{
	if (block.size <= FILTER_TRAILER_SIZE)
		return true;
	size_t size = block.size - FILTER_TRAILER_SIZE;
	const uint8_t *trailer = block.data + size;
	if (!is_ours(trailer) || size % FILTER_LINE || size / FILTER_LINE > LINES_MAX)
		return true;
	const uint8_t *line = block.data + line_of(hash, size / FILTER_LINE);
	uint32_t x = (uint32_t)(hash >> 32);
	for (unsigned i = 0; i < trailer[2]; i++, x *= PROBE_FACTOR) {
		uint32_t bit = x >> 23;
		if (!(line[bit >> 3] & 1u << (bit & 7)))
			return false;
	}
	return true;
}
