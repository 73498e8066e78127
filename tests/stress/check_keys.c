/* SPDX-License-Identifier: MIT */
/*
 * The judge who trusts only the clock: is each key by itself a register that is written, deleted, created and read
 * atomically? A batch counts as a write to each of its keys, a scan as a read of each, both with their own times. (Sequence
 * numbers are not looked at, so this is no judge of batches and scans as a whole; check_order.c is.)
 *
 * The search is that of Wing and Gong in the form of Lowe ("Testing for linearizability", 2017), just in time: in the order
 * of time, with the set of all states in which the key may be. A state is its value, and which of the operations under
 * way have taken effect. When one is answered, every state in which it had not is followed through all orders of the others
 * that let it; states that cannot are dropped. None left: there is no order.
 *
 *  - A read that fits takes effect at once: waiting gains nothing.
 *  - A write without an answer stays under way for ever. Of two states that differ only in that one has used more of
 *    these, the other can do all that it can: it is dropped. One that all states have used is over.
 */
#include "check_history.h"

#include <stdlib.h>
#include <string.h>

#define OPEN_MAX 64    /* operations under way on one key */
#define STATES_MAX 16384
#define BUCKETS 4096
#define NONE UINT32_MAX

struct step {
	const struct op *op;
	uint64_t value; /* written or seen */
};

struct state {
	uint64_t done; /* bit for each slot of open */
	uint64_t value;
};

struct states {
	struct state *s;
	uint32_t *next; /* of those in the same bucket */
	uint32_t head[BUCKETS];
	size_t count, cap;
};

struct key {
	struct history *h;
	struct step *steps;
	size_t count;
	const struct step *open[OPEN_MAX];
	uint64_t used, died; /* slots; those of writes without an answer */
	struct states *now, *next;
	bool too_many;
};

/* ---------------------------------------------------------------- sets of states */

static bool dominates(const struct key *k, struct state a, struct state b)
{
	return a.value == b.value && (a.done & ~k->died) == (b.done & ~k->died) && (a.done & ~b.done) == 0 &&
	       a.done != b.done;
}

/* States of which one may dominate the other are in the same bucket. */
static uint32_t *bucket(const struct key *k, struct states *set, struct state s)
{
	uint64_t hash = (s.value ^ (s.done & ~k->died) * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
	return &set->head[(hash >> 40) % BUCKETS];
}

static void clear(struct states *set)
{
	set->count = 0;
	memset(set->head, 0xff, sizeof(set->head));
}

static bool is_dominated(const struct key *k, struct states *set, struct state s)
{
	for (uint32_t i = *bucket(k, set, s); i != NONE; i = set->next[i])
		if (dominates(k, set->s[i], s))
			return true;
	return false;
}

/* Or one that dominates it. */
static bool has(const struct key *k, struct states *set, struct state s)
{
	for (uint32_t i = *bucket(k, set, s); i != NONE; i = set->next[i])
		if ((set->s[i].done == s.done && set->s[i].value == s.value) || dominates(k, set->s[i], s))
			return true;
	return false;
}

static void add(struct key *k, struct states *set, struct state s)
{
	if (has(k, set, s))
		return;
	if (set->count == STATES_MAX) {
		k->too_many = true;
		return;
	}
	if (set->count == set->cap) {
		set->cap = set->cap ? 2 * set->cap : 64;
		set->s = need(reallocarray(set->s, set->cap, sizeof(*set->s)));
		set->next = need(reallocarray(set->next, set->cap, sizeof(*set->next)));
	}
	uint32_t *head = bucket(k, set, s);
	set->s[set->count] = s;
	set->next[set->count] = *head;
	*head = (uint32_t)set->count++;
}

static void swap(struct key *k)
{
	struct states *now = k->now;
	k->now = k->next;
	k->next = now;
}

static void drop_dominated(struct key *k)
{
	if (!k->died)
		return;
	clear(k->next);
	for (size_t i = 0; i < k->now->count; i++)
		if (!is_dominated(k, k->now, k->now->s[i]))
			add(k, k->next, k->now->s[i]);
	swap(k);
}

/* ---------------------------------------------------------------- taking effect */

/* Does it take effect without changing anything? */
static bool is_read(const struct step *s, uint64_t value)
{
	switch (s->op->verb) {
	case VERB_GET:
	case VERB_SCAN:
		return s->value == value;
	case VERB_REFUSED:
		return value != 0;
	default:
		return false;
	}
}

static bool can_write(const struct step *s, uint64_t value)
{
	return s->op->verb == VERB_WRITE || (s->op->verb == VERB_CREATE && !value);
}

static struct state with_reads(const struct key *k, struct state s)
{
	for (uint64_t left = k->used & ~s.done; left; left &= left - 1) {
		unsigned slot = (unsigned)__builtin_ctzll(left);
		if (is_read(k->open[slot], s.value))
			s.done |= UINT64_C(1) << slot;
	}
	return s;
}

/* Every state in which the operation in this slot has taken effect, from every one there is. */
static void follow(struct key *k, unsigned slot)
{
	uint64_t bit = UINT64_C(1) << slot;
	clear(k->next);
	for (size_t i = 0; i < k->now->count && !k->too_many; i++) { /* now grows meanwhile */
		struct state s = k->now->s[i];
		if (s.done & bit) {
			s.done &= ~bit;
			add(k, k->next, s);
			continue;
		}
		for (uint64_t left = k->used & ~s.done; left; left &= left - 1) {
			unsigned w = (unsigned)__builtin_ctzll(left);
			if (can_write(k->open[w], s.value))
				add(k, k->now,
					with_reads(k, (struct state){s.done | UINT64_C(1) << w, k->open[w]->value}));
		}
	}
	swap(k);
}

/* Slots of writes without an answer that every state has used. */
static void close_used(struct key *k)
{
	uint64_t all = k->died;
	for (size_t i = 0; i < k->now->count; i++)
		all &= k->now->s[i].done;
	for (size_t i = 0; i < k->now->count; i++)
		k->now->s[i].done &= ~all; /* (their buckets go by the others) */
	k->used &= ~all;
	k->died &= ~all;
}

/* ---------------------------------------------------------------- one key */

static bool begin(struct key *k, const struct step *s, unsigned *slot)
{
	if (k->used == UINT64_MAX)
		return false;
	*slot = (unsigned)__builtin_ctzll(~k->used);
	uint64_t bit = UINT64_C(1) << *slot;
	k->open[*slot] = s;
	k->used |= bit;
	if (s->op->died)
		k->died |= bit;
	clear(k->next);
	for (size_t i = 0; i < k->now->count; i++)
		add(k, k->next, with_reads(k, k->now->s[i]));
	swap(k);
	return true;
}

/* Too much to be followed, as with many unanswered writes to one key: the other judge stands alone, and that is said. */
static bool leave_open(struct key *k)
{
	k->h->left_open++;
	return true;
}

static bool walk(struct key *k, const struct moment *m, size_t count, unsigned *slots)
{
	for (size_t i = 0; i < count; i++) {
		const struct step *s = &k->steps[m[i].op];
		unsigned *slot = &slots[m[i].op];
		if (!m[i].end) {
			if (!begin(k, s, slot))
				return leave_open(k);
			continue;
		}
		follow(k, *slot);
		if (k->too_many)
			return leave_open(k);
		k->used &= ~(UINT64_C(1) << *slot);
		if (!k->now->count)
			return wrong(k->h, s->op, NULL, "no order of the operations on one key explains it");
		drop_dominated(k);
		close_used(k);
	}
	return true;
}

static bool check_key(struct key *k)
{
	struct moment *m = need(calloc(2 * k->count + 1, sizeof(*m)));
	unsigned *slots = need(calloc(k->count + 1, sizeof(*slots)));
	size_t count = 0;
	for (size_t i = 0; i < k->count; i++) {
		m[count++] = (struct moment){k->steps[i].op->invoked, false, i};
		if (!k->steps[i].op->died)
			m[count++] = (struct moment){k->steps[i].op->answered, true, i};
	}
	qsort(m, count, sizeof(*m), moment_cmp);
	struct states sets[2] = {0};
	k->now = &sets[0];
	k->next = &sets[1];
	clear(k->now);
	add(k, k->now, (struct state){0, 0});
	bool good = walk(k, m, count, slots);
	free(m);
	free(slots);
	for (size_t i = 0; i < 2; i++) {
		free(sets[i].s);
		free(sets[i].next);
	}
	return good;
}

/* ---------------------------------------------------------------- all keys */

/* The last pair of a key in a batch is what becomes of it. A refusal of several keys says nothing of any one. */
static bool counts(const struct history *h, const struct op *o, size_t pair)
{
	if (o->verb == VERB_REFUSED)
		return o->count == 1;
	for (size_t i = pair + 1; i < o->first + o->count && op_writes(o); i++)
		if (h->pairs[i].key == h->pairs[pair].key)
			return false;
	return true;
}

bool check_keys(struct history *h)
{
	struct step *steps = need(calloc(h->pair_count + 1, sizeof(*steps)));
	size_t *of_key = need(calloc(KEYS_MAX + 2, sizeof(*of_key)));
	bool good = true;
	/* Counted first, then put in place: of_key[k + 1] moves from the beginning of key k's steps to their end. */
	for (unsigned pass = 0; pass < 2; pass++) {
		for (const struct op *o = h->ops; o < h->ops + h->count; o++)
			for (size_t i = o->first; i < o->first + o->count; i++) {
				uint32_t key = h->pairs[i].key;
				if (!counts(h, o, i))
					continue;
				if (pass)
					steps[of_key[key + 1]++] = (struct step){o, h->pairs[i].value};
				else
					of_key[key + 2]++;
			}
		for (unsigned k = 2; k < KEYS_MAX + 2 && !pass; k++)
			of_key[k] += of_key[k - 1];
	}
	for (unsigned k = 0; k < KEYS_MAX && good; k++) {
		struct key key = {.h = h, .steps = steps + of_key[k], .count = of_key[k + 1] - of_key[k]};
		good = check_key(&key);
	}
	free(steps);
	free(of_key);
	return good;
}
