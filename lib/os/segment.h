/* SPDX-License-Identifier: MIT */
/*
 * Shared memory segments: files in /dev/shm (or, where that has no room, dotted files in the store directory),
 * mapped whole, backed piece by piece. Only what was committed may be touched: posix_fallocate turns a full
 * /dev/shm into an error here instead of a SIGBUS there.
 *
 * Whoever may write the file may also cut it short under those who have it mapped, and nothing in the kernel forbids it
 * (seals are for files without a name). Looking at the size now and then (segment_cut) finds that out in time
 * for most; for the rest the programs catch SIGBUS.
 */
#ifndef OS_SEGMENT_H
#define OS_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct segment {
	uint8_t *base; /* NULL: not mapped */
	uint64_t size; /* bytes mapped = size of the file, backed or not */
	int fd;	       /* -1 for an anonymous one */
	uint64_t device, inode;
	bool read_only;
};

/* A descriptor of the directory for segments, /dev/shm; SST_ENOENT where there is none. */
int segment_dir(int *dirfd);

/* Creates NAME (O_EXCL) of `size` bytes, of which the first `commit` are backed and zero, and maps it. Mode and owner
 * are set exactly, not by the umask (uid or gid -1: left). Nothing is left behind on failure. SST_EFULL: no room. */
int segment_create(struct segment *s, int dirfd, const char *name, uint64_t size, uint64_t commit, mode_t mode,
	uid_t uid, gid_t gid);
/* Private memory of this process with the same interface. */
int segment_anonymous(struct segment *s, uint64_t size);
/* Opens and maps what is there, if it is a regular file of at least `size_min` bytes. SST_NO: no such file (no message).
 * The caller checks device, inode and content. */
int segment_open(struct segment *s, int dirfd, const char *name, uint64_t size_min, bool read_only);
/* The same without mapping it; segment_map() can follow. */
int segment_find(struct segment *s, int dirfd, const char *name, uint64_t size_min, bool read_only);
int segment_map(struct segment *s);
/* Reads n bytes at offset of one that is or is not mapped (but is no anonymous one). */
int segment_read(const struct segment *s, uint64_t offset, void *to, size_t n);
/* Writes to a committed part of one that is not anonymous. Mappings show it at once. */
int segment_write(const struct segment *s, uint64_t offset, const void *from, size_t n);
/* Backs bytes [from, to). SST_EFULL when there is no room; SST_ECORRUPT when the file has been cut short.
 * REQUIRES: to <= s->size. */
int segment_commit(struct segment *s, uint64_t from, uint64_t to);
/* Asks for huge pages for [from, to) of a committed part, and for its page tables to be filled at once rather than by one
 * fault a page: hints. */
void segment_warm(struct segment *s, uint64_t from, uint64_t to);
/* Has the file lost its name (removed by RemoveIPC, a cleaner, a rebuild)? */
bool segment_unlinked(const struct segment *s);
/* Has it lost bytes that are mapped? Touching those would be a SIGBUS. */
bool segment_cut(const struct segment *s);
void segment_close(struct segment *s); /* accepts a zeroed one */

#endif
