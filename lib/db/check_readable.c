/* SPDX-License-Identifier: MIT */
/*
 * Whether a reader of a store that is being checked could answer for its entries: RocksDB writes types that are sound and
 * yet have no answer here.
 *
 *     merge operand     the column family's operator is known, with its delimiter (foreign.c)
 *     blob index        its blob is there
 *     wide columns, values with a preferred sequence number, deletions with a timestamp      never
 *
 * Whether something newer hides such an entry is not asked: what hides it may be the file that is removed next.
 */
#include "base/status.h"
#include "db/apply.h"
#include "db/check.h"
#include "db/merge_operator.h"

/* An operand of no bytes on a value of none: what has no answer there has none for any. */
static int try_operator(struct lsm *db, struct sst_slice user_key, struct buf *out)
{
	const struct sst_slice nothing = {0};
	struct merge_input in = {.has_base = true, .operands = &nothing, .count = 1};
	int rc = foreign_merge(db, user_key, &in, out);
	/* What is wrong with a table that was asked for the operator's name is told of that table. */
	return rc == SST_EUNSUPPORTED || rc == SST_ENOMEM ? rc : 0;
}

static int try_entry(struct lsm *db, struct sst_slice user_key, uint8_t type, struct sst_slice value, struct buf *out)
{
	switch (type) {
	case TYPE_MERGE:
		return try_operator(db, user_key, out);
	case TYPE_BLOB_INDEX:
		return foreign_blob(db, user_key, value, out);
	default:
		return fail_key(SST_EUNSUPPORTED, user_key, "it is a %s", value_type_name(type));
	}
}

int check_readable(struct check *c, struct check_family *f, const char *file, struct sst_slice user_key, uint8_t type,
	struct sst_slice value, bool *told)
{
	if (type == TYPE_VALUE || type == TYPE_DELETION || type == TYPE_SINGLE_DELETION || type == TYPE_RANGE_DELETION ||
		*told || !f)
		return 0;
	struct lsm *db = c->db;
	const char *family = db->options.family;
	db->version = f->version;
	db->foreign = f->foreign;
	db->options.family = f->name ? f->name : family;
	int rc = try_entry(db, user_key, type, value, &c->value);
	db->options.family = family;
	db->foreign = NULL;
	db->version = (struct version){0};
	*told = rc < 0;
	return check_failure(c, rc, file);
}
