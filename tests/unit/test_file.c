/* SPDX-License-Identifier: MIT */
/* Files and directories under a kernel that does less than it was asked for. Its calls end here, in the program's own. */
#include "os/file.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "db/store.h"
#include "os/event.h"
#include "os/lock.h"
#include "unit.h"

static char path[] = "/tmp/test_file.XXXXXX";
static int dir;

/* ---------------------------------------------------------------- the kernel */

static enum { WHOLE, INTERRUPTED, SHORT, NOTHING } writes;

ssize_t pwrite(int fd, const void *p, size_t n, off_t offset)
{
	switch (writes) {
	case INTERRUPTED:
		writes = SHORT;
		errno = EINTR;
		return -1;
	case NOTHING:
		return 0;
	case SHORT:
		n = n > 1 ? n / 2 : n;
		/* fall through */
	default:
		return syscall(SYS_pwrite64, fd, p, n, offset);
	}
}

static unsigned names_read, names_max = UINT_MAX; /* the next one is an error */

struct dirent *readdir(DIR *d)
{
	static struct dirent *(*real)(DIR *);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	if (names_read++ >= names_max) {
		errno = EIO;
		return NULL;
	}
	return real(d);
}

static unsigned file_system; /* 0: the real one; 1: nobody knows */

int fstatfs(int fd, struct statfs *st)
{
	if (file_system == 1) {
		errno = ENOSYS;
		return -1;
	}
	int r = (int)syscall(SYS_fstatfs, fd, st);
	if (file_system)
		st->f_type = file_system;
	return r;
}

static unsigned interruptions;
static bool no_luck;

ssize_t getrandom(void *p, size_t n, unsigned flags)
{
	if (interruptions || no_luck) {
		interruptions -= interruptions > 0;
		errno = no_luck ? ENOSYS : EINTR;
		return -1;
	}
	return syscall(SYS_getrandom, p, n > 3 ? 3 : n, flags);
}

/* ---------------------------------------------------------------- files */

static int open_file(const char *name)
{
	int fd;
	CHECK_EQ(file_open(&fd, dir, name, O_RDWR | O_CREAT | O_TRUNC, 0644), 0);
	return fd;
}

static void writes_that_are_not_whole(void)
{
	static const char text[] = "what is to be written";
	char got[sizeof(text)];
	int fd = open_file("file");
	writes = INTERRUPTED;
	CHECK_EQ(file_write(fd, 5, text, sizeof(text), "file"), 0);
	writes = NOTHING;
	CHECK_EQ(file_write(fd, 5, "x", 1, "file"), SST_EIO);
	CHECK(strstr(sst_errmsg(), "cannot write 'file' at 5: nothing was written"));
	writes = WHOLE;
	CHECK_EQ(file_read(fd, 5, got, sizeof(got), "file"), 0);
	CHECK(!memcmp(got, text, sizeof(text)));
	file_close(&fd);
	CHECK_EQ(dir_remove(dir, "file"), 0);
}

/* Nothing of a store may be where a program writes what it says. */
static void descriptors_of_standard_streams(void)
{
	int kept = fcntl(0, F_DUPFD_CLOEXEC, 100), fd;
	struct rlimit before, limit;
	CHECK(kept >= 100 && getrlimit(RLIMIT_NOFILE, &before) == 0);
	close(0);
	fd = open_file("file");
	CHECK(fd > 2);
	file_close(&fd);
	limit = (struct rlimit){3, before.rlim_max};
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	int rc = file_open(&fd, dir, "file", O_RDWR, 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
	CHECK(rc < 0 && fd == -1 && strstr(sst_errmsg(), "cannot open 'file'"));
	CHECK(fcntl(0, F_GETFD) < 0);
	CHECK(dup2(kept, 0) == 0);
	close(kept);
	CHECK_EQ(dir_remove(dir, "file"), 0);
}

/* ---------------------------------------------------------------- directories */

static int count(void *arg, const char *name)
{
	(void)name;
	++*(unsigned *)arg;
	return 0;
}

static void a_directory_that_cannot_be_read_to_its_end(void)
{
	unsigned n = 0;
	for (char name[] = "a"; name[0] < 'f'; name[0]++) {
		int fd = open_file(name);
		file_close(&fd);
	}
	names_read = 0;
	names_max = 4;
	CHECK_EQ(dir_list(dir, count, &n), SST_EIO);
	CHECK(strstr(sst_errmsg(), "cannot list the directory"));
	names_max = UINT_MAX;
	n = 0;
	CHECK_EQ(dir_list(dir, count, &n), 0);
	CHECK_EQ(n, 5);
	for (char name[] = "a"; name[0] < 'f'; name[0]++)
		CHECK_EQ(dir_remove(dir, name), 0);
}

static void directories_are_made(void)
{
	char name[80];
	struct stat st;
	snprintf(name, sizeof(name), "%s/new///", path);
	CHECK_EQ(dir_make(name), 0);
	CHECK(stat(name, &st) == 0 && S_ISDIR(st.st_mode));
	CHECK_EQ(dir_make(name), SST_NO);
	CHECK(rmdir(name) == 0);
	snprintf(name, sizeof(name), "%s/no/new", path);
	CHECK_EQ(dir_make(name), SST_ENOENT);
}

/* ---------------------------------------------------------------- other machines */

static int remove_one(void *arg, const char *name)
{
	return dir_remove(*(int *)arg, name);
}

static void remote_file_systems(void)
{
	static const struct {
		unsigned magic;
		const char *name;
	} remote[] = {{0x6969, "NFS"}, {0xff534d42, "CIFS"}, {0xfe534d42, "SMB"}, {0x01021997, "9p"}, {0x5346414f, "AFS"},
		{0x00c36400, "Ceph"}, {0x0bd00bd0, "Lustre"}, {0x01161970, "GFS2"}}; /* linux/magic.h, statfs(2) */
	struct lsm_options opt = {.create = true, .timeout_ms = 5000};
	struct lsm *db;
	struct sst_slice v;
	const char *name;
	char store[64], want[32];
	snprintf(store, sizeof(store), "%s/store", path);
	CHECK_EQ(lsm_open(&db, store, &opt), 0);
	CHECK_EQ(lsm_put(db, slice_str("key"), slice_str("value"), 0), 0);
	lsm_close(db);
	for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++) {
		file_system = remote[i].magic;
		CHECK(dir_is_remote(dir, &name) && !strcmp(name, remote[i].name));
		CHECK_EQ(lsm_open(&db, store, &(struct lsm_options){.timeout_ms = 5000}), SST_EUNSUPPORTED);
		snprintf(want, sizeof(want), "is on %s:", name);
		CHECK(strstr(sst_errmsg(), want));
		CHECK_EQ(lsm_open(&db, store, &(struct lsm_options){.read_only = true, .timeout_ms = 5000}), 0);
		CHECK(db->private); /* from the files alone */
		CHECK_EQ(lsm_get(db, slice_str("key"), &v), 0);
		lsm_close(db);
	}
	file_system = 1;
	CHECK(!dir_is_remote(dir, &name));
	file_system = 0;
	CHECK_EQ(lsm_open(&db, store, &opt), 0);
	uint8_t token[TOKEN_SIZE];
	memcpy(token, db->control->token, TOKEN_SIZE);
	segments_remove(db, token);
	CHECK_EQ(dir_list(db->dirfd, remove_one, &db->dirfd), 0);
	lsm_close(db);
	CHECK(rmdir(store) == 0);
}

/* ---------------------------------------------------------------- the rest of the kernel */

static void random_bytes_that_come_slowly(void)
{
	uint8_t a[16] = {0}, b[16] = {0};
	interruptions = 2;
	CHECK_EQ(random_bytes(a, sizeof(a)), 0);
	CHECK_EQ(random_bytes(b, sizeof(b)), 0);
	CHECK(interruptions == 0 && memcmp(a, b, 16) && memcmp(a + 12, (uint8_t[4]){0}, 4));
	no_luck = true;
	CHECK_EQ(random_bytes(a, sizeof(a)), SST_EIO);
	no_luck = false;
}

static void locks_of_no_file(void)
{
	pid_t pid = 1;
	CHECK_EQ(lock_test(-1, 0, &pid), SST_EIO);
	CHECK(strstr(sst_errmsg(), "cannot examine the locks of 'LOCK'"));
	CHECK_EQ(lock_try(-1, 0, LOCK_SHARED), SST_EIO);
}

static void more_memory_than_there_is(void)
{
	struct segment s;
	CHECK_EQ(segment_anonymous(&s, UINT64_C(1) << 62), SST_ENOMEM);
	CHECK(!s.base);
	segment_close(&s);
}

int main(void)
{
	CHECK(mkdtemp(path));
	CHECK_EQ(dir_open(&dir, path), 0);
	RUN(writes_that_are_not_whole);
	RUN(descriptors_of_standard_streams);
	RUN(a_directory_that_cannot_be_read_to_its_end);
	RUN(directories_are_made);
	RUN(remote_file_systems);
	RUN(random_bytes_that_come_slowly);
	RUN(locks_of_no_file);
	RUN(more_memory_than_there_is);
	CHECK(rmdir(path) == 0);
	file_close(&dir);
	return unit_done("file");
}
