/* SPDX-License-Identifier: MIT */
/*
 * The smallest unit-test frame that is enough: a test is a function, a failed CHECK names file and line and ends
 * the program with 1, main() calls the tests by RUN and ends with unit_done().
 */
#ifndef UNIT_H
#define UNIT_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sst.h"

static int unit_count;

#define CHECK(cond)                                                                                          \
	do {                                                                                                 \
		if (!(cond)) {                                                                               \
			fprintf(stderr, "%s:%d: failed: %s (last error: %s)\n", __FILE__, __LINE__, #cond, sst_errmsg()); \
			exit(1);                                                                             \
		}                                                                                            \
	} while (0)

#define CHECK_EQ(a, b)                                                                                       \
	do {                                                                                                 \
		uint64_t a_ = (uint64_t)(a), b_ = (uint64_t)(b);                                             \
		if (a_ != b_) {                                                                              \
			fprintf(stderr, "%s:%d: failed: %s = %" PRIx64 ", not %s = %" PRIx64 " (last error: %s)\n", __FILE__, \
				__LINE__, #a, a_, #b, b_, sst_errmsg());                                     \
			exit(1);                                                                             \
		}                                                                                            \
	} while (0)

#define RUN(test)                                                                                            \
	do {                                                                                                 \
		test();                                                                                      \
		unit_count++;                                                                                \
	} while (0)

static inline int unit_done(const char *name)
{
	printf("%s: %d tests passed\n", name, unit_count);
	return 0;
}

#endif
