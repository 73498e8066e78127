/* SPDX-License-Identifier: MIT */
/*
 * The MANIFEST: a log of version edits whose sum is the state of the store, and CURRENT, which
 * names it.
 */
#ifndef VERSION_MANIFEST_H
#define VERSION_MANIFEST_H

#include "os/file.h"
#include "version/filename.h"
#include "version/version.h"

/* Reads the name in CURRENT. SST_ENOENT: no CURRENT; SST_ECORRUPT: not a MANIFEST's name (a
 * path with a slash never is). */
int current_read(int dirfd, uint64_t *manifest_number);
/* Points CURRENT at it: write NNNNNN.dbtmp, fsync, rename, fsync of the directory. */
int current_write(int dirfd, uint64_t manifest_number, mode_t mode);

/* Reads MANIFEST-number up to byte `limit` (UINT64_MAX: all) into v, tables of column family
 * `family` ("default" for NULL). What a writer that was cut off leaves at the very end, an
 * unfinished record or an atomic group that is not complete, is left out (v->file_size >
 * v->manifest_size); anything else that is wrong is SST_ECORRUPT with the offset. Checks
 * what a sound store never violates: levels < 7 (else SST_EUNSUPPORTED), bounds ordered,
 * levels 1.. not overlapping (both only under the bytewise comparator and RocksDB's reverse one;
 * whether it must be bytewise is the caller's to say), a file added twice or removed but not
 * there, required fields
 * present, no table's sequence numbers above the last sequence. SST_ENOENT: no such file, or
 * no such column family. v need not be initialised; after a failure it is empty. */
int manifest_read(int dirfd, uint64_t number, uint64_t limit, const char *family,
	struct version *v);

/* Appends one edit at *size of the open MANIFEST with one write and fdatasync; *size moves
 * on. On failure the file is cut back to *size. A file that is longer (a torn tail, or
 * another writer) is refused as SST_ECORRUPT: it is the caller that knows whether the rest
 * may be cut off. name is for messages. */
int manifest_append(int fd, uint64_t *size, const struct edit *e, const char *name);

/* Writes MANIFEST-number (O_EXCL) holding the whole state of v as one edit, synced, with its
 * directory. Does not touch CURRENT. Refuses (SST_EUNSUPPORTED) when v has other column
 * families. Sets manifest_number, manifest_size, file_size, edits, and raises next_file
 * above number. */
int manifest_create(int dirfd, uint64_t number, struct version *v, mode_t mode);

#endif
