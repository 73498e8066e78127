/* SPDX-License-Identifier: MIT */
#include "table/info.h"

#include <stddef.h>

#include "base/status.h"
#include "table/properties.h"

#define COMPARATOR_REVERSE "rocksdb.ReverseBytewiseComparator"

void table_info_init(struct table_info *info)
{
	*info = (struct table_info){
		.entries = INFO_ABSENT,
		.deletions = INFO_ABSENT,
		.merges = INFO_ABSENT,
		.range_deletions = INFO_ABSENT,
		.data_blocks = INFO_ABSENT,
		.raw_key_size = INFO_ABSENT,
		.raw_value_size = INFO_ABSENT,
		.data_size = INFO_ABSENT,
	};
}

/* ---------------------------------------------------------------- the block */

/* Finds the value of a property; SST_NO when it is absent. */
static int find(const struct block *b, const char *name, struct sst_slice *value)
{
	struct block_iter it = {0};
	block_iter_start(&it, b, false);
	int rc = block_iter_seek(&it, slice_str(name));
	if (!rc && !slice_eq(it.key, slice_str(name)))
		rc = SST_NO;
	*value = it.value;
	block_iter_release(&it);
	return rc;
}

/* The checksum as it was before the global sequence number was written in place. */
static bool verify_without_sequence(const struct block_source *s, struct block_handle h, const struct block *b,
	struct sst_slice contents)
{
	struct sst_slice value;
	if (find(b, PROPERTY_EXTERNAL_SEQNO, &value) || value.size != 8)
		return false;
	struct buf copy = {0};
	buf_append(&copy, contents.data, contents.size + BLOCK_TRAILER_SIZE);
	bool same = false;
	if (!copy.failed) {
		memset(copy.data + (value.data - contents.data), 0, 8);
		same = block_verify(s, h.offset, slice_of(copy.data, contents.size));
	}
	buf_release(&copy);
	return same;
}

int properties_open(struct block *b, struct block_source *s, struct block_handle h, struct block_memory *m)
{
	struct sst_slice contents;
	int rc = block_fetch(s, h, FETCH_UNCHECKED, m, &contents);
	if (rc)
		return rc;
	rc = block_open(b, contents, 0, ORDER_BYTEWISE);
	if (!block_verify(s, h.offset, contents) && (rc || !verify_without_sequence(s, h, b, contents)))
		rc = fail(SST_ECORRUPT, "checksum mismatch");
	return rc ? block_fail(s, h.offset, rc) : 0;
}

/* ---------------------------------------------------------------- the meaning of properties */

static int set_comparator(struct table_info *info, struct sst_slice v)
{
	size_t n = v.size < sizeof(info->comparator) - 1 ? v.size : sizeof(info->comparator) - 1;
	memcpy(info->comparator, v.data, n);
	info->comparator[n] = 0;
	if (slice_eq(v, slice_str(COMPARATOR_BYTEWISE)))
		info->order = ORDER_BYTEWISE;
	else if (slice_eq(v, slice_str(COMPARATOR_REVERSE)))
		info->order = ORDER_REVERSE;
	else
		info->order = ORDER_UNKNOWN;
	return 0;
}

static int fail_property(const char *name)
{
	return fail(SST_ECORRUPT, "malformed property %s", name);
}

static int set_index_type(struct table_info *info, struct sst_slice v)
{
	if (v.size != 4)
		return fail_property(PROPERTY_INDEX_TYPE);
	uint32_t type = load32(v.data);
	if (type > INDEX_FIRST_KEY)
		return fail(SST_EUNSUPPORTED, "index type %u is not supported", type);
	info->index_type = (enum index_type)type;
	return 0;
}

static int set_external_version(struct table_info *info, struct sst_slice v)
{
	if (v.size != 4)
		return fail_property(PROPERTY_EXTERNAL_VERSION);
	info->external = load32(v.data) >= EXTERNAL_VERSION;
	return 0;
}

static int set_external_sequence(struct table_info *info, struct sst_slice v)
{
	if (v.size != 8 || load64(v.data) > SEQUENCE_MAX)
		return fail_property(PROPERTY_EXTERNAL_SEQNO);
	info->external_sequence = load64(v.data);
	return 0;
}

static int set_whole_keys(struct table_info *info, struct sst_slice v)
{
	info->no_whole_keys = !slice_eq(v, slice_str("1"));
	return 0;
}

static int take_number(struct sst_slice v, const char *name, uint64_t *n)
{
	return get_varint64(&v, n) && !v.size ? 0 : fail_property(name);
}

static int set_index_user_keys(struct table_info *info, struct sst_slice v)
{
	uint64_t n = 0;
	int rc = take_number(v, PROPERTY_INDEX_KEY_IS_USER_KEY, &n);
	info->index_user_keys = n != 0;
	return rc;
}

static int set_index_delta(struct table_info *info, struct sst_slice v)
{
	uint64_t n = 0;
	int rc = take_number(v, PROPERTY_INDEX_VALUE_IS_DELTA, &n);
	info->index_delta = n != 0;
	return rc;
}

static const struct {
	const char *name;
	int (*set)(struct table_info *info, struct sst_slice value);
} settings[] = {
	{PROPERTY_COMPARATOR, set_comparator},
	{PROPERTY_INDEX_TYPE, set_index_type},
	{PROPERTY_EXTERNAL_VERSION, set_external_version},
	{PROPERTY_EXTERNAL_SEQNO, set_external_sequence},
	{PROPERTY_WHOLE_KEY_FILTERING, set_whole_keys},
	{PROPERTY_INDEX_KEY_IS_USER_KEY, set_index_user_keys},
	{PROPERTY_INDEX_VALUE_IS_DELTA, set_index_delta},
};

static const struct {
	const char *name;
	size_t member;
} numbers[] = {
	{PROPERTY_NUM_ENTRIES, offsetof(struct table_info, entries)},
	{PROPERTY_DELETED_KEYS, offsetof(struct table_info, deletions)},
	{PROPERTY_MERGE_OPERANDS, offsetof(struct table_info, merges)},
	{PROPERTY_NUM_RANGE_DELETIONS, offsetof(struct table_info, range_deletions)},
	{PROPERTY_NUM_DATA_BLOCKS, offsetof(struct table_info, data_blocks)},
	{PROPERTY_RAW_KEY_SIZE, offsetof(struct table_info, raw_key_size)},
	{PROPERTY_RAW_VALUE_SIZE, offsetof(struct table_info, raw_value_size)},
	{PROPERTY_DATA_SIZE, offsetof(struct table_info, data_size)},
};

/* No count is that large; but one that says so is not absent. */
static int take_count(struct sst_slice v, const char *name, uint64_t *n)
{
	int rc = take_number(v, name, n);
	if (*n == INFO_ABSENT && !rc)
		*n = INFO_ABSENT - 1;
	return rc;
}

static int take_property(struct table_info *info, struct sst_slice name, struct sst_slice value)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (slice_eq(name, slice_str(settings[i].name)))
			return settings[i].set(info, value);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (slice_eq(name, slice_str(numbers[i].name)))
			return take_count(value, numbers[i].name,
				(uint64_t *)(void *)((char *)info + numbers[i].member));
	return 0;
}

int table_info_read(struct table_info *info, struct block_source *s, struct block_handle h, struct block_memory *m)
{
	struct block b;
	int rc = properties_open(&b, s, h, m);
	if (rc)
		return rc;
	struct block_iter it = {0};
	block_iter_start(&it, &b, false);
	info->present = true;
	while (!(rc = block_iter_next(&it)) && !(rc = take_property(info, it.key, it.value)))
		;
	block_iter_release(&it);
	return rc < 0 ? block_fail(s, h.offset, rc) : 0;
}
