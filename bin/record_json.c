/* SPDX-License-Identifier: MIT */
/*
 * JSON Lines (RFC 8259, one object a line). Read strictly: the members of the shape, each once,
 * in any order, and no others; so a stream that says more than we would keep is refused, not
 * cut down.
 */
#include "record_form.h"

/* ---------------------------------------------------------------- reading */

/* A line that is being parsed. `wrong` is NULL until something is. */
struct json {
	uint8_t *p, *end;
	const char *wrong;
	uint8_t *string; /* the one read last */
	size_t string_size;
};

static void skip_space(struct json *j)
{
	while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\r'))
		j->p++;
}

/* Takes c, with space around it, or not. */
static bool take(struct json *j, uint8_t c)
{
	skip_space(j);
	if (j->wrong || j->p == j->end || *j->p != c)
		return false;
	j->p++;
	skip_space(j);
	return true;
}

static bool expect(struct json *j, uint8_t c, const char *wrong)
{
	bool ok = take(j, c);
	if (!ok && !j->wrong)
		j->wrong = wrong;
	return ok;
}

static size_t encode_utf8(uint8_t *d, unsigned u)
{
	if (u < 0x80) {
		d[0] = (uint8_t)u;
		return 1;
	}
	unsigned n = u < 0x800 ? 2 : u < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (unsigned i = n - 1; i > 0; i--, u >>= 6)
		d[i] = (uint8_t)(0x80 | (u & 0x3f));
	d[0] = (uint8_t)(lead[n] | u);
	return n;
}

/* The four digits behind \u at p: their value, or -1. */
static int read_u16(const uint8_t *p, const uint8_t *end)
{
	int v = 0;
	if (end - p < 4)
		return -1;
	for (unsigned i = 0; i < 4; i++) {
		int digit = hex_digit(p[i]);
		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

/* \uXXXX at s, the second half of a surrogate pair with it; its length, 0 when wrong. */
static size_t read_unicode(const uint8_t *s, const uint8_t *end, unsigned *u)
{
	int high = read_u16(s + 2, end);
	if (high < 0)
		return 0;
	*u = (unsigned)high;
	if (high < 0xd800 || high > 0xdfff)
		return 6;
	if (high > 0xdbff || end - s < 12 || s[6] != '\\' || s[7] != 'u')
		return 0;
	int low = read_u16(s + 8, end);
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	*u = 0x10000 + (((unsigned)high - 0xd800) << 10 | ((unsigned)low - 0xdc00));
	return 12;
}

/* The escape at s to *d: its length, 0 when wrong. */
static size_t read_escape(const uint8_t *s, const uint8_t *end, uint8_t **d)
{
	static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	if (end - s < 2)
		return 0;
	if (s[1] == 'u') {
		unsigned u;
		size_t n = read_unicode(s, end, &u);
		if (n)
			*d += encode_utf8(*d, u);
		return n;
	}
	const char *at = s[1] ? strchr(letters, s[1]) : NULL;
	if (!at)
		return 0;
	*(*d)++ = (uint8_t)bytes[at - letters];
	return 2;
}

/* Bytes at s that stand for themselves. */
static size_t plain_run(const uint8_t *s, const uint8_t *end)
{
	const uint8_t *p = s + field_json_plain(s, (size_t)(end - s));
	while (p < end && *p >= 0x20 && *p != '"' && *p != '\\') {
		size_t n = utf8_length(p, (size_t)(end - p));
		if (!n)
			break;
		p += n;
	}
	return (size_t)(p - s);
}

/* A string, decoded in place. */
static struct sst_slice read_string(struct json *j)
{
	j->string_size = 0;
	skip_space(j);
	if (j->wrong || j->p == j->end ||
		*j->p++ != '"') { /* what follows is the string's own */
		j->wrong = j->wrong ? j->wrong : "a string is wanted";
		return slice_of(NULL, 0);
	}
	uint8_t *start = j->p, *s = start, *d = start;
	for (;;) {
		size_t n = plain_run(s, j->end);
		if (d != s)
			memmove(d, s, n);
		s += n;
		d += n;
		if (s == j->end || *s == '"')
			break;
		n = *s == '\\' ? read_escape(s, j->end, &d) : 0;
		if (!n) {
			j->wrong = *s == '\\'  ? "bad escape in a string"
				   : *s < 0x20 ? "control character in a string"
					       : "not UTF-8 (bytes go into key_b64, value_b64)";
			break;
		}
		s += n;
	}
	if (s == j->end && !j->wrong)
		j->wrong = "string without an end";
	j->p = s + (s < j->end);
	j->string = start;
	j->string_size = (size_t)(d - start);
	return slice_of(j->string, j->string_size);
}

static struct sst_slice read_base64(struct json *j)
{
	struct sst_slice out = read_string(j);
	if (!j->wrong)
		j->wrong = field_read_base64(j->string, j->string_size, &out);
	return out;
}

static struct sst_slice read_digits(struct json *j)
{
	uint8_t *start = j->p;
	while (j->p < j->end && *j->p >= '0' && *j->p <= '9')
		j->p++;
	return slice_of(start, (size_t)(j->p - start));
}

enum member { KEY = 1, VALUE = 2, SEQ = 4, TYPE = 8 };

/* The number of the member of that name; *base64 when it is the one for bytes. 0: unknown. */
static unsigned member_of(struct sst_slice name, bool *base64)
{
	*base64 = name.size > 4 && memcmp(name.data + name.size - 4, "_b64", 4) == 0;
	if (*base64)
		name.size -= 4;
	if (slice_eq(name, slice_str("key")))
		return KEY;
	if (slice_eq(name, slice_str("value")))
		return VALUE;
	if (!*base64 && slice_eq(name, slice_str("seq")))
		return SEQ;
	return !*base64 && slice_eq(name, slice_str("type")) ? TYPE : 0;
}

static unsigned members_of(enum record_shape shape)
{
	return shape == RECORD_KEY    ? KEY
	       : shape == RECORD_PAIR ? KEY | VALUE
				      : KEY | VALUE | SEQ | TYPE;
}

/* One member; `seen` are those before it. Its number, or 0 with j->wrong or the thread's
 * message. */
static int read_member(
	const struct record_reader *r, struct json *j, unsigned *seen, struct record *record)
{
	bool base64;
	unsigned m = member_of(read_string(j), &base64);
	if (!j->wrong && !(m & members_of(r->shape)))
		j->wrong = "unknown member";
	if (!j->wrong && (m & *seen))
		j->wrong = "member given twice";
	*seen |= m;
	if (!expect(j, ':', "a colon is wanted"))
		return record_bad(r, j->wrong, NULL);
	struct sst_slice s = m == SEQ ? read_digits(j)
			     : base64 ? read_base64(j)
				      : read_string(j);
	if (j->wrong)
		return record_bad(r, j->wrong, NULL);
	if (m == SEQ)
		return record_read_sequence(r, s.data, s.size, &record->sequence);
	if (m == TYPE)
		return record_read_type(r, s.data, s.size, &record->type);
	*(m == KEY ? &record->key : &record->value) = s;
	return 0;
}

static int check_members(
	const struct record_reader *r, unsigned seen, const struct record *record)
{
	unsigned want = members_of(r->shape);
	if (r->shape == RECORD_CHANGE && record->type && record->type[0] == 'd') {
		if (record->value.size)
			return record_bad(r, "a del has no value", NULL);
		want &= ~(unsigned)VALUE;
	}
	unsigned missing = want & ~seen;
	if (!missing)
		return 0;
	return record_bad(r, "missing member",
		missing & KEY	 ? "key"
		: missing & SEQ	 ? "seq"
		: missing & TYPE ? "type"
				 : "value");
}

static int read_object(const struct record_reader *r, struct json *j, struct record *record)
{
	unsigned seen = 0;
	if (!expect(j, '{', "not a JSON object"))
		return record_bad(r, j->wrong, NULL);
	if (!take(j, '}')) {
		do {
			int rc = read_member(r, j, &seen, record);
			if (rc)
				return rc;
		} while (take(j, ','));
		if (!expect(j, '}', "a comma or brace is wanted"))
			return record_bad(r, j->wrong, NULL);
	}
	if (j->p < j->end)
		return record_bad(r, "more than one object on the line", NULL);
	return check_members(r, seen, record);
}

static int read_json(struct record_reader *r, struct record *record)
{
	int rc = record_split(r, '\n', 1);
	if (rc)
		return rc;
	size_t n, end = r->end[0];
	uint8_t *p = record_unread(r, &n);
	struct json j = {.p = p, .end = p + end};
	rc = read_object(r, &j, record);
	record_take(r, end + 1);
	return rc;
}

/* ---------------------------------------------------------------- writing */

static void write_member(struct output *o, const char *name, struct sst_slice s)
{
	bool text = utf8_valid(s);
	output_char(o, '"');
	output_str(o, name);
	output_str(o, text ? "\":\"" : "_b64\":\"");
	if (text)
		field_write_json(o, s);
	else
		field_write_base64(o, s);
	output_char(o, '"');
}

static void write_columns(struct output *o, const struct record *record)
{
	output_str(o, "\"seq\":");
	output_u64(o, record->sequence);
	output_str(o, ",\"type\":\"");
	output_str(o, record->type);
	output_char(o, '"');
}

static int write_json(struct output *o, enum record_shape shape, const struct record *record)
{
	output_char(o, '{');
	if (shape == RECORD_CHANGE) {
		write_columns(o, record);
		output_char(o, ',');
	}
	write_member(o, "key", record->key);
	if (shape != RECORD_KEY && !(shape == RECORD_CHANGE && record->type[0] == 'd')) {
		output_char(o, ',');
		write_member(o, "value", record->value);
	}
	if (shape == RECORD_VERSION) {
		output_char(o, ',');
		write_columns(o, record);
	}
	output_str(o, "}\n");
	return o->error;
}

const struct record_form_ops record_json = {
	.name = "json",
	.unit = "line",
	.keys = true,
	.columns = true,
	.lines = true,
	.growth = 6,
	.read = read_json,
	.write = write_json,
};
