/* SPDX-License-Identifier: MIT */
/*
 * The tolerant reader of logs. Everything is decided on single fragments: look_at() says what
 * lies at an offset, log_reader_next() makes records of fragments, log_reader_resync() looks
 * for records behind damage.
 *
 * What may follow the last record of a sound log:
 *
 *     nothing               the end
 *     zeros                 preallocated, or the file grew before its bytes came: the end
 *     part of a record      a write was cut off: torn
 *     an older log's bytes  a recycled file: the end (the number in a header of the old log's
 *                           tells; mostly the bytes at hand are no header at all)
 *
 * Compressed logs (RocksDB's wal_compression): the record of type 9 comes first; each later
 * record is one ZSTD frame of unknown size, cut into fragments like any other record. Source:
 * RocksDB util/compression.h, StreamingUncompress.
 */
#include "wal/log.h"

#include <inttypes.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "wal/format.h"

#define SECTOR_SIZE 512
/* So many zeros of a log are read, more than anybody preallocates. Then the holes of a sparse file are passed over, so
 * that the search through a TiB of nothing ends soon; before, no file system need be believed that there is nothing. */
#define ZEROS_READ (UINT64_C(64) << 20)
#define COMPRESSION_NONE 0
#define COMPRESSION_ZSTD 7
/* A record may inflate to this much plus so many times its size; a real one is a write
 * batch, in practice below a few MB, and ZSTD could make 30,000 times its size of hostile
 * ones. */
#define INFLATED_MIN (UINT64_C(64) << 20)
#define INFLATED_RATIO 64

enum look {
	LOOK_GOOD = 0,	  /* a fragment with a right checksum, of this log */
	LOOK_OLD,	  /* ... of an older log: by its number, or for want of one */
	LOOK_BAD,	  /* wrong checksum */
	LOOK_CUT,	  /* header or payload run past the end of the file */
	LOOK_NO_FRAGMENT, /* what looks like a header cannot be one */
	LOOK_ZEROS,	  /* a header of zeros */
	LOOK_PADDING,	  /* the rest of the block is too short for a header */
	LOOK_END,	  /* of the file */
};

struct fragment {
	uint64_t offset;
	uint8_t type;
	size_t size; /* with header */
	struct sst_slice payload;
};

void log_reader_init(
	struct log_reader *r, struct source *source, uint64_t log_number, uint64_t offset)
{
	*r = (struct log_reader){
		.source = source,
		.log_number = (uint32_t)log_number,
		.offset = offset,
		.record_offset = offset,
		.good_end = offset,
	};
}

void log_reader_release(struct log_reader *r)
{
	ZSTD_freeDCtx(r->zstd);
	buf_release(&r->record);
	buf_release(&r->block);
	buf_release(&r->inflated);
	*r = (struct log_reader){0};
}

static uint64_t block_start(uint64_t offset)
{
	return offset - offset % LOG_BLOCK_SIZE;
}

/* Makes the block that holds offset the one at hand. REQUIRES: offset < source->size. */
static int load_block(struct log_reader *r, uint64_t offset)
{
	uint64_t start = block_start(offset), left = r->source->size - start;
	size_t n = left < LOG_BLOCK_SIZE ? (size_t)left : LOG_BLOCK_SIZE;
	if (r->block.size && r->block_offset == start)
		return 0;
	buf_clear(&r->block);
	if (!buf_reserve(&r->block, LOG_BLOCK_SIZE))
		return fail_memory();
	int rc = r->source->read(r->source, start, r->block.data, n);
	if (rc)
		return rc;
	r->block.size = n;
	r->block_offset = start;
	return 0;
}

/* What the block at hand has from offset on. */
static struct sst_slice rest_of_block(const struct log_reader *r, uint64_t offset)
{
	return slice_skip(buf_slice(&r->block), (size_t)(offset - r->block_offset));
}

static bool all_zero(struct sst_slice s)
{
	return s.size == 0 || (s.data[0] == 0 && memcmp(s.data, s.data + 1, s.size - 1) == 0);
}

static size_t header_size(uint8_t type)
{
	bool recyclable = (type >= LOG_RECYCLABLE_FULL && type <= LOG_RECYCLABLE_LAST) ||
			  type == LOG_RECYCLABLE_TIMESTAMP_SIZES ||
			  type == LOG_RECYCLABLE_PREDECESSOR;
	return recyclable ? LOG_RECYCLABLE_HEADER_SIZE : LOG_HEADER_SIZE;
}

/* Says (enum look) what is at offset. *f is set for GOOD, OLD, BAD and CUT and borrows the
 * block at hand. */
static int look_at(struct log_reader *r, uint64_t offset, struct fragment *f)
{
	if (offset >= r->source->size)
		return LOOK_END;
	int rc = load_block(r, offset);
	if (rc)
		return rc;
	struct sst_slice rest = rest_of_block(r, offset);
	size_t room = LOG_BLOCK_SIZE - (size_t)(offset % LOG_BLOCK_SIZE);
	*f = (struct fragment){.offset = offset};
	if (room < LOG_HEADER_SIZE)
		return LOOK_PADDING;
	if (room < LOG_RECYCLABLE_HEADER_SIZE && rest.size == room && all_zero(rest))
		return LOOK_PADDING; /* of a log with the longer headers */
	if (all_zero(slice_of(
		    rest.data, rest.size < LOG_HEADER_SIZE ? rest.size : LOG_HEADER_SIZE)))
		return LOOK_ZEROS;
	if (rest.size < LOG_HEADER_SIZE)
		return LOOK_CUT;

	f->type = rest.data[6];
	size_t header = header_size(f->type);
	f->size = header + load16(rest.data + 4);
	if (f->size > room)
		return LOOK_NO_FRAGMENT;
	if (f->size > rest.size)
		return f->type >= LOG_FULL && f->type <= LOG_RECYCLABLE_TIMESTAMP_SIZES
			       ? LOOK_CUT
			       : LOOK_NO_FRAGMENT;
	f->payload = slice_of(rest.data + header, f->size - header);
	if (crc32c(0, rest.data + 6, f->size - 6) != crc32c_unmask(load32(rest.data)))
		return LOOK_BAD;
	bool ours = header == LOG_RECYCLABLE_HEADER_SIZE
			    ? load32(rest.data + 7) == r->log_number
			    : !r->recycled || f->type > LOG_LAST;
	return ours ? LOOK_GOOD : LOOK_OLD;
}

/* A fragment whose checksum is right once one byte of its length is changed: the size it
 * then has; else 0. Tells a damaged length from a cut-off write. REQUIRES:
 * look_at(f->offset) was the last look. */
static size_t size_with_mended_length(const struct log_reader *r, const struct fragment *f)
{
	struct sst_slice rest = rest_of_block(r, f->offset);
	if (rest.size < LOG_HEADER_SIZE)
		return 0;
	size_t header = header_size(f->type), claimed = load16(rest.data + 4), done = 6;
	uint32_t want = crc32c_unmask(load32(rest.data)), crc = 0;
	for (size_t length = 0; header + length <= rest.size; length++) {
		if ((length ^ claimed) >> 8 && (uint8_t)(length ^ claimed))
			continue;
		crc = crc32c(crc, rest.data + done, header + length - done);
		done = header + length;
		if (crc == want)
			return done;
	}
	return 0;
}

/* A fragment that runs past the end of the file only by a damaged length, or a damaged type
 * that makes its header 4 bytes longer. */
static bool is_all_there(const struct log_reader *r, const struct fragment *f)
{
	size_t rest = rest_of_block(r, f->offset).size;
	return size_with_mended_length(r, f) ||
	       (f->size && f->size - header_size(f->type) + LOG_HEADER_SIZE <= rest);
}

/* Is one sector, as far as it belongs to the rest of the block, all zeros? */
static bool lost_sector(const struct log_reader *r, uint64_t offset)
{
	struct sst_slice rest = rest_of_block(r, offset);
	while (rest.size) {
		size_t n = SECTOR_SIZE - (size_t)(offset % SECTOR_SIZE);
		n = n < rest.size ? n : rest.size;
		if (all_zero(slice_of(rest.data, n)))
			return true;
		rest = slice_skip(rest, n);
		offset += n;
	}
	return false;
}

/* Where to read on behind `zeros` of them, at offset. */
static uint64_t pass_zeros(struct log_reader *r, uint64_t zeros, uint64_t offset)
{
	r->zeros += zeros;
	return r->zeros < ZEROS_READ ? offset : source_next_data(r->source, offset);
}

/* 0: nothing but zeros from offset to the end of the file; SST_NO: something else. */
static int zeros_to_end(struct log_reader *r, uint64_t offset)
{
	while (offset < r->source->size) {
		int rc = load_block(r, offset);
		if (rc)
			return rc;
		struct sst_slice rest = rest_of_block(r, offset);
		if (!all_zero(rest))
			return SST_NO;
		offset = pass_zeros(r, rest.size, offset + rest.size);
	}
	return 0;
}

static int corrupt(struct log_reader *r, uint64_t offset, const char *what)
{
	r->bad_offset = offset;
	return fail(
		SST_ECORRUPT, "'%s': record at %" PRIu64 ": %s", r->source->name, offset, what);
}

static int unsupported(
	struct log_reader *r, const struct fragment *f, const char *what, unsigned type)
{
	r->bad_offset = f->offset;
	return fail(SST_EUNSUPPORTED, "'%s': record at %" PRIu64 ": %s %u", r->source->name,
		f->offset, what, type);
}

static int end_torn(struct log_reader *r, uint64_t offset)
{
	r->bad_offset = r->in_record ? r->record_offset : offset;
	r->end = LOG_END_TORN;
	return SST_NO;
}

/* The end as far as records go: torn only when one is unfinished. */
static int end_here(struct log_reader *r, uint64_t offset)
{
	if (r->in_record)
		return end_torn(r, offset);
	r->end = LOG_END_CLEAN;
	return SST_NO;
}

/* No fragment of this log is at f->offset: is that its end, a tear, or damage? */
static int judge(struct log_reader *r, int look, const struct fragment *f)
{
	if (look == LOOK_END || look == LOOK_OLD)
		return end_here(r, f->offset);
	if (look == LOOK_ZEROS) {
		int rc = zeros_to_end(r, f->offset);
		if (rc < 0)
			return rc;
		return rc == 0 ? end_here(r, f->offset) : end_torn(r, f->offset);
	}
	if (r->recycled)
		return end_torn(r, f->offset);
	if (look == LOOK_CUT)
		return is_all_there(r, f) ? corrupt(r, f->offset, "damaged header")
					  : end_torn(r, f->offset);
	if (lost_sector(r, f->offset))
		return end_torn(r, f->offset);
	return corrupt(
		r, f->offset, look == LOOK_BAD ? "checksum mismatch" : "no header of a record");
}

static int set_compression(struct log_reader *r, const struct fragment *f)
{
	if (f->offset != 0)
		return corrupt(r, f->offset, "a compression record that is not the first");
	struct sst_slice in = f->payload;
	uint32_t type;
	if (!get_fixed32(&in, &type))
		return corrupt(r, f->offset, "malformed compression record");
	if (type != COMPRESSION_NONE && type != COMPRESSION_ZSTD)
		return unsupported(r, f, "compression type", type);
	r->compression = (int)type;
	return 0;
}

/* Inflates into r->inflated, doubling it until it suffices or has passed the limit. */
static int inflate_record(struct log_reader *r, struct sst_slice in, struct sst_slice *out)
{
	uint64_t limit = INFLATED_MIN + INFLATED_RATIO * (uint64_t)in.size;
	if (!r->zstd && !(r->zstd = ZSTD_createDCtx()))
		return fail_memory();
	buf_clear(&r->inflated);
	if (!buf_reserve(&r->inflated, 4 * in.size + LOG_BLOCK_SIZE))
		return fail_memory();
	for (;;) {
		size_t n = ZSTD_decompressDCtx(
			r->zstd, r->inflated.data, r->inflated.cap, in.data, in.size);
		if (!ZSTD_isError(n)) {
			*out = slice_of(r->inflated.data, n);
			return 0;
		}
		if (ZSTD_getErrorCode(n) != ZSTD_error_dstSize_tooSmall)
			return corrupt(r, r->record_offset, ZSTD_getErrorName(n));
		if (r->inflated.cap >= limit) {
			r->bad_offset = r->record_offset;
			return fail(SST_EUNSUPPORTED,
				"'%s': record at %" PRIu64
				": %zu bytes inflate to more than %" PRIu64,
				r->source->name, r->record_offset, in.size, limit);
		}
		if (!buf_reserve(&r->inflated, 2 * r->inflated.cap))
			return fail_memory();
	}
}

static int finish_record(struct log_reader *r, struct sst_slice whole, struct sst_slice *record)
{
	r->in_record = false;
	*record = whole;
	if (r->compression == COMPRESSION_ZSTD && whole.size) {
		int rc = inflate_record(r, whole, record);
		if (rc)
			return rc;
	}
	r->good_end = r->offset;
	return 0;
}

/* A fragment of a record: 0 when it completes one, SST_NO when more are needed. */
static int take_fragment(struct log_reader *r, const struct fragment *f, uint8_t plain_type,
	struct sst_slice *record)
{
	bool begins = plain_type == LOG_FULL || plain_type == LOG_FIRST;
	/* Old LevelDBs left an empty FIRST at the end of a block and began again in the
	 * next: no loss. */
	if (begins && r->in_record && r->record.size)
		return corrupt(r, r->record_offset, "unfinished, another begins behind it");
	if (!begins && !r->in_record)
		return corrupt(r, f->offset, "a fragment without a beginning");

	r->offset = f->offset + f->size;
	if (begins) {
		r->record_offset = f->offset;
		buf_clear(&r->record);
	}
	if (plain_type == LOG_FULL)
		return finish_record(r, f->payload, record);
	r->in_record = true;
	buf_append_slice(&r->record, f->payload);
	if (buf_check(&r->record))
		return fail_memory();
	return plain_type == LOG_LAST ? finish_record(r, buf_slice(&r->record), record)
				      : SST_NO;
}

/* Fragments that carry facts about the log instead of a record. */
static int take_fact(struct log_reader *r, const struct fragment *f)
{
	int rc = 0;
	if (f->type == LOG_ZERO)
		rc = corrupt(r, f->offset, "type 0");
	else if (f->type == LOG_COMPRESSION)
		rc = set_compression(r, f);
	else if (f->type != LOG_TIMESTAMP_SIZES && f->type != LOG_RECYCLABLE_TIMESTAMP_SIZES &&
		 !(f->type & LOG_IGNORABLE))
		rc = unsupported(r, f, "unknown type", f->type);
	if (rc)
		return rc;
	r->offset = f->offset + f->size;
	if (!r->in_record)
		r->good_end = r->offset;
	return SST_NO;
}

static int take(struct log_reader *r, const struct fragment *f, struct sst_slice *record)
{
	if (header_size(f->type) == LOG_RECYCLABLE_HEADER_SIZE)
		r->recycled = true;
	if (f->type >= LOG_FULL && f->type <= LOG_LAST)
		return take_fragment(r, f, f->type, record);
	if (f->type >= LOG_RECYCLABLE_FULL && f->type <= LOG_RECYCLABLE_LAST)
		return take_fragment(
			r, f, (uint8_t)(f->type - LOG_RECYCLABLE_FULL + LOG_FULL), record);
	return take_fact(r, f);
}

int log_reader_next(struct log_reader *r, struct sst_slice *record)
{
	for (;;) {
		struct fragment f = {.offset = r->offset};
		int look = look_at(r, r->offset, &f);
		if (look < 0)
			return look;
		if (look == LOOK_PADDING) {
			r->offset = block_start(r->offset) + LOG_BLOCK_SIZE;
			continue;
		}
		if ((look == LOOK_GOOD || look == LOOK_OLD) && !r->first_type)
			r->first_type = f.type;
		if (look != LOOK_GOOD)
			return judge(r, look, &f);
		int rc = take(r, &f, record);
		if (rc != SST_NO)
			return rc;
	}
}

/* The search for a whole record behind damage. */
struct search {
	uint64_t at;
	uint64_t damage;
	/* Offset of a FIRST with only good fragments behind it; 0: none (what is at 0 is behind
	 * nothing). */
	uint64_t begun;
	bool bytewise; /* trying every byte of the block in which the damage begins */
};

static bool ends_record(struct search *s, const struct fragment *f)
{
	uint8_t type = f->type;
	if (type >= LOG_RECYCLABLE_FULL && type <= LOG_RECYCLABLE_LAST)
		type = (uint8_t)(type - LOG_RECYCLABLE_FULL + LOG_FULL);
	if (f->offset == s->damage)
		return false;
	if (type == LOG_FULL || type == LOG_FIRST)
		s->begun = f->offset;
	return s->begun && (type == LOG_FULL || type == LOG_LAST);
}

/* How far a bad fragment is to be stepped over; 0: it cannot be. The damage itself may be in
 * its length, or in its type and so in the size of its header: then the shorter one, and
 * bytewise from there. */
static size_t stride_of(
	const struct log_reader *r, const struct search *s, int look, const struct fragment *f)
{
	if (s->at == s->damage) {
		size_t mended = size_with_mended_length(r, f);
		if (mended)
			return mended;
	}
	if (look != LOOK_BAD)
		return 0;
	return s->at == s->damage ? f->size - header_size(f->type) + LOG_HEADER_SIZE : f->size;
}

/* Moves over what is not good. SST_NO: nothing can be behind it. */
static int step_over(struct log_reader *r, struct search *s, int look, const struct fragment *f)
{
	s->begun = 0;
	size_t stride = look == LOOK_OLD ? f->size : s->bytewise ? 0 : stride_of(r, s, look, f);
	if (stride) {
		s->at += stride;
		return 0;
	}
	if (look == LOOK_CUT && !s->bytewise)
		return SST_NO;
	s->bytewise = block_start(s->at) == block_start(s->damage);
	s->at = s->bytewise ? s->at + 1 : block_start(s->at) + LOG_BLOCK_SIZE;
	if (look == LOOK_ZEROS && !s->bytewise)
		s->at = block_start(pass_zeros(r, LOG_BLOCK_SIZE, s->at));
	return 0;
}

int log_reader_resync(struct log_reader *r)
{
	struct search s = {.at = r->bad_offset, .damage = r->bad_offset};
	for (;;) {
		struct fragment f = {.offset = s.at};
		int look = look_at(r, s.at, &f);
		if (look < 0)
			return look;
		if (look == LOOK_END)
			return SST_NO;
		if (look == LOOK_GOOD) {
			s.bytewise = false;
			if (ends_record(&s, &f))
				break;
			s.at += f.size;
		} else if (look == LOOK_PADDING) {
			s.bytewise = false;
			s.at = block_start(s.at) + LOG_BLOCK_SIZE;
		} else if (step_over(r, &s, look, &f)) {
			return SST_NO;
		}
	}
	r->offset = s.begun;
	r->in_record = false;
	r->end = LOG_END_NONE;
	return 0;
}
