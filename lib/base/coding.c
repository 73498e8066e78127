/* SPDX-License-Identifier: MIT */
#include "base/coding.h"

bool get_varint64_slow(struct sst_slice *in, uint64_t *v)
{
	uint64_t x = 0;
	for (size_t i = 0; i < in->size && i < 10; i++) {
		uint8_t c = in->data[i];
		if (i == 9 && c > 1)
			return false;
		x |= (uint64_t)(c & 0x7f) << (7 * i);
		if (c < 0x80) {
			*v = x;
			*in = slice_skip(*in, i + 1);
			return true;
		}
	}
	return false;
}
