/* SPDX-License-Identifier: MIT */
/*
 * Where bytes come from and go to: every parser reads a source, every builder writes a sink, so both run
 * on a buffer in tests and fuzzing and on a file elsewhere. `name` is for messages ('000005.sst').
 */
#ifndef BASE_STREAM_H
#define BASE_STREAM_H

#include "base/slice.h"

/* Random access to `size` bytes. */
struct source {
	/* Fills buf with n bytes from offset. REQUIRES: offset + n <= size. 0 or an error; a file that has
	 * become shorter is SST_ECORRUPT. May be called by several threads at once. */
	int (*read)(struct source *s, uint64_t offset, void *buf, size_t n);
	uint64_t size;
	const char *name;
	/* The first offset from `offset` on that is not in a hole of a sparse file; size: there are only holes.
	 * NULL: it has none. */
	uint64_t (*next_data)(struct source *s, uint64_t offset);
};

static inline uint64_t source_next_data(struct source *s, uint64_t offset)
{
	return s->next_data && offset < s->size ? s->next_data(s, offset) : offset;
}

/* Sequential output. */
struct sink {
	/* Takes all n bytes (copies them) or fails; after a failure every call fails. */
	int (*write)(struct sink *s, const void *p, size_t n);
};

#endif
