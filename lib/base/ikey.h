/* SPDX-License-Identifier: MIT */
/*
 * Internal key = user key + 8 bytes, little-endian, of the tag `sequence << 8 | type`. Order: user key
 * ascending bytewise, then the tag descending, so the newest version of a key comes first.
 * The types are RocksDB's ValueType (db/dbformat.h).
 */
#ifndef BASE_IKEY_H
#define BASE_IKEY_H

#include "base/coding.h"

#define SEQUENCE_MAX ((UINT64_C(1) << 56) - 1)

enum value_type {
	TYPE_DELETION = 0,
	TYPE_VALUE = 1,
	TYPE_MERGE = 2,
	TYPE_LOG_DATA = 3,
	TYPE_CF_DELETION = 4,
	TYPE_CF_VALUE = 5,
	TYPE_CF_MERGE = 6,
	TYPE_SINGLE_DELETION = 7,
	TYPE_CF_SINGLE_DELETION = 8,
	TYPE_BEGIN_PREPARE = 9,
	TYPE_END_PREPARE = 10,
	TYPE_COMMIT = 11,
	TYPE_ROLLBACK = 12,
	TYPE_NOOP = 13,
	TYPE_CF_RANGE_DELETION = 14,
	TYPE_RANGE_DELETION = 15,
	TYPE_CF_BLOB_INDEX = 16,
	TYPE_BLOB_INDEX = 17,
	TYPE_BEGIN_PERSISTED_PREPARE = 18,
	TYPE_BEGIN_UNPREPARE = 19,
	TYPE_DELETION_WITH_TIMESTAMP = 20,
	TYPE_COMMIT_WITH_TIMESTAMP = 21,
	TYPE_WIDE_COLUMN = 22,
	TYPE_CF_WIDE_COLUMN = 23,
	TYPE_VALUE_PREFERRED_SEQ = 24,
	TYPE_CF_VALUE_PREFERRED_SEQ = 25,
	/* With this type in the tag, a seek finds the newest entry of its sequence whatever its type. */
	TYPE_SEEK = 0xff,
};

#define IKEY_TAG_SIZE 8

static inline uint64_t tag_make(uint64_t sequence, unsigned type)
{
	return sequence << 8 | type;
}

static inline uint64_t tag_sequence(uint64_t tag)
{
	return tag >> 8;
}

static inline uint8_t tag_type(uint64_t tag)
{
	return (uint8_t)tag;
}

/* REQUIRES (both): ikey.size >= 8; check what comes from a file before. */
static inline struct sst_slice ikey_user(struct sst_slice ikey)
{
	return slice_of(ikey.data, ikey.size - IKEY_TAG_SIZE);
}

static inline uint64_t ikey_tag(struct sst_slice ikey)
{
	return load64(ikey.data + ikey.size - IKEY_TAG_SIZE);
}

static inline void put_ikey(struct buf *b, struct sst_slice user, uint64_t tag)
{
	buf_append_slice(b, user);
	put_fixed64(b, tag);
}

/* < 0 when version a of a key comes before version b. */
static inline int tag_cmp(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static inline int ikey_cmp(struct sst_slice a, struct sst_slice b)
{
	int c = slice_cmp(ikey_user(a), ikey_user(b));
	return c ? c : tag_cmp(ikey_tag(a), ikey_tag(b));
}

#endif
