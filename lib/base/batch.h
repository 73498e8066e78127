/* SPDX-License-Identifier: MIT */
/*
 * Write batch: the payload of one WAL record.
 *
 *     sequence:8  count:4  { type:1 [varint column family] slice key [slice value] } * count
 *
 * The i-th counted operation has sequence + i; log data (3) and no-ops (13) do not count. Source: RocksDB
 * db/write_batch.cc.
 */
#ifndef BASE_BATCH_H
#define BASE_BATCH_H

#include "base/ikey.h"

#define BATCH_HEADER_SIZE 12

/* Building: rep is the encoded batch. A zeroed one is ready after batch_clear. */
struct batch {
	struct buf rep;
	uint32_t count;
};

void batch_clear(struct batch *b);
void batch_release(struct batch *b);
void batch_put(struct batch *b, struct sst_slice key, struct sst_slice value);
void batch_delete(struct batch *b, struct sst_slice key);
/* Bytes that travel in the log and change nothing. */
void batch_log_data(struct batch *b, struct sst_slice blob);
/* Stores the first sequence number and the count into rep's header. REQUIRES: buf_check(&b->rep) == 0. */
void batch_seal(struct batch *b, uint64_t sequence);

/* Reading. */
struct batch_op {
	uint8_t type;		  /* without the column family forms: TYPE_CF_VALUE is given as TYPE_VALUE */
	uint32_t column_family;	  /* 0 = default */
	uint64_t sequence;	  /* of this operation; for log data that of the next */
	struct sst_slice key, value; /* borrowed from the record. log data: value; range deletion: begin, end */
};

struct batch_iter {
	struct sst_slice in;
	uint64_t sequence;
	uint32_t count, seen;
};

/* SST_ECORRUPT when the record is shorter than its header or its sequence is out of range. */
int batch_iter_init(struct batch_iter *it, struct sst_slice record);
/* 0 with the next operation, SST_NO at a proper end. SST_ECORRUPT: malformed, or the count is not what the
 * header says. SST_EUNSUPPORTED: two-phase commit markers and types we do not know, named. */
int batch_iter_next(struct batch_iter *it, struct batch_op *op);

#endif
