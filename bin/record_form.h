/* SPDX-License-Identifier: MIT */
/*
 * Inside the record reader and writer: what a form is.
 *
 * The reader keeps the unread input in one buffer. A form looks at what is there and either
 * takes a whole record off its front or answers RECORD_MORE and takes nothing; the reader then
 * reads more, or calls a pause, and asks again. The buffer moves when it grows, so a form keeps
 * offsets, never pointers, from one call to the next.
 */
#ifndef BIN_RECORD_FORM_H
#define BIN_RECORD_FORM_H

#include "base/buf.h"
#include "record.h"

#define RECORD_MORE 3
#define RECORD_FIELDS_MAX 4

struct record_reader {
	int fd; /* -1: what is in the buffer is all there is */
	const char *name;
	const struct record_form_ops *ops;
	enum record_shape shape;

	struct buf in; /* unread: in.data + pos .. in.data + in.size */
	size_t pos;
	bool eof;

	uint64_t number; /* of the line or record that is being read, for messages */

	/* record_split's memory: ends found so far, and how far the search came; offsets from
	 * pos */
	size_t end[RECORD_FIELDS_MAX];
	unsigned found;
	size_t searched;

	/* set_pause */
	int pause_ms; /* < 0: never */
	bool paused;  /* told, and nothing has been read since */
	int64_t paused_at_ms;

	unsigned state; /* of a form with more than one kind of line */
};

struct record_form_ops {
	const char *name;
	const char *unit;   /* what is counted: "line", "record" */
	bool keys, columns; /* has RECORD_KEY; has RECORD_VERSION and RECORD_CHANGE */
	bool lines;	    /* a last line without its newline gets one */
	unsigned growth;    /* bytes of input that a byte of a field can take at most */
	int (*read)(struct record_reader *r, struct record *record);
	void (*begin)(struct output *o); /* NULL: nothing to write */
	int (*write)(struct output *o, enum record_shape shape, const struct record *record);
	void (*end)(struct output *o);
};

extern const struct record_form_ops record_text, record_hex, record_null, record_json,
	record_cdb, record_dump, record_ldb;

const struct record_form_ops *record_form_ops(enum record_form form);

/* The unread bytes, to be decoded in place. */
static inline uint8_t *record_unread(const struct record_reader *r, size_t *n)
{
	*n = r->in.size - r->pos;
	return r->in.data + r->pos;
}

/* Takes n bytes off the front: a record (or line) is read. */
static inline void record_take(struct record_reader *r, size_t n)
{
	r->pos += n;
	r->searched = 0;
	r->found = 0;
}

/* Finds the first `count` delimiters in the unread bytes: 0 with their offsets in end[], SST_NO
 * when the input is over and nothing is left, RECORD_MORE, or SST_EINVAL: it ends in the
 * middle. Takes nothing. */
int record_split(struct record_reader *r, uint8_t delimiter, unsigned count);

/* SST_EINVAL with "NAME: line 12: what: detail" (without detail when that is NULL). */
int record_bad(const struct record_reader *r, const char *what, const char *detail);

/* The columns of RECORD_CHANGE. SST_EINVAL with its message. */
int record_read_sequence(
	const struct record_reader *r, const uint8_t *p, size_t n, uint64_t *sequence);
int record_read_type(
	const struct record_reader *r, const uint8_t *p, size_t n, const char **type);

#endif
