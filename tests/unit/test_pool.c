/* SPDX-License-Identifier: MIT */
#include "os/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "unit.h"

enum { JOBS = 500, CALLERS = 3, WORKERS = 3 };

struct adder {
	struct pool_job job;
	unsigned value, worker;
	unsigned *per_worker; /* not shared by two running jobs, so plain */
};

static atomic_int busy[WORKERS + 1];

static void run_adder(struct pool_job *job, unsigned worker)
{
	struct adder *a = (struct adder *)(void *)job;
	CHECK(worker <= WORKERS);
	CHECK_EQ(atomic_exchange(&busy[worker], 1), 0);
	a->per_worker[worker]++;
	sched_yield();
	atomic_store(&busy[worker], 0);
	a->worker = worker;
	a->value = a->value * 3 + 1;
}

struct caller {
	struct pool *pool;
	unsigned *per_worker;
	pthread_t thread;
};

static void submit_all(struct caller *c, struct adder *jobs)
{
	for (unsigned i = 0; i < JOBS; i++) {
		jobs[i] = (struct adder){.job = {.run = run_adder}, .value = i, .per_worker = c->per_worker};
		pool_submit(c->pool, &jobs[i].job);
	}
}

static void *call(void *arg)
{
	struct caller *c = arg;
	struct adder *jobs = calloc(JOBS, sizeof(*jobs));
	submit_all(c, jobs);
	for (unsigned i = 0; i < JOBS; i++) {
		unsigned at = i % 2 ? i : JOBS - 1 - i; /* in no order */
		pool_wait(c->pool, &jobs[at].job);
		CHECK(pool_done(c->pool, &jobs[at].job));
		CHECK_EQ(jobs[at].value, at * 3 + 1);
		CHECK(jobs[at].worker <= WORKERS);
	}
	for (unsigned i = 0; i < JOBS; i++)
		pool_wait(c->pool, &jobs[i].job);
	free(jobs);
	return NULL;
}

/* Every job runs once, whoever waits, and worker numbers are never shared. */
static void test_many_callers(void)
{
	struct pool *p = pool_new(WORKERS);
	CHECK(p);
	CHECK_EQ(pool_workers(p), WORKERS);
	unsigned per_worker[WORKERS + 1] = {0}, sum = 0;
	struct caller callers[CALLERS];
	for (int i = 0; i < CALLERS; i++) {
		callers[i] = (struct caller){.pool = p, .per_worker = per_worker};
		CHECK_EQ(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
	}
	for (int i = 0; i < CALLERS; i++)
		pthread_join(callers[i].thread, NULL);
	for (unsigned i = 0; i <= WORKERS; i++)
		sum += per_worker[i];
	CHECK_EQ(sum, JOBS * CALLERS);
	pool_free(p);
}

static void run_sleeper(struct pool_job *job, unsigned worker)
{
	(void)job, (void)worker;
	nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

/* A job that a worker is busy with: the waiting thread sleeps, and is woken. */
static void test_wait_asleep(void)
{
	struct pool *p = pool_new(1);
	for (int i = 0; i < 5; i++) {
		struct pool_job job = {.run = run_sleeper};
		pool_submit(p, &job);
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
		pool_wait(p, &job);
		CHECK(pool_done(p, &job));
	}
	pool_free(p);
}

static void test_defaults(void)
{
	pool_free(NULL);
	struct pool *p = pool_new(0);
	CHECK(p);
	CHECK(pool_workers(p) >= 1);
	pool_free(p);
}

int main(void)
{
	RUN(test_defaults);
	RUN(test_wait_asleep);
	RUN(test_many_callers);
	return unit_done("pool");
}
