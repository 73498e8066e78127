/* SPDX-License-Identifier: MIT */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/status.h"

#define ROOM_MIN (64u << 10)

int input_open(int *fd, const char *path)
{
	*fd = strcmp(path, "-") == 0 ? 0 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return *fd < 0 ? fail_errno("cannot open '%s'", path) : 0;
}

void input_close(int fd)
{
	if (fd > 0)
		close(fd);
}

const char *input_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* A descriptor somebody else made non-blocking is waited for. */
static bool wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return errno == EINTR || (errno == EAGAIN && poll(&p, 1, -1) >= 0);
}

int input_read(int fd, const char *name, void *p, size_t room, size_t *n)
{
	ssize_t got;
	do
		got = read(fd, p, room);
	while (got < 0 && wait_readable(fd));
	*n = got > 0 ? (size_t)got : 0;
	if (got >= 0)
		return 0;
	fail_errno("cannot read %s", name);
	return SST_EIO;
}

int input_read_all(int fd, const char *name, size_t max, struct sst_slice *out)
{
	static struct buf b;
	size_t n;
	buf_clear(&b);
	do {
		if (!buf_reserve(&b, ROOM_MIN))
			return buf_check(&b);
		int rc = input_read(fd, name, b.data + b.size, b.cap - b.size, &n);
		b.size += n;
		if (!rc && b.size > max)
			rc = fail(SST_EINVAL, "%s: more than %zu bytes", name, max);
		if (rc)
			return rc;
	} while (n);
	*out = buf_slice(&b);
	return 0;
}
