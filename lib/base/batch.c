/* SPDX-License-Identifier: MIT */
#include "base/batch.h"

#include <inttypes.h>

#include "base/status.h"

static const uint8_t empty_header[BATCH_HEADER_SIZE];

void batch_clear(struct batch *b)
{
	buf_clear(&b->rep);
	buf_append(&b->rep, empty_header, sizeof(empty_header));
	b->count = 0;
}

void batch_release(struct batch *b)
{
	buf_release(&b->rep);
	b->count = 0;
}

void batch_put(struct batch *b, struct sst_slice key, struct sst_slice value)
{
	buf_push(&b->rep, TYPE_VALUE);
	put_slice(&b->rep, key);
	put_slice(&b->rep, value);
	b->count++;
}

void batch_delete(struct batch *b, struct sst_slice key)
{
	buf_push(&b->rep, TYPE_DELETION);
	put_slice(&b->rep, key);
	b->count++;
}

void batch_log_data(struct batch *b, struct sst_slice blob)
{
	buf_push(&b->rep, TYPE_LOG_DATA);
	put_slice(&b->rep, blob);
}

void batch_seal(struct batch *b, uint64_t sequence)
{
	store64(b->rep.data, sequence);
	store32(b->rep.data + 8, b->count);
}

int batch_iter_init(struct batch_iter *it, struct sst_slice record)
{
	*it = (struct batch_iter){.in = record};
	if (!get_fixed64(&it->in, &it->sequence) || !get_fixed32(&it->in, &it->count))
		return fail(SST_ECORRUPT, "write batch: %zu bytes are less than a header",
			record.size);
	if (it->count > it->in.size / 2) /* a type and the length of a key, at the least */
		return fail(SST_ECORRUPT, "write batch: %" PRIu32 " operations in %zu bytes", it->count, it->in.size);
	if (it->sequence > SEQUENCE_MAX || it->count > SEQUENCE_MAX - it->sequence + 1)
		return fail(SST_ECORRUPT,
			"write batch: sequence number %" PRIu64 " with count %" PRIu32
			" is out of range",
			it->sequence, it->count);
	return 0;
}

/* What follows the type byte. */
enum shape {
	SHAPE_UNKNOWN = 0,
	SHAPE_KEY,
	SHAPE_KEY_VALUE,
	SHAPE_BLOB,
	SHAPE_NOTHING,
	SHAPE_COMMIT
};

static const struct {
	uint8_t type; /* without the column family form */
	bool family;
	uint8_t shape;
} forms[] = {
	[TYPE_DELETION] = {TYPE_DELETION, false, SHAPE_KEY},
	[TYPE_VALUE] = {TYPE_VALUE, false, SHAPE_KEY_VALUE},
	[TYPE_MERGE] = {TYPE_MERGE, false, SHAPE_KEY_VALUE},
	[TYPE_LOG_DATA] = {TYPE_LOG_DATA, false, SHAPE_BLOB},
	[TYPE_CF_DELETION] = {TYPE_DELETION, true, SHAPE_KEY},
	[TYPE_CF_VALUE] = {TYPE_VALUE, true, SHAPE_KEY_VALUE},
	[TYPE_CF_MERGE] = {TYPE_MERGE, true, SHAPE_KEY_VALUE},
	[TYPE_SINGLE_DELETION] = {TYPE_SINGLE_DELETION, false, SHAPE_KEY},
	[TYPE_CF_SINGLE_DELETION] = {TYPE_SINGLE_DELETION, true, SHAPE_KEY},
	[TYPE_BEGIN_PREPARE] = {TYPE_BEGIN_PREPARE, false, SHAPE_COMMIT},
	[TYPE_END_PREPARE] = {TYPE_END_PREPARE, false, SHAPE_COMMIT},
	[TYPE_COMMIT] = {TYPE_COMMIT, false, SHAPE_COMMIT},
	[TYPE_ROLLBACK] = {TYPE_ROLLBACK, false, SHAPE_COMMIT},
	[TYPE_NOOP] = {TYPE_NOOP, false, SHAPE_NOTHING},
	[TYPE_CF_RANGE_DELETION] = {TYPE_RANGE_DELETION, true, SHAPE_KEY_VALUE},
	[TYPE_RANGE_DELETION] = {TYPE_RANGE_DELETION, false, SHAPE_KEY_VALUE},
	[TYPE_CF_BLOB_INDEX] = {TYPE_BLOB_INDEX, true, SHAPE_KEY_VALUE},
	[TYPE_BLOB_INDEX] = {TYPE_BLOB_INDEX, false, SHAPE_KEY_VALUE},
	[TYPE_BEGIN_PERSISTED_PREPARE] = {TYPE_BEGIN_PERSISTED_PREPARE, false, SHAPE_COMMIT},
	[TYPE_BEGIN_UNPREPARE] = {TYPE_BEGIN_UNPREPARE, false, SHAPE_COMMIT},
	[TYPE_DELETION_WITH_TIMESTAMP] = {TYPE_DELETION_WITH_TIMESTAMP, false, SHAPE_KEY},
	[TYPE_COMMIT_WITH_TIMESTAMP] = {TYPE_COMMIT_WITH_TIMESTAMP, false, SHAPE_COMMIT},
	[TYPE_WIDE_COLUMN] = {TYPE_WIDE_COLUMN, false, SHAPE_KEY_VALUE},
	[TYPE_CF_WIDE_COLUMN] = {TYPE_WIDE_COLUMN, true, SHAPE_KEY_VALUE},
	[TYPE_VALUE_PREFERRED_SEQ] = {TYPE_VALUE_PREFERRED_SEQ, false, SHAPE_KEY_VALUE},
	[TYPE_CF_VALUE_PREFERRED_SEQ] = {TYPE_VALUE_PREFERRED_SEQ, true, SHAPE_KEY_VALUE},
};

static int malformed(const struct batch_iter *it, unsigned type)
{
	return fail(SST_ECORRUPT,
		"write batch at sequence number %" PRIu64 ": operation %" PRIu32
		" (type %u) is malformed",
		it->sequence, it->seen, type);
}

static int end_of_batch(const struct batch_iter *it)
{
	if (it->seen == it->count)
		return SST_NO;
	return fail(SST_ECORRUPT,
		"write batch at sequence number %" PRIu64 ": %" PRIu32
		" operations, not %" PRIu32,
		it->sequence, it->seen, it->count);
}

static bool take_arguments(struct sst_slice *in, enum shape shape, struct batch_op *op)
{
	switch (shape) {
	case SHAPE_BLOB:
		return get_slice(in, &op->value);
	case SHAPE_KEY_VALUE:
		return get_slice(in, &op->key) && get_slice(in, &op->value);
	default:
		return get_slice(in, &op->key);
	}
}

int batch_iter_next(struct batch_iter *it, struct batch_op *op)
{
	while (it->in.size && it->in.data[0] == TYPE_NOOP)
		it->in = slice_skip(it->in, 1);
	if (!it->in.size)
		return end_of_batch(it);

	unsigned type = it->in.data[0];
	enum shape shape =
		type < sizeof(forms) / sizeof(forms[0]) ? forms[type].shape : SHAPE_UNKNOWN;
	if (shape == SHAPE_UNKNOWN || shape == SHAPE_COMMIT)
		return fail(SST_EUNSUPPORTED,
			"write batch at sequence number %" PRIu64 ": type %u (%s)",
			it->sequence, type,
			shape == SHAPE_COMMIT ? "two-phase commit" : "unknown");

	struct sst_slice in = slice_skip(it->in, 1);
	*op = (struct batch_op){.type = forms[type].type, .sequence = it->sequence + it->seen};
	if (forms[type].family && !get_varint32(&in, &op->column_family))
		return malformed(it, type);
	if (!take_arguments(&in, shape, op))
		return malformed(it, type);
	if (shape != SHAPE_BLOB) {
		if (it->seen == it->count)
			return fail(SST_ECORRUPT,
				"write batch at sequence number %" PRIu64
				": more operations than its count, %" PRIu32,
				it->sequence, it->count);
		it->seen++;
	}
	it->in = in;
	return 0;
}
