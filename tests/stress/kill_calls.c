/* SPDX-License-Identifier: MIT */
/*
 * kill_calls N entry|exit REPORT PROGRAM [ARG ...]: kill -9 at a call of the kernel
 *
 * Runs the program under ptrace(2), with its threads and whatever it starts, and counts their calls of the kernel in the
 * order in which they come. Whoever makes call N is killed, with all its threads: at the entry, so that the call is not
 * done, or at the exit, so that it is done and nobody knows. The others go on to their end. N = 0 kills nobody.
 *
 * REPORT gets one line: the calls that were counted, and of the one it was killed at the number and `main` or `child`
 * (`none` when there were fewer). The exit status is the program's, as a shell has it.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define TASKS_MAX 512

/* A thread, and the call it is in or was in last. */
struct task {
	pid_t tid;
	long long call;
};

struct kill_calls {
	long at, entries, exits;
	bool on_exit;
	struct task tasks[TASKS_MAX];
	pid_t main;
	int status;	/* of main */
	pid_t killed;	/* the process */
	long long call; /* that it was killed at */
};

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static struct task *find(struct kill_calls *k, pid_t tid)
{
	struct task *unused = NULL;
	for (struct task *t = k->tasks; t < k->tasks + TASKS_MAX; t++) {
		if (t->tid == tid)
			return t;
		if (!t->tid && !unused)
			unused = t;
	}
	if (!unused) {
		fprintf(stderr, "kill_calls: too many threads\n");
		exit(99);
	}
	*unused = (struct task){.tid = tid};
	return unused;
}

static pid_t process_of(pid_t tid)
{
	char path[64], line[128];
	int pid = 0;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %d", &pid) == 1)
			break;
	if (f)
		fclose(f);
	return pid;
}

static void stopped_at_call(struct kill_calls *k, struct task *t)
{
	struct __ptrace_syscall_info info;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, (void *)sizeof(info), &info) < 0)
		return;
	bool entry = info.op == PTRACE_SYSCALL_INFO_ENTRY;
	if (entry)
		t->call = (long long)info.entry.nr;
	long n = entry ? ++k->entries : ++k->exits;
	if (k->killed || entry == k->on_exit || n != k->at)
		return;
	k->killed = process_of(t->tid);
	k->call = t->call;
	kill(k->killed, SIGKILL);
}

/* What is to be delivered when it goes on. */
static int handle_stop(struct kill_calls *k, struct task *t, int status)
{
	int sig = WSTOPSIG(status);
	if (sig == (SIGTRAP | 0x80)) {
		stopped_at_call(k, t);
		return 0;
	}
	bool of_trace = status >> 16 != 0 || sig == SIGSTOP || sig == SIGTRAP;
	return of_trace ? 0 : sig;
}

static void follow(struct kill_calls *k)
{
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);
		if (tid < 0 && errno == ECHILD)
			return;
		if (tid < 0)
			die("waitpid");
		struct task *t = find(k, tid);
		if (WIFSTOPPED(status)) {
			int sig = handle_stop(k, t, status);
			(void)ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(long)sig); /* it may be dead by now */
			continue;
		}
		if (tid == k->main)
			k->status = status;
		t->tid = 0;
	}
}

static void begin(struct kill_calls *k, char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			     PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	int status;
	k->main = fork();
	if (k->main < 0)
		die("fork");
	if (!k->main) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			die("ptrace");
		raise(SIGSTOP);
		execv(argv[0], argv);
		die(argv[0]);
	}
	if (waitpid(k->main, &status, 0) < 0 || !WIFSTOPPED(status))
		die("waitpid");
	if (ptrace(PTRACE_SETOPTIONS, k->main, NULL, (void *)options) < 0 ||
		ptrace(PTRACE_SYSCALL, k->main, NULL, NULL) < 0)
		die("ptrace");
}

static void report(const struct kill_calls *k, const char *path)
{
	FILE *f = fopen(path, "we");
	if (!f)
		die(path);
	fprintf(f, "%ld", k->on_exit ? k->exits : k->entries);
	if (k->killed)
		fprintf(f, " %lld %s\n", k->call, k->killed == k->main ? "main" : "child");
	else
		fprintf(f, " none\n");
	if (fclose(f))
		die(path);
}

int main(int argc, char **argv)
{
	static struct kill_calls k;
	if (argc < 5) {
		fprintf(stderr, "usage: kill_calls N entry|exit REPORT PROGRAM [ARG ...]\n");
		return 2;
	}
	k.at = atol(argv[1]);
	k.on_exit = !strcmp(argv[2], "exit");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	begin(&k, argv + 4);
	follow(&k);
	report(&k, argv[3]);
	return WIFSIGNALED(k.status) ? 128 + WTERMSIG(k.status) : WEXITSTATUS(k.status);
}
