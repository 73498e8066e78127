/* SPDX-License-Identifier: MIT */
/*
 * Buffered output to a descriptor, without stdio: a start must cost nothing and a dump must
 * keep up with memcpy. An error sticks: what is written after it is dropped and every call
 * returns it.
 */
#ifndef BIN_OUTPUT_H
#define BIN_OUTPUT_H

#include "base/slice.h"

#define OUTPUT_ROOM_MAX 4096u /* bytes that output_room can be asked for */

struct output {
	uint8_t *data; /* cap bytes, at least 2 * OUTPUT_ROOM_MAX */
	size_t size, cap;
	int fd;
	int error;	    /* 0, or the negative sst_status of the first failure ... */
	int os_error;	    /* ... and its errno */
	bool line_buffered; /* output_record_end flushes */
};

/* Writes out what is buffered. 0, or SST_EIO or SST_EFULL with its message. */
int output_flush(struct output *o);

/* Any number of bytes; large ones are not copied. Returns o->error. */
int output_write(struct output *o, const void *p, size_t n);

/* Room for n <= OUTPUT_ROOM_MAX bytes, to be filled, then counted with output_advance. */
static inline uint8_t *output_room(struct output *o, size_t n)
{
	if (o->cap - o->size < n)
		output_flush(o);
	return o->data + o->size;
}

static inline void output_advance(struct output *o, size_t n)
{
	o->size += n;
}

static inline void output_char(struct output *o, char c)
{
	*output_room(o, 1) = (uint8_t)c;
	output_advance(o, 1);
}

static inline void output_str(struct output *o, const char *s)
{
	output_write(o, s, strlen(s));
}

void output_u64(struct output *o, uint64_t v); /* in decimal */

/* The end of a line or record: the place to flush when a reader waits for it. Returns error. */
static inline int output_record_end(struct output *o)
{
	return o->line_buffered ? output_flush(o) : o->error;
}

#endif
