/* SPDX-License-Identifier: MIT */
/*
 * RocksDB's merge operators: what a value and the operands put behind it come to. See
 * merge_operator.c.
 */
#ifndef DB_MERGE_OPERATOR_H
#define DB_MERGE_OPERATOR_H

#include "base/buf.h"

struct merge_input {
	bool has_base; /* there is a value under the operands */
	struct sst_slice base;
	const struct sst_slice *operands; /* the oldest first */
	size_t count;			  /* at least 1 */
	struct sst_slice delimiter;	  /* for operators that have one */
};

struct merge_operator {
	const char *name;
	bool delimited;
	/* Appends the result to out; buf_check it. Every input has one. */
	void (*merge)(const struct merge_input *in, struct buf *out);
};

/* NULL: there is none of that name here. */
const struct merge_operator *merge_operator_find(struct sst_slice name);

#endif
