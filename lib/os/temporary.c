/* SPDX-License-Identifier: MIT */
/* O_TMPFILE; where the file system has none, a file that loses its name as soon as it has one. */
#include "os/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"

static int open_and_unlink(const char *directory)
{
	char *name = NULL;
	if (asprintf(&name, "%s/sst-XXXXXX", directory) < 0) {
		errno = ENOMEM;
		return -1;
	}
	int fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	free(name);
	return fd;
}

int temporary_open(int *fd, const char *directory)
{
	*fd = open(directory, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
	if (*fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		*fd = open_and_unlink(directory);
	return *fd < 0 ? fail_errno("cannot create a temporary file in '%s'", directory) : 0;
}
