/* SPDX-License-Identifier: MIT */
/*
 *     add -> arena -> full: sorted -> run (a table in a temporary file)
 *     FAN_IN runs of one size -> merged -> one run of the next size
 *     drain: the arena alone, or the runs, merged
 *
 * The arena is one piece of memory: records grow from its front, references to them from its back. A reference has
 * the first bytes of its key as a number, so most comparisons touch no record. Of equal keys the younger comes first
 * everywhere: within the arena by place, among runs because the youngest run is the first child of the merge. Runs
 * are in the order of their making, so the larger ones, which are the older, come first.
 *
 * Merging FAN_IN runs at a time bounds open files and buffers whatever the size of the input; each entry is written
 * log(input / memory) / log(FAN_IN) times.
 */
#include "db/sorter.h"

#include <assert.h>
#include <stdlib.h>

#include "base/ikey.h"
#include "base/merge.h"
#include "base/status.h"
#include "os/file.h"
#include "os/temporary.h"
#include "table/builder.h"
#include "table/reader.h"

#define FAN_IN 32
#define RUNS_MAX (FAN_IN * 13) /* fewer than FAN_IN of a size, but while they are merged; 32^13 arenas are 2^65 */
#define RUN_BLOCK_SIZE ((size_t)64 << 10)
#define RUN_NAME "temporary file"

struct reference {
	uint64_t prefix; /* first eight bytes of the key, big-endian, zeros behind a shorter one */
	size_t at;	 /* of the record in the arena */
};

/* A record is this, the key, the value. */
struct record_head {
	uint32_t key_size, value_size;
	uint8_t type;
};

struct run {
	struct file_source file;
	struct table *table;
	unsigned size_class; /* FAN_IN to its power: arenas in it, at most */
};

struct sorter {
	char *directory;
	size_t memory;
	uint8_t *arena;
	size_t arena_size, used, count; /* bytes of arena and of records; references */
	struct run *runs[RUNS_MAX];
	size_t run_count;
};

/* ---------------------------------------------------------------- life */

int sorter_new(struct sorter **out, size_t memory, const char *directory)
{
	struct sorter *s = calloc(1, sizeof(*s));
	if (!s)
		return fail_memory();
	s->memory = memory < SORTER_MEMORY_MIN ? SORTER_MEMORY_MIN : memory & ~(size_t)15;
	s->directory = strdup(directory);
	if (!s->directory) {
		sorter_free(s);
		return fail_memory();
	}
	*out = s;
	return 0;
}

static void run_free(struct run *r)
{
	table_close(r->table);
	file_close(&r->file.fd);
	free(r);
}

static void arena_release(struct sorter *s)
{
	free(s->arena);
	s->arena = NULL;
	s->arena_size = s->used = s->count = 0;
}

void sorter_free(struct sorter *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->run_count; i++)
		run_free(s->runs[i]);
	arena_release(s);
	free(s->directory);
	free(s);
}

/* ---------------------------------------------------------------- the arena */

static struct reference *references(const struct sorter *s)
{
	return (struct reference *)(void *)(s->arena + s->arena_size) - s->count;
}

static struct record_head record_at(const struct sorter *s, size_t at, struct sst_slice *key, struct sst_slice *value)
{
	struct record_head h;
	memcpy(&h, s->arena + at, sizeof(h));
	*key = slice_of(s->arena + at + sizeof(h), h.key_size);
	*value = slice_of(key->data + h.key_size, h.value_size);
	return h;
}

static uint64_t key_prefix(struct sst_slice key)
{
	uint8_t b[8] = {0};
	if (key.size)
		memcpy(b, key.data, key.size < 8 ? key.size : 8);
	return __builtin_bswap64(load64(b));
}

static int compare_references(const void *a, const void *b, void *arg)
{
	const struct sorter *s = arg;
	const struct reference *x = a, *y = b;
	struct sst_slice key_x, key_y, value;
	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	record_at(s, x->at, &key_x, &value);
	record_at(s, y->at, &key_y, &value);
	int c = slice_cmp(key_x, key_y);
	return c ? c : (x->at < y->at) - (x->at > y->at);
}

static void arena_sort(struct sorter *s)
{
	if (s->count)
		qsort_r(references(s), s->count, sizeof(struct reference), compare_references, s);
}

/* Memory that another record of n bytes would take; the sort needs as much again for the references. */
static bool arena_has_room(const struct sorter *s, size_t n)
{
	return s->used + n + 2 * (s->count + 1) * sizeof(struct reference) <= s->arena_size;
}

/* REQUIRES: the arena is empty. */
static int arena_make(struct sorter *s, size_t record)
{
	size_t size = record + 2 * sizeof(struct reference);
	size = size < s->memory ? s->memory : (size + 15) & ~(size_t)15;
	if (size == s->arena_size)
		return 0;
	arena_release(s);
	s->arena = malloc(size);
	s->arena_size = s->arena ? size : 0;
	return s->arena ? 0 : fail_memory();
}

struct arena_iter {
	struct iter iter;
	const struct sorter *sorter; /* sorted */
	size_t next;
	struct buf key;
};

static int arena_next(struct iter *it)
{
	struct arena_iter *a = (struct arena_iter *)(void *)it;
	struct sst_slice key;
	if (a->next == a->sorter->count)
		return SST_NO;
	struct record_head h = record_at(a->sorter, references(a->sorter)[a->next++].at, &key, &it->value);
	buf_clear(&a->key);
	put_ikey(&a->key, key, tag_make(0, h.type));
	it->key = buf_slice(&a->key);
	return buf_check(&a->key);
}

static int arena_first(struct iter *it)
{
	((struct arena_iter *)(void *)it)->next = 0;
	return arena_next(it);
}

/* Walked once, forwards. */
static const struct iter_ops arena_ops = {.seek_first = arena_first, .next = arena_next};

/* ---------------------------------------------------------------- newest only */

typedef int taker(void *arg, struct sst_slice ikey, struct sst_slice value);

static int give_newest(struct iter *it, taker *take, void *arg)
{
	struct buf last = {0};
	bool any = false;
	int rc = iter_seek_first(it);
	for (; !rc; rc = rc ? rc : iter_next(it)) {
		struct sst_slice user = ikey_user(it->key);
		if (any && slice_eq(user, buf_slice(&last)))
			continue;
		any = true;
		buf_clear(&last);
		buf_append_slice(&last, user);
		rc = buf_check(&last);
		if (!rc)
			rc = take(arg, it->key, it->value);
	}
	buf_release(&last);
	return rc == SST_NO ? 0 : rc;
}

static int arena_give(struct sorter *s, taker *take, void *arg)
{
	struct arena_iter it = {.iter.ops = &arena_ops, .sorter = s};
	arena_sort(s);
	int rc = give_newest(&it.iter, take, arg);
	buf_release(&it.key);
	return rc;
}

static int cmp_user_keys(struct sst_slice a, struct sst_slice b)
{
	return slice_cmp(ikey_user(a), ikey_user(b));
}

/* The runs from number `first` on: at most FAN_IN. */
static int runs_give(struct sorter *s, size_t first, taker *take, void *arg)
{
	struct iter *children[FAN_IN];
	size_t n = s->run_count - first;
	assert(n <= FAN_IN);
	for (size_t i = 0; i < n; i++) {
		children[i] = table_iter_new(s->runs[s->run_count - 1 - i]->table);
		if (!children[i]) {
			while (i)
				iter_free(children[--i]);
			return fail_memory();
		}
	}
	struct iter *it = merge_new(children, n, cmp_user_keys);
	if (!it)
		return fail_memory();
	int rc = give_newest(it, take, arg);
	iter_free(it);
	return rc;
}

/* ---------------------------------------------------------------- runs */

struct run_sink {
	struct sink sink;
	int fd;
	uint64_t size;
};

static int run_write(struct sink *sink, const void *p, size_t n)
{
	struct run_sink *r = (struct run_sink *)(void *)sink;
	int rc = file_write(r->fd, r->size, p, n, RUN_NAME);
	r->size += n;
	return rc;
}

static int take_into_run(void *arg, struct sst_slice ikey, struct sst_slice value)
{
	return table_builder_add(arg, ikey, value);
}

/* Writes a run with the arena, or with the runs from number `first` on. */
static int write_run(struct sorter *s, struct run_sink *sink, bool from_arena, size_t first)
{
	const struct table_options options = {.block_size = RUN_BLOCK_SIZE};
	struct table_builder *b;
	int rc = table_builder_new(&b, &sink->sink, &options);
	if (rc)
		return rc;
	rc = from_arena ? arena_give(s, take_into_run, b) : runs_give(s, first, take_into_run, b);
	if (!rc)
		rc = table_builder_finish(b);
	table_builder_free(b);
	return rc;
}

static int open_run(struct run **out, int fd, uint64_t size)
{
	struct run *r = calloc(1, sizeof(*r));
	if (!r)
		return fail_memory();
	file_source_init(&r->file, fd, size, RUN_NAME);
	int rc = table_open(&r->table, &r->file.source, NULL);
	if (rc)
		free(r);
	else
		*out = r;
	return rc;
}

static int make_run(struct sorter *s, struct run **out, bool from_arena, size_t first)
{
	struct run_sink sink = {.sink.write = run_write};
	int rc = temporary_open(&sink.fd, s->directory);
	if (!rc)
		rc = write_run(s, &sink, from_arena, first);
	if (!rc)
		rc = open_run(out, sink.fd, sink.size);
	if (!rc)
		return 0;
	file_close(&sink.fd);
	return fail_in(rc, "cannot sort in '%s'", s->directory);
}

/* The runs from number `first` on become one. */
static int merge_runs(struct sorter *s, size_t first)
{
	struct run *r;
	int rc = make_run(s, &r, false, first);
	if (rc)
		return rc;
	r->size_class = s->runs[first]->size_class + 1;
	while (s->run_count > first)
		run_free(s->runs[--s->run_count]);
	s->runs[s->run_count++] = r;
	return 0;
}

/* The arena becomes a run, and with others of its size a larger one. */
static int spill(struct sorter *s)
{
	struct run *r;
	int rc = make_run(s, &r, true, 0);
	if (rc)
		return rc;
	s->runs[s->run_count++] = r;
	s->used = s->count = 0;
	while (!rc && s->run_count >= FAN_IN &&
		s->runs[s->run_count - FAN_IN]->size_class == s->runs[s->run_count - 1]->size_class)
		rc = merge_runs(s, s->run_count - FAN_IN);
	return rc;
}

/* ---------------------------------------------------------------- in and out */

int sorter_add(struct sorter *s, struct sst_slice user_key, uint8_t type, struct sst_slice value)
{
	struct record_head h = {(uint32_t)user_key.size, (uint32_t)value.size, type};
	size_t size = sizeof(h) + user_key.size + value.size;
	int rc = 0;
	if (s->count && !arena_has_room(s, size))
		rc = spill(s);
	if (!rc && !s->count)
		rc = arena_make(s, size);
	if (rc)
		return rc;
	uint8_t *p = s->arena + s->used;
	memcpy(p, &h, sizeof(h));
	if (user_key.size)
		memcpy(p + sizeof(h), user_key.data, user_key.size);
	if (value.size)
		memcpy(p + sizeof(h) + user_key.size, value.data, value.size);
	s->count++;
	*references(s) = (struct reference){key_prefix(user_key), s->used};
	s->used += size;
	return 0;
}

int sorter_drain(struct sorter *s, taker *take, void *arg)
{
	if (!s->run_count)
		return arena_give(s, take, arg);
	int rc = s->count ? spill(s) : 0;
	arena_release(s);
	while (!rc && s->run_count > FAN_IN)
		rc = merge_runs(s, s->run_count - FAN_IN);
	return rc ? rc : runs_give(s, 0, take, arg);
}
