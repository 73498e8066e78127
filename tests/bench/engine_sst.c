/* SPDX-License-Identifier: MIT */
/* libsst as the library rows see it. The settings go into lsm.conf before the store is made. */
#include "engine.h"

#include <stdio.h>

#include "sst.h"

static void check(int rc, const char *what)
{
	if (rc < 0)
		bench_die(what, sst_errmsg());
}

static struct sst_slice bytes(const char *data, size_t size)
{
	return (struct sst_slice){(const uint8_t *)data, size};
}

static void write_conf(const struct setup *s)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/lsm.conf", s->dir);
	FILE *f = fopen(path, "w");
	if (!f || fprintf(f, "write_buffer_size = %zu\nblock_size = %zu\ncompression = %s\n", s->memtable, s->block_size,
			  s->compress ? "zstd:1" : "none") < 0 ||
	    fclose(f))
		bench_die(path, "cannot be written");
}

static void *sst_open(const struct setup *s)
{
	const struct lsm_options options = {.create = s->create, .timeout_ms = -1, .cache_size = s->cache ? s->cache : 1};
	struct lsm *db;

	if (s->create)
		write_conf(s);
	check(lsm_open(&db, s->dir, &options), "lsm_open");
	return db;
}

static void sst_close(void *db)
{
	lsm_close(db);
}

static void sst_write(void *db, const struct record *r, size_t count, bool sync)
{
	const unsigned flags = sync ? 0 : LSM_NO_SYNC;
	static struct lsm_batch *batch;

	if (count == 1) {
		check(lsm_put(db, bytes(r->key, r->key_size), bytes(r->value, VALUE_SIZE), flags), "lsm_put");
		return;
	}
	if (!batch && !(batch = lsm_batch_new()))
		bench_die("lsm_batch_new", "no memory");
	lsm_batch_clear(batch);
	for (size_t i = 0; i < count; i++)
		check(lsm_batch_put(batch, bytes(r[i].key, r[i].key_size), bytes(r[i].value, VALUE_SIZE)), "lsm_batch_put");
	check(lsm_write(db, batch, flags), "lsm_write");
}

static bool sst_get(void *db, const char *key, size_t size)
{
	struct sst_slice value;
	const int rc = lsm_get(db, bytes(key, size), &value);

	check(rc, "lsm_get");
	if (rc == 0 && value.size)
		bench_sink += value.data[value.size - 1];
	return rc == 0;
}

static uint64_t sst_scan(void *db)
{
	struct sst_slice key, value;
	uint64_t count = 0, sum = 0;
	struct lsm_scan *scan;
	int rc;

	check(lsm_scan_new(&scan, db, NULL), "lsm_scan_new");
	for (; (rc = lsm_scan_next(scan, &key, &value)) == 0; count++)
		sum += value.data[value.size - 1] + key.size;
	check(rc, "lsm_scan_next");
	lsm_scan_free(scan);
	bench_sink += sum;
	return count;
}

static void sst_flush(void *db)
{
	check(lsm_flush(db, NULL, NULL, NULL), "lsm_flush");
}

const struct engine engine = {
	.processes = true,
	.open = sst_open,
	.close = sst_close,
	.write = sst_write,
	.get = sst_get,
	.scan = sst_scan,
	.flush = sst_flush,
};
