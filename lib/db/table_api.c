/* SPDX-License-Identifier: MIT */
/*
 * Tables by themselves: the sst_* half of the public header.
 *
 * The view of a reader is made here from the entries of one table. Forwards, the first version of a key is its
 * newest, the others are passed over. Backwards the newest comes last: entries of a key are gathered until another
 * key shows, so the inner iterator then stands before the key that was given, and a change of direction seeks.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"
#include "db/table_handle.h"
#include "os/file.h"
#include "table/check.h"
#include "table/inspect.h"
#include "table/read_ahead.h"

struct sst_table {
	struct file_source file;
	struct source memory; /* of sst_table_open_memory, with bytes */
	const uint8_t *bytes;
	struct table *table;
	struct block_cache blocks;
	struct read_crew crew;
	char *name;
	char trace[160];
};

/* ---------------------------------------------------------------- opening */

static int read_memory(struct source *s, uint64_t offset, void *buf, size_t n)
{
	const struct sst_table *t =
		(const struct sst_table *)(const void *)((const char *)s - offsetof(struct sst_table, memory));
	if (n)
		memcpy(buf, t->bytes + offset, n);
	return 0;
}

static int new_table(struct sst_table **out, const char *name)
{
	struct sst_table *t = calloc(1, sizeof(*t));
	char *copy = strdup(name);
	if (!t || !copy) {
		free(t);
		free(copy);
		return fail_memory();
	}
	t->file.fd = -1;
	t->name = copy;
	*out = t;
	return 0;
}

static int open_file(struct sst_table *t, struct source **source)
{
	struct file_id id;
	int fd;
	int rc = file_open_id(&fd, &id, AT_FDCWD, t->name, O_RDONLY, 0);
	if (rc)
		return rc;
	file_source_init(&t->file, fd, id.size, t->name);
	*source = &t->file.source;
	return 0;
}

static int open_table(struct sst_table *t, struct source *source)
{
	struct table_read_options options = {.manifest_sequence = UINT64_MAX, .cache = &t->blocks, .crew = &t->crew};
	t->blocks.limit = BLOCK_CACHE_DEFAULT;
	return table_open(&t->table, source, &options);
}

int sst_table_open(struct sst_table **out, const char *path)
{
	struct sst_table *t;
	struct source *source;
	int rc = new_table(&t, path);
	if (rc)
		return rc;
	rc = open_file(t, &source);
	if (!rc)
		rc = open_table(t, source);
	if (rc)
		sst_table_close(t);
	else
		*out = t;
	return rc;
}

int sst_table_open_memory(struct sst_table **out, const void *data, size_t size, const char *name)
{
	struct sst_table *t;
	int rc = new_table(&t, name);
	if (rc)
		return rc;
	t->bytes = data;
	t->memory = (struct source){.read = read_memory, .size = size, .name = t->name};
	rc = open_table(t, &t->memory);
	if (rc)
		sst_table_close(t);
	else
		*out = t;
	return rc;
}

void sst_table_close(struct sst_table *t)
{
	if (!t)
		return;
	table_close(t->table);
	block_cache_release(&t->blocks);
	file_close(&t->file.fd);
	free(t->name);
	free(t);
}

struct table *table_of(struct sst_table *t)
{
	return t->table;
}

int sst_table_bytewise(struct sst_table *t)
{
	const struct table_info *info = table_info(t->table);
	if (info->order == ORDER_BYTEWISE)
		return 0;
	return fail(SST_EUNSUPPORTED, "cannot read '%s': its comparator is '%s', not bytewise", t->name,
		info->comparator);
}

/* ---------------------------------------------------------------- one key */

const char *sst_type_name(unsigned type)
{
	return type > UINT8_MAX ? NULL : table_type_name((uint8_t)type);
}

int sst_table_get(struct sst_table *t, struct sst_slice key, struct sst_entry *e)
{
	struct table_found found;
	int rc = table_get(t->table, key, SEQUENCE_MAX, &found);
	if (rc)
		return rc;
	*e = (struct sst_entry){.key = key, .value = found.value, .sequence = found.sequence, .type = found.type};
	return 0;
}

const char *sst_table_trace(struct sst_table *t)
{
	const struct table_get_trace *trace = table_get_trace(t->table);
	const char *filter = !trace->filter_asked ? "not asked" : trace->filter_said_no ? "no" : "maybe";
	if (trace->block_size)
		snprintf(t->trace, sizeof(t->trace), "filter: %s, block at %llu, %llu bytes", filter,
			(unsigned long long)trace->block_offset, (unsigned long long)trace->block_size);
	else
		snprintf(t->trace, sizeof(t->trace), "filter: %s, no block", filter);
	return t->trace;
}

/* ---------------------------------------------------------------- walking */

enum direction { FORWARD, BACKWARD };

struct sst_iter {
	struct table *table;
	struct iter *inner;
	const struct range_dels *dels;
	bool all;
	enum direction direction;
	bool inner_done;       /* backwards: the inner iterator has passed the first entry */
	bool gathered;	       /* backwards: key, value and tag hold an entry when the inner iterator failed */
	bool skip_first;       /* backwards: it has been given, now the inner iterator must leave a block out */
	uint64_t tag;
	struct buf key, value; /* of the entry given: forwards the key only, to pass over its other versions */
	struct buf target;
	struct buf from, to;   /* of a damage */
};

int sst_iter_new(struct sst_iter **out, struct sst_table *t, unsigned flags)
{
	struct sst_iter *it = calloc(1, sizeof(*it));
	if (!it)
		return fail_memory();
	it->table = t->table;
	it->all = flags & SST_ITER_ALL;
	int rc = it->all ? 0 : table_range_dels(t->table, &it->dels);
	if (!rc && !it->all)
		rc = table_order_known(t->table);
	if (!rc && !(it->inner = table_iter_new(t->table)))
		rc = fail_memory();
	if (rc)
		sst_iter_free(it);
	else
		*out = it;
	return rc;
}

void sst_iter_free(struct sst_iter *it)
{
	if (!it)
		return;
	iter_free(it->inner);
	buf_release(&it->key);
	buf_release(&it->value);
	buf_release(&it->target);
	buf_release(&it->from);
	buf_release(&it->to);
	free(it);
}

static int keep(struct buf *b, struct sst_slice s)
{
	buf_clear(b);
	buf_append_slice(b, s);
	return buf_check(b);
}

/* Every type that may stand in a table, but those nobody here knows the meaning of. */
static int give_entry(struct sst_iter *it, int rc, struct sst_entry *e)
{
	if (rc)
		return rc;
	uint64_t tag = ikey_tag(it->inner->key);
	*e = (struct sst_entry){.key = ikey_user(it->inner->key), .value = it->inner->value,
		.sequence = tag_sequence(tag), .type = tag_type(tag)};
	if (!table_type_name(tag_type(tag)) || e->type == SST_RANGE_DELETE)
		return table_fail_type(it->table, e->key, tag_type(tag));
	return 0;
}

/* 0: a reader sees this entry, the newest of its key. SST_NO: it is deleted. */
static int visible(struct sst_iter *it, struct sst_slice user, uint64_t tag)
{
	if (range_dels_covering(it->dels, user, SEQUENCE_MAX) > tag_sequence(tag))
		return SST_NO;
	switch (tag_type(tag)) {
	case TYPE_VALUE:
		return 0;
	case TYPE_DELETION:
	case TYPE_SINGLE_DELETION:
		return SST_NO;
	}
	return SST_EUNSUPPORTED;
}

/* ---- forwards */

/* From the inner iterator's place to the next entry that a reader sees. skip: it->key has been given already. */
static int view_forward(struct sst_iter *it, int rc, bool skip, struct sst_entry *e)
{
	it->direction = FORWARD;
	it->gathered = it->skip_first = false;
	for (; !rc; rc = iter_next(it->inner)) {
		struct sst_slice user = ikey_user(it->inner->key);
		uint64_t tag = ikey_tag(it->inner->key);
		if (skip && slice_eq(user, buf_slice(&it->key)))
			continue;
		skip = true;
		rc = keep(&it->key, user);
		if (rc)
			return rc;
		rc = visible(it, user, tag);
		if (rc < 0)
			return table_fail_type(it->table, user, tag_type(tag));
		if (!rc) {
			*e = (struct sst_entry){buf_slice(&it->key), it->inner->value, tag_sequence(tag), SST_PUT};
			return 0;
		}
	}
	return rc;
}

/* ---- backwards */

/* Gathers the versions of the key the inner iterator is at; the newest, seen last, is kept. */
static int gather_backward(struct sst_iter *it, int *inner)
{
	int rc = keep(&it->key, ikey_user(it->inner->key));
	while (!rc && !*inner && slice_eq(ikey_user(it->inner->key), buf_slice(&it->key))) {
		it->tag = ikey_tag(it->inner->key);
		rc = keep(&it->value, it->inner->value);
		if (!rc)
			*inner = iter_prev(it->inner);
	}
	it->gathered = !rc && *inner < 0;
	return rc ? rc : *inner < 0 ? *inner : 0;
}

/* The entry that was gathered, if a reader sees it. */
static int give_gathered(struct sst_iter *it, struct sst_entry *e)
{
	int rc = visible(it, buf_slice(&it->key), it->tag);
	if (rc < 0)
		return table_fail_type(it->table, buf_slice(&it->key), tag_type(it->tag));
	*e = (struct sst_entry){buf_slice(&it->key), buf_slice(&it->value), tag_sequence(it->tag), SST_PUT};
	return rc;
}

static int view_backward(struct sst_iter *it, int inner, struct sst_entry *e)
{
	it->direction = BACKWARD;
	it->gathered = it->skip_first = false;
	while (!inner) {
		int rc = gather_backward(it, &inner);
		if (rc)
			return rc;
		it->inner_done = inner == SST_NO;
		rc = give_gathered(it, e);
		if (rc != SST_NO)
			return rc;
	}
	return inner;
}

/* ---- the moves */

static int inner_seek(struct sst_iter *it, struct sst_slice key, uint64_t tag)
{
	buf_clear(&it->target);
	put_ikey(&it->target, key, tag);
	int rc = buf_check(&it->target);
	return rc ? rc : iter_seek(it->inner, buf_slice(&it->target));
}

int sst_iter_first(struct sst_iter *it, struct sst_entry *e)
{
	int rc = iter_seek_first(it->inner);
	return it->all ? give_entry(it, rc, e) : view_forward(it, rc, false, e);
}

int sst_iter_last(struct sst_iter *it, struct sst_entry *e)
{
	int rc = iter_seek_last(it->inner);
	return it->all ? give_entry(it, rc, e) : view_backward(it, rc, e);
}

int sst_iter_seek(struct sst_iter *it, struct sst_slice key, struct sst_entry *e)
{
	int rc = inner_seek(it, key, tag_make(SEQUENCE_MAX, TYPE_SEEK));
	return it->all ? give_entry(it, rc, e) : view_forward(it, rc, false, e);
}

int sst_iter_next(struct sst_iter *it, struct sst_entry *e)
{
	if (it->all)
		return give_entry(it, iter_next(it->inner), e);
	/* After a turn: the last place a version of the key can have; there may be one. */
	int rc = it->direction == FORWARD ? iter_next(it->inner) : inner_seek(it, buf_slice(&it->key), 0);
	return view_forward(it, rc, true, e);
}

int sst_iter_prev(struct sst_iter *it, struct sst_entry *e)
{
	if (it->all)
		return give_entry(it, iter_prev(it->inner), e);
	if (it->skip_first)
		return view_backward(it, table_iter_skip(it->inner, true), e);
	if (it->direction == BACKWARD)
		return it->inner_done ? SST_NO : view_backward(it, 0, e);
	int rc = inner_seek(it, buf_slice(&it->key), tag_make(SEQUENCE_MAX, TYPE_SEEK));
	return view_backward(it, rc ? rc : iter_prev(it->inner), e);
}

/* Forwards, the block left out may have had the newest version of a key that goes on in the next one: what is left of
 * that key is no answer and is passed over. */
static int skip_forward(struct sst_iter *it, const struct sst_damage *d, struct sst_entry *e)
{
	int rc = table_iter_skip(it->inner, false);
	if (!rc)
		rc = keep(&it->key, d->has_keys ? d->to : ikey_user(it->inner->key));
	return view_forward(it, rc, true, e);
}

/* Backwards, the key that was being gathered is complete when the block left out has only smaller ones. */
static int skip_backward(struct sst_iter *it, const struct sst_damage *d, struct sst_entry *e)
{
	enum key_order order = table_info(it->table)->order;
	if (it->gathered && d->has_keys && order_cmp_user(order, buf_slice(&it->key), d->to) > 0) {
		it->gathered = false;
		it->skip_first = true;
		int rc = give_gathered(it, e);
		if (rc != SST_NO)
			return rc;
	}
	return view_backward(it, table_iter_skip(it->inner, true), e);
}

int sst_iter_skip(struct sst_iter *it, bool backwards, struct sst_damage *d, struct sst_entry *e)
{
	struct block_handle h = table_iter_failed_block(it->inner);
	*d = (struct sst_damage){.what = ""};
	if (h.size) {
		d->offset = h.offset;
		d->size = h.size + BLOCK_TRAILER_SIZE;
		d->has_keys = table_key_range(it->table, h, &it->from, &it->to);
		d->from = buf_slice(&it->from);
		d->to = buf_slice(&it->to);
	}
	if (it->all)
		return give_entry(it, table_iter_skip(it->inner, backwards), e);
	return backwards ? skip_backward(it, d, e) : skip_forward(it, d, e);
}

/* ---------------------------------------------------------------- looking inside */

int sst_table_range_deletion(struct sst_table *t, size_t i, struct sst_entry *e)
{
	const struct range_dels *dels;
	int rc = table_range_dels(t->table, &dels);
	if (rc)
		return rc;
	if (i >= dels->count)
		return SST_NO;
	const struct tombstone *s = &dels->list[i];
	*e = (struct sst_entry){.key = s->begin, .value = s->end, .sequence = s->stored, .type = SST_RANGE_DELETE};
	return 0;
}

int sst_table_properties(struct sst_table *t, int (*each)(void *arg, const struct sst_property *p), void *arg)
{
	return table_show_properties(t->table, each, arg);
}

int sst_table_index(struct sst_table *t, int (*each)(void *arg, const struct sst_block *b), void *arg)
{
	return table_show_index(t->table, each, arg);
}

int sst_table_blocks(struct sst_table *t, int (*each)(void *arg, const struct sst_block *b), void *arg)
{
	return table_show_blocks(t->table, each, arg);
}

int sst_table_check(struct sst_table *t, void (*report)(void *arg, const struct sst_damage *d), void *arg,
	struct sst_check_stats *stats)
{
	return table_check(t->table, report, arg, stats);
}
