/* SPDX-License-Identifier: MIT */
/*
 * A file that comes into being whole: written as PATH.tmp by the sequential writer, renamed to PATH when all of it
 * is on the disk. At no moment is there a PATH that is not whole, whoever is killed when.
 */
#ifndef OS_NEW_FILE_H
#define OS_NEW_FILE_H

#include "base/stream.h"

struct new_file;

/* Creates PATH.tmp, with the mode the umask leaves of 0666. One that a killed process left behind is replaced.
 * SST_EBUSY: another process is writing it. SST_EINVAL: PATH is there and no regular file. */
int new_file_open(struct new_file **out, const char *path);
struct sink *new_file_sink(struct new_file *f); /* borrowed; lives as long as f */
const char *new_file_temporary(const struct new_file *f); /* the path that is written to; borrowed */
/* Once: everything on the disk, the name PATH, the directory on the disk. After a failure PATH is what it was, but
 * for one of the last step. */
int new_file_finish(struct new_file *f);
/* Removes PATH.tmp when new_file_finish has not succeeded. Accepts NULL. */
void new_file_close(struct new_file *f);

#endif
