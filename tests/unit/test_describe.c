/* SPDX-License-Identifier: MIT */
/* A key in a message: whatever its bytes, the text ends within its buffer. */
#include "unit.h"

#include "table/reader_internal.h"

static void test_keys_stay_within_the_buffer(void)
{
	uint8_t key[64];
	for (size_t plain = 0; plain < 12; plain++)
		for (size_t n = 0; n <= sizeof(key); n++)
			for (size_t size = 16; size < 80; size++) {
				char text[96];
				memset(key, 1, sizeof(key));
				memset(key, 'a', plain < n ? plain : n);
				memset(text, '#', sizeof(text));
				table_describe_key(text, size, slice_of(key, n));
				CHECK(strlen(text) < size);
				CHECK(text[size] == '#');
				CHECK(text[0] == '\'' && text[strlen(text) - 1] == '\'');
			}
}

int main(void)
{
	RUN(test_keys_stay_within_the_buffer);
	return unit_done("describe");
}
