/* SPDX-License-Identifier: MIT */
/*
 * A version: the sum of a MANIFEST's edits, and the builder that adds them up.
 */
#ifndef VERSION_VERSION_H
#define VERSION_VERSION_H

#include "version/edit.h"

#define BYTEWISE_COMPARATOR "leveldb.BytewiseComparator"
#define REVERSE_COMPARATOR "rocksdb.ReverseBytewiseComparator"

/* Numbers of files: RocksDB keeps two bits of the 64 for the path. */
#define FILE_NUMBER_MAX ((UINT64_C(1) << 62) - 1)

struct family {
	uint32_t id;
	struct buf name, comparator;
	uint64_t log_number;
	uint64_t tables; /* how many */
};

/* A blob file of the chosen column family; when all its blobs are garbage no table needs it. */
struct blob_meta {
	uint64_t number, count, garbage;
};

struct version {
	uint64_t manifest_number;
	uint64_t manifest_size; /* bytes of whole edits: where the next one goes */
	uint64_t file_size;	/* as found, or the limit: larger when a torn tail follows */
	uint64_t edits;		/* number of records read */
	uint64_t log_number;	/* of the chosen column family */
	uint64_t prev_log_number; /* another WAL that counts (old LevelDBs); 0: none */
	uint64_t min_log_number, next_file, last_sequence, epoch_max;
	/* No tag that LevelDB does not know: LevelDB wrote it, or an older RocksDB (6.17 and 7.8
	 * do) that has not made a table yet. Never one of ours. */
	bool leveldb;
	uint32_t family;	 /* id of the chosen column family */
	struct family *families; /* [0] is the default one, then by id; without dropped ones */
	size_t family_count;
	/* Of the chosen column family; by level; level 0 newest first, others by key. */
	struct table_meta *tables;
	size_t table_count;
	struct blob_meta *blobs; /* by number */
	size_t blob_count, blob_cap;
	uint64_t foreign_tables; /* tables of other families (they are left alone) */
	struct buf foreign;	 /* fields to keep when the MANIFEST is rewritten */
};

/* The version of a new store: nothing but the default column family, bytewise. v need not be
 * initialised. */
int version_init(struct version *v);
void version_release(struct version *v);

/* Adds the edit's effect to v (as manifest_read does for each record); takes the tables out
 * of e. After a failure v is good for version_release only. */
int version_apply(struct version *v, struct edit *e);

/* NULL when there is none. */
struct family *version_family(const struct version *v, uint32_t id);
/* Is its order memcmp's? A comparator without a name is LevelDB's default, the bytewise one. */
bool family_is_bytewise(const struct family *f);
bool family_is_reverse(const struct family *f); /* memcmp's backwards */

/*
 * Adding up many edits: O(n log n) for n tables whatever the numbers in them.
 *
 * The builder only notes who adds and removes what, and resolves the notes, sorted by table
 * number, at the end and whenever half of the tables it holds may be dead. It is for one use:
 * builder_init to builder_release.
 */
struct change;

struct builder {
	struct version *v;
	const char *wanted; /* name of the column family */
	bool has_family;    /* v->family is known */
	bool has_log_number, has_next_file, has_last_sequence;
	struct table_meta *metas;
	size_t meta_count, meta_cap;
	struct change *changes;
	size_t change_count, change_cap;
};

/* v: zeroed, or an earlier version, whose tables move into the builder. */
int builder_init(struct builder *b, struct version *v, const char *family);
void builder_release(struct builder *b);
/* at: offset of the edit in the MANIFEST, for messages; must rise from edit to edit. */
int builder_add(struct builder *b, struct edit *e, uint64_t at);
/* Completes v: its tables sorted and checked. SST_ENOENT: no such column family. */
int builder_finish(struct builder *b);

#endif
