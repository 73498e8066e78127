/* SPDX-License-Identifier: MIT */
/*
 * Byte locks on an open file (open-file-description locks): the kernel releases them with the process, in every PID
 * and mount namespace, however it dies; SIGSTOP keeps them. They conflict with the whole-file lock that RocksDB and
 * LevelDB take on LOCK. Each handle opens the file for itself: locks belong to the open, not to the process.
 */
#ifndef OS_LOCK_H
#define OS_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum lock_mode { LOCK_SHARED, LOCK_EXCLUSIVE };

/* Takes or changes the lock on one byte without waiting. 0; SST_NO: somebody else has it; SST_EIO. */
int lock_try(int fd, uint64_t byte, enum lock_mode mode);
void lock_drop(int fd, uint64_t byte);
/* Whether lock_try(exclusive) would be refused: 0 free, SST_NO held; *pid (may be NULL) = the holder if it is known (a
 * process-owned lock, as RocksDB's), else 0. */
int lock_test(int fd, uint64_t byte, pid_t *pid);

#endif
