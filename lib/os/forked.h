/* SPDX-License-Identifier: MIT */
/*
 * Which process of a line of fork(2)s is this? A child shares the open files of its parent, and with them its byte locks:
 * whoever holds such locks must be able to tell the two apart, and at the price of a load, not of a getpid(2).
 */
#ifndef OS_FORKED_H
#define OS_FORKED_H

/* How many forks, since this was first called in one of them, lie between that process and this one. Children that do
 * not come from fork(3) itself (vfork, posix_spawn, a bare clone) are not counted. */
unsigned process_forks(void);

#endif
