/* SPDX-License-Identifier: MIT */
/*
 * Files of a store, always named relative to an open directory, and what must be done to make them last.
 *
 * Every call here retries EINTR, finishes short reads and writes, opens with O_CLOEXEC and (inside a
 * store: dirfd is not AT_FDCWD) O_NOFOLLOW, and
 * refuses what is not a regular file (a FIFO or device in the place of a store file can neither hang nor
 * mislead us). Failures carry a message that names the file.
 */
#ifndef OS_FILE_H
#define OS_FILE_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/stream.h"

struct file_id {
	uint64_t device, inode;
	uint64_t birth_ns; /* 0 where the file system has none */
	uint64_t size;
	uint64_t mtime_ns;
};

/* Opens; *fd is a descriptor to close with file_close. Flags as of open(2): O_RDONLY, O_RDWR, plus O_CREAT |
 * O_EXCL, O_DIRECT. A created file gets `mode` (with the umask). SST_ENOENT, SST_EIO, SST_EFULL. */
int file_open(int *fd, int dirfd, const char *name, int flags, mode_t mode);
int file_open_id(int *fd, struct file_id *id, int dirfd, const char *name, int flags, mode_t mode); /* and file_identify */
void file_close(int *fd); /* accepts -1; sets -1 */

/* name is for the message only. A file that ends early is SST_ECORRUPT. */
int file_read(int fd, uint64_t offset, void *buf, size_t n, const char *name);
/* The first offset from `offset` on that is not in a hole, as far as the file system tells; at most size. */
uint64_t file_next_data(int fd, uint64_t offset, uint64_t size);
/* How many of the first `size` bytes of a file are not in holes; size, when that is not to be had. */
uint64_t file_data_bytes(int dirfd, const char *name, uint64_t size);
int file_write(int fd, uint64_t offset, const void *buf, size_t n, const char *name);
int file_truncate(int fd, uint64_t size, const char *name);
int file_sync(int fd, const char *name);	 /* fsync */
int file_sync_data(int fd, const char *name);	 /* fdatasync */
/* Starts writing back what is dirty without waiting for it; a hint, so it cannot fail. */
void file_write_back(int fd, uint64_t offset, uint64_t n);
int file_identify(int fd, struct file_id *id, const char *name);
/* By name; SST_NO (no message) when there is none. */
int file_identify_at(int dirfd, const char *name, struct file_id *id);

/* Who may do what with a file. */
struct file_access {
	mode_t mode; /* permission bits */
	uid_t uid;
	gid_t gid;
};
int file_access(int fd, struct file_access *a, const char *name); /* of a directory, too */
/* Sets exactly these permission bits, if they are ours to set. */
void file_set_mode(int fd, mode_t mode);
bool process_is_root(void);
int process_id(void);
size_t file_limit(void); /* how many files this process may have open */
/* The command of a process of this PID namespace into name; "" when there is none such. */
#define PROCESS_NAME_MAX 32
char *process_name(char name[PROCESS_NAME_MAX], int pid);
int file_give(int fd, uid_t uid, gid_t gid, const char *name);

/* Whole small files; larger than max bytes is SST_ECORRUPT. SST_NO when there is none. */
int file_read_all(int dirfd, const char *name, struct buf *out, size_t max);
/* write NAME.tmpname, fsync, rename over NAME, fsync directory: after a crash NAME is old or new, whole. */
int file_replace(int dirfd, const char *name, const char *temporary, struct sst_slice content, mode_t mode);

int dir_open(int *fd, const char *path);
/* Its absolute path; "" when it is not to be had or longer than max - 1 bytes. */
void dir_path(int dirfd, char *path, size_t max);
/* A number for this process's view of the file system, its mount namespace and its root: paths mean the same where it is the
 * same. 0: unknown. */
uint64_t path_space(void);
/* Is it on a file system of another machine, whose locks and shared memory do not reach here? Sets *name to its name. */
bool dir_is_remote(int dirfd, const char **name);
int dir_make(const char *path); /* mkdir and sync of the parent; SST_NO when it exists already */
int dir_sync(int dirfd);
/* SST_NO when it was not there. */
int dir_remove(int dirfd, const char *name);
/* Calls each(arg, name) for every entry but . and ..; stops at the first non-zero result and returns it. */
int dir_list(int dirfd, int (*each)(void *arg, const char *name), void *arg);

/* A source over an open file. Takes neither the descriptor nor name: both must outlive it. */
struct file_source {
	struct source source;
	int fd;
};
void file_source_init(struct file_source *s, int fd, uint64_t size, const char *name);

#endif
