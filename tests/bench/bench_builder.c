/* SPDX-License-Identifier: MIT */
/*
 * How far the table builder is from what zstd alone does with the same blocks on the same CPUs.
 *
 *     bench_builder [-n RECORDS] [-r ROUNDS] [-b BLOCK_SIZE] [-l LEVEL] [-o ROW] [-0] DIRECTORY
 *
 * 20-byte keys, 100-byte values of which half is noise; -0: no compression; -o: one row only, from 0. Every round runs each row once (A B C
 * A B C); medians, in MB/s of keys and values, and the CPU seconds of the median round beside them.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "os/file.h"
#include "os/seq_writer.h"
#include "table/block_builder.h"
#include "table/builder.h"

#define KEY_SIZE 20
#define VALUE_SIZE 100
#define ROUNDS_MAX 99

static size_t records = 1000000, block_size = 16384;
static int level = 1;
static bool compressing = true;
static char *keys;
static uint8_t *values;
static struct pool *pool;
static const char *directory;

static void die(const char *what)
{
	fprintf(stderr, "bench_builder: %s: %s\n", what, sst_errmsg());
	exit(1);
}

static uint64_t random64(void)
{
	static uint64_t x = UINT64_C(0x9e3779b97f4a7c15);
	x ^= x << 13;
	x ^= x >> 7;
	return x ^= x << 17;
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, KEY_SIZE);
}

static void make_data(void)
{
	keys = malloc(records * KEY_SIZE + 1);
	values = malloc(records * VALUE_SIZE);
	if (!keys || !values)
		die("out of memory");
	for (size_t i = 0; i < records; i++)
		snprintf(keys + i * KEY_SIZE, KEY_SIZE + 1, "%020" PRIu64, random64());
	qsort(keys, records, KEY_SIZE, compare_keys);
	for (size_t i = 0; i < records; i++)
		for (size_t j = 0; j < VALUE_SIZE; j++)
			values[i * VALUE_SIZE + j] = j % 100 < 50 ? (uint8_t)random64() : (uint8_t)('a' + j % 26);
}

static struct sst_slice key_at(size_t i)
{
	return slice_of(keys + i * KEY_SIZE, KEY_SIZE);
}

static struct sst_slice value_at(size_t i)
{
	return slice_of(values + i * VALUE_SIZE, VALUE_SIZE);
}

/* ---------------------------------------------------------------- zstd alone */

struct zstd_share {
	struct pool_job job;
	const struct buf *blocks;
	const size_t *ends;
	size_t first, last;
};

static void zstd_run(struct pool_job *job, unsigned worker)
{
	struct zstd_share *s = (struct zstd_share *)(void *)job;
	(void)worker;
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t bound = ZSTD_compressBound(4 * block_size);
	void *to = malloc(bound);
	for (size_t i = s->first; i < s->last; i++) {
		size_t from = i ? s->ends[i - 1] : 0;
		if (ZSTD_isError(ZSTD_compressCCtx(c, to, bound, s->blocks->data + from, s->ends[i] - from, level)))
			exit(1);
	}
	free(to);
	ZSTD_freeCCtx(c);
}

static void make_blocks(struct buf *out, size_t **ends, size_t *count)
{
	struct block_builder b = {0};
	struct buf last = {0}, next = {0};
	*ends = calloc(records + 1, sizeof(**ends));
	*count = 0;
	for (size_t i = 0; i < records; i++) {
		if (!b.out)
			block_builder_start(&b, out, 16);
		buf_clear(&next);
		put_ikey(&next, key_at(i), tag_make(i, TYPE_VALUE));
		block_builder_add(&b, buf_slice(&next), slice_common(buf_slice(&last), buf_slice(&next)),
			value_at(i));
		buf_clear(&last);
		buf_append_slice(&last, buf_slice(&next));
		if (block_builder_size(&b) >= block_size || i + 1 == records) {
			block_builder_finish(&b);
			b.out = NULL;
			(*ends)[(*count)++] = out->size;
		}
	}
	block_builder_release(&b);
	buf_release(&last);
	buf_release(&next);
}

static struct buf blocks;
static size_t *block_ends, block_count;

static void row_zstd(void)
{
	unsigned n = pool_workers(pool);
	struct zstd_share shares[64];
	if (n > 64)
		n = 64;
	for (unsigned i = 0; i < n; i++) {
		shares[i] = (struct zstd_share){.job = {.run = zstd_run}, .blocks = &blocks, .ends = block_ends,
			.first = block_count * i / n, .last = block_count * (i + 1) / n};
		pool_submit(pool, &shares[i].job);
	}
	for (unsigned i = 0; i < n; i++)
		pool_wait(pool, &shares[i].job);
}

/* ---------------------------------------------------------------- the builder */

static int null_write(struct sink *s, const void *p, size_t n)
{
	(void)s, (void)p, (void)n;
	return 0;
}

static void build(struct sink *sink, struct pool *with)
{
	struct table_options o = {.block_size = block_size,
		.compression = compressing ? COMPRESSION_ZSTD : COMPRESSION_NONE,
		.compression_level = level,
		.bloom_bits_per_key = 10,
		.pool = with};
	struct table_builder *b;
	if (table_builder_new(&b, sink, &o))
		die("table_builder_new");
	for (size_t i = 0; i < records; i++)
		if (table_builder_add_parts(b, key_at(i), tag_make(i, TYPE_VALUE), value_at(i)))
			die("table_builder_add_parts");
	if (table_builder_finish(b))
		die("table_builder_finish");
	table_builder_free(b);
}

static void row_null(void)
{
	struct sink null = {null_write};
	build(&null, pool);
}

static void row_null_alone(void)
{
	struct sink null = {null_write};
	build(&null, NULL);
}

static void to_disk(bool no_uring)
{
	int dir, rc = dir_open(&dir, directory);
	struct seq_writer *w;
	struct seq_writer_options o = {.expected_size = records * (KEY_SIZE + VALUE_SIZE), .no_uring = no_uring};
	if (rc || seq_writer_open(&w, dir, "bench.sst", 0600, &o))
		die(directory);
	build(seq_writer_sink(w), pool);
	if (seq_writer_finish(w))
		die("seq_writer_finish");
	seq_writer_close(w);
	dir_remove(dir, "bench.sst");
	file_close(&dir);
}

static void row_disk(void)
{
	to_disk(false);
}

static void row_disk_pwrite(void)
{
	to_disk(true);
}

/* ---------------------------------------------------------------- measuring */

static double now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct row {
	const char *name;
	void (*run)(void);
	double wall[ROUNDS_MAX], cpu[ROUNDS_MAX];
} rows[] = {
	{.name = "zstd alone, all CPUs", .run = row_zstd},
	{.name = "builder, null sink", .run = row_null},
	{.name = "builder, io_uring, fsync", .run = row_disk},
	{.name = "builder, pwrite, fsync", .run = row_disk_pwrite},
	{.name = "builder, no pool, null sink", .run = row_null_alone},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), compare_doubles);
	return v[n / 2];
}

static void print_rows(int rounds, size_t first, size_t last)
{
	double megabytes = (double)(records * (KEY_SIZE + VALUE_SIZE)) / 1e6, floor_s = 0;
	for (size_t i = first; i < last; i++) {
		if (rows[i].run == row_zstd && !compressing)
			continue;
		double wall = median(rows[i].wall, rounds), cpu = median(rows[i].cpu, rounds);
		if (!floor_s)
			floor_s = wall;
		printf("%-28s %7.1f MB/s  %.2f  %6.3f s wall %6.3f s CPU  best %7.1f MB/s\n", rows[i].name,
			megabytes / wall, floor_s / wall, wall, cpu, megabytes / rows[i].wall[0]);
	}
}

int main(int argc, char **argv)
{
	int c, rounds = 5;
	size_t first = 0, last = ROWS;
	while ((c = getopt(argc, argv, "n:r:b:l:o:0")) != -1) {
		if (c == 'n')
			records = (size_t)atol(optarg);
		else if (c == 'r')
			rounds = atoi(optarg);
		else if (c == 'b')
			block_size = (size_t)atol(optarg);
		else if (c == 'l')
			level = atoi(optarg);
		else if (c == 'o')
			last = (first = (size_t)atol(optarg)) + 1;
		else
			compressing = false;
	}
	if (optind + 1 != argc || last > ROWS || records < 1 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_builder [-n records] [-r rounds] [-b block_size] [-l level] [-o row] [-0] "
				"directory\n");
		return 2;
	}
	directory = argv[optind];
	pool = pool_new(0);
	if (!pool)
		die("pool_new");
	make_data();
	make_blocks(&blocks, &block_ends, &block_count);
	for (int r = 0; r < rounds; r++)
		for (size_t i = first; i < last; i++) {
			double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
			rows[i].run();
			rows[i].wall[r] = now(CLOCK_MONOTONIC) - wall;
			rows[i].cpu[r] = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		}
	print_rows(rounds, first, last);
	pool_free(pool);
	free(keys);
	free(values);
	buf_release(&blocks);
	free(block_ends);
	return 0;
}
