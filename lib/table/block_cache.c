/* SPDX-License-Identifier: MIT */
#include "table/block_cache.h"

#include <stdlib.h>

#define ROOM_MIN 64
#define PREFETCH ((size_t)4096) /* of a block that is found: all of a small one */

struct cached_block {
	struct cached_block *next; /* of its bucket */
	uint64_t table;
	struct block_handle handle;
	size_t size; /* of all of it */
	bool recent; /* asked for since the hand came by */
	struct block block;
	uint8_t contents[];
};

static struct cached_block **bucket(const struct block_cache *c, uint64_t table, struct block_handle h)
{
	uint64_t hash = (h.offset ^ table << 40) * UINT64_C(0x9e3779b97f4a7c15);
	return &c->buckets[(hash >> 32) & (c->room - 1)];
}

const struct block *block_cache_get(struct block_cache *c, uint64_t table, struct block_handle h)
{
	if (!c->count)
		return NULL;
	struct cached_block *e = *bucket(c, table, h);
	while (e && (!handle_eq(e->handle, h) || e->table != table))
		e = e->next;
	if (!e)
		return NULL;
	e->recent = true;
	/* A search would wait for one line of memory after the other. */
	for (size_t at = 0; at < PREFETCH && sizeof(*e) + at < e->size; at += 64)
		__builtin_prefetch(e->contents + at);
	return &e->block;
}

static void drop(struct block_cache *c, size_t i)
{
	struct cached_block *e = c->ring[i], **p = bucket(c, e->table, e->handle);
	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
	c->ring[i] = c->ring[--c->count];
	c->used -= e->size;
	free(e);
}

static void make_room(struct block_cache *c, size_t size)
{
	while (c->count && size > c->limit - c->used) {
		if (c->hand >= c->count)
			c->hand = 0;
		struct cached_block *e = c->ring[c->hand];
		if (e->recent) {
			e->recent = false;
			c->hand++;
		} else {
			drop(c, c->hand);
		}
	}
}

static bool grow(struct block_cache *c)
{
	size_t room = c->room ? 2 * c->room : ROOM_MIN;
	struct cached_block **ring = realloc(c->ring, room * sizeof(*ring));
	if (!ring)
		return false;
	c->ring = ring;
	struct cached_block **buckets = calloc(room, sizeof(*buckets));
	if (!buckets)
		return false;
	free(c->buckets);
	c->buckets = buckets;
	c->room = room;
	for (size_t i = 0; i < c->count; i++) {
		struct cached_block **p = bucket(c, ring[i]->table, ring[i]->handle);
		ring[i]->next = *p;
		*p = ring[i];
	}
	return true;
}

void block_cache_add(struct block_cache *c, uint64_t table, struct block_handle h, const struct block *b,
	struct sst_slice contents)
{
	size_t size = sizeof(struct cached_block) + contents.size;
	if (size > c->limit)
		return;
	make_room(c, size);
	struct cached_block *e = c->count < c->room || grow(c) ? malloc(size) : NULL;
	if (!e)
		return;
	memcpy(e->contents, contents.data, contents.size);
	struct cached_block **p = bucket(c, table, h);
	*e = (struct cached_block){.next = *p, .table = table, .handle = h, .size = size, .block = *b};
	e->block.data = e->contents;
	e->block.restarts = e->contents + (b->restarts - b->data);
	*p = e;
	c->ring[c->count++] = e;
	c->used += size;
}

void block_cache_release(struct block_cache *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->ring[i]);
	free(c->ring);
	free(c->buckets);
	*c = (struct block_cache){.limit = c->limit};
}
