/* SPDX-License-Identifier: MIT */
#include "os/kill_point.h"

#ifdef LSM_TESTING
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct armed {
	const char *variable;
	const char *spec; /* NAME:N; NULL: not armed */
	size_t name_size;
	long left;
	int signal;
};

static struct armed kill_at = {.variable = "LSM_KILL", .signal = SIGKILL};
static struct armed stop_at = {.variable = "LSM_STOP", .signal = SIGSTOP};
static int list_fd = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void arm(struct armed *a)
{
	a->spec = getenv(a->variable);
	const char *colon = a->spec ? strrchr(a->spec, ':') : NULL;
	if (!colon) {
		a->spec = NULL;
		return;
	}
	a->name_size = (size_t)(colon - a->spec);
	a->left = atol(colon + 1);
}

static void init(void)
{
	arm(&kill_at);
	arm(&stop_at);
	const char *list = getenv("LSM_POINTS");
	if (list)
		list_fd = open(list, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

static bool hit(struct armed *a, const char *name)
{
	if (!a->spec)
		return false;
	bool any = a->name_size == 1 && a->spec[0] == '*';
	if (!any && (strlen(name) != a->name_size || memcmp(name, a->spec, a->name_size)))
		return false;
	return --a->left == 0;
}

bool kill_point_due(const char *name)
{
	pthread_once(&once, init);
	pthread_mutex_lock(&mutex);
	if (list_fd >= 0) {
		ssize_t n = write(list_fd, name, strlen(name));
		n = write(list_fd, "\n", 1);
		(void)n;
	}
	bool stop = hit(&stop_at, name), due = hit(&kill_at, name);
	pthread_mutex_unlock(&mutex);
	if (stop)
		kill(getpid(), SIGSTOP);
	return due;
}

void kill_now(void)
{
	for (;;)
		kill(getpid(), SIGKILL);
}

void kill_point(const char *name)
{
	if (kill_point_due(name))
		kill_now();
}
#else
/* ISO C forbids an empty translation unit. */
typedef int kill_point_unused;
#endif
