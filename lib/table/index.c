/* SPDX-License-Identifier: MIT */
#include "table/index.h"

#include "base/status.h"

void index_prepare(struct index *index, struct block_source *blocks, struct block_handle h, const struct table_info *info)
{
	unsigned flags = (info->index_user_keys ? 0 : BLOCK_TAGGED) | (info->index_delta ? BLOCK_DELTA : 0);
	*index = (struct index){
		.blocks = blocks,
		.order = info->order,
		.user_keys = info->index_user_keys,
		.two_level = info->index_type == INDEX_TWO_LEVEL,
		.top_flags = flags | (info->index_type == INDEX_FIRST_KEY ? BLOCK_FIRST_KEY : 0),
		.leaf_flags = flags,
		.offset = h.offset,
		.memory = index->memory,
	};
}

int index_open_top(struct index *index, struct sst_slice contents)
{
	int rc = block_open(&index->top, contents, index->top_flags, index->order);
	return rc ? block_fail(index->blocks, index->offset, rc) : 0;
}

int index_open(struct index *index, struct block_source *blocks, struct block_handle h, const struct table_info *info)
{
	struct sst_slice contents;
	*index = (struct index){0};
	index_prepare(index, blocks, h, info);
	int rc = block_fetch(blocks, h, 0, &index->memory, &contents);
	return rc ? rc : index_open_top(index, contents);
}

void index_release(struct index *index)
{
	block_memory_release(&index->memory);
	*index = (struct index){0};
}

/* ---------------------------------------------------------------- one block of the index */

static void cursor_start(struct index_cursor *c, const struct block *b, uint64_t offset)
{
	block_iter_start(&c->it, b, false);
	c->offset = offset;
	c->first_keys = b->flags & BLOCK_FIRST_KEY;
}

static int fail_value(const struct index_cursor *c)
{
	return fail(SST_ECORRUPT, "malformed index value at %u", c->it.offset);
}

/* With a delta the handle still is that of the entry before. */
static int parse_value(struct index_cursor *c)
{
	struct sst_slice in = c->it.value;
	if (c->it.b->flags & BLOCK_DELTA && c->it.shared) {
		int64_t delta = 0;
		uint64_t offset = 0, size = 0;
		get_varint_signed(&in, &delta);
		if (__builtin_add_overflow(c->handle.offset, c->handle.size, &offset) ||
			__builtin_add_overflow(offset, BLOCK_TRAILER_SIZE, &offset) ||
			__builtin_add_overflow(c->handle.size, delta, &size))
			return fail_value(c);
		c->handle = (struct block_handle){offset, size};
	} else if (!get_handle(&in, &c->handle)) {
		return fail_value(c);
	}
	if (c->first_keys && (!get_slice(&in, &c->first_key) || c->first_key.size < IKEY_TAG_SIZE))
		return fail_value(c);
	return 0;
}

static int cursor_next(const struct block_source *s, struct index_cursor *c)
{
	int rc = block_iter_next(&c->it);
	if (!rc)
		rc = parse_value(c);
	return rc < 0 ? block_fail(s, c->offset, rc) : rc;
}

/* From the start of a run to the entry that ends at `end`. */
static int cursor_step_to(const struct block_source *s, struct index_cursor *c, uint32_t end)
{
	int rc;
	do
		rc = cursor_next(s, c);
	while (!rc && c->it.next < end);
	return rc;
}

static int cursor_prev(const struct block_source *s, struct index_cursor *c)
{
	uint32_t offset = c->it.offset;
	if (!offset || offset == BLOCK_NO_ENTRY)
		return SST_NO;
	block_iter_to_run_before(&c->it, offset);
	return cursor_step_to(s, c, offset);
}

static int cursor_last(const struct block_source *s, struct index_cursor *c)
{
	uint32_t size = c->it.b->size;
	if (!size)
		return SST_NO;
	block_iter_to_run_before(&c->it, size);
	return cursor_step_to(s, c, size);
}

/* REQUIRES: target is of the kind of the keys. */
static int cursor_seek(const struct block_source *s, struct index_cursor *c, struct sst_slice target)
{
	int rc = block_iter_to_run(&c->it, target);
	if (rc)
		return block_fail(s, c->offset, rc);
	do
		rc = cursor_next(s, c);
	while (!rc && block_cmp(c->it.b, c->it.key, target) < 0);
	return rc;
}

int index_top_first(const struct index *index, struct index_cursor *c)
{
	cursor_start(c, &index->top, index->offset);
	return cursor_next(index->blocks, c);
}

int index_top_next(const struct index *index, struct index_cursor *c)
{
	return cursor_next(index->blocks, c);
}

/* ---------------------------------------------------------------- both levels */

void index_iter_release(struct index_iter *it)
{
	block_iter_release(&it->top.it);
	block_iter_release(&it->leaf.it);
	block_memory_release(&it->memory);
	*it = (struct index_iter){0};
}

static int open_leaf(struct index_iter *it)
{
	const struct index *index = it->index;
	struct sst_slice contents;
	struct block_handle h = it->top.handle;
	int rc = block_fetch(index->blocks, h, 0, &it->memory, &contents);
	if (rc)
		return rc;
	rc = block_open(&it->leaf_block, contents, index->leaf_flags, index->order);
	if (rc)
		return block_fail(index->blocks, h.offset, rc);
	cursor_start(&it->leaf, &it->leaf_block, h.offset);
	return 0;
}

static void start(struct index_iter *it)
{
	cursor_start(&it->top, &it->index->top, it->index->offset);
}

static int check_following(const struct index_iter *it, struct block_handle first, struct block_handle second)
{
	uint64_t end;
	if (!__builtin_add_overflow(first.offset, first.size, &end) && second.offset >= end &&
		second.offset - end >= BLOCK_TRAILER_SIZE)
		return 0;
	return block_fail(it->index->blocks, index_iter_cursor(it)->offset,
		fail(SST_ECORRUPT, "index leads from the block at %llu to one at %llu",
			(unsigned long long)first.offset, (unsigned long long)second.offset));
}

/* The first entry of the leaves behind this one. */
static int next_leaf(struct index_iter *it)
{
	const struct block_source *s = it->index->blocks;
	int rc;
	do {
		struct block_handle before = it->top.handle;
		rc = cursor_next(s, &it->top);
		if (!rc)
			rc = check_following(it, before, it->top.handle);
		if (!rc)
			rc = open_leaf(it);
		if (rc)
			return rc;
		rc = cursor_next(s, &it->leaf);
	} while (rc == SST_NO);
	return rc;
}

static int prev_leaf(struct index_iter *it)
{
	const struct block_source *s = it->index->blocks;
	int rc;
	do {
		struct block_handle after = it->top.handle;
		rc = cursor_prev(s, &it->top);
		if (!rc)
			rc = check_following(it, it->top.handle, after);
		if (!rc)
			rc = open_leaf(it);
		if (rc)
			return rc;
		rc = cursor_last(s, &it->leaf);
	} while (rc == SST_NO);
	return rc;
}

static int leaf_next(struct index_iter *it)
{
	int rc = cursor_next(it->index->blocks, &it->leaf);
	return rc == SST_NO ? next_leaf(it) : rc;
}

static int leaf_prev(struct index_iter *it)
{
	int rc = cursor_prev(it->index->blocks, &it->leaf);
	return rc == SST_NO ? prev_leaf(it) : rc;
}

/* A move that does not get past the place where the top block is damaged is the last one. */
static int skip_leaf(struct index_iter *it, int (*move)(struct index_iter *it))
{
	uint32_t offset = it->top.it.offset;
	if (!it->index->two_level || offset == BLOCK_NO_ENTRY)
		return SST_NO;
	int rc = move(it);
	return rc < 0 && it->top.it.offset == offset ? SST_NO : rc;
}

int index_iter_skip_leaf(struct index_iter *it)
{
	return skip_leaf(it, next_leaf);
}

int index_iter_skip_leaf_back(struct index_iter *it)
{
	return skip_leaf(it, prev_leaf);
}

int index_iter_next(struct index_iter *it)
{
	struct block_handle before = index_iter_handle(it);
	int rc = it->index->two_level ? leaf_next(it) : cursor_next(it->index->blocks, &it->top);
	return rc ? rc : check_following(it, before, index_iter_handle(it));
}

int index_iter_prev(struct index_iter *it)
{
	struct block_handle after = index_iter_handle(it);
	int rc = it->index->two_level ? leaf_prev(it) : cursor_prev(it->index->blocks, &it->top);
	return rc ? rc : check_following(it, index_iter_handle(it), after);
}

int index_iter_first(struct index_iter *it)
{
	int rc = index_top_first(it->index, &it->top);
	if (!rc && it->index->two_level && !(rc = open_leaf(it)))
		rc = leaf_next(it);
	return rc;
}

int index_iter_last(struct index_iter *it)
{
	const struct block_source *s = it->index->blocks;
	start(it);
	int rc = cursor_last(s, &it->top);
	if (rc || !it->index->two_level)
		return rc;
	rc = open_leaf(it);
	if (!rc)
		rc = cursor_last(s, &it->leaf);
	return rc == SST_NO ? prev_leaf(it) : rc;
}

int index_iter_seek(struct index_iter *it, struct sst_slice ikey)
{
	const struct block_source *s = it->index->blocks;
	struct sst_slice target = it->index->user_keys ? ikey_user(ikey) : ikey;
	start(it);
	int rc = cursor_seek(s, &it->top, target);
	if (rc || !it->index->two_level)
		return rc;
	rc = open_leaf(it);
	if (!rc)
		rc = cursor_seek(s, &it->leaf, target);
	return rc == SST_NO ? next_leaf(it) : rc;
}
