/* SPDX-License-Identifier: MIT */
/*
 * Recorded histories of a store, and the two judges of them.
 *
 * A history is text, one operation a line, in any order, closed by a line `end`:
 *
 *     PROCESS INVOKED ANSWERED SEQUENCE VERB KEY=VALUE...
 *
 *     write    a put, delete or batch; SEQUENCE is that of its first change
 *     create   the same with LSM_NO_CLOBBER, which found all its keys absent
 *     refused  the same, which found one of them there and wrote nothing
 *     get      one key
 *     scan     SEQUENCE is its snapshot; every key of its range
 *
 * Keys are small numbers, VALUE is a number above 0 that no other operation writes, or `-`: absent, or deleted. INVOKED and
 * ANSWERED are times of one clock for all processes; an operation precedes another when it is answered before that is
 * invoked. `~TIME` for ANSWERED: the process was killed then, without an answer, and the write may have happened or not;
 * no two processes die at the same time. SEQUENCE is 0 where there is none, or none is known. The store is empty at the
 * beginning and its first change has the number 1.
 */
#ifndef CHECK_HISTORY_H
#define CHECK_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYS_MAX 256

enum verb { VERB_WRITE, VERB_CREATE, VERB_REFUSED, VERB_GET, VERB_SCAN };
static const char *const verb_names[] = {"write", "create", "refused", "get", "scan"};

struct pair {
	uint32_t key;
	uint64_t value; /* 0: absent */
};

struct op {
	enum verb verb;
	unsigned process;
	bool died;
	uint64_t invoked, answered, sequence;
	size_t first, count; /* of its pairs */
	uint64_t line;
	size_t point; /* check_order's: how many writes it has seen, its own included */
};

struct history {
	struct op *ops;
	size_t count, cap;
	struct pair *pairs;
	size_t pair_count, pair_cap;
	uint64_t left_open; /* keys that check_keys could not follow to their end */
};

static inline bool op_writes(const struct op *o)
{
	return o->verb == VERB_WRITE || o->verb == VERB_CREATE;
}

/* Beginnings and ends in the order of time; a beginning comes before an end at the same time. */
struct moment {
	uint64_t time;
	bool end;
	size_t op;
};
int moment_cmp(const void *a, const void *b);

/* Says what is wrong, and about which operations (b may be NULL); returns false. */
bool wrong(const struct history *h, const struct op *a, const struct op *b, const char *what);
void *need(void *p); /* exits when there is no memory */

bool check_order(struct history *h); /* check_order.c */
bool check_keys(struct history *h);  /* check_keys.c */

#endif
