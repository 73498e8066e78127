/* SPDX-License-Identifier: MIT */
/*
 * The encodings every RocksDB file is made of: little-endian fixed integers, varints (7 bits a byte, low
 * group first), zigzag varints, and slices (varint length, bytes).
 *
 * Writers append to a struct buf. Readers take bytes off the front of a slice and return false, leaving
 * the slice where it was, when it is too short or the number malformed (a 32-bit varint has at most 5
 * bytes and 32 bits, a 64-bit one at most 10 and 64).
 */
#ifndef BASE_CODING_H
#define BASE_CODING_H

#include "base/buf.h"

static inline uint16_t load16(const void *p)
{
	uint16_t v;
	memcpy(&v, p, 2);
	return v;
}

static inline uint32_t load32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return v;
}

static inline uint64_t load64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return v;
}

static inline void store16(void *p, uint16_t v)
{
	memcpy(p, &v, 2);
}

static inline void store32(void *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

static inline void store64(void *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

static inline void put_fixed32(struct buf *b, uint32_t v)
{
	buf_append(b, &v, 4);
}

static inline void put_fixed64(struct buf *b, uint64_t v)
{
	buf_append(b, &v, 8);
}

/* Writes at most 10 bytes to p; returns how many. */
static inline size_t encode_varint(uint8_t *p, uint64_t v)
{
	size_t n = 0;
	for (; v >= 0x80; v >>= 7)
		p[n++] = (uint8_t)(v | 0x80);
	p[n++] = (uint8_t)v;
	return n;
}

static inline size_t varint_size(uint64_t v)
{
	return v ? (size_t)(63 - __builtin_clzll(v)) / 7 + 1 : 1;
}

static inline void put_varint(struct buf *b, uint64_t v)
{
	if (buf_reserve(b, 10))
		b->size += encode_varint(b->data + b->size, v);
}

static inline void put_varint_signed(struct buf *b, int64_t v)
{
	put_varint(b, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

static inline void put_slice(struct buf *b, struct sst_slice s)
{
	put_varint(b, s.size);
	buf_append_slice(b, s);
}

static inline struct sst_slice slice_skip(struct sst_slice s, size_t n)
{
	return slice_of(s.data + n, s.size - n);
}

bool get_varint64_slow(struct sst_slice *in, uint64_t *v);

static inline bool get_varint64(struct sst_slice *in, uint64_t *v)
{
	if (in->size && in->data[0] < 0x80) {
		*v = in->data[0];
		*in = slice_skip(*in, 1);
		return true;
	}
	return get_varint64_slow(in, v);
}

static inline bool get_varint32(struct sst_slice *in, uint32_t *v)
{
	struct sst_slice s = *in;
	uint64_t x;
	if (!get_varint64(&s, &x) || x > UINT32_MAX || in->size - s.size > 5)
		return false;
	*in = s;
	*v = (uint32_t)x;
	return true;
}

static inline bool get_varint_signed(struct sst_slice *in, int64_t *v)
{
	uint64_t x;
	if (!get_varint64(in, &x))
		return false;
	*v = (int64_t)(x >> 1) ^ -(int64_t)(x & 1);
	return true;
}

static inline bool get_fixed32(struct sst_slice *in, uint32_t *v)
{
	if (in->size < 4)
		return false;
	*v = load32(in->data);
	*in = slice_skip(*in, 4);
	return true;
}

static inline bool get_fixed64(struct sst_slice *in, uint64_t *v)
{
	if (in->size < 8)
		return false;
	*v = load64(in->data);
	*in = slice_skip(*in, 8);
	return true;
}

/* n bytes off the front, borrowed from in. */
static inline bool get_bytes(struct sst_slice *in, size_t n, struct sst_slice *out)
{
	if (in->size < n)
		return false;
	*out = slice_of(in->data, n);
	*in = slice_skip(*in, n);
	return true;
}

static inline bool get_slice(struct sst_slice *in, struct sst_slice *out)
{
	struct sst_slice s = *in;
	uint64_t n;
	if (!get_varint64(&s, &n) || n > s.size)
		return false;
	*in = s;
	return get_bytes(in, (size_t)n, out);
}

#endif
