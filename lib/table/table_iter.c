/* SPDX-License-Identifier: MIT */
/*
 * The iterator of a table: the index leads from data block to data block. Forwards, keys must rise across blocks as
 * they do within; what is found out of order is damage.
 */
#include <stdlib.h>

#include "base/status.h"
#include "table/read_ahead.h"
#include "table/reader_internal.h"

struct table_iter {
	struct iter iter;
	struct table *table; /* borrowed */
	struct index_iter index;
	struct block block;
	struct block_iter entry;
	struct block_memory memory;
	struct read_walk walk; /* through block after block, forwards */
	struct buf key;	   /* with a global sequence: the key that has it */
	bool index_failed; /* the last failure was the index's, not that of a data block */
};

static struct table_iter *of(struct iter *it)
{
	return (struct table_iter *)(void *)it;
}

static int damaged(const struct table_iter *ti, int rc)
{
	return rc < 0 ? block_fail(&ti->table->blocks, index_iter_handle(&ti->index).offset, rc) : rc;
}

/* Hands out the entry the block iterator is at, if it is at one. */
static int settle(struct table_iter *ti, int rc)
{
	if (rc) {
		ti->iter.key = ti->iter.value = (struct sst_slice){0};
		return rc;
	}
	uint64_t global = ti->table->global_sequence;
	ti->iter.key = ti->entry.key;
	ti->iter.value = ti->entry.value;
	if (!global)
		return 0;
	buf_clear(&ti->key);
	put_ikey(&ti->key, ikey_user(ti->entry.key), tag_make(global, tag_type(ikey_tag(ti->entry.key))));
	ti->iter.key = buf_slice(&ti->key);
	return buf_check(&ti->key);
}

static int use_block(struct table_iter *ti, int rc, struct sst_slice contents, bool in_sequence)
{
	if (rc)
		return rc;
	rc = block_open(&ti->block, contents, BLOCK_TAGGED | BLOCK_DATA, ti->table->info.order);
	if (!rc)
		block_iter_start(&ti->entry, &ti->block, in_sequence);
	return damaged(ti, rc);
}

/* The block the index is at. */
static int open_block(struct table_iter *ti)
{
	struct sst_slice contents;
	read_ahead_end(&ti->walk);
	int rc = block_fetch(&ti->table->blocks, index_iter_handle(&ti->index), FETCH_DATA, &ti->memory, &contents);
	return use_block(ti, rc, contents, false);
}

/* The same, where a walk forwards has come to it. */
static int walk_on(struct table_iter *ti, bool in_sequence)
{
	struct table *t = ti->table;
	struct sst_slice contents;
	int rc = SST_NO;
	if (t->crew) {
		ti->memory.ahead_max = read_ahead_share(t->crew);
		rc = read_ahead_take(&ti->walk, t->crew, &t->index, &ti->index, buf_slice(&ti->entry.bytes), &contents);
	}
	if (rc)
		rc = block_fetch(&t->blocks, index_iter_handle(&ti->index), FETCH_DATA | FETCH_AHEAD, &ti->memory, &contents);
	return use_block(ti, rc, contents, in_sequence);
}

static int index_move(struct table_iter *ti, int (*move)(struct index_iter *it))
{
	int rc = move(&ti->index);
	ti->index_failed = rc < 0;
	return rc;
}

/* The first entry of the block the index is at, or of those behind it. */
static int first_from(struct table_iter *ti, int rc, bool in_sequence)
{
	while (!rc) {
		rc = walk_on(ti, in_sequence);
		if (rc)
			break;
		rc = block_iter_next(&ti->entry);
		if (rc != SST_NO)
			return damaged(ti, rc);
		rc = index_move(ti, index_iter_next);
		in_sequence = true;
	}
	return rc;
}

static int last_from(struct table_iter *ti, int rc)
{
	while (!rc) {
		rc = open_block(ti);
		if (rc)
			break;
		rc = block_iter_last(&ti->entry);
		if (rc != SST_NO)
			return damaged(ti, rc);
		rc = index_move(ti, index_iter_prev);
	}
	return rc;
}

/* The index is read by the first move, whose failure says so. */
static int prepare(struct table_iter *ti)
{
	const struct index *index;
	int rc = table_index(ti->table, &index);
	ti->index.index = &ti->table->index;
	ti->index_failed = rc < 0;
	return rc;
}

static int table_iter_first(struct iter *it)
{
	struct table_iter *ti = of(it);
	int rc = prepare(ti);
	return settle(ti, rc ? rc : first_from(ti, index_move(ti, index_iter_first), false));
}

static int table_iter_last(struct iter *it)
{
	struct table_iter *ti = of(it);
	int rc = prepare(ti);
	return settle(ti, rc ? rc : last_from(ti, index_move(ti, index_iter_last)));
}

static int table_iter_next(struct iter *it)
{
	struct table_iter *ti = of(it);
	int rc = damaged(ti, block_iter_next(&ti->entry));
	if (rc == SST_NO)
		rc = first_from(ti, index_move(ti, index_iter_next), true);
	return settle(ti, rc);
}

static int table_iter_prev(struct iter *it)
{
	struct table_iter *ti = of(it);
	int rc = damaged(ti, block_iter_prev(&ti->entry));
	if (rc == SST_NO)
		rc = last_from(ti, index_move(ti, index_iter_prev));
	return settle(ti, rc);
}

static int seek_stored(struct table_iter *ti, struct sst_slice ikey)
{
	int rc = index_iter_seek(&ti->index, ikey);
	ti->index_failed = rc < 0;
	if (rc)
		return rc;
	rc = open_block(ti);
	if (rc)
		return rc;
	rc = damaged(ti, block_iter_seek(&ti->entry, ikey));
	if (rc == SST_NO)
		rc = first_from(ti, index_move(ti, index_iter_next), false);
	return rc;
}

/* With a global sequence what is stored is found by user key, then the versions before the target are skipped. */
static int table_iter_seek(struct iter *it, struct sst_slice ikey)
{
	struct table_iter *ti = of(it);
	int rc = table_order_known(ti->table);
	if (!rc)
		rc = prepare(ti);
	if (rc)
		return settle(ti, rc);
	if (!ti->table->global_sequence)
		return settle(ti, seek_stored(ti, ikey));
	struct buf target = {0};
	put_ikey(&target, ikey_user(ikey), tag_make(SEQUENCE_MAX, TYPE_SEEK));
	rc = buf_check(&target);
	if (!rc)
		rc = settle(ti, seek_stored(ti, buf_slice(&target)));
	buf_release(&target);
	while (!rc && order_cmp(ti->table->info.order, it->key, ikey) < 0)
		rc = table_iter_next(it);
	return rc;
}

static void table_iter_free(struct iter *it)
{
	struct table_iter *ti = of(it);
	read_ahead_end(&ti->walk);
	if (ti->table->crew)
		ti->table->crew->iters--;
	block_iter_release(&ti->entry);
	index_iter_release(&ti->index);
	block_memory_release(&ti->memory);
	buf_release(&ti->key);
	free(ti);
}

struct iter *table_iter_new(struct table *t)
{
	static const struct iter_ops ops = {
		.seek_first = table_iter_first,
		.seek_last = table_iter_last,
		.seek = table_iter_seek,
		.next = table_iter_next,
		.prev = table_iter_prev,
		.free = table_iter_free,
	};
	struct table_iter *ti = calloc(1, sizeof(*ti));
	if (!ti)
		return NULL;
	ti->iter.ops = &ops;
	ti->table = t;
	if (t->crew)
		t->crew->iters++;
	return &ti->iter;
}

struct block_handle table_iter_failed_block(const struct iter *it)
{
	const struct table_iter *ti = (const struct table_iter *)(const void *)it;
	return ti->index_failed ? (struct block_handle){0} : index_iter_handle(&ti->index);
}

int table_iter_skip(struct iter *it, bool backwards)
{
	struct table_iter *ti = of(it);
	int (*past)(struct index_iter *) = backwards ? index_iter_prev : index_iter_next;
	if (ti->index_failed && !ti->table->index_ready)
		return settle(ti, SST_NO);
	if (ti->index_failed)
		past = backwards ? index_iter_skip_leaf_back : index_iter_skip_leaf;
	if (backwards)
		return settle(ti, last_from(ti, index_move(ti, past)));
	return settle(ti, first_from(ti, index_move(ti, past), true));
}
