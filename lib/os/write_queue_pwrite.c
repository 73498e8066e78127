/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/file.h"
#include "os/write_queue.h"

struct pwrite_queue {
	struct write_queue queue;
	int fd;
	bool write_back;
	struct write_request *done; /* not yet given back */
};

static void pwrite_submit(struct write_queue *queue, struct write_request *r)
{
	struct pwrite_queue *q = (struct pwrite_queue *)queue;
	ssize_t n = pwrite(q->fd, r->data, r->size, (off_t)r->offset);
	r->result = n < 0 ? -errno : (int)n;
	if (n > 0 && q->write_back)
		file_write_back(q->fd, r->offset, (uint64_t)n);
	r->next = q->done;
	q->done = r;
}

static int pwrite_wait(struct write_queue *queue, struct write_request **r)
{
	struct pwrite_queue *q = (struct pwrite_queue *)queue;
	*r = q->done;
	q->done = q->done->next;
	return 0;
}

static void pwrite_free(struct write_queue *queue)
{
	free(queue);
}

struct write_queue *write_queue_pwrite(int fd, bool write_back)
{
	static const struct write_queue_ops ops = {pwrite_submit, pwrite_wait, pwrite_free};
	struct pwrite_queue *q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	*q = (struct pwrite_queue){.queue = {&ops}, .fd = fd, .write_back = write_back};
	return &q->queue;
}
