/* SPDX-License-Identifier: MIT */
/*
 * One buffer is being filled while others are on their way:
 *
 *     free -> filling -> in flight -> free
 *                           |  ^
 *                           +--+  short: the rest goes out again; EINTR, EAGAIN: the same
 *
 *  1. Every write starts at a multiple of ALIGNMENT and, with O_DIRECT, has such a length: the last buffer is padded
 *     with zeros, and the file cut to its true size when all writes are done.
 *  2. A short write with O_DIRECT counts down to the last multiple of ALIGNMENT. One that makes no headway so, or an
 *     EINVAL, means that this file system's alignment is not ours: O_DIRECT is switched off for good, what
 *     was in flight with it stays valid.
 *  3. The first error is kept; from then on nothing is sent out, and everything fails with it.
 *  4. What makes the file durable is one fsync after every completion. Before that, with O_DIRECT, the disk is told every
 *     SYNC_EVERY bytes to empty its cache, beside the writes, so that little is left for the end, when everybody waits: 10 to
 *     20 % of the time of a large file. An error of any of these syncs is the file's: what a failed one did not save
 *     counts as saved afterwards, so a later success would mean nothing.
 *  5. A buffer is given up only when the kernel is done with it. If the ring itself breaks, we cannot know: then
 *     the buffers stay mapped for ever.
 */
#include "os/seq_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/status.h"
#include "os/file.h"
#include "os/seq_writer_test.h"
#include "os/write_queue.h"

#define BUFFER_SIZE ((size_t)1 << 20)
#define ALIGNMENT ((size_t)4096)
#define DEPTH_DEFAULT 8u
#define DEPTH_MAX 64u
#define SYNC_EVERY ((size_t)16 << 20)
#define RETRIES_MAX 1000u /* of one write without headway, a millisecond each */

struct write_queue *(*seq_writer_between)(struct write_queue *inner);

struct slot {
	struct write_request request; /* first: the queue gives it back */
	uint8_t *buffer;
	unsigned retries;
	bool direct; /* sent with O_DIRECT */
	struct slot *next; /* in the free list */
};

struct seq_writer {
	struct sink sink;
	char *name;
	int fd;
	struct write_queue *queue;
	uint8_t *memory;
	unsigned depth, in_flight;
	struct write_request sync;
	bool syncing, no_sync; /* on its way; this file system does not do it in the queue */
	size_t unsynced;       /* bytes sent since the last */
	struct slot *slots, *free_slots, *filling;
	size_t filled;	 /* bytes in the slot being filled */
	uint64_t offset; /* in the file, of the slot being filled */
	bool direct, broken;
	int uring_errno; /* why there is no io_uring; 0: there is, < 0: not asked for */
	int error;
	char message[256], mode[128];
};

/* ---------------------------------------------------------------- errors */

static void stop(struct seq_writer *w, int rc, const char *message)
{
	w->error = rc;
	snprintf(w->message, sizeof(w->message), "%s", message);
}

/* Keeps the thread's message too: the next call may come much later. */
static int lose(struct seq_writer *w, int rc)
{
	if (rc < 0 && !w->error)
		stop(w, rc, sst_errmsg());
	return rc;
}

static int lost(const struct seq_writer *w)
{
	return fail(w->error, "%s", w->message);
}

static void lose_write(struct seq_writer *w, const struct slot *s, int e)
{
	errno = e;
	lose(w, fail_errno("cannot write '%s' at %llu", w->name, (unsigned long long)s->request.offset));
}

/* ---------------------------------------------------------------- writes in flight */

static void drop_direct(struct seq_writer *w)
{
	int flags = fcntl(w->fd, F_GETFL);
	if (flags >= 0)
		fcntl(w->fd, F_SETFL, flags & ~O_DIRECT);
	w->direct = false;
}

static void free_slot(struct seq_writer *w, struct slot *s)
{
	s->next = w->free_slots;
	w->free_slots = s;
}

static void submit(struct seq_writer *w, struct slot *s)
{
	w->in_flight++;
	s->direct = w->direct;
	w->queue->ops->submit(w->queue, &s->request);
}

static void advance(struct slot *s, size_t n)
{
	s->request.offset += n;
	s->request.data += n;
	s->request.size -= n;
	s->retries = 0;
}

/* Part of the request was written: n bytes of it. */
static void go_on(struct seq_writer *w, struct slot *s, size_t n)
{
	size_t whole = n & ~(ALIGNMENT - 1);
	if (w->direct && !whole)
		drop_direct(w);
	advance(s, w->direct ? whole : n);
	submit(w, s);
}

static bool try_again(struct seq_writer *w, struct slot *s, int e)
{
	if (e == EINVAL && s->direct) {
		if (w->direct)
			drop_direct(w);
		return true;
	}
	if ((e != EINTR && e != EAGAIN) || ++s->retries > RETRIES_MAX)
		return false;
	if (e == EAGAIN)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	return true;
}

/* Tells the disk to write what it has. One at a time: if it cannot keep up, it is not hurried. */
static void sync_early(struct seq_writer *w)
{
	if (!w->direct || w->no_sync || w->syncing || w->unsynced < SYNC_EVERY)
		return;
	w->unsynced = 0;
	w->syncing = true;
	w->sync = (struct write_request){.sync = true, .buffer = w->depth};
	w->in_flight++;
	w->queue->ops->submit(w->queue, &w->sync);
}

static void complete_sync(struct seq_writer *w)
{
	int e = -w->sync.result;
	w->syncing = false;
	w->no_sync = e == EINVAL || e == EOPNOTSUPP;
	bool not_done = w->no_sync || e == EINTR || e == EAGAIN; /* and nothing is lost */
	if (e <= 0 || not_done || w->error)
		return;
	errno = e;
	lose(w, fail_errno("cannot sync '%s'", w->name));
}

static void complete(struct seq_writer *w, struct slot *s)
{
	int result = s->request.result;
	if (!w->error) {
		if (result > 0 && (size_t)result < s->request.size) {
			go_on(w, s, (size_t)result);
			return;
		}
		if (result < 0 && try_again(w, s, -result)) {
			submit(w, s);
			return;
		}
		if (result <= 0)
			lose_write(w, s, result ? -result : EIO);
	}
	free_slot(w, s);
}

/* Waits for one completion. */
static void reap(struct seq_writer *w)
{
	struct write_request *r = NULL;
	int rc = w->queue->ops->wait(w->queue, &r);
	if (rc < 0) {
		errno = -rc;
		if (!w->error)
			lose(w, fail_errno("cannot write '%s': io_uring", w->name));
		w->broken = true;
		w->in_flight = 0;
		return;
	}
	w->in_flight--;
	if (r->sync)
		complete_sync(w);
	else
		complete(w, (struct slot *)r);
}

static void reap_all(struct seq_writer *w)
{
	while (w->in_flight)
		reap(w);
}

/* ---------------------------------------------------------------- the sink */

/* Sends the slot being filled on its way. */
static void send_filled(struct seq_writer *w)
{
	struct slot *s = w->filling;
	size_t size = w->filled;
	if (w->direct) {
		size = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
		memset(s->buffer + w->filled, 0, size - w->filled);
	}
	s->request.offset = w->offset;
	s->request.data = s->buffer;
	s->request.size = size;
	s->retries = 0;
	w->offset += w->filled;
	w->filling = NULL;
	w->unsynced += size;
	submit(w, s);
	sync_early(w);
}

static int take_slot(struct seq_writer *w)
{
	while (!w->error && !w->free_slots)
		reap(w);
	if (w->error)
		return lost(w);
	w->filling = w->free_slots;
	w->free_slots = w->filling->next;
	w->filled = 0;
	return 0;
}

static int sink_write(struct sink *sink, const void *p, size_t n)
{
	struct seq_writer *w = (struct seq_writer *)sink;
	const uint8_t *from = p;
	if (w->error)
		return lost(w);
	while (n) {
		int rc = w->filling ? 0 : take_slot(w);
		if (rc)
			return rc;
		size_t part = BUFFER_SIZE - w->filled < n ? BUFFER_SIZE - w->filled : n;
		memcpy(w->filling->buffer + w->filled, from, part);
		w->filled += part;
		from += part;
		n -= part;
		if (w->filled == BUFFER_SIZE)
			send_filled(w);
	}
	return 0;
}

/* ---------------------------------------------------------------- life */

/* A small file needs no more buffers than it fills. */
static unsigned choose_depth(const struct seq_writer_options *opt)
{
	unsigned depth = opt->depth ? opt->depth : DEPTH_DEFAULT;
	if (depth > DEPTH_MAX)
		depth = DEPTH_MAX;
	uint64_t useful = opt->expected_size / BUFFER_SIZE + 2;
	return opt->expected_size && useful < depth ? (unsigned)useful : depth;
}

static int make_slots(struct seq_writer *w)
{
	w->slots = calloc(w->depth, sizeof(w->slots[0]));
	if (!w->slots)
		return fail_memory();
	void *m = mmap(NULL, w->depth * BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		return fail_memory();
	(void)madvise(m, w->depth * BUFFER_SIZE, MADV_HUGEPAGE); /* half the time to register them */
	w->memory = m;
	for (unsigned i = w->depth; i-- > 0;) {
		w->slots[i].buffer = w->memory + i * BUFFER_SIZE;
		w->slots[i].request.buffer = i;
		free_slot(w, &w->slots[i]);
	}
	return 0;
}

static int make_uring(struct seq_writer *w)
{
	struct iovec buffers[DEPTH_MAX];
	for (unsigned i = 0; i < w->depth; i++)
		buffers[i] = (struct iovec){w->slots[i].buffer, BUFFER_SIZE};
	return write_queue_uring(&w->queue, w->fd, buffers, w->depth);
}

static int make_queue(struct seq_writer *w, const struct seq_writer_options *opt)
{
	int rc = opt->no_uring ? 1 : make_uring(w);
	w->uring_errno = -rc;
	if (rc)
		w->queue = write_queue_pwrite(w->fd, true);
	if (w->queue && seq_writer_between)
		w->queue = seq_writer_between(w->queue);
	return w->queue ? 0 : fail_memory();
}

/* file_open's O_NONBLOCK would make io_uring give EAGAIN instead of waiting for a buffer. O_DIRECT is tried here and
 * not in open, which may create the file and fail all the same. A loop over pwrite does without: the page cache
 * lets it go on while the disk writes. */
static void set_flags(struct seq_writer *w, const struct seq_writer_options *opt)
{
	int flags = fcntl(w->fd, F_GETFL);
	if (flags < 0)
		return;
	flags &= ~O_NONBLOCK;
	w->direct = !opt->no_direct && !w->uring_errno && fcntl(w->fd, F_SETFL, flags | O_DIRECT) == 0;
	if (!w->direct)
		fcntl(w->fd, F_SETFL, flags);
}

static int set_up(struct seq_writer *w, const char *name, const struct seq_writer_options *opt)
{
	w->name = strdup(name);
	if (!w->name)
		return fail_memory();
	w->depth = choose_depth(opt);
	int rc = make_slots(w);
	if (!rc)
		rc = make_queue(w, opt);
	if (rc)
		return rc;
	set_flags(w, opt);
	if (opt->expected_size && opt->expected_size < INT64_MAX)
		(void)fallocate(w->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)opt->expected_size);
	return 0;
}

int seq_writer_open(struct seq_writer **out, int dirfd, const char *name, mode_t mode,
	const struct seq_writer_options *opt)
{
	static const struct seq_writer_options defaults;
	*out = NULL;
	struct seq_writer *w = calloc(1, sizeof(*w));
	if (!w)
		return fail_memory();
	w->sink.write = sink_write;
	int rc = file_open(&w->fd, dirfd, name, O_RDWR | O_CREAT | O_EXCL, mode);
	if (rc) {
		free(w);
		return rc;
	}
	rc = set_up(w, name, opt ? opt : &defaults);
	if (rc) {
		unlinkat(dirfd, name, 0);
		seq_writer_close(w);
	} else {
		*out = w;
	}
	return rc;
}

struct sink *seq_writer_sink(struct seq_writer *w)
{
	return &w->sink;
}

const char *seq_writer_mode(struct seq_writer *w)
{
	const char *cache = w->direct ? "O_DIRECT" : "buffered";
	if (!w->uring_errno)
		snprintf(w->mode, sizeof(w->mode), "io_uring, %s", cache);
	else
		snprintf(w->mode, sizeof(w->mode), "pwrite (io_uring: %s), %s",
			w->uring_errno < 0 ? "not wanted" : strerror(w->uring_errno), cache);
	return w->mode;
}

static int finish_steps(struct seq_writer *w)
{
	if (!w->error && w->filling && w->filled)
		send_filled(w);
	reap_all(w);
	if (w->error)
		return lost(w);
	int rc = file_truncate(w->fd, w->offset, w->name);
	return rc ? rc : file_sync(w->fd, w->name);
}

int seq_writer_finish(struct seq_writer *w)
{
	int rc = lose(w, finish_steps(w));
	if (!rc)
		stop(w, SST_EINVAL, "the file is finished");
	return rc;
}

void seq_writer_close(struct seq_writer *w)
{
	if (!w)
		return;
	stop(w, SST_EINVAL, "the file is closed"); /* so that nothing goes out again */
	reap_all(w);
	if (w->queue)
		w->queue->ops->free(w->queue);
	if (w->memory && !w->broken)
		munmap(w->memory, w->depth * BUFFER_SIZE);
	free(w->slots);
	file_close(&w->fd);
	free(w->name);
	free(w);
}
