/* SPDX-License-Identifier: MIT */
#include "os/seq_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/file.h"
#include "os/seq_writer_test.h"
#include "unit.h"

#define MIB ((size_t)1 << 20)

static char directory[4096];
static int dir = -1;

/* The library's fsync ends here. */
static int sync_calls, sync_errno;

int fsync(int fd)
{
	sync_calls++;
	if (sync_errno) {
		errno = sync_errno;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

/* And its fcntl here: with this set, the flags of a file are a secret. */
static bool flags_refused;

int fcntl(int fd, int command, ...)
{
	va_list ap;
	va_start(ap, command);
	void *arg = va_arg(ap, void *); /* an int or a pointer */
	va_end(ap);
	if (flags_refused && command == F_GETFL) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_fcntl, fd, command, arg);
}

static uint8_t byte_at(uint64_t i)
{
	return (uint8_t)((i * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

/* Writes the first n pattern bytes in pieces of many sizes; the first failure or 0. */
static int write_pattern(struct seq_writer *w, size_t n)
{
	struct sink *sink = seq_writer_sink(w);
	uint8_t *piece = malloc(3 * MIB);
	int rc = 0;
	size_t size = 1;
	for (size_t at = 0; at < n && !rc; at += size) {
		size = size * 7 % (3 * MIB - 1) + 1;
		if (size > n - at)
			size = n - at;
		for (size_t i = 0; i < size; i++)
			piece[i] = byte_at(at + i);
		rc = sink->write(sink, piece, size);
	}
	free(piece);
	return rc;
}

static void check_pattern(const char *name, size_t n)
{
	struct buf content = {0};
	CHECK_EQ(file_read_all(dir, name, &content, SIZE_MAX), 0);
	CHECK_EQ(content.size, n);
	for (size_t i = 0; i < n; i++)
		if (content.data[i] != byte_at(i))
			CHECK_EQ(i, SIZE_MAX);
	buf_release(&content);
}

static struct seq_writer *open_writer(const struct seq_writer_options *o)
{
	struct seq_writer *w;
	dir_remove(dir, "f");
	CHECK_EQ(seq_writer_open(&w, dir, "f", 0600, o), 0);
	return w;
}

static void check_file(size_t n, const struct seq_writer_options *o)
{
	struct seq_writer *w = open_writer(o);
	CHECK_EQ(write_pattern(w, n), 0);
	sync_calls = 0;
	CHECK_EQ(seq_writer_finish(w), 0);
	CHECK_EQ(sync_calls, 1);
	seq_writer_close(w);
	check_pattern("f", n);
}

static const struct seq_writer_options modes[] = {
	{0},
	{.no_direct = true},
	{.no_uring = true},
	{.depth = 1},
	{.depth = 1000, .expected_size = 40 << 20},
	{.expected_size = 1},
	{.no_uring = true, .expected_size = 40 << 20, .depth = 1},
};
#define MODES (sizeof(modes) / sizeof(modes[0]))

static void test_sizes(void)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, MIB - 1, MIB, MIB + 1, 2 * MIB, 11 * MIB + 17};
	for (size_t m = 0; m < MODES; m++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			check_file(sizes[i], &modes[m]);
	check_file(5, NULL);
}

/* What was allocated ahead and not used is given back. */
static void test_allocation(void)
{
	check_file(MIB + 1, &(struct seq_writer_options){.expected_size = 64 * MIB});
	struct stat st;
	CHECK_EQ(fstatat(dir, "f", &st, 0), 0);
	CHECK_EQ(st.st_size, MIB + 1);
	CHECK((size_t)st.st_blocks * 512 < 8 * MIB);
}

static void test_mode(void)
{
	struct seq_writer *w = open_writer(&(struct seq_writer_options){.no_uring = true});
	CHECK(!strcmp(seq_writer_mode(w), "pwrite (io_uring: not wanted), buffered"));
	seq_writer_close(w);
	w = open_writer(&(struct seq_writer_options){.no_direct = true});
	CHECK(strstr(seq_writer_mode(w), "buffered"));
	seq_writer_close(w);
	seq_writer_close(NULL);
}

/* They then stay as they are, and the file becomes the same. */
static void test_flags_unknown(void)
{
	flags_refused = true;
	check_file(5 * MIB + 1, NULL);
	struct seq_writer *w = open_writer(&(struct seq_writer_options){0});
	CHECK(strstr(seq_writer_mode(w), "buffered"));
	seq_writer_close(w);
	flags_refused = false;
}

static void test_name_taken(void)
{
	check_file(10, NULL);
	struct seq_writer *w;
	CHECK(seq_writer_open(&w, dir, "f", 0600, NULL) < 0);
	CHECK(!w);
	check_pattern("f", 10);
}

/* ---------------------------------------------------------------- a queue that misbehaves */

enum { BUFFERS = 64 + 1 }; /* and one for a sync */

static struct faults {
	size_t cut;	  /* give the kernel at most this much of a request */
	size_t less;	  /* say that this much less was written */
	int error;	  /* and this one ... */
	int first, count; /* ... for so many completions, from this one on */
	bool last_first;  /* completions in reverse */
	bool break_wait;  /* the queue itself fails */
	int sync_error;	  /* of syncs beside the writes */
} faults;
static int queue_syncs;

struct between {
	struct write_queue queue;
	struct write_queue *inner;
	size_t size[BUFFERS];
	int completions;
	struct write_request *ready[BUFFERS];
	int ready_count, with_inner;
};

static void between_submit(struct write_queue *queue, struct write_request *r)
{
	struct between *b = (struct between *)(void *)queue;
	b->size[r->buffer] = r->size;
	if (faults.cut && r->size > faults.cut)
		r->size = faults.cut;
	b->with_inner++;
	b->inner->ops->submit(b->inner, r);
}

static void fault_result(struct between *b, struct write_request *r)
{
	if (r->sync) {
		queue_syncs++;
		r->result = faults.sync_error ? faults.sync_error : r->result;
		return;
	}
	int n = b->completions++;
	if (n < faults.first || n >= faults.first + faults.count)
		return;
	if (faults.error)
		r->result = faults.error < 0 ? faults.error : 0;
	else if (r->result > (int)faults.less)
		r->result -= (int)faults.less;
}

static int inner_wait(struct between *b, struct write_request **r)
{
	int rc = b->inner->ops->wait(b->inner, r);
	if (rc)
		return rc;
	b->with_inner--;
	(*r)->size = b->size[(*r)->buffer];
	fault_result(b, *r);
	return 0;
}

static int between_wait(struct write_queue *queue, struct write_request **r)
{
	struct between *b = (struct between *)(void *)queue;
	if (faults.break_wait)
		return -EBADF;
	if (!faults.last_first)
		return inner_wait(b, r);
	while (b->with_inner)
		CHECK_EQ(inner_wait(b, &b->ready[b->ready_count++]), 0);
	*r = b->ready[--b->ready_count];
	return 0;
}

static void between_free(struct write_queue *queue)
{
	struct between *b = (struct between *)(void *)queue;
	CHECK(faults.break_wait || (b->with_inner == 0 && b->ready_count == 0));
	b->inner->ops->free(b->inner);
	free(b);
}

static struct write_queue *put_between(struct write_queue *inner)
{
	static const struct write_queue_ops ops = {between_submit, between_wait, between_free};
	struct between *b = calloc(1, sizeof(*b));
	b->queue.ops = &ops;
	b->inner = inner;
	return &b->queue;
}

static void with_faults(struct faults f)
{
	faults = f;
	seq_writer_between = put_between;
}

static void without_faults(void)
{
	seq_writer_between = NULL;
}

/* Whatever the kernel does short of an error, the file comes out whole. */
static void test_trouble_overcome(void)
{
	static const struct faults all[] = {
		{.cut = 4096 * 37},
		{.cut = 100001}, /* no length for O_DIRECT: EINVAL */
		{.less = 100, .count = 1000},
		{.less = 4096, .count = 1000},
		{.less = 512, .first = 1, .count = 3},
		{.less = MIB - 100, .count = INT_MAX / 2}, /* no headway in units of 4096 */
		{.error = -EINTR, .count = 50},
		{.error = -EAGAIN, .first = 2, .count = 20},
		{.last_first = true},
		{.last_first = true, .cut = 4096 * 100},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (size_t m = 0; m < MODES; m++) {
			with_faults(all[i]);
			check_file(5 * MIB + 4097, &modes[m]);
			without_faults();
		}
}

/* An odd short count is no reason to give up O_DIRECT. */
static void test_odd_count_keeps_direct(void)
{
	with_faults((struct faults){.less = 100, .count = 1});
	struct seq_writer *w = open_writer(NULL);
	bool direct = strstr(seq_writer_mode(w), "O_DIRECT");
	CHECK_EQ(write_pattern(w, 12 * MIB), 0);
	CHECK_EQ(seq_writer_finish(w), 0);
	CHECK_EQ(direct, strstr(seq_writer_mode(w), "O_DIRECT") != NULL);
	seq_writer_close(w);
	without_faults();
	check_pattern("f", 12 * MIB);
}

static void test_einval_drops_direct(void)
{
	with_faults((struct faults){.error = -EINVAL, .first = 1, .count = 1});
	struct seq_writer *w = open_writer(NULL);
	bool direct = strstr(seq_writer_mode(w), "O_DIRECT");
	if (direct) {
		CHECK_EQ(write_pattern(w, 12 * MIB + 1), 0);
		CHECK(strstr(seq_writer_mode(w), "buffered"));
		CHECK_EQ(seq_writer_finish(w), 0);
	} else {
		printf("skipped: no O_DIRECT in %s\n", directory);
	}
	seq_writer_close(w);
	without_faults();
	if (direct)
		check_pattern("f", 12 * MIB + 1);
}

/* The first error stays, the message with it, and nothing is synced. */
static void check_error(struct faults f, int code, const char *text)
{
	for (size_t m = 0; m < MODES; m++) {
		with_faults(f);
		struct seq_writer *w = open_writer(&modes[m]);
		int rc = write_pattern(w, 30 * MIB);
		CHECK(rc == 0 || rc == code);
		sync_calls = 0;
		for (int i = 0; i < 2; i++) {
			CHECK_EQ(seq_writer_finish(w), code);
			CHECK(strstr(sst_errmsg(), text));
			CHECK(strstr(sst_errmsg(), "'f'"));
			CHECK_EQ(seq_writer_sink(w)->write(seq_writer_sink(w), "x", 1), code);
		}
		CHECK_EQ(sync_calls, 0);
		seq_writer_close(w);
		without_faults();
	}
}

static void test_errors_stay(void)
{
	check_error((struct faults){.error = -EIO, .first = 3, .count = 1}, SST_EIO, "Input/output error");
	check_error((struct faults){.error = -EIO, .first = 29, .count = 1}, SST_EIO, "Input/output error");
	check_error((struct faults){.error = -ENOSPC, .first = 5, .count = 1000}, SST_EFULL, "No space left");
	check_error((struct faults){.error = -EDQUOT, .count = 1}, SST_EFULL, "quota");
	check_error((struct faults){.error = 1, .first = 2, .count = 1}, SST_EIO, "Input/output error"); /* 0 */
	check_error((struct faults){.break_wait = true}, SST_EIO, "Bad file descriptor");
}

/* Closed with writes under way: they are waited for (between_free looks). */
static void test_close_early(void)
{
	for (size_t m = 0; m < MODES; m++) {
		with_faults((struct faults){0});
		struct seq_writer *w = open_writer(&modes[m]);
		CHECK_EQ(write_pattern(w, 9 * MIB + 5), 0);
		seq_writer_close(w);
		without_faults();
	}
}

static int write_and_finish(int sync_error, size_t n, bool *direct)
{
	with_faults((struct faults){.sync_error = sync_error});
	struct seq_writer *w = open_writer(NULL);
	*direct = strstr(seq_writer_mode(w), "O_DIRECT");
	queue_syncs = sync_calls = 0;
	int rc = write_pattern(w, n);
	int end = seq_writer_finish(w);
	CHECK(!rc || rc == end);
	seq_writer_close(w);
	without_faults();
	return end;
}

/* The disk is made to write while there is more to come; what goes wrong with that is not forgotten. */
static void test_sync_early(void)
{
	bool direct;
	CHECK_EQ(write_and_finish(0, 15 * MIB, &direct), 0);
	CHECK_EQ(queue_syncs, 0);
	CHECK_EQ(write_and_finish(0, 40 * MIB, &direct), 0);
	check_pattern("f", 40 * MIB);
	CHECK_EQ(sync_calls, 1);
	if (!direct) {
		CHECK_EQ(queue_syncs, 0);
		printf("skipped: no O_DIRECT in %s\n", directory);
		return;
	}
	CHECK(queue_syncs == 1 || queue_syncs == 2);
	CHECK_EQ(write_and_finish(-EIO, 40 * MIB, &direct), SST_EIO);
	CHECK(strstr(sst_errmsg(), "cannot sync 'f': Input/output error"));
	CHECK_EQ(sync_calls, 0);
	CHECK_EQ(write_and_finish(-EINVAL, 70 * MIB, &direct), 0); /* the file system does not do it like that */
	check_pattern("f", 70 * MIB);
	CHECK_EQ(queue_syncs, 1);
	CHECK_EQ(write_and_finish(-EINTR, 70 * MIB, &direct), 0);
	check_pattern("f", 70 * MIB);
	CHECK(queue_syncs > 1);
}

/* A failed fsync is not tried again: the second would succeed over pages that are lost. */
static void test_sync_fails_once(void)
{
	for (size_t m = 0; m < MODES; m++) {
		struct seq_writer *w = open_writer(&modes[m]);
		CHECK_EQ(write_pattern(w, 2 * MIB), 0);
		sync_calls = 0;
		sync_errno = EIO;
		CHECK_EQ(seq_writer_finish(w), SST_EIO);
		sync_errno = 0;
		CHECK_EQ(seq_writer_finish(w), SST_EIO);
		CHECK_EQ(sync_calls, 1);
		seq_writer_close(w);
	}
}

static void test_use_after_finish(void)
{
	struct seq_writer *w = open_writer(NULL);
	CHECK_EQ(seq_writer_finish(w), 0);
	CHECK_EQ(seq_writer_sink(w)->write(seq_writer_sink(w), "x", 1), SST_EINVAL);
	CHECK_EQ(seq_writer_finish(w), SST_EINVAL);
	seq_writer_close(w);
	check_pattern("f", 0);
}

/* ---------------------------------------------------------------- in a process of their own */

enum { SKIP = 77 };

static void in_child(int (*test)(void), const char *why_skipped)
{
	fflush(NULL);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		exit(test());
	int status;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status) == SKIP)
		printf("skipped: %s\n", why_skipped);
	else
		CHECK_EQ(WEXITSTATUS(status), 0);
}

static int refuse_uring(int e)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)e),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return SKIP;
	char want[128];
	snprintf(want, sizeof(want), "pwrite (io_uring: %s), buffered", strerror(e));
	struct seq_writer *w = open_writer(NULL);
	CHECK(!strcmp(seq_writer_mode(w), want));
	CHECK_EQ(write_pattern(w, 3 * MIB + 7), 0);
	sync_calls = 0;
	CHECK_EQ(seq_writer_finish(w), 0);
	CHECK_EQ(sync_calls, 1);
	seq_writer_close(w);
	check_pattern("f", 3 * MIB + 7);
	return 0;
}

static int refuse_eperm(void)
{
	return refuse_uring(EPERM);
}

static int refuse_enosys(void)
{
	return refuse_uring(ENOSYS);
}

static int refuse_enomem(void)
{
	return refuse_uring(ENOMEM);
}

static void test_uring_refused(void)
{
	in_child(refuse_eperm, "no seccomp filters here");
	in_child(refuse_enosys, "no seccomp filters here");
	in_child(refuse_enomem, "no seccomp filters here");
}

/* Buffers that may not be registered: without privileges and with no memory to lock. */
static int no_memlock(void)
{
	if (getuid() == 0 && (fchmod(dir, 0777) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
		return SKIP;
	if (setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 0}))
		return SKIP;
	struct seq_writer *w;
	CHECK_EQ(seq_writer_open(&w, dir, "unlocked", 0600, NULL), 0);
	CHECK_EQ(write_pattern(w, 13 * MIB + 7), 0);
	CHECK_EQ(seq_writer_finish(w), 0);
	seq_writer_close(w);
	check_pattern("unlocked", 13 * MIB + 7);
	CHECK_EQ(dir_remove(dir, "unlocked"), 0);
	return 0;
}

static void test_no_memlock(void)
{
	in_child(no_memlock, "cannot give up privileges");
}

static int file_too_large(void)
{
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){5 * MIB, 5 * MIB}))
		return SKIP;
	for (size_t m = 0; m < MODES; m++) {
		struct seq_writer *w = open_writer(&modes[m]);
		write_pattern(w, 20 * MIB);
		CHECK_EQ(seq_writer_finish(w), SST_EFULL);
		seq_writer_close(w);
	}
	return 0;
}

static void test_file_too_large(void)
{
	in_child(file_too_large, "cannot limit the size of files");
}

/* A disk that is really full. */
static int full_disk(void)
{
	char at[4200];
	snprintf(at, sizeof(at), "%s/mount", directory);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		(mkdir(at, 0700) && errno != EEXIST) || mount("tmpfs", at, "tmpfs", 0, "size=8m"))
		return SKIP;
	CHECK_EQ(dir_open(&dir, at), 0);
	for (size_t m = 0; m < MODES; m++) {
		struct seq_writer *w = open_writer(&modes[m]);
		write_pattern(w, 20 * MIB);
		CHECK_EQ(seq_writer_finish(w), SST_EFULL);
		CHECK(strstr(sst_errmsg(), "No space left"));
		seq_writer_close(w);
		CHECK_EQ(dir_remove(dir, "f"), 0);
		check_file(3 * MIB + 1, &modes[m]); /* room again */
	}
	return 0;
}

static void test_full_disk(void)
{
	in_child(full_disk, "cannot mount a small tmpfs");
	char at[4200];
	snprintf(at, sizeof(at), "%s/mount", directory);
	rmdir(at);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(directory, sizeof(directory), "%s/test_seq_writer.XXXXXX", tmp ? tmp : "/tmp");
	CHECK(mkdtemp(directory));
	CHECK_EQ(dir_open(&dir, directory), 0);
	RUN(test_sizes);
	RUN(test_allocation);
	RUN(test_mode);
	RUN(test_flags_unknown);
	RUN(test_name_taken);
	RUN(test_trouble_overcome);
	RUN(test_odd_count_keeps_direct);
	RUN(test_einval_drops_direct);
	RUN(test_errors_stay);
	RUN(test_close_early);
	RUN(test_sync_early);
	RUN(test_sync_fails_once);
	RUN(test_use_after_finish);
	RUN(test_uring_refused);
	RUN(test_no_memlock);
	RUN(test_file_too_large);
	RUN(test_full_disk);
	dir_remove(dir, "f");
	rmdir(directory);
	return unit_done("seq_writer");
}
