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

/* Long common beginnings, of several lengths at several levels, and between them keys that leave theirs at any byte, for
 * either side, or end within it. */
static void make_stranger(struct model_entry *e, size_t i, size_t n)
{
	(void)n;
	e->size = (size_t)snprintf(e->key, sizeof(e->key), "tenant:%02u:item:%08u", (unsigned)(random64() % 20),
		(unsigned)(random64() % 100000));
	if (i % 8)
		return;
	size_t at = random64() % e->size;
	if (random64() % 3 == 0) { /* what stands behind a key is no part of it */
		memset(e->key + at, random64() % 2 ? 0xff : 0, e->size - at);
		e->size = at;
	} else {
		e->key[at] = (char)(e->key[at] + (random64() % 2 ? 1 : -1));
	}
}

static void test_strangers(void)
{
	run(400, make_stranger);
	run(60000, make_stranger);
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

/* ---- hurt memory: the tree as tree.c lays it out */

#define INNER_SIZE 768
#define INNER_SEPARATOR 260 /* bytes in front of the 63 references to separators; behind them those to 64 children */
#define INNER_CHILD 512

static uint32_t *word_at(const struct memtable *m, uint64_t offset)
{
	return (void *)(m->segment.base + offset);
}

static uint64_t root_of(const struct memtable *m)
{
	return (uint64_t)m->tree.header->root * 8;
}

/* Keys that share their first bytes, then not: splits change prefixes. */
static void make_near(struct model_entry *e, size_t i)
{
	e->size = (size_t)snprintf(e->key, sizeof(e->key), "near%c%07zu", "abcdefgh"[i % 8], i * 7919 % 1000003);
	e->tag = tag_make(i + 1, TYPE_VALUE);
	e->value = (uint32_t)i;
}

#define NEAR 9000 /* entries: three levels */

static struct memtable near_tree(uint64_t size)
{
	struct memtable m = fresh(size);
	for (size_t i = 0; i < NEAR; i++) {
		struct model_entry e;
		make_near(&e, i);
		insert(&m, &e);
	}
	CHECK_EQ(m.segment.base[root_of(&m)], 2);
	return m;
}

/* What a tree that may be hurt answers: something, or that it is damaged; never that it is full. */
static void check_answers(int rc)
{
	CHECK(rc == 0 || rc == SST_NO || rc == SST_ECORRUPT);
	CHECK(rc != SST_ECORRUPT || strstr(sst_errmsg(), "damaged"));
}

static void use_everything(struct memtable *m, size_t begin)
{
	const struct tree_record *r;
	struct tree_walk w = {.tree = m->tree, .snapshot = SEQUENCE_MAX};
	struct model_entry e;
	int rc;
	/* 80 neighbours, which split whatever leaf they come to */
	for (size_t i = 0; i < 80; i++) {
		make_near(&e, begin);
		e.size += (size_t)sprintf(e.key + e.size, "+%02zu", i * 37 % 80);
		check_answers(tree_insert(&m->tree, key_of(&e), tag_make(NEAR + i, TYPE_VALUE), slice_of(&e.value, 4)));
		check_answers(tree_has_room(&m->tree, key_of(&e), e.tag, 1));
	}
	for (size_t i = 0; i < 20; i++) {
		make_near(&e, begin + i * 449);
		check_answers(tree_get(&m->tree, key_of(&e), SEQUENCE_MAX, &r));
		check_answers(rc = tree_walk_seek(&w, key_of(&e), e.tag));
		for (int k = 0; k < 3 && !rc; k++)
			check_answers(rc = tree_walk_prev(&w));
	}
	check_answers(rc = tree_walk_first(&w));
	for (size_t i = 0; i < 2 * NEAR && !rc && begin % 8 == 0; i++)
		check_answers(rc = tree_walk_next(&w));
	check_answers(tree_walk_last(&w));
}

static void test_hurt_references(void)
{
	struct memtable m = near_tree(UINT64_C(4) << 20);
	size_t size = memtable_used(&m);
	uint8_t *sound = malloc(size);
	memcpy(sound, m.segment.base, size);
	for (size_t round = 0; round < 400; round++) {
		uint64_t root = root_of(&m);
		uint64_t below = (uint64_t)*word_at(&m, root + INNER_CHILD + 4 * (random64() % m.segment.base[root + 1])) * 8;
		uint64_t leaf = (uint64_t)*word_at(&m, below + INNER_CHILD + 4 * (random64() % m.segment.base[below + 1])) * 8;
		const uint64_t node[] = {root, below, leaf, 4096};
		const uint64_t bytes[] = {INNER_SIZE, INNER_SIZE, 512, size - 4096};
		const uint32_t value[] = {0, 1, UINT32_MAX, (uint32_t)(size / 8), (uint32_t)(root / 8), (uint32_t)(below / 8),
			(uint32_t)(leaf / 8), (uint32_t)((m.segment.size - 8) / 8), (uint32_t)random64()};
		size_t which = random64() % 4, whole = random64() % 4;
		uint64_t offset = node[which] + random64() % (bytes[which] / 4) * 4;
		/* one word; or all separators, all children, or all records of a leaf */
		uint64_t from = whole || which == 3 ? offset : node[which] + (which == 2 ? 288 : round % 2 ? INNER_SEPARATOR : INNER_CHILD);
		uint64_t to = whole || which == 3 ? from + 4 : node[which] + (which == 2 ? 512 : from == node[which] + INNER_CHILD ? INNER_SIZE : INNER_CHILD);
		uint32_t v = value[random64() % (sizeof(value) / sizeof(value[0]))];
		for (; from < to; from += 4)
			*word_at(&m, from) = v;
		use_everything(&m, random64() % NEAR);
		memcpy(m.segment.base, sound, size);
	}
	free(sound);
	memtable_close(&m);
}

/* Full leaves in order: `count` of entries, whose keys begin with `begin` and go on with 10, 20 ... */
static struct memtable full_leaves(const char *begin, size_t count)
{
	struct memtable m = fresh(UINT64_C(4) << 20);
	for (size_t i = 0; i < count; i++) {
		struct model_entry e = {.tag = tag_make(i + 1, TYPE_VALUE)};
		e.size = (size_t)snprintf(e.key, sizeof(e.key), "%s%05zu", begin, (i + 1) * 10);
		insert(&m, &e);
	}
	return m;
}

/* Where the reference to a record stands in the leaf; leaf < 0: the root. */
static uint32_t *record_slot(const struct memtable *m, int leaf, unsigned slot)
{
	uint64_t at = root_of(m);
	if (leaf >= 0)
		at = (uint64_t)*word_at(m, at + INNER_CHILD + 4 * (unsigned)leaf) * 8;
	return word_at(m, at + 288 + 4 * slot);
}

/* A split that comes upon the damaged reference says so, and the tree stays as it was. */
static void check_hurt_split(struct memtable *m, uint32_t *reference, const char *key)
{
	uint32_t was = *reference, root = m->tree.header->root;
	*reference = UINT32_MAX;
	uint64_t n = memtable_entries(m);
	CHECK_EQ(tree_insert(&m->tree, slice_str(key), tag_make(1000, TYPE_VALUE), slice_str("v")), SST_ECORRUPT);
	CHECK_EQ(memtable_entries(m), n);
	CHECK_EQ(m->tree.header->root, root);
	*reference = was;
	CHECK_EQ(tree_insert(&m->tree, slice_str(key), tag_make(1000, TYPE_VALUE), slice_str("v")), 0);
	memtable_close(m);
}

static void test_hurt_splits(void)
{
	/* the record that is to become the separator in a new root, or in a root that is there */
	struct memtable m = full_leaves("", 56);
	check_hurt_split(&m, record_slot(&m, -1, 27), "00105");
	m = full_leaves("", 112);
	check_hurt_split(&m, record_slot(&m, 1, 27), "00665");
	/* keys that only differ behind what digests hold: one in front of the new entry, which it is compared with; one behind
	 * it, whose digest is to be made anew in the left half */
	m = full_leaves("the same beginning:", 112);
	check_hurt_split(&m, record_slot(&m, 1, 5), "the same beginning:00665");
	m = full_leaves("the same beginning:", 112);
	check_hurt_split(&m, record_slot(&m, 1, 20), "the same beginning:00665");
	/* the last separator of a node, whose prefix is to be found anew */
	m = full_leaves("", 56 * 20);
	uint64_t root = root_of(&m);
	unsigned children = m.segment.base[root + 1];
	CHECK_EQ(children, 20);
	check_hurt_split(&m, word_at(&m, root + INNER_SEPARATOR + 4 * (children - 2)), "00105");
}

/* What is only looked at when it is needed. */
static void test_hurt_separator_and_arena(void)
{
	struct memtable m = full_leaves("", 56 * 20);
	const struct tree_record *r;
	char key[16];
	*word_at(&m, root_of(&m) + INNER_SEPARATOR + 4 * 4) = UINT32_MAX;
	unsigned hurt = 0;
	for (unsigned i = 0; i < 99999; i += 7) { /* absent, most of them */
		snprintf(key, sizeof(key), "%05u!", i);
		int rc = tree_get(&m.tree, slice_str(key), SEQUENCE_MAX, &r);
		CHECK(rc == SST_NO || rc == SST_ECORRUPT);
		hurt += rc == SST_ECORRUPT;
	}
	CHECK(hurt);
	memtable_close(&m);
	m = full_leaves("", 56);
	m.tree.header->node_next = 3;
	m.tree.header->node_end = 1 << 20;
	CHECK_EQ(tree_insert(&m.tree, slice_str("00081"), tag_make(9, TYPE_VALUE), slice_str("")), SST_ECORRUPT);
	memtable_close(&m);
}

static void test_hurt_leaf(void)
{
	struct memtable m = full_leaves("", 20);
	struct tree_walk w = {.tree = m.tree, .snapshot = SEQUENCE_MAX};
	const struct tree_record *r;
	*record_slot(&m, -1, 7) = UINT32_MAX;
	CHECK_EQ(tree_walk_first(&w), SST_ECORRUPT);
	CHECK_EQ(tree_walk_seek(&w, slice_str("00010"), 0), SST_ECORRUPT);
	CHECK_EQ(tree_get(&m.tree, slice_str("00080"), SEQUENCE_MAX, &r), SST_ECORRUPT);
	CHECK_EQ(tree_get(&m.tree, slice_str("00090"), SEQUENCE_MAX, &r), 0);
	CHECK_EQ(tree_insert(&m.tree, slice_str("00080"), tag_make(8, TYPE_VALUE), slice_str("")), SST_ECORRUPT);
	memtable_close(&m);
}

/* Room that ends anywhere in an insert is an error, and leaves the tree as it was. */
static void test_room_ends_anywhere(void)
{
	struct memtable m = fresh(UINT64_C(8) << 20);
	struct model_entry *model = calloc(NEAR, sizeof(*model));
	size_t n = 0, refused = 0;
	for (size_t i = 0; n < NEAR; i++) {
		CHECK_EQ(memtable_reserve(&m, 64, 1), 0);
		uint64_t committed = m.tree.header->committed, used = memtable_used(&m);
		make_near(&model[n], n);
		m.tree.header->committed = used + i % 900 * (i % 7 ? 8 : 128); /* a chunk of nodes is large */
		int rc = tree_insert(&m.tree, key_of(&model[n]), model[n].tag, slice_of(&model[n].value, 4));
		CHECK(rc == 0 || rc == SST_EFULL);
		CHECK(memtable_used(&m) <= m.tree.header->committed);
		m.tree.header->committed = committed;
		CHECK_EQ(memtable_entries(&m), n + !rc);
		n += !rc;
		refused += rc != 0;
	}
	CHECK(refused > 100);
	compare(&m, model, n, SEQUENCE_MAX);
	free(model);
	memtable_close(&m);
}

/* Full nodes, one below the other, as deep as a path may be: there is no level above for one more root. */
static void test_too_deep(void)
{
	struct memtable m = fresh(UINT64_C(4) << 20);
	struct model_entry e = {.key = "m", .size = 1, .tag = tag_make(1, TYPE_VALUE)};
	insert(&m, &e);
	uint64_t leaf = root_of(&m), at = (memtable_used(&m) + 63) & ~UINT64_C(63);
	uint32_t record = *word_at(&m, leaf + 288), below = (uint32_t)(leaf / 8);
	for (unsigned i = 0; i < TREE_LEAF_MAX; i++) { /* full, of the same entry */
		m.segment.base[leaf + 8 + i] = m.segment.base[leaf + 8];
		*word_at(&m, leaf + 64 + 4 * i) = *word_at(&m, leaf + 64);
		*word_at(&m, leaf + 288 + 4 * i) = record;
	}
	m.segment.base[leaf + 1] = TREE_LEAF_MAX;
	for (unsigned level = 1; level <= TREE_DEPTH_MAX; level++, at += INNER_SIZE) {
		m.segment.base[at] = (uint8_t)level;
		m.segment.base[at + 1] = 64;
		for (unsigned i = 0; i < 64; i++)
			*word_at(&m, at + INNER_CHILD + 4 * i) = below;
		for (unsigned i = 0; i < 63; i++)
			*word_at(&m, at + INNER_SEPARATOR + 4 * i) = record;
		below = (uint32_t)(at / 8);
	}
	m.tree.header->used = at;
	m.tree.header->root = below;
	CHECK_EQ(tree_insert(&m.tree, slice_str("z"), tag_make(2, TYPE_VALUE), slice_str("")), SST_EFULL);
	CHECK(strstr(sst_errmsg(), "too deep"));
	CHECK_EQ(m.tree.header->root, below);
	/* one level more is none that a tree can have */
	m.segment.base[at] = TREE_DEPTH_MAX + 1;
	m.segment.base[at + 1] = 1;
	*word_at(&m, at + INNER_CHILD) = below;
	m.tree.header->used = at + INNER_SIZE;
	m.tree.header->root = (uint32_t)(at / 8);
	const struct tree_record *r;
	struct tree_walk w = {.tree = m.tree, .snapshot = SEQUENCE_MAX};
	CHECK_EQ(tree_get(&m.tree, slice_str("z"), SEQUENCE_MAX, &r), SST_ECORRUPT);
	CHECK_EQ(tree_walk_first(&w), SST_ECORRUPT);
	memtable_close(&m);
}

static void test_segment_limits(void)
{
	struct segment s;
	struct memtable none;
	CHECK_EQ(segment_anonymous(&s, UINT64_C(4) << 20), 0);
	CHECK_EQ(memtable_format(&none, &s, 4096, token, 1), SST_EFULL); /* not even the first leaf */
	CHECK(!memtable_is_open(&none));
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
	RUN(test_strangers);
	RUN(test_repeat_is_idempotent);
	RUN(test_damage_is_noticed);
	RUN(test_hurt_references);
	RUN(test_hurt_splits);
	RUN(test_hurt_separator_and_arena);
	RUN(test_hurt_leaf);
	RUN(test_room_ends_anywhere);
	RUN(test_too_deep);
	RUN(test_segment_limits);
	return unit_done("memtable");
}
