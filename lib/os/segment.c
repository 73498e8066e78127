/* SPDX-License-Identifier: MIT */
#include "os/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "os/file.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

int segment_dir(int *dirfd)
{
	*dirfd = open("/dev/shm", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *dirfd < 0 ? fail_errno("cannot open /dev/shm") : 0;
}

int segment_map(struct segment *s)
{
	int prot = s->read_only ? PROT_READ : PROT_READ | PROT_WRITE;
	void *p = mmap(NULL, s->size, prot, MAP_SHARED, s->fd, 0);
	if (p == MAP_FAILED)
		return fail_errno("cannot map a segment of %llu bytes", (unsigned long long)s->size);
	s->base = p;
	return 0;
}

static int commit(int fd, uint64_t from, uint64_t to)
{
	int e;
	do
		e = posix_fallocate(fd, (off_t)from, (off_t)(to - from));
	while (e == EINTR);
	if (!e)
		return 0;
	errno = e;
	return fail_errno("no room for %llu bytes of shared memory", (unsigned long long)(to - from));
}

static int create_steps(struct segment *s, const char *name, uint64_t committed, mode_t mode, uid_t uid, gid_t gid)
{
	struct file_id id;
	if (fchmod(s->fd, mode) < 0)
		return fail_errno("cannot set the mode of segment '%s'", name);
	/* Not being allowed to give it away is no failure: it stays ours. */
	if ((uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(s->fd, uid, gid) < 0 && errno != EPERM)
		return fail_errno("cannot set the owner of segment '%s'", name);
	int rc = file_truncate(s->fd, s->size, name);
	if (!rc)
		rc = commit(s->fd, 0, committed);
	if (!rc)
		rc = file_identify(s->fd, &id, name);
	if (rc)
		return rc;
	s->device = id.device;
	s->inode = id.inode;
	return segment_map(s);
}

int segment_create(struct segment *s, int dirfd, const char *name, uint64_t size, uint64_t committed, mode_t mode,
	uid_t uid, gid_t gid)
{
	*s = (struct segment){.fd = -1, .size = size};
	int rc = file_open(&s->fd, dirfd, name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (rc)
		return rc;
	rc = create_steps(s, name, committed, mode, uid, gid);
	if (rc) {
		segment_close(s);
		dir_remove(dirfd, name);
	}
	return rc;
}

int segment_anonymous(struct segment *s, uint64_t size)
{
	*s = (struct segment){.fd = -1, .size = size};
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return fail_errno("cannot map %llu bytes", (unsigned long long)size);
	s->base = p;
	return 0;
}

int segment_find(struct segment *s, int dirfd, const char *name, uint64_t size_min, bool read_only)
{
	*s = (struct segment){.fd = -1, .read_only = read_only};
	struct file_id id;
	int rc = file_open_id(&s->fd, &id, dirfd, name, read_only ? O_RDONLY : O_RDWR, 0);
	if (rc)
		return rc == SST_ENOENT ? SST_NO : rc;
	if (id.size < size_min || id.size > INT64_MAX) {
		segment_close(s);
		return fail(SST_ECORRUPT, "segment '%s' has %llu bytes, less than %llu", name, (unsigned long long)id.size,
			(unsigned long long)size_min);
	}
	s->size = id.size;
	s->device = id.device;
	s->inode = id.inode;
	return 0;
}

int segment_open(struct segment *s, int dirfd, const char *name, uint64_t size_min, bool read_only)
{
	int rc = segment_find(s, dirfd, name, size_min, read_only);
	if (!rc)
		rc = segment_map(s);
	if (rc)
		segment_close(s);
	return rc;
}

int segment_read(const struct segment *s, uint64_t offset, void *to, size_t n)
{
	return file_read(s->fd, offset, to, n, "segment");
}

int segment_write(const struct segment *s, uint64_t offset, const void *from, size_t n)
{
	return file_write(s->fd, offset, from, n, "segment");
}

bool segment_cut(const struct segment *s)
{
	struct stat st;
	return s->fd >= 0 && fstat(s->fd, &st) == 0 && (uint64_t)st.st_size < s->size;
}

int segment_commit(struct segment *s, uint64_t from, uint64_t to)
{
	/* Backing what is behind a cut would fill the hole with zeros, which look like an empty tree. */
	if (segment_cut(s))
		return fail(SST_ECORRUPT, "segment was cut short");
	return s->fd < 0 ? 0 : commit(s->fd, from, to);
}

void segment_warm(struct segment *s, uint64_t from, uint64_t to)
{
	(void)madvise(s->base + from, to - from, MADV_COLLAPSE);
	(void)madvise(s->base + from, to - from, MADV_POPULATE_WRITE);
}

bool segment_unlinked(const struct segment *s)
{
	struct stat st;
	return s->fd >= 0 && fstat(s->fd, &st) == 0 && st.st_nlink == 0;
}

void segment_close(struct segment *s)
{
	if (s->base) {
		munmap(s->base, s->size);
		file_close(&s->fd);
	} else if (s->fd > 0) {
		file_close(&s->fd);
	}
	*s = (struct segment){.fd = -1};
}
