/* SPDX-License-Identifier: MIT */
/* Lookups that read a memtable segment instead of mapping it, beside a process that writes it. */
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#include "mem/memtable.h"
#include "os/file.h"

#define RECORDS 60000
#define SIZE (UINT64_C(256) << 20)

static const uint8_t token[TOKEN_SIZE] = "window";
static char name[64];
static int dirfd;

static struct sst_slice key_of(char *buf, uint64_t n)
{
	return slice_of(buf, (size_t)sprintf(buf, "some:prefix:%08" PRIx64, (n * UINT64_C(2654435761)) & 0xffffffff));
}

/* Most values fit into the first read of a record, some do not. */
static size_t value_size(uint64_t n)
{
	return n % 97 ? 8 + n % 50 : 8 + (n % 11) * 1000;
}

static struct memtable fresh(void)
{
	struct segment s;
	struct memtable m;
	snprintf(name, sizeof(name), "lsm-test-window.%d", (int)getpid());
	CHECK_EQ(segment_dir(&dirfd), 0);
	CHECK_EQ(segment_create(&s, dirfd, name, SIZE, memtable_commit_for(0, 0), 0600, (uid_t)-1, (gid_t)-1), 0);
	CHECK_EQ(memtable_format(&m, &s, memtable_commit_for(0, 0), token, 7), 0);
	return m;
}

static void insert(struct memtable *m, uint64_t n)
{
	static uint8_t value[16384];
	char key[32];
	memcpy(value, &n, 8);
	CHECK_EQ(memtable_reserve(m, 32 + value_size(n), 1), 0);
	CHECK_EQ(tree_insert(&m->tree, key_of(key, n), tag_make(n, TYPE_VALUE), slice_of(value, value_size(n))), 0);
}

static struct memtable find(uint64_t generation, int rc)
{
	struct segment s;
	struct memtable m;
	CHECK_EQ(segment_find(&s, dirfd, name, 4096, false), 0);
	CHECK_EQ(memtable_attach(&m, &s, token, generation), rc);
	CHECK(rc || (!m.segment.base && memtable_is_open(&m)));
	return m;
}

static void check_hit(struct memtable *m, uint64_t n, uint64_t snapshot)
{
	char key[32];
	const struct tree_record *r;
	CHECK_EQ(memtable_get(m, key_of(key, n), snapshot, &r), 0);
	CHECK_EQ(r->value_size, value_size(n));
	CHECK_EQ(load64(tree_record_value(r).data), n);
}

static void check_miss(struct memtable *m, uint64_t n, uint64_t snapshot)
{
	char key[32];
	const struct tree_record *r;
	CHECK_EQ(memtable_get(m, key_of(key, n), snapshot, &r), SST_NO);
}

static void test_beside_a_writer(void)
{
	struct memtable m = fresh();
	_Atomic uint64_t *visible = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(visible != MAP_FAILED);
	pid_t child = fork();
	CHECK(child >= 0);
	if (!child) {
		for (uint64_t n = 1; n <= RECORDS; n++) {
			insert(&m, n);
			atomic_store_explicit(visible, n, memory_order_release);
		}
		_exit(0);
	}
	struct memtable w = find(7, 0);
	uint64_t seed = 1;
	for (unsigned round = 0; round < 20000; round++) {
		uint64_t snapshot = atomic_load_explicit(visible, memory_order_acquire);
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		if (snapshot)
			check_hit(&w, 1 + (seed >> 33) % snapshot, snapshot);
		if (snapshot < RECORDS)
			check_miss(&w, RECORDS, snapshot);
		if (round % 25 == 0) {
			memtable_close(&w);
			w = find(7, 0);
		}
	}
	int status;
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	for (uint64_t n = 1; n <= RECORDS; n++)
		check_hit(&w, n, RECORDS);
	CHECK(w.segment.base && !w.window); /* so many lookups are worth a mapping */
	memtable_close(&w);
	memtable_close(&m);
	CHECK_EQ(dir_remove(dirfd, name), 0);
}

static void test_empty_and_versions(void)
{
	struct memtable m = fresh(), w = find(7, 0);
	const struct tree_record *r;
	check_miss(&w, 1, SEQUENCE_MAX);
	for (uint64_t n = 1; n <= 200; n++)
		CHECK(memtable_reserve(&m, 9, 1) == 0 &&
			tree_insert(&m.tree, slice_str("k"), tag_make(n, TYPE_VALUE), slice_of(&n, 8)) == 0);
	for (uint64_t n = 1; n <= 60; n++) {
		CHECK_EQ(memtable_get(&w, slice_str("k"), n * 3, &r), 0);
		CHECK_EQ(tag_sequence(r->tag), n * 3);
	}
	CHECK_EQ(memtable_map(&w), 0);
	CHECK_EQ(memtable_map(&w), 0);
	CHECK_EQ(memtable_get(&w, slice_str("k"), 5, &r), 0);
	CHECK_EQ(tag_sequence(r->tag), 5);
	memtable_close(&w);
	memtable_close(&m);
	CHECK_EQ(dir_remove(dirfd, name), 0);
}

/* Inserts of many handles that map nothing until a leaf is full, in runs of one to five, against a mapped one. */
static void test_inserts(void)
{
	struct memtable m = fresh(), w = find(7, 0);
	const struct tree_record *r;
	struct buf run = {0};
	char key[32];
	uint64_t n = 0, mapped = 0;
	for (unsigned round = 0; round < 3000; round++) {
		size_t count = 1 + round % 5, bytes = 0;
		if (round % 3 == 0) {
			mapped += w.segment.base != NULL;
			memtable_close(&w);
			w = find(7, 0);
		}
		buf_clear(&run);
		for (size_t i = 0; i < count; i++, n++) {
			uint8_t value[4096] = {0};
			store64(value, n + 1);
			size_t size = n % 40 ? 8 : 3000;
			tree_run_add(&run, key_of(key, n + 1), tag_make(n + 1, TYPE_VALUE), slice_of(value, size));
			bytes += 20 + size;
		}
		CHECK_EQ(buf_check(&run), 0);
		CHECK_EQ(memtable_refresh(&w), 0);
		CHECK_EQ(memtable_reserve(&w, bytes, count), 0);
		for (size_t i = 0; i < count && round % 2; i++)
			CHECK_EQ(memtable_prepare(&w, key_of(key, n - i), tag_make(n - i, TYPE_VALUE), count), 0);
		CHECK_EQ(memtable_insert(&w, &run), 0);
		CHECK_EQ(memtable_entries(&m), n);
		CHECK_EQ(memtable_used(&w), memtable_used(&m));
	}
	CHECK(mapped > 10 && mapped < 990);
	for (uint64_t i = 1; i <= n; i++) {
		CHECK_EQ(memtable_get(&m, key_of(key, i), SEQUENCE_MAX, &r), 0);
		CHECK_EQ(load64(tree_record_value(r).data), i);
	}
	struct iter *it = memtable_iter_new(&m, SEQUENCE_MAX);
	uint64_t seen = 0;
	for (int rc = iter_seek_first(it); rc == 0; rc = iter_next(it))
		seen++;
	CHECK_EQ(seen, n);
	iter_free(it);
	buf_release(&run);
	memtable_close(&w);
	memtable_close(&m);
	CHECK_EQ(dir_remove(dirfd, name), 0);
}

static void test_damage(void)
{
	struct memtable m = fresh();
	const struct tree_record *r;
	char key[32];
	for (uint64_t n = 1; n <= 5000; n++)
		insert(&m, n);
	find(8, SST_ECORRUPT); /* another generation */
	struct memtable w = find(7, 0);
	check_hit(&w, 3, SEQUENCE_MAX);
	CHECK_EQ(ftruncate(m.segment.fd, 8192), 0);
	unsigned wrong = 0;
	for (uint64_t n = 1; n <= 50; n++)
		wrong += memtable_get(&w, key_of(key, n), SEQUENCE_MAX, &r) != SST_ECORRUPT;
	CHECK_EQ(wrong, 0);
	CHECK_EQ(ftruncate(m.segment.fd, 100), 0); /* not even a header */
	CHECK_EQ(memtable_get(&w, key_of(key, 1), SEQUENCE_MAX, &r), SST_ECORRUPT);
	CHECK_EQ(ftruncate(m.segment.fd, (off_t)SIZE), 0); /* zeros are not an empty tree */
	CHECK_EQ(memtable_get(&w, key_of(key, 1), SEQUENCE_MAX, &r), SST_ECORRUPT);
	memtable_close(&w);
	memtable_close(&m);
	CHECK_EQ(dir_remove(dirfd, name), 0);
}

/* What goes wrong between the reservation and the insertion: the room was not secured, or the segment was cut. */
static void test_inserts_that_fail(void)
{
	struct memtable m = fresh(), w = find(7, 0);
	const struct tree_record *r;
	struct buf run = {0};
	tree_run_add(&run, slice_str("key"), tag_make(1, TYPE_VALUE), slice_str("value"));
	CHECK_EQ(memtable_refresh(&w), 0);
	uint64_t used = memtable_used(&m);
	w.tree.header->committed = used + run.size - 8;
	CHECK_EQ(memtable_insert(&w, &run), SST_EFULL);
	CHECK_EQ(ftruncate(m.segment.fd, 4096), 0);
	CHECK_EQ(memtable_insert(&w, &run), SST_EBUSY);
	CHECK_EQ(memtable_reserve(&w, SIZE, 1), SST_NO);
	CHECK_EQ(memtable_reserve(&w, 8 << 20, 1), SST_ECORRUPT);
	struct file_id id;
	CHECK_EQ(file_identify(m.segment.fd, &id, name), 0);
	CHECK_EQ(id.size, 4096); /* nothing has made it longer again */
	memtable_close(&w);
	memtable_close(&m);
	CHECK_EQ(dir_remove(dirfd, name), 0);

	/* a record whose sizes reach behind the segment */
	m = fresh();
	insert(&m, 1);
	w = find(7, 0);
	char key[32];
	CHECK_EQ(tree_get(&m.tree, key_of(key, 1), SEQUENCE_MAX, &r), 0);
	struct tree_record *hurt = (void *)(m.segment.base + ((const uint8_t *)r - m.segment.base));
	hurt->value_size = UINT32_MAX;
	CHECK_EQ(memtable_get(&w, key_of(key, 1), SEQUENCE_MAX, &r), SST_ECORRUPT);
	buf_release(&run);
	memtable_close(&w);
	memtable_close(&m);
	CHECK_EQ(dir_remove(dirfd, name), 0);
}

int main(void)
{
	RUN(test_beside_a_writer);
	RUN(test_empty_and_versions);
	RUN(test_inserts);
	RUN(test_damage);
	RUN(test_inserts_that_fail);
	return unit_done("window");
}
