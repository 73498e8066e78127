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
};

/* Sequential output. */
struct sink {
	/* Takes all n bytes (copies them) or fails; after a failure every call fails. */
	int (*write)(struct sink *s, const void *p, size_t n);
};

#endif
