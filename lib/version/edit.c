/* SPDX-License-Identifier: MIT */
/*
 * The fields of a version edit, each a varint tag and its payload. L, N, S = varint level,
 * number, size; K = slice with an internal key; Q = varint sequence number.
 *
 *      1  slice comparator  2  N log  3  N next file  4  Q last sequence  9  N previous log
 *      5  L slice (compaction cursor: not kept)       6  L N table removed
 *      7  L N S K K                   table added, by LevelDB
 *    100  L N S K K Q Q               table added, by an old RocksDB
 *    102  L N path S K K Q Q          the same with a path id
 *    103  L N S K K Q Q { varint custom tag, slice }* 1
 *     10  N min log to keep         203  max column family
 *    200  column family the edit is about    201  slice name: it is new    202  it is dropped
 *    300  varint: edits of the atomic group behind this one
 *    400  N, varint blobs, varint bytes, slice checksum method, slice checksum, {...}* 0
 *         blob file added
 *    401  N, varint blobs, varint bytes, {...}* 0        so many of its blobs are garbage now
 *   8192 + n   slice: may be skipped unread
 *
 * Q Q = 2^56-1, 0 where RocksDB has a table of LevelDB's whose numbers it does not know.
 *
 * Custom tags of 103: 1 ends them, 3 fixed64 min log to keep (from before tag 10), 13 epoch, 65
 * path id; one with bit 6 (64) must be understood, others are kept unread. Those of 400 and 401
 * end with 0. Source: RocksDB db/version_edit.h, db/blob/blob_file_addition.cc and
 * blob_file_garbage.cc; LevelDB db/version_edit.cc has 1-7 and 9.
 */
#include "version/edit.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/status.h"

enum edit_tag {
	TAG_COMPARATOR = 1,
	TAG_LOG_NUMBER = 2,
	TAG_NEXT_FILE = 3,
	TAG_LAST_SEQUENCE = 4,
	TAG_COMPACT_CURSOR = 5,
	TAG_REMOVED = 6,
	TAG_ADDED_LEVELDB = 7,
	TAG_PREV_LOG_NUMBER = 9,
	TAG_MIN_LOG_NUMBER = 10,
	TAG_ADDED_2 = 100,
	TAG_ADDED_3 = 102,
	TAG_ADDED = 103,
	TAG_FAMILY = 200,
	TAG_FAMILY_ADD = 201,
	TAG_FAMILY_DROP = 202,
	TAG_MAX_FAMILY = 203,
	TAG_ATOMIC_GROUP = 300,
	TAG_BLOB_ADDED = 400,
	TAG_BLOB_GARBAGE = 401,
	TAG_IGNORABLE = 8192,
};

enum custom_tag {
	CUSTOM_END = 1,
	CUSTOM_MIN_LOG_NUMBER = 3,
	CUSTOM_EPOCH = 13,
	CUSTOM_NOT_IGNORABLE = 64,
	CUSTOM_PATH = 65,
	BLOB_CUSTOM_END = 0, /* of tags 400 and 401 */
};

void table_meta_release(struct table_meta *m)
{
	buf_release(&m->smallest);
	buf_release(&m->largest);
	buf_release(&m->extra);
	*m = (struct table_meta){0};
}

void edit_release(struct edit *e)
{
	for (size_t i = 0; i < e->added_count; i++)
		table_meta_release(&e->added[i]);
	free(e->added);
	free(e->removed);
	free(e->blobs);
	buf_release(&e->family_name);
	buf_release(&e->comparator);
	buf_release(&e->foreign);
	*e = (struct edit){0};
}

/* Room for one more element of `size` bytes in an array; NULL (with its message): no memory. */
static void *array_grow(void *array, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return array;
	size_t n = *cap ? 2 * *cap : 4;
	void *p = reallocarray(array, n, size);
	if (!p)
		fail_memory();
	else
		*cap = n;
	return p;
}

struct table_meta *edit_add_table(struct edit *e, unsigned level)
{
	void *p = array_grow(e->added, e->added_count, &e->added_cap, sizeof(*e->added));
	if (!p)
		return NULL;
	e->added = p;
	struct table_meta *m = &e->added[e->added_count++];
	*m = (struct table_meta){.level = level};
	return m;
}

int edit_remove_table(struct edit *e, unsigned level, uint64_t number)
{
	void *p =
		array_grow(e->removed, e->removed_count, &e->removed_cap, sizeof(*e->removed));
	if (!p)
		return SST_ENOMEM;
	e->removed = p;
	e->removed[e->removed_count].level = level;
	e->removed[e->removed_count++].number = number;
	return 0;
}

/* ---------------------------------------------------------------- encoding */

static void put_tagged(struct buf *out, enum edit_tag tag, uint64_t v)
{
	put_varint(out, tag);
	put_varint(out, v);
}

static void put_tagged_slice(struct buf *out, enum edit_tag tag, const struct buf *b)
{
	put_varint(out, tag);
	put_slice(out, buf_slice(b));
}

static void put_epoch(struct buf *out, uint64_t epoch)
{
	put_varint(out, CUSTOM_EPOCH);
	put_varint(out, varint_size(epoch));
	put_varint(out, epoch);
}

static void put_table(struct buf *out, const struct table_meta *m)
{
	bool leveldb = !m->has_sequences && !m->epoch && !m->extra.size;
	put_tagged(out, leveldb ? TAG_ADDED_LEVELDB : TAG_ADDED, m->level);
	put_varint(out, m->number);
	put_varint(out, m->size);
	put_slice(out, buf_slice(&m->smallest));
	put_slice(out, buf_slice(&m->largest));
	if (leveldb)
		return;
	put_varint(out, m->has_sequences ? m->smallest_sequence : SEQUENCE_MAX);
	put_varint(out, m->has_sequences ? m->largest_sequence : 0);
	if (m->epoch)
		put_epoch(out, m->epoch);
	buf_append_slice(out, buf_slice(&m->extra));
	put_varint(out, CUSTOM_END);
}

/* Without what is not kept: the checksum of the file. */
static void put_blob(struct buf *out, const struct blob_change *c)
{
	put_tagged(out, c->garbage ? TAG_BLOB_GARBAGE : TAG_BLOB_ADDED, c->number);
	put_varint(out, c->count);
	put_varint(out, c->bytes);
	if (!c->garbage) {
		put_varint(out, 0);
		put_varint(out, 0);
	}
	put_varint(out, BLOB_CUSTOM_END);
}

static void put_numbers(const struct edit *e, struct buf *out)
{
	if (e->has_log_number) {
		put_tagged(out, TAG_LOG_NUMBER, e->log_number);
		put_tagged(out, TAG_PREV_LOG_NUMBER, e->prev_log_number);
	}
	if (e->has_next_file)
		put_tagged(out, TAG_NEXT_FILE, e->next_file);
	if (e->has_last_sequence)
		put_tagged(out, TAG_LAST_SEQUENCE, e->last_sequence);
	if (e->has_min_log_number)
		put_tagged(out, TAG_MIN_LOG_NUMBER, e->min_log_number);
	if (e->has_max_family)
		put_tagged(out, TAG_MAX_FAMILY, e->max_family);
}

void edit_encode(const struct edit *e, struct buf *out)
{
	if (e->has_comparator)
		put_tagged_slice(out, TAG_COMPARATOR, &e->comparator);
	put_numbers(e, out);
	buf_append_slice(out, buf_slice(&e->foreign));
	for (size_t i = 0; i < e->removed_count; i++) {
		put_tagged(out, TAG_REMOVED, e->removed[i].level);
		put_varint(out, e->removed[i].number);
	}
	for (size_t i = 0; i < e->added_count; i++)
		put_table(out, &e->added[i]);
	for (size_t i = 0; i < e->blob_count; i++)
		put_blob(out, &e->blobs[i]);
	if (e->column_family)
		put_tagged(out, TAG_FAMILY, e->column_family);
	if (e->add_family)
		put_tagged_slice(out, TAG_FAMILY_ADD, &e->family_name);
	if (e->drop_family)
		put_varint(out, TAG_FAMILY_DROP);
	if (e->in_atomic_group)
		put_tagged(out, TAG_ATOMIC_GROUP, e->atomic_remaining);
}

/* ---------------------------------------------------------------- decoding */

static int malformed(uint32_t tag)
{
	return fail(SST_ECORRUPT, "version edit: tag %" PRIu32 " is malformed", tag);
}

static int copy_slice(struct buf *b, struct sst_slice s)
{
	buf_clear(b);
	buf_append_slice(b, s);
	return buf_check(b);
}

static int take_slice(struct sst_slice *in, struct buf *out, uint32_t tag)
{
	struct sst_slice s;
	return get_slice(in, &s) ? copy_slice(out, s) : malformed(tag);
}

static int take_number(struct sst_slice *in, uint64_t *v, bool *has, uint32_t tag)
{
	*has = true;
	return get_varint64(in, v) ? 0 : malformed(tag);
}

static int take_ikey(struct sst_slice *in, struct buf *out, uint32_t tag)
{
	struct sst_slice s;
	return get_slice(in, &s) && s.size >= IKEY_TAG_SIZE ? copy_slice(out, s)
							    : malformed(tag);
}

static int take_sequences(struct sst_slice *in, struct table_meta *m, uint32_t tag)
{
	uint64_t smallest, largest;
	if (!get_varint64(in, &smallest) || !get_varint64(in, &largest))
		return malformed(tag);
	if (smallest == SEQUENCE_MAX && largest == 0)
		return 0;
	if (smallest > largest || largest > SEQUENCE_MAX)
		return malformed(tag);
	m->has_sequences = true;
	m->smallest_sequence = smallest;
	m->largest_sequence = largest;
	return 0;
}

static int take_custom(
	struct edit *e, struct table_meta *m, uint32_t custom, struct sst_slice value)
{
	switch (custom) {
	case CUSTOM_EPOCH:
		return get_varint64(&value, &m->epoch) && !value.size ? 0
								      : malformed(TAG_ADDED);
	case CUSTOM_MIN_LOG_NUMBER:
		e->has_min_log_number = true;
		return get_fixed64(&value, &e->min_log_number) ? 0 : malformed(TAG_ADDED);
	case CUSTOM_PATH:
		if (value.size == 1 && value.data[0] == 0)
			return 0;
		return fail(SST_EUNSUPPORTED,
			"version edit: table %" PRIu64 " lies in another directory", m->number);
	}
	if (custom & CUSTOM_NOT_IGNORABLE)
		return fail(SST_EUNSUPPORTED,
			"version edit: table %" PRIu64 ": unknown field %" PRIu32, m->number,
			custom);
	put_varint(&m->extra, custom);
	put_slice(&m->extra, value);
	return buf_check(&m->extra);
}

static int take_customs(struct edit *e, struct table_meta *m, struct sst_slice *in)
{
	for (;;) {
		uint32_t custom;
		struct sst_slice value;
		if (!get_varint32(in, &custom))
			return malformed(TAG_ADDED);
		if (custom == CUSTOM_END)
			return 0;
		if (!get_slice(in, &value))
			return malformed(TAG_ADDED);
		int rc = take_custom(e, m, custom, value);
		if (rc)
			return rc;
	}
}

static int take_path(struct sst_slice *in, uint32_t tag)
{
	uint32_t path;
	if (!get_varint32(in, &path))
		return malformed(tag);
	return path ? fail(SST_EUNSUPPORTED, "version edit: a table in path %" PRIu32, path)
		    : 0;
}

static int take_added(struct edit *e, uint32_t tag, struct sst_slice *in)
{
	struct table_meta *m = edit_add_table(e, 0);
	if (!m)
		return SST_ENOMEM;
	int rc = get_varint32(in, &m->level) && get_varint64(in, &m->number) ? 0
									     : malformed(tag);
	if (!rc && tag == TAG_ADDED_3)
		rc = take_path(in, tag);
	if (!rc && !get_varint64(in, &m->size))
		rc = malformed(tag);
	if (!rc)
		rc = take_ikey(in, &m->smallest, tag);
	if (!rc)
		rc = take_ikey(in, &m->largest, tag);
	if (!rc && tag != TAG_ADDED_LEVELDB)
		rc = take_sequences(in, m, tag);
	if (!rc && tag == TAG_ADDED)
		rc = take_customs(e, m, in);
	return rc;
}

static int skip_blob_customs(uint32_t tag, uint64_t number, struct sst_slice *in)
{
	for (;;) {
		uint32_t custom;
		struct sst_slice value;
		if (!get_varint32(in, &custom))
			return malformed(tag);
		if (custom == BLOB_CUSTOM_END)
			return 0;
		if (custom & CUSTOM_NOT_IGNORABLE)
			return fail(SST_EUNSUPPORTED,
				"version edit: blob file %" PRIu64 ": unknown field %" PRIu32, number,
				custom);
		if (!get_slice(in, &value))
			return malformed(tag);
	}
}

static int take_blob(struct edit *e, uint32_t tag, struct sst_slice *in)
{
	struct blob_change c = {.garbage = tag == TAG_BLOB_GARBAGE};
	struct sst_slice checksum;
	void *p = array_grow(e->blobs, e->blob_count, &e->blob_cap, sizeof(*e->blobs));
	if (!p)
		return SST_ENOMEM;
	e->blobs = p;
	if (!get_varint64(in, &c.number) || !get_varint64(in, &c.count) ||
		!get_varint64(in, &c.bytes))
		return malformed(tag);
	if (!c.garbage && (!get_slice(in, &checksum) || !get_slice(in, &checksum)))
		return malformed(tag);
	e->blobs[e->blob_count++] = c;
	return skip_blob_customs(tag, c.number, in);
}

static int take_removed(struct edit *e, struct sst_slice *in)
{
	uint32_t level;
	uint64_t number;
	if (!get_varint32(in, &level) || !get_varint64(in, &number))
		return malformed(TAG_REMOVED);
	return edit_remove_table(e, level, number);
}

static int take_cursor(struct sst_slice *in)
{
	uint32_t level;
	struct sst_slice key;
	return get_varint32(in, &level) && get_slice(in, &key) ? 0
							       : malformed(TAG_COMPACT_CURSOR);
}

static int take_foreign(struct edit *e, uint32_t tag, struct sst_slice *in)
{
	struct sst_slice value;
	if (!get_slice(in, &value))
		return malformed(tag);
	put_varint(&e->foreign, tag);
	put_slice(&e->foreign, value);
	return buf_check(&e->foreign);
}

/* The fields that RocksDB added to LevelDB's. */
static int take_rocksdb_field(struct edit *e, uint32_t tag, struct sst_slice *in)
{
	e->leveldb_only = false;
	switch (tag) {
	case TAG_MIN_LOG_NUMBER:
		return take_number(in, &e->min_log_number, &e->has_min_log_number, tag);
	case TAG_ADDED_2:
	case TAG_ADDED_3:
	case TAG_ADDED:
		return take_added(e, tag, in);
	case TAG_FAMILY:
		return get_varint32(in, &e->column_family) ? 0 : malformed(tag);
	case TAG_FAMILY_ADD:
		e->add_family = true;
		return take_slice(in, &e->family_name, tag);
	case TAG_FAMILY_DROP:
		e->drop_family = true;
		return 0;
	case TAG_MAX_FAMILY:
		e->has_max_family = true;
		return get_varint32(in, &e->max_family) ? 0 : malformed(tag);
	case TAG_ATOMIC_GROUP:
		return take_number(in, &e->atomic_remaining, &e->in_atomic_group, tag);
	case TAG_BLOB_ADDED:
	case TAG_BLOB_GARBAGE:
		return take_blob(e, tag, in);
	}
	if (tag & TAG_IGNORABLE)
		return take_foreign(e, tag, in);
	return fail(SST_EUNSUPPORTED, "version edit: unknown tag %" PRIu32, tag);
}

static int take_field(struct edit *e, uint32_t tag, struct sst_slice *in)
{
	bool unused;
	switch (tag) {
	case TAG_COMPARATOR:
		e->has_comparator = true;
		return take_slice(in, &e->comparator, tag);
	case TAG_LOG_NUMBER:
		return take_number(in, &e->log_number, &e->has_log_number, tag);
	case TAG_PREV_LOG_NUMBER:
		return take_number(in, &e->prev_log_number, &unused, tag);
	case TAG_NEXT_FILE:
		return take_number(in, &e->next_file, &e->has_next_file, tag);
	case TAG_LAST_SEQUENCE:
		return take_number(in, &e->last_sequence, &e->has_last_sequence, tag);
	case TAG_COMPACT_CURSOR:
		return take_cursor(in);
	case TAG_REMOVED:
		return take_removed(e, in);
	case TAG_ADDED_LEVELDB:
		return take_added(e, tag, in);
	default:
		return take_rocksdb_field(e, tag, in);
	}
}

int edit_decode(struct edit *e, struct sst_slice record)
{
	edit_release(e);
	e->leveldb_only = true;
	while (record.size) {
		uint32_t tag;
		if (!get_varint32(&record, &tag))
			return fail(SST_ECORRUPT, "version edit: malformed tag");
		int rc = take_field(e, tag, &record);
		if (rc)
			return rc;
	}
	return 0;
}
