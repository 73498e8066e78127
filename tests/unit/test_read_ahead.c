/* SPDX-License-Identifier: MIT */
/*
 * Walks with other threads ahead of them: whatever the table, however it is damaged, wherever the walk goes, and
 * however many there are, they show what a walk by itself shows, to the letter of its messages.
 */
#include "table/read_ahead.h"

#include <sys/wait.h>
#include <unistd.h>

#include "memory_source.h"
#include "os/pool.h"
#include "table/reader.h"
#include "table_kinds.h"

/* So many that data blocks reach far beyond the tail, which is read with the footer. */
enum { KEYS = 1200, LARGE_1 = 300, LARGE_2 = 700 };
static struct made_entry up[KEYS], down[KEYS];

static char *letters(size_t n, size_t period)
{
	char *p = malloc(n + 1);
	for (size_t i = 0; i < n; i++)
		p[i] = i < period ? "abcdefghijklmnopqrstuvwxyz"[rand() % 26] : p[i - period];
	p[n] = 0;
	return p;
}

/* Two values are larger than what workers take: one as it is stored, one only when decompressed. */
static void make_entries(void)
{
	srand(3);
	for (int i = 0; i < KEYS; i++) {
		char *key = malloc(16);
		snprintf(key, 16, "key%05d", 3 * i);
		char *value = i == LARGE_1 ? letters(600000, 600000) : i == LARGE_2 ? letters(200000, 100) : letters(150, 100);
		up[i] = down[KEYS - 1 - i] = (struct made_entry){key, 5, TYPE_VALUE, value};
	}
}

struct opened {
	struct memory memory;
	struct read_crew crew;
	struct table *table;
	struct iter *it;
};

static void open_it(struct opened *o, struct sst_slice bytes, bool ahead)
{
	*o = (struct opened){.memory = memory_of(bytes, "t.sst"), .crew = {.begin_after = 1}};
	struct table_read_options opt = {.manifest_sequence = UINT64_MAX, .crew = ahead ? &o->crew : NULL};
	CHECK_EQ(table_open(&o->table, &o->memory.source, &opt), 0);
	CHECK(o->it = table_iter_new(o->table));
}

static void close_it(struct opened *o)
{
	iter_free(o->it);
	CHECK(!o->crew.walks && !o->crew.pool);
	table_close(o->table);
}

/* Both are where the same move, with the same answer, led to. */
static void check_same(const struct opened *a, int rc_a, const char *message_a, const struct opened *b, int rc_b)
{
	CHECK_EQ(rc_a, rc_b);
	if (rc_a < 0)
		CHECK(!strcmp(message_a, sst_errmsg()));
	if (rc_a)
		return;
	CHECK(slice_eq(a->it->key, b->it->key));
	CHECK(slice_eq(a->it->value, b->it->value));
}

enum move { FIRST, LAST, NEXT, PREV, SEEK, SKIP };

static int move_one(struct opened *o, enum move m, struct sst_slice target)
{
	switch (m) {
	case FIRST:
		return iter_seek_first(o->it);
	case LAST:
		return iter_seek_last(o->it);
	case NEXT:
		return iter_next(o->it);
	case PREV:
		return iter_prev(o->it);
	case SEEK:
		return iter_seek(o->it, target);
	default:
		return table_iter_skip(o->it, false);
	}
}

static int move_both(struct opened *a, struct opened *b, enum move m, struct sst_slice target)
{
	char message[1000];
	int rc = move_one(a, m, target);
	snprintf(message, sizeof(message), "%s", sst_errmsg());
	check_same(a, rc, message, b, move_one(b, m, target));
	return rc;
}

/* All of it, over damage. True: other threads were ahead. */
static bool walk_both(struct sst_slice bytes, unsigned *failed)
{
	struct opened a, b;
	bool had = false;
	open_it(&a, bytes, true);
	open_it(&b, bytes, false);
	int rc = move_both(&a, &b, FIRST, (struct sst_slice){0});
	while (rc != SST_NO) {
		had |= a.crew.walks != 0;
		*failed += rc < 0;
		rc = move_both(&a, &b, rc < 0 ? SKIP : NEXT, (struct sst_slice){0});
	}
	CHECK(!b.crew.walks);
	close_it(&a);
	close_it(&b);
	return had;
}

static void wander(struct sst_slice bytes, bool reverse)
{
	struct opened a, b;
	struct buf target = {0};
	open_it(&a, bytes, true);
	open_it(&b, bytes, false);
	srand(11);
	int rc = SST_NO;
	for (int i = 0; i < 6000; i++) {
		int dice = rand() % 200;
		enum move m = dice < 190 ? NEXT : dice < 196 ? PREV : dice < 199 ? SEEK : dice & 1 ? FIRST : LAST;
		if (rc && m != LAST)
			m = m == SEEK || !reverse ? SEEK : FIRST;
		buf_clear(&target);
		put_ikey(&target, slice_str(up[rand() % KEYS].key), tag_make(5, TYPE_VALUE));
		rc = move_both(&a, &b, m, buf_slice(&target));
	}
	buf_release(&target);
	close_it(&a);
	close_it(&b);
}

static void test_every_kind(void)
{
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		struct maker m = kinds[k];
		unsigned failed = 0;
		make_table(&m, m.reverse ? down : up, KEYS);
		bool had = walk_both(buf_slice(&m.out), &failed);
		CHECK_EQ(failed, 0);
		if (had != (pool_processors() > 1)) {
			fprintf(stderr, "%s: %s\n", m.label, had ? "read ahead" : "nothing read ahead");
			exit(1);
		}
		wander(buf_slice(&m.out), m.reverse);
		buf_release(&m.out);
	}
}

static void test_other_orders(void)
{
	struct maker m = {.checksum = CHECKSUM_XXH3, .external = true, .external_sequence = 77, .codec = COMPRESSION_ZSTD};
	struct maker foreign = {.checksum = CHECKSUM_XXH3, .comparator = "somebody's"};
	unsigned failed = 0;
	make_table(&m, up, KEYS);
	walk_both(buf_slice(&m.out), &failed);
	wander(buf_slice(&m.out), false);
	make_table(&foreign, up, KEYS);
	CHECK(!walk_both(buf_slice(&foreign.out), &failed)); /* there is no seek */
	CHECK_EQ(failed, 0);
	buf_release(&m.out);
	buf_release(&foreign.out);
}

static void test_damage(void)
{
	static const struct maker damaged[] = {
		KIND("ZSTD", .checksum = CHECKSUM_XXH3, .codec = COMPRESSION_ZSTD),
		KIND("plain", .checksum = CHECKSUM_CRC32C),
		KIND("two-level", .checksum = CHECKSUM_XXH3, .codec = COMPRESSION_LZ4, .index_type = INDEX_TWO_LEVEL),
		KIND("unchecked", .codec = COMPRESSION_SNAPPY),
	};
	for (size_t k = 0; k < sizeof(damaged) / sizeof(damaged[0]); k++) {
		struct maker m = damaged[k];
		unsigned failed = 0;
		make_table(&m, up, KEYS);
		for (size_t at = 1000; at + 2000 < m.out.size; at += m.out.size / 11) {
			for (size_t i = at; i < m.out.size - 2000; i += 60000)
				m.out.data[i] ^= 0x41;
			struct memory mem = memory_of(buf_slice(&m.out), "t.sst");
			struct table *t;
			if (table_open(&t, &mem.source, NULL) == 0) {
				table_close(t);
				walk_both(buf_slice(&m.out), &failed);
			}
			for (size_t i = at; i < m.out.size - 2000; i += 60000)
				m.out.data[i] ^= 0x41;
		}
		CHECK(failed > (m.checksum ? 10 : 2));
		buf_release(&m.out);
	}
}

/* More than get threads, and those of one crew. */
static void test_many_walks(void)
{
	enum { WALKS = 7 };
	struct maker m = kinds[0];
	struct read_crew crew = {.begin_after = 1};
	struct memory mem;
	struct table *t;
	struct iter *it[WALKS];
	make_table(&m, up, KEYS);
	mem = memory_of(buf_slice(&m.out), "t.sst");
	struct table_read_options opt = {.manifest_sequence = UINT64_MAX, .crew = &crew};
	CHECK_EQ(table_open(&t, &mem.source, &opt), 0);
	for (int w = 0; w < WALKS; w++) {
		it[w] = table_iter_new(t);
		CHECK_EQ(iter_seek_first(it[w]), 0);
	}
	for (int i = 1; i < KEYS; i++)
		for (int w = 0; w < WALKS; w++) {
			CHECK_EQ(iter_next(it[w]), 0);
			CHECK(slice_eq(it[w]->value, slice_str(up[i].value)));
		}
	CHECK(crew.walks <= 4 && crew.iters == WALKS);
	for (int w = 0; w < WALKS; w++)
		iter_free(it[w]);
	CHECK(!crew.walks && !crew.pool && !crew.iters);
	table_close(t);
	buf_release(&m.out);
}

/* However many iterators there are, their buffers have one bound. */
static void test_shares(void)
{
	CHECK_EQ(read_ahead_share(&(struct read_crew){0}), 1 << 20);
	CHECK_EQ(read_ahead_share(&(struct read_crew){.iters = 16}), 1 << 20);
	CHECK_EQ(read_ahead_share(&(struct read_crew){.iters = 64}), 256 << 10);
	CHECK_EQ(read_ahead_share(&(struct read_crew){.iters = 100000}), 64 << 10);
}

#ifndef __SANITIZE_THREAD__
static void walk_on_from(struct opened *o, int i)
{
	for (; i < KEYS; i++) {
		CHECK_EQ(iter_next(o->it), 0);
		CHECK(slice_eq(o->it->value, slice_str(up[i].value)));
	}
	CHECK_EQ(iter_next(o->it), SST_NO);
}

static void test_child_of_fork(void)
{
	struct maker m = {.checksum = CHECKSUM_XXH3, .codec = COMPRESSION_ZSTD};
	make_table(&m, up, KEYS);
	for (int at = 20; at < KEYS; at += 197) {
		struct opened o;
		int status;
		open_it(&o, buf_slice(&m.out), true);
		CHECK_EQ(iter_seek_first(o.it), 0);
		for (int i = 1; i < at; i++)
			CHECK_EQ(iter_next(o.it), 0);
		pid_t child = fork();
		CHECK(child >= 0);
		walk_on_from(&o, at);
		if (!child) { /* from the beginning as well, with threads of its own */
			CHECK_EQ(iter_seek_first(o.it), 0);
			walk_on_from(&o, 1);
		}
		close_it(&o);
		if (!child)
			_exit(0);
		CHECK(waitpid(child, &status, 0) == child && status == 0);
	}
	buf_release(&m.out);
}

#endif

int main(void)
{
	make_entries();
	RUN(test_every_kind);
	RUN(test_other_orders);
	RUN(test_damage);
	RUN(test_many_walks);
	RUN(test_shares);
#ifndef __SANITIZE_THREAD__ /* which knows no threads in children */
	RUN(test_child_of_fork);
#endif
	return unit_done("read_ahead");
}
