/* SPDX-License-Identifier: MIT */
/*
 * spawn_timer [-n RUNS] [-b FIRST] [-i STDIN] [-o STDOUT] COMMAND [ARG]...
 *
 * Runs COMMAND RUNS times, one after the other, and prints a line for each:
 *
 *   wall_ns cpu_us maxrss_kib status
 *
 * wall is from before posix_spawn (which is vfork + exec) until wait4 returned, cpu is user + system of the
 * process and of the children it waited for, status is the exit status or 128 + signal. "{}" in an ARG stands
 * for the number of the run, from FIRST on. This program is small and static so that what is measured of a
 * start is the started program's: a big parent makes spawning slower, and Linux counts the parent's pages to
 * the child's maxrss until the exec.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct run {
	int64_t wall_ns, cpu_us;
	long maxrss_kib;
	int status;
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t timeval_us(struct timeval t)
{
	return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

/* A copy of arg with every "{}" replaced; the caller frees. */
static char *expand(const char *arg, uint64_t number)
{
	char digits[24];
	const size_t size = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, number);
	char *copy = malloc(strlen(arg) * (size + 1) + 1), *to = copy;

	while (copy && *arg) {
		if (arg[0] == '{' && arg[1] == '}') {
			memcpy(to, digits, size);
			to += size;
			arg += 2;
		} else {
			*to++ = *arg++;
		}
	}
	if (copy)
		*to = '\0';
	return copy;
}

static int run_once(char **argv, const posix_spawn_file_actions_t *files, struct run *run)
{
	struct rusage usage;
	pid_t child;
	int status;

	const int64_t start = now_ns();
	const int error = posix_spawnp(&child, argv[0], files, NULL, argv, environ);
	if (error) {
		fprintf(stderr, "spawn_timer: cannot run '%s': %s\n", argv[0], strerror(error));
		return -1;
	}
	while (wait4(child, &status, 0, &usage) < 0)
		if (errno != EINTR)
			return perror("spawn_timer: wait4"), -1;
	run->wall_ns = now_ns() - start;
	run->cpu_us = timeval_us(usage.ru_utime) + timeval_us(usage.ru_stime);
	run->maxrss_kib = usage.ru_maxrss;
	run->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return 0;
}

int main(int argc, char **argv)
{
	const char *in = "/dev/null", *out = "/dev/null";
	uint64_t runs = 1, first = 0;
	int option;

	while ((option = getopt(argc, argv, "+n:b:i:o:")) != -1) {
		if (option == 'n')
			runs = strtoull(optarg, NULL, 10);
		else if (option == 'b')
			first = strtoull(optarg, NULL, 10);
		else if (option == 'i')
			in = optarg;
		else if (option == 'o')
			out = optarg;
		else
			return 2;
	}
	if (optind == argc)
		return fputs("usage: spawn_timer [-n RUNS] [-b FIRST] [-i STDIN] [-o STDOUT] COMMAND [ARG]...\n", stderr), 2;

	const size_t count = (size_t)(argc - optind);
	char **args = calloc(count + 1, sizeof(*args));
	posix_spawn_file_actions_t files;
	if (!args || posix_spawn_file_actions_init(&files) ||
	    posix_spawn_file_actions_addopen(&files, 0, in, O_RDONLY, 0) ||
	    posix_spawn_file_actions_addopen(&files, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0644))
		return perror("spawn_timer"), 3;

	for (uint64_t i = first; i < first + runs; i++) {
		struct run run;

		for (size_t a = 0; a < count; a++)
			if (!(args[a] = expand(argv[optind + (int)a], i)))
				return perror("spawn_timer"), 3;
		if (run_once(args, &files, &run))
			return 3;
		printf("%" PRId64 " %" PRId64 " %ld %d\n", run.wall_ns, run.cpu_us, run.maxrss_kib, run.status);
		for (size_t a = 0; a < count; a++)
			free(args[a]);
	}
	posix_spawn_file_actions_destroy(&files);
	free(args);
	return 0;
}
