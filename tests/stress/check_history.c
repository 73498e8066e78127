/* SPDX-License-Identifier: MIT */
/*
 * check_history [FILE] - are these histories (check_history.h) of a store whose operations each took effect at one instant,
 * whole, between invocation and answer?
 *
 * Two judges, each of which must agree: check_order.c goes by the store's own sequence numbers and sees everything,
 * batches and scans included; check_keys.c trusts nothing but the clock and looks at one key at a time.
 * Exit status 0: yes; 1: no, and why; 2: this is no history.
 */
#include "check_history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERBS (sizeof(verb_names) / sizeof(verb_names[0]))

void *need(void *p)
{
	if (p)
		return p;
	fprintf(stderr, "check_history: out of memory\n");
	exit(2);
}

int moment_cmp(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	if (x->end != y->end)
		return x->end ? 1 : -1;
	return (x->op > y->op) - (x->op < y->op);
}

static void print_op(const struct history *h, const struct op *o)
{
	fprintf(stderr, "  line %" PRIu64 ": %u %" PRIu64 " %s%" PRIu64 " %" PRIu64 " %s", o->line, o->process, o->invoked,
		o->died ? "~" : "", o->answered, o->sequence, verb_names[o->verb]);
	for (size_t i = 0; i < o->count; i++) {
		const struct pair *p = &h->pairs[o->first + i];
		fprintf(stderr, p->value ? " %" PRIu32 "=%" PRIu64 : " %" PRIu32 "=-", p->key, p->value);
	}
	fprintf(stderr, "\n");
}

bool wrong(const struct history *h, const struct op *a, const struct op *b, const char *what)
{
	fprintf(stderr, "check_history: WRONG: %s\n", what);
	print_op(h, a);
	if (b)
		print_op(h, b);
	return false;
}

/* ---------------------------------------------------------------- reading */

static uint64_t line_number;

static void malformed(const char *what)
{
	fprintf(stderr, "check_history: line %" PRIu64 ": %s\n", line_number, what);
	exit(2);
}

static uint64_t number(char **p)
{
	char *end;
	while (**p == ' ')
		++*p;
	uint64_t n = strtoull(*p, &end, 10);
	if (end == *p)
		malformed("a number is missing");
	*p = end;
	return n;
}

static enum verb verb(char **p)
{
	*p += strspn(*p, " ");
	size_t size = strcspn(*p, " \n");
	for (unsigned i = 0; i < VERBS; i++)
		if (strlen(verb_names[i]) == size && !strncmp(*p, verb_names[i], size)) {
			*p += size;
			return (enum verb)i;
		}
	malformed("unknown verb");
	return VERB_GET;
}

static void read_pairs(struct history *h, struct op *o, char *p)
{
	o->first = h->pair_count;
	for (;;) {
		p += strspn(p, " \n");
		if (!*p)
			break;
		struct pair pair = {.key = (uint32_t)number(&p)};
		if (*p++ != '=' || pair.key >= KEYS_MAX)
			malformed("not KEY=VALUE");
		if (*p == '-')
			p++;
		else if (!(pair.value = number(&p)))
			malformed("0 is no value");
		if (h->pair_count == h->pair_cap) {
			h->pair_cap = h->pair_cap ? 2 * h->pair_cap : 4096;
			h->pairs = need(reallocarray(h->pairs, h->pair_cap, sizeof(*h->pairs)));
		}
		h->pairs[h->pair_count++] = pair;
	}
	o->count = h->pair_count - o->first;
	if (!o->count || (o->verb == VERB_GET && o->count != 1))
		malformed("too few pairs, or too many");
}

static void read_op(struct history *h, char *p)
{
	struct op o = {.line = line_number};
	o.process = (unsigned)number(&p);
	o.invoked = number(&p);
	p += strspn(p, " ");
	o.died = *p == '~';
	p += o.died;
	o.answered = number(&p);
	o.sequence = number(&p);
	o.verb = verb(&p);
	read_pairs(h, &o, p);
	if (o.answered < o.invoked || (o.died && !op_writes(&o)) || (op_writes(&o) && !o.died && !o.sequence))
		malformed("no such operation");
	if (h->count == h->cap) {
		h->cap = h->cap ? 2 * h->cap : 4096;
		h->ops = need(reallocarray(h->ops, h->cap, sizeof(*h->ops)));
	}
	h->ops[h->count++] = o;
}

/* false: there is no more. */
static bool read_history(struct history *h, FILE *in)
{
	char *line = NULL;
	size_t cap = 0;
	h->count = h->pair_count = 0;
	while (getline(&line, &cap, in) >= 0) {
		line_number++;
		if (!strcmp(line, "end\n")) {
			free(line);
			return true;
		}
		if (*line != '#' && *line != '\n')
			read_op(h, line);
	}
	free(line);
	if (h->count)
		malformed("the history has no end");
	return false;
}

/* ---------------------------------------------------------------- the verdict */

int main(int argc, char **argv)
{
	FILE *in = argc > 1 ? fopen(argv[1], "r") : stdin;
	struct history h = {0};
	uint64_t histories = 0, ops = 0, left_open = 0, done[VERBS] = {0}, died = 0;
	bool good = true;
	if (!in) {
		perror(argv[1]);
		return 2;
	}
	while (read_history(&h, in)) {
		histories++;
		ops += h.count;
		for (const struct op *o = h.ops; o < h.ops + h.count; o++) {
			done[o->verb]++;
			died += o->died;
		}
		/* Both are asked even if the first says no: they say different things. */
		bool order = check_order(&h), keys = check_keys(&h);
		good = good && order && keys;
		left_open += h.left_open;
		h.left_open = 0;
	}
	free(h.ops);
	free(h.pairs);
	if (!histories)
		malformed("no history");
	printf("%" PRIu64 " histories, %" PRIu64 " operations: %" PRIu64 " writes, %" PRIu64 " creations, %" PRIu64
	       " refused, %" PRIu64 " gets, %" PRIu64 " scans; %" PRIu64 " of the writes without an answer\n",
		histories, ops, done[VERB_WRITE], done[VERB_CREATE], done[VERB_REFUSED], done[VERB_GET], done[VERB_SCAN],
		died);
	if (left_open)
		printf("%" PRIu64 " keys with more possible orders than can be followed: judged by sequence numbers alone\n",
			left_open);
	if (good)
		printf("each scan equals the store at its sequence number, one point in time\nlinearizable\n");
	else
		printf("NOT linearizable\n");
	return !good;
}
