/* SPDX-License-Identifier: MIT */
/*
 * A binary heap of the children that are positioned; the root's entry is the merged one. A move advances the root's
 * child and lets it sink; a child at its end leaves the heap.
 */
#include "base/merge.h"

#include <stdlib.h>

#include "base/ikey.h"
#include "base/status.h"

struct merge {
	struct iter iter;
	merge_cmp cmp;
	size_t count, live; /* children, and those in the heap */
	bool back;
	struct iter **child;
	uint32_t *heap; /* indexes of children */
};

static bool before(const struct merge *m, uint32_t a, uint32_t b)
{
	int c = m->cmp(m->child[a]->key, m->child[b]->key);
	if (c == 0)
		return m->back ? a > b : a < b;
	return m->back ? c > 0 : c < 0;
}

static void sink_root(struct merge *m, size_t i)
{
	uint32_t moving = m->heap[i];
	for (size_t c; (c = 2 * i + 1) < m->live; i = c) {
		if (c + 1 < m->live && before(m, m->heap[c + 1], m->heap[c]))
			c++;
		if (!before(m, m->heap[c], moving))
			break;
		m->heap[i] = m->heap[c];
	}
	m->heap[i] = moving;
}

static int show(struct merge *m)
{
	if (!m->live)
		return SST_NO;
	m->iter.key = m->child[m->heap[0]]->key;
	m->iter.value = m->child[m->heap[0]]->value;
	return 0;
}

/* All children have moved to rc[i]; builds the heap. */
static int gather(struct merge *m, int (*move)(struct iter *it, struct sst_slice ikey), struct sst_slice ikey, bool back)
{
	m->live = 0;
	m->back = back;
	for (size_t i = 0; i < m->count; i++) {
		int rc = move(m->child[i], ikey);
		if (rc < 0)
			return rc;
		if (rc == 0)
			m->heap[m->live++] = (uint32_t)i;
	}
	for (size_t i = m->live / 2; i-- > 0;)
		sink_root(m, i);
	return show(m);
}

static int move_first(struct iter *it, struct sst_slice ikey)
{
	(void)ikey;
	return iter_seek_first(it);
}

static int move_last(struct iter *it, struct sst_slice ikey)
{
	(void)ikey;
	return iter_seek_last(it);
}

static int seek_first(struct iter *it)
{
	return gather((struct merge *)it, move_first, slice_of(NULL, 0), false);
}

static int seek_last(struct iter *it)
{
	return gather((struct merge *)it, move_last, slice_of(NULL, 0), true);
}

static int seek(struct iter *it, struct sst_slice ikey)
{
	return gather((struct merge *)it, iter_seek, ikey, false);
}

static int advance(struct merge *m, bool back)
{
	if (m->back != back || !m->live)
		return fail(SST_EINVAL, "merging iterator: change of direction");
	struct iter *root = m->child[m->heap[0]];
	int rc = back ? iter_prev(root) : iter_next(root);
	if (rc < 0)
		return rc;
	if (rc == SST_NO)
		m->heap[0] = m->heap[--m->live];
	if (m->live)
		sink_root(m, 0);
	return show(m);
}

static int next(struct iter *it)
{
	return advance((struct merge *)it, false);
}

static int prev(struct iter *it)
{
	return advance((struct merge *)it, true);
}

static void free_children(struct iter **children, size_t n)
{
	for (size_t i = 0; i < n; i++)
		iter_free(children[i]);
}

static void release(struct iter *it)
{
	struct merge *m = (struct merge *)it;
	free_children(m->child, m->count);
	free(m->child);
	free(m->heap);
	free(m);
}

static const struct iter_ops merge_ops = {seek_first, seek_last, seek, next, prev, release};

/* A merge cannot turn round, so its children are put before the key one by one. */
int iter_seek_before(struct iter *it, struct sst_slice ikey)
{
	if (it->ops == &merge_ops)
		return gather((struct merge *)it, iter_seek_before, ikey, true);
	int rc = iter_seek(it, ikey);
	return rc == 0 ? iter_prev(it) : rc == SST_NO ? iter_seek_last(it) : rc;
}

struct iter *merge_new(struct iter **children, size_t n, merge_cmp cmp)
{
	if (n == 1)
		return children[0];
	struct merge *m = calloc(1, sizeof(*m));
	if (m) {
		m->child = calloc(n + 1, sizeof(struct iter *));
		m->heap = calloc(n + 1, sizeof(*m->heap));
	}
	if (!m || !m->child || !m->heap) {
		free_children(children, n);
		if (m) {
			free(m->child);
			free(m->heap);
		}
		free(m);
		return NULL;
	}
	m->iter.ops = &merge_ops;
	m->cmp = cmp ? cmp : ikey_cmp;
	m->count = n;
	for (size_t i = 0; i < n; i++)
		m->child[i] = children[i];
	return &m->iter;
}
