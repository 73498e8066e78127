/* SPDX-License-Identifier: MIT */
/*
 * Tables that other programs wrote, from the corpus that LSM_CORPUS names, with bytes flipped: the right answer or an
 * error, never another one. Small tables only, and of those every STRIDE-th byte, another one in each table.
 * The one thing that no checksum covers is the global sequence number of a file made for ingestion, which RocksDB may
 * write in place: of such files the sequence numbers are not compared.
 */
#include <ftw.h>
#include <sys/stat.h>

#include "table/reader.h"
#include "unit.h"

enum { STRIDE = 61, SIZE_MAX_TRIED = 24 << 10 };

struct memory {
	struct source source;
	const uint8_t *data;
};

static int memory_read(struct source *s, uint64_t offset, void *buf, size_t n)
{
	const struct memory *m = (const struct memory *)(const void *)s;
	CHECK(offset <= s->size && n <= s->size - offset);
	if (n)
		memcpy(buf, m->data + offset, n);
	return 0;
}

/* Hashes of what a walk gives, entry by entry. */
struct answer {
	struct buf hashes;
	int rc;
	bool checked; /* the file has checksums */
};

static uint64_t hash(uint64_t h, struct sst_slice s)
{
	for (size_t i = 0; i < s.size; i++)
		h = (h ^ s.data[i]) * 1099511628211u;
	return h * 31 + s.size;
}

static void read_all(const uint8_t *data, size_t size, struct answer *a)
{
	struct memory m = {{memory_read, size, "corpus"}, data};
	struct table *t;
	buf_clear(&a->hashes);
	a->rc = table_open(&t, &m.source, NULL);
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
	}
	iter_free(it);
	table_close(t);
}

static unsigned tables, flips, errors;

static void flip(uint8_t *data, size_t size, const struct answer *truth)
{
	struct answer a = {0};
	for (size_t i = tables % STRIDE; i < size; i += STRIDE) {
		data[i] ^= (uint8_t)(1u << (i % 8));
		read_all(data, size, &a);
		data[i] ^= (uint8_t)(1u << (i % 8));
		flips++;
		errors += a.rc < 0;
		if (!truth->checked)
			continue;
		CHECK(a.hashes.size <= truth->hashes.size);
		CHECK(a.hashes.size == 0 || memcmp(a.hashes.data, truth->hashes.data, a.hashes.size) == 0);
		CHECK(a.rc < 0 || a.hashes.size == truth->hashes.size);
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
	if (kind != FTW_F || st->st_size > SIZE_MAX_TRIED || !(ends_with(path, ".sst") || ends_with(path, ".ldb")))
		return 0;
	size_t size = (size_t)st->st_size;
	uint8_t *data = malloc(size ? size : 1);
	FILE *f = fopen(path, "rb");
	CHECK(f && fread(data, 1, size, f) == size);
	fclose(f);
	struct answer truth = {0};
	read_all(data, size, &truth);
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

int main(void)
{
	const char *corpus = getenv("LSM_CORPUS");
	struct stat st;
	if (!corpus || stat(corpus, &st) != 0) {
		printf("skipped: no corpus at LSM_CORPUS\n");
		return 0;
	}
	CHECK(nftw(corpus, try_file, 16, FTW_PHYS) == 0);
	RUN(test_corpus);
	printf("%u tables, %u flips, %u of them errors\n", tables, flips, errors);
	return unit_done("test_table_flips");
}
