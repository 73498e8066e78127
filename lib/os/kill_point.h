/* SPDX-License-Identifier: MIT */
/*
 * Kill points: named places where a test build (-DLSM_TESTING) can be made to die by SIGKILL, to show that whoever
 * comes next finds a store that works and misses nothing. Nothing is left of them in any other build.
 *
 *     LSM_KILL=put-logged:2    die at the second passage of that point
 *     LSM_KILL=*:17            die at the 17th passage of any
 *     LSM_STOP=...             the same, but SIGSTOP
 *     LSM_POINTS=FILE          append the name of every point passed to FILE
 */
#ifndef OS_KILL_POINT_H
#define OS_KILL_POINT_H

#include <stdbool.h>

#ifdef LSM_TESTING
void kill_point(const char *name);
/* Counts a passage and says whether this is the one to die at, for points that do something half first. */
bool kill_point_due(const char *name);
void kill_now(void);
#define KILL_POINT(name) kill_point(name)
#else
#define KILL_POINT(name) ((void)0)
#endif

#endif
