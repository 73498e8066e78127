/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <stdlib.h>

#include "base/status.h"

bool buf_grow(struct buf *b, size_t extra)
{
	if (b->failed)
		return false;
	size_t want, cap;
	if (__builtin_add_overflow(b->size, extra, &want))
		goto none;
	cap = b->cap < 64 ? 64 : b->cap;
	while (cap < want)
		if (__builtin_mul_overflow(cap, (size_t)2, &cap))
			goto none;
	uint8_t *p = realloc(b->data, cap);
	if (!p)
		goto none;
	b->data = p;
	b->cap = cap;
	return true;
none:
	b->failed = true;
	return false;
}

void buf_release(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}

int buf_check(const struct buf *b)
{
	return b->failed ? fail_memory() : 0;
}
