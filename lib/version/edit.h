/* SPDX-License-Identifier: MIT */
/*
 * VersionEdit: one record of a MANIFEST, a sequence of tagged fields. Source: RocksDB
 * db/version_edit.cc; the page is lsm-manifest(5).
 */
#ifndef VERSION_EDIT_H
#define VERSION_EDIT_H

#include "base/ikey.h"

#define LEVELS_MAX 7

/* A table as the MANIFEST knows it. Keys are internal keys, owned. */
struct table_meta {
	uint64_t number, size;
	unsigned level;
	/* false: LevelDB's tag 7, or RocksDB's "unknown" for a table taken over from LevelDB */
	bool has_sequences;
	uint64_t smallest_sequence, largest_sequence; /* 0 without has_sequences */
	uint64_t epoch; /* 0: absent */
	struct buf smallest, largest;
	/* Custom fields { varint tag, slice }* other than the epoch, as found, so that a rewrite
	 * keeps them. */
	struct buf extra;
};

void table_meta_release(struct table_meta *m);

/* RocksDB's integrated BlobDB: a blob file is there, or more of its blobs are garbage. */
struct blob_change {
	uint64_t number, count, bytes;
	bool garbage;
};

struct edit {
	uint32_t column_family; /* 0 = default */
	bool add_family, drop_family;
	struct buf family_name;	 /* with add_family */
	bool has_comparator, has_log_number, has_next_file, has_last_sequence;
	bool has_min_log_number, has_max_family;
	struct buf comparator;
	uint64_t log_number, next_file, last_sequence, min_log_number;
	uint64_t prev_log_number; /* a second WAL that counts, in old LevelDBs; 0: none */
	uint32_t max_family;
	struct table_meta *added; /* array of added_count */
	size_t added_count, added_cap;
	struct {
		unsigned level;
		uint64_t number;
	} *removed;
	size_t removed_count, removed_cap;
	struct blob_change *blobs;
	size_t blob_count, blob_cap;
	struct buf foreign; /* 8192 + n fields, kept as found (db id, WAL tracking) */
	bool leveldb_only;  /* decoding: only tags LevelDB knows were seen */
	uint64_t atomic_remaining; /* tag 300 */
	bool in_atomic_group;
};

void edit_release(struct edit *e); /* and ready for use again */
/* Makes room for one more added table and returns it zeroed (but for its level); NULL: no
 * memory. */
struct table_meta *edit_add_table(struct edit *e, unsigned level);
int edit_remove_table(struct edit *e, unsigned level, uint64_t number);

/* Appends the record. buf_check out. A table of which nothing is known that LevelDB does not
 * know goes out as tag 7, every other as 103. */
void edit_encode(const struct edit *e, struct buf *out);
/* SST_ECORRUPT (malformed: says which tag), SST_EUNSUPPORTED (unknown tags that may not
 * be skipped). Accepts a zeroed or released edit. */
int edit_decode(struct edit *e, struct sst_slice record);

#endif
