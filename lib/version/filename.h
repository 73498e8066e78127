/* SPDX-License-Identifier: MIT */
/* Names of the files in a store: NNNNNN decimal, zero-padded to at least six digits. */
#ifndef VERSION_FILENAME_H
#define VERSION_FILENAME_H

#include <stdbool.h>
#include <stdint.h>

enum file_kind {
	FILE_OTHER = 0,
	FILE_TABLE,
	FILE_TABLE_LDB,
	FILE_WAL,
	FILE_MANIFEST,
	FILE_TEMPORARY,
	FILE_BLOB,
	FILE_OPTIONS,
};

#define FILE_NAME_MAX 32

/* Writes the name of a table (.sst, .ldb), WAL (.log), MANIFEST or temporary (.dbtmp) into
 * name; returns it. */
char *file_name(char name[FILE_NAME_MAX], enum file_kind kind, uint64_t number);
/* What a name stands for; FILE_OTHER for a stranger's (number then 0). "12.sst" is table 12,
 * as for RocksDB. */
enum file_kind file_name_parse(const char *name, uint64_t *number);

/* For qsort and bsearch of file numbers (uint64_t), ascending. */
int file_number_cmp(const void *a, const void *b);

#endif
