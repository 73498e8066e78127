/* SPDX-License-Identifier: MIT */
#include "base/batch.h"

#include "base/status.h"
#include "unit.h"

static const uint8_t golden[] = {7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 3, 'f', 'o', 'o', 3, 'b', 'a', 'r', 0, 3, 'b', 'a', 'z'};

static void built_as_rocksdb_does(void)
{
	struct batch b = {0};
	batch_clear(&b);
	batch_put(&b, slice_str("foo"), slice_str("bar"));
	batch_delete(&b, slice_str("baz"));
	CHECK(buf_check(&b.rep) == 0);
	batch_seal(&b, 7);
	CHECK(slice_eq(buf_slice(&b.rep), slice_of(golden, sizeof(golden))));
	batch_clear(&b);
	CHECK_EQ(b.count, 0);
	CHECK_EQ(b.rep.size, BATCH_HEADER_SIZE);
	batch_release(&b);
}

static void read_back(void)
{
	struct batch_iter it;
	struct batch_op op;
	CHECK(batch_iter_init(&it, slice_of(golden, sizeof(golden))) == 0);
	CHECK(batch_iter_next(&it, &op) == 0);
	CHECK(op.type == TYPE_VALUE && op.sequence == 7 && op.column_family == 0);
	CHECK(slice_eq(op.key, slice_str("foo")) && slice_eq(op.value, slice_str("bar")));
	CHECK(batch_iter_next(&it, &op) == 0);
	CHECK(op.type == TYPE_DELETION && op.sequence == 8);
	CHECK(slice_eq(op.key, slice_str("baz")) && op.value.size == 0);
	CHECK(batch_iter_next(&it, &op) == SST_NO);
	CHECK(batch_iter_next(&it, &op) == SST_NO);
}

/* Runs through a record; gives the end's code. */
static int walk(const void *p, size_t n, unsigned *ops)
{
	struct batch_iter it;
	struct batch_op op;
	*ops = 0;
	int rc = batch_iter_init(&it, slice_of(p, n));
	while (!rc && !(rc = batch_iter_next(&it, &op)))
		++*ops;
	return rc;
}

static void cut_anywhere_is_damage(void)
{
	unsigned ops;
	for (size_t n = 0; n < sizeof(golden); n++)
		CHECK(walk(golden, n, &ops) == SST_ECORRUPT);
}

static void the_count_must_be_right(void)
{
	uint8_t b[sizeof(golden)];
	unsigned ops;
	memcpy(b, golden, sizeof(b));
	b[8] = 1;
	CHECK(walk(b, sizeof(b), &ops) == SST_ECORRUPT && ops == 1);
	b[8] = 3;
	CHECK(walk(b, sizeof(b), &ops) == SST_ECORRUPT && ops == 2);
}

static void sequence_numbers_have_56_bits(void)
{
	uint8_t b[BATCH_HEADER_SIZE + 6] = {0};
	unsigned ops;
	store64(b, SEQUENCE_MAX);
	CHECK(walk(b, BATCH_HEADER_SIZE, &ops) == SST_NO);
	store64(b, SEQUENCE_MAX + 1);
	CHECK(walk(b, BATCH_HEADER_SIZE, &ops) == SST_ECORRUPT);
	struct batch_iter it;
	store64(b, SEQUENCE_MAX - 1);
	store32(b + 8, 2);
	CHECK(batch_iter_init(&it, slice_of(b, sizeof(b))) == 0);
	store32(b + 8, 3);
	CHECK(batch_iter_init(&it, slice_of(b, sizeof(b))) == SST_ECORRUPT);
	store64(b, 1);
	CHECK(batch_iter_init(&it, slice_of(b, sizeof(b))) == 0);
	CHECK(batch_iter_init(&it, slice_of(b, sizeof(b) - 1)) == SST_ECORRUPT); /* no room for three operations */
}

/* Log data and no-ops have no sequence number. */
static void uncounted_operations(void)
{
	struct batch b = {0};
	batch_clear(&b);
	batch_log_data(&b, slice_str("note"));
	batch_put(&b, slice_str("a"), slice_str("1"));
	buf_push(&b.rep, TYPE_NOOP);
	batch_log_data(&b, slice_str(""));
	batch_put(&b, slice_str("b"), slice_str("2"));
	buf_push(&b.rep, TYPE_NOOP);
	CHECK_EQ(b.count, 2);
	batch_seal(&b, 100);
	struct batch_iter it;
	struct batch_op op;
	CHECK(batch_iter_init(&it, buf_slice(&b.rep)) == 0);
	CHECK(batch_iter_next(&it, &op) == 0);
	CHECK(op.type == TYPE_LOG_DATA && slice_eq(op.value, slice_str("note")) && op.sequence == 100);
	CHECK(batch_iter_next(&it, &op) == 0 && op.type == TYPE_VALUE && op.sequence == 100);
	CHECK(batch_iter_next(&it, &op) == 0 && op.type == TYPE_LOG_DATA && op.value.size == 0);
	CHECK(batch_iter_next(&it, &op) == 0 && op.sequence == 101 && slice_eq(op.key, slice_str("b")));
	CHECK(batch_iter_next(&it, &op) == SST_NO);
	batch_release(&b);
}

/* One operation of each type, with and without column family. */
static void every_type(void)
{
	static const struct {
		uint8_t tag, type;
		bool family, value;
		int rc;
	} types[] = {
		{0, 0, false, false, 0},   {1, 1, false, true, 0},    {2, 2, false, true, 0},
		{4, 0, true, false, 0},	   {5, 1, true, true, 0},     {6, 2, true, true, 0},
		{7, 7, false, false, 0},   {8, 7, true, false, 0},    {14, 15, true, true, 0},
		{15, 15, false, true, 0},  {16, 17, true, true, 0},   {17, 17, false, true, 0},
		{20, 20, false, false, 0}, {22, 22, false, true, 0},  {23, 22, true, true, 0},
		{24, 24, false, true, 0},  {25, 24, true, true, 0},   {9, 0, false, false, SST_EUNSUPPORTED},
		{10, 0, false, false, SST_EUNSUPPORTED},	      {11, 0, false, false, SST_EUNSUPPORTED},
		{12, 0, false, false, SST_EUNSUPPORTED},	      {18, 0, false, false, SST_EUNSUPPORTED},
		{19, 0, false, false, SST_EUNSUPPORTED},	      {21, 0, false, false, SST_EUNSUPPORTED},
		{26, 0, false, false, SST_EUNSUPPORTED},	      {127, 0, false, false, SST_EUNSUPPORTED},
		{255, 0, false, false, SST_EUNSUPPORTED},
	};
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct buf b = {0};
		struct batch_iter it;
		struct batch_op op;
		put_fixed64(&b, 5);
		put_fixed32(&b, 1);
		buf_push(&b, types[i].tag);
		if (types[i].family)
			put_varint(&b, 300);
		put_slice(&b, slice_str("k"));
		if (types[i].value)
			put_slice(&b, slice_str("v"));
		CHECK(batch_iter_init(&it, buf_slice(&b)) == 0);
		CHECK(batch_iter_next(&it, &op) == types[i].rc);
		if (!types[i].rc) {
			CHECK_EQ(op.type, types[i].type);
			CHECK_EQ(op.column_family, types[i].family ? 300 : 0);
			CHECK(slice_eq(op.key, slice_str("k")) && op.value.size == types[i].value);
			CHECK(batch_iter_next(&it, &op) == SST_NO);
		}
		buf_release(&b);
	}
}

int main(void)
{
	RUN(built_as_rocksdb_does);
	RUN(read_back);
	RUN(cut_anywhere_is_damage);
	RUN(the_count_must_be_right);
	RUN(sequence_numbers_have_56_bits);
	RUN(uncounted_operations);
	RUN(every_type);
	return unit_done("batch");
}
