/* SPDX-License-Identifier: MIT */
/*
 * A pool of worker threads for pure computation whose results are wanted in order (compressing blocks).
 *
 * Whoever waits for a job helps: it runs queued jobs until its own is done. Any number of threads may submit and
 * wait, but only one of them helps at a time, so a worker number belongs to one running job at any moment and may
 * index what must not be shared (a compression context).
 */
#ifndef OS_POOL_H
#define OS_POOL_H

#include <stdbool.h>

struct pool;

struct pool_job {
	/* On a worker, or on a thread in pool_wait; worker <= pool_workers(), and no two jobs that run at the
	 * same time have the same. */
	void (*run)(struct pool_job *job, unsigned worker);
	struct pool_job *next; /* the pool's, as is done */
	bool done;
};

unsigned pool_processors(void); /* that this process may use */
/* workers 0: one for each of them. NULL (no message) when not even one thread can be made: do
 * the work yourself. Signals are blocked in the workers. */
struct pool *pool_new(unsigned workers);
void pool_free(struct pool *p); /* REQUIRES: every job submitted has been waited for. Accepts NULL. */
unsigned pool_workers(const struct pool *p);
/* Queues a job, first in first out. The job is borrowed until pool_wait has returned for it (or pool_done has
 * said true). */
void pool_submit(struct pool *p, struct pool_job *job);
/* Blocks until job is done; meanwhile the caller runs queued jobs itself (as worker pool_workers()). */
void pool_wait(struct pool *p, struct pool_job *job);
/* True when the job is done; does not block. */
bool pool_done(struct pool *p, const struct pool_job *job);

#endif
