/* SPDX-License-Identifier: MIT */
/*
 * The judge who goes by sequence numbers: they claim to be an order of all writes in which every operation took effect
 * between its invocation and its answer. Here the claim is held against everything that anybody saw.
 *
 *  1  The numbers are used without a gap and not twice: a write that was answered and whose numbers are also another's, or
 *     numbers of nobody (of a write that vanished), are wrong. Of the writes without an answer those happened that fill a
 *     gap. A writer that dies before its record is in the log leaves its numbers to the next: among several that died with
 *     the same number only the last to die can have written, since each of them held the lock when it died.
 *  2  Point p is the store after the p-th write. Every operation is given one: a write its own, a scan the one at its
 *     snapshot, a get or a refusal the smallest that explains what it saw and is not before the point of anything that was
 *     answered before it began. The smallest is as good as any: it hinders nobody else. So if there is none, there is
 *     no order, and if everybody has one, that is the proof.
 *  3  A scan sees at its point all the keys of its range; a creation sees none of its own before its point; and no snapshot
 *     lies within a batch.
 */
#include "check_history.h"

#include <stdlib.h>

struct version {
	size_t point; /* from here on */
	uint64_t value;
};

struct versions {
	struct version *v;
	size_t count, cap;
};

struct order {
	struct history *h;
	struct op **writes; /* the p-th is writes[p - 1] */
	size_t count;
	struct versions keys[KEYS_MAX];
};

static uint64_t behind(const struct op *o)
{
	return o->sequence + o->count;
}

/* ---------------------------------------------------------------- the order of the writes */

/* By number; those that died behind the others, the last to die first. */
static int write_cmp(const void *a, const void *b)
{
	const struct op *x = *(struct op *const *)a, *y = *(struct op *const *)b;
	if (x->died != y->died)
		return x->died ? 1 : -1;
	if (x->sequence != y->sequence)
		return x->sequence < y->sequence ? -1 : 1;
	return (x->answered < y->answered) - (x->answered > y->answered);
}

static void place(struct order *o, struct op *w)
{
	o->writes[o->count++] = w;
	w->point = o->count;
}

/* The write without an answer whose first number this is, or NULL. */
static struct op *died_at(struct op **died, size_t count, uint64_t sequence)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (died[middle]->sequence < sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && died[low]->sequence == sequence ? died[low] : NULL;
}

static bool place_all(struct order *o, struct op **all, size_t count)
{
	uint64_t next = 1;
	size_t answered = 0;
	qsort(all, count, sizeof(struct op *), write_cmp);
	while (answered < count && !all[answered]->died)
		answered++;
	for (size_t i = 0;;) {
		struct op *w = i < answered ? all[i] : NULL;
		if (w && w->sequence < next)
			return wrong(o->h, w, o->writes[o->count - 1], "two writes with the same sequence number");
		if (w && w->sequence == next) {
			i++;
		} else {
			struct op *died = died_at(all + answered, count - answered, next);
			if (!w && !died)
				return true;
			if (!died || (w && behind(died) > w->sequence))
				return wrong(o->h, w ? w : died, NULL, "the sequence numbers before it are nobody's");
			w = died;
		}
		next = behind(w);
		place(o, w);
	}
}

/* ---------------------------------------------------------------- what was when */

static void note_versions(struct order *o, const struct op *w)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct pair *p = &o->h->pairs[w->first + i];
		struct versions *k = &o->keys[p->key];
		if (k->count == k->cap) {
			k->cap = k->cap ? 2 * k->cap : 64;
			k->v = need(reallocarray(k->v, k->cap, sizeof(*k->v)));
		}
		if (k->count && k->v[k->count - 1].point == w->point)
			k->count--; /* a later change in the same batch */
		k->v[k->count++] = (struct version){w->point, p->value};
	}
}

/* Number of versions up to the point. */
static size_t versions_until(const struct versions *k, size_t point)
{
	size_t low = 0, high = k->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (k->v[middle].point <= point)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint64_t value_at(const struct order *o, uint32_t key, size_t point)
{
	size_t n = versions_until(&o->keys[key], point);
	return n ? o->keys[key].v[n - 1].value : 0;
}

/* The first point from `floor` on at which the key has the value (or any, if `any`); SIZE_MAX: there is none. */
static size_t first_with(const struct order *o, uint32_t key, uint64_t value, bool any, size_t floor)
{
	const struct versions *k = &o->keys[key];
	uint64_t now = value_at(o, key, floor);
	if (any ? now != 0 : now == value)
		return floor;
	for (size_t i = versions_until(k, floor); i < k->count; i++)
		if (any ? k->v[i].value != 0 : k->v[i].value == value)
			return k->v[i].point;
	return SIZE_MAX;
}

/* ---------------------------------------------------------------- one operation */

static bool creation(const struct order *o, const struct op *op)
{
	for (size_t i = 0; i < op->count; i++) {
		uint32_t key = o->h->pairs[op->first + i].key;
		if (value_at(o, key, op->point - 1))
			return wrong(o->h, op, o->writes[op->point - 2], "a no-clobber put wrote over a value");
	}
	return true;
}

static bool scan(const struct order *o, struct op *op, size_t floor, const struct op *floor_op)
{
	size_t low = 0, high = o->count; /* how many writes lie before the snapshot */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (behind(o->writes[middle]) <= op->sequence + 1)
			low = middle + 1;
		else
			high = middle;
	}
	op->point = low;
	if (low < o->count && o->writes[low]->sequence <= op->sequence)
		return wrong(o->h, op, o->writes[low], "a scan's snapshot lies within a batch");
	if (op->sequence + 1 != (low ? behind(o->writes[low - 1]) : 1))
		return wrong(o->h, op, NULL, "a scan's snapshot has a sequence number that nobody wrote");
	if (low < floor)
		return wrong(o->h, op, floor_op, "a scan does not see what was there before it began");
	for (size_t i = 0; i < op->count; i++) {
		const struct pair *p = &o->h->pairs[op->first + i];
		if (value_at(o, p->key, low) != p->value)
			return wrong(o->h, op, low ? o->writes[low - 1] : NULL,
				"a scan is not the store at its sequence number, which is that after the second");
	}
	return true;
}

static bool single_read(const struct order *o, struct op *op, size_t floor, const struct op *floor_op)
{
	op->point = SIZE_MAX;
	for (size_t i = 0; i < op->count; i++) {
		const struct pair *p = &o->h->pairs[op->first + i];
		size_t point = first_with(o, p->key, p->value, op->verb == VERB_REFUSED, floor);
		if (point < op->point)
			op->point = point;
	}
	return op->point != SIZE_MAX || wrong(o->h, op, floor_op, "what it saw was not there any more, or never");
}

static bool begin(const struct order *o, struct op *op, size_t floor, const struct op *floor_op)
{
	switch (op->verb) {
	case VERB_SCAN:
		return scan(o, op, floor, floor_op);
	case VERB_GET:
	case VERB_REFUSED:
		return single_read(o, op, floor, floor_op);
	default:
		if (!op->point)
			return true; /* died, and did not happen */
		if (op->point <= floor)
			return wrong(o->h, op, floor_op, "a write comes before what had been seen when it began");
		return op->verb == VERB_WRITE || creation(o, op);
	}
}

static bool sweep(struct order *o)
{
	struct history *h = o->h;
	struct moment *m = need(calloc(2 * h->count + 1, sizeof(*m)));
	size_t count = 0, floor = 0;
	const struct op *floor_op = NULL;
	bool good = true;
	for (size_t i = 0; i < h->count; i++) {
		m[count++] = (struct moment){h->ops[i].invoked, false, i};
		if (!h->ops[i].died)
			m[count++] = (struct moment){h->ops[i].answered, true, i};
	}
	qsort(m, count, sizeof(*m), moment_cmp);
	for (size_t i = 0; i < count && good; i++) {
		struct op *op = &h->ops[m[i].op];
		if (!m[i].end) {
			good = begin(o, op, floor, floor_op);
		} else if (op->point > floor) {
			floor = op->point;
			floor_op = op;
		}
	}
	free(m);
	return good;
}

bool check_order(struct history *h)
{
	struct order o = {.h = h, .writes = need(calloc(h->count + 1, sizeof(struct op *)))};
	struct op **all = need(calloc(h->count + 1, sizeof(struct op *)));
	size_t count = 0;
	for (size_t i = 0; i < h->count; i++) {
		h->ops[i].point = 0;
		if (op_writes(&h->ops[i]))
			all[count++] = &h->ops[i];
	}
	bool good = place_all(&o, all, count);
	for (size_t i = 0; i < o.count; i++)
		note_versions(&o, o.writes[i]);
	good = good && sweep(&o);
	for (unsigned k = 0; k < KEYS_MAX; k++)
		free(o.keys[k].v);
	free(o.writes);
	free(all);
	return good;
}
