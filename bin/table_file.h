/* SPDX-License-Identifier: MIT */
/* What the sst-* readers share: tables named on the command line, and fields of lines that are not records. */
#ifndef BIN_TABLE_FILE_H
#define BIN_TABLE_FILE_H

#include "tool.h"

/* A zeroed one can be closed. */
struct table_file {
	struct sst_table *table;
	uint8_t *bytes; /* of standard input */
};

/* Opens a table; "-" is standard input, which need not be seekable. 0 or a negative sst_status. */
int table_file_open(struct table_file *f, const char *path);
void table_file_close(struct table_file *f);

/* The message of the last failure without "cannot read 'PATH': ". */
const char *table_file_bare_message(const char *path);

/* A key as a column of a line: hex with -x, else escaped. */
void table_file_write_key(const struct tool *t, struct output *o, struct sst_slice key);
/* The member "NAME":"..." of a JSON object; bytes that are not UTF-8 as "NAME_b64". */
void table_file_write_member(struct output *o, const char *name, struct sst_slice value);
void table_file_write_number(struct output *o, const char *name, uint64_t n);

#endif
