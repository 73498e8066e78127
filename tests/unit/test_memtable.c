/* SPDX-License-Identifier: MIT */
/* The memtable against a model: a plain array of everything inserted, sorted when asked. */
#include "unit.h"

#include "mem/memtable.h"

struct model_entry {
	char key[48];
	size_t size;
	uint64_t tag;
	uint32_t value;
};

static const uint8_t token[TOKEN_SIZE] = "0123456789abcde";

static uint64_t rng = 88172645463325252u;

static uint64_t random64(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static struct memtable fresh(uint64_t size)
{
	struct memtable m;
	struct segment s;
	CHECK(segment_anonymous(&s, size) == 0);
	CHECK(memtable_format(&m, &s, size, token, 1) == 0);
	return m;
}

static struct sst_slice key_of(const struct model_entry *e)
{
	return slice_of(e->key, e->size);
}

static int model_cmp(const void *a, const void *b)
{
	const struct model_entry *x = a, *y = b;
	int c = slice_cmp(key_of(x), key_of(y));
	return c ? c : tag_cmp(x->tag, y->tag);
}

static void insert(struct memtable *m, const struct model_entry *e)
{
	CHECK_EQ(memtable_reserve(m, e->size + 4, 1), 0);
	uint64_t bound = memtable_used(m) + tree_bound(m->tree.header->leaves, e->size + 4, 1);
	CHECK_EQ(tree_insert(&m->tree, key_of(e), e->tag, slice_of(&e->value, 4)), 0);
	CHECK(memtable_used(m) <= bound);
}

/* Walks both ways, seeks, and gets every entry and its neighbours. */
static void compare(struct memtable *m, struct model_entry *model, size_t n, uint64_t snapshot)
{
	qsort(model, n, sizeof(*model), model_cmp);
	struct iter *it = memtable_iter_new(m, snapshot);
	int rc = iter_seek_first(it);
	size_t last = n;
	for (size_t i = 0; i < n; i++) {
		if (tag_sequence(model[i].tag) > snapshot)
			continue;
		CHECK_EQ(rc, 0);
		CHECK(slice_eq(ikey_user(it->key), key_of(&model[i])));
		CHECK_EQ(ikey_tag(it->key), model[i].tag);
		CHECK_EQ(load32(it->value.data), model[i].value);
		last = i;
		rc = iter_next(it);
	}
	CHECK_EQ(rc, SST_NO);
	rc = iter_seek_last(it);
	for (size_t i = n; i-- > 0;) {
		if (tag_sequence(model[i].tag) > snapshot)
			continue;
		CHECK_EQ(rc, 0);
		CHECK_EQ(ikey_tag(it->key), model[i].tag);
		rc = iter_prev(it);
	}
	CHECK_EQ(rc, SST_NO);
	(void)last;
	for (size_t i = 0; i < n; i += 1 + n / 500) {
		const struct tree_record *r;
		size_t j = i;
		while (j < n && slice_eq(key_of(&model[j]), key_of(&model[i])) && tag_sequence(model[j].tag) > snapshot)
			j++;
		while (j > 0 && j <= i && slice_eq(key_of(&model[j - 1]), key_of(&model[i])) &&
			tag_sequence(model[j - 1].tag) <= snapshot)
			j--;
		bool there = j < n && slice_eq(key_of(&model[j]), key_of(&model[i]));
		rc = tree_get(&m->tree, key_of(&model[i]), snapshot, &r);
		CHECK_EQ(rc, there ? 0 : SST_NO);
		if (there)
			CHECK_EQ(r->tag, model[j].tag);
		char absent[49];
		memcpy(absent, model[i].key, model[i].size);
		absent[model[i].size] = 1;
		struct model_entry probe = {.size = model[i].size + 1, .tag = 0};
		if (probe.size <= sizeof(probe.key)) {
			memcpy(probe.key, absent, probe.size);
			struct buf b = {0};
			put_ikey(&b, key_of(&probe), tag_make(SEQUENCE_MAX, TYPE_SEEK));
			rc = iter_seek(it, buf_slice(&b));
			buf_release(&b);
			size_t k = i;
			while (k < n && (slice_cmp(key_of(&model[k]), key_of(&probe)) < 0 ||
						tag_sequence(model[k].tag) > snapshot))
				k++;
			CHECK_EQ(rc, k < n ? 0 : SST_NO);
			if (k < n) {
				CHECK(slice_eq(ikey_user(it->key), key_of(&model[k])));
				CHECK_EQ(ikey_tag(it->key), model[k].tag);
			}
		}
	}
	iter_free(it);
}

static void run(size_t n, void (*make)(struct model_entry *e, size_t i, size_t n))
{
	struct memtable m = fresh(UINT64_C(256) << 20);
	struct model_entry *model = calloc(n, sizeof(*model));
	for (size_t i = 0; i < n; i++) {
		make(&model[i], i, n);
		model[i].tag = tag_make(i + 1, i % 7 == 3 ? TYPE_DELETION : TYPE_VALUE);
		model[i].value = (uint32_t)i;
		insert(&m, &model[i]);
	}
	CHECK_EQ(memtable_entries(&m), n);
	compare(&m, model, n, SEQUENCE_MAX);
	compare(&m, model, n, n / 2);
	compare(&m, model, n, 0);
	free(model);
	memtable_close(&m);
}

static void make_random(struct model_entry *e, size_t i, size_t n)
{
	(void)i;
	(void)n;
	e->size = (size_t)snprintf(e->key, sizeof(e->key), "user:%016llx", (unsigned long long)random64());
}

static void make_ascending(struct model_entry *e, size_t i, size_t n)
{
	(void)n;
	e->size = (size_t)snprintf(e->key, sizeof(e->key), "key%010zu", i);
}

static void make_descending(struct model_entry *e, size_t i, size_t n)
{
	make_ascending(e, n - i, n);
}

static void make_hot(struct model_entry *e, size_t i, size_t n)
{
	(void)i;
	(void)n;
	e->size = (size_t)snprintf(e->key, sizeof(e->key), "counter%llu", (unsigned long long)(random64() % 3));
}

/* Any bytes, any length, the empty key, keys that are prefixes of others and differ in trailing zeros. */
static void make_binary(struct model_entry *e, size_t i, size_t n)
{
	(void)i;
	(void)n;
	e->size = random64() % 12;
	for (size_t k = 0; k < e->size; k++)
		e->key[k] = (char)(random64() % 3 ? 0 : random64());
}

static void test_random(void)
{
	run(60000, make_random);
}

static void test_ascending(void)
{
	run(60000, make_ascending);
}

static void test_descending(void)
{
	run(30000, make_descending);
}

static void test_hot(void)
{
	run(20000, make_hot);
}

static void test_binary(void)
{
	for (size_t n = 1; n < 200; n += 13)
		run(n, make_binary);
	run(40000, make_binary);
}

static void test_repeat_is_idempotent(void)
{
	struct memtable m = fresh(UINT64_C(64) << 20);
	struct model_entry e[500];
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < 500; i++) {
			if (!round) {
				e[i] = (struct model_entry){.tag = tag_make(i + 1, TYPE_VALUE), .value = (uint32_t)i};
				make_random(&e[i], i, 500);
			}
			insert(&m, &e[i]);
		}
	CHECK_EQ(memtable_entries(&m), 500);
	compare(&m, e, 500, SEQUENCE_MAX);
	memtable_close(&m);
}

static void test_damage_is_noticed(void)
{
	struct memtable m = fresh(UINT64_C(64) << 20);
	struct model_entry e = {.key = "abc", .size = 3, .tag = tag_make(1, TYPE_VALUE), .value = 7};
	insert(&m, &e);
	const struct tree_record *r;
	CHECK_EQ(tree_get(&m.tree, key_of(&e), SEQUENCE_MAX, &r), 0);
	uint8_t *p = m.segment.base + ((const uint8_t *)r - m.segment.base);
	p[sizeof(*r)] ^= 1;
	CHECK_EQ(tree_get(&m.tree, key_of(&e), SEQUENCE_MAX, &r), SST_ECORRUPT);
	p[sizeof(*r)] ^= 1;
	CHECK_EQ(tree_get(&m.tree, key_of(&e), SEQUENCE_MAX, &r), 0);
	/* Any garbage in the tree's memory is an error or a miss, never a stray access. */
	for (size_t i = 0; i < 3000; i++)
		insert(&m, &(struct model_entry){.key = {(char)i, (char)(i >> 8), (char)(i >> 3)}, .size = 3,
				   .tag = tag_make(i + 2, TYPE_VALUE)});
	for (int round = 0; round < 2000; round++) {
		uint64_t used = memtable_used(&m);
		uint8_t *at = m.segment.base + 4096 + random64() % (used - 4096);
		uint8_t old = *at;
		*at = (uint8_t)random64();
		(void)tree_get(&m.tree, slice_of(&rng, random64() % 4), SEQUENCE_MAX, &r);
		struct iter *it = memtable_iter_new(&m, SEQUENCE_MAX);
		int rc = iter_seek_first(it);
		for (int i = 0; rc == 0 && i < 5000; i++)
			rc = iter_next(it);
		iter_free(it);
		*at = old;
	}
	memtable_close(&m);
}

static void test_segment_limits(void)
{
	struct memtable m = fresh(UINT64_C(4) << 20);
	CHECK_EQ(memtable_reserve(&m, UINT64_C(8) << 20, 1), SST_NO);
	CHECK_EQ(memtable_reserve(&m, UINT64_C(3) << 20, 1), 0);
	uint8_t *big = calloc(1, UINT64_C(5) << 20);
	CHECK_EQ(tree_insert(&m.tree, slice_str("k"), tag_make(1, 1), slice_of(big, UINT64_C(5) << 20)), SST_EFULL);
	CHECK_EQ(tree_insert(&m.tree, slice_str("k"), tag_make(1, 1), slice_of(big, UINT64_C(3) << 20)), 0);
	free(big);
	memtable_close(&m);
}

int main(void)
{
	RUN(test_random);
	RUN(test_ascending);
	RUN(test_descending);
	RUN(test_hot);
	RUN(test_binary);
	RUN(test_repeat_is_idempotent);
	RUN(test_damage_is_noticed);
	RUN(test_segment_limits);
	return unit_done("memtable");
}
