/* SPDX-License-Identifier: MIT */
/* Which write-ahead logs of a directory count: all from the MANIFEST's log number on, in the order of their numbers. */
#ifndef DB_LOGS_H
#define DB_LOGS_H

#include "db/store.h"

struct logs {
	uint64_t *numbers; /* ascending */
	size_t count, cap;
	uint64_t bytes;	  /* of all together; of large ones without holes */
	uint64_t largest; /* number of any file in the directory */
	uint64_t minimum, previous; /* what counts: >= minimum, and one old LevelDBs name besides (0: none) */
	uint64_t torn; /* while they are replayed: the log before this one, if its end is torn; else 0 */
	int dirfd;
};

int logs_find(struct lsm *db, const struct version *v, struct logs *l);
void logs_release(struct logs *l);

#endif
