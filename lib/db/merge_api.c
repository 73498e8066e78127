/* SPDX-License-Identifier: MIT */
/*
 * Several tables as one: sst_merge_*.
 *
 * What is newer is decided by three numbers, the first that differs counts: the rank of the table, the sequence number,
 * the place of the table. Tables with sequence numbers have one rank. One made to be ingested, of which nobody has said
 * when it was, has a rank of its own, from its place: smaller in front of those, larger behind. Between two of them no
 * rank would be right.
 *
 *     table iterator -> input: leaves damage out, puts rank and place behind the key -> merging iterator -> newest
 *
 * Range deletions are asked, table by table, about the newest entry of a key only: what covers that covers what is
 * older. In a table that was made to be ingested they have sequence number 0 like everything else, and delete what is
 * in older tables, nothing in their own (RocksDB gives the file one number when it takes it in).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/merge.h"
#include "base/status.h"
#include "db/table_handle.h"
#include "table/check.h"

/* The key of an input: user key, tag, rank, place. */
#define PLACE_SIZE 8

struct input {
	struct iter iter;
	struct sst_merge *merge;
	struct table *table;
	struct iter *inner;
	size_t place;
	unsigned rank;
	bool external;		/* no sequence numbers */
	struct range_dels dels; /* of an external one: all of sequence number 1 */
	const struct range_dels *covering; /* NULL: none */
	bool cut_known;
	struct buf key, cut, from, to;
};

struct sst_merge {
	struct sst_merge_options options;
	struct input *inputs;
	size_t count;
	unsigned sequence_rank;
	bool sequences, started;
	struct iter *iter;
	struct buf last; /* user key */
};

/* ---------------------------------------------------------------- damage */

/* After a failure, whose message is `extra` longer. */
static void tell(struct input *in, struct block_handle h, const char *extra)
{
	char what[512];
	snprintf(what, sizeof(what), "%s%s", sst_errmsg(), extra);
	struct sst_damage d = {.what = what};
	if (h.size) {
		d.offset = h.offset;
		d.size = h.size + BLOCK_TRAILER_SIZE;
		d.has_keys = table_key_range(in->table, h, &in->from, &in->to);
		d.from = buf_slice(&in->from);
		d.to = buf_slice(&in->to);
	}
	in->merge->options.damage(in->merge->options.damage_arg, in->place, &d);
	in->cut_known = d.has_keys;
	buf_clear(&in->cut);
	if (d.has_keys)
		buf_append_slice(&in->cut, d.to);
}

static bool is_damage(const struct input *in, int rc)
{
	return in->merge->options.damage && (rc == SST_ECORRUPT || rc == SST_EIO);
}

/* The damage may have had the newest version of its last key: older ones of the same table are no answer. */
static int pass_over_cut_key(struct input *in, int rc)
{
	while (!rc && slice_eq(ikey_user(in->inner->key), buf_slice(&in->cut)))
		rc = iter_next(in->inner);
	return rc;
}

static int skip_damage(struct input *in, int rc)
{
	while (is_damage(in, rc)) {
		tell(in, table_iter_failed_block(in->inner), "");
		rc = table_iter_skip(in->inner, false);
		if (!rc && !in->cut_known)
			buf_append_slice(&in->cut, ikey_user(in->inner->key));
		if (!rc)
			rc = buf_check(&in->cut);
		rc = pass_over_cut_key(in, rc);
	}
	return rc;
}

/* ---------------------------------------------------------------- one table */

static struct input *of(struct iter *it)
{
	return (struct input *)(void *)it;
}

static int settle(struct input *in, int rc)
{
	rc = skip_damage(in, rc);
	if (rc)
		return rc;
	buf_clear(&in->key);
	buf_append_slice(&in->key, in->inner->key);
	put_fixed32(&in->key, in->rank);
	put_fixed32(&in->key, (uint32_t)in->place);
	in->iter.key = buf_slice(&in->key);
	in->iter.value = in->inner->value;
	return buf_check(&in->key);
}

static int input_first(struct iter *it)
{
	return settle(of(it), iter_seek_first(of(it)->inner));
}

static int input_next(struct iter *it)
{
	return settle(of(it), iter_next(of(it)->inner));
}

/* The inputs outlive the merging iterator, which frees its children. */
static void input_free(struct iter *it)
{
	(void)it;
}

/* Walked once, forwards. */
static const struct iter_ops input_ops = {.seek_first = input_first, .next = input_next, .free = input_free};

static void input_release(struct input *in)
{
	iter_free(in->inner);
	range_dels_release(&in->dels);
	buf_release(&in->key);
	buf_release(&in->cut);
	buf_release(&in->from);
	buf_release(&in->to);
}

/* The keys of two inputs. Equal ones come by place, as the merging iterator sees to. */
static int cmp_inputs(struct sst_slice a, struct sst_slice b)
{
	struct sst_slice x = slice_of(a.data, a.size - PLACE_SIZE), y = slice_of(b.data, b.size - PLACE_SIZE);
	int c = slice_cmp(ikey_user(x), ikey_user(y));
	if (c)
		return c;
	uint32_t rank_x = load32(x.data + x.size), rank_y = load32(y.data + y.size);
	if (rank_x != rank_y)
		return rank_x < rank_y ? -1 : 1;
	return tag_cmp(tag_sequence(ikey_tag(x)), tag_sequence(ikey_tag(y)));
}

/* ---------------------------------------------------------------- range deletions */

static int find_range_dels(struct table *t, struct block_handle *h)
{
	struct block_iter it = {0};
	int rc;
	while (!(rc = table_meta(t, &it, h)))
		if (slice_eq(it.key, slice_str(META_RANGE_DEL)))
			break;
	block_iter_release(&it);
	return rc;
}

/* As if their sequence number were 1, so that they cover what has 0. */
static int read_external(struct input *in)
{
	struct block_handle h;
	struct block_memory m = {0};
	struct sst_slice contents;
	int rc = find_range_dels(in->table, &h);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = block_fetch(table_blocks(in->table), h, 0, &m, &contents);
	if (!rc) {
		rc = range_dels_read(&in->dels, contents, table_info(in->table)->order, 1);
		if (rc) {
			range_dels_release(&in->dels);
			rc = block_fail(table_blocks(in->table), h.offset, rc);
		}
	}
	block_memory_release(&m);
	in->covering = &in->dels;
	return rc;
}

static int read_range_dels(struct input *in)
{
	int rc = in->external ? read_external(in) : table_range_dels(in->table, &in->covering);
	if (is_damage(in, rc)) {
		in->covering = NULL;
		tell(in, (struct block_handle){0}, " (its range deletions are lost: what they deleted is back)");
		return 0;
	}
	if (rc || !in->covering || !in->covering->count) {
		in->covering = NULL;
		return rc;
	}
	if (in->merge->options.deletions)
		return block_source_fail(table_blocks(in->table), fail_key(SST_EUNSUPPORTED,
			in->covering->list[0].begin, "a range deletion begins here, which cannot be kept"));
	return 0;
}

/* Whether something in another table, or in its own, has deleted the entry of input `in`. */
static bool is_covered(const struct sst_merge *m, const struct input *in, struct sst_slice user, uint64_t sequence)
{
	for (size_t i = 0; i < m->count; i++) {
		const struct input *by = &m->inputs[i];
		if (!by->covering || by->rank > in->rank || (by == in && by->external))
			continue;
		uint64_t newest = range_dels_covering(by->covering, user, SEQUENCE_MAX);
		if (newest && (by->rank < in->rank || newest > sequence || (newest == sequence && i < in->place)))
			return true;
	}
	return false;
}

/* ---------------------------------------------------------------- life */

static int refuse_mixture(const struct sst_merge *m, size_t i)
{
	const char *name = table_blocks(m->inputs[i].table)->file->name;
	return fail(SST_EINVAL, m->options.deletions
		? "'%s' has no sequence numbers and others have: deletions cannot be kept"
		: "'%s' has no sequence numbers: it must stand in front of all that have them, or behind",
		name);
}

static int set_ranks(struct sst_merge *m)
{
	size_t first = m->count, last = 0;
	for (size_t i = 0; i < m->count; i++)
		if (!m->inputs[i].external) {
			first = first < i ? first : i;
			last = i;
		}
	m->sequences = first < m->count;
	for (size_t i = 0; i < m->count; i++) {
		struct input *in = &m->inputs[i];
		in->rank = (unsigned)(in->external ? i : first);
		if (in->external && m->sequences && ((i > first && i < last) || m->options.deletions))
			return refuse_mixture(m, i);
	}
	return 0;
}

static int open_input(struct sst_merge *m, size_t i, struct sst_table *t)
{
	struct input *in = &m->inputs[i];
	*in = (struct input){.iter.ops = &input_ops, .merge = m, .place = i, .table = table_of(t)};
	in->external = table_info(in->table)->external && !table_global_sequence(in->table);
	int rc = sst_table_bytewise(t);
	if (!rc && !(in->inner = table_iter_new(in->table)))
		rc = fail_memory();
	return rc;
}

static int open_inputs(struct sst_merge *m, struct sst_table *const *tables)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < m->count; i++)
		rc = open_input(m, i, tables[i]);
	if (!rc)
		rc = set_ranks(m);
	for (size_t i = 0; !rc && i < m->count; i++)
		rc = read_range_dels(&m->inputs[i]);
	return rc;
}

static int start_merge(struct sst_merge *m)
{
	struct iter **children = calloc(m->count + 1, sizeof(struct iter *));
	if (!children)
		return fail_memory();
	for (size_t i = 0; i < m->count; i++)
		children[i] = &m->inputs[i].iter;
	m->iter = merge_new(children, m->count, cmp_inputs);
	free(children);
	return m->iter ? 0 : fail_memory();
}

int sst_merge_new(struct sst_merge **out, struct sst_table *const *tables, size_t n, const struct sst_merge_options *opt)
{
	struct sst_merge *m = calloc(1, sizeof(*m));
	struct input *inputs = calloc(n + 1, sizeof(*inputs));
	if (!m || !inputs) {
		free(m);
		free(inputs);
		return fail_memory();
	}
	m->inputs = inputs;
	m->count = n;
	if (opt)
		m->options = *opt;
	int rc = open_inputs(m, tables);
	if (!rc)
		rc = start_merge(m);
	if (rc)
		sst_merge_free(m);
	else
		*out = m;
	return rc;
}

void sst_merge_free(struct sst_merge *m)
{
	if (!m)
		return;
	iter_free(m->iter);
	for (size_t i = 0; i < m->count; i++)
		input_release(&m->inputs[i]);
	free(m->inputs);
	buf_release(&m->last);
	free(m);
}

bool sst_merge_sequences(const struct sst_merge *m)
{
	return m->sequences;
}

/* ---------------------------------------------------------------- the walk */

static int advance(struct sst_merge *m)
{
	bool first = !m->started;
	m->started = true;
	return first ? iter_seek_first(m->iter) : iter_next(m->iter);
}

/* 0: the newest entry of its key, to be given; SST_NO: not to be. */
static int judge(const struct sst_merge *m, const struct input *in, const struct sst_entry *e)
{
	if (is_covered(m, in, e->key, e->sequence))
		return SST_NO;
	switch (e->type) {
	case SST_PUT:
		return 0;
	case SST_DELETE:
	case SST_SINGLE_DELETE:
		return m->options.deletions ? 0 : SST_NO;
	}
	return table_fail_type(in->table, e->key, (uint8_t)e->type);
}

int sst_merge_next(struct sst_merge *m, struct sst_entry *e)
{
	bool any = m->started;
	int rc;
	while (!(rc = advance(m))) {
		struct sst_slice key = slice_of(m->iter->key.data, m->iter->key.size - PLACE_SIZE);
		const struct input *in = &m->inputs[load32(key.data + key.size + 4)];
		uint64_t tag = ikey_tag(key);
		if (any && slice_eq(ikey_user(key), buf_slice(&m->last)))
			continue;
		any = true;
		buf_clear(&m->last);
		buf_append_slice(&m->last, ikey_user(key));
		rc = buf_check(&m->last);
		*e = (struct sst_entry){buf_slice(&m->last), m->iter->value, tag_sequence(tag), tag_type(tag)};
		if (!rc)
			rc = judge(m, in, e);
		if (rc != SST_NO)
			return rc;
	}
	return rc;
}
