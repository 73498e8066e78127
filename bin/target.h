/* SPDX-License-Identifier: MIT */
/*
 * The table that sst-build and sst-merge make: a file under -o, whole or not there at all, whatever signal comes; or
 * standard output.
 */
#ifndef BIN_TARGET_H
#define BIN_TARGET_H

#include "tool.h"

/* Opens the builder for that path, "-" or NULL being standard output, or ends the program. None of the inputs may be
 * that file. opt may be NULL. One a process. */
struct sst_builder *target_open(const char *path, char **inputs, int count, const struct sst_builder_options *opt);
/* The table made, or the end of the program. Closes b. */
void target_finish(struct sst_builder *b);
/* Says what failed and ends the program; nothing of the table is left. */
_Noreturn void target_fail(struct sst_builder *b, int rc);

#endif
