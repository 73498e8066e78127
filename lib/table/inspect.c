/* SPDX-License-Identifier: MIT */
#include "table/inspect.h"

#include <stdlib.h>

#include "base/status.h"
#include "table/properties.h"
#include "table/reader_internal.h"

/* ---------------------------------------------------------------- properties */

static const char *checksum_name(enum checksum_type type)
{
	static const char *const names[] = {"none", "crc32c", "xxHash32", "xxHash64", "XXH3"};
	return names[type];
}

typedef int property_fn(void *arg, const struct sst_property *p);

static int show_number(property_fn *each, void *arg, const char *name, uint64_t n)
{
	struct sst_property p = {.name = slice_str(name), .is_number = true, .number = n};
	return each(arg, &p);
}

static int show_text(property_fn *each, void *arg, const char *name, const char *text)
{
	struct sst_property p = {.name = slice_str(name), .value = slice_str(text)};
	return each(arg, &p);
}

static int show_form(struct table *t, property_fn *each, void *arg)
{
	int rc = show_number(each, arg, "file.size", t->blocks.file->size);
	if (!rc)
		rc = show_text(each, arg, "format",
			t->blocks.decompressor.dialect == DIALECT_LEVELDB ? "LevelDB" : "RocksDB block-based");
	if (!rc)
		rc = show_number(each, arg, "format.version", t->footer.version);
	if (!rc)
		rc = show_text(each, arg, "checksum", checksum_name(t->footer.checksum));
	if (!rc && t->info.external)
		rc = show_number(each, arg, "global.sequence", t->global_sequence);
	return rc;
}

/* Of RocksDB's own properties those that are text; the others are numbers, of fixed width where named. */
static bool is_text(struct sst_slice name)
{
	static const char *const texts[] = {
		PROPERTY_COMPARATOR, PROPERTY_COMPRESSION, PROPERTY_FILTER_POLICY, PROPERTY_WHOLE_KEY_FILTERING,
		PROPERTY_PREFIX_FILTERING, "rocksdb.column.family.name", "rocksdb.compression_options",
		"rocksdb.creating.db.identity", "rocksdb.creating.host.identity",
		"rocksdb.creating.session.identity", "rocksdb.merge.operator", "rocksdb.prefix.extractor.name",
		"rocksdb.property.collectors", "rocksdb.seqno.time.map"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (slice_eq(name, slice_str(texts[i])))
			return true;
	return !slice_has_prefix(name, slice_str("rocksdb."));
}

static bool take_number(struct sst_slice name, struct sst_slice in, uint64_t *n)
{
	uint32_t n32 = 0;
	bool ok;
	if (is_text(name))
		return false;
	if (slice_eq(name, slice_str(PROPERTY_EXTERNAL_SEQNO)))
		return get_fixed64(&in, n) && !in.size;
	if (slice_eq(name, slice_str(PROPERTY_INDEX_TYPE)) || slice_eq(name, slice_str(PROPERTY_EXTERNAL_VERSION))) {
		ok = get_fixed32(&in, &n32);
		*n = n32;
	} else {
		ok = get_varint64(&in, n);
	}
	return ok && !in.size;
}

static int show_stored(struct block_iter *it, property_fn *each, void *arg)
{
	int rc;
	while (!(rc = block_iter_next(it))) {
		struct sst_property p = {.name = it->key, .value = it->value};
		p.is_number = take_number(it->key, it->value, &p.number);
		rc = each(arg, &p);
		if (rc)
			return rc;
	}
	return rc == SST_NO ? 0 : rc;
}

int table_show_properties(struct table *t, property_fn *each, void *arg)
{
	struct block_memory m = {0};
	struct block_iter it = {0};
	struct block b;
	int rc = show_form(t, each, arg);
	if (rc || !t->meta[KIND_PROPERTIES].size)
		return rc;
	rc = properties_open(&b, &t->blocks, t->meta[KIND_PROPERTIES], &m);
	if (!rc) {
		block_iter_start(&it, &b, false);
		rc = show_stored(&it, each, arg);
	}
	block_iter_release(&it);
	block_memory_release(&m);
	return rc;
}

/* ---------------------------------------------------------------- data blocks */

typedef int block_fn(void *arg, const struct sst_block *b);

static int count_entries(struct block_iter *it, uint64_t *n)
{
	int rc;
	while (!(rc = block_iter_next(it)))
		++*n;
	return rc;
}

/* Reads a data block: its first key, borrowed from it, and with `count` its number of entries. */
static int look_into(struct table *t, struct sst_block *out, struct block_memory *m, struct block_iter *it,
	bool count)
{
	struct block_handle h = {out->offset, out->size};
	struct sst_slice contents;
	struct block b;
	int rc = block_fetch(&t->blocks, h, FETCH_DATA | FETCH_AHEAD, m, &contents);
	if (rc)
		return rc;
	out->contents_size = contents.size;
	rc = block_open(&b, contents, BLOCK_TAGGED | BLOCK_DATA, t->info.order);
	if (!rc && count) {
		block_iter_start(it, &b, false);
		rc = count_entries(it, &out->entries);
	}
	if (rc >= 0) {
		block_iter_start(it, &b, false);
		rc = block_iter_next(it);
		out->has_first_key = !rc;
		out->first_key = rc ? (struct sst_slice){0} : ikey_user(it->key);
	}
	return rc < 0 ? block_fail(&t->blocks, h.offset, rc) : 0;
}

int table_show_index(struct table *t, block_fn *each, void *arg)
{
	const struct index *index;
	struct index_iter it = {0};
	struct block_memory m = {0};
	struct block_iter entry = {0};
	int rc = table_index(t, &index);
	if (rc)
		return rc;
	it.index = &t->index;
	for (rc = index_iter_first(&it); !rc; rc = index_iter_next(&it)) {
		struct block_handle h = index_iter_handle(&it);
		struct sst_block b = {.kind = "data", .offset = h.offset, .size = h.size};
		struct sst_slice first = index_iter_first_key(&it);
		b.has_first_key = first.size >= IKEY_TAG_SIZE;
		if (b.has_first_key)
			b.first_key = ikey_user(first);
		else
			rc = look_into(t, &b, &m, &entry, false);
		if (!rc)
			rc = each(arg, &b);
		if (rc)
			break;
	}
	index_iter_release(&it);
	block_memory_release(&m);
	block_iter_release(&entry);
	return rc == SST_NO ? 0 : rc;
}

/* ---------------------------------------------------------------- all blocks */

#define KIND_NAME_RANGE_DEL "range deletions"

void table_block_list_release(struct table_block_list *l)
{
	free(l->list);
	*l = (struct table_block_list){0};
}

/* There is room for no more blocks than trailers; but one may go by two names. Parts named again and again would
 * fill any memory: then none is listed. */
static int list_add(const struct table *t, struct table_block_list *l, const char *kind, struct block_handle h)
{
	if (l->count / 2 > t->blocks.limit / BLOCK_TRAILER_SIZE) {
		l->count = 0;
		return block_source_fail(&t->blocks,
			fail(SST_ECORRUPT, "more blocks are named than it has room for"));
	}
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct table_block *list = reallocarray(l->list, cap, sizeof(*list));
		if (!list)
			return fail_memory();
		l->list = list;
		l->cap = cap;
	}
	l->list[l->count++] = (struct table_block){kind, h};
	return 0;
}

static int compare_blocks(const void *a, const void *b)
{
	const struct table_block *x = a, *y = b;
	if (x->handle.offset != y->handle.offset)
		return x->handle.offset > y->handle.offset ? 1 : -1;
	if (x->handle.size != y->handle.size)
		return x->handle.size > y->handle.size ? 1 : -1;
	return strcmp(x->kind, y->kind);
}

/* Pebble names one block range_del and range_del2: it is listed once. No other goes by two names. */
static void list_sort(struct table_block_list *l)
{
	size_t n = 0;
	if (l->count)
		qsort(l->list, l->count, sizeof(*l->list), compare_blocks);
	for (size_t i = 0; i < l->count; i++)
		if (!n || compare_blocks(&l->list[i], &l->list[n - 1]) != 0 ||
			strcmp(l->list[i].kind, KIND_NAME_RANGE_DEL) != 0)
			l->list[n++] = l->list[i];
	l->count = n;
}

static int check_overlaps(const struct table *t, const struct table_block_list *l)
{
	for (size_t i = 1; i < l->count; i++) {
		const struct table_block *before = &l->list[i - 1], *b = &l->list[i];
		if (handle_overlaps(before->handle, b->handle))
			return block_fail(&t->blocks, b->handle.offset,
				fail(SST_ECORRUPT, "the %s block overlaps the %s block at %llu", b->kind, before->kind,
					(unsigned long long)before->handle.offset));
	}
	return 0;
}

/* The parts of a two-level index or filter. */
static int list_parts(struct table *t, struct table_block_list *l, const char *kind, struct block_handle h)
{
	struct index parts;
	struct index_cursor c = {0};
	struct table_info info = t->info;
	info.index_type = INDEX_BINARY;
	int rc = index_open(&parts, &t->blocks, h, &info);
	if (!rc)
		rc = index_top_first(&parts, &c);
	while (!rc && !(rc = list_add(t, l, kind, c.handle)))
		rc = index_top_next(&parts, &c);
	block_iter_release(&c.it);
	index_release(&parts);
	return rc == SST_NO ? 0 : rc;
}

int table_meta(const struct table *t, struct block_iter *it, struct block_handle *h)
{
	if (!it->b)
		block_iter_start(it, &t->metaindex, false);
	int rc = block_iter_next(it);
	struct sst_slice in = it->value;
	if (!rc && !get_handle(&in, h))
		rc = fail(SST_ECORRUPT, "malformed handle at %u", it->offset);
	return rc < 0 ? block_fail(&t->blocks, t->footer.metaindex.offset, rc) : rc;
}

/* The many names of filters and indexes, by how they begin. */
static const char *meta_kind(struct sst_slice name)
{
	static const struct {
		const char *prefix, *kind;
	} kinds[] = {{"fullfilter.", "filter"}, {"partitionedfilter.", "filter index"}, {"filter.", "filter"},
		{META_PROPERTIES, "properties"}, {"rocksdb.stats", "properties"}, {META_RANGE_DEL, KIND_NAME_RANGE_DEL},
		{META_COMPRESSION_DICT, "dictionary"}, {META_INDEX, "index"}, {"rocksdb.hashindex", "hash index"}};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (slice_has_prefix(name, slice_str(kinds[i].prefix)))
			return kinds[i].kind;
	return "other";
}

static int list_named(struct table *t, struct table_block_list *l)
{
	struct block_iter it = {0};
	struct block_handle h = {0};
	int rc;
	while (!(rc = table_meta(t, &it, &h))) {
		bool parts = slice_has_prefix(it.key, slice_str("partitionedfilter."));
		if (!h.size || slice_eq(it.key, slice_str(META_INDEX)))
			continue;
		rc = list_add(t, l, meta_kind(it.key), h);
		if (!rc && parts)
			rc = list_parts(t, l, "filter", h);
		if (rc)
			break;
	}
	block_iter_release(&it);
	return rc == SST_NO ? 0 : rc;
}

static int list_meta(struct table *t, struct table_block_list *l)
{
	bool two_level = t->info.index_type == INDEX_TWO_LEVEL;
	int rc = list_named(t, l);
	if (!rc)
		rc = list_add(t, l, two_level ? "top index" : "index", t->meta[KIND_INDEX]);
	if (!rc && two_level)
		rc = list_parts(t, l, "index", t->meta[KIND_INDEX]);
	return rc ? rc : list_add(t, l, "metaindex", t->footer.metaindex);
}

int table_list_meta(struct table *t, struct table_block_list *l)
{
	int rc = list_meta(t, l);
	list_sort(l);
	return rc;
}

static int list_data(struct table *t, struct table_block_list *l)
{
	const struct index *index;
	struct index_iter it = {0};
	int rc = table_index(t, &index);
	if (rc)
		return rc;
	it.index = &t->index;
	rc = index_iter_first(&it);
	while (!rc && !(rc = list_add(t, l, "data", index_iter_handle(&it))))
		rc = index_iter_next(&it);
	index_iter_release(&it);
	return rc == SST_NO ? 0 : rc;
}

/* Contents of a block that is not a data block; of an index the entries, too. */
static int look_into_meta(struct table *t, struct sst_block *out, struct block_memory *m)
{
	struct sst_slice contents;
	struct block b;
	struct block_handle h = {out->offset, out->size};
	if (strcmp(out->kind, "properties") == 0) {
		int rc = properties_open(&b, &t->blocks, h, m);
		out->contents_size = h.size;
		return rc;
	}
	int rc = block_fetch(&t->blocks, h, 0, m, &contents);
	out->contents_size = contents.size;
	return rc;
}

static int show_block(struct table *t, const struct table_block *tb, struct block_memory *m, struct block_iter *it,
	block_fn *each, void *arg)
{
	struct sst_block b = {.kind = tb->kind, .offset = tb->handle.offset, .size = tb->handle.size};
	int rc = strcmp(b.kind, "data") == 0 ? look_into(t, &b, m, it, true) : look_into_meta(t, &b, m);
	if (rc)
		return rc;
	b.compression = compression_name(t->blocks.decompressor.dialect, m->type);
	return each(arg, &b);
}

int table_show_blocks(struct table *t, block_fn *each, void *arg)
{
	struct table_block_list l = {0};
	struct block_memory m = {0};
	struct block_iter it = {0};
	int rc = list_data(t, &l);
	if (!rc)
		rc = list_meta(t, &l);
	if (!rc) {
		list_sort(&l);
		rc = check_overlaps(t, &l);
	}
	for (size_t i = 0; i < l.count && !rc; i++)
		rc = show_block(t, &l.list[i], &m, &it, each, arg);
	block_iter_release(&it);
	block_memory_release(&m);
	table_block_list_release(&l);
	return rc;
}
