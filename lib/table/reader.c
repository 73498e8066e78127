/* SPDX-License-Identifier: MIT */
#include "table/reader.h"

#include <stdlib.h>

#include "base/filter_hash.h"
#include "base/status.h"
#include "table/filter.h"
#include "table/index_probe.h"
#include "table/reader_internal.h"

/* A filter up to this size is read at once: about what a block costs. */
#define FILTER_CHEAP ((uint64_t)32 << 10)

/* So many gets only look into a large index; then it is read. */
#define PROBES_MAX 2

#define META_PROPERTIES_OLD "rocksdb.stats"
#define META_RANGE_DEL_PEBBLE "rocksdb.range_del2" /* the same block as range_del, said to be fragmented */
#define META_USER_INDEX "rocksdb.user_defined_index"

/* ---------------------------------------------------------------- opening */

/* The tail of a large table has no room for its filter and index, and a get that passes through many small ones spends
 * most of its time on what it reads of each. */
#define TAIL_MIN ((uint64_t)4096)
#define TAIL_MAX ((uint64_t)8192)
#define TAIL_SHARE 16 /* filter and index are about a 40th of a table of ours */

static size_t choose_tail(uint64_t file_size)
{
	uint64_t n = file_size / TAIL_SHARE;
	n = n < TAIL_MIN ? TAIL_MIN : n > TAIL_MAX ? TAIL_MAX : n;
	return (size_t)(file_size < n ? file_size : n);
}

static int read_tail(struct block_source *s)
{
	size_t n = choose_tail(s->file->size);
	if (!buf_reserve(&s->tail, n + 1))
		return fail_memory();
	int rc = s->file->read(s->file, s->file->size - n, s->tail.data, n);
	if (!rc)
		s->tail.size = n;
	return rc;
}

static int open_footer(struct table *t)
{
	struct block_source *s = &t->blocks;
	int rc = read_tail(s);
	if (rc)
		return rc;
	rc = footer_decode(&t->footer, buf_slice(&s->tail), s->file->size, s->unchecked);
	if (rc)
		return block_source_fail(s, rc);
	s->checksum = t->footer.checksum;
	s->base = t->footer.base;
	s->limit = t->footer.offset;
	s->decompressor.dialect = t->footer.version == 0  ? DIALECT_LEVELDB
				  : t->footer.version < 2 ? DIALECT_OLD
							  : DIALECT_ROCKSDB;
	return 0;
}

static int take_meta(struct table *t, struct sst_slice name, struct block_handle h)
{
	static const struct {
		const char *name;
		enum meta_kind kind;
	} known[] = {
		{META_PROPERTIES, KIND_PROPERTIES},
		{META_PROPERTIES_OLD, KIND_PROPERTIES},
		{META_FILTER, KIND_FILTER},
		{META_RANGE_DEL, KIND_RANGE_DEL},
		{META_RANGE_DEL_PEBBLE, KIND_RANGE_DEL},
		{META_COMPRESSION_DICT, KIND_DICTIONARY},
		{META_INDEX, KIND_INDEX},
	};
	if (slice_has_prefix(name, slice_str(META_USER_INDEX)))
		return fail(SST_EUNSUPPORTED, "user-defined index is not supported");
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (slice_eq(name, slice_str(known[i].name)) && !t->meta[known[i].kind].size)
			t->meta[known[i].kind] = h;
	return 0;
}

static int take_metas(struct table *t, struct block_iter *it)
{
	int rc;
	while (!(rc = block_iter_next(it))) {
		struct sst_slice in = it->value;
		struct block_handle h;
		if (!get_handle(&in, &h))
			return fail(SST_ECORRUPT, "malformed handle at %u", it->offset);
		rc = take_meta(t, it->key, h);
		if (rc)
			return rc;
	}
	return rc;
}

static int open_metaindex(struct table *t)
{
	struct sst_slice contents;
	struct block_iter it = {0};
	uint64_t offset = t->footer.metaindex.offset;
	int rc = block_fetch(&t->blocks, t->footer.metaindex, 0, &t->metaindex_memory, &contents);
	if (rc)
		return rc;
	rc = block_open(&t->metaindex, contents, 0, ORDER_BYTEWISE);
	if (!rc) {
		block_iter_start(&it, &t->metaindex, false);
		rc = take_metas(t, &it);
		block_iter_release(&it);
	}
	if (rc < 0)
		return block_fail(&t->blocks, offset, rc);
	if (t->footer.index.size)
		t->meta[KIND_INDEX] = t->footer.index;
	if (!t->meta[KIND_INDEX].size)
		return block_fail(&t->blocks, offset, fail(SST_ECORRUPT, "no index is named"));
	return 0;
}

/* RocksDB wrote tables with LevelDB's magic once; LevelDB never wrote properties. */
static int open_properties(struct table *t)
{
	if (!t->meta[KIND_PROPERTIES].size)
		return 0;
	if (t->footer.version == 0)
		t->blocks.decompressor.dialect = DIALECT_OLD;
	return table_info_read(&t->info, &t->blocks, t->meta[KIND_PROPERTIES], &t->memory);
}

static int open_dictionary(struct table *t)
{
	struct sst_slice contents;
	if (!t->meta[KIND_DICTIONARY].size)
		return 0;
	int rc = block_fetch(&t->blocks, t->meta[KIND_DICTIONARY], 0, &t->memory, &contents);
	if (rc)
		return rc;
	buf_append_slice(&t->blocks.decompressor.dictionary, contents);
	return buf_check(&t->blocks.decompressor.dictionary);
}

/* RocksDB's rule (GetGlobalSequenceNumber): the number in the properties, else that of the MANIFEST. */
static int set_global_sequence(struct table *t, uint64_t manifest_sequence)
{
	if (!t->info.external)
		return 0;
	t->global_sequence = t->info.external_sequence;
	if (manifest_sequence > SEQUENCE_MAX)
		return 0;
	if (t->global_sequence && t->global_sequence != manifest_sequence)
		return block_source_fail(&t->blocks,
			fail(SST_ECORRUPT, "global sequence number %llu, but the MANIFEST has %llu",
				(unsigned long long)t->global_sequence, (unsigned long long)manifest_sequence));
	t->global_sequence = manifest_sequence;
	return 0;
}

int table_open(struct table **out, struct source *source, const struct table_read_options *opt)
{
	static const struct table_read_options defaults = {.manifest_sequence = UINT64_MAX};
	if (!opt)
		opt = &defaults;
	struct table *t = calloc(1, sizeof(*t));
	if (!t)
		return fail_memory();
	t->blocks.file = source;
	t->blocks.unchecked = opt->unchecked;
	t->no_filter = opt->no_filter;
	t->crew = opt->crew;
	t->cache = opt->cache;
	t->cache_number = opt->cache_number;
	table_info_init(&t->info);
	int rc = open_footer(t);
	if (!rc)
		rc = open_metaindex(t);
	if (!rc)
		rc = open_properties(t);
	if (!rc)
		rc = open_dictionary(t);
	if (!rc)
		rc = set_global_sequence(t, opt->manifest_sequence);
	if (rc) {
		table_close(t);
		return rc;
	}
	*out = t;
	return 0;
}

void table_close(struct table *t)
{
	if (!t)
		return;
	block_iter_release(&t->get_entry);
	index_iter_release(&t->get_index);
	block_memory_release(&t->memory);
	block_memory_release(&t->metaindex_memory);
	block_memory_release(&t->filter_memory);
	range_dels_release(&t->range_dels);
	index_release(&t->index);
	index_release(&t->probe);
	buf_release(&t->target);
	block_source_release(&t->blocks);
	free(t);
}

/* ---------------------------------------------------------------- parts read when needed */

int table_index(struct table *t, const struct index **out)
{
	if (!t->index_ready) {
		index_release(&t->index);
		int rc = index_open(&t->index, &t->blocks, t->meta[KIND_INDEX], &t->info);
		if (rc)
			return rc;
		t->index_ready = true;
	}
	*out = &t->index;
	return 0;
}

int table_range_dels(struct table *t, const struct range_dels **out)
{
	*out = &t->range_dels;
	if (t->range_dels_ready || !t->meta[KIND_RANGE_DEL].size)
		return 0;
	struct block_memory m = {0};
	struct sst_slice contents;
	struct block_handle h = t->meta[KIND_RANGE_DEL];
	int rc = block_fetch(&t->blocks, h, 0, &m, &contents);
	if (!rc) {
		rc = range_dels_read(&t->range_dels, contents, t->info.order, t->global_sequence);
		if (rc) {
			range_dels_release(&t->range_dels);
			rc = block_fail(&t->blocks, h.offset, rc);
		}
	}
	block_memory_release(&m);
	t->range_dels_ready = !rc;
	return rc;
}

int table_filter(struct table *t, struct sst_slice *contents)
{
	struct block_handle h = t->meta[KIND_FILTER];
	if (!h.size || t->info.no_whole_keys)
		return SST_NO;
	if (!t->filter_ready) {
		int rc = block_fetch(&t->blocks, h, 0, &t->filter_memory, &t->filter);
		if (rc)
			return rc;
		t->filter_ready = true;
	}
	*contents = t->filter;
	return 0;
}

/* ---------------------------------------------------------------- what it is */

const struct table_info *table_info(const struct table *t)
{
	return &t->info;
}

const struct footer *table_footer(const struct table *t)
{
	return &t->footer;
}

uint64_t table_size(const struct table *t)
{
	return t->blocks.file->size;
}

uint64_t table_global_sequence(const struct table *t)
{
	return t->global_sequence;
}

struct block_source *table_blocks(struct table *t)
{
	return &t->blocks;
}

const char *table_type_name(uint8_t type)
{
	switch (type) {
	case TYPE_DELETION:
		return "del";
	case TYPE_VALUE:
		return "put";
	case TYPE_MERGE:
		return "merge";
	case TYPE_SINGLE_DELETION:
		return "sdel";
	case TYPE_RANGE_DELETION:
		return "rdel";
	case TYPE_BLOB_INDEX:
		return "blob";
	case TYPE_DELETION_WITH_TIMESTAMP:
		return "delts";
	case TYPE_WIDE_COLUMN:
		return "wide";
	default:
		return NULL;
	}
}

int table_order_known(const struct table *t)
{
	if (t->info.order != ORDER_UNKNOWN)
		return 0;
	return block_source_fail(&t->blocks,
		fail(SST_EUNSUPPORTED, "comparator '%s' is not supported", t->info.comparator));
}

/* ---------------------------------------------------------------- one key */

const struct table_get_trace *table_get_trace(const struct table *t)
{
	return &t->trace;
}

/* False: the key is surely not among the entries. */
static int ask_filter(struct table *t, struct sst_slice user_key, bool *maybe)
{
	struct sst_slice filter;
	uint64_t size = t->meta[KIND_FILTER].size;
	*maybe = true;
	if (t->no_filter || !size || (!t->filter_ready && size > FILTER_CHEAP && t->get_bytes < size))
		return 0;
	int rc = table_filter(t, &filter);
	if (rc)
		return rc < 0 ? rc : 0;
	t->trace.filter_asked = true;
	*maybe = filter_may_match(filter, filter_hash(user_key));
	t->trace.filter_said_no = !*maybe;
	return 0;
}

/* The block into memory of the table's own, where the one of the get before may be still. */
static int read_block(struct table *t, struct block_handle h)
{
	struct sst_slice contents;
	if (t->get_own_ready && handle_eq(h, t->get_handle))
		return 0;
	t->get_own_ready = false;
	int rc = block_fetch(&t->blocks, h, FETCH_DATA, &t->memory, &contents);
	if (rc)
		return rc;
	rc = block_open(&t->get_own, contents, BLOCK_TAGGED | BLOCK_DATA, t->info.order);
	if (rc)
		return block_fail(&t->blocks, h.offset, rc);
	bool first = !t->get_bytes; /* and perhaps the last: no copy is made of that one */
	t->get_bytes += h.size;
	t->get_handle = h;
	t->get_own_ready = true;
	if (!first && t->cache && t->index_ready)
		block_cache_add(t->cache, t->cache_number, h, &t->get_own, contents);
	return 0;
}

/* Opens the data block the index iterator is at. */
static int get_block(struct table *t)
{
	struct block_handle h = index_iter_handle(&t->get_index);
	t->trace.block_offset = h.offset;
	t->trace.block_size = h.size;
	t->get_block = t->cache ? block_cache_get(t->cache, t->cache_number, h) : NULL;
	if (t->get_block)
		return 0;
	int rc = read_block(t, h);
	t->get_block = &t->get_own;
	return rc;
}

/* Finds, by the index t->get_index goes by, the first entry >= target; SST_NO when that is not one of the target's
 * user key. *open_end: what was there to look at of the index ended too soon to say so. */
static int find_by(struct table *t, const struct index *index, struct sst_slice target, bool *open_end)
{
	int rc = index_iter_seek(&t->get_index, target);
	while (!rc) {
		rc = get_block(t);
		if (rc)
			return rc;
		block_iter_start(&t->get_entry, t->get_block, false);
		rc = block_iter_seek(&t->get_entry, target);
		if (rc < 0)
			return block_fail(&t->blocks, t->trace.block_offset, rc);
		if (!rc)
			return slice_eq(ikey_user(t->get_entry.key), ikey_user(target)) ? 0 : SST_NO;
		/* A key's versions may go on in the next block, but only behind a separator of that key. */
		struct sst_slice separator = index_iter_separator(&t->get_index);
		if (!slice_eq(index->user_keys ? separator : ikey_user(separator), ikey_user(target)))
			return SST_NO;
		rc = index_iter_next(&t->get_index);
	}
	*open_end = rc == SST_NO && index->cut_off;
	return rc;
}

/* A large index is only looked into at first. SST_NO with *open_end: look at all of it. */
static int find_by_probe(struct table *t, struct sst_slice target, bool *open_end)
{
	*open_end = true;
	if (t->index_ready || t->probes++ >= PROBES_MAX)
		return SST_NO;
	int rc = index_probe(&t->probe, &t->blocks, t->meta[KIND_INDEX], &t->info, target);
	if (rc)
		return rc;
	*open_end = false;
	t->get_index.index = &t->probe;
	return find_by(t, &t->probe, target, open_end);
}

static int find_entry(struct table *t, struct sst_slice target)
{
	const struct index *index;
	bool open_end;
	int rc = find_by_probe(t, target, &open_end);
	if (rc != SST_NO || !open_end)
		return rc;
	rc = table_index(t, &index);
	if (rc)
		return rc;
	t->get_index.index = &t->index;
	return find_by(t, index, target, &open_end);
}

static int take_entry(struct table *t, struct table_found *found)
{
	const struct block_iter *e = &t->get_entry;
	uint64_t tag = ikey_tag(e->key);
	found->type = tag_type(tag);
	found->sequence = t->global_sequence ? t->global_sequence : tag_sequence(tag);
	found->value = e->value;
	switch (found->type) {
	case TYPE_VALUE:
	case TYPE_DELETION:
	case TYPE_SINGLE_DELETION:
		return 0;
	}
	return table_fail_type(t, ikey_user(e->key), found->type);
}

int table_fail_type(const struct table *t, struct sst_slice user_key, uint8_t type)
{
	char text[100];
	table_describe_key(text, sizeof(text), user_key);
	const char *name = table_type_name(type);
	int rc;
	if (type == TYPE_VALUE_PREFERRED_SEQ)
		name = "value with preferred sequence";
	if (name && type != TYPE_RANGE_DELETION)
		rc = fail(SST_EUNSUPPORTED, "key %s is of type %u (%s), which is not supported", text, type, name);
	else
		rc = fail(SST_ECORRUPT, "key %s is of type %u, which no table may have", text, type);
	return block_source_fail(&t->blocks, rc);
}

int table_get(struct table *t, struct sst_slice user_key, uint64_t snapshot, struct table_found *found)
{
	t->trace = (struct table_get_trace){0};
	const struct range_dels *dels;
	bool maybe = true;
	int rc = table_order_known(t);
	if (!rc)
		rc = table_range_dels(t, &dels);
	if (!rc)
		rc = ask_filter(t, user_key, &maybe);
	if (rc)
		return rc;
	if (snapshot > SEQUENCE_MAX)
		snapshot = SEQUENCE_MAX;
	if (t->global_sequence > snapshot)
		return SST_NO;
	uint64_t covered = range_dels_covering(dels, user_key, snapshot);
	rc = SST_NO;
	if (maybe) {
		buf_clear(&t->target);
		put_ikey(&t->target, user_key, tag_make(t->global_sequence ? SEQUENCE_MAX : snapshot, TYPE_SEEK));
		rc = buf_check(&t->target);
		if (!rc)
			rc = find_entry(t, buf_slice(&t->target));
	}
	if (rc < 0)
		return rc;
	uint64_t sequence = rc ? 0 : t->global_sequence ? t->global_sequence : tag_sequence(ikey_tag(t->get_entry.key));
	if (covered && (rc || covered > sequence)) {
		*found = (struct table_found){.type = TYPE_RANGE_DELETION, .sequence = covered};
		return 0;
	}
	return rc ? rc : take_entry(t, found);
}
