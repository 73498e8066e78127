/* SPDX-License-Identifier: MIT */
/*
 * Tables that other programs wrote, from the corpus that LSM_CORPUS names, with bytes flipped: the right answer or an
 * error, never another one, of a walk and of gets. Small tables only, and of those every 61st byte, another one in
 * each table; FLIP_STRIDE=1 has every byte, FLIP_SIZE larger tables.
 * The one thing that no checksum covers is the global sequence number of a file made for ingestion, which RocksDB may
 * write in place: of such files the sequence numbers are not compared.
 */
#include <ftw.h>
#include <sys/stat.h>

#include "table/check.h"
#include "memory_source.h"

static size_t stride = 61, size_max = 24 << 10;
static const uint8_t masks[] = {0, 0xff}; /* 0: one bit, another one in each byte */

/* Hashes of what a walk gives, entry by entry, and what the check says. */
struct answer {
	struct buf hashes;
	int rc, check;
	bool checked; /* the file has checksums */
};

/* A few keys of the table, and what a get of each gives. */
static struct question {
	struct buf key;
	int rc;
	uint64_t hash;
} questions[4];
static const size_t question_count = sizeof(questions) / sizeof(questions[0]);

static uint64_t hash(uint64_t h, struct sst_slice s)
{
	for (size_t i = 0; i < s.size; i++)
		h = (h ^ s.data[i]) * 1099511628211u;
	return h * 31 + s.size;
}

static void no_report(void *arg, const struct sst_damage *d)
{
	(void)arg;
	CHECK(d->what);
}

static uint64_t get(struct table *t, const struct question *q, int *rc)
{
	struct table_found f = {0};
	*rc = table_get(t, buf_slice(&q->key), SEQUENCE_MAX, &f);
	uint64_t sequence = table_info(t)->external ? 0 : f.sequence;
	return *rc ? 0 : hash(f.type == TYPE_RANGE_DELETION ? 0 : sequence << 8 | f.type, f.value);
}

/* Of every 16th key the last four. */
static void keep_question(struct sst_slice user_key, size_t n)
{
	if (n % 16)
		return;
	struct question *q = &questions[n / 16 % question_count];
	buf_clear(&q->key);
	buf_append_slice(&q->key, user_key);
}

static void ask(struct table *t, bool first)
{
	for (size_t i = 0; i < question_count; i++) {
		struct question *q = &questions[i];
		int rc;
		uint64_t h = get(t, q, &rc);
		if (first) {
			q->rc = rc;
			q->hash = h;
		}
		CHECK(rc < 0 || (rc == q->rc && h == q->hash));
	}
}

/* With `truth`, the file has checksums and this is what is right; else these answers are. */
static void read_all(const uint8_t *data, size_t size, struct answer *a, const struct answer *truth)
{
	struct memory m = memory_of(slice_of(data, size), "corpus");
	struct table *t;
	buf_clear(&a->hashes);
	a->check = a->rc = table_open(&t, &m.source, NULL);
	if (a->rc)
		return;
	a->checked = table_footer(t)->checksum != CHECKSUM_NONE;
	const struct range_dels *dels;
	bool external = table_info(t)->external;
	a->rc = table_range_dels(t, &dels);
	for (size_t i = 0; a->rc == 0 && i < dels->count; i++) {
		uint64_t h = hash(hash(dels->list[i].stored, dels->list[i].begin), dels->list[i].end);
		buf_append(&a->hashes, &h, sizeof(h));
	}
	struct iter *it = table_iter_new(t);
	if (a->rc == 0)
		a->rc = iter_seek_first(it);
	for (; a->rc == 0; a->rc = iter_next(it)) {
		uint64_t tag = ikey_tag(it->key);
		uint64_t h = hash(hash(external ? tag_type(tag) : tag, ikey_user(it->key)), it->value);
		buf_append(&a->hashes, &h, sizeof(h));
		if (!truth)
			keep_question(ikey_user(it->key), a->hashes.size / sizeof(h));
	}
	iter_free(it);
	if (!truth || truth->checked)
		ask(t, !truth);
	struct sst_check_stats stats;
	a->check = table_check(t, no_report, NULL, &stats);
	table_close(t);
}

static unsigned tables, flips, errors;

static void judge(const struct answer *a, const struct answer *truth)
{
	flips++;
	errors += a->rc < 0;
	if (!truth->checked)
		return;
	CHECK(a->hashes.size <= truth->hashes.size);
	CHECK(a->hashes.size == 0 || memcmp(a->hashes.data, truth->hashes.data, a->hashes.size) == 0);
	CHECK(a->rc < 0 || a->hashes.size == truth->hashes.size);
	CHECK(a->check || a->rc == SST_NO);
}

static void flip(uint8_t *data, size_t size, const struct answer *truth)
{
	struct answer a = {0};
	for (size_t i = tables % stride; i < size; i += stride)
		for (size_t k = 0; k < sizeof(masks); k++) {
			uint8_t mask = (uint8_t)(masks[k] ? masks[k] : 1u << (i % 8));
			data[i] ^= mask;
			read_all(data, size, &a, truth);
			data[i] ^= mask;
			judge(&a, truth);
		}
	buf_release(&a.hashes);
}

static bool ends_with(const char *s, const char *end)
{
	return strlen(s) >= strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
}

static int try_file(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)where;
	if (kind != FTW_F || (size_t)st->st_size > size_max || !(ends_with(path, ".sst") || ends_with(path, ".ldb")))
		return 0;
	size_t size = (size_t)st->st_size;
	uint8_t *data = malloc(size ? size : 1);
	FILE *f = fopen(path, "rb");
	CHECK(f && fread(data, 1, size, f) == size);
	fclose(f);
	struct answer truth = {0};
	for (size_t i = 0; i < question_count; i++)
		buf_clear(&questions[i].key);
	read_all(data, size, &truth, NULL);
	if (truth.rc == SST_NO) {
		tables++;
		flip(data, size, &truth);
	}
	buf_release(&truth.hashes);
	free(data);
	return 0;
}

static void test_corpus(void)
{
	CHECK(tables > 50 && flips > 1000);
	CHECK(errors > flips / 2);
}

static size_t setting(const char *name, size_t otherwise)
{
	const char *s = getenv(name);
	return s ? strtoul(s, NULL, 10) : otherwise;
}

int main(void)
{
	stride = setting("FLIP_STRIDE", stride);
	size_max = setting("FLIP_SIZE", size_max);
	const char *corpus = getenv("LSM_CORPUS");
	struct stat st;
	if (!corpus || stat(corpus, &st) != 0) {
		printf("skipped: no corpus at LSM_CORPUS\n");
		return 0;
	}
	CHECK(nftw(corpus, try_file, 16, FTW_PHYS) == 0);
	RUN(test_corpus);
	for (size_t i = 0; i < question_count; i++)
		buf_release(&questions[i].key);
	printf("%u tables, %u flips, %u of them errors\n", tables, flips, errors);
	return unit_done("test_table_flips");
}
