/* SPDX-License-Identifier: MIT */
/*
 * Records as text: the one reader and the one writer behind every program that takes or prints keys
 * and values, so what one prints another reads back, byte for byte, in every form.
 *
 *     text   KEY TAB VALUE NL; escapes \\ \t \n \r \xHH. Written escaped: bytes < 0x20, 0x7f, the
 *            C1 controls U+0080..U+009F, and whatever is not well-formed UTF-8
 *     hex    the same with both sides in hex; 0x in front of either is accepted
 *     null   KEY NUL VALUE NUL
 *     json   {"key":"...","value":"..."}, one object a line; bytes that are not UTF-8 as "key_b64",
 *            "value_b64"
 *     cdb    +3,5:abc->hello NL ... NL            (cdb(5), tinycdb)
 *     dump   VERSION=3 ... HEADER=END, lines of hex behind one space, DATA=END
 *            (db_dump(1), mdb_dump(1))
 *     ldb    0xKEY ==> 0xVALUE                     (RocksDB's ldb --hex scan/dump/load)
 *
 * A shape says which fields a record has; sequence and type travel as further columns or members
 * ("seq", "type"), which only text, hex, null and json have; so it is with keys alone:
 *
 *     RECORD_KEY      KEY
 *     RECORD_PAIR     KEY VALUE
 *     RECORD_VERSION  KEY VALUE SEQ TYPE           (sst-dump -a; written only)
 *     RECORD_CHANGE   SEQ TYPE KEY VALUE           (lsm-tail, lsm-put --ops; del: VALUE is empty)
 */
#ifndef BIN_RECORD_H
#define BIN_RECORD_H

#include "field.h"
#include "output.h"

enum record_form {
	RECORD_TEXT,
	RECORD_HEX,
	RECORD_NULL,
	RECORD_JSON,
	RECORD_CDB,
	RECORD_DUMP,
	RECORD_LDB,
};

enum record_shape {
	RECORD_KEY,
	RECORD_PAIR,
	RECORD_VERSION,
	RECORD_CHANGE,
};

struct record {
	struct sst_slice key, value;
	uint64_t sequence; /* of the last two shapes */
	const char *type;  /* "put", "del", ... */
};

/* "text" -> RECORD_TEXT. 0, or SST_EINVAL with a message that lists the names. */
int record_form_parse(const char *name, enum record_form *form);
const char *record_form_name(enum record_form form);
/* Whether that form has records of that shape. */
bool record_form_has(enum record_form form, enum record_shape shape);

/* ---------------------------------------------------------------- writing */

struct record_writer {
	struct output *out; /* borrowed */
	enum record_form form;
	enum record_shape shape;
};

/* Writes what stands before the first record (the head of a dump). Each returns 0 or the error of
 * the output. REQUIRES: record_form_has(form, shape). */
int record_writer_begin(struct record_writer *w, struct output *out, enum record_form form,
	enum record_shape shape);
/* SST_EIO, and nothing of this record written, when a field contains NUL in the null form. */
int record_writer_add(struct record_writer *w, const struct record *r);
/* Writes what stands behind the last record; only for a stream that is whole. Does not flush. */
int record_writer_end(struct record_writer *w);

/* ---------------------------------------------------------------- reading */

struct record_reader;

/* record_reader_next: nothing to read just now. */
#define RECORD_PAUSE 2

/* Reads from the descriptor, which need not be seekable and is not closed. name stands in messages
 * and is borrowed, as fd is. NULL: no memory.
 * REQUIRES: record_form_has(form, shape), shape not RECORD_VERSION. */
struct record_reader *record_reader_new(int fd, const char *name, enum record_form form,
	enum record_shape shape);
void record_reader_free(struct record_reader *r); /* accepts NULL */
/* From now on record_reader_next returns RECORD_PAUSE, once, when it would have to wait longer
 * than `ms` for more input, and once a second at the least: the moment to make good what is half
 * done. */
void record_reader_set_pause(struct record_reader *r, int ms);
/* After RECORD_PAUSE: waits for a second. True: nothing came, so this is the time to lsm_rest(): others may want to rebuild
 * the shared memory, or RocksDB to open the store. */
bool record_reader_lasts(const struct record_reader *r);
/* 0 with the next record, borrowed until the next call; SST_NO at a proper end; RECORD_PAUSE;
 * SST_EINVAL: not a record, or one that no store can take, or the input ends within one ("NAME:
 * line 12: no tab"); SST_EIO; SST_ENOMEM. An error is final: do not call again. */
int record_reader_next(struct record_reader *r, struct record *record);

/* ---------------------------------------------------------------- operands */

enum operand_form {
	OPERAND_RAW,	 /* the bytes as they are */
	OPERAND_ESCAPED, /* -e: as the text form prints a field */
	OPERAND_HEX,	 /* -x */
};

/* Decodes a command-line operand in place: *out points into text. SST_EINVAL with a message. */
int record_operand(char *text, enum operand_form form, struct sst_slice *out);

#endif
