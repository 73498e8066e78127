/* SPDX-License-Identifier: MIT */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_MAX 1024

static _Thread_local char message[MESSAGE_MAX];

const char *sst_errmsg(void)
{
	return message;
}

int fail(int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	return code;
}

static int code_of_errno(int e)
{
	switch (e) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return SST_EFULL;
	case ENOMEM:
		return SST_ENOMEM;
	case ENOENT:
		return SST_ENOENT;
	case EAGAIN:
		return SST_EBUSY;
	default:
		return SST_EIO;
	}
}

int fail_errno(const char *fmt, ...)
{
	int e = errno;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(message))
		snprintf(message + n, sizeof(message) - (size_t)n, ": %s", strerror(e));
	return code_of_errno(e);
}

int fail_in(int code, const char *fmt, ...)
{
	char inner[MESSAGE_MAX];
	memcpy(inner, message, sizeof(inner));
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(message))
		snprintf(message + n, sizeof(message) - (size_t)n, ": %s", inner);
	return code;
}

#define KEY_SHOWN 48

int fail_key(int code, struct sst_slice key, const char *fmt, ...)
{
	char shown[4 * KEY_SHOWN + 4];
	size_t n = 0;
	for (size_t i = 0; i < key.size && i < KEY_SHOWN; i++) {
		uint8_t c = key.data[i];
		bool plain = c >= 0x20 && c < 0x7f && c != '\\';
		n += (size_t)snprintf(shown + n, sizeof(shown) - n, plain ? "%c" : "\\x%02x", c);
	}
	snprintf(shown + n, sizeof(shown) - n, "%s", key.size > KEY_SHOWN ? "..." : "");
	char text[MESSAGE_MAX / 2];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return fail(code, "key '%s': %s", shown, text);
}

int fail_memory(void)
{
	return fail(SST_ENOMEM, "out of memory");
}
