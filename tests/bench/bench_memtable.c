/* SPDX-License-Identifier: MIT */
/*
 * bench_memtable [RECORDS]: the memtable alone, in a segment of /dev/shm as the store has it: random keys of 16 to 24
 * bytes, values of 100. Prints nanoseconds per operation, one figure a line.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "mem/memtable.h"
#include "os/file.h"

static uint64_t rng = 88172645463325252u;

static uint64_t random64(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static void die(const char *what)
{
	fprintf(stderr, "bench_memtable: %s: %s\n", what, sst_errmsg());
	exit(1);
}

/* CPU time, so that a busy machine disturbs less; there is no waiting here. */
static uint64_t cpu_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#define KEY_MAX 24

struct key {
	uint8_t bytes[KEY_MAX];
	uint8_t size;
};

static void make_key(struct key *k)
{
	uint64_t a[3] = {random64(), random64(), random64()};
	memcpy(k->bytes, a, KEY_MAX);
	k->size = (uint8_t)(16 + random64() % 9);
}

static struct sst_slice key_of(const struct key *k)
{
	return slice_of(k->bytes, k->size);
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 400000;
	static const uint8_t token[TOKEN_SIZE];
	uint8_t value[100] = {1};
	struct memtable m;
	struct segment s;
	char name[64];
	int dirfd;
	struct key *keys = calloc(2 * n, sizeof(*keys));
	if (!keys)
		return 1;
	for (size_t i = 0; i < 2 * n; i++)
		make_key(&keys[i]);
	snprintf(name, sizeof(name), "lsm-bench.%d", (int)getpid());
	if (segment_dir(&dirfd) || segment_create(&s, dirfd, name, memtable_segment_size(n * 300, 0), memtable_commit_for(0, 0),
					   0600, (uid_t)-1, (gid_t)-1))
		die("segment");
	(void)dir_remove(dirfd, name);
	if (memtable_format(&m, &s, memtable_commit_for(0, 0), token, 1))
		die("format");
	uint64_t t0 = cpu_ns();
	for (size_t i = 0; i < n; i++)
		if (memtable_reserve(&m, 124, 1) ||
			tree_insert(&m.tree, key_of(&keys[i]), tag_make(i + 1, TYPE_VALUE), slice_of(value, 100)))
			die("insert");
	uint64_t t1 = cpu_ns();
	const struct tree_record *r;
	for (size_t i = 0; i < n; i++)
		if (tree_get(&m.tree, key_of(&keys[(i * 7919) % n]), SEQUENCE_MAX, &r))
			die("get");
	uint64_t t2 = cpu_ns();
	for (size_t i = n; i < 2 * n; i++)
		if (tree_get(&m.tree, key_of(&keys[i]), SEQUENCE_MAX, &r) != SST_NO)
			die("miss");
	uint64_t t3 = cpu_ns(), seen = 0;
	struct iter *it = memtable_iter_new(&m, SEQUENCE_MAX);
	for (int rc = iter_seek_first(it); rc == 0; rc = iter_next(it))
		seen++;
	uint64_t t4 = cpu_ns();
	if (seen != n)
		die("walk");
	printf("insert_ns %.0f\nhit_ns %.0f\nmiss_ns %.0f\nnext_ns %.0f\nindex_bytes %.1f\n", (double)(t1 - t0) / (double)n,
		(double)(t2 - t1) / (double)n, (double)(t3 - t2) / (double)n, (double)(t4 - t3) / (double)n,
		(double)(memtable_used(&m) - memtable_bytes(&m)) / (double)n);
	iter_free(it);
	memtable_close(&m);
	free(keys);
	return 0;
}
