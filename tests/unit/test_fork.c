/* SPDX-License-Identifier: MIT */
/* A handle in a child of fork(2) is refused, closing it there leaves its parent the locks; and nothing that the library
 * opens outlives an exec(2). */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/slice.h"
#include "unit.h"

static char directory[] = "/tmp/test_fork.XXXXXX", path[64];

static struct lsm *open_store(int64_t timeout_ms)
{
	struct lsm_options opt = {.create = true, .timeout_ms = timeout_ms};
	struct lsm *db;
	CHECK_EQ(lsm_open(&db, path, &opt), 0);
	return db;
}

/* Runs the body in a child; its exit status. */
#define IN_CHILD(body)                                           \
	do {                                                     \
		pid_t pid_ = fork();                             \
		CHECK(pid_ >= 0);                                \
		if (!pid_) {                                     \
			body;                                    \
			_exit(0);                                \
		}                                                \
		int status_;                                     \
		CHECK_EQ(waitpid(pid_, &status_, 0), pid_);      \
		CHECK_EQ(status_, 0);                            \
	} while (0)

static void test_every_call_is_refused_in_a_child(void)
{
	struct lsm *db = open_store(-1);
	struct sst_slice v, key = slice_str("key");
	struct lsm_scan *scan;
	struct lsm_stats stats;
	struct lsm_batch *b = lsm_batch_new();
	CHECK_EQ(lsm_put(db, key, slice_str("parent"), 0), 0);
	CHECK_EQ(lsm_batch_put(b, key, slice_str("child")), 0);
	IN_CHILD({
		CHECK_EQ(lsm_put(db, key, slice_str("child"), 0), SST_EINVAL);
		CHECK(strstr(sst_errmsg(), "fork"));
		CHECK_EQ(lsm_delete(db, key, 0), SST_EINVAL);
		CHECK_EQ(lsm_write(db, b, 0), SST_EINVAL);
		CHECK_EQ(lsm_get(db, key, &v), SST_EINVAL);
		CHECK_EQ(lsm_sync(db), SST_EINVAL);
		CHECK_EQ(lsm_flush(db, NULL, NULL, NULL), SST_EINVAL);
		CHECK_EQ(lsm_stat(db, &stats), SST_EINVAL);
		CHECK_EQ(lsm_scan_new(&scan, db, NULL), SST_EINVAL);
		struct lsm *own = open_store(5000);
		CHECK_EQ(lsm_put(own, slice_str("own"), slice_str("1"), 0), 0);
		lsm_close(own);
	});
	CHECK_EQ(lsm_get(db, key, &v), 0);
	CHECK(slice_eq(v, slice_str("parent")));
	CHECK_EQ(lsm_get(db, slice_str("own"), &v), 0);
	lsm_batch_free(b);
	lsm_close(db);
}

/* Does another process see that somebody is attached? RocksDB's way of asking: a lock on the whole of LOCK. */
static bool is_locked(void)
{
	char name[80];
	snprintf(name, sizeof(name), "%s/LOCK", path);
	int fd = open(name, O_RDWR | O_CLOEXEC);
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	CHECK(fd >= 0 && fcntl(fd, F_GETLK, &all) == 0);
	close(fd);
	return all.l_type != F_UNLCK;
}

static void test_closing_in_a_child_leaves_the_locks(void)
{
	struct lsm *db = open_store(-1);
	CHECK_EQ(lsm_put(db, slice_str("a"), slice_str("1"), 0), 0);
	CHECK(is_locked());
	IN_CHILD(lsm_close(db));
	CHECK(is_locked());
	CHECK_EQ(lsm_put(db, slice_str("a"), slice_str("2"), 0), 0);
	lsm_close(db);
	CHECK(!is_locked());
}

static unsigned inherited(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");
	CHECK(d);
	for (struct dirent *e; (e = readdir(d));) {
		int flags = fcntl(atoi(e->d_name), F_GETFD);
		n += flags >= 0 && !(flags & FD_CLOEXEC) && e->d_name[0] != '.';
	}
	closedir(d);
	return n;
}

/* A flush: with tables, a pool and io_uring at work, looked at from its callback; a scan; a table being built. */
static unsigned inherited_in_flush;

static void at_flush(void *arg, const struct lsm_flushed *f)
{
	(void)arg;
	(void)f;
	inherited_in_flush = inherited();
}

static void test_nothing_outlives_an_exec(void)
{
	unsigned before = inherited();
	struct lsm *db = open_store(-1);
	struct lsm_scan *scan;
	struct sst_builder *b;
	struct sst_slice k, v;
	char name[80];
	CHECK_EQ(lsm_put(db, slice_str("a"), slice_str("1"), 0), 0);
	CHECK_EQ(lsm_flush(db, NULL, at_flush, NULL), 0);
	CHECK_EQ(inherited_in_flush, before);
	CHECK_EQ(lsm_put(db, slice_str("b"), slice_str("1"), 0), 0);
	CHECK_EQ(lsm_scan_new(&scan, db, NULL), 0);
	CHECK_EQ(lsm_scan_next(scan, &k, &v), 0);
	snprintf(name, sizeof(name), "%s/table", directory);
	CHECK_EQ(sst_builder_open(&b, name, NULL), 0);
	CHECK_EQ(inherited(), before);
	sst_builder_close(b);
	lsm_scan_free(scan);
	lsm_close(db);
}

/* The store, and its shared memory, whose names LOCK tells. */
static void clean_up(void)
{
	char command[256];
	snprintf(command, sizeof(command),
		"rm -f /dev/shm/lsm.$(od -An -v -tx1 -j16 -N16 '%s/LOCK' | tr -d ' \\n').*; rm -r '%s'", path, directory);
	CHECK_EQ(system(command), 0);
}

int main(void)
{
	CHECK(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/store", directory);
	RUN(test_every_call_is_refused_in_a_child);
	RUN(test_closing_in_a_child_leaves_the_locks);
	RUN(test_nothing_outlives_an_exec);
	clean_up();
	return unit_done("test_fork");
}
