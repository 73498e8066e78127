/* SPDX-License-Identifier: MIT */
/*
 * A memtable in another order than its own: pointers to its records, sorted once. For the logs of foreign stores with
 * RocksDB's reverse comparator; what we write is always in bytewise order.
 */
#include "db/scan.h"

#include <stdlib.h>

#include "base/status.h"

struct sorted_iter {
	struct iter iter;
	const struct tree_record **records;
	size_t count, at;
	struct buf key;
};

int order_cmp_reverse(struct sst_slice a, struct sst_slice b)
{
	return order_cmp(ORDER_REVERSE, a, b);
}

static int record_cmp(const void *a, const void *b)
{
	const struct tree_record *x = *(const struct tree_record *const *)a, *y = *(const struct tree_record *const *)b;
	int c = order_cmp_user(ORDER_REVERSE, tree_record_key(x), tree_record_key(y));
	return c ? c : tag_cmp(x->tag, y->tag);
}

static int show(struct sorted_iter *s, size_t at)
{
	s->at = at;
	if (at >= s->count)
		return SST_NO;
	s->key.size = 0;
	put_ikey(&s->key, tree_record_key(s->records[at]), s->records[at]->tag);
	s->iter.key = buf_slice(&s->key);
	s->iter.value = tree_record_value(s->records[at]);
	return buf_check(&s->key);
}

static int seek_first(struct iter *it)
{
	return show((struct sorted_iter *)it, 0);
}

static int seek_last(struct iter *it)
{
	struct sorted_iter *s = (struct sorted_iter *)it;
	return show(s, s->count - 1); /* wraps when empty */
}

static int seek(struct iter *it, struct sst_slice ikey)
{
	struct sorted_iter *s = (struct sorted_iter *)it;
	size_t from = 0, to = s->count;
	while (from < to) {
		size_t mid = from + (to - from) / 2;
		int rc = show(s, mid);
		if (rc)
			return rc;
		if (order_cmp_reverse(s->iter.key, ikey) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return show(s, from);
}

static int next(struct iter *it)
{
	struct sorted_iter *s = (struct sorted_iter *)it;
	return show(s, s->at + 1);
}

static int prev(struct iter *it)
{
	struct sorted_iter *s = (struct sorted_iter *)it;
	return show(s, s->at - 1);
}

static void release(struct iter *it)
{
	struct sorted_iter *s = (struct sorted_iter *)it;
	free(s->records);
	buf_release(&s->key);
	free(s);
}

static const struct iter_ops sorted_ops = {seek_first, seek_last, seek, next, prev, release};

struct iter *sorted_iter_new(const struct memtable *m, uint64_t snapshot)
{
	struct tree_walk w = {.tree = m->tree, .snapshot = snapshot};
	struct sorted_iter *s = calloc(1, sizeof(*s));
	if (s)
		s->records = calloc(memtable_entries(m) + 1, sizeof(*s->records));
	if (!s || !s->records) {
		free(s);
		return NULL;
	}
	s->iter.ops = &sorted_ops;
	for (int rc = tree_walk_first(&w); rc == 0 && s->count < memtable_entries(m); rc = tree_walk_next(&w))
		s->records[s->count++] = w.entries[w.at];
	qsort(s->records, s->count, sizeof(*s->records), record_cmp);
	return &s->iter;
}
