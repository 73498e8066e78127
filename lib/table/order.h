/* SPDX-License-Identifier: MIT */
/*
 * The order of keys in a table, which its comparator's name stands for. Internal keys: user keys in that order,
 * the tag descending whatever the comparator.
 */
#ifndef TABLE_ORDER_H
#define TABLE_ORDER_H

#include "base/ikey.h"

enum key_order {
	ORDER_BYTEWISE, /* leveldb.BytewiseComparator */
	ORDER_REVERSE,	/* rocksdb.ReverseBytewiseComparator */
	ORDER_UNKNOWN,	/* a foreign comparator: entries can be walked as they lie, not searched */
};

/* REQUIRES (both): the order is known. */
static inline int order_cmp_user(enum key_order order, struct sst_slice a, struct sst_slice b)
{
	return order == ORDER_REVERSE ? slice_cmp(b, a) : slice_cmp(a, b);
}

static inline int order_cmp(enum key_order order, struct sst_slice a, struct sst_slice b)
{
	int c = order_cmp_user(order, ikey_user(a), ikey_user(b));
	return c ? c : tag_cmp(ikey_tag(a), ikey_tag(b));
}

#endif
