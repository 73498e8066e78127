/* SPDX-License-Identifier: MIT */
/*
 * Versions of one key, in the order of a walk, come to
 *
 *     [base] operand*     base: a value, a blob index, a deletion, or nothing
 *
 * Forwards the newest comes first: operands are gathered until anything else ends them. Backwards
 * the oldest does: everything but an operand replaces what was gathered. Operands of a deleted or
 * absent base are merged without one.
 */
#include <stdlib.h>

#include "base/status.h"
#include "db/apply.h"
#include "db/foreign.h"
#include "db/merge_operator.h"

void fold_release(struct fold *f)
{
	buf_release(&f->base);
	buf_release(&f->base_blob);
	buf_release(&f->operand_bytes);
	buf_release(&f->result);
	free(f->operands);
	*f = (struct fold){0};
}

void fold_start(struct fold *f)
{
	f->base_type = TYPE_DELETION;
	buf_clear(&f->base);
	buf_clear(&f->operand_bytes);
	f->operand_count = 0;
}

static int add_operand(struct fold *f, struct sst_slice user_key, struct sst_slice value)
{
	if (f->operand_bytes.size + value.size + f->operand_count * sizeof(value) > LSM_VALUE_MAX)
		return fail_key(SST_EUNSUPPORTED, user_key, "merge operands of more than %u bytes",
			LSM_VALUE_MAX);
	if (f->operand_count == f->operand_cap) {
		size_t cap = f->operand_cap ? 2 * f->operand_cap : 16;
		struct sst_slice *p = reallocarray(f->operands, cap, sizeof(*p));
		if (!p)
			return fail_memory();
		f->operands = p;
		f->operand_cap = cap;
	}
	f->operands[f->operand_count++] = slice_of(NULL, value.size); /* bytes may still move */
	buf_append_slice(&f->operand_bytes, value);
	return buf_check(&f->operand_bytes);
}

int fold_add(struct fold *f, struct sst_slice user_key, uint8_t type, struct sst_slice value)
{
	if (type == TYPE_MERGE)
		return add_operand(f, user_key, value);
	if (!f->newest_first)
		fold_start(f);
	f->base_type = type == TYPE_SINGLE_DELETION ? TYPE_DELETION : type;
	buf_append_slice(&f->base, value);
	int rc = buf_check(&f->base);
	return rc ? rc : f->newest_first ? SST_NO : 0;
}

/* The oldest first, each with its bytes. */
static void place_operands(struct fold *f)
{
	const uint8_t *p = f->operand_bytes.data;
	size_t n = f->operand_count;
	for (size_t i = 0; i < n; i++) {
		f->operands[i].data = p;
		p = p ? p + f->operands[i].size : NULL;
	}
	for (size_t i = 0; f->newest_first && i < n / 2; i++) {
		struct sst_slice t = f->operands[i];
		f->operands[i] = f->operands[n - 1 - i];
		f->operands[n - 1 - i] = t;
	}
}

/* The base as a value; SST_NO: there is none. */
static int find_base(struct fold *f, struct sst_slice user_key, struct sst_slice *value)
{
	switch (f->base_type) {
	case TYPE_DELETION:
		return SST_NO;
	case TYPE_VALUE:
		*value = buf_slice(&f->base);
		return 0;
	case TYPE_BLOB_INDEX: {
		int rc = foreign_blob(f->db, user_key, buf_slice(&f->base), &f->base_blob);
		*value = buf_slice(&f->base_blob);
		return rc;
	}
	default:
		return fail_key(SST_EUNSUPPORTED, user_key, "its newest %s is a %s",
			f->operand_count ? "version under merge operands" : "entry",
			value_type_name(f->base_type));
	}
}

int fold_finish(struct fold *f, struct sst_slice user_key, struct sst_slice *value)
{
	struct merge_input in = {0};
	int rc = find_base(f, user_key, &in.base);
	if (rc < 0 || !f->operand_count) {
		*value = in.base;
		return rc;
	}
	place_operands(f);
	in.has_base = rc == 0;
	in.operands = f->operands;
	in.count = f->operand_count;
	rc = foreign_merge(f->db, user_key, &in, &f->result);
	*value = buf_slice(&f->result);
	return rc;
}
