/* SPDX-License-Identifier: MIT */
/* Write batches of arbitrary bytes: every slice given lies in the record, the count is kept,
 * the end is an end. */
#include <stdlib.h>

#include "base/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool what)
{
	if (!what)
		abort();
}

static bool inside(struct sst_slice s, const uint8_t *data, size_t size)
{
	return s.size == 0 || (s.data >= data && s.data + s.size <= data + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct batch_iter it;
	struct batch_op op;
	uint32_t counted = 0;
	int rc = batch_iter_init(&it, slice_of(data, size));
	if (rc) {
		need(rc == SST_ECORRUPT);
		return 0;
	}
	need(it.sequence <= SEQUENCE_MAX);
	while (!(rc = batch_iter_next(&it, &op))) {
		need(inside(op.key, data, size) && inside(op.value, data, size));
		need(op.sequence == it.sequence + counted);
		if (op.type != TYPE_LOG_DATA)
			counted++;
	}
	need(rc == SST_NO || rc == SST_ECORRUPT || rc == SST_EUNSUPPORTED);
	need(counted <= it.count && (rc != SST_NO || counted == it.count));
	return 0;
}
