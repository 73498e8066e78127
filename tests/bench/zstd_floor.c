/* SPDX-License-Identifier: MIT */
/*
 * zstd_floor RECORDS: what zstd level 1 alone does with the 16 KiB blocks of a table of these records, on all
 * cores: nothing can flush a compressed memtable faster. The blocks hold what a table's blocks hold: keys in
 * order, prefixes shared within 16 entries, eight bytes of sequence and type behind each key. Prints
 * "name value" lines: wall_ns, cpu_ns, ops (blocks), bytes (raw: keys and values, as in every other row).
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "data.h"

enum { BLOCK_SIZE = 16384, BLOCK_ROOM = BLOCK_SIZE + 256, RESTART_INTERVAL = 16, THREADS_MAX = 64 };

struct block {
	uint32_t size;
	char contents[BLOCK_ROOM];
};

static struct block *blocks;
static size_t block_count;
static atomic_size_t next_block;
static atomic_uint_fast64_t compressed_bytes;

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint32_t shared_prefix(const struct record *a, const struct record *b)
{
	const uint32_t most = a->key_size < b->key_size ? a->key_size : b->key_size;
	uint32_t n = 0;

	while (n < most && a->key[n] == b->key[n])
		n++;
	return n;
}

static void block_add(struct block *b, const struct record *r, uint32_t shared, uint64_t sequence)
{
	const uint64_t tag = sequence << 8 | 1;
	char *to = b->contents + b->size;

	*to++ = (char)shared;
	*to++ = (char)(r->key_size + 8 - shared);
	*to++ = VALUE_SIZE;
	memcpy(to, r->key + shared, r->key_size - shared);
	to += r->key_size - shared;
	memcpy(to, &tag, 8);
	memcpy(to + 8, r->value, VALUE_SIZE);
	b->size = (uint32_t)(to + 8 + VALUE_SIZE - b->contents);
}

static void cut_blocks(const struct record *records, size_t count)
{
	size_t in_block = 0;

	block_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct block *b = &blocks[block_count];

		block_add(b, &records[i], in_block % RESTART_INTERVAL ? shared_prefix(&records[i - 1], &records[i]) : 0, mix(i) >> 40);
		in_block++;
		if (b->size >= BLOCK_SIZE) {
			block_count++;
			in_block = 0;
		}
	}
	block_count += in_block > 0;
}

static void *compress_blocks(void *arg)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();
	char out[ZSTD_COMPRESSBOUND(BLOCK_ROOM)];
	size_t i;

	(void)arg;
	while (context && (i = atomic_fetch_add(&next_block, 1)) < block_count)
		atomic_fetch_add(&compressed_bytes,
			ZSTD_compressCCtx(context, out, sizeof(out), blocks[i].contents, blocks[i].size, 1));
	ZSTD_freeCCtx(context);
	return NULL;
}

int main(int argc, char **argv)
{
	const size_t count = argc == 2 ? (size_t)strtoull(argv[1], NULL, 10) : 0;
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);
	const unsigned threads = cores < THREADS_MAX ? (unsigned)cores : THREADS_MAX;
	struct record *records = records_make(SEED_STORED, count);
	pthread_t ids[THREADS_MAX];

	blocks = calloc(count / 100 + 2, sizeof(*blocks)); /* a block takes at least 118 records */
	if (!count || !records || !blocks)
		return fputs("usage: zstd_floor RECORDS\n", stderr), 2;
	qsort(records, count, sizeof(*records), record_compare);
	cut_blocks(records, count);

	const int64_t wall = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, compress_blocks, NULL))
			return fputs("zstd_floor: no thread\n", stderr), 3;
	for (unsigned i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	printf("wall_ns %" PRId64 "\ncpu_ns %" PRId64 "\nops %zu\nbytes %" PRIu64 "\ncompressed %" PRIuFAST64 "\n",
		now_ns(CLOCK_MONOTONIC) - wall, now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu, block_count,
		records_bytes(records, count), atomic_load(&compressed_bytes));
	free(blocks);
	free(records);
	return 0;
}
