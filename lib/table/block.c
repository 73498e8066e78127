/* SPDX-License-Identifier: MIT */
#include "table/block.h"

#include "base/status.h"

#define COUNT_HASH_INDEX (UINT32_C(1) << 31)
#define COUNT_RESERVED (UINT32_C(1) << 30)
#define COUNT_APART (UINT32_C(1) << 28)
#define COUNT_MASK (COUNT_APART - 1)

static inline uint32_t restart_offset(const struct block *b, uint32_t i)
{
	return load32(b->restarts + (size_t)i * 4);
}

/* ---------------------------------------------------------------- opening */

/* Takes the words behind the entries off the end of *in, but for the restarts. */
static int take_tail(struct block *b, struct sst_slice *in)
{
	if (in->size < 4 || in->size > UINT32_MAX)
		return fail(SST_ECORRUPT, "block of %zu bytes", in->size);
	in->size -= 4;
	uint32_t word = load32(in->data + in->size);
	b->count = word & COUNT_MASK;
	if (word & COUNT_APART) {
		if (in->size < 4)
			return fail(SST_ECORRUPT, "block too short for what it says");
		in->size -= 4;
		b->values = load32(in->data + in->size);
		b->values_end = 1;
	}
	if (word & COUNT_HASH_INDEX) {
		size_t n = in->size < 2 ? SIZE_MAX - 2 : load16(in->data + in->size - 2);
		if (in->size < n + 2)
			return fail(SST_ECORRUPT, "block too short for its hash index");
		in->size -= n + 2;
	}
	if (b->count > in->size / 4)
		return fail(SST_ECORRUPT, "%u restarts in a block of %zu bytes", b->count, in->size);
	/* Last, since damage is the likelier cause of all these bits together. */
	if (word & COUNT_RESERVED || (word & COUNT_APART && !(b->flags & BLOCK_DATA)))
		return fail(SST_EUNSUPPORTED, "block with unknown flags %x", word >> 28);
	return 0;
}

static int check_restarts(const struct block *b)
{
	if (!b->count)
		return b->size ? fail(SST_ECORRUPT, "entries but no restarts") : 0;
	uint32_t last = restart_offset(b, 0);
	if (last)
		return fail(SST_ECORRUPT, "first restart is at %u", last);
	for (uint32_t i = 1; i < b->count; i++) {
		uint32_t offset = restart_offset(b, i);
		if (offset <= last || offset >= b->size)
			return fail(SST_ECORRUPT, "restart %u is at %u", i, offset);
		last = offset;
	}
	return 0;
}

int block_open(struct block *b, struct sst_slice contents, unsigned flags, enum key_order order)
{
	*b = (struct block){.data = contents.data, .flags = flags, .order = order};
	int rc = take_tail(b, &contents);
	if (rc)
		return rc;
	contents.size -= (size_t)b->count * 4;
	b->restarts = contents.data + contents.size;
	b->size = (uint32_t)contents.size;
	if (b->values_end) {
		if (b->values > b->size)
			return fail(SST_ECORRUPT, "values at %u, behind the block's end", b->values);
		b->values_end = b->size;
		b->size = b->values;
	}
	return check_restarts(b);
}

/* ---------------------------------------------------------------- entries */

/* What stands in front of a key's suffix; `in` is then at the suffix. */
struct entry {
	uint32_t shared, unshared, value_length;
	struct sst_slice in;
};

static int fail_entry(const struct block_iter *it)
{
	return fail(SST_ECORRUPT, "malformed entry at %u", it->next);
}

static inline bool take_lengths(struct sst_slice *in, bool delta, struct entry *e)
{
	const uint8_t *p = in->data;
	if (in->size >= 3 && !delta && (p[0] | p[1] | p[2]) < 0x80) {
		e->shared = p[0];
		e->unshared = p[1];
		e->value_length = p[2];
		*in = slice_skip(*in, 3);
		return true;
	}
	e->value_length = 0;
	return get_varint32(in, &e->shared) && get_varint32(in, &e->unshared) &&
	       (delta || get_varint32(in, &e->value_length));
}

/* The length of a value without a length. `rest` begins with the value. */
static bool delta_length(const struct block *b, const struct entry *e, struct sst_slice rest, uint32_t *length)
{
	struct sst_slice in = rest, key;
	struct block_handle h;
	int64_t delta;
	if (e->shared ? !get_varint_signed(&in, &delta) : !get_handle(&in, &h))
		return false;
	if (b->flags & BLOCK_FIRST_KEY && !get_slice(&in, &key))
		return false;
	*length = (uint32_t)(rest.size - in.size);
	return true;
}

/* The tag of the key that e makes, whose first bytes may be shared. */
static uint64_t entry_tag(const struct block_iter *it, const struct entry *e)
{
	uint8_t tag[IKEY_TAG_SIZE];
	size_t shared = e->unshared < IKEY_TAG_SIZE ? IKEY_TAG_SIZE - e->unshared : 0;
	memcpy(tag, it->bytes.data + e->shared - shared, shared);
	memcpy(tag + shared, e->in.data + e->unshared - (IKEY_TAG_SIZE - shared), IKEY_TAG_SIZE - shared);
	return load64(tag);
}

/* Compares the key in `bytes` with the one that e makes, without looking at what they share: a key can be long, and
 * have thousands of followers of one byte each. */
static int compare_next(const struct block_iter *it, const struct entry *e)
{
	size_t tag = it->b->flags & BLOCK_TAGGED ? IKEY_TAG_SIZE : 0;
	size_t old = it->bytes.size - tag, new = e->shared + (size_t)e->unshared - tag;
	size_t common = e->shared < old ? e->shared : old;
	if (new < common)
		common = new;
	struct sst_slice a = slice_of(it->bytes.data + common, old - common);
	struct sst_slice b = slice_of(e->in.data, new - common); /* not looked into where a is empty */
	int c = order_cmp_user(it->b->order, a, b);
	return c || !tag ? c : tag_cmp(ikey_tag(buf_slice(&it->bytes)), entry_tag(it, e));
}

/* Mostly the first byte behind what is shared decides. */
static inline int check_order(struct block_iter *it, const struct entry *e)
{
	size_t tag = it->b->flags & BLOCK_TAGGED ? IKEY_TAG_SIZE : 0;
	if (it->b->order == ORDER_BYTEWISE && it->bytes.size > e->shared + tag && e->unshared > tag &&
		it->bytes.data[e->shared] < e->in.data[0])
		return 0;
	if (compare_next(it, e) >= 0)
		return fail(SST_ECORRUPT, "keys out of order at %u", it->next);
	return 0;
}

static inline int set_key(struct block_iter *it, const struct entry *e)
{
	const struct block *b = it->b;
	size_t size = (size_t)e->shared + e->unshared;
	if (b->flags & BLOCK_TAGGED && size < IKEY_TAG_SIZE)
		return fail(SST_ECORRUPT, "key of %zu bytes at %u has no room for its sequence", size, it->next);
	if (size > LSM_KEY_MAX + IKEY_TAG_SIZE)
		return fail(SST_EUNSUPPORTED, "key of %zu bytes at %u is too long", size, it->next);
	if (it->ordered) {
		int rc = check_order(it, e);
		if (rc)
			return rc;
	}
	it->bytes.size = e->shared;
	if (!buf_reserve(&it->bytes, e->unshared + (size_t)1)) /* so there are bytes even for the empty key */
		return fail_memory();
	memcpy(it->bytes.data + e->shared, e->in.data, e->unshared);
	it->bytes.size = size;
	it->key = buf_slice(&it->bytes);
	it->prefix = (uint32_t)size;
	it->ordered = b->order != ORDER_UNKNOWN;
	return 0;
}

/* Values apart: where this one lies. */
static bool find_value_apart(struct block_iter *it, struct entry *e, bool at_restart)
{
	const struct block *b = it->b;
	uint32_t offset;
	if (at_restart) {
		if (!get_varint32(&e->in, &offset) || offset > b->values_end - b->values)
			return false;
		it->value_next = b->values + offset;
	}
	if (e->value_length > b->values_end - it->value_next)
		return false;
	it->value = slice_of(b->data + it->value_next, e->value_length);
	it->value_next += e->value_length;
	return true;
}

int block_iter_next(struct block_iter *it)
{
	const struct block *b = it->b;
	if (it->next >= b->size)
		return SST_NO;
	struct entry e = {.in = slice_of(b->data + it->next, b->size - it->next)};
	bool at_restart = it->restart < b->count && it->next == restart_offset(b, it->restart);
	if (!take_lengths(&e.in, b->flags & BLOCK_DELTA, &e) || e.shared > (at_restart ? 0 : it->prefix))
		return fail_entry(it);
	if (b->values_end && !find_value_apart(it, &e, at_restart))
		return fail_entry(it);
	if (e.unshared > e.in.size)
		return fail_entry(it);
	struct sst_slice rest = slice_skip(e.in, e.unshared);
	if (b->flags & BLOCK_DELTA && !delta_length(b, &e, rest, &e.value_length))
		return fail_entry(it);
	if (!b->values_end) {
		if (e.value_length > rest.size)
			return fail_entry(it);
		it->value = slice_of(rest.data, e.value_length);
		rest = slice_skip(rest, e.value_length);
	}
	int rc = set_key(it, &e);
	if (rc)
		return rc;
	it->shared = e.shared;
	it->offset = it->next;
	it->next = (uint32_t)(rest.data - b->data);
	it->restart += at_restart;
	if (it->restart < b->count && it->next > restart_offset(b, it->restart))
		return fail(SST_ECORRUPT, "entry at %u runs over a restart", it->offset);
	return 0;
}

/* ---------------------------------------------------------------- moves */

void block_iter_start(struct block_iter *it, const struct block *b, bool in_sequence)
{
	bool ordered = in_sequence && it->ordered;
	it->b = b;
	block_iter_to_restart(it, 0);
	it->ordered = ordered;
}

void block_iter_release(struct block_iter *it)
{
	buf_release(&it->bytes);
	*it = (struct block_iter){0};
}

void block_iter_to_restart(struct block_iter *it, uint32_t i)
{
	it->offset = BLOCK_NO_ENTRY;
	it->restart = i;
	it->next = it->b->count ? restart_offset(it->b, i) : 0;
	it->prefix = 0;
	it->ordered = false;
}

void block_iter_to_run_before(struct block_iter *it, uint32_t offset)
{
	uint32_t low = 0, high = it->b->count - 1; /* restart[low] < offset */
	while (low < high) {
		uint32_t mid = low + (high - low + 1) / 2;
		if (restart_offset(it->b, mid) < offset)
			low = mid;
		else
			high = mid - 1;
	}
	block_iter_to_restart(it, low);
}

static int step_to(struct block_iter *it, uint32_t end)
{
	int rc;
	do
		rc = block_iter_next(it);
	while (!rc && it->next < end);
	return rc;
}

int block_iter_prev(struct block_iter *it)
{
	uint32_t offset = it->offset;
	if (!offset)
		return SST_NO;
	block_iter_to_run_before(it, offset);
	return step_to(it, offset);
}

int block_iter_last(struct block_iter *it)
{
	if (!it->b->size)
		return SST_NO;
	block_iter_to_run_before(it, it->b->size);
	return step_to(it, it->b->size);
}

/* The key at restart i, borrowed from the block. */
static int restart_key(const struct block *b, uint32_t i, struct sst_slice *key)
{
	uint32_t offset = restart_offset(b, i), value;
	struct entry e = {.in = slice_of(b->data + offset, b->size - offset)};
	if (!take_lengths(&e.in, b->flags & BLOCK_DELTA, &e) || e.shared ||
		(b->values_end && !get_varint32(&e.in, &value)) || e.unshared > e.in.size ||
		(b->flags & BLOCK_TAGGED && e.unshared < IKEY_TAG_SIZE))
		return fail(SST_ECORRUPT, "malformed entry at %u", offset);
	*key = slice_of(e.in.data, e.unshared);
	return 0;
}

#define PREFETCH_MIN 16 /* of fewer restarts most lie in the same lines of memory */

int block_iter_to_run(struct block_iter *it, struct sst_slice target)
{
	const struct block *b = it->b;
	uint32_t low = 0, high = b->count && b->size ? b->count - 1 : 0; /* key(low) < target, or low is 0 */
	while (low < high) {
		uint32_t mid = low + (high - low + 1) / 2;
		if (high - low > PREFETCH_MIN) { /* both places where the next look may be */
			__builtin_prefetch(b->data + restart_offset(b, low + (mid - low) / 2));
			__builtin_prefetch(b->data + restart_offset(b, mid + (high - mid + 1) / 2));
		}
		struct sst_slice key = {0};
		int rc = restart_key(b, mid, &key);
		if (rc)
			return rc;
		if (block_cmp(b, key, target) < 0)
			low = mid;
		else
			high = mid - 1;
	}
	block_iter_to_restart(it, low);
	return 0;
}

int block_iter_seek(struct block_iter *it, struct sst_slice target)
{
	int rc = block_iter_to_run(it, target);
	while (!rc && !(rc = block_iter_next(it)) && block_cmp(it->b, it->key, target) < 0)
		;
	return rc;
}
