/* SPDX-License-Identifier: MIT */
/*
 * The sequential writer: a sink that streams one new file to the disk with io_uring: registered aligned
 * buffers, O_DIRECT where the file system takes it, several writes in flight. Where io_uring is refused the same
 * pipeline runs over pwrite and the page cache. Used by the flush and by every other builder of tables.
 */
#ifndef OS_SEQ_WRITER_H
#define OS_SEQ_WRITER_H

#include <sys/types.h>

#include "base/stream.h"

struct seq_writer;

struct seq_writer_options {
	uint64_t expected_size; /* preallocate this much (a hint; 0: none); what is not used is given back */
	bool no_uring;		/* pwrite only */
	bool no_direct;		/* page cache only */
	unsigned depth;		/* buffers of 1 MiB = writes in flight; 0: the default, 8; at most 64. Fewer are
				 * used when expected_size is small */
};

/* Creates `name` in dirfd (O_CREAT | O_EXCL, mode with the umask). opt may be NULL. After a failure there is no
 * such file, unless it was there before. */
int seq_writer_open(struct seq_writer **out, int dirfd, const char *name, mode_t mode,
	const struct seq_writer_options *opt);
/* Borrowed; lives as long as w. */
struct sink *seq_writer_sink(struct seq_writer *w);
/* "io_uring, O_DIRECT", "pwrite (io_uring: Operation not permitted), buffered": for -v. Borrowed. */
const char *seq_writer_mode(struct seq_writer *w);
/* Writes what is buffered, waits for every write, cuts the file to its true size, fsyncs it. The directory is
 * the caller's to sync. 0, or the first error of any write; the file is then to be removed. w stays to be closed.
 * To be called once; nothing can be written afterwards. */
int seq_writer_finish(struct seq_writer *w);
/* Waits for writes still in flight (the kernel must be done with our buffers), closes. Does not unlink. NULL ok. */
void seq_writer_close(struct seq_writer *w);

#endif
