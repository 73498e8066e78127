/* SPDX-License-Identifier: MIT */
/*
 * Makes tables of every kind that is read, from a list of entries: format versions, checksums, codecs with and without
 * dictionary, index types and forms, values apart, LevelDB's dialects. Written from the format's description and not
 * with the builder, so that the reader is not tested against its own house's idea of a table alone.
 */
#ifndef TABLE_MAKER_H
#define TABLE_MAKER_H

#include <bzlib.h>
#include <lz4.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "base/filter_hash.h"
#include "table/filter.h"
#include "table/order.h"
#include "table/footer.h"
#include "unit.h"

struct made_entry {
	const char *key;
	uint64_t sequence;
	uint8_t type;
	const char *value;
};

struct maker {
	/* what to make; zeroes: version 5 without checksums or compression, index type 0 in its plain form */
	const char *label;
	uint32_t version; /* 0 with leveldb or old: LevelDB's magic */
	bool leveldb;	  /* no properties */
	bool old;	  /* properties behind LevelDB's magic */
	enum checksum_type checksum;
	uint8_t codec;	  /* type byte */
	const char *dictionary;
	bool compress_index;
	enum index_type index_type;
	bool user_keys, delta, filter, apart, hash_index, uniform, external, reverse;
	uint64_t external_sequence;
	const char *comparator; /* NULL: by `reverse` */
	unsigned per_block, interval, index_interval; /* 0: 4, 2, 1 */
	const struct made_entry *tombstones; /* key, sequence, value = end */
	size_t tombstone_count;
	const char *extra_meta; /* a name for one more metaindex entry */
	bool loose; /* separators are not the last keys, but later than those */
	bool wrong_filter, wrong_count, wrong_separator, wrong_first_key; /* lies for the check to find */
	/* made */
	struct buf out;
	uint32_t base;
};

/* ---------------------------------------------------------------- blocks with trailers */

static inline void make_compressed(const struct maker *m, struct buf *out, struct sst_slice in, bool with_dictionary)
{
	size_t room = in.size * 2 + 4096;
	char *p = malloc(room);
	const char *src = (const char *)in.data;
	size_t n = room;
	const char *dict = with_dictionary ? m->dictionary : NULL;
	bool sized = m->version >= 2 && !m->leveldb;
	if ((sized && m->codec != COMPRESSION_SNAPPY) || (!m->leveldb && m->codec == COMPRESSION_ZSTD))
		put_varint(out, in.size);
	else if (!m->leveldb && (m->codec == COMPRESSION_LZ4 || m->codec == COMPRESSION_LZ4HC))
		put_fixed64(out, in.size);
	int zlib_window = m->leveldb ? (m->codec == 2 ? 15 : -15) : -14;
	switch (m->leveldb && m->codec == 4 ? COMPRESSION_ZLIB : m->leveldb && m->codec == 22 ? COMPRESSION_ZSTD : m->codec) {
	case COMPRESSION_SNAPPY:
		CHECK(snappy_compress(src, in.size, p, &n) == SNAPPY_OK);
		break;
	case COMPRESSION_ZLIB: {
		z_stream z = {.next_in = (Bytef *)(uintptr_t)in.data, .avail_in = (uInt)in.size, .next_out = (Bytef *)p,
			.avail_out = (uInt)room};
		CHECK(deflateInit2(&z, 6, Z_DEFLATED, zlib_window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
		if (dict)
			CHECK(deflateSetDictionary(&z, (const Bytef *)dict, (uInt)strlen(dict)) == Z_OK);
		CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
		n = z.total_out;
		deflateEnd(&z);
		break;
	}
	case COMPRESSION_BZIP2: {
		unsigned un = (unsigned)room;
		CHECK(BZ2_bzBuffToBuffCompress(p, &un, (char *)(uintptr_t)src, (unsigned)in.size, 1, 0, 0) == BZ_OK);
		n = un;
		break;
	}
	case COMPRESSION_LZ4:
	case COMPRESSION_LZ4HC: {
		LZ4_stream_t *s = LZ4_createStream();
		if (dict)
			LZ4_loadDict(s, dict, (int)strlen(dict));
		int r = LZ4_compress_fast_continue(s, src, p, (int)in.size, (int)room, 1);
		CHECK(r > 0);
		n = (size_t)r;
		LZ4_freeStream(s);
		break;
	}
	default: {
		ZSTD_CCtx *c = ZSTD_createCCtx();
		n = dict ? ZSTD_compress_usingDict(c, p, room, src, in.size, dict, strlen(dict), 1)
			 : ZSTD_compressCCtx(c, p, room, src, in.size, 1);
		CHECK(!ZSTD_isError(n));
		ZSTD_freeCCtx(c);
	}
	}
	buf_append(out, p, n);
	free(p);
}

static inline struct block_handle make_block(struct maker *m, struct sst_slice contents, bool compress, bool dictionary)
{
	struct buf stored = {0};
	uint8_t type = compress ? m->codec : 0;
	if (type)
		make_compressed(m, &stored, contents, dictionary);
	else
		buf_append_slice(&stored, contents);
	if (type == 22)
		type = 2; /* LevelDB's ZSTD */
	struct block_handle h = {m->out.size, stored.size};
	uint32_t sum = block_checksum(m->checksum, buf_slice(&stored), type) + checksum_context(m->base, h.offset);
	buf_append_slice(&m->out, buf_slice(&stored));
	buf_push(&m->out, type);
	put_fixed32(&m->out, sum);
	buf_release(&stored);
	return h;
}

/* ---------------------------------------------------------------- contents */

struct made_block {
	struct buf keys, values, restarts, last;
	unsigned n, interval;
	bool apart;
};

static inline void made_block_add(struct made_block *b, struct sst_slice key, struct sst_slice value, bool no_length)
{
	bool restart = b->n++ % b->interval == 0;
	size_t shared = restart ? 0 : slice_common(buf_slice(&b->last), key);
	if (restart)
		put_fixed32(&b->restarts, (uint32_t)b->keys.size);
	put_varint(&b->keys, shared);
	put_varint(&b->keys, key.size - shared);
	if (!no_length)
		put_varint(&b->keys, value.size);
	if (b->apart && restart)
		put_varint(&b->keys, b->values.size);
	buf_append(&b->keys, key.data + shared, key.size - shared);
	buf_append_slice(b->apart ? &b->values : &b->keys, value);
	buf_clear(&b->last);
	buf_append_slice(&b->last, key);
}

/* Finishes into keys, ready to be stored; then made_block_clear. */
static inline struct sst_slice made_block_finish(struct made_block *b, bool hash_index, bool uniform)
{
	uint32_t values = (uint32_t)b->keys.size, count = (uint32_t)(b->restarts.size / 4);
	if (b->apart)
		buf_append_slice(&b->keys, buf_slice(&b->values));
	if (!count) { /* as the builders do */
		put_fixed32(&b->restarts, 0);
		count = 1;
	}
	buf_append_slice(&b->keys, buf_slice(&b->restarts));
	if (hash_index) {
		buf_append(&b->keys, "\1\2\3\4\5", 5);
		buf_append(&b->keys, "\5\0", 2);
		count |= UINT32_C(1) << 31;
	}
	if (b->apart) {
		put_fixed32(&b->keys, values);
		count |= UINT32_C(1) << 28;
	}
	if (uniform)
		count |= UINT32_C(1) << 29;
	put_fixed32(&b->keys, count);
	return buf_slice(&b->keys);
}

static inline void made_block_clear(struct made_block *b)
{
	buf_clear(&b->keys);
	buf_clear(&b->values);
	buf_clear(&b->restarts);
	b->n = 0;
}

static inline void made_block_release(struct made_block *b)
{
	buf_release(&b->keys);
	buf_release(&b->values);
	buf_release(&b->restarts);
	buf_release(&b->last);
}

/* ---------------------------------------------------------------- the index */

struct made_index {
	struct made_block block;
	struct block_handle before;
	bool has_before;
};

static inline void made_index_add(struct maker *m, struct made_index *x, struct sst_slice separator,
	struct block_handle h, struct sst_slice first_key)
{
	struct buf value = {0};
	struct sst_slice key = m->user_keys ? ikey_user(separator) : separator;
	bool restart = x->block.n % x->block.interval == 0;
	size_t shared = restart ? 0 : slice_common(buf_slice(&x->block.last), key);
	bool follows = x->has_before && h.offset == x->before.offset + x->before.size + 5;
	if (m->delta && shared) {
		CHECK(follows);
		put_varint_signed(&value, (int64_t)h.size - (int64_t)x->before.size);
	} else {
		put_handle(&value, h);
	}
	if (m->index_type == INDEX_FIRST_KEY)
		put_slice(&value, first_key);
	made_block_add(&x->block, key, buf_slice(&value), m->delta);
	x->before = h;
	x->has_before = true;
	buf_release(&value);
}

/* ---------------------------------------------------------------- the rest */

static inline void make_property(struct made_block *b, const char *name, const void *p, size_t n)
{
	made_block_add(b, slice_str(name), slice_of(p, n), false);
}

static inline struct block_handle make_properties(struct maker *m, size_t entries)
{
	struct made_block b = {.interval = 1000};
	uint32_t type = m->index_type, version = 2;
	const char *comparator = m->comparator ? m->comparator
				 : m->reverse  ? "rocksdb.ReverseBytewiseComparator"
					       : "leveldb.BytewiseComparator";
	uint8_t n[10];
	make_property(&b, "rocksdb.block.based.table.index.type", &type, 4);
	make_property(&b, "rocksdb.comparator", comparator, strlen(comparator));
	if (m->external) {
		make_property(&b, "rocksdb.external_sst_file.global_seqno", &m->external_sequence, 8);
		make_property(&b, "rocksdb.external_sst_file.version", &version, 4);
	}
	make_property(&b, "rocksdb.index.key.is.user.key", m->user_keys ? "\1" : "\0", 1);
	make_property(&b, "rocksdb.index.value.is.delta.encoded", m->delta ? "\1" : "\0", 1);
	make_property(&b, "rocksdb.num.entries", n, encode_varint(n, entries + m->wrong_count));
	struct block_handle h = make_block(m, made_block_finish(&b, false, false), false, false);
	made_block_release(&b);
	return h;
}

static inline struct block_handle make_range_dels(struct maker *m)
{
	struct made_block b = {.interval = 1};
	for (size_t i = 0; i < m->tombstone_count; i++) {
		struct buf key = {0};
		const struct made_entry *t = &m->tombstones[i];
		put_ikey(&key, slice_str(t->key), tag_make(t->sequence, TYPE_RANGE_DELETION));
		made_block_add(&b, buf_slice(&key), slice_str(t->value), false);
		buf_release(&key);
	}
	struct block_handle h = make_block(m, made_block_finish(&b, false, false), false, false);
	made_block_release(&b);
	return h;
}

static inline void make_meta(struct made_block *b, const char *name, struct block_handle h)
{
	struct buf value = {0};
	put_handle(&value, h);
	made_block_add(b, slice_str(name), buf_slice(&value), false);
	buf_release(&value);
}

static inline void make_footer(struct maker *m, struct block_handle metaindex, struct block_handle index)
{
	uint8_t f[TABLE_FOOTER_SIZE] = {0};
	struct buf handles = {0};
	bool legacy = m->leveldb || m->old;
	put_handle(&handles, metaindex);
	put_handle(&handles, index);
	f[0] = (uint8_t)m->checksum;
	store32(f + 41, m->version);
	store64(f + 45, legacy ? TABLE_MAGIC_LEGACY : TABLE_MAGIC);
	if (m->version < 6) {
		memcpy(f + 1, handles.data, handles.size);
	} else {
		memcpy(f + 1, "\x3e\x00\x7a\x00", 4);
		store32(f + 9, m->base);
		store32(f + 13, (uint32_t)metaindex.size);
		store32(f + 5, block_checksum(m->checksum, slice_of(f, 52), f[52]) +
				       checksum_context(m->base, m->out.size));
	}
	if (legacy) {
		buf_append(&m->out, f + 1, 40);
		buf_append(&m->out, f + 45, 8);
	} else {
		buf_append(&m->out, f, sizeof(f));
	}
	buf_release(&handles);
}

#define MADE_BLOCKS_MAX 512

/* What the index must know of the data blocks. */
struct made_list {
	struct block_handle handles[MADE_BLOCKS_MAX];
	struct buf first[MADE_BLOCKS_MAX], last[MADE_BLOCKS_MAX];
	size_t count;
};

/* Cuts the entries into blocks of m->per_block. */
static inline void make_data(struct maker *m, const struct made_entry *entries, size_t count, struct made_list *l)
{
	unsigned per_block = m->per_block ? m->per_block : 4;
	struct made_block data = {.interval = m->interval ? m->interval : 2, .apart = m->apart};
	struct buf key = {0};
	for (size_t i = 0; i < count; i++) {
		buf_clear(&key);
		put_ikey(&key, slice_str(entries[i].key), tag_make(entries[i].sequence, entries[i].type));
		if (i % per_block == 0)
			buf_append_slice(&l->first[l->count], buf_slice(&key));
		made_block_add(&data, buf_slice(&key), slice_str(entries[i].value), false);
		if ((i + 1) % per_block && i + 1 < count)
			continue;
		buf_append_slice(&l->last[l->count], buf_slice(&key));
		l->handles[l->count++] =
			make_block(m, made_block_finish(&data, m->hash_index, m->uniform), true, true);
		CHECK(l->count < MADE_BLOCKS_MAX);
		made_block_clear(&data);
	}
	made_block_release(&data);
	buf_release(&key);
}

/* The index over l; two-level: parts of four blocks each, then the top. */
static inline struct block_handle make_index(struct maker *m, const struct made_list *l)
{
	struct made_index index = {.block.interval = m->index_interval ? m->index_interval : 1};
	struct made_index top = {.block.interval = 1};
	bool two_level = m->index_type == INDEX_TWO_LEVEL;
	struct block_handle h;
	for (size_t i = 0; i < l->count; i++) {
		const struct buf *last = m->wrong_separator ? &l->first[i] : &l->last[i];
		if (m->loose) /* still before the next version of the key */
			store64(last->data + last->size - 8, load64(last->data + last->size - 8) - 200);
		const struct buf *first = m->wrong_first_key ? &l->last[i] : &l->first[i];
		made_index_add(m, &index, buf_slice(last), l->handles[i], buf_slice(first));
		if (!two_level || ((i + 1) % 4 && i + 1 < l->count))
			continue;
		h = make_block(m, made_block_finish(&index.block, false, m->uniform), m->compress_index, false);
		made_block_clear(&index.block);
		made_index_add(m, &top, buf_slice(&l->last[i]), h, (struct sst_slice){0});
	}
	h = make_block(m, made_block_finish(two_level ? &top.block : &index.block, false, m->uniform),
		m->compress_index, false);
	made_block_release(&index.block);
	made_block_release(&top.block);
	return h;
}

static inline struct block_handle make_filter(struct maker *m, const struct made_entry *entries, size_t count)
{
	struct buf hashes = {0}, f = {0};
	for (size_t i = 0; i < count; i++) {
		uint64_t hash = filter_hash(slice_str(entries[i].key)) ^ (m->wrong_filter ? UINT64_C(1) << 40 : 0);
		buf_append(&hashes, &hash, sizeof(hash));
	}
	filter_build(&f, (const uint64_t *)(const void *)hashes.data, count, 10);
	struct block_handle h = make_block(m, buf_slice(&f), false, false);
	buf_release(&hashes);
	buf_release(&f);
	return h;
}

/* Into m->out, which the caller releases. */
static inline void make_table(struct maker *m, const struct made_entry *entries, size_t count)
{
	struct made_block meta = {.interval = 1};
	struct made_list *l = calloc(1, sizeof(*l));
	if (!m->version && !m->leveldb && !m->old)
		m->version = 5;
	m->base = m->version >= 6 ? 0x5eed1234 : 0;
	buf_clear(&m->out);
	make_data(m, entries, count, l);
	if (m->filter)
		make_meta(&meta, META_FILTER, make_filter(m, entries, count));
	struct block_handle index = make_index(m, l);
	if (m->dictionary)
		make_meta(&meta, META_COMPRESSION_DICT, make_block(m, slice_str(m->dictionary), false, false));
	if (m->version >= 6)
		make_meta(&meta, META_INDEX, index);
	if (!m->leveldb)
		make_meta(&meta, META_PROPERTIES, make_properties(m, count + m->tombstone_count));
	if (m->tombstone_count)
		make_meta(&meta, META_RANGE_DEL, make_range_dels(m));
	if (m->extra_meta)
		make_meta(&meta, m->extra_meta, index);
	struct block_handle metaindex = make_block(m, made_block_finish(&meta, false, false), m->leveldb, false);
	make_footer(m, metaindex, index);
	made_block_release(&meta);
	for (size_t i = 0; i < l->count; i++) {
		buf_release(&l->first[i]);
		buf_release(&l->last[i]);
	}
	free(l);
}

#endif
