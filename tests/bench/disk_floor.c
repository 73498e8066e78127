/* SPDX-License-Identifier: MIT */
/*
 * disk_floor FILE BYTES: the disk's part of a flush. Writes BYTES (rounded up to pieces) to a new preallocated
 * FILE with O_DIRECT, eight writes in flight, and fsyncs. Prints "name value" lines: wall_ns, cpu_ns, ops, bytes.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 1 << 20, IN_FLIGHT = 8 };

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int write_all(int fd, const void *piece, uint64_t pieces)
{
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	uint64_t sent = 0, done = 0;

	if (io_uring_queue_init(IN_FLIGHT, &ring, 0))
		return -1;
	while (done < pieces) {
		for (; sent < pieces && sent - done < IN_FLIGHT; sent++)
			io_uring_prep_write(io_uring_get_sqe(&ring), fd, piece, PIECE, sent * PIECE);
		io_uring_submit(&ring);
		if (io_uring_wait_cqe(&ring, &cqe) || cqe->res != PIECE)
			return -1;
		io_uring_cqe_seen(&ring, cqe);
		done++;
	}
	io_uring_queue_exit(&ring);
	return fsync(fd);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return fputs("usage: disk_floor FILE BYTES\n", stderr), 2;
	const uint64_t pieces = (strtoull(argv[2], NULL, 10) + PIECE - 1) / PIECE;
	char *piece = aligned_alloc(4096, PIECE);
	unlink(argv[1]);
	const int fd = open(argv[1], O_WRONLY | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0644);
	if (!piece || fd < 0)
		return perror(argv[1]), 3;
	memset(piece, 'x', PIECE);

	const int64_t wall = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	if (posix_fallocate(fd, 0, (off_t)(pieces * PIECE)) || write_all(fd, piece, pieces))
		return perror(argv[1]), 3;
	printf("wall_ns %" PRId64 "\ncpu_ns %" PRId64 "\nops %" PRIu64 "\nbytes %" PRIu64 "\n",
		now_ns(CLOCK_MONOTONIC) - wall, now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu, pieces, pieces * PIECE);
	free(piece);
	return close(fd) ? 3 : 0;
}
