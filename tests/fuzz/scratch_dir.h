/* SPDX-License-Identifier: MIT */
/* A directory in memory for targets that need files: made when first asked for, removed at exit. */
#ifndef FUZZ_SCRATCH_DIR_H
#define FUZZ_SCRATCH_DIR_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/file.h"

static char scratch_path[64];
static int scratch_fd = -1;

static int scratch_remove(void *arg, const char *name)
{
	(void)arg;
	return unlinkat(scratch_fd, name, 0) ? 1 : 0;
}

/* Removes every file in it. */
static void scratch_empty(void)
{
	if (dir_list(scratch_fd, scratch_remove, NULL))
		abort();
}

static void scratch_end(void)
{
	scratch_empty();
	rmdir(scratch_path);
}

static void scratch_begin(void)
{
	if (scratch_fd >= 0)
		return;
	snprintf(scratch_path, sizeof(scratch_path), "/dev/shm/fuzz-XXXXXX");
	if (!mkdtemp(scratch_path) || dir_open(&scratch_fd, scratch_path))
		abort();
	atexit(scratch_end);
}

static void scratch_write(const char *name, uint64_t offset, struct sst_slice bytes)
{
	int fd = openat(scratch_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || (bytes.size && pwrite(fd, bytes.data, bytes.size, (off_t)offset) != (ssize_t)bytes.size))
		abort();
	close(fd);
}

#endif
