/* SPDX-License-Identifier: MIT */
#include "os/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#define WORKERS_MAX 256u

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;	 /* the queue is no longer empty, or stop */
	pthread_cond_t finished; /* a job is done, or the helper's place is free */
	struct pool_job *first, **last;
	bool stop, helper;
	unsigned waiting; /* threads asleep in pool_wait */
	unsigned workers;
	pthread_t threads[];
};

static struct pool_job *dequeue(struct pool *p)
{
	struct pool_job *job = p->first;
	p->first = job->next;
	if (!p->first)
		p->last = &p->first;
	return job;
}

/* REQUIRES: the lock, which is given up while the job runs. The job may be gone once done is true. */
static void run_first(struct pool *p, unsigned worker)
{
	struct pool_job *job = dequeue(p);
	pthread_mutex_unlock(&p->lock);
	job->run(job, worker);
	pthread_mutex_lock(&p->lock);
	job->done = true;
	if (p->waiting)
		pthread_cond_broadcast(&p->finished);
}

struct worker {
	struct pool *pool;
	unsigned number;
};

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;
	unsigned number = w->number;
	free(w);
	pthread_mutex_lock(&p->lock);
	for (;;) {
		if (p->first)
			run_first(p, number);
		else if (p->stop)
			break;
		else
			pthread_cond_wait(&p->work, &p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

unsigned pool_processors(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	int n = CPU_COUNT(&set);
	return n > 0 ? (unsigned)n : 1;
}

static bool start_worker(struct pool *p)
{
	struct worker *w = malloc(sizeof(*w));
	if (!w)
		return false;
	*w = (struct worker){p, p->workers};
	if (pthread_create(&p->threads[p->workers], NULL, worker_main, w)) {
		free(w);
		return false;
	}
	return true;
}

/* The process's signals are for the threads that the program made. */
static void start_workers(struct pool *p, unsigned want)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (p->workers < want && start_worker(p))
		p->workers++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct pool *pool_new(unsigned workers)
{
	if (!workers)
		workers = pool_processors();
	if (workers > WORKERS_MAX)
		workers = WORKERS_MAX;
	struct pool *p = calloc(1, sizeof(*p) + workers * sizeof(p->threads[0]));
	if (!p)
		return NULL;
	p->last = &p->first;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->finished, NULL);
	start_workers(p, workers);
	if (!p->workers) {
		pool_free(p);
		return NULL;
	}
	return p;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->workers; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->finished);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

unsigned pool_workers(const struct pool *p)
{
	return p->workers;
}

void pool_submit(struct pool *p, struct pool_job *job)
{
	job->next = NULL;
	job->done = false;
	pthread_mutex_lock(&p->lock);
	*p->last = job;
	p->last = &job->next;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

void pool_wait(struct pool *p, struct pool_job *job)
{
	pthread_mutex_lock(&p->lock);
	while (!job->done) {
		if (p->first && !p->helper) {
			p->helper = true;
			run_first(p, p->workers);
			p->helper = false;
			continue;
		}
		p->waiting++;
		pthread_cond_wait(&p->finished, &p->lock);
		p->waiting--;
	}
	/* Somebody may sleep here because this thread was the helper. */
	if (p->waiting && p->first)
		pthread_cond_broadcast(&p->finished);
	pthread_mutex_unlock(&p->lock);
}

bool pool_done(struct pool *p, const struct pool_job *job)
{
	pthread_mutex_lock(&p->lock);
	bool done = job->done;
	pthread_mutex_unlock(&p->lock);
	return done;
}
