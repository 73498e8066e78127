/* SPDX-License-Identifier: MIT */
#include "version/edit.h"

#include "base/status.h"
#include "unit.h"

/* The edit of format vectors: the store's first record, with one table at level 0. */
static const char golden[] = "\x01\x1aleveldb.BytewiseComparator\x02\x05\x09\x00\x03\x07\x04\x03"
			     "\x67\x00\x04\x8b\x04\x09"
			     "a\x01\x03\x00\x00\x00\x00\x00\x00\x09"
			     "b\x00\x02\x00\x00\x00\x00\x00\x00\x01\x03\x0d\x01\x01\x01";
#define GOLDEN slice_of(golden, sizeof(golden) - 1)

static void set_key(struct buf *b, const char *user, uint64_t sequence, unsigned type)
{
	buf_clear(b);
	put_ikey(b, slice_str(user), tag_make(sequence, type));
}

static void fill_golden(struct edit *e)
{
	e->has_comparator = e->has_log_number = e->has_next_file = e->has_last_sequence = true;
	buf_append_slice(&e->comparator, slice_str("leveldb.BytewiseComparator"));
	e->log_number = 5;
	e->next_file = 7;
	e->last_sequence = 3;
	struct table_meta *m = edit_add_table(e, 0);
	CHECK(m);
	m->number = 4;
	m->size = 523;
	m->has_sequences = true;
	m->smallest_sequence = 1;
	m->largest_sequence = 3;
	m->epoch = 1;
	set_key(&m->smallest, "a", 3, TYPE_VALUE);
	set_key(&m->largest, "b", 2, TYPE_DELETION);
}

static void encoded_as_rocksdb_takes_it(void)
{
	struct edit e = {0};
	struct buf out = {0};
	fill_golden(&e);
	edit_encode(&e, &out);
	CHECK(buf_check(&out) == 0 && slice_eq(buf_slice(&out), GOLDEN));
	buf_release(&out);
	edit_release(&e);
}

static void decoded(void)
{
	struct edit e = {0};
	CHECK(edit_decode(&e, GOLDEN) == 0);
	CHECK(e.has_comparator && slice_eq(buf_slice(&e.comparator), slice_str("leveldb.BytewiseComparator")));
	CHECK(e.has_log_number && e.log_number == 5 && e.prev_log_number == 0);
	CHECK(e.has_next_file && e.next_file == 7 && e.has_last_sequence && e.last_sequence == 3);
	CHECK(!e.leveldb_only && e.added_count == 1 && e.removed_count == 0 && !e.in_atomic_group);
	const struct table_meta *m = &e.added[0];
	CHECK(m->number == 4 && m->size == 523 && m->level == 0 && m->epoch == 1);
	CHECK(m->has_sequences && m->smallest_sequence == 1 && m->largest_sequence == 3 && m->extra.size == 0);
	CHECK(slice_eq(ikey_user(buf_slice(&m->smallest)), slice_str("a")));
	CHECK(ikey_tag(buf_slice(&m->largest)) == tag_make(2, TYPE_DELETION));
	edit_release(&e);
}

/* A cut edit is malformed, unless the cut is between two fields. */
static void cut_anywhere(void)
{
	static const size_t between[] = {0, 28, 30, 32, 34, 36, sizeof(golden) - 1};
	for (size_t n = 0, k = 0; n < sizeof(golden); n++) {
		struct edit e = {0};
		bool whole = n == between[k];
		k += whole;
		CHECK_EQ(edit_decode(&e, slice_of(golden, n)), whole ? 0 : SST_ECORRUPT);
		edit_release(&e);
	}
}

static int decode(struct edit *e, const char *p, size_t n)
{
	edit_release(e);
	return edit_decode(e, slice_of(p, n));
}
#define DECODE(e, s) decode(e, s, sizeof(s) - 1)

static void leveldbs_fields(void)
{
	struct edit e = {0};
	CHECK(DECODE(&e, "\x02\x06\x09\x04\x03\x08\x04\x05"
			 "\x05\x01\x09zyxwvutsr"
			 "\x06\x02\x09"
			 "\x07\x03\x05\x0a\x08\x01\x01\0\0\0\0\0\0\x08\x01\x01\0\0\0\0\0\0") == 0);
	CHECK(e.leveldb_only && e.log_number == 6 && e.prev_log_number == 4);
	CHECK(e.removed_count == 1 && e.removed[0].level == 2 && e.removed[0].number == 9);
	CHECK(e.added_count == 1 && e.added[0].level == 3 && !e.added[0].has_sequences);
	/* And out again in LevelDB's form, without the compaction cursor. */
	struct buf out = {0};
	edit_encode(&e, &out);
	CHECK(slice_eq(buf_slice(&out), slice_of("\x02\x06\x09\x04\x03\x08\x04\x05\x06\x02\x09"
						 "\x07\x03\x05\x0a\x08\x01\x01\0\0\0\0\0\0\x08\x01\x01\0\0\0\0\0\0",
					 33)));
	buf_release(&out);
	edit_release(&e);
}

#define KEYS "\x08\x01\x01\0\0\0\0\0\0\x08\x01\x02\0\0\0\0\0\0"

static void old_rocksdb_fields(void)
{
	struct edit e = {0};
	CHECK(DECODE(&e, "\x64\x01\x05\x0a" KEYS "\x01\x02") == 0);
	CHECK(e.added_count == 1 && e.added[0].level == 1 && e.added[0].largest_sequence == 2 && !e.leveldb_only);
	CHECK(DECODE(&e, "\x66\x01\x05\x00\x0a" KEYS "\x01\x02") == 0);
	CHECK(e.added_count == 1 && e.added[0].size == 10);
	CHECK(DECODE(&e, "\x66\x01\x05\x01\x0a" KEYS "\x01\x02") == SST_EUNSUPPORTED);
	edit_release(&e);
}

static void unknown_sequence_numbers(void)
{
	struct edit e = {0};
	static const char taken_over[] = "\x67\x01\x05\x0a" KEYS "\xff\xff\xff\xff\xff\xff\xff\x7f\x00\x0d\x01\x02\x01";
	CHECK(DECODE(&e, taken_over) == 0);
	CHECK(!e.added[0].has_sequences && e.added[0].smallest_sequence == 0 && e.added[0].epoch == 2);
	struct buf out = {0};
	edit_encode(&e, &out);
	CHECK(slice_eq(buf_slice(&out), slice_of(taken_over, sizeof(taken_over) - 1)));
	buf_release(&out);
	edit_release(&e);
}

static void custom_fields_are_kept(void)
{
	struct edit e = {0};
	/* 5, 7 (unknown to us), 13, 2, and 63, the last that may be skipped */
	static const char more[] = "\x67\x00\x05\x0a" KEYS "\x01\x02\x05\x01\x09\x07\x03"
				   "abc\x0d\x01\x63\x02\x00\x3f\x01x\x01";
	CHECK(DECODE(&e, more) == 0);
	CHECK_EQ(e.added[0].epoch, 99);
	CHECK(slice_eq(buf_slice(&e.added[0].extra), slice_of("\x05\x01\x09\x07\x03"
							      "abc\x02\x00\x3f\x01x",
							 13)));
	struct buf out = {0};
	edit_encode(&e, &out);
	struct edit again = {0};
	CHECK(edit_decode(&again, buf_slice(&out)) == 0 && again.added[0].epoch == 99);
	CHECK(slice_eq(buf_slice(&again.added[0].extra), buf_slice(&e.added[0].extra)));
	buf_release(&out);
	edit_release(&again);
	edit_release(&e);
}

static void custom_fields_that_must_be_understood(void)
{
	struct edit e = {0};
	CHECK(DECODE(&e, "\x67\x00\x05\x0a" KEYS "\x01\x02\x41\x01\x00\x01") == 0);
	CHECK(DECODE(&e, "\x67\x00\x05\x0a" KEYS "\x01\x02\x41\x01\x01\x01") == SST_EUNSUPPORTED);
	CHECK(DECODE(&e, "\x67\x00\x05\x0a" KEYS "\x01\x02\x40\x00\x01") == SST_EUNSUPPORTED);
	CHECK(DECODE(&e, "\x67\x00\x05\x0a" KEYS "\x01\x02\x03\x08\x07\0\0\0\0\0\0\0\x01") == 0);
	CHECK(e.has_min_log_number && e.min_log_number == 7 && e.added[0].extra.size == 0);
	CHECK(DECODE(&e, "\x67\x00\x05\x0a" KEYS "\x01\x02\x0d\x02\x01\x01\x01") == SST_ECORRUPT);
	edit_release(&e);
}

static void families_and_groups(void)
{
	struct edit e = {0};
	CHECK(DECODE(&e, "\xc8\x01\x03\xc9\x01\x03one\xcb\x01\x09\x0a\x0c\xac\x02\x02") == 0);
	CHECK(e.column_family == 3 && e.add_family && slice_eq(buf_slice(&e.family_name), slice_str("one")));
	CHECK(e.has_max_family && e.max_family == 9 && e.has_min_log_number && e.min_log_number == 12);
	CHECK(e.in_atomic_group && e.atomic_remaining == 2);
	struct buf out = {0};
	edit_encode(&e, &out);
	struct edit again = {0};
	CHECK(edit_decode(&again, buf_slice(&out)) == 0);
	CHECK(again.column_family == 3 && again.add_family && again.max_family == 9 && again.atomic_remaining == 2);
	CHECK(slice_eq(buf_slice(&again.family_name), slice_str("one")));
	buf_release(&out);
	edit_release(&again);
	CHECK(DECODE(&e, "\xc8\x01\x03\xca\x01") == 0);
	CHECK(e.drop_family && e.column_family == 3 && !e.add_family);
	edit_release(&e);
}

static void foreign_fields_are_kept(void)
{
	struct edit e = {0};
	static const char foreign[] = "\x81\x40\x03"
				      "abc\x84\x40\x00\xff\x40\x01z";
	CHECK(DECODE(&e, foreign) == 0);
	CHECK(slice_eq(buf_slice(&e.foreign), slice_of(foreign, sizeof(foreign) - 1)) && !e.leveldb_only);
	edit_release(&e);
}

static void blob_files(void)
{
	struct edit e = {0}, again = {0};
	struct buf out = {0};
	/* Added, with a checksum and a custom field of the future; then two blobs of it garbage. */
	CHECK(DECODE(&e, "\x90\x03\x0c\x05\xac\x02\x03sum\x02\xff\xff\x07\x01z\x00\x91\x03\x0c\x02\x50\x00") == 0);
	CHECK(e.blob_count == 2 && !e.leveldb_only);
	CHECK(e.blobs[0].number == 12 && e.blobs[0].count == 5 && e.blobs[0].bytes == 300 && !e.blobs[0].garbage);
	CHECK(e.blobs[1].number == 12 && e.blobs[1].count == 2 && e.blobs[1].bytes == 80 && e.blobs[1].garbage);
	edit_encode(&e, &out);
	CHECK(edit_decode(&again, buf_slice(&out)) == 0 && again.blob_count == 2 && again.blobs[1].garbage);
	CHECK(again.blobs[0].bytes == 300 && again.blobs[1].count == 2);
	buf_release(&out);
	edit_release(&again);
	edit_release(&e);
}

static void what_is_refused(void)
{
	struct edit e = {0};
	CHECK(DECODE(&e, "\x66\x00\x05") == SST_ECORRUPT); /* 102, a table: no path */
	CHECK(DECODE(&e, "\x06\x01") == SST_ECORRUPT);     /* 6, removed: no number */
	CHECK(DECODE(&e, "\x90\x03\x05") == SST_ECORRUPT); /* 400: no counts */
	CHECK(DECODE(&e, "\x90\x03\x05\x05\x05") == SST_ECORRUPT); /* 400, blob files: no checksum */
	CHECK(DECODE(&e, "\x90\x03\x05\x05\x05\x00\x00") == SST_ECORRUPT); /* no end */
	CHECK(DECODE(&e, "\x91\x03\x05\x05\x05") == SST_ECORRUPT);
	CHECK(DECODE(&e, "\x91\x03\x05\x05\x05\x41\x00\x00") == SST_EUNSUPPORTED); /* custom field 65 */
	CHECK(DECODE(&e, "\x91\x03\x05\x05\x05\x01\x02x") == SST_ECORRUPT);
	CHECK(DECODE(&e, "\x08\x01") == SST_EUNSUPPORTED);
	CHECK(DECODE(&e, "\x00\x01") == SST_EUNSUPPORTED);
	CHECK(DECODE(&e, "\x80\x80\x80\x80\x80\x80\x01\x01") == SST_ECORRUPT);
	/* keys of 7 bytes */
	CHECK(DECODE(&e, "\x67\x00\x05\x0a\x07\x01\x01\0\0\0\0\0\x08\x01\x02\0\0\0\0\0\0\x01\x02\x01") == SST_ECORRUPT);
	CHECK(DECODE(&e, "\x67\x00\x05\x0a\x08\x01\x02\0\0\0\0\0\0\x07\x01\x01\0\0\0\0\0\x01\x02\x01") == SST_ECORRUPT);
	CHECK(DECODE(&e, "\x67\x00\x05\x0a" KEYS "\x02\x01\x01") == SST_ECORRUPT);   /* sequences back to front */
	CHECK(DECODE(&e, "\x67\x00\x05\x0a" KEYS "\x02\x80\x80\x80\x80\x80\x80\x80\x80\x01\x01") == SST_ECORRUPT);
	CHECK(DECODE(&e, "\x01\xff\xff\xff\xff\x0f") == SST_ECORRUPT);
	edit_release(&e);
}

/* Every byte changed in every bit: a code, never a crash; and what decodes encodes to what decodes the same. */
static void damaged_anywhere(void)
{
	char b[sizeof(golden)];
	struct edit e = {0}, again = {0};
	struct buf one = {0}, two = {0};
	for (size_t i = 0; i < sizeof(golden) - 1; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(b, golden, sizeof(b));
			b[i] = (char)(b[i] ^ 1 << bit);
			int rc = decode(&e, b, sizeof(b) - 1);
			CHECK(rc == 0 || rc == SST_ECORRUPT || rc == SST_EUNSUPPORTED);
			if (rc)
				continue;
			buf_clear(&one);
			buf_clear(&two);
			edit_encode(&e, &one);
			CHECK(edit_decode(&again, buf_slice(&one)) == 0);
			edit_encode(&again, &two);
			CHECK(slice_eq(buf_slice(&one), buf_slice(&two)));
		}
	edit_release(&e);
	edit_release(&again);
	buf_release(&one);
	buf_release(&two);
}

int main(void)
{
	RUN(encoded_as_rocksdb_takes_it);
	RUN(decoded);
	RUN(cut_anywhere);
	RUN(leveldbs_fields);
	RUN(old_rocksdb_fields);
	RUN(unknown_sequence_numbers);
	RUN(custom_fields_are_kept);
	RUN(custom_fields_that_must_be_understood);
	RUN(families_and_groups);
	RUN(foreign_fields_are_kept);
	RUN(blob_files);
	RUN(what_is_refused);
	RUN(damaged_anywhere);
	return unit_done("edit");
}
