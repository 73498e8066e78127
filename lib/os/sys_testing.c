/* SPDX-License-Identifier: MIT */
/*
 * What the kernel is made to do, and seen to do, in test builds. Nothing of lib/os knows of it: the linker puts these
 * functions in the place of the real ones (-Wl,--wrap=NAME for every name in tests/stress/stress.mk), so the code that is
 * tested is the code that is shipped.
 *
 *     LSM_FAIL=CALL[@PART]:N[:ERROR[:sticky]]
 *         The Nth call of that kind fails (sticky: and all behind it). CALL is the name at fault() below, or `*` for
 *         any but malloc; PART must be found in the path of the file. ERROR is EIO (the default), ENOSPC ..., or, of
 *         a write: `short` (half is written, and said so) or `torn` (half is written, and EIO).
 *     LSM_FAIL_LOG=FILE      append what was made to fail; with LSM_FAIL=list:1, which fails nothing, the name of every CALL
 *     LSM_TRACE=FILE         append every change of a file system, one record a call:
 *
 *         magic:4 "lsmT"  type:1  zeros:3  pid:4  path size:4  second path size:4  data size:4
 *         device:8  inode:8  offset:8  size:8   path  second path  data
 *
 *         C created or opened to create    W written (data at offset)    T cut to offset     A allocated up to offset
 *         B sync begins (offset: its id)   S ... and has succeeded       F ... or failed     M directory made
 *         D directory removed              R renamed                     U unlinked          X a mark of the test's own
 *
 *     A record stands behind the call it tells of and before anybody who waits for the call goes on. A sync covers the writes
 *     whose records stand before its B. A failed one was not done at all: what it should have saved is lost, as
 *     after an fsync that returns EIO. Writes through io_uring are recorded when they complete.
 *
 * Counting is per process. One write(2) with O_APPEND per record keeps those of several processes apart.
 */
typedef int sys_testing_unused; /* ISO C forbids an empty translation unit */

#ifdef LSM_TESTING
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/write_queue.h"

#define WRAP(type, name, ...)          \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

/* Not errors of the kernel: see the top. */
enum { SHORT = 4000, TORN };

static struct {
	bool armed, list, any, sticky;
	char call[16], part[64];
	long at;
	int error;
} plan;
static atomic_long passed;
static int log_fd = -1, trace_fd = -1;
static atomic_ulong sync_id;

void *__real_malloc(size_t n);
int __real_open(const char *name, int flags, ...);
ssize_t __real_pwrite(int fd, const void *p, size_t n, off_t offset);

/* ---------------------------------------------------------------- the plan */

static int error_of(const char *name)
{
	static const struct {
		const char *name;
		int value;
	} errors[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EINTR", EINTR}, {"EPERM", EPERM}, {"ENOSYS", ENOSYS},
		{"ENOMEM", ENOMEM}, {"EAGAIN", EAGAIN}, {"EDQUOT", EDQUOT}, {"EMFILE", EMFILE}, {"EINVAL", EINVAL},
		{"EACCES", EACCES}, {"EBUSY", EBUSY}, {"ENOLCK", ENOLCK}, {"ECANCELED", ECANCELED}, {"EROFS", EROFS},
		{"short", SHORT}, {"torn", TORN}};
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (!strcmp(errors[i].name, name))
			return errors[i].value;
	return EIO;
}

static void read_plan(const char *spec)
{
	char call[80] = "", error[16] = "EIO", sticky[16] = "";
	if (!spec || sscanf(spec, "%79[^:]:%ld:%15[^:]:%15s", call, &plan.at, error, sticky) < 2)
		return;
	char *part = strchr(call, '@');
	if (part) {
		*part++ = 0;
		snprintf(plan.part, sizeof(plan.part), "%s", part);
	}
	snprintf(plan.call, sizeof(plan.call), "%.15s", call);
	plan.any = !strcmp(plan.call, "*");
	plan.list = !strcmp(plan.call, "list");
	plan.error = error_of(error);
	plan.sticky = !strcmp(sticky, "sticky");
	plan.armed = true;
}

static int open_to_append(const char *variable)
{
	const char *name = getenv(variable);
	int fd = name ? __real_open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
	if (fd < 0)
		return fd;
	/* out of the way of small descriptor limits and of the numbers that tests close */
	int up = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	if (up < 0)
		return fd;
	close(fd);
	return up;
}

__attribute__((constructor)) static void start(void)
{
	log_fd = open_to_append("LSM_FAIL_LOG");
	trace_fd = open_to_append("LSM_TRACE");
	read_plan(getenv("LSM_FAIL"));
}

/* What the compiler's own code does behind the program (the counts of a coverage build) is not the program's. */
__attribute__((destructor)) static void stop(void)
{
	plan.armed = plan.list = false;
}

static void path_at(char path[PATH_MAX], int dirfd, const char *name)
{
	char link[40];
	size_t n = 0;
	if (!name || name[0] != '/') {
		snprintf(link, sizeof(link), dirfd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", dirfd);
		ssize_t got = readlink(link, path, PATH_MAX - 1);
		n = got > 0 ? (size_t)got : 0;
		if (name && n + 1 < PATH_MAX)
			path[n++] = '/';
	}
	path[n] = 0;
	if (name)
		snprintf(path + n, PATH_MAX - n, "%s", name);
}

/* Without stdio's streams: those allocate. */
static void log_call(const char *call, long n, const char *path)
{
	char line[PATH_MAX + 64];
	int size = n ? snprintf(line, sizeof(line), "%s %ld %s\n", call, n, path)
		     : snprintf(line, sizeof(line), "%s\n", call);
	if (log_fd >= 0 && write(log_fd, line, (size_t)size) != size)
		abort();
}

/* 0, or the error with which this call is to fail. */
static int fault(const char *call, int fd, const char *name)
{
	char path[PATH_MAX] = "";
	if (plan.list)
		log_call(call, 0, "");
	if (!plan.armed || (plan.any ? !strcmp(call, "malloc") : strcmp(call, plan.call)))
		return 0;
	if (plan.part[0] || log_fd >= 0)
		path_at(path, fd, name);
	if (plan.part[0] && !strstr(path, plan.part))
		return 0;
	long n = atomic_fetch_add(&passed, 1) + 1;
	if (n < plan.at || (n > plan.at && !plan.sticky))
		return 0;
	if (n == plan.at)
		log_call(call, n, path);
	return plan.error >= SHORT && strcmp(call, "write") ? EIO : plan.error;
}

/* For functions that return -1 and errno. */
static bool refuse(const char *call, int fd, const char *name)
{
	int e = fault(call, fd, name);
	if (e)
		errno = e;
	return e != 0;
}

/* ---------------------------------------------------------------- the trace */

struct record {
	char magic[4], type, zeros[3];
	uint32_t pid, path_size, second_size, data_size;
	uint64_t device, inode, offset, size;
};

static void put_record(struct record *r, const char *path, const char *second, const void *data)
{
	int e = errno;
	memcpy(r->magic, "lsmT", 4);
	r->pid = (uint32_t)getpid();
	r->path_size = (uint32_t)strlen(path);
	r->second_size = (uint32_t)strlen(second);
	size_t n = sizeof(*r) + r->path_size + r->second_size + r->data_size;
	uint8_t *whole = __real_malloc(n), *p = whole;
	p = mempcpy(p, r, sizeof(*r));
	p = mempcpy(p, path, r->path_size);
	p = mempcpy(p, second, r->second_size);
	if (r->data_size)
		memcpy(p, data, r->data_size);
	if (write(trace_fd, whole, n) != (ssize_t)n)
		abort(); /* a trace with holes proves nothing */
	free(whole);
	errno = e;
}

/* Of an open file. */
static void trace(char type, int fd, uint64_t offset, const void *data, size_t n)
{
	char path[PATH_MAX];
	struct stat st = {0};
	if (trace_fd < 0)
		return;
	path_at(path, fd, NULL);
	(void)fstat(fd, &st);
	struct record r = {.type = type, .data_size = (uint32_t)n, .device = st.st_dev, .inode = st.st_ino,
		.offset = offset, .size = n};
	put_record(&r, path, "", data);
}

/* Of a name. */
static void trace_name(char type, int dirfd, const char *name, const char *to)
{
	char path[PATH_MAX], second[PATH_MAX] = "";
	struct stat st = {0};
	if (trace_fd < 0)
		return;
	path_at(path, dirfd, name);
	if (to)
		path_at(second, dirfd, to);
	(void)fstatat(AT_FDCWD, to ? second : path, &st, AT_SYMLINK_NOFOLLOW);
	struct record r = {.type = type, .device = st.st_dev, .inode = st.st_ino};
	put_record(&r, path, second, NULL);
}

/* ---------------------------------------------------------------- files */

WRAP(int, openat, int dirfd, const char *name, int flags, mode_t mode)
{
	if (refuse(flags & O_CREAT ? "create" : "open", dirfd, name))
		return -1;
	int fd = __real_openat(dirfd, name, flags, mode);
	if (fd >= 0 && flags & O_CREAT)
		trace('C', fd, 0, NULL, 0);
	return fd;
}

int __wrap_open(const char *name, int flags, ...);
int __wrap_open(const char *name, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return refuse("open", AT_FDCWD, name) ? -1 : __real_open(name, flags, mode);
}

WRAP(ssize_t, pread, int fd, void *p, size_t n, off_t offset)
{
	return refuse("read", fd, NULL) ? -1 : __real_pread(fd, p, n, offset);
}

ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t offset)
{
	int e = fault("write", fd, NULL);
	if (e && e < SHORT) {
		errno = e;
		return -1;
	}
	ssize_t r = __real_pwrite(fd, p, e && n > 1 ? n / 2 : n, offset);
	if (r > 0)
		trace('W', fd, (uint64_t)offset, p, (size_t)r);
	if (e == TORN) {
		errno = EIO;
		return -1;
	}
	return r;
}

WRAP(int, ftruncate, int fd, off_t size)
{
	if (refuse("truncate", fd, NULL))
		return -1;
	int r = __real_ftruncate(fd, size);
	if (r == 0)
		trace('T', fd, (uint64_t)size, NULL, 0);
	return r;
}

WRAP(int, fallocate, int fd, int mode, off_t offset, off_t size)
{
	return refuse("fallocate", fd, NULL) ? -1 : __real_fallocate(fd, mode, offset, size);
}

WRAP(int, posix_fallocate, int fd, off_t offset, off_t size)
{
	int e = fault("commit", fd, NULL);
	if (!e)
		e = __real_posix_fallocate(fd, offset, size);
	if (!e)
		trace('A', fd, (uint64_t)(offset + size), NULL, 0);
	return e;
}

static int sync_as(const char *call, int (*real)(int fd), int fd)
{
	uint64_t id = atomic_fetch_add(&sync_id, 1);
	trace('B', fd, id, NULL, 0);
	bool bad = refuse(call, fd, NULL);
	int r = bad ? -1 : real(fd);
	trace(r ? 'F' : 'S', fd, id, NULL, 0);
	return r;
}

WRAP(int, fsync, int fd)
{
	struct stat st;
	bool dir = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
	return sync_as(dir ? "dirsync" : "fsync", __real_fsync, fd);
}

WRAP(int, fdatasync, int fd)
{
	return sync_as("fdatasync", __real_fdatasync, fd);
}

WRAP(int, fstat, int fd, struct stat *st)
{
	return refuse("stat", fd, NULL) ? -1 : __real_fstat(fd, st);
}

WRAP(int, statx, int dirfd, const char *name, int flags, unsigned mask, struct statx *st)
{
	return refuse("stat", dirfd, *name ? name : NULL) ? -1 : __real_statx(dirfd, name, flags, mask, st);
}

WRAP(int, fchmod, int fd, mode_t mode)
{
	return refuse("chmod", fd, NULL) ? -1 : __real_fchmod(fd, mode);
}

WRAP(int, fchown, int fd, uid_t uid, gid_t gid)
{
	return refuse("chown", fd, NULL) ? -1 : __real_fchown(fd, uid, gid);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	va_list ap;
	va_start(ap, command);
	void *arg = va_arg(ap, void *); /* an int or a pointer: one register in every ABI we build for */
	va_end(ap);
	bool lock = command == F_OFD_SETLK || command == F_OFD_GETLK;
	if (lock && refuse("lock", fd, NULL))
		return -1;
	return __real_fcntl(fd, command, arg);
}

/* ---------------------------------------------------------------- names */

WRAP(int, renameat, int from_dir, const char *from, int to_dir, const char *to)
{
	if (refuse("rename", from_dir, from))
		return -1;
	int r = __real_renameat(from_dir, from, to_dir, to);
	if (r == 0)
		trace_name('R', from_dir, from, to);
	return r;
}

WRAP(int, unlinkat, int dirfd, const char *name, int flags)
{
	if (refuse("unlink", dirfd, name))
		return -1;
	int r = __real_unlinkat(dirfd, name, flags);
	if (r == 0)
		trace_name('U', dirfd, name, NULL);
	return r;
}

WRAP(int, mkdir, const char *name, mode_t mode)
{
	if (refuse("mkdir", AT_FDCWD, name))
		return -1;
	int r = __real_mkdir(name, mode);
	if (r == 0)
		trace_name('M', AT_FDCWD, name, NULL);
	return r;
}

WRAP(int, rmdir, const char *name)
{
	int r = __real_rmdir(name);
	if (r == 0)
		trace_name('D', AT_FDCWD, name, NULL);
	return r;
}

/* ---------------------------------------------------------------- memory, threads, luck */

WRAP(void *, mmap, void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	return refuse("mmap", fd, NULL) ? MAP_FAILED : __real_mmap(at, n, prot, flags, fd, offset);
}

static bool no_memory(void)
{
	bool none = fault("malloc", -1, NULL) != 0;
	if (none)
		errno = ENOMEM;
	return none;
}

void *__wrap_malloc(size_t n);
void *__wrap_malloc(size_t n)
{
	return no_memory() ? NULL : __real_malloc(n);
}

WRAP(void *, calloc, size_t n, size_t size)
{
	return no_memory() ? NULL : __real_calloc(n, size);
}

WRAP(void *, realloc, void *p, size_t n)
{
	return no_memory() ? NULL : __real_realloc(p, n);
}

WRAP(void *, reallocarray, void *p, size_t n, size_t size)
{
	return no_memory() ? NULL : __real_reallocarray(p, n, size);
}

WRAP(int, pthread_create, pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg)
{
	int e = fault("thread", -1, NULL);
	return e ? e : __real_pthread_create(t, a, run, arg);
}

WRAP(ssize_t, getrandom, void *p, size_t n, unsigned flags)
{
	return refuse("random", -1, NULL) ? -1 : __real_getrandom(p, n, flags);
}

/* ---------------------------------------------------------------- io_uring */

struct watched {
	struct write_queue queue, *inner;
	int fd;
	uint64_t sync_id; /* of the one on its way */
};

static void watched_submit(struct write_queue *queue, struct write_request *r)
{
	struct watched *w = (struct watched *)queue;
	if (r->sync)
		trace('B', w->fd, w->sync_id = atomic_fetch_add(&sync_id, 1), NULL, 0);
	w->inner->ops->submit(w->inner, r);
}

static void watch_sync(struct watched *w, struct write_request *r)
{
	int e = fault("fdatasync", w->fd, NULL);
	if (e)
		r->result = -e;
	trace(r->result ? 'F' : 'S', w->fd, w->sync_id, NULL, 0);
}

/* A write that the plan makes short was done whole; only what was told is recorded. */
static int watched_wait(struct write_queue *queue, struct write_request **r)
{
	struct watched *w = (struct watched *)queue;
	int rc = w->inner->ops->wait(w->inner, r);
	if (rc < 0)
		return rc;
	if ((*r)->sync) {
		watch_sync(w, *r);
		return 0;
	}
	int e = fault("write", w->fd, NULL);
	if (e == SHORT && (*r)->result > 1)
		(*r)->result /= 2;
	if ((*r)->result > 0)
		trace('W', w->fd, (*r)->offset, (*r)->data, (size_t)(*r)->result);
	if (e && e != SHORT)
		(*r)->result = e == TORN ? -EIO : -e;
	return 0;
}

static void watched_free(struct write_queue *queue)
{
	struct watched *w = (struct watched *)queue;
	w->inner->ops->free(w->inner);
	free(w);
}

WRAP(int, write_queue_uring, struct write_queue **out, int fd, const struct iovec *buffers, unsigned depth)
{
	static const struct write_queue_ops ops = {watched_submit, watched_wait, watched_free};
	int e = fault("uring", fd, NULL);
	int rc = e ? -e : __real_write_queue_uring(out, fd, buffers, depth);
	struct watched *w = rc ? NULL : __real_malloc(sizeof(*w));
	if (rc)
		return rc;
	*w = (struct watched){.queue = {&ops}, .inner = *out, .fd = fd};
	*out = &w->queue;
	return 0;
}
#endif
