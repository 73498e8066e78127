/* SPDX-License-Identifier: MIT */
/*
 * The dump form of Berkeley DB and LMDB (db_dump, mdb_dump):
 *
 *     VERSION=3
 *     format=bytevalue            (format=print is read too; its escapes are \\ and \HH)
 *     type=btree
 *     HEADER=END
 *      6b6579                     one space, the key
 *      76616c7565                 one space, the value
 *     DATA=END
 *
 * Other lines of the header describe the database it came from; those that would change what
 * the records mean (duplicate keys, records without keys, more than one database) are refused.
 */
#include "record_form.h"

enum state {
	START,	   /* VERSION=3 */
	HEADER,	   /* up to HEADER=END */
	BYTEVALUE, /* records */
	PRINT,	   /* records, of format=print */
	END,	   /* behind DATA=END */
};

#define IN_HEADER_PRINT 8u /* with HEADER: format=print was seen */

static bool line_is(struct sst_slice line, const char *text)
{
	return slice_eq(line, slice_str(text));
}

static const char *read_print(uint8_t *p, size_t n, struct sst_slice *out)
{
	uint8_t *d = p, *s = p, *end = p + n;
	while (s < end) {
		if (*s != '\\') {
			*d++ = *s++;
		} else if (end - s >= 2 && s[1] == '\\') {
			*d++ = '\\';
			s += 2;
		} else if (end - s >= 3 && hex_digit(s[1]) >= 0 && hex_digit(s[2]) >= 0) {
			*d++ = (uint8_t)(hex_digit(s[1]) << 4 | hex_digit(s[2]));
			s += 3;
		} else {
			return "unknown escape (known are \\\\ \\HH)";
		}
	}
	*out = slice_of(p, (size_t)(d - p));
	return NULL;
}

static bool is_refused_header(struct sst_slice line)
{
	static const char *const refused[] = {"duplicates=1", "dupsort=1", "integerkey=1",
		"reversekey=1", "keys=0", "type=recno", "type=queue", "recnum=1"};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (line_is(line, refused[i]))
			return true;
	return false;
}

/* One line of the header; the state behind it, or SST_EINVAL. */
static int read_header_line(struct record_reader *r, struct sst_slice line)
{
	if (r->state == START) {
		r->state = HEADER;
		return line_is(line, "VERSION=3") ? 0 : record_bad(r, "not VERSION=3", NULL);
	}
	if (line_is(line, "HEADER=END"))
		r->state = r->state & IN_HEADER_PRINT ? PRINT : BYTEVALUE;
	else if (line_is(line, "format=print"))
		r->state |= IN_HEADER_PRINT;
	else if (line_is(line, "format=bytevalue"))
		r->state = HEADER;
	else if (slice_has_prefix(line, slice_str("format=")))
		return record_bad(r, "unknown format (known are bytevalue, print)", NULL);
	else if (is_refused_header(line))
		return record_bad(
			r, "a kind of database that is more than keys and values", NULL);
	else if (!line.size || !memchr(line.data, '=', line.size))
		return record_bad(r, "not NAME=VALUE", NULL);
	return 0;
}

static int read_field(struct record_reader *r, uint8_t *p, size_t n, struct sst_slice *out)
{
	if (!n || *p != ' ')
		return record_bad(r, "no space at the start of the line", NULL);
	const char *wrong = r->state == PRINT ? read_print(p + 1, n - 1, out)
					      : field_read_hex(p + 1, n - 1, out);
	return wrong ? record_bad(r, wrong, NULL) : 0;
}

/* A key line and the value line behind it. */
static int read_pair(struct record_reader *r, struct record *record)
{
	int rc = record_split(r, '\n', 2);
	if (rc)
		return rc;
	size_t n, key = r->end[0], end = r->end[1];
	uint8_t *p = record_unread(r, &n);
	rc = read_field(r, p, key, &record->key);
	if (rc)
		return rc;
	r->number++;
	rc = read_field(r, p + key + 1, end - key - 1, &record->value);
	record_take(r, end + 1);
	return rc;
}

static int read_end(const struct record_reader *r)
{
	size_t n;
	record_unread(r, &n);
	if (n)
		return record_bad(r, "more input behind DATA=END", NULL);
	return r->eof ? SST_NO : RECORD_MORE;
}

static int read_dump(struct record_reader *r, struct record *record)
{
	while (r->state != END) {
		int rc = record_split(r, '\n', 1);
		if (rc == SST_NO)
			return record_bad(r, "no DATA=END", NULL);
		if (rc)
			return rc;
		size_t n;
		struct sst_slice line = slice_of(record_unread(r, &n), r->end[0]);
		bool data = r->state == BYTEVALUE || r->state == PRINT;
		if (data && !line_is(line, "DATA=END"))
			return read_pair(r, record);
		if (data)
			r->state = END;
		else
			rc = read_header_line(r, line);
		if (rc)
			return rc;
		record_take(r, line.size + 1);
		r->number++;
	}
	return read_end(r);
}

static void begin_dump(struct output *o)
{
	output_str(o, "VERSION=3\nformat=bytevalue\ntype=btree\nHEADER=END\n");
}

static int write_dump(struct output *o, enum record_shape shape, const struct record *record)
{
	(void)shape; /* pairs only */
	output_char(o, ' ');
	field_write_hex(o, record->key);
	output_str(o, "\n ");
	field_write_hex(o, record->value);
	output_char(o, '\n');
	return o->error;
}

static void end_dump(struct output *o)
{
	output_str(o, "DATA=END\n");
}

const struct record_form_ops record_dump = {
	.name = "dump",
	.unit = "line",
	.lines = true,
	.growth = 3,
	.read = read_dump,
	.begin = begin_dump,
	.write = write_dump,
	.end = end_dump,
};
