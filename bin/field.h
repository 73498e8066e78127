/* SPDX-License-Identifier: MIT */
/*
 * One key or value as text: the codecs that the record forms are made of.
 *
 * Encoders append to an output. Decoders work in place (what they make is never longer than
 * what they read): they set *out, which points into p, and return NULL, or what is wrong, a
 * static string.
 */
#ifndef BIN_FIELD_H
#define BIN_FIELD_H

#include "output.h"

void field_write_text(struct output *o, struct sst_slice field); /* escaped: see record.h */
void field_write_hex(struct output *o, struct sst_slice field);	 /* lower case, without 0x */
void field_write_base64(struct output *o, struct sst_slice field);
/* Between the quotes of a JSON string. Controls (DEL and C1 too) as \u00XX. REQUIRES:
 * utf8_valid(field). */
void field_write_json(struct output *o, struct sst_slice field);

const char *field_read_text(uint8_t *p, size_t n, struct sst_slice *out);
const char *field_read_hex(
	uint8_t *p, size_t n, struct sst_slice *out); /* with or without 0x */
const char *field_read_base64(uint8_t *p, size_t n, struct sst_slice *out);

/* Bytes at the front of p that stand for themselves in a JSON string, ASCII only. */
size_t field_json_plain(const uint8_t *p, size_t n);

int hex_digit(uint8_t c); /* its value, or -1 */

/* Bytes of the well-formed UTF-8 sequence at p, 0 when there is none. REQUIRES: n > 0. */
size_t utf8_length(const uint8_t *p, size_t n);
bool utf8_valid(struct sst_slice s);
/* As utf8_length, but 0 for control characters as well: what a terminal may be shown. */
size_t utf8_printable(const uint8_t *p, size_t n);

#endif
