/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <time.h>

#include "os/write_queue.h"

#define BUSY_RETRIES 5000 /* of a millisecond each: the kernel is short of memory for requests */

struct uring_queue {
	struct write_queue queue;
	struct io_uring ring;
	int fd;
	bool registered;
};

/* io_uring_submit may leave the request in the submission queue (EAGAIN, EBUSY, EINTR): wait submits the rest. */
static void uring_submit(struct write_queue *queue, struct write_request *r)
{
	struct uring_queue *q = (struct uring_queue *)queue;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&q->ring); /* there is one for each of depth, and one */
	if (r->sync)
		io_uring_prep_fsync(sqe, q->fd, IORING_FSYNC_DATASYNC);
	else if (q->registered)
		io_uring_prep_write_fixed(sqe, q->fd, r->data, (unsigned)r->size, r->offset, (int)r->buffer);
	else
		io_uring_prep_write(sqe, q->fd, r->data, (unsigned)r->size, r->offset);
	io_uring_sqe_set_data(sqe, r);
	io_uring_submit(&q->ring);
}

static int uring_wait(struct write_queue *queue, struct write_request **r)
{
	struct uring_queue *q = (struct uring_queue *)queue;
	struct io_uring_cqe *cqe;
	for (int busy = 0; io_uring_peek_cqe(&q->ring, &cqe);) {
		int rc = io_uring_submit_and_wait(&q->ring, 1);
		if (rc >= 0 || rc == -EINTR)
			continue;
		if ((rc != -EAGAIN && rc != -EBUSY) || ++busy > BUSY_RETRIES)
			return rc;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	*r = io_uring_cqe_get_data(cqe);
	(*r)->result = cqe->res;
	io_uring_cqe_seen(&q->ring, cqe);
	return 0;
}

static void uring_free(struct write_queue *queue)
{
	struct uring_queue *q = (struct uring_queue *)queue;
	io_uring_queue_exit(&q->ring);
	free(q);
}

/* The operations we use came with Linux 5.1 (registered buffers) and 5.6. */
static bool can_write(struct uring_queue *q)
{
	if (q->registered)
		return true;
	struct io_uring_probe *probe = io_uring_get_probe_ring(&q->ring);
	bool can = probe && io_uring_opcode_supported(probe, IORING_OP_WRITE);
	if (probe)
		io_uring_free_probe(probe);
	return can;
}

int write_queue_uring(struct write_queue **out, int fd, const struct iovec *buffers, unsigned depth)
{
	static const struct write_queue_ops ops = {uring_submit, uring_wait, uring_free};
	struct uring_queue *q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->queue.ops = &ops;
	q->fd = fd;
	int rc = io_uring_queue_init(depth + 1, &q->ring, 0);
	if (rc < 0) {
		free(q);
		return rc;
	}
	q->registered = io_uring_register_buffers(&q->ring, buffers, depth) == 0;
	if (!can_write(q)) {
		uring_free(&q->queue);
		return -EOPNOTSUPP;
	}
	*out = &q->queue;
	return 0;
}
