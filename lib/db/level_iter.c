/* SPDX-License-Identifier: MIT */
/* Tables one behind the other. The iterator of a table is made when the walk comes there, so a level costs one. */
#include "db/scan.h"

#include <stdlib.h>

#include "base/merge.h"
#include "base/status.h"
#include "table/reader.h"

struct level_iter {
	struct iter iter;
	struct table *const *tables;
	const struct table_meta *const *metas;
	size_t count, at;
	struct iter *current; /* of tables[at]; NULL: none */
};

static int enter(struct level_iter *l, size_t at)
{
	iter_free(l->current);
	l->current = NULL;
	l->at = at;
	if (at >= l->count) /* also before the first: size_t wraps */
		return SST_NO;
	l->current = table_iter_new(l->tables[at]);
	return l->current ? 0 : fail_memory();
}

static int show(struct level_iter *l, int rc)
{
	if (!rc) {
		l->iter.key = l->current->key;
		l->iter.value = l->current->value;
	}
	return rc;
}

/* rc of a move in the current table; at its end goes on to the next or the one before. */
static int carry_on(struct level_iter *l, int rc, bool back)
{
	while (rc == SST_NO) {
		rc = enter(l, back ? l->at - 1 : l->at + 1);
		if (rc)
			return rc;
		rc = back ? iter_seek_last(l->current) : iter_seek_first(l->current);
	}
	return show(l, rc);
}

static int seek_first(struct iter *it)
{
	struct level_iter *l = (struct level_iter *)it;
	int rc = enter(l, 0);
	return rc ? rc : carry_on(l, iter_seek_first(l->current), false);
}

static int seek_last(struct iter *it)
{
	struct level_iter *l = (struct level_iter *)it;
	int rc = enter(l, l->count - 1);
	return rc ? rc : carry_on(l, iter_seek_last(l->current), true);
}

static int seek(struct iter *it, struct sst_slice ikey)
{
	struct level_iter *l = (struct level_iter *)it;
	enum key_order order = table_info(l->tables[0])->order;
	size_t from = 0, to = l->count;
	while (from < to) {
		size_t mid = from + (to - from) / 2;
		if (order_cmp(order, buf_slice(&l->metas[mid]->largest), ikey) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	int rc = enter(l, from);
	return rc ? rc : carry_on(l, iter_seek(l->current, ikey), false);
}

static int next(struct iter *it)
{
	struct level_iter *l = (struct level_iter *)it;
	return carry_on(l, iter_next(l->current), false);
}

static int prev(struct iter *it)
{
	struct level_iter *l = (struct level_iter *)it;
	return carry_on(l, iter_prev(l->current), true);
}

static void release(struct iter *it)
{
	struct level_iter *l = (struct level_iter *)it;
	iter_free(l->current);
	free(l);
}

static const struct iter_ops level_ops = {seek_first, seek_last, seek, next, prev, release};

struct iter *level_iter_new(struct table *const *tables, const struct table_meta *const *metas, size_t n)
{
	struct level_iter *l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->iter.ops = &level_ops;
	l->tables = tables;
	l->metas = metas;
	l->count = n;
	return &l->iter;
}
