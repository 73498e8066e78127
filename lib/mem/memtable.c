/* SPDX-License-Identifier: MIT */
/*
 *     0     header: magic, layout, token, generation, tree header
 *     4096  arena: nodes and records
 *
 * The segment's file has its full size from the beginning; what is backed grows in steps, each secured by
 * memtable_reserve() before the write-ahead log is touched. `layout` encodes the sizes of everything that is
 * shared: a program built otherwise finds another number and stays away.
 */
#include "mem/memtable.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/status.h"
#include "mem/window.h"
#include "os/kill_point.h"

#define MEMTABLE_MAGIC UINT64_C(0x31656c626174656d) /* "metable1" */
#define ARENA_START 4096
#define COMMIT_STEP (UINT64_C(2) << 20)
#define COMMIT_FIRST (UINT64_C(128) << 10)
/* A shorter run is copied through the mapping. */
#define RUN_WRITE_MIN 2048
/* Lookups through a window until it is mapped. A lookup touches two pages for the first time, or makes a dozen reads. */
#define WINDOW_LOOKUPS 64
/* Records of one write that are inserted through a window. */
#define WINDOW_INSERTS 8
#define SEGMENT_MAX (UINT64_C(32) << 30) /* what 32-bit references reach */

struct memtable_header {
	uint64_t magic;
	uint32_t layout;
	uint32_t reserved;
	uint8_t token[TOKEN_SIZE];
	uint64_t generation;
	_Alignas(64) struct tree_header tree;
};

#define LAYOUT ((uint32_t)(sizeof(struct memtable_header) << 16 | sizeof(struct tree_record) << 8 | 3))
_Static_assert(sizeof(struct memtable_header) <= ARENA_START, "the header has a page of its own");

uint64_t memtable_segment_size(uint64_t limit, uint64_t commit)
{
	/* The file is sparse: being generous costs nothing. */
	uint64_t size = 2 * limit + 4 * commit + (UINT64_C(64) << 20);
	return size > SEGMENT_MAX ? SEGMENT_MAX : (size + COMMIT_STEP - 1) & ~(COMMIT_STEP - 1);
}

uint64_t memtable_commit_for(uint64_t bytes, uint64_t n)
{
	uint64_t need = n ? ARENA_START + tree_bound(1, bytes, n) : 0;
	return (need + COMMIT_FIRST - 1) / COMMIT_FIRST * COMMIT_FIRST + (need ? 0 : COMMIT_FIRST);
}

static void bind(struct memtable *m, struct segment *s, uint64_t generation)
{
	*m = (struct memtable){.segment = *s, .generation = generation};
	struct memtable_header *h = (void *)m->segment.base;
	m->tree = (struct tree){.base = m->segment.base, .header = &h->tree, .mapped = m->segment.size};
	*s = (struct segment){.fd = -1};
}

int memtable_format(struct memtable *m, struct segment *s, uint64_t commit, const uint8_t token[TOKEN_SIZE],
	uint64_t generation)
{
	bind(m, s, generation);
	struct memtable_header *h = (void *)m->segment.base;
	h->layout = LAYOUT;
	memcpy(h->token, token, TOKEN_SIZE);
	h->generation = generation;
	atomic_store_explicit(&h->tree.used, ARENA_START, memory_order_relaxed);
	atomic_store_explicit(&h->tree.committed, commit, memory_order_relaxed);
	int rc = tree_format(&m->tree);
	h->magic = MEMTABLE_MAGIC;
	if (rc)
		memtable_close(m);
	return rc;
}

#define TREE_HEADER offsetof(struct memtable_header, tree)

static bool header_is(const struct memtable_header *h, const uint8_t token[TOKEN_SIZE], uint64_t generation, uint64_t size)
{
	return h->magic == MEMTABLE_MAGIC && h->layout == LAYOUT && !memcmp(h->token, token, TOKEN_SIZE) &&
	       h->generation == generation && size <= SEGMENT_MAX &&
	       atomic_load_explicit(&h->tree.committed, memory_order_relaxed) <= size;
}

static int attach(struct memtable *m, struct segment *s, const uint8_t token[TOKEN_SIZE], uint64_t generation)
{
	struct memtable_header h;
	*m = (struct memtable){.segment = *s, .generation = generation, .window = window_new(s)};
	*s = (struct segment){.fd = -1};
	if (!m->window)
		return fail_memory();
	m->tree = (struct tree){.header = window_header(m->window), .mapped = m->segment.size, .window = m->window};
	int rc = segment_read(&m->segment, 0, &h, sizeof(h));
	if (rc || header_is(&h, token, generation, m->segment.size))
		return rc;
	return fail(SST_ECORRUPT, "memtable segment of generation %llu is not what it should be",
		(unsigned long long)generation);
}

int memtable_attach(struct memtable *m, struct segment *s, const uint8_t token[TOKEN_SIZE], uint64_t generation)
{
	int rc = attach(m, s, token, generation);
	if (rc)
		memtable_close(m);
	return rc;
}

int memtable_map(struct memtable *m)
{
	if (m->segment.base)
		return 0;
	int rc = segment_map(&m->segment);
	if (rc)
		return rc;
	window_free(m->window);
	struct segment s = m->segment;
	bind(m, &s, m->generation);
	return 0;
}

#define WARM_PIECES 16
#define WARM_PIECE_MIN (UINT64_C(4) << 20)

struct warm {
	struct pool_job job;
	struct segment *segment;
	uint64_t from, to;
};

static void warm_run(struct pool_job *job, unsigned worker)
{
	struct warm *w = (struct warm *)job;
	(void)worker;
	segment_warm(w->segment, w->from, w->to);
}

static void warm_by_pool(struct segment *s, uint64_t size, struct pool *pool)
{
	struct warm all[WARM_PIECES];
	unsigned n = 0;
	uint64_t piece = size / WARM_PIECES > WARM_PIECE_MIN ? size / WARM_PIECES : WARM_PIECE_MIN;
	piece = (piece + COMMIT_STEP - 1) & ~(COMMIT_STEP - 1); /* whole huge pages */
	for (uint64_t from = 0; from < size; from += piece, n++) {
		all[n] = (struct warm){{.run = warm_run}, s, from, size - from < piece ? size : from + piece};
		pool_submit(pool, &all[n].job);
	}
	while (n)
		pool_wait(pool, &all[--n].job);
}

void memtable_warm(struct memtable *m, struct pool *pool)
{
	uint64_t used = memtable_used(m);
	if (m->segment.fd < 0 || used > m->segment.size || segment_cut(&m->segment))
		return;
	if (pool)
		warm_by_pool(&m->segment, used, pool);
	else
		segment_warm(&m->segment, 0, used);
}

int memtable_refresh(struct memtable *m)
{
	return m->window ? window_renew(m->window, TREE_HEADER) : 0;
}

/* A header field of one that is not mapped goes to the file. */
static int write_header(struct memtable *m, size_t from, size_t to)
{
	const uint8_t *h = (const void *)m->tree.header;
	return m->window ? window_write(m->window, TREE_HEADER + from, h + from, to - from) : 0;
}

int memtable_prepare(struct memtable *m, struct sst_slice key, uint64_t tag, size_t count)
{
	if (!m->window)
		return 0;
	m->lookups++;
	if (count > WINDOW_INSERTS || m->lookups > WINDOW_LOOKUPS)
		return memtable_map(m);
	int rc = tree_has_room(&m->tree, key, tag, count);
	return rc == SST_NO ? memtable_map(m) : rc == SST_ECORRUPT && window_error(m->window) ? window_error(m->window) : rc;
}

/* Everything that can fail here leaves the segment as sound as it was: insert_mapped takes it from there. */
static int insert_window(struct memtable *m, const struct buf *run, uint64_t offset, size_t *done)
{
	/* That the room is taken must be known before anything refers to it. */
	int rc = write_header(m, offsetof(struct tree_header, used), offsetof(struct tree_header, committed));
	if (!rc)
		rc = segment_write(&m->segment, offset, run->data, run->size);
	KILL_POINT("memtable-run");
	if (!rc)
		rc = tree_run_link(&m->tree, run, offset, done);
	if (!rc)
		rc = write_header(m, offsetof(struct tree_header, entries), offsetof(struct tree_header, root));
	return rc;
}

/* Nobody else changes these while we hold the writer lock: what we counted up to now is right. */
static void header_restore(struct tree_header *to, const struct tree_header *from)
{
	atomic_store_explicit(&to->used, from->used, memory_order_relaxed);
	atomic_store_explicit(&to->entries, from->entries, memory_order_relaxed);
	atomic_store_explicit(&to->deletions, from->deletions, memory_order_relaxed);
	atomic_store_explicit(&to->raw_bytes, from->raw_bytes, memory_order_relaxed);
}

static int insert_mapped(struct memtable *m, const struct buf *run, uint64_t offset, size_t *done)
{
	if (m->window) {
		struct tree_header counted = *m->tree.header;
		int rc = memtable_map(m);
		if (rc)
			return rc;
		header_restore(m->tree.header, &counted);
	}
	bool written = run->size >= RUN_WRITE_MIN && m->segment.fd >= 0 &&
		       segment_write(&m->segment, offset, run->data, run->size) == 0;
	if (!written)
		memcpy(m->segment.base + offset, run->data, run->size);
	KILL_POINT("memtable-run");
	return tree_run_link(&m->tree, run, offset, done);
}

int memtable_insert(struct memtable *m, const struct buf *run)
{
	uint64_t offset;
	size_t done = 0;
	/* Writing to the file would make it longer again, with a hole full of zeros. */
	if ((m->window || run->size >= RUN_WRITE_MIN) && segment_cut(&m->segment))
		return fail(SST_EBUSY, "the shared memory was cut short while in use (nothing acknowledged is lost): try again");
	int rc = tree_run_take(&m->tree, run, &offset);
	if (rc)
		return rc;
	return m->window && insert_window(m, run, offset, &done) == 0 ? 0 : insert_mapped(m, run, offset, &done);
}

int memtable_get(struct memtable *m, struct sst_slice key, uint64_t snapshot, const struct tree_record **found)
{
	int rc = m->window && ++m->lookups > WINDOW_LOOKUPS ? memtable_map(m) : 0;
	if (rc)
		return rc;
	if (!m->window)
		return tree_get(&m->tree, key, snapshot, found);
	rc = memtable_refresh(m);
	if (rc)
		return rc;
	rc = tree_get(&m->tree, key, snapshot, found);
	int trouble = rc == SST_ECORRUPT ? window_error(m->window) : 0;
	return trouble ? trouble : rc;
}

void memtable_close(struct memtable *m)
{
	window_free(m->window);
	segment_close(&m->segment);
	*m = (struct memtable){.segment.fd = -1};
}

int memtable_reserve(struct memtable *m, uint64_t bytes, uint64_t n)
{
	struct tree_header *h = m->tree.header;
	uint64_t need = atomic_load_explicit(&h->used, memory_order_relaxed) +
			tree_bound(atomic_load_explicit(&h->leaves, memory_order_relaxed), bytes, n);
	uint64_t have = atomic_load_explicit(&h->committed, memory_order_relaxed);
	if (need <= have)
		return 0;
	uint64_t to = (need + COMMIT_STEP - 1) & ~(COMMIT_STEP - 1);
	if (to > m->segment.size)
		return SST_NO;
	int rc = segment_commit(&m->segment, have, to);
	if (rc)
		return rc;
	KILL_POINT("memtable-committed");
	if (m->segment.base && to - have >= COMMIT_STEP && bytes < RUN_WRITE_MIN) /* a long run goes another way */
		segment_warm(&m->segment, (have + COMMIT_STEP - 1) & ~(COMMIT_STEP - 1), to);
	atomic_store_explicit(&h->committed, to, memory_order_release);
	return write_header(m, offsetof(struct tree_header, committed), offsetof(struct tree_header, entries));
}

uint64_t memtable_used(const struct memtable *m)
{
	return atomic_load_explicit(&m->tree.header->used, memory_order_relaxed);
}

uint64_t memtable_entries(const struct memtable *m)
{
	return atomic_load_explicit(&m->tree.header->entries, memory_order_relaxed);
}

uint64_t memtable_bytes(const struct memtable *m)
{
	return atomic_load_explicit(&m->tree.header->raw_bytes, memory_order_relaxed);
}

/* ---------------------------------------------------------------- iterator */

struct memtable_iter {
	struct iter iter;
	struct tree_walk walk;
	struct buf key;
};

/* Shows the walk's entry. The internal key is put together in a buffer: the record keeps its parts apart. */
static int show(struct memtable_iter *it, int rc)
{
	if (rc)
		return rc;
	const struct tree_record *r = it->walk.entries[it->walk.at];
	rc = tree_record_check(r);
	if (rc)
		return rc;
	it->key.size = 0;
	put_ikey(&it->key, tree_record_key(r), r->tag);
	it->iter.key = buf_slice(&it->key);
	it->iter.value = tree_record_value(r);
	return buf_check(&it->key);
}

static int seek_first(struct iter *i)
{
	struct memtable_iter *it = (struct memtable_iter *)i;
	return show(it, tree_walk_first(&it->walk));
}

static int seek_last(struct iter *i)
{
	struct memtable_iter *it = (struct memtable_iter *)i;
	return show(it, tree_walk_last(&it->walk));
}

static int seek(struct iter *i, struct sst_slice ikey)
{
	struct memtable_iter *it = (struct memtable_iter *)i;
	return show(it, tree_walk_seek(&it->walk, ikey_user(ikey), ikey_tag(ikey)));
}

static int next(struct iter *i)
{
	struct memtable_iter *it = (struct memtable_iter *)i;
	return show(it, tree_walk_next(&it->walk));
}

static int prev(struct iter *i)
{
	struct memtable_iter *it = (struct memtable_iter *)i;
	return show(it, tree_walk_prev(&it->walk));
}

static void release(struct iter *i)
{
	struct memtable_iter *it = (struct memtable_iter *)i;
	buf_release(&it->key);
	free(it);
}

static const struct iter_ops memtable_iter_ops = {seek_first, seek_last, seek, next, prev, release};

struct iter *memtable_iter_new(const struct memtable *m, uint64_t snapshot)
{
	struct memtable_iter *it = calloc(1, sizeof(*it));
	if (!it)
		return NULL;
	it->iter.ops = &memtable_iter_ops;
	it->walk.tree = m->tree;
	it->walk.snapshot = snapshot;
	return &it->iter;
}
