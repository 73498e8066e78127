/* SPDX-License-Identifier: MIT */
#include "table/range_del.h"

#include <stdlib.h>

#include "base/status.h"

/* The tree is the sorted array: the root of [low, high) is its middle. */
struct range_node {
	const struct tombstone *stone;
	const struct tombstone *last; /* of those below and this one, the one with the largest end */
	uint64_t sequence;	      /* the largest of those below and this one */
};

void range_dels_release(struct range_dels *r)
{
	free(r->list);
	free(r->tree);
	buf_release(&r->bytes);
	*r = (struct range_dels){0};
}

/* Writers put these keys in full: a block that makes far more of its bytes by sharing is no honest one. */
static bool too_many_bytes(const struct range_dels *r, size_t more, size_t block_size)
{
	return r->bytes.size + more > 16 * block_size + (1 << 20);
}

static int take_entry(struct range_dels *r, const struct block_iter *it, size_t *cap, uint64_t sequence)
{
	uint64_t tag = ikey_tag(it->key);
	if (tag_type(tag) != TYPE_RANGE_DELETION)
		return fail(SST_ECORRUPT, "type %u at %u among range deletions", tag_type(tag), it->offset);
	if (r->count == *cap) {
		*cap = *cap ? *cap * 2 : 16;
		struct tombstone *list = reallocarray(r->list, *cap, sizeof(*list));
		if (!list)
			return fail_memory();
		r->list = list;
	}
	struct sst_slice user = ikey_user(it->key);
	if (too_many_bytes(r, user.size + it->value.size, it->b->size))
		return fail(SST_ECORRUPT, "range deletions of too many bytes");
	/* The sizes only: bytes may still move. */
	r->list[r->count++] = (struct tombstone){
		.begin = {NULL, user.size},
		.end = {NULL, it->value.size},
		.sequence = sequence ? sequence : tag_sequence(tag),
		.stored = tag_sequence(tag),
	};
	buf_append_slice(&r->bytes, user);
	buf_append_slice(&r->bytes, it->value);
	return buf_check(&r->bytes);
}

static void place_keys(struct range_dels *r)
{
	const uint8_t *p = r->bytes.data;
	for (size_t i = 0; i < r->count; i++) {
		struct tombstone *t = &r->list[i];
		t->begin.data = p;
		p = p ? p + t->begin.size : NULL;
		t->end.data = p;
		p = p ? p + t->end.size : NULL;
	}
}

static int compare_nodes(const void *a, const void *b, void *order)
{
	const struct tombstone *x = ((const struct range_node *)a)->stone;
	const struct tombstone *y = ((const struct range_node *)b)->stone;
	return order_cmp_user(*(const enum key_order *)order, x->begin, y->begin);
}

static void sum_up(const struct range_dels *r, size_t low, size_t high)
{
	size_t mid = low + (high - low) / 2;
	struct range_node *n = &r->tree[mid];
	n->last = n->stone;
	n->sequence = n->stone->sequence;
	for (int side = 0; side < 2; side++) {
		size_t l = side ? mid + 1 : low, h = side ? high : mid;
		if (l >= h)
			continue;
		sum_up(r, l, h);
		const struct range_node *c = &r->tree[l + (h - l) / 2];
		if (order_cmp_user(r->order, c->last->end, n->last->end) > 0)
			n->last = c->last;
		if (c->sequence > n->sequence)
			n->sequence = c->sequence;
	}
}

static int build_tree(struct range_dels *r)
{
	if (!r->count || r->order == ORDER_UNKNOWN)
		return 0;
	r->tree = calloc(r->count, sizeof(*r->tree));
	if (!r->tree)
		return fail_memory();
	for (size_t i = 0; i < r->count; i++)
		r->tree[i].stone = &r->list[i];
	qsort_r(r->tree, r->count, sizeof(*r->tree), compare_nodes, &r->order);
	sum_up(r, 0, r->count);
	return 0;
}

int range_dels_read(struct range_dels *r, struct sst_slice contents, enum key_order order, uint64_t sequence)
{
	struct block b;
	struct block_iter it = {0};
	size_t cap = 0;
	*r = (struct range_dels){.order = order};
	/* SstFileWriter leaves them in the order they were given: their order is not checked. */
	int rc = block_open(&b, contents, BLOCK_TAGGED, ORDER_UNKNOWN);
	if (rc)
		return rc;
	block_iter_start(&it, &b, false);
	while (!(rc = block_iter_next(&it)) && !(rc = take_entry(r, &it, &cap, sequence)))
		;
	block_iter_release(&it);
	if (rc < 0)
		return rc;
	place_keys(r);
	return build_tree(r);
}

static uint64_t covering(const struct range_dels *r, size_t low, size_t high, struct sst_slice key, uint64_t snapshot,
	uint64_t best)
{
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct range_node *n = &r->tree[mid];
		if (n->sequence <= best || order_cmp_user(r->order, n->last->end, key) <= 0)
			break;
		const struct tombstone *t = n->stone;
		bool begun = order_cmp_user(r->order, t->begin, key) <= 0;
		if (begun && t->sequence > best && t->sequence <= snapshot &&
			order_cmp_user(r->order, key, t->end) < 0)
			best = t->sequence;
		if (!begun) {
			high = mid;
			continue;
		}
		best = covering(r, low, mid, key, snapshot, best);
		low = mid + 1;
	}
	return best;
}

uint64_t range_dels_covering(const struct range_dels *r, struct sst_slice user_key, uint64_t snapshot)
{
	return r->count ? covering(r, 0, r->count, user_key, snapshot, 0) : 0;
}
