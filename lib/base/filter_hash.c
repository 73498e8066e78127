/* SPDX-License-Identifier: MIT */
/*
 * The hash of RocksDB's Bloom filters, XXH3_64bits as it was in xxHash 0.7.2 (RocksDB keeps it
 * as "XXPH3" in util/xxph3.h), with seed 0. The released XXH3 (0.8) differs in every length
 * class; only the secret is the same. One function for each class of lengths; those below 241
 * bytes multiply 16-byte pieces with the secret, longer ones keep eight running sums over
 * stripes of 64 bytes.
 */
#include "base/filter_hash.h"

#include "base/coding.h"

#define P32_1 UINT64_C(0x9E3779B1)
#define P32_2 UINT64_C(0x85EBCA77)
#define P32_3 UINT64_C(0xC2B2AE3D)
#define P64_1 UINT64_C(0x9E3779B185EBCA87)
#define P64_2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define P64_3 UINT64_C(0x165667B19E3779F9)
#define P64_4 UINT64_C(0x85EBCA77C2B2AE63)
#define P64_5 UINT64_C(0x27D4EB2F165667C5)

#define STRIPE 64
#define BLOCK_STRIPES 16

static const uint8_t secret[192] = {
	0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c,
	0xf7, 0x21, 0xad, 0x1c, 0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb,
	0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79, 0xe6, 0x4e,
	0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
	0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6,
	0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb,
	0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3, 0x71, 0x64, 0x48, 0x97,
	0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
	0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7,
	0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31,
	0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64, 0xea, 0xc5, 0xac, 0x83,
	0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
	0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26,
	0x29, 0xd4, 0x68, 0x9e, 0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc,
	0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f,
	0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;
	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint64_t avalanche(uint64_t h)
{
	h ^= h >> 37;
	h *= P64_3;
	return h ^ h >> 32;
}

/* 16 bytes at p with 16 of the secret at s. */
static uint64_t mix(const uint8_t *p, size_t s)
{
	return fold(load64(p) ^ load64(secret + s), load64(p + 8) ^ load64(secret + s + 8));
}

static uint64_t hash_1_to_3(const uint8_t *p, size_t n)
{
	uint64_t v = (uint32_t)(p[0] | p[n / 2] << 8 | p[n - 1] << 16) | (uint64_t)n << 24;
	return avalanche((v ^ load32(secret)) * P64_1);
}

static uint64_t hash_4_to_8(const uint8_t *p, size_t n)
{
	uint64_t k = (load32(p) | (uint64_t)load32(p + n - 4) << 32) ^ load64(secret);
	uint64_t m = n + (k ^ k >> 51) * P32_1;
	return avalanche((m ^ m >> 47) * P64_2);
}

static uint64_t hash_9_to_16(const uint8_t *p, size_t n)
{
	uint64_t lo = load64(p) ^ load64(secret), hi = load64(p + n - 8) ^ load64(secret + 8);
	return avalanche(n + lo + hi + fold(lo, hi));
}

static uint64_t hash_17_to_128(const uint8_t *p, size_t n)
{
	uint64_t a = n * P64_1;
	for (size_t i = (n - 1) / 32 + 1; i-- > 0;)
		a += mix(p + 16 * i, 32 * i) + mix(p + n - 16 - 16 * i, 32 * i + 16);
	return avalanche(a);
}

static uint64_t hash_129_to_240(const uint8_t *p, size_t n)
{
	uint64_t a = n * P64_1;
	for (size_t i = 0; i < 8; i++)
		a += mix(p + 16 * i, 16 * i);
	a = avalanche(a);
	for (size_t i = 8; i < n / 16; i++)
		a += mix(p + 16 * i, 16 * (i - 8) + 3);
	return avalanche(a + mix(p + n - 16, 119));
}

static void add_stripe(uint64_t acc[8], const uint8_t *p, size_t s)
{
	for (size_t i = 0; i < 8; i++) {
		uint64_t v = load64(p + 8 * i), k = v ^ load64(secret + s + 8 * i);
		acc[i] += v + (k & UINT32_MAX) * (k >> 32);
	}
}

static void scramble(uint64_t acc[8])
{
	for (size_t i = 0; i < 8; i++)
		acc[i] = (acc[i] ^ acc[i] >> 47 ^ load64(secret + 128 + 8 * i)) * P32_1;
}

static uint64_t hash_long(const uint8_t *p, size_t n)
{
	uint64_t acc[8] = {P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1};
	for (size_t i = 0; i < n / STRIPE; i++) {
		add_stripe(acc, p + STRIPE * i, 8 * (i % BLOCK_STRIPES));
		if (i % BLOCK_STRIPES == BLOCK_STRIPES - 1)
			scramble(acc);
	}
	if (n % STRIPE)
		add_stripe(acc, p + n - STRIPE, 121);
	uint64_t h = n * P64_1;
	for (size_t i = 0; i < 4; i++)
		h += fold(acc[2 * i] ^ load64(secret + 11 + 16 * i),
			acc[2 * i + 1] ^ load64(secret + 19 + 16 * i));
	return avalanche(h);
}

uint64_t filter_hash(struct sst_slice key)
{
	const uint8_t *p = key.data;
	size_t n = key.size;
	if (n > 240)
		return hash_long(p, n);
	if (n > 128)
		return hash_129_to_240(p, n);
	if (n > 16)
		return hash_17_to_128(p, n);
	if (n > 8)
		return hash_9_to_16(p, n);
	if (n > 3)
		return hash_4_to_8(p, n);
	return n ? hash_1_to_3(p, n) : fold(load64(secret), P64_2);
}
