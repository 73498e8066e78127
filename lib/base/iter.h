/* SPDX-License-Identifier: MIT */
/*
 * The iterator: memtable, block, table, merge and user view are all one of these, so flush, compaction,
 * scan and dump are one loop each.
 *
 * An implementation embeds struct iter first. Every move returns 0 and sets key and value, or SST_NO at
 * the end (either end; the iterator is then not positioned and only the seeks may follow), or an error.
 * key (internal key) and value are borrowed from the iterator and valid until its next move.
 */
#ifndef BASE_ITER_H
#define BASE_ITER_H

#include "base/slice.h"

struct iter;

struct iter_ops {
	int (*seek_first)(struct iter *it);
	int (*seek_last)(struct iter *it);
	int (*seek)(struct iter *it, struct sst_slice ikey); /* first entry >= ikey */
	int (*next)(struct iter *it);			      /* REQUIRES: positioned */
	int (*prev)(struct iter *it);			      /* REQUIRES: positioned */
	void (*free)(struct iter *it);
};

struct iter {
	const struct iter_ops *ops;
	struct sst_slice key, value;
};

static inline int iter_seek_first(struct iter *it)
{
	return it->ops->seek_first(it);
}

static inline int iter_seek_last(struct iter *it)
{
	return it->ops->seek_last(it);
}

static inline int iter_seek(struct iter *it, struct sst_slice ikey)
{
	return it->ops->seek(it, ikey);
}

static inline int iter_next(struct iter *it)
{
	return it->ops->next(it);
}

static inline int iter_prev(struct iter *it)
{
	return it->ops->prev(it);
}

/* Accepts NULL. */
static inline void iter_free(struct iter *it)
{
	if (it)
		it->ops->free(it);
}

#endif
