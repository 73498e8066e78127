/* SPDX-License-Identifier: MIT */
/* Cutting a target's input into the files it stands for. */
#ifndef FUZZ_TAKE_H
#define FUZZ_TAKE_H

#include "base/coding.h"

/* The next n bytes, or as many as there are. */
static inline struct sst_slice take(struct sst_slice *in, size_t n)
{
	struct sst_slice out = slice_of(in->data, n < in->size ? n : in->size);
	*in = slice_skip(*in, out.size);
	return out;
}

/* How many the next two bytes say. */
static inline size_t take_size(struct sst_slice *in)
{
	struct sst_slice b = take(in, 2);
	return b.size == 2 ? load16(b.data) : 0;
}

#endif
