/* SPDX-License-Identifier: MIT */
/*
 * One writer and several readers on one tree, without locks between them: in one process and one mapping, so that the
 * thread sanitizer sees every access (make SAN=thread). A reader that took snapshot s must find every record up to s, and
 * walks must be in order, whatever the writer is just doing.
 */
#include <pthread.h>

#include "unit.h"

#include "mem/memtable.h"

#define READERS 3
#if defined(__SANITIZE_THREAD__)
#define RECORDS 20000
#else
#define RECORDS 120000
#endif

static struct memtable m;
static _Atomic uint64_t visible;
static _Atomic int done;

/* Record n: an order of arrival that is neither ascending nor random to the test. */
static struct sst_slice key_of(char *buf, uint64_t n)
{
	return slice_of(buf, (size_t)sprintf(buf, "key:%08" PRIx64, (n * UINT64_C(2654435761)) & 0xffffffff));
}

static void *writer(void *arg)
{
	char key[32];
	(void)arg;
	for (uint64_t n = 1; n <= RECORDS; n++) {
		CHECK_EQ(memtable_reserve(&m, 40, 1), 0);
		CHECK_EQ(tree_insert(&m.tree, key_of(key, n), tag_make(n, TYPE_VALUE), slice_of(&n, 8)), 0);
		atomic_store_explicit(&visible, n, memory_order_release);
	}
	atomic_store(&done, 1);
	return NULL;
}

static void walk(uint64_t snapshot)
{
	struct iter *it = memtable_iter_new(&m, snapshot);
	struct buf last = {0};
	uint64_t n = 0;
	int rc = iter_seek_first(it);
	for (; rc == 0; rc = iter_next(it), n++) {
		CHECK(!n || ikey_cmp(buf_slice(&last), it->key) < 0);
		buf_clear(&last);
		buf_append_slice(&last, it->key);
	}
	CHECK_EQ(rc, SST_NO);
	CHECK_EQ(n, snapshot);
	buf_release(&last);
	iter_free(it);
}

static void *reader(void *arg)
{
	char key[32];
	uint64_t seed = (uint64_t)(uintptr_t)arg;
	const struct tree_record *r;
	for (uint64_t round = 0; !atomic_load(&done) || round < 100; round++) {
		uint64_t snapshot = atomic_load_explicit(&visible, memory_order_acquire);
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		if (snapshot) {
			uint64_t n = 1 + (seed >> 33) % snapshot;
			CHECK_EQ(tree_get(&m.tree, key_of(key, n), snapshot, &r), 0);
			CHECK_EQ(load64(tree_record_value(r).data), n);
		}
		if (snapshot < RECORDS && tree_get(&m.tree, key_of(key, RECORDS), snapshot, &r) != SST_NO)
			CHECK(!"a record from the future");
		if (round % 2000 == 0)
			walk(snapshot);
	}
	walk(RECORDS);
	return NULL;
}

static void test_readers_beside_a_writer(void)
{
	static const uint8_t token[TOKEN_SIZE];
	struct segment s;
	uint64_t size = UINT64_C(256) << 20;
	pthread_t threads[READERS + 1];
	CHECK_EQ(segment_anonymous(&s, size), 0);
	CHECK_EQ(memtable_format(&m, &s, size, token, 1), 0);
	for (uintptr_t i = 0; i < READERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, reader, (void *)(i + 1)), 0);
	CHECK_EQ(pthread_create(&threads[READERS], NULL, writer, NULL), 0);
	for (unsigned i = 0; i <= READERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	memtable_close(&m);
}

int main(void)
{
	RUN(test_readers_beside_a_writer);
	return unit_done("memtable_threads");
}
