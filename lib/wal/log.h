/* SPDX-License-Identifier: MIT */
/*
 * LevelDB/RocksDB log framing, shared by WALs and MANIFESTs. Source: RocksDB db/log_format.h, log_reader.cc.
 */
#ifndef WAL_LOG_H
#define WAL_LOG_H

#include "base/buf.h"
#include "base/stream.h"

#define LOG_BLOCK_SIZE 32768
#define LOG_HEADER_SIZE 7

/* Appends to out the bytes that put `payload` as one record at file offset `offset` (anywhere: the framing
 * continues at offset mod 32768; block-end padding zeros are included). Check out with buf_check. */
void log_frame(struct buf *out, uint64_t offset, struct sst_slice payload);
/* An upper bound of what log_frame appends for a payload of n bytes. */
size_t log_frame_bound(size_t n);

enum log_end {
	LOG_END_NONE = 0, /* records may follow */
	LOG_END_CLEAN,	  /* the file ends behind a whole record (a tail of zeros counts as clean) */
	LOG_END_TORN,	  /* the file ends in an unfinished record, or in bytes no record can be made of */
};

struct log_reader {
	struct source *source;
	uint32_t log_number;   /* low 32 bits, for recyclable records */
	uint64_t offset;       /* where the next fragment header is looked for */
	uint64_t record_offset; /* where the last record given began (its first header) */
	uint64_t good_end;	/* offset behind the last whole record: where a writer may go on */
	enum log_end end;	/* set when log_reader_next has returned SST_NO */
	uint64_t bad_offset;	/* LOG_END_TORN, SST_ECORRUPT: where the trouble begins */
	uint8_t first_type;	/* type byte of the first fragment: > 4 means no plain records, do not append */
	struct buf record, block, inflated;
	uint64_t block_offset;
	int compression;	/* 0, or the type a compression record (9) named */
	void *zstd;
};

/* Reads from `offset` (0, or a value good_end had). source is borrowed. */
void log_reader_init(struct log_reader *r, struct source *source, uint64_t log_number, uint64_t offset);
void log_reader_release(struct log_reader *r);

/* 0 with *record (borrowed until the next call), SST_NO at the end (see r->end), or an error:
 * SST_ECORRUPT when a fragment is bad (checksum, length, order of fragments): *bad_offset says where, and
 * the reader does not go on by itself. SST_EUNSUPPORTED for a compression we do not have. */
int log_reader_next(struct log_reader *r, struct sst_slice *record);

/* After SST_ECORRUPT or LOG_END_TORN: is there any whole record with a right checksum behind bad_offset
 * (looked for at every block start and behind every fragment that can be stepped over)?
 * 0: yes, and the reader is positioned so that log_reader_next gives it; SST_NO: no. */
int log_reader_resync(struct log_reader *r);

#endif
