/* SPDX-License-Identifier: MIT */
/*
 * A whole table, with checksums ignored (else no mutation would get behind them): every way to look into it. What
 * must hold, whatever the bytes are: keys rise, a walk backwards of a sound table gives what one forwards gave, and
 * nothing takes longer or more memory than the size allows. The first byte: 1 = the sequence of a MANIFEST is known,
 * 2 = checksums count.
 */
#include <stdlib.h>

#include "table/check.h"
#include "table/inspect.h"
#include "table/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS = 20000 };

struct memory {
	struct source source;
	const uint8_t *data;
};

static int memory_read(struct source *s, uint64_t offset, void *buf, size_t n)
{
	const struct memory *m = (const struct memory *)(const void *)s;
	if (offset > s->size || n > s->size - offset)
		abort();
	if (n)
		memcpy(buf, m->data + offset, n);
	return 0;
}

static uint64_t sum(const struct iter *it)
{
	uint64_t h = 14695981039346656037u;
	for (size_t i = 0; i < it->key.size; i++)
		h = (h ^ it->key.data[i]) * 1099511628211u;
	for (size_t i = 0; i < it->value.size; i++)
		h = (h ^ it->value.data[i]) * 1099511628211u;
	return h;
}

static void walk(struct table *t)
{
	struct iter *it = table_iter_new(t);
	struct buf last = {0};
	enum key_order order = table_info(t)->order;
	uint64_t forward = 0, backward = 0;
	unsigned n = 0, m = 0;
	int rc;
	for (rc = iter_seek_first(it); rc == 0 && n < STEPS; rc = iter_next(it), n++) {
		if (n && order != ORDER_UNKNOWN && order_cmp(order, buf_slice(&last), it->key) > 0)
			abort();
		buf_clear(&last);
		buf_append_slice(&last, it->key);
		forward += sum(it);
	}
	bool sound = rc == SST_NO;
	for (rc = iter_seek_last(it); rc == 0 && m < STEPS; rc = iter_prev(it), m++)
		backward += sum(it);
	if (sound && rc == SST_NO && (n != m || forward != backward))
		abort();
	for (rc = iter_seek_first(it), m = 0; rc != SST_NO && m < STEPS; m++)
		rc = rc < 0 ? table_iter_skip(it, false) : iter_next(it);
	if (rc != SST_NO && n < STEPS)
		abort();
	if (last.size >= IKEY_TAG_SIZE)
		iter_seek(it, buf_slice(&last));
	struct table_found f;
	if (last.size >= IKEY_TAG_SIZE)
		table_get(t, ikey_user(buf_slice(&last)), SEQUENCE_MAX, &f);
	table_get(t, slice_str("key00007"), SEQUENCE_MAX, &f);
	iter_free(it);
	buf_release(&last);
}

static void no_damage(void *arg, const struct sst_damage *d)
{
	(void)arg;
	if (!d->what)
		abort();
}

static int no_property(void *arg, const struct sst_property *p)
{
	(void)arg;
	return p->name.size == SIZE_MAX;
}

static int no_block(void *arg, const struct sst_block *b)
{
	(void)arg;
	return !b->kind;
}

static void look_at(const uint8_t *data, size_t size, const struct table_read_options *opt)
{
	struct memory m = {.source = {.read = memory_read, .size = size, .name = "fuzz"}, .data = data};
	struct table *t;
	struct sst_check_stats stats;
	if (table_open(&t, &m.source, opt))
		return;
	struct table_found before, after;
	int rc = table_get(t, slice_str("key00007"), SEQUENCE_MAX, &before);
	walk(t);
	/* the second one goes by the whole index; what both find must be the same */
	if (rc == 0 && table_get(t, slice_str("key00007"), SEQUENCE_MAX, &after) >= 0 &&
		(before.type != after.type || before.sequence != after.sequence))
		abort();
	table_check(t, no_damage, NULL, &stats);
	table_show_properties(t, no_property, NULL);
	table_show_index(t, no_block, NULL);
	table_show_blocks(t, no_block, NULL);
	table_close(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct table_read_options opt = {
		.manifest_sequence = data[0] & 1 ? 77 : UINT64_MAX,
		.unchecked = !(data[0] & 2),
	};
	look_at(data + 1, size - 1, &opt);
	return 0;
}
