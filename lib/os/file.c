/* SPDX-License-Identifier: MIT */
#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/status.h"
#include "os/kill_point.h"

/* A tool started with standard descriptors closed must not get a WAL as its stderr. */
static int above_standard(int fd)
{
	if (fd < 0 || fd > 2)
		return fd;
	int up = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	int e = errno;
	close(fd);
	errno = e;
	return up;
}

static int open_retry(int dirfd, const char *name, int flags, mode_t mode)
{
	int fd;
	do
		fd = openat(dirfd, name, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return above_standard(fd);
}

static void fill_id(struct file_id *id, const struct statx *st)
{
	*id = (struct file_id){
		.device = makedev(st->stx_dev_major, st->stx_dev_minor),
		.inode = st->stx_ino,
		.size = st->stx_size,
		.mtime_ns = (uint64_t)st->stx_mtime.tv_sec * 1000000000u + st->stx_mtime.tv_nsec,
	};
	if (st->stx_mask & STATX_BTIME)
		id->birth_ns = (uint64_t)st->stx_btime.tv_sec * 1000000000u + st->stx_btime.tv_nsec;
}

#define ID_MASK (STATX_TYPE | STATX_INO | STATX_SIZE | STATX_MTIME | STATX_BTIME)

int file_open_id(int *fd, struct file_id *id, int dirfd, const char *name, int flags, mode_t mode)
{
	/* O_NONBLOCK: opening a FIFO must not wait for its other end. It means nothing for regular files.
	 * A path that the user gave may be a symbolic link; a name inside a store is never one. */
	flags |= O_NONBLOCK | O_NOCTTY | (dirfd == AT_FDCWD ? 0 : O_NOFOLLOW);
	*fd = -1;
	int quiet = flags & (O_CREAT | O_WRONLY | O_RDWR) ? 0 : O_NOATIME;
	int f = open_retry(dirfd, name, flags | quiet, mode);
	if (f < 0 && quiet && errno != ENOENT) /* another user's file, or a file system that does not know this */
		f = open_retry(dirfd, name, flags, mode);
	if (f < 0)
		return fail_errno("cannot %s '%s'", flags & O_CREAT ? "create" : "open", name);
	struct statx st;
	if (statx(f, "", AT_EMPTY_PATH, ID_MASK, &st) < 0) {
		int rc = fail_errno("cannot examine '%s'", name);
		close(f);
		return rc;
	}
	if (!S_ISREG(st.stx_mode)) {
		close(f);
		return fail(SST_EIO, "'%s' is not a regular file", name);
	}
	fill_id(id, &st);
	*fd = f;
	return 0;
}

int file_open(int *fd, int dirfd, const char *name, int flags, mode_t mode)
{
	struct file_id id;
	return file_open_id(fd, &id, dirfd, name, flags, mode);
}

void file_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int file_read(int fd, uint64_t offset, void *buf, size_t n, const char *name)
{
	uint8_t *p = buf;
	for (size_t got = 0; got < n;) {
		ssize_t r = pread(fd, p + got, n - got, (off_t)(offset + got));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return fail_errno("cannot read '%s' at %llu", name, (unsigned long long)(offset + got));
		if (r == 0)
			return fail(SST_ECORRUPT, "cannot read '%s': it ends at %llu, %zu bytes early", name,
				(unsigned long long)(offset + got), n - got);
		got += (size_t)r;
	}
	return 0;
}

uint64_t file_next_data(int fd, uint64_t offset, uint64_t size)
{
	off_t at = lseek(fd, (off_t)offset, SEEK_DATA);
	if (at < 0)
		return errno == ENXIO ? size : offset;
	return (uint64_t)at < offset ? offset : (uint64_t)at < size ? (uint64_t)at : size;
}

uint64_t file_data_bytes(int dirfd, const char *name, uint64_t size)
{
	uint64_t sum = 0, at = 0;
	int fd;
	if (file_open(&fd, dirfd, name, O_RDONLY, 0))
		return size;
	while ((at = file_next_data(fd, at, size)) < size) {
		off_t hole = lseek(fd, (off_t)at, SEEK_HOLE);
		uint64_t end = hole <= (off_t)at || (uint64_t)hole > size ? size : (uint64_t)hole;
		sum += end - at;
		at = end;
	}
	file_close(&fd);
	return sum;
}

int file_write(int fd, uint64_t offset, const void *buf, size_t n, const char *name)
{
	const uint8_t *p = buf;
#ifdef LSM_TESTING
	if (kill_point_due("file-write-half") && pwrite(fd, buf, n / 2, (off_t)offset) >= 0)
		kill_now();
#endif
	for (size_t done = 0; done < n;) {
		ssize_t r = pwrite(fd, p + done, n - done, (off_t)(offset + done));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return fail_errno("cannot write '%s' at %llu", name, (unsigned long long)(offset + done));
		if (r == 0)
			return fail(SST_EIO, "cannot write '%s' at %llu: nothing was written", name,
				(unsigned long long)(offset + done));
		done += (size_t)r;
	}
	return 0;
}

int file_truncate(int fd, uint64_t size, const char *name)
{
	KILL_POINT("file-truncate");
	int r;
	do
		r = ftruncate(fd, (off_t)size);
	while (r < 0 && errno == EINTR);
	return r < 0 ? fail_errno("cannot cut '%s' to %llu bytes", name, (unsigned long long)size) : 0;
}

/* A failed fsync is final: the kernel marks the lost pages clean, so a second one would lie. Only EINTR, which
 * some network file systems give before anything was tried, is repeated. */
int file_sync(int fd, const char *name)
{
	int r;
	do
		r = fsync(fd);
	while (r < 0 && errno == EINTR);
	return r < 0 ? fail_errno("cannot sync '%s'", name) : 0;
}

int file_sync_data(int fd, const char *name)
{
	int r;
	do
		r = fdatasync(fd);
	while (r < 0 && errno == EINTR);
	return r < 0 ? fail_errno("cannot sync '%s'", name) : 0;
}

void file_write_back(int fd, uint64_t offset, uint64_t n)
{
	(void)sync_file_range(fd, (off_t)offset, (off_t)n, SYNC_FILE_RANGE_WRITE);
}

int file_identify(int fd, struct file_id *id, const char *name)
{
	struct statx st;
	if (statx(fd, "", AT_EMPTY_PATH, ID_MASK, &st) < 0)
		return fail_errno("cannot examine '%s'", name);
	fill_id(id, &st);
	return 0;
}

int file_identify_at(int dirfd, const char *name, struct file_id *id)
{
	struct statx st;
	if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW, ID_MASK, &st) < 0)
		return errno == ENOENT ? SST_NO : fail_errno("cannot examine '%s'", name);
	fill_id(id, &st);
	return 0;
}

int file_access(int fd, struct file_access *a, const char *name)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return fail_errno("cannot examine '%s'", name);
	*a = (struct file_access){st.st_mode & 07777, st.st_uid, st.st_gid};
	return 0;
}

void file_set_mode(int fd, mode_t mode)
{
	(void)fchmod(fd, mode);
}

bool process_is_root(void)
{
	return geteuid() == 0;
}

size_t file_limit(void)
{
	struct rlimit l;
	return getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur == RLIM_INFINITY ? SIZE_MAX : (size_t)l.rlim_cur;
}

int process_id(void)
{
	return getpid();
}

char *process_name(char name[PROCESS_NAME_MAX], int pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	int fd = open_retry(AT_FDCWD, path, O_RDONLY, 0);
	ssize_t n = fd < 0 ? 0 : read(fd, name, PROCESS_NAME_MAX - 1);
	file_close(&fd);
	while (n > 0 && name[n - 1] == '\n')
		n--;
	name[n > 0 ? n : 0] = 0;
	return name;
}

int file_give(int fd, uid_t uid, gid_t gid, const char *name)
{
	return fchown(fd, uid, gid) < 0 ? fail_errno("cannot set the owner of '%s'", name) : 0;
}

int file_read_all(int dirfd, const char *name, struct buf *out, size_t max)
{
	struct file_id id;
	int fd, rc = file_open_id(&fd, &id, dirfd, name, O_RDONLY, 0);
	if (rc)
		return rc == SST_ENOENT ? SST_NO : rc;
	if (id.size > max)
		rc = fail(SST_ECORRUPT, "'%s' has %llu bytes, more than %zu", name, (unsigned long long)id.size,
			max);
	if (!rc && !buf_reserve(out, (size_t)id.size))
		rc = fail_memory();
	if (!rc && id.size)
		rc = file_read(fd, 0, out->data + out->size, (size_t)id.size, name);
	if (!rc)
		out->size += (size_t)id.size;
	file_close(&fd);
	return rc;
}

static int replace_steps(int fd, int dirfd, const char *name, const char *temporary, struct sst_slice content)
{
	int rc = file_write(fd, 0, content.data, content.size, temporary);
	if (!rc)
		rc = file_sync(fd, temporary);
	KILL_POINT("file-replace-synced");
	if (!rc && renameat(dirfd, temporary, dirfd, name) < 0)
		rc = fail_errno("cannot rename '%s' to '%s'", temporary, name);
	return rc;
}

int file_replace(int dirfd, const char *name, const char *temporary, struct sst_slice content, mode_t mode)
{
	int fd, rc = dir_remove(dirfd, temporary); /* a killed predecessor's */
	if (rc < 0)
		return rc;
	rc = file_open(&fd, dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL, mode);
	if (rc)
		return rc;
	rc = replace_steps(fd, dirfd, name, temporary, content);
	file_close(&fd);
	if (rc) {
		unlinkat(dirfd, temporary, 0);
		return rc;
	}
	KILL_POINT("file-replaced");
	return dir_sync(dirfd);
}

int dir_open(int *fd, const char *path)
{
	*fd = open_retry(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0);
	return *fd < 0 ? fail_errno("cannot open directory '%s'", path) : 0;
}

void dir_path(int dirfd, char *path, size_t max)
{
	char link[64];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
	ssize_t n = readlink(link, path, max);
	path[n > 0 && (size_t)n < max ? n : 0] = 0;
}

uint64_t path_space(void)
{
	struct stat mounts, root;
	if (stat("/proc/self/ns/mnt", &mounts) || stat("/", &root))
		return 0;
	uint64_t h = (mounts.st_ino * UINT64_C(0x9e3779b97f4a7c15)) ^ root.st_ino;
	return (h * UINT64_C(0x9e3779b97f4a7c15)) ^ root.st_dev;
}

bool dir_is_remote(int dirfd, const char **name)
{
	static const struct {
		unsigned magic;
		const char *name;
	} remote[] = {
		{0x6969, "NFS"},
		{0xff534d42, "CIFS"},
		{0xfe534d42, "SMB"},
		{0x01021997, "9p"},
		{0x5346414f, "AFS"},
		{0x00c36400, "Ceph"},
		{0x0bd00bd0, "Lustre"},
		{0x01161970, "GFS2"},
	};
	struct statfs st;
	if (fstatfs(dirfd, &st) < 0)
		return false;
	for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
		if ((unsigned)st.f_type == remote[i].magic) {
			*name = remote[i].name;
			return true;
		}
	return false;
}

static int sync_parent(const char *path)
{
	char *copy = strdup(path);
	if (!copy)
		return fail_memory();
	size_t n = strlen(copy);
	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = 0;
	char *slash = strrchr(copy, '/');
	const char *parent = !slash ? "." : slash == copy ? "/" : (*slash = 0, copy);
	int fd, rc = dir_open(&fd, parent);
	if (!rc)
		rc = fsync(fd) < 0 ? fail_errno("cannot sync directory '%s'", parent) : 0;
	file_close(&fd);
	free(copy);
	return rc;
}

int dir_make(const char *path)
{
	if (mkdir(path, 0777) < 0)
		return errno == EEXIST ? SST_NO : fail_errno("cannot create directory '%s'", path);
	int rc = sync_parent(path);
	if (rc)
		rmdir(path);
	return rc;
}

int dir_sync(int dirfd)
{
	int r;
	do
		r = fsync(dirfd);
	while (r < 0 && errno == EINTR);
	return r < 0 ? fail_errno("cannot sync the directory") : 0;
}

int dir_remove(int dirfd, const char *name)
{
	if (unlinkat(dirfd, name, 0) == 0)
		return 0;
	return errno == ENOENT ? SST_NO : fail_errno("cannot remove '%s'", name);
}

int dir_list(int dirfd, int (*each)(void *arg, const char *name), void *arg)
{
	int fd = open_retry(dirfd, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		int rc = fail_errno("cannot list the directory");
		file_close(&fd);
		return rc;
	}
	int rc = 0;
	for (;;) {
		errno = 0;
		const struct dirent *e = readdir(d);
		if (!e) {
			if (errno)
				rc = fail_errno("cannot list the directory");
			break;
		}
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		rc = each(arg, e->d_name);
		if (rc)
			break;
	}
	closedir(d);
	return rc;
}

static int source_read(struct source *s, uint64_t offset, void *buf, size_t n)
{
	const struct file_source *f = (const struct file_source *)s;
	return file_read(f->fd, offset, buf, n, s->name);
}

static uint64_t source_data(struct source *s, uint64_t offset)
{
	return file_next_data(((const struct file_source *)s)->fd, offset, s->size);
}

void file_source_init(struct file_source *s, int fd, uint64_t size, const char *name)
{
	*s = (struct file_source){.fd = fd,
		.source = {.read = source_read, .size = size, .name = name, .next_data = source_data}};
}
