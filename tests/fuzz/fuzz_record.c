/* SPDX-License-Identifier: MIT */
/*
 * The record reader, in every form and shape, on hostile input: all of it at once and again three bytes at a
 * time, so that every "more is needed" is met, with the same outcome; and each record it took, written in some
 * form and read again, must be the same record. The first byte chooses form and shape of the input, the last
 * the form that is written.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "record.h"
#include "record_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum record_shape shapes[] = {RECORD_PAIR, RECORD_KEY, RECORD_CHANGE};

#define FORMS 7u

#define MUST(cond)                                                                             \
	do {                                                                                   \
		if (!(cond))                                                                   \
			abort();                                                               \
	} while (0)

/* A reader of bytes in memory: descriptor -1, with the input put into its buffer, `step` bytes at a time. */
struct feed {
	struct record_reader *reader;
	const uint8_t *data;
	size_t size, step;
};

static void feed_open(struct feed *f, const void *data, size_t size, size_t step,
	enum record_form form, enum record_shape shape)
{
	*f = (struct feed){record_reader_new(-1, "fuzz", form, shape), data, size, step};
	MUST(f->reader);
}

static void feed_some(struct feed *f)
{
	size_t n = f->size < f->step ? f->size : f->step;
	buf_append(&f->reader->in, f->data, n);
	f->data += n;
	f->size -= n;
}

/* As record_reader_next, but the bytes come from the feed until it is empty. */
static int feed_next(struct feed *f, struct record *r)
{
	*r = (struct record){0};
	while (f->size) {
		int rc = f->reader->ops->read(f->reader, r);
		if (rc == 0)
			f->reader->number++;
		if (rc != RECORD_MORE)
			return rc;
		feed_some(f);
	}
	return record_reader_next(f->reader, r);
}

static bool same(const struct record *a, const struct record *b, enum record_shape shape)
{
	if (!slice_eq(a->key, b->key) || (shape != RECORD_KEY && !slice_eq(a->value, b->value)))
		return false;
	return shape != RECORD_CHANGE ||
	       (a->sequence == b->sequence && strcmp(a->type, b->type) == 0);
}

/* An output that never reaches a descriptor: the test keeps it large enough. */
static void written(struct output *o, enum record_form form, enum record_shape shape,
	const struct record *r)
{
	struct record_writer w;
	o->size = 0;
	record_writer_begin(&w, o, form, shape);
	int rc = record_writer_add(&w, r);
	MUST(rc == 0 || form == RECORD_NULL);
	if (rc)
		o->size = 0;
	else
		record_writer_end(&w);
}

static void check_round_trip(
	const struct record *r, enum record_form form, enum record_shape shape)
{
	size_t cap = 6 * (r->key.size + r->value.size) + 4 * OUTPUT_ROOM_MAX;
	struct output o = {.data = malloc(cap), .cap = cap, .fd = -1};
	struct feed f;
	struct record again = {.type = NULL};
	MUST(o.data);
	written(&o, form, shape, r);
	MUST(!o.error);
	if (o.size) {
		feed_open(&f, o.data, o.size, o.size, form, shape);
		MUST(feed_next(&f, &again) == 0);
		MUST(same(r, &again, shape));
		MUST(feed_next(&f, &again) == SST_NO);
		record_reader_free(f.reader);
	}
	free(o.data);
}

/* Reads all; the number of records, and the end in *rc. */
static unsigned read_all(const uint8_t *data, size_t size, size_t step, enum record_form form,
	enum record_shape shape, int out, int *rc)
{
	struct feed f;
	struct record r = {.type = NULL};
	unsigned n = 0;
	feed_open(&f, data, size, step, form, shape);
	while ((*rc = feed_next(&f, &r)) == 0) {
		n++;
		if (out >= 0)
			check_round_trip(&r, (enum record_form)out, shape);
	}
	MUST(*rc == SST_NO || *rc == SST_EINVAL);
	record_reader_free(f.reader);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	enum record_form form = (enum record_form)(data[0] % FORMS);
	enum record_shape shape = shapes[data[0] / FORMS % 3];
	enum record_form out = (enum record_form)(data[size - 1] % FORMS);
	if (!record_form_has(form, shape) || !record_form_has(out, shape))
		return 0;
	data++;
	size--;
	int rc, rc_slow;
	unsigned n = read_all(data, size, size, form, shape, (int)out, &rc);
	/* the way in which the bytes arrive changes nothing */
	MUST(read_all(data, size, 3, form, shape, -1, &rc_slow) == n);
	MUST(rc == rc_slow);
	return 0;
}
