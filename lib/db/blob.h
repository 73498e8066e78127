/* SPDX-License-Identifier: MIT */
/* Values in blob files (RocksDB's integrated BlobDB). See blob.c. */
#ifndef DB_BLOB_H
#define DB_BLOB_H

#include "base/stream.h"
#include "table/decompress.h"

/* The value of an entry of type 17. */
struct blob_index {
	uint64_t file, offset, size; /* where the stored value lies */
	uint8_t compression;
};

/* SST_ECORRUPT, or SST_EUNSUPPORTED: a value with a time to live, or in a table. */
int blob_index_decode(struct blob_index *b, struct sst_slice value);

/* What its header says. */
struct blob_file {
	struct source *source;
	uint32_t family;
	uint8_t compression;
};

/* Reads header and footer. source is borrowed as long as f is used. Messages are whole. */
int blob_file_open(struct blob_file *f, struct source *source, uint32_t family);
/* Replaces out with the value. REQUIRES: d is of DIALECT_ROCKSDB. record: memory of the caller's,
 * kept from call to call. */
int blob_file_read(const struct blob_file *f, const struct blob_index *b, struct sst_slice user_key,
	struct decompressor *d, struct buf *record, struct buf *out);

#endif
