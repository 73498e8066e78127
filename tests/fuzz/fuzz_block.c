/* SPDX-License-Identifier: MIT */
/* A block of any kind: the first byte says which flags and order, the rest is the contents. */
#include <stdlib.h>

#include "table/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct block *b, struct sst_slice target)
{
	struct block_iter it = {0};
	struct buf last = {0};
	volatile uint8_t touched = 0;
	block_iter_start(&it, b, false);
	for (bool first = true; block_iter_next(&it) == 0; first = false) {
		if (!first && b->order != ORDER_UNKNOWN && block_cmp(b, buf_slice(&last), it.key) >= 0)
			abort();
		buf_clear(&last);
		buf_append_slice(&last, it.key);
		if (it.value.size)
			touched = (uint8_t)(touched + it.value.data[0] + it.value.data[it.value.size - 1]);
	}
	unsigned steps = 0;
	for (int rc = block_iter_last(&it); rc == 0 && steps < 1000; rc = block_iter_prev(&it))
		steps++;
	if (b->order != ORDER_UNKNOWN && (!(b->flags & BLOCK_TAGGED) || target.size >= IKEY_TAG_SIZE))
		if (block_iter_seek(&it, target) == 0 && block_cmp(b, it.key, target) < 0)
			abort();
	block_iter_release(&it);
	buf_release(&last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct block b;
	if (size < 1)
		return 0;
	unsigned flags = data[0] & 15;
	enum key_order order = (enum key_order)((data[0] >> 4) % 3);
	struct sst_slice contents = {data + 1, size - 1};
	if (block_open(&b, contents, flags, order) == 0)
		walk(&b, slice_of(contents.data, contents.size < 16 ? contents.size : 16));
	return 0;
}
