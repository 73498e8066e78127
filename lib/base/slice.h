/* SPDX-License-Identifier: MIT */
/* Borrowed bytes: `struct sst_slice` of the public header, and what is done with it everywhere. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sst.h"

static inline struct sst_slice slice_of(const void *data, size_t size)
{
	return (struct sst_slice){data, size};
}

static inline struct sst_slice slice_str(const char *s)
{
	return (struct sst_slice){(const uint8_t *)s, strlen(s)};
}

/* memcmp order, the shorter first: the bytewise comparator. */
static inline int slice_cmp(struct sst_slice a, struct sst_slice b)
{
	size_t n = a.size < b.size ? a.size : b.size;
	int c = n ? memcmp(a.data, b.data, n) : 0;
	return c ? c : (a.size > b.size) - (a.size < b.size);
}

static inline bool slice_eq(struct sst_slice a, struct sst_slice b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_has_prefix(struct sst_slice a, struct sst_slice prefix)
{
	return a.size >= prefix.size &&
	       (prefix.size == 0 || memcmp(a.data, prefix.data, prefix.size) == 0);
}

/* Bytes that a and b share at their beginning. */
static inline size_t slice_common(struct sst_slice a, struct sst_slice b)
{
	size_t n = a.size < b.size ? a.size : b.size, i = 0;
	for (; i + 8 <= n; i += 8) {
		uint64_t x, y;
		memcpy(&x, a.data + i, 8);
		memcpy(&y, b.data + i, 8);
		if (x != y)
			return i + (size_t)(__builtin_ctzll(x ^ y) >> 3);
	}
	while (i < n && a.data[i] == b.data[i])
		i++;
	return i;
}

#endif
