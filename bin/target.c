/* SPDX-License-Identifier: MIT */
/*
 * A signal that ends the program takes the temporary file with it. The handler looks whether the name still leads
 * to our file: once the file has its final name, another process may write under the temporary one.
 */
#include "target.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGXCPU, SIGALRM, SIGUSR1, SIGUSR2};
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

static char *temporary; /* NULL: nothing to be removed */
static struct stat identity;

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* ---------------------------------------------------------------- signals */

static void end_by_signal(int number)
{
	struct stat now;
	if (temporary && lstat(temporary, &now) == 0 && is_same(&now, &identity))
		unlink(temporary);
	signal(number, SIG_DFL);
	raise(number);
}

static void catch_signals(void)
{
	for (size_t i = 0; i < SIGNALS; i++) {
		struct sigaction old, new = {.sa_handler = end_by_signal};
		sigfillset(&new.sa_mask);
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &new, NULL);
	}
}

/* From its creation on the file is removed by every signal: they wait while it is being created. */
static int open_file(struct sst_builder **b, const char *path, const struct sst_builder_options *opt)
{
	sigset_t all, old;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	int rc = sst_builder_open(b, path, opt);
	if (!rc && lstat(sst_builder_temporary(*b), &identity) == 0) {
		temporary = strdup(sst_builder_temporary(*b));
		catch_signals();
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return rc;
}

/* ---------------------------------------------------------------- life */

static int write_stdout(void *arg, const void *p, size_t n)
{
	return output_write(arg, p, n);
}

static void check_inputs(const char *path, char **inputs, int count)
{
	struct stat target, input;
	if (stat(path, &target) < 0)
		return;
	for (int i = 0; i < count; i++)
		if (strcmp(inputs[i], "-") != 0 && stat(inputs[i], &input) == 0 && is_same(&input, &target))
			tool_usage("'%s' is input and output", inputs[i]);
}

struct sst_builder *target_open(const char *path, char **inputs, int count, const struct sst_builder_options *opt)
{
	struct sst_builder *b;
	int rc;
	if (path && strcmp(path, "-") != 0) {
		check_inputs(path, inputs, count);
		rc = open_file(&b, path, opt);
	} else {
		if (isatty(1))
			tool_usage("standard output is a terminal: use -o OUT");
		rc = sst_builder_open_stream(&b, write_stdout, tool_stdout(), opt);
	}
	if (rc)
		tool_fail(rc, NULL);
	return b;
}

void target_finish(struct sst_builder *b)
{
	int rc = sst_builder_finish(b, NULL);
	if (rc)
		target_fail(b, rc);
	sst_builder_close(b);
}

void target_fail(struct sst_builder *b, int rc)
{
	bool output_failed = tool_stdout()->error;
	int status = output_failed ? tool_finish(TOOL_EXIT_FAILURE) : tool_report(rc, NULL);
	sst_builder_close(b);
	exit(status);
}
