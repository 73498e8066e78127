/* SPDX-License-Identifier: MIT */
#include "table/check.h"

#include <stdio.h>

#include "base/filter_hash.h"
#include "base/status.h"
#include "table/filter.h"
#include "table/inspect.h"
#include "table/properties.h"
#include "table/reader_internal.h"

#define PADDING_MAX ((uint64_t)64 << 20)

struct checker {
	struct table *t;
	void (*report)(void *arg, const struct sst_damage *d);
	void *arg;
	struct sst_check_stats *stats;
	struct index_iter index;
	struct block_memory memory;
	struct block_iter entry;
	struct table_block_list metas; /* every block but the data blocks, none overlaps another */
	struct sst_slice filter; /* data NULL: none to ask */
	struct buf before;	 /* the separator of the block before; empty at the first */
	bool has_before;
	uint64_t deletions, merges, range_deletions, raw_key_size, raw_value_size, data_size, data_blocks, entries;
	uint64_t range_raw_key_size, range_raw_value_size;
	uint64_t data_end;	/* of the last data block */
	bool padded, timestamps; /* data blocks are aligned; there are deletions with timestamps */
};

/* ---------------------------------------------------------------- reporting */

static const char *skip_prefix(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);
	return strncmp(text, prefix, n) == 0 ? text + n : text;
}

const char *table_bare_message(const struct table *t, uint64_t offset)
{
	char prefix[600];
	snprintf(prefix, sizeof(prefix), "cannot read '%s': ", t->blocks.file->name);
	const char *text = skip_prefix(sst_errmsg(), prefix);
	snprintf(prefix, sizeof(prefix), "block at %llu: ", (unsigned long long)offset);
	return skip_prefix(text, prefix);
}

/* What a check survives: the rest of the file can still be looked at. */
static bool is_damage(int rc)
{
	return rc == SST_ECORRUPT || rc == SST_EUNSUPPORTED || rc == SST_EIO;
}

static void report(struct checker *c, const struct sst_damage *d)
{
	c->stats->damages++;
	c->report(c->arg, d);
}

static struct sst_slice user_part(const struct checker *c, struct sst_slice separator)
{
	return c->t->info.index_user_keys || separator.size < IKEY_TAG_SIZE ? separator : ikey_user(separator);
}

/* Damage of the data block the index is at. */
static void report_block(struct checker *c, const char *what)
{
	struct block_handle h = index_iter_handle(&c->index);
	struct sst_slice first = index_iter_first_key(&c->index);
	struct sst_damage d = {
		.offset = h.offset,
		.size = h.size + BLOCK_TRAILER_SIZE,
		.what = what,
		.has_keys = true,
		.from = first.size ? ikey_user(first) : user_part(c, buf_slice(&c->before)),
		.to = user_part(c, index_iter_separator(&c->index)),
	};
	report(c, &d);
}

/* A failure: damage is reported and 0 returned, the rest is passed on. */
static int take_block_failure(struct checker *c, int rc)
{
	if (!is_damage(rc))
		return rc;
	report_block(c, table_bare_message(c->t, index_iter_handle(&c->index).offset));
	return 0;
}

static int take_failure(struct checker *c, int rc, struct block_handle h)
{
	if (!is_damage(rc))
		return rc;
	struct sst_damage d = {.offset = h.offset, .size = h.size ? h.size + BLOCK_TRAILER_SIZE : 0,
		.what = table_bare_message(c->t, h.offset)};
	report(c, &d);
	return 0;
}

/* ---------------------------------------------------------------- places */

/*
 * Every byte of a table belongs to one block at most, though some may belong to none (padding of aligned blocks): what
 * is read as two blocks was written as one. Among the data blocks index_iter sees to it, from the footer block_fetch
 * keeps them away; so it is to be looked at whether the others keep away from each other, and the data blocks from them.
 */

static void describe_overlap(char *what, size_t size, const char *kind, const struct table_block *other)
{
	snprintf(what, size, "the %s block overlaps the %s block at %llu (%llu bytes)", kind, other->kind,
		(unsigned long long)other->handle.offset, (unsigned long long)other->handle.size);
}

static void report_overlap(struct checker *c, const struct table_block *b, const struct table_block *other)
{
	char what[200];
	describe_overlap(what, sizeof(what), b->kind, other);
	struct sst_damage d = {.offset = b->handle.offset, .size = b->handle.size + BLOCK_TRAILER_SIZE, .what = what};
	report(c, &d);
}

/* Of those that overlap one stays in the list, so that no byte is read again and again; a block that goes by any number
 * of names is told once. */
static void take_overlaps(struct checker *c)
{
	struct table_block *list = c->metas.list, told = {0};
	size_t n = 0;
	for (size_t i = 0; i < c->metas.count; i++) {
		struct table_block b = list[i];
		if (!n || !handle_overlaps(list[n - 1].handle, b.handle)) {
			list[n++] = b;
		} else if (!told.kind || !handle_eq(told.handle, b.handle)) {
			report_overlap(c, &b, &list[n - 1]);
			told = b;
		}
	}
	c->metas.count = n;
}

/* The block that is not a data block and overlaps h; NULL: none. */
static const struct table_block *overlapped(const struct checker *c, struct block_handle h)
{
	const struct table_block *list = c->metas.list;
	size_t low = 0, high = c->metas.count; /* the first that begins behind h's beginning */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (list[middle].handle.offset > h.offset)
			high = middle;
		else
			low = middle + 1;
	}
	if (low && handle_overlaps(list[low - 1].handle, h))
		return &list[low - 1];
	return low < c->metas.count && handle_overlaps(h, list[low].handle) ? &list[low] : NULL;
}

/* ---------------------------------------------------------------- data blocks */

static void count_entry(struct checker *c, struct sst_slice key, struct sst_slice value)
{
	uint8_t type = tag_type(ikey_tag(key));
	c->entries++;
	c->deletions += type == TYPE_DELETION || type == TYPE_SINGLE_DELETION;
	c->timestamps |= type == TYPE_DELETION_WITH_TIMESTAMP;
	c->merges += type == TYPE_MERGE;
	c->raw_key_size += key.size;
	c->raw_value_size += value.size;
}

static const char *check_entry(struct checker *c, struct sst_slice key, char *what, size_t size)
{
	char text[100];
	uint64_t tag = ikey_tag(key);
	uint8_t type = tag_type(tag);
	table_describe_key(text, sizeof(text), ikey_user(key));
	if (!table_type_name(type) && type != TYPE_VALUE_PREFERRED_SEQ)
		snprintf(what, size, "key %s is of unknown type %u", text, type);
	else if (type == TYPE_RANGE_DELETION)
		snprintf(what, size, "a range deletion among the entries: %s", text);
	else if (c->t->info.external && tag_sequence(tag))
		snprintf(what, size, "key %s has sequence %llu in a table made for ingestion", text,
			(unsigned long long)tag_sequence(tag));
	else if (c->filter.data && !filter_may_match(c->filter, filter_hash(ikey_user(key))))
		snprintf(what, size, "the filter denies key %s", text);
	else
		return NULL;
	return what;
}

/* The separators on both sides of the block, and the index's idea of its first key. */
static const char *check_first(const struct checker *c, struct sst_slice key)
{
	struct sst_slice first = index_iter_first_key(&c->index);
	if (first.size && !slice_eq(first, key))
		return "its first key is not the one in the index";
	if (!c->has_before || c->t->info.order == ORDER_UNKNOWN)
		return NULL;
	struct sst_slice before = buf_slice(&c->before);
	int d = c->t->info.index_user_keys ? order_cmp_user(c->t->info.order, before, ikey_user(key))
					   : order_cmp(c->t->info.order, before, key);
	return d >= 0 ? "its first key is not above the separator of the block before" : NULL;
}

static const char *check_last(const struct checker *c, struct sst_slice key)
{
	if (c->t->info.order == ORDER_UNKNOWN)
		return NULL;
	struct sst_slice separator = index_iter_separator(&c->index);
	int d = c->t->info.index_user_keys ? order_cmp_user(c->t->info.order, ikey_user(key), separator)
					   : order_cmp(c->t->info.order, key, separator);
	return d > 0 ? "its last key is above its separator" : NULL;
}

/* The type, sequence and filter tests name the first entry that fails. */
static int check_entries(struct checker *c)
{
	char text[300];
	const char *what = NULL;
	bool first = true;
	int rc;
	while (!(rc = block_iter_next(&c->entry))) {
		struct sst_slice key = c->entry.key;
		if (first && (what = check_first(c, key)))
			report_block(c, what);
		first = false;
		if (!what && (what = check_entry(c, key, text, sizeof(text))))
			report_block(c, what);
		count_entry(c, key, c->entry.value);
	}
	if (rc == SST_NO && !first && (what = check_last(c, c->entry.key)))
		report_block(c, what);
	return rc == SST_NO ? 0 : rc;
}

static int check_data_block(struct checker *c)
{
	struct block_handle h = index_iter_handle(&c->index);
	struct sst_slice contents;
	struct block b;
	c->data_blocks++;
	c->data_size += h.size + BLOCK_TRAILER_SIZE;
	c->padded |= h.offset != c->data_end;
	c->data_end = handle_end(h);
	const struct table_block *other = overlapped(c, h);
	if (other) {
		char what[200];
		describe_overlap(what, sizeof(what), "data", other);
		report_block(c, what);
		return 0;
	}
	int rc = block_fetch(&c->t->blocks, h, FETCH_DATA | FETCH_AHEAD, &c->memory, &contents);
	if (rc)
		return rc;
	rc = block_open(&b, contents, BLOCK_TAGGED | BLOCK_DATA, c->t->info.order);
	if (rc)
		return rc;
	block_iter_start(&c->entry, &b, true);
	return check_entries(c);
}

static int check_data(struct checker *c)
{
	const struct index *index;
	int rc = table_index(c->t, &index);
	if (rc)
		return take_failure(c, rc, c->t->meta[KIND_INDEX]);
	c->index.index = &c->t->index;
	for (rc = index_iter_first(&c->index); rc != SST_NO; rc = index_iter_next(&c->index)) {
		while (rc < 0) { /* a part of the index */
			struct block_handle none = {0};
			rc = take_failure(c, rc, none);
			if (rc)
				return rc;
			rc = index_iter_skip_leaf(&c->index);
		}
		if (rc == SST_NO)
			break;
		rc = take_block_failure(c, check_data_block(c));
		if (rc)
			return rc;
		buf_clear(&c->before);
		buf_append_slice(&c->before, index_iter_separator(&c->index));
		c->has_before = true;
		if (c->before.failed)
			return fail_memory();
	}
	return 0;
}

/* ---------------------------------------------------------------- the rest */

static int check_meta_blocks(struct checker *c)
{
	struct table_block_list *l = &c->metas;
	struct block none;
	struct sst_slice contents;
	int rc = take_failure(c, table_list_meta(c->t, l), (struct block_handle){0});
	take_overlaps(c);
	for (size_t i = 0; i < l->count && rc >= 0; i++) {
		struct block_handle h = l->list[i].handle;
		if (strcmp(l->list[i].kind, "properties") == 0)
			rc = properties_open(&none, &c->t->blocks, h, &c->memory);
		else
			rc = block_fetch(&c->t->blocks, h, 0, &c->memory, &contents);
		rc = take_failure(c, rc, h);
		c->stats->blocks++;
	}
	return rc;
}

static int prepare_filter(struct checker *c)
{
	struct sst_slice filter;
	if (c->t->info.order == ORDER_UNKNOWN || table_filter(c->t, &filter) != 0)
		return 0; /* damage of the block has been reported with the others */
	c->filter = filter;
	return 0;
}

static int check_range_dels(struct checker *c)
{
	const struct range_dels *dels;
	int rc = table_range_dels(c->t, &dels);
	if (rc)
		return take_failure(c, rc, c->t->meta[KIND_RANGE_DEL]);
	c->range_deletions = dels->count;
	for (size_t i = 0; i < dels->count; i++) {
		const struct tombstone *s = &dels->list[i];
		c->range_raw_key_size += s->begin.size + IKEY_TAG_SIZE;
		c->range_raw_value_size += s->end.size;
	}
	return 0;
}

static void report_property(struct checker *c, const char *name, uint64_t said, uint64_t found)
{
	char what[200];
	snprintf(what, sizeof(what), "property %s is %llu, but there are %llu", name, (unsigned long long)said,
		(unsigned long long)found);
	struct block_handle h = c->t->meta[KIND_PROPERTIES];
	struct sst_damage d = {.offset = h.offset, .size = h.size + BLOCK_TRAILER_SIZE, .what = what};
	report(c, &d);
}

/* A count that may or may not include what is said of range deletions: writers differ. */
static void check_property(struct checker *c, const char *name, uint64_t said, uint64_t found, uint64_t ranges)
{
	if (said != INFO_ABSENT && said != found && said != found + ranges)
		report_property(c, name, said, found + ranges);
}

/* Are there only zeros from the end of the data to `end`, and not too many? So aligned blocks are filled up, the last
 * one too. */
static bool padded_until(const struct checker *c, uint64_t end)
{
	struct source *s = c->t->blocks.file;
	uint8_t b[4096];
	uint64_t at = c->data_end;
	bool zero = end > at && end - at <= PADDING_MAX && end <= c->t->blocks.limit;
	while (zero && at < end) {
		size_t n = end - at < sizeof(b) ? (size_t)(end - at) : sizeof(b);
		zero = s->read(s, at, b, n) == 0;
		for (size_t i = 0; i < n && zero; i++)
			zero = !b[i];
		at += n;
	}
	return zero;
}

/* What versions of RocksDB are known to write otherwise is let pass: it counts no blocks when there is a dictionary,
 * it counts the padding of aligned blocks, and it may not count deletions with timestamps. */
static void check_properties(struct checker *c)
{
	const struct table_info *i = &c->t->info;
	uint64_t ranges = c->range_deletions;
	check_property(c, PROPERTY_NUM_ENTRIES, i->entries, c->entries, ranges);
	if (!c->timestamps)
		check_property(c, PROPERTY_DELETED_KEYS, i->deletions, c->deletions, ranges);
	check_property(c, PROPERTY_MERGE_OPERANDS, i->merges, c->merges, 0);
	check_property(c, PROPERTY_NUM_RANGE_DELETIONS, i->range_deletions, ranges, 0);
	if (i->data_blocks || !c->t->meta[KIND_DICTIONARY].size)
		check_property(c, PROPERTY_NUM_DATA_BLOCKS, i->data_blocks, c->data_blocks, 0);
	if (!c->padded && !(i->data_size != INFO_ABSENT && padded_until(c, i->data_size)))
		check_property(c, PROPERTY_DATA_SIZE, i->data_size, c->data_size, 0);
	check_property(c, PROPERTY_RAW_KEY_SIZE, i->raw_key_size, c->raw_key_size, c->range_raw_key_size);
	check_property(c, PROPERTY_RAW_VALUE_SIZE, i->raw_value_size, c->raw_value_size, c->range_raw_value_size);
}

static int check_all(struct checker *c)
{
	int rc = check_meta_blocks(c);
	if (!rc)
		rc = prepare_filter(c);
	if (!rc)
		rc = check_range_dels(c);
	if (!rc)
		rc = check_data(c);
	if (rc)
		return rc;
	c->stats->blocks += c->data_blocks;
	c->stats->entries = c->entries;
	if (!c->stats->damages) /* else the counts cannot be right */
		check_properties(c);
	return c->stats->damages ? SST_NO : 0;
}

int table_check(struct table *t, void (*to)(void *arg, const struct sst_damage *d), void *arg,
	struct sst_check_stats *stats)
{
	struct checker c = {.t = t, .report = to, .arg = arg, .stats = stats};
	*stats = (struct sst_check_stats){.bytes = t->blocks.file->size};
	int rc = check_all(&c);
	index_iter_release(&c.index);
	block_memory_release(&c.memory);
	block_iter_release(&c.entry);
	buf_release(&c.before);
	table_block_list_release(&c.metas);
	return rc;
}

bool table_key_range(struct table *t, struct block_handle h, struct buf *from, struct buf *to)
{
	const struct index *index;
	struct checker c = {.t = t, .index.index = &t->index};
	bool found = false;
	buf_clear(from);
	buf_clear(to);
	if (table_index(t, &index))
		return false;
	for (int rc = index_iter_first(&c.index); !rc; rc = index_iter_next(&c.index)) {
		struct sst_slice user = user_part(&c, index_iter_separator(&c.index));
		found = index_iter_handle(&c.index).offset == h.offset;
		struct buf *b = found ? to : from;
		buf_clear(b);
		buf_append_slice(b, user);
		if (found)
			break;
	}
	struct sst_slice first = found ? index_iter_first_key(&c.index) : (struct sst_slice){0};
	if (first.size) {
		buf_clear(from);
		buf_append_slice(from, ikey_user(first));
	}
	index_iter_release(&c.index);
	return found && !from->failed && !to->failed;
}
