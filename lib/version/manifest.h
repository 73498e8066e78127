/* SPDX-License-Identifier: MIT */
/*
 * The MANIFEST: a log of version edits whose sum is the state of the store, and CURRENT, which names it.
 */
#ifndef VERSION_MANIFEST_H
#define VERSION_MANIFEST_H

#include "os/file.h"
#include "version/edit.h"
#include "version/filename.h"

struct family {
	uint32_t id;
	struct buf name, comparator;
	bool dropped;
	uint64_t log_number;
};

/* The sum of a MANIFEST's edits. */
struct version {
	uint64_t manifest_number;
	uint64_t manifest_size; /* bytes of whole edits read or written: where the next one goes */
	uint64_t file_size;	/* as found: > manifest_size when a torn tail follows */
	uint64_t edits;		/* number of records read */
	uint64_t log_number, min_log_number, next_file, last_sequence, epoch_max;
	bool leveldb;		/* no tag that LevelDB does not know, and at least one tag 7 or no table at all */
	struct family *families; /* [0] is the default one */
	size_t family_count;
	struct table_meta *tables; /* of the chosen column family; by level; level 0 newest first, others by key */
	size_t table_count;
	uint64_t foreign_tables;  /* tables of other families (they are left alone) */
	struct buf foreign;	  /* fields to keep when the MANIFEST is rewritten */
};

void version_release(struct version *v);

/* Reads the name in CURRENT. SST_ENOENT: no CURRENT; SST_ECORRUPT: not a MANIFEST's name (a path with a
 * slash never is). */
int current_read(int dirfd, uint64_t *manifest_number);
/* Points CURRENT at it: write NNNNNN.dbtmp, fsync, rename, fsync of the directory. */
int current_write(int dirfd, uint64_t manifest_number, mode_t mode);

/* Reads MANIFEST-number up to byte `limit` (UINT64_MAX: all) into v, tables of column family `family` ("default"
 * for NULL). An unfinished record at the very end is left out (v->file_size > v->manifest_size); anything else
 * that is wrong is SST_ECORRUPT with the offset. Checks what a sound store never violates: known comparator is
 * not required (see families[0].comparator); levels < 7; bounds ordered; levels 1.. not overlapping; a file
 * added twice or removed but not there; required fields present. SST_ENOENT: no such file. */
int manifest_read(int dirfd, uint64_t number, uint64_t limit, const char *family, struct version *v);

/* Adds the edit's effect to v (as manifest_read does for each record). */
int version_apply(struct version *v, struct edit *e);

/* Appends one edit at *size of the open MANIFEST with one write and fdatasync; *size moves on. On failure the
 * file is cut back to *size. */
int manifest_append(int fd, uint64_t *size, const struct edit *e, const char *name);

/* Writes MANIFEST-number (O_EXCL) holding the whole state of v as one edit, synced, with its directory. Does not
 * touch CURRENT. Refuses (SST_EUNSUPPORTED) when v has other column families. Sets manifest_number, _size. */
int manifest_create(int dirfd, uint64_t number, struct version *v, mode_t mode);

#endif
