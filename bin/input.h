/* SPDX-License-Identifier: MIT */
/* Descriptors that are read from: files named on the command line and standard input. */
#ifndef BIN_INPUT_H
#define BIN_INPUT_H

#include "sst.h"

/* "-" is standard input; it need not be seekable. 0, or an error whose message names the path.
 */
int input_open(int *fd, const char *path);
/* Leaves standard input open. */
void input_close(int fd);
/* What messages call it: the path, or "standard input". */
const char *input_name(const char *path);

/* One read, of at most `room` bytes: *n of them, 0 at the end. Waits as long as it takes.
 * SST_EIO. */
int input_read(int fd, const char *name, void *p, size_t room, size_t *n);
/* Everything up to the end, borrowed until the next call. More than max bytes are SST_EINVAL.
 */
int input_read_all(int fd, const char *name, size_t max, struct sst_slice *out);

#endif
