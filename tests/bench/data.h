/* SPDX-License-Identifier: MIT */
/*
 * The records every row is measured with, the same on every run and in every program: record number i has a
 * key of 16 to 24 random letters and a value of 100, of which the second half repeats the first (so that a
 * compressor makes about half of it). Letters are those of base64url: no form of text has to escape one.
 */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MIN = 16, KEY_MAX = 24, VALUE_SIZE = 100 };

/* Seeds: of the records that are stored, and of keys that never are. */
enum { SEED_STORED = 1, SEED_ABSENT = 2 };

struct record {
	char key[KEY_MAX];
	char value[VALUE_SIZE];
	uint32_t key_size;
};

static inline uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static inline void random_letters(char *to, size_t count, uint64_t state)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint64_t bits = 0;

	for (size_t i = 0; i < count; i++) {
		if (i % 10 == 0)
			bits = mix(state + i);
		to[i] = letters[bits & 63];
		bits >>= 6;
	}
}

static inline void record_make(struct record *r, uint64_t seed, uint64_t number)
{
	const uint64_t state = mix(mix(seed) ^ number);

	r->key_size = KEY_MIN + (uint32_t)(state % (KEY_MAX - KEY_MIN + 1));
	random_letters(r->key, r->key_size, state);
	random_letters(r->value, VALUE_SIZE / 2, state + 1000);
	memcpy(r->value + VALUE_SIZE / 2, r->value, VALUE_SIZE / 2);
}

/* Records 0 .. count-1; the caller frees. NULL: no memory. */
static inline struct record *records_make(uint64_t seed, size_t count)
{
	struct record *all = (struct record *)malloc((count ? count : 1) * sizeof(*all));

	for (size_t i = 0; all && i < count; i++)
		record_make(&all[i], seed, i);
	return all;
}

static inline int record_compare(const void *left, const void *right)
{
	const struct record *a = (const struct record *)left, *b = (const struct record *)right;
	const int order = memcmp(a->key, b->key, a->key_size < b->key_size ? a->key_size : b->key_size);

	return order ? order : (int)a->key_size - (int)b->key_size;
}

static inline uint64_t records_bytes(const struct record *all, size_t count)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += all[i].key_size + VALUE_SIZE;
	return bytes;
}

#endif
