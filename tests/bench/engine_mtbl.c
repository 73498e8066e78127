/* SPDX-License-Identifier: MIT */
/* mtbl as the library rows see it: a sorted table that is written once, from records in order. */
#include "engine.h"

#include <fcntl.h>
#include <mtbl.h>
#include <stdio.h>
#include <unistd.h>

static void table_path(const struct setup *s, char *path, size_t size)
{
	snprintf(path, size, "%s/built.mtbl", s->dir);
}

static void mtbl_build(const struct setup *s, const struct record *sorted, size_t count)
{
	struct mtbl_writer_options *o = mtbl_writer_options_init();
	char path[4096];

	table_path(s, path, sizeof(path));
	unlink(path);
	mtbl_writer_options_set_compression(o, s->compress ? MTBL_COMPRESSION_ZSTD : MTBL_COMPRESSION_NONE);
	if (s->compress)
		mtbl_writer_options_set_compression_level(o, 1);
	mtbl_writer_options_set_block_size(o, s->block_size);
	struct mtbl_writer *w = mtbl_writer_init(path, o);
	mtbl_writer_options_destroy(&o);
	if (!w)
		bench_die(path, "cannot be made");
	for (size_t i = 0; i < count; i++)
		if (mtbl_writer_add(w, (const uint8_t *)sorted[i].key, sorted[i].key_size,
				    (const uint8_t *)sorted[i].value, VALUE_SIZE) != mtbl_res_success)
			bench_die("mtbl_writer_add", "failed");
	mtbl_writer_destroy(&w);

	const int fd = open(path, O_RDONLY);
	if (fd < 0 || fsync(fd) || close(fd))
		bench_die(path, "cannot be synced");
}

static void *mtbl_open(const struct setup *s)
{
	char path[4096];

	table_path(s, path, sizeof(path));
	struct mtbl_reader *r = mtbl_reader_init(path, NULL);
	if (!r)
		bench_die(path, "cannot be opened");
	return r;
}

static void mtbl_close(void *db)
{
	struct mtbl_reader *r = db;

	mtbl_reader_destroy(&r);
}

static bool mtbl_get(void *db, const char *key, size_t size)
{
	struct mtbl_iter *it = mtbl_source_get(mtbl_reader_source(db), (const uint8_t *)key, size);
	const uint8_t *k, *v;
	size_t k_size, v_size;
	const bool found = it && mtbl_iter_next(it, &k, &k_size, &v, &v_size) == mtbl_res_success;

	if (found)
		bench_sink += v[v_size - 1];
	mtbl_iter_destroy(&it);
	return found;
}

static uint64_t mtbl_scan(void *db)
{
	struct mtbl_iter *it = mtbl_source_iter(mtbl_reader_source(db));
	const uint8_t *k, *v;
	size_t k_size, v_size;
	uint64_t count = 0, sum = 0;

	for (; mtbl_iter_next(it, &k, &k_size, &v, &v_size) == mtbl_res_success; count++)
		sum += v[v_size - 1] + k_size;
	mtbl_iter_destroy(&it);
	bench_sink += sum;
	return count;
}

const struct engine engine = {
	.open = mtbl_open,
	.close = mtbl_close,
	.get = mtbl_get,
	.scan = mtbl_scan,
	.build = mtbl_build,
};
