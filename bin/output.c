/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/status.h"

/* A descriptor somebody else made non-blocking is waited for. */
static bool wait_writable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	return errno == EINTR || (errno == EAGAIN && poll(&p, 1, -1) >= 0);
}

/* The first failure, told again every time: its message may have been lost since. */
static int fail_output(struct output *o)
{
	errno = o->os_error;
	int rc = fail_errno("write error");
	return o->error = rc == SST_EFULL ? SST_EFULL : SST_EIO;
}

static int write_all(struct output *o, const uint8_t *p, size_t n)
{
	if (o->error)
		return fail_output(o);
	while (n) {
		ssize_t w = write(o->fd, p, n);
		if (w < 0 && wait_writable(o->fd))
			continue;
		if (w < 0) {
			o->os_error = errno;
			return fail_output(o);
		}
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int output_flush(struct output *o)
{
	size_t n = o->size;
	o->size = 0;
	return write_all(o, o->data, n);
}

int output_write(struct output *o, const void *p, size_t n)
{
	if (o->cap - o->size < n) {
		output_flush(o);
		if (n >= o->cap)
			return write_all(o, p, n);
	}
	if (n)
		memcpy(o->data + o->size, p, n);
	o->size += n;
	return o->error;
}

void output_u64(struct output *o, uint64_t v)
{
	char digits[20], *p = digits + sizeof(digits);
	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	output_write(o, p, (size_t)(digits + sizeof(digits) - p));
}
