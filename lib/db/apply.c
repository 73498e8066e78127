/* SPDX-License-Identifier: MIT */
#include "db/apply.h"

#include "base/status.h"
#include "os/event.h"
#include "os/kill_point.h"

const char *value_type_name(uint8_t type)
{
	switch (type) {
	case TYPE_DELETION:
	case TYPE_SINGLE_DELETION:
		return "deletion";
	case TYPE_VALUE:
		return "value";
	case TYPE_MERGE:
		return "merge operand";
	case TYPE_RANGE_DELETION:
		return "range deletion";
	case TYPE_BLOB_INDEX:
		return "blob index";
	case TYPE_DELETION_WITH_TIMESTAMP:
		return "deletion with timestamp";
	case TYPE_WIDE_COLUMN:
		return "wide-column entity";
	case TYPE_VALUE_PREFERRED_SEQ:
		return "value with preferred sequence number";
	default:
		return "entry of unknown type";
	}
}

int apply_record(void *arg, uint64_t sequence, uint32_t count, uint64_t bytes)
{
	struct apply *a = arg;
	(void)sequence;
	int rc = memtable_reserve(a->memtable, bytes, count);
	/* Who has written to a log that is being written to had room for it in the memtable. */
	return rc == SST_NO ? fail(a->generation ? SST_ECORRUPT : SST_EFULL,
				      "memtable segment is too small for a record of %llu bytes", (unsigned long long)bytes)
			    : rc;
}

void apply_begin(struct apply *a)
{
	if (a->generation && !atomic_load_explicit(&a->generation->first_ns, memory_order_relaxed))
		atomic_store_explicit(&a->generation->first_ns, clock_boot_ns(), memory_order_relaxed);
}

int apply_op(void *arg, const struct batch_op *op)
{
	struct apply *a = arg;
	uint8_t type = op->type == TYPE_SINGLE_DELETION ? TYPE_DELETION : op->type;
	if (type == TYPE_LOG_DATA || op->column_family != a->family)
		return 0;
	if (type == TYPE_RANGE_DELETION && a->range_deletion)
		return a->range_deletion(a->range_arg, op);
	if (type != TYPE_VALUE && type != TYPE_DELETION && !a->any_type)
		return fail(SST_EUNSUPPORTED, "%s in a store to be written", value_type_name(type));
	if (op->key.size > LSM_KEY_MAX || op->value.size > LSM_VALUE_MAX)
		return fail(SST_EUNSUPPORTED, "entry with a key of %zu and a value of %zu bytes", op->key.size, op->value.size);
	apply_begin(a);
	KILL_POINT("apply-op");
	return tree_insert(&a->memtable->tree, op->key, tag_make(op->sequence, type), op->value);
}

int apply_batch(struct apply *a, struct sst_slice record)
{
	struct batch_iter it;
	struct batch_op op;
	int rc = batch_iter_init(&it, record);
	while (!rc) {
		rc = batch_iter_next(&it, &op);
		if (!rc)
			rc = apply_op(a, &op);
	}
	return rc == SST_NO ? 0 : rc;
}
