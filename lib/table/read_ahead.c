/* SPDX-License-Identifier: MIT */
#include "table/read_ahead.h"

#include <stdlib.h>

#include "base/status.h"
#include "os/forked.h"
#include "os/pool.h"

#define BEGIN_AFTER ((uint64_t)1 << 20) /* stored bytes; what is shorter is over before threads pay */
#define JOBS 4
#define JOB_BLOCKS 32
#define JOB_BYTES ((uint64_t)256 << 10)	   /* stored */
#define CONTENTS_MAX ((uint64_t)128 << 10) /* of one block; a larger one is the walk's own affair */
#define WORKERS_MAX 4u
#define RUNNING_MAX 4u
#define SHARES ((size_t)16 << 20)

struct ahead_job {
	struct pool_job job;
	struct block_source *blocks;
	struct block_handle handles[JOB_BLOCKS];
	unsigned count, taken;
	bool pending; /* given to the pool and not waited for */
	struct buf stored;
	struct decompressor decompressor; /* of its own, but for the dictionary */
	struct buf contents[JOB_BLOCKS];
	struct sst_slice ready[JOB_BLOCKS]; /* data NULL: this one the walk reads itself */
};

struct read_ahead {
	struct read_crew *crew;
	struct index_iter index; /* stands at the next block that belongs to a job */
	bool at_end;		 /* of the index, or of what can be made use of */
	unsigned head;		 /* the job that is being taken */
	struct ahead_job jobs[JOBS];
};

/* ---------------------------------------------------------------- on a worker */

static void run(struct pool_job *job, unsigned worker)
{
	struct ahead_job *j = (struct ahead_job *)(void *)job;
	struct source *file = j->blocks->file;
	uint64_t begin = j->handles[0].offset;
	size_t n = (size_t)(handle_end(j->handles[j->count - 1]) - begin);
	(void)worker;
	buf_clear(&j->stored);
	if (!buf_reserve(&j->stored, n) || file->read(file, begin, j->stored.data, n))
		return;
	for (unsigned i = 0; i < j->count; i++) {
		struct block_handle h = j->handles[i];
		struct sst_slice stored = slice_of(j->stored.data + (h.offset - begin), (size_t)h.size);
		(void)block_unpack(j->blocks, &j->decompressor, h.offset, stored, true, &j->contents[i], &j->ready[i]);
	}
}

/* ---------------------------------------------------------------- the crew */

/* Not so in a child of fork(2): its threads, and perhaps its locks, are the parent's. */
static bool is_ours(const struct read_crew *c)
{
	return c->forks == process_forks();
}

static bool crew_join(struct read_crew *c)
{
	if (c->never || c->walks == RUNNING_MAX || (c->walks && !is_ours(c)))
		return false;
	if (!c->walks) {
		unsigned others = pool_processors() - 1;
		c->forks = process_forks();
		c->pool = others ? pool_new(others < WORKERS_MAX ? others : WORKERS_MAX) : NULL;
		c->never = !c->pool;
		if (c->never)
			return false;
	}
	c->walks++;
	return true;
}

static void crew_leave(struct read_crew *c)
{
	if (--c->walks)
		return;
	if (is_ours(c))
		pool_free(c->pool);
	c->pool = NULL;
}

size_t read_ahead_share(const struct read_crew *crew)
{
	size_t share = SHARES / (crew->iters ? crew->iters : 1);
	return share < READ_AHEAD_MIN ? READ_AHEAD_MIN : share > READ_AHEAD_MAX ? READ_AHEAD_MAX : share;
}

/* ---------------------------------------------------------------- filling */

/* May the block be read with those of the job? It lies behind them, within the file, and is not large. */
static bool goes_with(const struct ahead_job *j, struct block_handle h)
{
	const struct block_source *s = j->blocks;
	uint64_t tail = s->file->size - s->tail.size;
	uint64_t end = tail < s->limit ? tail : s->limit;
	if (h.offset > end || h.size > JOB_BYTES || h.size + BLOCK_TRAILER_SIZE > end - h.offset)
		return false;
	if (!j->count)
		return true;
	return j->count < JOB_BLOCKS && h.offset >= handle_end(j->handles[j->count - 1]) &&
	       handle_end(h) - j->handles[0].offset <= JOB_BYTES;
}

/* A block that can be with no job - the walk will meet it between two - ends the filling. */
static void fill(struct read_ahead *a, struct ahead_job *j)
{
	j->count = j->taken = 0;
	while (!a->at_end && goes_with(j, index_iter_handle(&a->index))) {
		j->ready[j->count] = (struct sst_slice){0};
		j->handles[j->count++] = index_iter_handle(&a->index);
		a->at_end = index_iter_next(&a->index) != 0;
	}
	if (!j->count) {
		a->at_end = true;
		return;
	}
	j->pending = true;
	pool_submit(a->crew->pool, &j->job);
}

/* ---------------------------------------------------------------- life */

static void release(struct read_ahead *a)
{
	if (!a)
		return;
	for (unsigned i = 0; i < JOBS; i++) {
		struct ahead_job *j = &a->jobs[i];
		if (j->pending && is_ours(a->crew))
			pool_wait(a->crew->pool, &j->job);
		j->decompressor.dictionary = (struct buf){0}; /* the table's */
		decompressor_release(&j->decompressor);
		buf_release(&j->stored);
		for (unsigned k = 0; k < JOB_BLOCKS; k++)
			buf_release(&j->contents[k]);
	}
	index_iter_release(&a->index);
	crew_leave(a->crew);
	free(a);
}

void read_ahead_end(struct read_walk *w)
{
	release(w->ahead);
	*w = (struct read_walk){.never = w->never};
}

/* The index iterator comes to stand where `at` does. */
static bool follow(struct read_ahead *a, struct index *index, const struct index_iter *at, struct sst_slice last)
{
	a->index.index = index;
	int rc = index_iter_seek(&a->index, last);
	for (int i = 0; !rc && i < 2; i++) { /* at the block of `last`, or at once at the one behind it */
		if (handle_eq(index_iter_handle(&a->index), index_iter_handle(at)))
			return true;
		rc = index_iter_next(&a->index);
	}
	return false;
}

static struct read_ahead *begin(struct read_crew *crew, struct index *index, const struct index_iter *at, struct sst_slice last)
{
	if (index->order == ORDER_UNKNOWN || !crew_join(crew))
		return NULL;
	struct read_ahead *a = calloc(1, sizeof(*a));
	if (!a) {
		crew_leave(crew);
		return NULL;
	}
	a->crew = crew;
	if (!follow(a, index, at, last)) {
		release(a);
		return NULL;
	}
	for (unsigned i = 0; i < JOBS; i++) {
		struct ahead_job *j = &a->jobs[i];
		j->job.run = run;
		j->blocks = index->blocks;
		j->decompressor.dialect = index->blocks->decompressor.dialect;
		j->decompressor.dictionary = index->blocks->decompressor.dictionary;
		j->decompressor.limit = CONTENTS_MAX;
		if (!a->at_end)
			fill(a, j);
	}
	return a;
}

int read_ahead_take(struct read_walk *w, struct read_crew *crew, struct index *index, const struct index_iter *at,
	struct sst_slice last, struct sst_slice *contents)
{
	struct block_handle h = index_iter_handle(at);
	w->bytes += h.size < JOB_BYTES ? h.size : JOB_BYTES;
	if (!w->ahead) {
		if (w->never || w->bytes < (crew->begin_after ? crew->begin_after : BEGIN_AFTER) || !last.size)
			return SST_NO;
		w->ahead = begin(crew, index, at, last);
		w->never = !w->ahead;
		if (w->never)
			return SST_NO;
	}
	struct read_ahead *a = w->ahead;
	struct ahead_job *j = &a->jobs[a->head];
	if (j->taken == j->count) { /* all of it is taken, and what was borrowed given back */
		if (!a->at_end)
			fill(a, j);
		else
			j->count = j->taken = 0;
		a->head = (a->head + 1) % JOBS;
		j = &a->jobs[a->head];
	}
	if (!is_ours(a->crew) || j->taken == j->count || !handle_eq(j->handles[j->taken], h)) {
		read_ahead_end(w);
		return SST_NO;
	}
	if (j->pending)
		pool_wait(a->crew->pool, &j->job);
	j->pending = false;
	*contents = j->ready[j->taken++];
	return contents->data ? 0 : SST_NO;
}
