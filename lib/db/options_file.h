/* SPDX-License-Identifier: MIT */
/*
 * What RocksDB's OPTIONS-NNNNNN file says of the merge operator of a column family. See
 * options_file.c.
 */
#ifndef DB_OPTIONS_FILE_H
#define DB_OPTIONS_FILE_H

#include "base/buf.h"

/* Those we look into are smaller. */
#define OPTIONS_FILE_MAX ((size_t)16 << 20)

struct merge_options {
	struct buf name; /* of the operator */
	bool has_delimiter;
	struct buf delimiter;
};

void merge_options_release(struct merge_options *m);
/* 0; SST_NO: it names none for that family, or is not such a file; SST_ENOMEM. m is zeroed by
 * the caller. */
int merge_options_read(struct merge_options *m, struct sst_slice text, const char *family);

#endif
