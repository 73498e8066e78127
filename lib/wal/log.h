/* SPDX-License-Identifier: MIT */
/*
 * LevelDB/RocksDB log framing, shared by WALs and MANIFESTs. Source: RocksDB db/log_format.h,
 * log_reader.cc.
 *
 *     file     = block of 32768 bytes *
 *     block    = fragment * zeros where fewer than 7 bytes are left
 *     fragment = crc:4 (masked crc32c of type and payload)  length:2  type:1  payload
 *
 * A record is one FULL fragment, or FIRST, MIDDLE *, LAST.
 */
#ifndef WAL_LOG_H
#define WAL_LOG_H

#include "base/buf.h"
#include "base/stream.h"

#define LOG_BLOCK_SIZE 32768
#define LOG_HEADER_SIZE 7

/* Appends to out the bytes that put `payload` as one record at file offset `offset`
 * (anywhere: the framing continues at offset mod 32768; block-end padding zeros are
 * included). Check out with buf_check. */
void log_frame(struct buf *out, uint64_t offset, struct sst_slice payload);
/* An upper bound of what log_frame appends for a payload of n bytes. */
size_t log_frame_bound(size_t n);

enum log_end {
	LOG_END_NONE = 0, /* records may follow */
	LOG_END_CLEAN,	  /* the file ends behind a whole record (zeros may follow) */
	LOG_END_TORN,	  /* the file ends in what a cut-off write leaves, see log_reader_next */
};

struct log_reader {
	struct source *source;
	uint32_t log_number;	/* low 32 bits, for recyclable records */
	uint64_t offset;	/* where the next fragment header is looked for */
	uint64_t record_offset; /* where the last record given began (its first header) */
	/* Offset behind the last whole record: where a writer may go on, once it has cut the
	 * file there. */
	uint64_t good_end;
	enum log_end end;    /* set when log_reader_next has returned SST_NO */
	uint64_t bad_offset; /* LOG_END_TORN, SST_ECORRUPT: where the trouble begins */
	uint8_t first_type;  /* of the first fragment; > 4: no plain records, do not append */
	bool recycled;	     /* a recyclable fragment was seen: older bytes may follow */
	bool in_record;	     /* between a FIRST and its LAST */
	int compression;     /* 0, or the type a compression record (9) named */
	struct buf record, block, inflated;
	uint64_t block_offset;
	uint64_t zeros; /* read so far, in search of something behind them */
	void *zstd;
};

/* Reads from `offset`: 0, or a value good_end had in a log of plain records. source is
 * borrowed. log_number: that of the file's name. */
void log_reader_init(struct log_reader *r, struct source *source, uint64_t log_number,
	uint64_t offset);
void log_reader_release(struct log_reader *r);

/*
 * 0 with *record (borrowed until the next call), SST_NO at the end (see r->end), or an error,
 * after which bad_offset says where and the reader does not go on by itself:
 *  - SST_ECORRUPT: a fragment that is all there is bad (checksum, length, order of fragments);
 *  - SST_EUNSUPPORTED: a compression or a type of record we do not have.
 *
 * LOG_END_TORN is what a write that was cut off leaves, by a kill or by a power cut, which
 * loses sectors of 512 bytes in any order: a header or payload that runs past the end of the
 * file, a record without its last fragment, zeros in place of a header or of a whole sector of
 * a fragment with a wrong checksum. In a recycled log everything that is not of this log is its
 * end. Zeros to the end of the file are a clean end. Since damage can look like a tear, only
 * log_reader_resync tells whether anything is behind it: the caller that may drop a tail must
 * ask.
 */
int log_reader_next(struct log_reader *r, struct sst_slice *record);

/*
 * After SST_ECORRUPT or LOG_END_TORN: is there any whole record with a right checksum behind
 * the fragment at bad_offset? 0: yes, and the reader is positioned so that log_reader_next
 * gives it; SST_NO: no; or an error of reading. Looked at: what follows each fragment that can
 * be stepped over, every block start, and, where the bytes at hand are no header, every byte of
 * the block that holds bad_offset.
 */
int log_reader_resync(struct log_reader *r);

#endif
