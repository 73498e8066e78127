/* SPDX-License-Identifier: MIT */
/* sst_builder_*: order, sorting in little memory, what is left after a failure. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "unit.h"

static char directory[] = "/tmp/test_build_api.XXXXXX", path[64], temporary[80];

static bool exists(const char *name)
{
	struct stat st;
	return stat(name, &st) == 0;
}

static int into_buf(void *arg, const void *p, size_t n)
{
	buf_append(arg, p, n);
	return buf_check(arg);
}

static struct sst_entry put(const char *key, const char *value)
{
	return (struct sst_entry){.key = slice_str(key), .value = slice_str(value), .type = SST_PUT};
}

static int add(struct sst_builder *b, const char *key, const char *value)
{
	struct sst_entry e = put(key, value);
	return sst_builder_add(b, &e);
}

static void test_file(void)
{
	struct sst_builder *b, *other;
	struct sst_built built;
	struct sst_table *t;
	struct sst_entry e;
	CHECK_EQ(sst_builder_open(&b, path, NULL), 0);
	CHECK(strcmp(sst_builder_temporary(b), temporary) == 0 && exists(temporary) && !exists(path));
	CHECK_EQ(sst_builder_open(&other, path, NULL), SST_EBUSY);
	CHECK_EQ(add(b, "b", "1"), 0);
	CHECK_EQ(add(b, "b", "2"), SST_EINVAL);
	CHECK(strstr(sst_errmsg(), "same"));
	CHECK_EQ(add(b, "a", "2"), SST_EINVAL);
	CHECK(strstr(sst_errmsg(), "below"));
	e = put("c", "3");
	e.sequence = 1;
	CHECK_EQ(sst_builder_add(b, &e), SST_EINVAL);
	e.sequence = 0;
	e.type = SST_MERGE;
	CHECK_EQ(sst_builder_add(b, &e), SST_EINVAL);
	CHECK_EQ(add(b, "ba", ""), 0);
	CHECK_EQ(sst_builder_finish(b, &built), 0);
	CHECK(built.entries == 2 && built.deletions == 0 && built.bytes > 0);
	sst_builder_close(b);
	CHECK(exists(path) && !exists(temporary));
	CHECK_EQ(sst_table_open(&t, path), 0);
	CHECK(sst_table_get(t, slice_str("b"), &e) == 0 && slice_eq(e.value, slice_str("1")) && e.sequence == 0);
	CHECK(sst_table_get(t, slice_str("ba"), &e) == 0 && e.value.size == 0);
	CHECK_EQ(sst_table_get(t, slice_str("a"), &e), SST_NO);
	sst_table_close(t);
}

static void test_abandoned(void)
{
	struct sst_builder *b;
	unlink(path);
	CHECK_EQ(sst_builder_open(&b, path, NULL), 0);
	CHECK_EQ(add(b, "a", "1"), 0);
	sst_builder_close(b);
	CHECK(!exists(path) && !exists(temporary));
	/* what a killed process left */
	FILE *f = fopen(temporary, "w");
	CHECK(f && fputs("half a table", f) >= 0 && fclose(f) == 0);
	CHECK_EQ(sst_builder_open(&b, path, NULL), 0);
	CHECK_EQ(sst_builder_finish(b, NULL), 0);
	sst_builder_close(b);
	CHECK(exists(path) && !exists(temporary));
	sst_builder_close(NULL);
}

static void test_no_target(void)
{
	struct sst_builder *b;
	unlink(path);
	CHECK(mkdir(path, 0700) == 0);
	CHECK_EQ(sst_builder_open(&b, path, NULL), SST_EINVAL);
	CHECK(rmdir(path) == 0 && symlink("nowhere", path) == 0);
	CHECK_EQ(sst_builder_open(&b, path, NULL), SST_EINVAL);
	unlink(path);
	CHECK(!exists(temporary));
	CHECK_EQ(sst_builder_open(&b, "/tmp/no/such/directory", NULL), SST_ENOENT);
	CHECK_EQ(sst_builder_open(&b, "/tmp/", NULL), SST_EINVAL);
	CHECK_EQ(sst_builder_open(&b, path, &(struct sst_builder_options){.sort = true, .sequences = true}), SST_EINVAL);
	CHECK_EQ(sst_builder_open(&b, path, &(struct sst_builder_options){.zstd_level = 23}), SST_EINVAL);
}

static void test_sequences(void)
{
	struct buf out = {0};
	struct sst_builder *b;
	struct sst_table *t;
	struct sst_entry e = put("k", "v");
	CHECK_EQ(sst_builder_open_stream(&b, into_buf, &out, &(struct sst_builder_options){.sequences = true}), 0);
	CHECK(!sst_builder_temporary(b));
	e.sequence = 9;
	CHECK_EQ(sst_builder_add(b, &e), 0);
	e.sequence = 8;
	e.type = SST_DELETE;
	CHECK_EQ(sst_builder_add(b, &e), 0);
	e.sequence = 8;
	CHECK_EQ(sst_builder_add(b, &e), SST_EINVAL);
	CHECK_EQ(sst_builder_finish(b, NULL), 0);
	sst_builder_close(b);
	CHECK_EQ(sst_table_open_memory(&t, out.data, out.size, "out"), 0);
	CHECK(sst_table_get(t, slice_str("k"), &e) == 0 && e.sequence == 9);
	sst_table_close(t);
	buf_release(&out);
}

static int no_room(void *arg, const void *p, size_t n)
{
	(void)arg, (void)p, (void)n;
	return SST_EFULL;
}

static void test_stream_fails(void)
{
	struct sst_builder *b;
	CHECK_EQ(sst_builder_open_stream(&b, no_room, NULL, NULL), 0);
	CHECK_EQ(add(b, "a", "1"), 0);
	CHECK_EQ(sst_builder_finish(b, NULL), SST_EFULL);
	sst_builder_close(b);
}

/* ---------------------------------------------------------------- sorting */

enum { KEY_SPACE = 40000 };

static uint32_t seed;

static uint32_t dice(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)seed * n >> 32);
}

/* Keys of 0 to 20 bytes with zeros in them, some of which agree in their first eight. */
static struct sst_slice make_key(uint8_t key[20], uint32_t n)
{
	size_t size = n % 3 == 0 ? 20 : n % 3 == 1 ? 8 + n % 4 : n % 8;
	memset(key, n % 5 ? 0 : 0xff, 20);
	for (size_t i = 0; i < 4 && i < size; i++)
		key[size - 1 - i] = (uint8_t)(n >> 8 * i);
	return slice_of(key, size);
}

/* What each key, by its bytes, has last: filled while entries are added. */
struct expectation {
	uint8_t key[20];
	size_t size;
	uint32_t value;
};

static int cmp_expected(const void *a, const void *b)
{
	const struct expectation *x = a, *y = b;
	int c = slice_cmp(slice_of(x->key, x->size), slice_of(y->key, y->size));
	return c ? c : (x->value < y->value) - (x->value > y->value);
}

/* Entries of some 60 bytes; every 1000th has 100 KB. */
static void sort_and_compare(uint32_t count, size_t memory)
{
	struct expectation *all = calloc(count, sizeof(*all));
	uint8_t *value = calloc(1, 100000);
	struct buf out = {0};
	struct sst_builder *b;
	struct sst_table *t;
	struct sst_iter *it;
	struct sst_entry e;
	struct sst_builder_options options = {.sort = true, .sort_memory = memory, .sort_directory = directory};
	CHECK(all && value);
	CHECK_EQ(sst_builder_open_stream(&b, into_buf, &out, &options), 0);
	for (uint32_t i = 0; i < count; i++) {
		struct sst_slice key = make_key(all[i].key, dice(KEY_SPACE));
		all[i].size = key.size;
		all[i].value = i;
		memcpy(value, &i, 4);
		e = (struct sst_entry){.key = key, .value = slice_of(value, i % 1000 ? 40 : 100000), .type = SST_PUT};
		CHECK_EQ(sst_builder_add(b, &e), 0);
	}
	CHECK_EQ(sst_builder_finish(b, NULL), 0);
	sst_builder_close(b);
	qsort(all, count, sizeof(*all), cmp_expected);
	CHECK_EQ(sst_table_open_memory(&t, out.data, out.size, "out"), 0);
	CHECK_EQ(sst_iter_new(&it, t, SST_ITER_ALL), 0);
	int rc = sst_iter_first(it, &e);
	for (uint32_t i = 0; i < count; i++) {
		struct sst_slice key = slice_of(all[i].key, all[i].size);
		if (i && slice_eq(key, slice_of(all[i - 1].key, all[i - 1].size)))
			continue;
		CHECK_EQ(rc, 0);
		CHECK(slice_eq(e.key, key) && memcmp(e.value.data, &all[i].value, 4) == 0);
		rc = sst_iter_next(it, &e);
	}
	CHECK_EQ(rc, SST_NO);
	sst_iter_free(it);
	sst_table_close(t);
	buf_release(&out);
	free(all);
	free(value);
}

static void test_sort(void)
{
	sort_and_compare(1, 0);
	sort_and_compare(20000, 0);	  /* in memory */
	sort_and_compare(20000, 1 << 20); /* a few runs */
	sort_and_compare(60000, 1);	  /* some 150 runs of the least memory: merged in two steps */
	for (uint32_t count = 50000; count < 57000; count += 1000) /* so many that the last merge has two steps itself */
		sort_and_compare(count, 1);
}

static void test_sort_refuses(void)
{
	struct sst_builder *b;
	struct sst_builder_options options = {.sort = true, .sort_directory = "/no/such/directory", .sort_memory = 1};
	struct sst_entry e = put("k", "v");
	CHECK_EQ(sst_builder_open(&b, path, &options), 0);
	e.sequence = 1;
	CHECK_EQ(sst_builder_add(b, &e), SST_EINVAL);
	e.sequence = 0;
	e.type = SST_RANGE_DELETE;
	CHECK_EQ(sst_builder_add(b, &e), SST_EINVAL);
	e.type = SST_PUT;
	int rc = 0;
	for (int i = 0; i < 10000 && !rc; i++)
		rc = sst_builder_add(b, &e);
	CHECK_EQ(rc, SST_ENOENT);
	CHECK(strstr(sst_errmsg(), "/no/such/directory"));
	sst_builder_close(b);
	CHECK(!exists(path) && !exists(temporary));
}

int main(void)
{
	CHECK(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/out.sst", directory);
	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	RUN(test_file);
	RUN(test_abandoned);
	RUN(test_no_target);
	RUN(test_sequences);
	RUN(test_stream_fails);
	RUN(test_sort);
	RUN(test_sort_refuses);
	unlink(path);
	CHECK(rmdir(directory) == 0); /* nothing else is left in it */
	return unit_done("test_build_api");
}
