/* SPDX-License-Identifier: MIT */
/* A source over bytes in memory, exactly these: a read beyond them fails the test. Counts the reads. */
#ifndef MEMORY_SOURCE_H
#define MEMORY_SOURCE_H

#include "base/slice.h"
#include "base/stream.h"
#include "unit.h"

struct memory {
	struct source source; /* first: a pointer to it is one to the whole */
	const uint8_t *data;
	_Atomic unsigned reads; /* of any thread */
};

static inline int memory_read(struct source *s, uint64_t offset, void *buf, size_t n)
{
	struct memory *m = (struct memory *)(void *)s;
	CHECK(offset <= s->size && n <= s->size - offset);
	if (n)
		memcpy(buf, m->data + offset, n);
	m->reads++;
	return 0;
}

static inline struct memory memory_of(struct sst_slice bytes, const char *name)
{
	return (struct memory){.source = {.read = memory_read, .size = bytes.size, .name = name}, .data = bytes.data};
}

#endif
