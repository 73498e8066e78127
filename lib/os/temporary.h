/* SPDX-License-Identifier: MIT */
/* Files without a name, which are gone when they are closed. */
#ifndef OS_TEMPORARY_H
#define OS_TEMPORARY_H

/* A new one in that directory, to be read and written; *fd is for file_close. */
int temporary_open(int *fd, const char *directory);

#endif
