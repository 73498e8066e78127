/* SPDX-License-Identifier: MIT */
/*
 * A pool of worker threads for pure computation whose results are wanted in order (compressing blocks).
 */
#ifndef OS_POOL_H
#define OS_POOL_H

#include <stdbool.h>

struct pool;

struct pool_job {
	void (*run)(struct pool_job *job, unsigned worker); /* on a worker; worker < pool_workers() */
	struct pool_job *next;
	bool done;
};

/* workers 0: one for each online CPU. NULL (no message) when threads cannot be made: do the work yourself. */
struct pool *pool_new(unsigned workers);
void pool_free(struct pool *p); /* REQUIRES: every job submitted has been waited for. Accepts NULL. */
unsigned pool_workers(const struct pool *p);
/* Queues a job, first in first out. The job is borrowed until pool_wait has returned for it. */
void pool_submit(struct pool *p, struct pool_job *job);
/* Blocks until job is done; meanwhile the caller runs queued jobs itself (as worker pool_workers()). */
void pool_wait(struct pool *p, struct pool_job *job);
/* True when the job is done; does not block. */
bool pool_done(struct pool *p, struct pool_job *job);

#endif
