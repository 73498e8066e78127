/* SPDX-License-Identifier: MIT */
/*
 * A growing byte buffer. A zeroed one is empty and ready. Running out of memory is remembered in `failed`
 * and later appends do nothing, so an encoder appends freely and asks once, at its end, with buf_check().
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"

struct buf {
	uint8_t *data;
	size_t size, cap;
	bool failed;
};

bool buf_grow(struct buf *b, size_t extra); /* the slow path of buf_reserve */
void buf_release(struct buf *b);
/* 0, or SST_ENOMEM (with its message) when any append since buf_clear failed. */
int buf_check(const struct buf *b);

/* Room for `extra` more bytes behind size; false (and failed) when there is no memory. */
static inline bool buf_reserve(struct buf *b, size_t extra)
{
	return b->cap - b->size >= extra ? !b->failed : buf_grow(b, extra);
}

static inline void buf_clear(struct buf *b)
{
	b->size = 0;
	b->failed = false;
}

static inline void buf_append(struct buf *b, const void *p, size_t n)
{
	if (!n || !buf_reserve(b, n))
		return;
	memcpy(b->data + b->size, p, n);
	b->size += n;
}

static inline void buf_append_slice(struct buf *b, struct sst_slice s)
{
	buf_append(b, s.data, s.size);
}

static inline void buf_push(struct buf *b, uint8_t c)
{
	if (buf_reserve(b, 1))
		b->data[b->size++] = c;
}

static inline struct sst_slice buf_slice(const struct buf *b)
{
	return slice_of(b->data, b->size);
}

#endif
