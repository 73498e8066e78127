/* SPDX-License-Identifier: MIT */
/* lsm_batch: a write batch that begins with the note of replay.c, whose eight bytes are filled in at the write. */
#include "db/store.h"

#include <stdlib.h>

#include "base/status.h"

static void begin(struct lsm_batch *b)
{
	uint8_t note[NOTE_SIZE] = NOTE_MAGIC;
	batch_clear(&b->batch);
	batch_log_data(&b->batch, slice_of(note, sizeof(note)));
	b->bytes = 0;
}

struct lsm_batch *lsm_batch_new(void)
{
	struct lsm_batch *b = calloc(1, sizeof(*b));
	if (b)
		begin(b);
	else
		fail_memory();
	return b;
}

void lsm_batch_free(struct lsm_batch *b)
{
	if (!b)
		return;
	batch_release(&b->batch);
	free(b);
}

void lsm_batch_clear(struct lsm_batch *b)
{
	begin(b);
}

/* What one record can hold: its length is checked by every reader as 32 bits in several places. */
#define BATCH_MAX ((UINT64_C(3) << 30))

static int admit(const struct lsm_batch *b, struct sst_slice key, struct sst_slice value)
{
	if (key.size > LSM_KEY_MAX)
		return fail(SST_EINVAL, "key of %zu bytes: at most %u", key.size, LSM_KEY_MAX);
	if (value.size > LSM_VALUE_MAX)
		return fail(SST_EINVAL, "value of %zu bytes: at most %u", value.size, LSM_VALUE_MAX);
	if (b->batch.rep.size + key.size + value.size > BATCH_MAX)
		return fail(SST_EINVAL, "batch of more than %llu bytes", (unsigned long long)BATCH_MAX);
	return 0;
}

static int added(struct lsm_batch *b, size_t bytes)
{
	b->bytes += bytes;
	return buf_check(&b->batch.rep);
}

int lsm_batch_put(struct lsm_batch *b, struct sst_slice key, struct sst_slice value)
{
	int rc = admit(b, key, value);
	if (rc)
		return rc;
	batch_put(&b->batch, key, value);
	return added(b, key.size + value.size);
}

int lsm_batch_delete(struct lsm_batch *b, struct sst_slice key)
{
	int rc = admit(b, key, slice_of(NULL, 0));
	if (rc)
		return rc;
	batch_delete(&b->batch, key);
	return added(b, key.size);
}

size_t lsm_batch_count(const struct lsm_batch *b)
{
	return b->batch.count;
}

size_t lsm_batch_size(const struct lsm_batch *b)
{
	return b->batch.rep.size;
}
