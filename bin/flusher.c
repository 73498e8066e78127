/* SPDX-License-Identifier: MIT */
#include "flusher.h"

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/status.h"

#define RETRY_AFTER_S 10 /* after a flush that failed */

struct flusher {
	const struct tool *t;
	struct lsm *db; /* the thread's own */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool started, wanted, stopping; /* under lock: wanted, stopping */
	time_t retry_at;		/* under lock; 0: at once */
};

static time_t now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

static int flush_frozen(struct flusher *f)
{
	struct lsm_options opt;
	struct lsm_flush_options frozen = {.frozen_only = true};
	int rc = 0;
	tool_lsm_options(f->t, &opt);
	if (!f->db)
		rc = lsm_open(&f->db, tool_db(f->t), &opt);
	return rc ? rc : lsm_flush(f->db, &frozen, NULL, NULL);
}

static void *run(void *arg)
{
	struct flusher *f = arg;
	pthread_mutex_lock(&f->lock);
	for (;;) {
		while (!f->wanted && !f->stopping)
			pthread_cond_wait(&f->wake, &f->lock);
		if (!f->wanted)
			break;
		f->wanted = false;
		pthread_mutex_unlock(&f->lock);
		int rc = flush_frozen(f);
		lsm_rest(f->db);
		if (rc)
			tool_report(rc, "flush in the background (nothing is lost)");
		pthread_mutex_lock(&f->lock);
		f->retry_at = rc ? now_s() + RETRY_AFTER_S : 0;
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

struct flusher *flusher_new(const struct tool *t)
{
	struct flusher *f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->t = t;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->wake, NULL);
	return f;
}

void flusher_poke(struct flusher *f, struct lsm *db)
{
	if (!lsm_flush_pending(db))
		return;
	if (!f->started && pthread_create(&f->thread, NULL, run, f) != 0)
		return; /* writers will flush, or the next poke has better luck */
	f->started = true;
	pthread_mutex_lock(&f->lock);
	f->wanted = !f->retry_at || now_s() >= f->retry_at;
	pthread_cond_signal(&f->wake);
	pthread_mutex_unlock(&f->lock);
}

void flusher_free(struct flusher *f)
{
	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->stopping = true;
	pthread_cond_signal(&f->wake);
	pthread_mutex_unlock(&f->lock);
	if (f->started)
		pthread_join(f->thread, NULL);
	lsm_close(f->db);
	pthread_cond_destroy(&f->wake);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

/* ---------------------------------------------------------------- the detached process */

/* lsm-flush beside this program, else the name alone, to be looked for in PATH. */
static const char *find_program(char *path, size_t size)
{
	static const char name[] = "lsm-flush";
	ssize_t n = readlink("/proc/self/exe", path, size - sizeof(name) - 1);
	char *slash = n > 0 ? memrchr(path, '/', (size_t)n) : NULL;
	if (slash) {
		memcpy(slash + 1, name, sizeof(name));
		if (access(path, X_OK) == 0)
			return path;
	}
	return name;
}

static int spawn_detached(char *const argv[], const char *program)
{
	extern char **environ;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	pid_t pid;
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	int e = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
	for (int fd = 1; fd <= 2 && !e; fd++)
		e = posix_spawn_file_actions_adddup2(&files, 0, fd);
	if (!e)
		e = posix_spawn_file_actions_addclosefrom_np(&files, 3);
	if (!e)
		e = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
	if (!e)
		e = posix_spawnp(&pid, program, &files, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return e;
}

void flusher_hand_over(const struct tool *t, struct lsm *db)
{
	if (!lsm_flush_pending(db))
		return;
	char path[4096], *store = NULL;
	if (asprintf(&store, "--db=%s", tool_db(t)) < 0)
		return;
	char name[] = "lsm-flush", frozen[] = "--frozen", timeout[] = "--timeout=0",
	     quiet[] = "--quiet";
	/* Whoever flushes already takes this one too: no waiting for it. */
	char *const argv[] = {name, frozen, timeout, quiet, store, NULL};
	int e = spawn_detached(argv, find_program(path, sizeof(path)));
	if (e)
		tool_message("cannot start lsm-flush (nothing is lost): %s", strerror(e));
	free(store);
}
