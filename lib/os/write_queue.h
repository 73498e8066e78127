/* SPDX-License-Identifier: MIT */
/*
 * The kernel's side of the sequential writer: positional writes to one file, several in flight, completed in any
 * order. There are two of them, io_uring and a loop over pwrite; tests put others between (seq_writer_test.h).
 * A queue only carries: what to do about a short write or an error is the sequential writer's affair.
 */
#ifndef OS_WRITE_QUEUE_H
#define OS_WRITE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct write_request {
	bool sync; /* not a write: fdatasync of what is done by now; result 0 or -errno. Over io_uring only */
	uint64_t offset;
	const uint8_t *data;
	size_t size;
	unsigned buffer; /* the one that data lies in; of a sync: depth */
	int result;	 /* when done: bytes written, or -errno */
	struct write_request *next; /* the queue's */
};

struct write_queue;

struct write_queue_ops {
	/* Takes a request, borrowed until wait gives it back. REQUIRES: fewer than `depth` writes, and no sync if it is
	 * one, are with the queue. */
	void (*submit)(struct write_queue *q, struct write_request *r);
	/* Waits until one is done. -errno: the queue is broken, and what it holds may be read by the kernel at any
	 * later time. REQUIRES: at least one is with the queue. */
	int (*wait)(struct write_queue *q, struct write_request **r);
	/* REQUIRES: no request is with the queue, or it is broken. */
	void (*free)(struct write_queue *q);
};

struct write_queue {
	const struct write_queue_ops *ops;
};

/* Over io_uring; requests' data lie in buffers[request->buffer]. They are registered if the memory lock limit lets
 * them be. 0 or -errno: io_uring is not to be had (EPERM, ENOSYS, ENOMEM...). */
int write_queue_uring(struct write_queue **out, int fd, const struct iovec *buffers, unsigned depth);
/* Over pwrite: done when submit returns. NULL: no memory. write_back: start writing dirty pages to the disk. */
struct write_queue *write_queue_pwrite(int fd, bool write_back);

#endif
