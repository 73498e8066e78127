/* SPDX-License-Identifier: MIT */
/*
 * How a failure travels: as a negative `enum sst_status` returned from function to function, and as one
 * line of text, made once where the failure starts and kept per thread. Callers on the way up may put
 * what they know (a file name) in front of it; nobody prints.
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include "sst.h"

/* Sets this thread's message; returns code. The one place where a failure is born: break here. */
int fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3), cold));

/* The same with ": strerror(errno)" behind it, and the code that errno stands for (SST_EFULL for ENOSPC and
 * EDQUOT, SST_ENOMEM, SST_ENOENT, SST_EBUSY for EAGAIN, otherwise SST_EIO). */
int fail_errno(const char *fmt, ...) __attribute__((format(printf, 1, 2), cold));

/* Puts "text: " in front of the message; returns code, so that `return fail_in(rc, "...")` reads well. */
int fail_in(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3), cold));

/* The same about an entry: "key 'abc\x00': text". Keys are cut to a readable length. */
int fail_key(int code, struct sst_slice key, const char *fmt, ...) __attribute__((format(printf, 3, 4), cold));

/* SST_ENOMEM with its message. */
int fail_memory(void) __attribute__((cold));

#endif
