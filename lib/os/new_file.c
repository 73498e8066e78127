/* SPDX-License-Identifier: MIT */
/*
 *     create PATH.tmp (O_EXCL) -> lock it -> write -> fsync -> rename to PATH -> fsync of the directory
 *
 * Whoever writes PATH.tmp holds a lock on it until it has its final name, so a PATH.tmp without a lock is a dead
 * process's, and is removed by the next who wants that name.
 *
 *  1. PATH.tmp is removed only by one who holds its lock and has seen, with the lock held, that the name still leads
 *     to the file it has locked.
 *  2. Between creation and lock another process may come and remove it: so, after locking, its creator looks whether
 *     the name still leads to it. If not, or if the lock is somebody else's, that somebody is writing PATH: SST_EBUSY.
 */
#include "os/new_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/seq_writer.h"

struct new_file {
	char *path, *temporary;	      /* as the caller names them */
	const char *name, *temporary_name; /* the same in the directory */
	int dirfd, lockfd;
	struct seq_writer *writer;
	bool mine; /* PATH.tmp is ours to remove */
};

/* ---------------------------------------------------------------- the name */

static int set_names(struct new_file *f, const char *path)
{
	size_t n = strlen(path);
	f->path = strdup(path);
	f->temporary = malloc(n + sizeof(".tmp"));
	if (!f->path || !f->temporary)
		return fail_memory();
	snprintf(f->temporary, n + sizeof(".tmp"), "%s.tmp", path);
	const char *slash = strrchr(path, '/');
	size_t directory = slash ? (size_t)(slash + 1 - path) : 0;
	f->name = f->path + directory;
	f->temporary_name = f->temporary + directory;
	if (!*f->name)
		return fail(SST_EINVAL, "'%s' is not the name of a file", path);
	return 0;
}

static int open_directory(struct new_file *f)
{
	size_t n = (size_t)(f->name - f->path);
	char *directory = n ? strndup(f->path, n) : strdup(".");
	int rc = directory ? dir_open(&f->dirfd, directory) : fail_memory();
	free(directory);
	return rc;
}

/* What is renamed over is gone: a device or a link is nobody's table. */
static int check_target(const struct new_file *f)
{
	struct stat st;
	if (fstatat(f->dirfd, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode))
		return fail(SST_EINVAL, "cannot write '%s': it is there and not a regular file", f->path);
	return 0;
}

/* ---------------------------------------------------------------- the lock */

static int busy(const struct new_file *f)
{
	return fail(SST_EBUSY, "cannot write '%s': another process is writing '%s'", f->path, f->temporary);
}

/* Opens and locks what has the temporary name. SST_NO: there is none. */
static int lock_temporary(struct new_file *f)
{
	struct file_id held, named;
	int rc = file_open(&f->lockfd, f->dirfd, f->temporary_name, O_RDWR, 0);
	if (rc)
		return rc == SST_ENOENT ? SST_NO : rc;
	rc = lock_try(f->lockfd, 0, LOCK_EXCLUSIVE);
	if (rc)
		return rc == SST_NO ? busy(f) : rc;
	rc = file_identify(f->lockfd, &held, f->temporary);
	if (!rc)
		rc = file_identify_at(f->dirfd, f->temporary_name, &named);
	if (rc < 0)
		return rc;
	return rc || held.device != named.device || held.inode != named.inode ? busy(f) : 0;
}

static int remove_dead(struct new_file *f)
{
	int rc = lock_temporary(f);
	if (!rc)
		rc = dir_remove(f->dirfd, f->temporary_name);
	file_close(&f->lockfd);
	return rc < 0 ? rc : 0;
}

static int create(struct new_file *f)
{
	int rc = seq_writer_open(&f->writer, f->dirfd, f->temporary_name, 0666, NULL);
	if (rc)
		return fail_in(rc, "cannot write '%s'", f->path);
	rc = lock_temporary(f);
	f->mine = !rc;
	return rc == SST_NO ? busy(f) : rc;
}

/* ---------------------------------------------------------------- life */

int new_file_open(struct new_file **out, const char *path)
{
	struct new_file *f = calloc(1, sizeof(*f));
	if (!f)
		return fail_memory();
	f->dirfd = f->lockfd = -1;
	int rc = set_names(f, path);
	if (!rc)
		rc = open_directory(f);
	if (!rc)
		rc = check_target(f);
	if (!rc)
		rc = remove_dead(f);
	if (!rc)
		rc = create(f);
	if (rc)
		new_file_close(f);
	else
		*out = f;
	return rc;
}

struct sink *new_file_sink(struct new_file *f)
{
	return seq_writer_sink(f->writer);
}

const char *new_file_temporary(const struct new_file *f)
{
	return f->temporary;
}

int new_file_finish(struct new_file *f)
{
	int rc = seq_writer_finish(f->writer);
	if (!rc && renameat(f->dirfd, f->temporary_name, f->dirfd, f->name) < 0)
		rc = fail_errno("cannot rename '%s' to '%s'", f->temporary, f->path);
	if (rc)
		return fail_in(rc, "cannot write '%s'", f->path);
	f->mine = false;
	rc = dir_sync(f->dirfd);
	return rc ? fail_in(rc, "cannot write '%s'", f->path) : 0;
}

void new_file_close(struct new_file *f)
{
	if (!f)
		return;
	seq_writer_close(f->writer);
	if (f->mine)
		(void)unlinkat(f->dirfd, f->temporary_name, 0);
	file_close(&f->lockfd);
	file_close(&f->dirfd);
	free(f->path);
	free(f->temporary);
	free(f);
}
