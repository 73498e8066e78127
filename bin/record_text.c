/* SPDX-License-Identifier: MIT */
/*
 * Fields with a delimiter between them: text and hex, a line each, fields divided by TAB; and
 * null, where every field ends with NUL and nothing is escaped.
 */
#include "base/status.h"
#include "record_form.h"

static unsigned fields_of(enum record_shape shape)
{
	return shape == RECORD_KEY ? 1 : shape == RECORD_PAIR ? 2 : 4;
}

/* ---------------------------------------------------------------- reading */

typedef const char *decoder(uint8_t *p, size_t n, struct sst_slice *out);

struct span {
	uint8_t *p;
	size_t n;
};

static int decode(const struct record_reader *r, decoder *decode_field, const char *what,
	struct span s, struct sst_slice *out)
{
	const char *wrong = decode_field ? decode_field(s.p, s.n, out) : NULL;
	if (!decode_field)
		*out = slice_of(s.p, s.n);
	return wrong ? record_bad(r, what, wrong) : 0;
}

/* The fields of a record, divided, to the record. */
static int read_fields(const struct record_reader *r, decoder *decode_field,
	const struct span *field, struct record *record)
{
	if (r->shape == RECORD_CHANGE) {
		int rc = record_read_sequence(r, field[0].p, field[0].n, &record->sequence);
		if (!rc)
			rc = record_read_type(r, field[1].p, field[1].n, &record->type);
		if (rc)
			return rc;
		if (record->type[0] == 'd' && field[3].n)
			return record_bad(r, "a del has no value", NULL);
		field += 2;
	}
	int rc = decode(r, decode_field, "key", field[0], &record->key);
	if (rc || r->shape == RECORD_KEY)
		return rc;
	return decode(r, decode_field, "value", field[1], &record->value);
}

/* A line without a tab need not be read to its end, if it has one, to be refused. */
static int check_endless_line(struct record_reader *r)
{
	size_t n, key_max = (size_t)LSM_KEY_MAX * r->ops->growth + 64;
	const uint8_t *p = record_unread(r, &n);
	if (r->state || r->shape == RECORD_KEY || n < key_max)
		return RECORD_MORE;
	r->state = 1; /* looked at */
	return memchr(p, '\t', key_max) ? RECORD_MORE : record_bad(r, "no tab", NULL);
}

/* Divides a line; a del may lack the tab in front of the value it does not have. */
static int divide_line(const struct record_reader *r, uint8_t *p, size_t n, struct span *field)
{
	unsigned count = 0, fields = fields_of(r->shape);
	for (;;) {
		uint8_t *tab = n ? memchr(p, '\t', n) : NULL;
		if (count == fields)
			return record_bad(r, "too many tabs (within a field write \\t)", NULL);
		field[count++] = (struct span){p, tab ? (size_t)(tab - p) : n};
		if (!tab)
			break;
		n -= (size_t)(tab + 1 - p);
		p = tab + 1;
		if (count == fields)
			return record_bad(r, "too many tabs (within a field write \\t)", NULL);
	}
	if (count == 3 && fields == 4 && field[1].n == 3 && memcmp(field[1].p, "del", 3) == 0)
		field[count++] = (struct span){p, 0};
	if (count == fields)
		return 0;
	return record_bad(r,
		fields == 2 ? "no tab between key and value" : "not SEQ put|del KEY VALUE",
		NULL);
}

static int read_line(struct record_reader *r, decoder *decode_field, struct record *record)
{
	int rc = record_split(r, '\n', 1);
	if (rc)
		return rc == RECORD_MORE ? check_endless_line(r) : rc;
	size_t n;
	struct span field[RECORD_FIELDS_MAX];
	uint8_t *p = record_unread(r, &n);
	size_t end = r->end[0];
	rc = divide_line(r, p, end, field);
	if (!rc)
		rc = read_fields(r, decode_field, field, record);
	record_take(r, end + 1);
	r->state = 0;
	return rc;
}

static int read_text(struct record_reader *r, struct record *record)
{
	return read_line(r, field_read_text, record);
}

static int read_hex(struct record_reader *r, struct record *record)
{
	return read_line(r, field_read_hex, record);
}

static int read_null(struct record_reader *r, struct record *record)
{
	size_t n, start = 0;
	unsigned count = fields_of(r->shape);
	int rc = record_split(r, '\0', count);
	if (rc)
		return rc;
	struct span field[RECORD_FIELDS_MAX];
	uint8_t *p = record_unread(r, &n);
	for (unsigned i = 0; i < count; i++) {
		field[i] = (struct span){p + start, r->end[i] - start};
		start = r->end[i] + 1;
	}
	rc = read_fields(r, NULL, field, record);
	record_take(r, start);
	return rc;
}

/* ---------------------------------------------------------------- writing */

typedef void encoder(struct output *o, struct sst_slice field);

static void write_raw(struct output *o, struct sst_slice field)
{
	output_write(o, field.data, field.size);
}

static int write_fields(struct output *o, encoder *encode, const char ends[2],
	enum record_shape shape, const struct record *record)
{
	if (shape == RECORD_CHANGE) {
		output_u64(o, record->sequence);
		output_char(o, ends[0]);
		output_str(o, record->type);
		output_char(o, ends[0]);
	}
	encode(o, record->key);
	if (shape != RECORD_KEY) {
		output_char(o, ends[0]);
		encode(o, record->value);
	}
	if (shape == RECORD_VERSION) {
		output_char(o, ends[0]);
		output_u64(o, record->sequence);
		output_char(o, ends[0]);
		output_str(o, record->type);
	}
	output_char(o, ends[1]);
	return o->error;
}

static int write_text(struct output *o, enum record_shape shape, const struct record *record)
{
	return write_fields(o, field_write_text, "\t\n", shape, record);
}

static int write_hex(struct output *o, enum record_shape shape, const struct record *record)
{
	return write_fields(o, field_write_hex, "\t\n", shape, record);
}

static bool has_nul(struct sst_slice s)
{
	return s.size && memchr(s.data, '\0', s.size);
}

static int write_null(struct output *o, enum record_shape shape, const struct record *record)
{
	if (has_nul(record->key) || (shape != RECORD_KEY && has_nul(record->value)))
		return fail(SST_EIO, "a NUL within a %s: the null form cannot hold it",
			has_nul(record->key) ? "key" : "value");
	return write_fields(o, write_raw, "\0\0", shape, record);
}

const struct record_form_ops record_text = {
	.name = "text",
	.unit = "line",
	.keys = true,
	.columns = true,
	.lines = true,
	.growth = 4,
	.read = read_text,
	.write = write_text,
};

const struct record_form_ops record_hex = {
	.name = "hex",
	.unit = "line",
	.keys = true,
	.columns = true,
	.lines = true,
	.growth = 2,
	.read = read_hex,
	.write = write_hex,
};

const struct record_form_ops record_null = {
	.name = "null",
	.unit = "record",
	.keys = true,
	.columns = true,
	.growth = 1,
	.read = read_null,
	.write = write_null,
};
