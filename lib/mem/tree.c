/* SPDX-License-Identifier: MIT */
/*
 * A B+-tree with append-only leaves in shared memory
 *
 *   inner   level count prefix | digest[63] | separator[63] | child[64]        768 bytes, 12 cache lines
 *   leaf    0 count sorted prefix | fingerprint[56] | digest[56] | record[56]  512 bytes, 8 cache lines
 *   record  tag, sizes, crc, key, value                                        written in full, then linked
 *
 * Nodes lie together in chunks of the arena, not among the records. The pages that hold nodes are then few, and they alone
 * are what an insert or a search needs: the first touch of a page costs every process more than the insert.
 *
 * Everything refers by offset / 8 in 32 bits (so an arena is at most 32 GiB) and every reference is checked
 * against the mapping before it is followed: the memory belongs to many processes, any of which may be ill.
 *
 * A leaf's entries stand in the order of their arrival. An insert fills slot n and then publishes it by storing
 * count = n + 1 (release): one store, so a reader sees the entry whole or not at all, and a writer killed at any
 * instant leaves nothing half done. `sorted` says how many entries from the front are in order; it is stored
 * after count, so a kill in between makes it only too small. Ascending loads keep a leaf sorted for nothing; for
 * the others a walk sorts the leaf's digests when it comes there.
 *
 * A digest is the four bytes behind a prefix, big-endian, zero-padded: different digests order as the keys do, equal
 * ones say nothing and the keys are compared. A leaf's prefix is what its two bounds (separators above it) have in
 * common, or the first part of that, so every key that can ever come there has it. An inner node never changes but for its
 * child slots, so its prefix is what its separators really share (or the first part of that), and a key is compared with
 * that prefix first: with its last four bytes, which the node has, if the nodes above vouch for the others, and
 * else with the first separator, which is far away.
 *
 * separator[i] is the record that was the smallest in child i + 1 when it was split off; a key goes to the last
 * child whose separator is not greater. The bounds of a leaf are therefore records, too.
 *
 * Split: the new leaves and a copy of every inner node that changes are made privately and published by ONE store,
 * into the child slot of the lowest ancestor that keeps its place, or into `root`. Old nodes are never used again
 * while the segment lives, so a reader that still stands on one sees the past, never garbage: everything with a
 * sequence number <= the snapshot it took before is there. A kill before the store leaks the private nodes.
 *
 * Appending behind everything (an ascending load) does not copy: the full leaf stays and the new record begins
 * the next one.
 */
#include "mem/tree.h"

#include <stddef.h>

#include "base/crc32c.h"
#include "base/status.h"
#include "mem/window.h"
#include "os/kill_point.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define INNER_MAX 64 /* children */
#define NODE_ALIGN 64
#define CHUNK_ALIGN 4096
#define CHUNK_MAX ((uint64_t)64 << 10)
#define RECORD_ALIGN 8

struct inner {
	uint8_t level; /* > 0 */
	uint8_t count; /* children */
	uint16_t prefix_size;
	uint32_t prefix_end; /* digest of its last four bytes, or of all of it when there are fewer */
	uint32_t digest[INNER_MAX - 1];
	uint32_t separator[INNER_MAX - 1];
	_Atomic uint32_t child[INNER_MAX];
};

struct leaf {
	uint8_t level; /* 0 */
	_Atomic uint8_t count;
	_Atomic uint8_t sorted;
	uint8_t reserved;
	uint16_t prefix_size;
	uint16_t reserved2;
	uint8_t fingerprint[TREE_LEAF_MAX];
	uint32_t digest[TREE_LEAF_MAX];
	uint32_t record[TREE_LEAF_MAX];
};

_Static_assert(sizeof(struct inner) == 768, "inner node is 12 cache lines");
_Static_assert(sizeof(struct leaf) == 512, "leaf is 8 cache lines");
_Static_assert(sizeof(struct tree_record) == 24, "header of a record, with its padding");

#define RECORD_HEADER offsetof(struct tree_record, data)

static int damaged(void)
{
	return fail(SST_ECORRUPT, "memtable segment is damaged");
}

/* ---------------------------------------------------------------- references */

static void *read_node(const struct tree *t, uint64_t offset, uint64_t size)
{
	/* What kind it is will be known when it is here. */
	bool room = offset + sizeof(struct inner) <= t->mapped;
	return window_at(t->window, offset, room ? sizeof(struct inner) : size);
}

/* A node. */
static inline void *at(const struct tree *t, uint32_t ref, uint64_t size)
{
	uint64_t offset = (uint64_t)ref * 8;
	if (__builtin_expect(!ref || offset + size > t->mapped, 0))
		return NULL;
	return __builtin_expect(t->base != NULL, 1) ? t->base + offset : read_node(t, offset, size);
}

static inline uint32_t ref_of(const struct tree *t, const void *p)
{
	return (uint32_t)((uint64_t)((const uint8_t *)p - t->base) / 8);
}

static inline struct leaf *leaf_at(const struct tree *t, uint32_t ref)
{
	return at(t, ref, sizeof(struct leaf));
}

static inline const struct inner *inner_at(const struct tree *t, uint32_t ref)
{
	const struct inner *in = at(t, ref, sizeof(struct inner));
	return in && in->count && in->count <= INNER_MAX ? in : NULL;
}

static inline bool record_fits(const struct tree *t, uint64_t offset, const struct tree_record *r)
{
	return offset + RECORD_HEADER + r->key_size + (uint64_t)r->value_size <= t->mapped;
}

#define RECORD_GUESS 256 /* bytes that most records do not exceed */

/* Of one that is not mapped: its key, and with `whole` its value, which may be large and of many versions. */
static const struct tree_record *read_record(const struct tree *t, uint64_t offset, bool whole)
{
	size_t guess = t->mapped - offset < RECORD_GUESS ? (size_t)(t->mapped - offset) : RECORD_GUESS;
	const struct tree_record *r = window_at(t->window, offset, guess);
	if (!r || !record_fits(t, offset, r))
		return NULL;
	size_t size = RECORD_HEADER + (size_t)r->key_size + (whole ? r->value_size : 0);
	return size <= guess ? r : window_at(t->window, offset, size);
}

static inline const struct tree_record *record_at(const struct tree *t, uint32_t ref)
{
	uint64_t offset = (uint64_t)ref * 8;
	if (__builtin_expect(!ref || offset + RECORD_HEADER > t->mapped, 0))
		return NULL;
	if (__builtin_expect(!t->base, 0))
		return read_record(t, offset, false);
	const struct tree_record *r = (const void *)(t->base + offset);
	return record_fits(t, offset, r) ? r : NULL;
}

static inline unsigned leaf_count(const struct leaf *l)
{
	unsigned n = atomic_load_explicit(&l->count, memory_order_acquire);
	return n <= TREE_LEAF_MAX ? n : TREE_LEAF_MAX;
}

/* The leaf at the end of a path of `depth` inner nodes; NULL: damage. Only the root of an empty tree has no entry: any
 * other is memory that was zeroed, and to take it for a leaf would hide what was there. */
static struct leaf *leaf_below(const struct tree *t, uint32_t ref, unsigned depth)
{
	struct leaf *l = leaf_at(t, ref);
	if (!l || l->level)
		return NULL;
	bool empty = !depth && !atomic_load_explicit(&t->header->entries, memory_order_acquire);
	return empty || leaf_count(l) ? l : NULL;
}

/* ---------------------------------------------------------------- keys */

static inline uint32_t digest_of(struct sst_slice key, size_t prefix)
{
	uint32_t v = 0;
	if (key.size >= prefix + 4)
		memcpy(&v, key.data + prefix, 4);
	else if (key.size > prefix)
		memcpy(&v, key.data + prefix, key.size - prefix);
	return __builtin_bswap32(v);
}

static inline uint8_t fingerprint_of(struct sst_slice key)
{
	uint64_t h = key.size * UINT64_C(0x9e3779b97f4a7c15), v;
	const uint8_t *p = key.data;
	size_t n = key.size;
	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&v, p, 8);
		h = (h ^ v) * UINT64_C(0x9fb21c651e98df25);
		h ^= h >> 29;
	}
	if (n) {
		v = 0;
		memcpy(&v, p, n);
		h = (h ^ v) * UINT64_C(0x9fb21c651e98df25);
	}
	return (uint8_t)(h >> 56);
}

static inline int entry_cmp(struct sst_slice key, uint64_t tag, const struct tree_record *r)
{
	int c = slice_cmp(key, tree_record_key(r));
	return c ? c : tag_cmp(tag, r->tag);
}

static uint16_t common_prefix(const struct tree_record *a, const struct tree_record *b)
{
	size_t n = slice_common(tree_record_key(a), tree_record_key(b));
	return (uint16_t)(n > UINT16_MAX ? UINT16_MAX : n);
}

static uint32_t record_crc(const struct tree_record *r)
{
	uint32_t crc = crc32c(0, r, offsetof(struct tree_record, crc));
	return crc32c(crc, r->data, (size_t)r->key_size + r->value_size);
}

int tree_record_check(const struct tree_record *r)
{
	return record_crc(r) == r->crc ? 0 : fail(SST_ECORRUPT, "memtable segment is damaged: checksum of a record");
}

/* ---------------------------------------------------------------- arena */

/* The offset of `size` bytes; 0: no room. */
static uint64_t arena_take(struct tree *t, uint64_t size, uint64_t align)
{
	uint64_t used = atomic_load_explicit(&t->header->used, memory_order_relaxed);
	uint64_t from = (used + align - 1) & ~(align - 1);
	uint64_t committed = atomic_load_explicit(&t->header->committed, memory_order_relaxed);
	if (size > committed || from > committed - size || committed > t->mapped) {
		fail(SST_EFULL, "memtable segment is full: %llu of %llu bytes", (unsigned long long)used,
			(unsigned long long)committed);
		return 0;
	}
	atomic_store_explicit(&t->header->used, from + size, memory_order_relaxed);
	return from;
}

/* A quarter of what the nodes take already, between CHUNK_ALIGN and CHUNK_MAX. */
static uint64_t chunk_size(uint64_t leaves)
{
	uint64_t size = (leaves * sizeof(struct leaf) / 4 + CHUNK_ALIGN) & ~(uint64_t)(CHUNK_ALIGN - 1);
	return size < CHUNK_MAX ? size : CHUNK_MAX;
}

/* What the bytes of nodes become by the ends of chunks that are too short for a node, and the gaps before them. */
static uint64_t chunks_bound(uint64_t leaves, uint64_t leaves_then, uint64_t bytes)
{
	uint64_t gaps = chunk_size(leaves) == CHUNK_MAX ? bytes / 8 : bytes * 3 / 2;
	return bytes + gaps + chunk_size(leaves_then) + CHUNK_ALIGN;
}

static bool arena_hurt(const struct tree *t)
{
	const struct tree_header *h = t->header;
	return h->node_next % NODE_ALIGN || h->node_end > t->mapped || (!h->node_next && h->node_end);
}

/* Why node_new returned NULL. */
static int no_node(const struct tree *t)
{
	return arena_hurt(t) ? damaged() : SST_EFULL;
}

/* NULL: no room, or damage. */
static void *node_new(struct tree *t, uint64_t size)
{
	struct tree_header *h = t->header;
	if (h->node_next > h->node_end || h->node_end - h->node_next < size) {
		uint64_t chunk = chunk_size(atomic_load_explicit(&h->leaves, memory_order_relaxed));
		uint64_t from = arena_take(t, chunk, CHUNK_ALIGN);
		if (!from)
			return NULL;
		h->node_next = from;
		h->node_end = from + chunk;
	}
	uint64_t from = h->node_next;
	if (arena_hurt(t))
		return NULL;
	h->node_next += size;
	return memset(t->base + from, 0, size);
}

uint64_t tree_bound(uint64_t leaves, uint64_t bytes, uint64_t n)
{
	/* Every insert may find its leaf full, once for each leaf that is there; a leaf made by a split takes 27
	 * inserts until the next. Above the parent a copy comes once in 31 splits, hence 3 inner nodes for 2. */
	uint64_t splits = (n < leaves ? n : leaves) + n / 27 + 1;
	uint64_t split_bytes = 2 * sizeof(struct leaf) + sizeof(struct inner) * 3 / 2;
	return bytes + n * (RECORD_HEADER + RECORD_ALIGN) +
	       chunks_bound(leaves, leaves + splits, splits * split_bytes + 2 * TREE_DEPTH_MAX * sizeof(struct inner));
}

static void record_make(struct tree_record *r, struct sst_slice key, uint64_t tag, struct sst_slice value)
{
	r->tag = tag;
	r->key_size = (uint32_t)key.size;
	r->value_size = (uint32_t)value.size;
	if (key.size)
		memcpy(r->data, key.data, key.size);
	if (value.size)
		memcpy(r->data + key.size, value.data, value.size);
	r->crc = record_crc(r);
}

static size_t record_size(const struct tree_record *r)
{
	return (RECORD_HEADER + (size_t)r->key_size + r->value_size + RECORD_ALIGN - 1) & ~(size_t)(RECORD_ALIGN - 1);
}

void tree_run_add(struct buf *run, struct sst_slice key, uint64_t tag, struct sst_slice value)
{
	size_t size = RECORD_HEADER + key.size + value.size, pad = -size & (RECORD_ALIGN - 1);
	if (!buf_reserve(run, size + pad))
		return;
	record_make((void *)(run->data + run->size), key, tag, value);
	memset(run->data + run->size + size, 0, pad);
	run->size += size + pad;
}

static struct leaf *leaf_new(struct tree *t, uint16_t prefix_size)
{
	struct leaf *l = node_new(t, sizeof(*l));
	if (l) {
		l->prefix_size = prefix_size;
		uint64_t leaves = atomic_load_explicit(&t->header->leaves, memory_order_relaxed);
		atomic_store_explicit(&t->header->leaves, leaves + 1, memory_order_relaxed);
	}
	return l;
}

int tree_format(struct tree *t)
{
	struct leaf *l = leaf_new(t, 0);
	if (!l)
		return SST_EFULL;
	atomic_store_explicit(&t->header->root, ref_of(t, l), memory_order_release);
	return 0;
}

/* ---------------------------------------------------------------- descent */

/* Number of digests < d (or <= d with or_equal): branch-free binary search. */
static inline unsigned digest_rank(const uint32_t *digest, unsigned n, uint32_t d, bool or_equal)
{
	unsigned lo = 0;
	for (unsigned len = n; len;) {
		unsigned half = len / 2;
		uint32_t v = digest[lo + half];
		bool right = or_equal ? v <= d : v < d;
		lo = right ? lo + half + 1 : lo;
		len = right ? len - half - 1 : half;
	}
	return lo;
}

#define PREFIX_END 4

static inline uint32_t prefix_end(struct sst_slice key, size_t prefix)
{
	return prefix ? digest_of(slice_of(key.data, prefix), prefix < PREFIX_END ? 0 : prefix - PREFIX_END) : 0;
}

/* How the key stands to those that begin with the prefix: before them, among them, behind them (< 0, 0, > 0). `shared`: bytes of
 * the prefix that it surely has. 2: damage. */
static int prefix_cmp(const struct tree *t, const struct inner *in, struct sst_slice key, size_t shared)
{
	size_t n = in->prefix_size;
	if (n <= shared)
		return 0;
	if (n - shared <= PREFIX_END && key.size >= n) {
		uint32_t d = prefix_end(key, n);
		return d < in->prefix_end ? -1 : d > in->prefix_end;
	}
	const struct tree_record *first = record_at(t, in->separator[0]);
	if (!first || first->key_size < n)
		return 2;
	size_t m = key.size < n ? key.size : n;
	int c = m ? memcmp(key.data, first->data, m) : 0;
	return c < 0 || (c == 0 && m < n) ? -1 : c > 0;
}

/* The child of `in` that (key, tag) belongs to; < 0: damage. */
static int inner_find(const struct tree *t, const struct inner *in, struct sst_slice key, uint64_t tag, size_t shared)
{
	unsigned n = in->count - 1u;
	if (!n)
		return 0;
	int c = prefix_cmp(t, in, key, shared);
	if (c)
		return c < 0 ? 0 : c == 1 ? (int)n : damaged();
	uint32_t d = digest_of(key, in->prefix_size);
	unsigned lo = digest_rank(in->digest, n, d, false);
	unsigned hi = lo;
	while (hi < n && in->digest[hi] == d)
		hi++;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		const struct tree_record *r = record_at(t, in->separator[mid]);
		if (!r)
			return damaged();
		if (entry_cmp(key, tag, r) >= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (int)lo;
}

/* A path from the root to a leaf. */
struct path {
	unsigned depth; /* inner nodes above the leaf */
	struct {
		uint32_t node, child;
	} step[TREE_DEPTH_MAX];
	uint32_t leaf;
	struct leaf *to; /* the same, looked at: there is one */
	uint32_t low, high; /* records that bound the leaf: low <= key < high; 0: unbounded */
};

static inline unsigned node_level(const struct tree *t, uint32_t ref)
{
	const uint8_t *p = at(t, ref, sizeof(struct leaf));
	return p ? *p : UINT8_MAX;
}

/* GCC takes a function that only prefetches for one without effect, and leaves out its calls unless they are inlined before
 * it thinks about that. */
#define INLINE __attribute__((always_inline)) static inline

/* All lines of a node at once: one wait for memory instead of one for each line that the search touches. */
INLINE void prefetch_node(const struct tree *t, uint32_t ref, unsigned level)
{
	if (!t->base)
		return;
	const uint8_t *p = t->base + (uint64_t)ref * 8; /* only a hint: an address that is wrong does no harm */
	for (unsigned i = 0; i < (level ? sizeof(struct inner) : sizeof(struct leaf)); i += 64)
		__builtin_prefetch(p + i);
}

static int descend(const struct tree *t, struct sst_slice key, uint64_t tag, struct path *path)
{
	uint32_t node = atomic_load_explicit(&t->header->root, memory_order_acquire);
	path->depth = 0;
	path->low = path->high = 0;
	size_t shared = 0; /* a key between two separators has all the prefix that they have in common */
	for (unsigned level = node_level(t, node); level; level--) {
		const struct inner *in = inner_at(t, node);
		if (!in || in->level != level || path->depth == TREE_DEPTH_MAX)
			return damaged();
		int c = inner_find(t, in, key, tag, shared);
		if (c < 0)
			return c;
		if (c > 0)
			path->low = in->separator[c - 1];
		if (c < in->count - 1)
			path->high = in->separator[c];
		if (c > 0 && c < in->count - 1 && in->prefix_size > shared)
			shared = in->prefix_size;
		path->step[path->depth].node = node;
		path->step[path->depth++].child = (uint32_t)c;
		node = atomic_load_explicit(&in->child[c], memory_order_acquire);
		prefetch_node(t, node, level - 1);
	}
	path->leaf = node;
	path->to = leaf_below(t, node, path->depth);
	return path->to ? 0 : damaged();
}

/* ---------------------------------------------------------------- leaf */

/* Order of the first n entries of l, as indexes. Keys that tie on the digest are compared in full. */
static int leaf_order(const struct tree *t, const struct leaf *l, unsigned n, uint8_t order[TREE_LEAF_MAX])
{
	uint64_t key[TREE_LEAF_MAX]; /* digest << 8 | index */
	unsigned sorted = atomic_load_explicit(&l->sorted, memory_order_relaxed);
	for (unsigned i = 0; i < n; i++) {
		uint64_t v = (uint64_t)l->digest[i] << 8 | i;
		unsigned j = i;
		if (i >= sorted) {
			for (; j > 0; j--) {
				uint64_t p = key[j - 1];
				if ((p >> 8) < (v >> 8))
					break;
				if ((p >> 8) == (v >> 8)) {
					const struct tree_record *a = record_at(t, l->record[p & 0xff]);
					const struct tree_record *b = record_at(t, l->record[i]);
					if (!a || !b)
						return damaged();
					if (entry_cmp(tree_record_key(b), b->tag, a) >= 0)
						break;
				}
				key[j] = p;
			}
		}
		key[j] = v;
	}
	for (unsigned i = 0; i < n; i++)
		order[i] = (uint8_t)key[i];
	return 0;
}

/* Bit i of the result: entry i of the first n has the fingerprint. */
static inline uint64_t fingerprint_matches(const struct leaf *l, unsigned n, uint8_t fingerprint)
{
	uint64_t bits = 0;
#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__)
	/* The slots from n on, which the writer may just be filling, are read as well and masked out: harmless, but a thread
	 * sanitizer cannot know. Three whole vectors and one that begins 8 bytes earlier: 56 bytes, nothing beyond them read. */
	__m128i f = _mm_set1_epi8((char)fingerprint);
	for (unsigned i = 0; i < 48; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(l->fingerprint + i));
		bits |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, f)) << i;
	}
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(l->fingerprint + 40));
	bits |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, f)) << 40;
#else
	for (unsigned i = 0; i < n; i++)
		bits |= (uint64_t)(l->fingerprint[i] == fingerprint) << i;
#endif
	return n < 64 ? bits & ((UINT64_C(1) << n) - 1) : bits;
}

/* Bit i of the result: entry i of the first n may have the key. A record is far away: the digest, which is here, saves
 * the way to nearly all that have the fingerprint by chance. */
static inline uint64_t leaf_matches(const struct leaf *l, unsigned n, struct sst_slice key)
{
	uint64_t bits = 0;
	uint32_t digest = digest_of(key, l->prefix_size);
	for (uint64_t m = fingerprint_matches(l, n, fingerprint_of(key)); m; m &= m - 1)
		bits |= l->digest[__builtin_ctzll(m)] == digest ? m & -m : 0;
	return bits;
}

/* Fills slot n, which no reader looks at yet. */
static void leaf_fill(struct leaf *l, unsigned n, struct sst_slice key, uint32_t record)
{
	l->fingerprint[n] = fingerprint_of(key);
	l->digest[n] = digest_of(key, l->prefix_size);
	l->record[n] = record;
}

/* Would an entry behind the n sorted ones of l keep them sorted? */
static bool leaf_ascends(const struct tree *t, const struct leaf *l, unsigned n, struct sst_slice key, uint64_t tag)
{
	if (!n)
		return true;
	uint32_t d = digest_of(key, l->prefix_size);
	if (d != l->digest[n - 1])
		return d > l->digest[n - 1];
	const struct tree_record *last = record_at(t, l->record[n - 1]);
	return last && entry_cmp(key, tag, last) > 0;
}

/* ---------------------------------------------------------------- split */

/* A record that is to be linked. */
struct added {
	struct sst_slice key;
	uint64_t tag;
	size_t bytes; /* of key and value */
	uint32_t ref;
};

struct split {
	uint32_t left, right; /* nodes that take the place of one; left may be the old one itself */
	uint32_t separator;   /* the smallest record of right */
};

/* An entry of a leaf, or a separator, on its way into a new node. The digest stands behind `prefix` bytes; as long as the
 * new node has the same prefix, which is nearly always, no record is touched: they lie cold in memory. */
struct moved {
	uint32_t record, digest;
	uint8_t fingerprint; /* of a leaf's entry */
};

/* The digest of m behind a prefix of another size. */
static int redigest(const struct tree *t, struct moved *m, size_t prefix)
{
	const struct tree_record *r = record_at(t, m->record);
	if (!r)
		return damaged();
	m->digest = digest_of(tree_record_key(r), prefix);
	return 0;
}

static int redigest_all(const struct tree *t, struct moved *m, unsigned n, size_t was, size_t prefix)
{
	int rc = 0;
	for (unsigned i = 0; i < n && was != prefix && !rc; i++)
		rc = redigest(t, &m[i], prefix);
	return rc;
}

/* One digest in so many may be that of its neighbour. If there are more, it is worth to look at all the records, for digests
 * behind a longer prefix: sooner, and a leaf of random keys would do so each time that it shares another byte. */
#define TIES_ONE_IN 8

/* Of entries in order. */
static bool digests_tie(const struct moved *m, unsigned n)
{
	unsigned ties = 0;
	for (unsigned i = 1; i < n; i++)
		ties += m[i].digest == m[i - 1].digest;
	return ties * TIES_ONE_IN > n;
}

/* `was` is the prefix of the digests in m. */
static int leaf_of(struct tree *t, struct moved *m, unsigned n, size_t was, uint32_t low, uint32_t high, uint32_t *ref)
{
	size_t prefix = was;
	if (low && high && digests_tie(m, n)) {
		const struct tree_record *a = record_at(t, low), *b = record_at(t, high);
		prefix = a && b ? common_prefix(a, b) : 0;
	}
	int rc = redigest_all(t, m, n, was, prefix);
	if (rc)
		return rc;
	struct leaf *l = leaf_new(t, (uint16_t)prefix);
	if (!l)
		return no_node(t);
	for (unsigned i = 0; i < n; i++) {
		l->fingerprint[i] = m[i].fingerprint;
		l->digest[i] = m[i].digest;
		l->record[i] = m[i].record;
	}
	atomic_store_explicit(&l->count, (uint8_t)n, memory_order_relaxed);
	atomic_store_explicit(&l->sorted, (uint8_t)n, memory_order_relaxed);
	*ref = ref_of(t, l);
	return 0;
}

/* Is the new entry in front of one that is in the leaf? < 0: damage. */
static int goes_before(const struct tree *t, const struct moved *new, struct sst_slice key, uint64_t tag,
	const struct moved *old)
{
	if (new->digest != old->digest)
		return new->digest < old->digest;
	const struct tree_record *o = record_at(t, old->record);
	return o ? entry_cmp(key, tag, o) < 0 : damaged();
}

/* The entries of the full leaf and the new one, in order. */
static int leaf_entries(const struct tree *t, const struct leaf *l, const struct moved *new, struct sst_slice key,
	uint64_t tag, struct moved out[TREE_LEAF_MAX + 1])
{
	uint8_t order[TREE_LEAF_MAX];
	int rc = leaf_order(t, l, TREE_LEAF_MAX, order);
	if (rc)
		return rc;
	unsigned n = 0, placed = 0;
	for (unsigned i = 0; i < TREE_LEAF_MAX; i++) {
		unsigned at = order[i];
		struct moved old = {l->record[at], l->digest[at], l->fingerprint[at]};
		if (!placed && (rc = goes_before(t, new, key, tag, &old)) != 0) {
			if (rc < 0)
				return rc;
			out[n++] = *new;
			placed = 1;
		}
		out[n++] = old;
	}
	if (!placed)
		out[n] = *new;
	return 0;
}

static int split_leaf(struct tree *t, const struct path *path, const struct leaf *l, const struct added *a,
	struct split *out)
{
	size_t prefix = l->prefix_size;
	struct moved new = {a->ref, digest_of(a->key, prefix), fingerprint_of(a->key)};
	if (!path->high && atomic_load_explicit(&l->sorted, memory_order_relaxed) == TREE_LEAF_MAX &&
		leaf_ascends(t, l, TREE_LEAF_MAX, a->key, a->tag)) {
		*out = (struct split){.left = path->leaf, .separator = new.record};
		return leaf_of(t, &new, 1, prefix, new.record, 0, &out->right);
	}
	struct moved all[TREE_LEAF_MAX + 1];
	int rc = leaf_entries(t, l, &new, a->key, a->tag, all);
	if (rc)
		return rc;
	unsigned n = TREE_LEAF_MAX + 1, half = n / 2;
	uint32_t middle = all[half].record;
	out->separator = middle;
	rc = leaf_of(t, all, half, prefix, path->low, middle, &out->left);
	return rc ? rc : leaf_of(t, all + half, n - half, prefix, middle, path->high, &out->right);
}

/* What the first and the last of the separators have in common. SIZE_MAX: damage. */
static size_t separators_prefix(const struct tree *t, const struct moved *separator, unsigned n)
{
	const struct tree_record *first = record_at(t, separator[0].record);
	const struct tree_record *last = record_at(t, separator[n - 1].record);
	if (first && last)
		return common_prefix(first, last);
	damaged();
	return SIZE_MAX;
}

/* separator[i] stands between child[i] and child[i + 1]. Their digests are those of `from` (NULL: behind no prefix), and all of
 * them have its prefix in common, if `within`. */
static int inner_of(struct tree *t, unsigned level, const uint32_t *child, struct moved *separator, unsigned children,
	const struct inner *from, bool within, uint32_t *ref)
{
	size_t was = from ? from->prefix_size : 0;
	struct inner *in = node_new(t, sizeof(*in));
	if (!in)
		return no_node(t);
	*ref = ref_of(t, in);
	in->level = (uint8_t)level;
	in->count = (uint8_t)children;
	for (unsigned i = 0; i < children; i++)
		atomic_store_explicit(&in->child[i], child[i], memory_order_relaxed);
	if (children < 2)
		return 0;
	size_t prefix = within && !digests_tie(separator, children - 1)
				? was
				: separators_prefix(t, separator, children - 1);
	if (prefix == SIZE_MAX || redigest_all(t, separator, children - 1, was, prefix))
		return SST_ECORRUPT;
	in->prefix_size = (uint16_t)prefix;
	if (within && prefix == was) {
		in->prefix_end = from ? from->prefix_end : 0;
	} else if (prefix) {
		const struct tree_record *first = record_at(t, separator[0].record);
		if (!first)
			return damaged();
		in->prefix_end = prefix_end(tree_record_key(first), prefix);
	}
	for (unsigned i = 0; i + 1 < children; i++) {
		in->separator[i] = separator[i].record;
		in->digest[i] = separator[i].digest;
	}
	return 0;
}

/* Puts a split child into a copy of its parent. 0: *out->left is the copy and takes the parent's place; SST_NO: the
 * parent was full and became two, *out is the split to put into its own parent. */
static int split_inner(struct tree *t, const struct inner *in, unsigned c, const struct split *below, struct split *out)
{
	uint32_t child[INNER_MAX + 1];
	struct moved separator[INNER_MAX] = {0};
	size_t prefix = in->prefix_size;
	unsigned n = in->count;
	for (unsigned i = 0, j = 0; i < n; i++) {
		if (i == c) {
			child[j++] = below->left;
			separator[j - 1].record = below->separator;
			if (redigest(t, &separator[j - 1], prefix))
				return SST_ECORRUPT;
			child[j++] = below->right;
		} else {
			child[j++] = atomic_load_explicit(&in->child[i], memory_order_relaxed);
		}
		if (i + 1 < n)
			separator[j - 1] = (struct moved){in->separator[i], in->digest[i], 0};
	}
	n++;
	/* A new first or last separator may be outside of what the others have in common. */
	bool within = c > 0 && c + 2 < n;
	if (n <= INNER_MAX)
		return inner_of(t, in->level, child, separator, n, in, within, &out->left);
	/* Appending at the right edge leaves the left node full, as the leaves are. */
	unsigned half = c == in->count - 1u && below->left == atomic_load_explicit(&in->child[c], memory_order_relaxed)
				? n - 1
				: n / 2;
	out->separator = separator[half - 1].record;
	int rc = inner_of(t, in->level, child, separator, half, in, within, &out->left);
	if (!rc)
		rc = inner_of(t, in->level, child + half, separator + half, n - half, in, within, &out->right);
	return rc ? rc : SST_NO;
}

static int insert_by_split(struct tree *t, const struct path *path, const struct leaf *l, const struct added *a)
{
	struct split s;
	int rc = split_leaf(t, path, l, a, &s);
	if (rc)
		return rc;
	for (unsigned d = path->depth; d-- > 0;) {
		const struct inner *in = inner_at(t, path->step[d].node);
		if (!in)
			return damaged();
		rc = split_inner(t, in, path->step[d].child, &s, &s);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			_Atomic uint32_t *slot = &t->header->root;
			if (d) {
				struct inner *above = at(t, path->step[d - 1].node, sizeof(*above));
				if (!above)
					return damaged();
				slot = &above->child[path->step[d - 1].child];
			}
			KILL_POINT("tree-split-made");
			atomic_store_explicit(slot, s.left, memory_order_release);
			KILL_POINT("tree-split-published");
			return 0;
		}
	}
	if (path->depth == TREE_DEPTH_MAX)
		return fail(SST_EFULL, "memtable tree is too deep");
	uint32_t child[2] = {s.left, s.right};
	struct moved separator = {.record = s.separator};
	uint32_t root;
	rc = redigest(t, &separator, 0);
	if (!rc)
		rc = inner_of(t, path->depth + 1, child, &separator, 2, NULL, false, &root);
	if (rc)
		return rc;
	KILL_POINT("tree-root-made");
	atomic_store_explicit(&t->header->root, root, memory_order_release);
	return 0;
}

/* ---------------------------------------------------------------- insert and get */

static void count_entry(struct tree_header *h, uint64_t tag, uint64_t bytes)
{
	bool deletion = tag_type(tag) == TYPE_DELETION;
	atomic_store_explicit(&h->entries, atomic_load_explicit(&h->entries, memory_order_relaxed) + 1,
		memory_order_release); /* who sees it sees the leaf's count, too */
	atomic_store_explicit(&h->raw_bytes, atomic_load_explicit(&h->raw_bytes, memory_order_relaxed) + bytes,
		memory_order_relaxed);
	if (deletion)
		atomic_store_explicit(&h->deletions, atomic_load_explicit(&h->deletions, memory_order_relaxed) + 1,
			memory_order_relaxed);
}

/* Is exactly (key, tag) among the first n entries? < 0: damage. */
static int leaf_has(const struct tree *t, const struct leaf *l, unsigned n, struct sst_slice key, uint64_t tag)
{
	for (uint64_t m = leaf_matches(l, n, key); m; m &= m - 1) {
		const struct tree_record *r = record_at(t, l->record[__builtin_ctzll(m)]);
		if (!r)
			return damaged();
		if (r->tag == tag && slice_eq(tree_record_key(r), key))
			return 1;
	}
	return 0;
}

static void leaf_append(struct leaf *l, unsigned n, const struct added *a, bool ascends)
{
	leaf_fill(l, n, a->key, a->ref);
	KILL_POINT("tree-filled");
	atomic_store_explicit(&l->count, (uint8_t)(n + 1), memory_order_release);
	KILL_POINT("tree-counted");
	if (ascends)
		atomic_store_explicit(&l->sorted, (uint8_t)(n + 1), memory_order_release);
}

/* The same, in the same order, by writing to the segment's file; l is a copy. */
static int leaf_write(const struct tree *t, uint64_t offset, const struct leaf *l, unsigned n, const struct added *a,
	bool ascends)
{
	uint8_t fingerprint = fingerprint_of(a->key), count = (uint8_t)(n + 1);
	uint32_t digest = digest_of(a->key, l->prefix_size);
	int rc = window_write(t->window, offset + offsetof(struct leaf, fingerprint) + n, &fingerprint, 1);
	if (!rc)
		rc = window_write(t->window, offset + offsetof(struct leaf, digest) + n * sizeof(digest), &digest, 4);
	if (!rc)
		rc = window_write(t->window, offset + offsetof(struct leaf, record) + n * sizeof(a->ref), &a->ref, 4);
	KILL_POINT("tree-filled");
	if (!rc)
		rc = window_write(t->window, offset + offsetof(struct leaf, count), &count, 1);
	KILL_POINT("tree-counted");
	if (!rc && ascends)
		rc = window_write(t->window, offset + offsetof(struct leaf, sorted), &count, 1);
	return rc;
}

static int link_added(struct tree *t, const struct added *a)
{
	struct path path;
	int rc = descend(t, a->key, a->tag, &path);
	if (rc)
		return rc;
	struct leaf *l = path.to;
	unsigned n = leaf_count(l);
	rc = leaf_has(t, l, n, a->key, a->tag);
	if (rc)
		return rc < 0 ? rc : 0;
	if (n < TREE_LEAF_MAX) {
		bool ascends = atomic_load_explicit(&l->sorted, memory_order_relaxed) == n &&
			       leaf_ascends(t, l, n, a->key, a->tag);
		if (!t->base)
			rc = leaf_write(t, (uint64_t)path.leaf * 8, l, n, a, ascends);
		if (!rc) /* for the next record the copy of a leaf must be as its original is */
			leaf_append(l, n, a, ascends);
	} else {
		rc = t->base ? insert_by_split(t, &path, l, a) : SST_NO;
	}
	if (!rc)
		count_entry(t->header, a->tag, a->bytes);
	return rc;
}

int tree_has_room(const struct tree *t, struct sst_slice key, uint64_t tag, size_t count)
{
	struct path path;
	int rc = descend(t, key, tag, &path);
	if (rc)
		return rc;
	return leaf_count(path.to) + count <= TREE_LEAF_MAX ? 0 : SST_NO;
}

int tree_run_take(struct tree *t, const struct buf *run, uint64_t *offset)
{
	*offset = arena_take(t, run->size, RECORD_ALIGN);
	return *offset ? 0 : SST_EFULL;
}

int tree_run_link(struct tree *t, const struct buf *run, uint64_t offset, size_t *done)
{
	int rc = 0;
	while (!rc && *done < run->size) {
		const struct tree_record *r = (const void *)(run->data + *done);
		struct added a = {tree_record_key(r), r->tag, (size_t)r->key_size + r->value_size,
			(uint32_t)((offset + *done) / 8)};
		rc = link_added(t, &a);
		if (!rc)
			*done += record_size(r);
	}
	return rc;
}

int tree_insert(struct tree *t, struct sst_slice key, uint64_t tag, struct sst_slice value)
{
	uint64_t offset = arena_take(t, RECORD_HEADER + key.size + value.size, RECORD_ALIGN);
	if (!offset)
		return SST_EFULL;
	record_make((void *)(t->base + offset), key, tag, value);
	KILL_POINT("tree-record");
	struct added a = {key, tag, key.size + value.size, (uint32_t)(offset / 8)};
	return link_added(t, &a);
}

int tree_get(const struct tree *t, struct sst_slice key, uint64_t snapshot, const struct tree_record **found)
{
	uint64_t limit = tag_make(snapshot, TYPE_SEEK);
	struct path path;
	int rc = descend(t, key, limit, &path);
	if (rc)
		return rc;
	const struct leaf *l = path.to;
	const struct tree_record *best = NULL;
	uint32_t ref = 0;
	for (uint64_t m = leaf_matches(l, leaf_count(l), key); m; m &= m - 1) {
		uint32_t i = l->record[__builtin_ctzll(m)];
		const struct tree_record *r = record_at(t, i);
		if (!r)
			return damaged();
		if (r->tag <= limit && (!best || r->tag > best->tag) && slice_eq(tree_record_key(r), key)) {
			best = r;
			ref = i;
		}
	}
	if (!best && path.high) { /* the versions of one key may go on in the next leaf, which its separator begins */
		const struct tree_record *r = record_at(t, path.high);
		if (!r)
			return damaged();
		if (slice_eq(tree_record_key(r), key)) {
			best = r;
			ref = path.high;
		}
	}
	if (!best)
		return SST_NO;
	if (!t->base && !(best = read_record(t, (uint64_t)ref * 8, true)))
		return damaged();
	*found = best;
	return tree_record_check(best);
}

/* ---------------------------------------------------------------- walk */

/* The child of the lowest inner node on the path, `step` further; 0: none there. */
static uint32_t walk_sibling(const struct tree_walk *w, uint32_t step)
{
	if (!w->depth)
		return 0;
	const struct inner *in = inner_at(&w->tree, w->path[w->depth - 1].node);
	uint32_t c = w->path[w->depth - 1].child + step;
	return in && c < in->count ? atomic_load_explicit(&in->child[c], memory_order_relaxed) : 0;
}

/* Records lie where they arrived, so a walk in order finds none of them in the cache. Their memory is asked for one
 * leaf ahead, and that leaf itself one leaf before. */
INLINE void walk_prefetch(const struct tree_walk *w)
{
	uint32_t second = walk_sibling(w, 2);
	const struct leaf *next = leaf_at(&w->tree, walk_sibling(w, 1));
	if (second)
		prefetch_node(&w->tree, second, 0);
	if (!next || next->level)
		return;
	for (unsigned i = 0, n = leaf_count(next); i < n; i++) {
		const uint8_t *p = w->tree.base + (uint64_t)next->record[i] * 8;
		__builtin_prefetch(p);
		__builtin_prefetch(p + 64);
		__builtin_prefetch(p + 128);
	}
}

/* Loads the entries of a leaf that the snapshot sees, in order. */
static int walk_load(struct tree_walk *w, uint32_t ref)
{
	const struct leaf *l = leaf_below(&w->tree, ref, w->depth);
	if (!l)
		return damaged();
	unsigned n = leaf_count(l);
	walk_prefetch(w);
	uint8_t order[TREE_LEAF_MAX];
	int rc = leaf_order(&w->tree, l, n, order);
	if (rc)
		return rc;
	w->count = 0;
	for (unsigned i = 0; i < n; i++) {
		const struct tree_record *r = record_at(&w->tree, l->record[order[i]]);
		if (!r)
			return damaged();
		if (tag_sequence(r->tag) <= w->snapshot)
			w->entries[w->count++] = r;
	}
	return 0;
}

/* Goes down from `node` along the first or the last children and loads the leaf there. */
static int walk_down(struct tree_walk *w, uint32_t node, bool last)
{
	unsigned level = node_level(&w->tree, node);
	for (; level; level--) {
		const struct inner *in = inner_at(&w->tree, node);
		if (!in || in->level != level || w->depth == TREE_DEPTH_MAX)
			return damaged();
		uint32_t c = last ? in->count - 1u : 0;
		w->path[w->depth].node = node;
		w->path[w->depth++].child = c;
		node = atomic_load_explicit(&in->child[c], memory_order_acquire);
	}
	return walk_load(w, node);
}

/* The neighbouring leaf, SST_NO when there is none. */
static int walk_step(struct tree_walk *w, bool back)
{
	while (w->depth) {
		const struct inner *in = inner_at(&w->tree, w->path[w->depth - 1].node);
		if (!in)
			return damaged();
		uint32_t *c = &w->path[w->depth - 1].child;
		if (back ? *c > 0 : *c + 1 < in->count) {
			*c += back ? UINT32_MAX : 1;
			return walk_down(w, atomic_load_explicit(&in->child[*c], memory_order_acquire), back);
		}
		w->depth--;
	}
	w->count = 0;
	return SST_NO;
}

static int walk_settle(struct tree_walk *w, int rc, bool back)
{
	while (rc == 0 && w->count == 0)
		rc = walk_step(w, back);
	w->at = rc == 0 && back ? w->count - 1 : 0;
	return rc;
}

static int walk_edge(struct tree_walk *w, bool last)
{
	w->depth = 0;
	int rc = walk_down(w, atomic_load_explicit(&w->tree.header->root, memory_order_acquire), last);
	return walk_settle(w, rc, last);
}

int tree_walk_first(struct tree_walk *w)
{
	return walk_edge(w, false);
}

int tree_walk_last(struct tree_walk *w)
{
	return walk_edge(w, true);
}

int tree_walk_seek(struct tree_walk *w, struct sst_slice key, uint64_t tag)
{
	struct path path;
	int rc = descend(&w->tree, key, tag, &path);
	if (rc)
		return rc;
	w->depth = path.depth;
	for (unsigned i = 0; i < path.depth; i++) {
		w->path[i].node = path.step[i].node;
		w->path[i].child = path.step[i].child;
	}
	rc = walk_load(w, path.leaf);
	if (rc)
		return rc;
	unsigned lo = 0, hi = w->count;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		if (entry_cmp(key, tag, w->entries[mid]) > 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	w->at = lo;
	return lo < w->count ? 0 : walk_settle(w, walk_step(w, false), false);
}

int tree_walk_next(struct tree_walk *w)
{
	return ++w->at < w->count ? 0 : walk_settle(w, walk_step(w, false), false);
}

int tree_walk_prev(struct tree_walk *w)
{
	if (w->at) {
		w->at--;
		return 0;
	}
	return walk_settle(w, walk_step(w, true), true);
}
