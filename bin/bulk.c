/* SPDX-License-Identifier: MIT */
#include "bulk.h"

#include "base/status.h"
#include "flusher.h"

#define GROUP_SIZE (256u << 10)
#define SYNC_SIZE (32u << 20)

int bulk_open(struct bulk *b, const struct tool *t, bool create)
{
	*b = (struct bulk){
		.db = tool_open(t, create, false),
		.batch = lsm_batch_new(),
		.flusher = flusher_new(t),
	};
	return b->batch && b->flusher ? 0 : fail_memory();
}

void bulk_close(struct bulk *b)
{
	flusher_free(b->flusher);
	lsm_batch_free(b->batch);
	lsm_close(b->db);
}

static int write_group(struct bulk *b)
{
	if (!lsm_batch_count(b->batch))
		return 0;
	int rc = lsm_write(b->db, b->batch, LSM_NO_SYNC);
	if (rc)
		return rc;
	b->unsynced += lsm_batch_size(b->batch);
	lsm_batch_clear(b->batch);
	flusher_poke(b->flusher, b->db);
	return 0;
}

static int sync_groups(struct bulk *b)
{
	if (!b->unsynced || b->no_sync)
		return 0;
	b->unsynced = 0;
	return lsm_sync(b->db);
}

int bulk_settle(struct bulk *b)
{
	int rc = write_group(b);
	return rc ? rc : sync_groups(b);
}

int bulk_rest(struct bulk *b)
{
	int rc = lsm_sync(b->db); /* also what is not to be waited for: now there is time */
	if (!rc)
		lsm_rest(b->db);
	return rc;
}

static int added(struct bulk *b, int rc)
{
	if (rc || b->atomic || lsm_batch_size(b->batch) < GROUP_SIZE)
		return rc;
	rc = write_group(b);
	return rc || b->unsynced < SYNC_SIZE ? rc : sync_groups(b);
}

int bulk_put(struct bulk *b, struct sst_slice key, struct sst_slice value)
{
	return added(b, lsm_batch_put(b->batch, key, value));
}

int bulk_delete(struct bulk *b, struct sst_slice key)
{
	return added(b, lsm_batch_delete(b->batch, key));
}
