/* SPDX-License-Identifier: MIT */
/*
 * The merge operators that RocksDB ships, by the names that its tables (property
 * rocksdb.merge.operator) and OPTIONS files give them:
 *
 *     StringAppendOperator      the pieces joined, a delimiter between each two
 *     StringAppendTESTOperator  the same by another road
 *     MaxOperator               the bytewise largest
 *     UInt64AddOperator         sum of fixed64 numbers mod 2^64; what has not 8 bytes counts 0
 *     PutOperator               the newest operand
 *     BytesXOR                  xor, the shorter one continued with zeros
 *
 * Source: RocksDB utilities/merge_operators; held against librocksdb 7.8. MergeSortOperator is not
 * here: it reads behind the end of operands. Nor is the one of DBWithTTL, whose results have the
 * time of the reading in them.
 */
#include "db/merge_operator.h"

#include "base/coding.h"

static void append_pieces(const struct merge_input *in, struct buf *out)
{
	if (in->has_base) {
		buf_append_slice(out, in->base);
		buf_append_slice(out, in->delimiter);
	}
	for (size_t i = 0; i < in->count; i++) {
		if (i)
			buf_append_slice(out, in->delimiter);
		buf_append_slice(out, in->operands[i]);
	}
}

static void largest(const struct merge_input *in, struct buf *out)
{
	struct sst_slice max = in->has_base ? in->base : in->operands[0];
	for (size_t i = 0; i < in->count; i++)
		if (slice_cmp(in->operands[i], max) > 0)
			max = in->operands[i];
	buf_append_slice(out, max);
}

static uint64_t number(struct sst_slice s)
{
	return s.size == 8 ? load64(s.data) : 0;
}

static void add_numbers(const struct merge_input *in, struct buf *out)
{
	uint64_t sum = in->has_base ? number(in->base) : 0;
	for (size_t i = 0; i < in->count; i++)
		sum += number(in->operands[i]);
	put_fixed64(out, sum);
}

static void newest(const struct merge_input *in, struct buf *out)
{
	buf_append_slice(out, in->operands[in->count - 1]);
}

static void xor_into(struct buf *out, size_t from, struct sst_slice s)
{
	size_t n = out->size - from;
	for (size_t i = 0; i < s.size && i < n; i++)
		out->data[from + i] ^= s.data[i];
	if (s.size > n)
		buf_append_slice(out, slice_skip(s, n));
}

static void xor_all(const struct merge_input *in, struct buf *out)
{
	size_t from = out->size;
	if (in->has_base)
		buf_append_slice(out, in->base);
	for (size_t i = 0; i < in->count && !out->failed; i++)
		xor_into(out, from, in->operands[i]);
}

static const struct merge_operator operators[] = {
	{"StringAppendOperator", true, append_pieces},
	{"StringAppendTESTOperator", true, append_pieces},
	{"MaxOperator", false, largest},
	{"UInt64AddOperator", false, add_numbers},
	{"PutOperator", false, newest},
	{"BytesXOR", false, xor_all},
};

const struct merge_operator *merge_operator_find(struct sst_slice name)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (slice_eq(name, slice_str(operators[i].name)))
			return &operators[i];
	return NULL;
}
