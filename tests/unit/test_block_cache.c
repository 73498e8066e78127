/* SPDX-License-Identifier: MIT */
/* Blocks and tables that a handle keeps: within their bounds, and never the wrong ones. */
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/slice.h"
#include "table/block_builder.h"
#include "table/block_cache.h"
#include "unit.h"

/* A block of one entry: key KEY and a value of n bytes. */
static struct block make_block(struct buf *contents, const char *key, size_t n)
{
	struct block b;
	struct buf value = {0};
	struct block_builder builder = {0};
	while (value.size < n)
		buf_push(&value, (uint8_t)key[0]);
	block_builder_start(&builder, contents, 16);
	block_builder_add(&builder, slice_str(key), 0, buf_slice(&value));
	CHECK_EQ(block_builder_finish(&builder), 0);
	CHECK_EQ(block_open(&b, buf_slice(contents), 0, ORDER_BYTEWISE), 0);
	block_builder_release(&builder);
	buf_release(&value);
	return b;
}

static void check_block(const struct block *b, const char *key, size_t n)
{
	struct block_iter it = {0};
	block_iter_start(&it, b, false);
	CHECK_EQ(block_iter_next(&it), 0);
	CHECK(slice_eq(it.key, slice_str(key)));
	CHECK_EQ(it.value.size, n);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(it.value.data[i], key[0]);
	CHECK_EQ(block_iter_next(&it), SST_NO);
	block_iter_release(&it);
}

static void add(struct block_cache *c, uint64_t table, uint64_t offset, const char *key, size_t n)
{
	struct buf contents = {0};
	struct block b = make_block(&contents, key, n);
	block_cache_add(c, table, (struct block_handle){offset, n}, &b, buf_slice(&contents));
	if (contents.size)
		memset(contents.data, 0xff, contents.size); /* the cache has its own */
	buf_release(&contents);
}

static void test_blocks_of_many_tables(void)
{
	struct block_cache c = {.limit = 64 << 10};
	unsigned here = 0, asked = 0;
	srand(7);
	for (int i = 0; i < 100000; i++) {
		uint64_t table = (uint64_t)rand() % 5, offset = (uint64_t)rand() % 300;
		size_t n = 50 + (size_t)(table * 100 + offset) % 700;
		char key[32];
		snprintf(key, sizeof(key), "%c-%u", 'a' + (int)table, (unsigned)offset);
		const struct block *b = block_cache_get(&c, table, (struct block_handle){offset, n});
		asked++;
		if (b) {
			here++;
			check_block(b, key, n);
		} else {
			add(&c, table, offset, key, n);
			b = block_cache_get(&c, table, (struct block_handle){offset, n});
			CHECK(b);
			check_block(b, key, n);
		}
		CHECK(c.used <= c.limit);
		CHECK(!block_cache_get(&c, table, (struct block_handle){offset, n + 1}));
	}
	CHECK(c.count > 50 && here > asked / 50 && here < asked / 2); /* some 110 of 1500 find room */
	block_cache_release(&c);
	CHECK_EQ(c.used, 0);
}

static void test_what_is_asked_for_stays(void)
{
	struct block_cache c = {.limit = 32 << 10};
	struct block_handle h = {1, 1000};
	add(&c, 1, 1, "kept", 1000);
	for (uint64_t offset = 2; offset < 1000; offset++) {
		CHECK(block_cache_get(&c, 1, h));
		add(&c, 1, offset, "passes", 1000);
	}
	check_block(block_cache_get(&c, 1, h), "kept", 1000);
	CHECK(!block_cache_get(&c, 1, (struct block_handle){2, 1000}));
	block_cache_release(&c);
}

static void test_too_large_or_none(void)
{
	struct block_cache c = {.limit = 500}, none = {0};
	add(&c, 1, 1, "large", 1000);
	CHECK(!block_cache_get(&c, 1, (struct block_handle){1, 1000}));
	CHECK_EQ(c.used, 0);
	add(&none, 1, 1, "x", 1);
	CHECK(!block_cache_get(&none, 1, (struct block_handle){1, 1}));
	block_cache_release(&c);
	block_cache_release(&none);
}

enum { TABLES = 60, KEYS = 20 };

static void fill(const char *path)
{
	struct lsm_options opt = {.create = true, .timeout_ms = -1};
	struct lsm *db;
	char key[32], value[32];
	CHECK_EQ(lsm_open(&db, path, &opt), 0);
	for (int t = 0; t < TABLES; t++) {
		for (int k = t % 3; k < KEYS; k += 3) { /* every table has a third of the keys */
			snprintf(key, sizeof(key), "%02d", k);
			snprintf(value, sizeof(value), "%d of %d", k, t);
			CHECK_EQ(lsm_put(db, slice_str(key), slice_str(value), LSM_NO_SYNC), 0);
		}
		CHECK_EQ(lsm_flush(db, NULL, NULL, NULL), 0);
	}
	lsm_close(db);
}

static unsigned open_files(void)
{
	unsigned n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += dup2(fd, fd) == fd;
	return n;
}

/* Absent keys between the others are looked for in every table, as there is no filter. */
static void look(const char *path, size_t cache_size)
{
	struct lsm_options opt = {.timeout_ms = -1, .cache_size = cache_size};
	struct lsm *db;
	CHECK_EQ(lsm_open(&db, path, &opt), 0);
	for (int round = 0; round < 5; round++)
		for (int k = 0; k < KEYS; k++) {
			char key[32], value[32];
			struct sst_slice found;
			snprintf(key, sizeof(key), "%02d", k);
			snprintf(value, sizeof(value), "%d of %d", k, TABLES - 3 + k % 3);
			CHECK_EQ(lsm_get(db, slice_str(key), &found), 0);
			CHECK(slice_eq(found, slice_str(value)));
			snprintf(key, sizeof(key), "%02dx", k);
			CHECK_EQ(lsm_get(db, slice_str(key), &found), SST_NO);
		}
	CHECK(open_files() < 60);
	lsm_close(db);
}

static void test_more_tables_than_descriptors(void)
{
	char directory[] = "/tmp/test_block_cache.XXXXXX", path[64], name[80];
	CHECK(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/db", directory);
	CHECK_EQ(mkdir(path, 0755), 0);
	snprintf(name, sizeof(name), "%s/lsm.conf", path);
	FILE *f = fopen(name, "w");
	CHECK(f && fputs("bloom_bits_per_key = 0\n", f) >= 0 && !fclose(f));
	fill(path);
	struct rlimit l;
	CHECK(!getrlimit(RLIMIT_NOFILE, &l));
	l.rlim_cur = 80;
	CHECK(!setrlimit(RLIMIT_NOFILE, &l));
	look(path, 0);
	look(path, 1);
	look(path, 3000);
	snprintf(name, sizeof(name), "rm -r %s", directory);
	CHECK_EQ(system(name), 0);
}

int main(void)
{
	RUN(test_blocks_of_many_tables);
	RUN(test_what_is_asked_for_stays);
	RUN(test_too_large_or_none);
	RUN(test_more_tables_than_descriptors);
	return unit_done("test_block_cache");
}
