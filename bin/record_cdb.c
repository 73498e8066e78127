/* SPDX-License-Identifier: MIT */
/*
 * The input of cdbmake and the output of cdbdump (Bernstein; tinycdb's cdb -c and cdb -d):
 *
 *     +KEYLENGTH,VALUELENGTH:KEY->VALUE newline ... newline
 *
 * The empty line at the end tells a whole stream from one that was cut off.
 */
#include "record_form.h"

#define DIGITS_MAX 12 /* "1073741824" and room for zeros */
#define HEAD_MAX (2 * DIGITS_MAX + 3)

/* Decimal digits up to and with `stop`: bytes taken, 0 when they are not there. */
static size_t read_length(const uint8_t *p, size_t n, uint8_t stop, uint64_t *length)
{
	size_t i = 0;
	*length = 0;
	for (; i < n && i < DIGITS_MAX && p[i] >= '0' && p[i] <= '9'; i++)
		*length = *length * 10 + (p[i] - (unsigned)'0');
	return i && i < n && p[i] == stop ? i + 1 : 0;
}

/* "+3,5:" at p: its length, 0 when it is not that. */
static size_t read_head(const uint8_t *p, size_t n, uint64_t *key, uint64_t *value)
{
	size_t max = n < HEAD_MAX ? n : HEAD_MAX;
	size_t a = read_length(p + 1, max - 1, ',', key);
	size_t b = a ? read_length(p + 1 + a, max - 1 - a, ':', value) : 0;
	return b ? 1 + a + b : 0;
}

static int need_more(const struct record_reader *r)
{
	return r->eof ? record_bad(r, "the input ends within a record", NULL) : RECORD_MORE;
}

/* Behind the empty line nothing may come. */
static int read_end(struct record_reader *r, size_t unread)
{
	if (unread > 1)
		return record_bad(r, "more input behind the empty line", NULL);
	return r->eof ? SST_NO : RECORD_MORE;
}

static int read_cdb(struct record_reader *r, struct record *record)
{
	size_t n;
	const uint8_t *p = record_unread(r, &n);
	if (!n)
		return r->eof ? record_bad(r, "no empty line at the end", NULL) : RECORD_MORE;
	if (*p == '\n')
		return read_end(r, n);
	uint64_t key, value;
	size_t head = *p == '+' ? read_head(p, n, &key, &value) : 0;
	if (!head)
		return *p == '+' && n < HEAD_MAX
			       ? need_more(r)
			       : record_bad(r, "not +KEYLENGTH,VALUELENGTH:", NULL);
	if (key > LSM_KEY_MAX || value > LSM_VALUE_MAX)
		return record_bad(r, "longer than a key or value can be", NULL);
	size_t size = head + (size_t)key + 2 + (size_t)value + 1;
	if (n < size)
		return need_more(r);
	p += head;
	if (memcmp(p + key, "->", 2) != 0 || p[key + 2 + value] != '\n')
		return record_bad(r, "lengths and contents disagree", NULL);
	record->key = slice_of(p, (size_t)key);
	record->value = slice_of(p + key + 2, (size_t)value);
	record_take(r, size);
	return 0;
}

static int write_cdb(struct output *o, enum record_shape shape, const struct record *record)
{
	(void)shape; /* pairs only */
	output_char(o, '+');
	output_u64(o, record->key.size);
	output_char(o, ',');
	output_u64(o, record->value.size);
	output_char(o, ':');
	output_write(o, record->key.data, record->key.size);
	output_str(o, "->");
	output_write(o, record->value.data, record->value.size);
	output_char(o, '\n');
	return o->error;
}

static void end_cdb(struct output *o)
{
	output_char(o, '\n');
}

const struct record_form_ops record_cdb = {
	.name = "cdb",
	.unit = "record",
	.growth = 1,
	.read = read_cdb,
	.write = write_cdb,
	.end = end_cdb,
};
