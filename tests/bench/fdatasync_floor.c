/* SPDX-License-Identifier: MIT */
/*
 * fdatasync_floor FILE RUNS: the disk's part of a durable put. Appends 120 bytes to FILE and calls fdatasync,
 * RUNS times; prints nanoseconds of each pair.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv)
{
	static const char bytes[120];

	if (argc != 3)
		return fputs("usage: fdatasync_floor FILE RUNS\n", stderr), 2;
	const int fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return perror(argv[1]), 3;
	for (long i = strtol(argv[2], NULL, 10); i > 0; i--) {
		const int64_t start = now_ns();

		if (write(fd, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes) || fdatasync(fd))
			return perror(argv[1]), 3;
		printf("%" PRId64 "\n", now_ns() - start);
	}
	return close(fd) ? 3 : 0;
}
