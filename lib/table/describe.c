/* SPDX-License-Identifier: MIT */
#include "table/reader_internal.h"

void table_describe_key(char *text, size_t size, struct sst_slice user_key)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;
	text[n++] = '\'';
	for (size_t i = 0; i < user_key.size; i++) {
		uint8_t c = user_key.data[i];
		if (n + 9 > size) { /* 4 for a byte, then "...'" and the end */
			memcpy(text + n, "...", 3);
			n += 3;
			break;
		}
		if (c >= 0x20 && c < 0x7f && c != '\\' && c != '\'') {
			text[n++] = (char)c;
			continue;
		}
		text[n++] = '\\';
		text[n++] = 'x';
		text[n++] = hex[c >> 4];
		text[n++] = hex[c & 15];
	}
	text[n++] = '\'';
	text[n] = 0;
}
