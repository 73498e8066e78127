/* SPDX-License-Identifier: MIT */
/*
 * The reader's buffer: see record_form.h for how a form works on it. It grows with what really
 * came, by doubling, up to the largest record there can be; nothing is searched or moved twice,
 * so a record of a gigabyte costs what its bytes cost.
 */
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "base/status.h"
#include "input.h"
#include "record_form.h"

#define INPUT_FIRST (256u << 10)
#define INPUT_ROOM_MIN (64u << 10) /* what one read is given at least: a pipe holds as much */
#define PAUSE_EVERY_MS 1000
#define REST_MS 1000

struct record_reader *record_reader_new(
	int fd, const char *name, enum record_form form, enum record_shape shape)
{
	struct record_reader *r = calloc(1, sizeof(*r));
	if (!r) {
		fail_memory();
		return NULL;
	}
	*r = (struct record_reader){
		.fd = fd,
		.name = name,
		.ops = record_form_ops(form),
		.shape = shape,
		.number = 1,
		.pause_ms = -1,
	};
	buf_reserve(&r->in, 1); /* from here on in.data points somewhere */
	if (buf_check(&r->in) == 0)
		return r;
	record_reader_free(r);
	return NULL;
}

void record_reader_free(struct record_reader *r)
{
	if (!r)
		return;
	buf_release(&r->in);
	free(r);
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void record_reader_set_pause(struct record_reader *r, int ms)
{
	r->pause_ms = ms;
	r->paused_at_ms = now_ms();
}

int record_bad(const struct record_reader *r, const char *what, const char *detail)
{
	return fail(SST_EINVAL, "%s: %s %llu: %s%s%s", r->name, r->ops->unit,
		(unsigned long long)r->number, what, detail ? ": " : "", detail ? detail : "");
}

int record_split(struct record_reader *r, uint8_t delimiter, unsigned count)
{
	size_t n;
	const uint8_t *p = record_unread(r, &n);
	while (r->found < count) {
		const uint8_t *at =
			n > r->searched ? memchr(p + r->searched, delimiter, n - r->searched)
					: NULL;
		if (!at)
			break;
		r->end[r->found++] = (size_t)(at - p);
		r->searched = (size_t)(at - p) + 1;
	}
	if (r->found == count)
		return 0;
	r->searched = n;
	if (!r->eof)
		return RECORD_MORE;
	return n ? record_bad(r, "the input ends within a record", NULL) : SST_NO;
}

int record_read_sequence(
	const struct record_reader *r, const uint8_t *p, size_t n, uint64_t *sequence)
{
	*sequence = 0;
	for (size_t i = 0; i < n; i++)
		if (p[i] < '0' || p[i] > '9' || i == 17)
			return record_bad(r, "not a sequence number", NULL);
		else
			*sequence = *sequence * 10 + (p[i] - (unsigned)'0');
	return n ? 0 : record_bad(r, "no sequence number", NULL);
}

int record_read_type(
	const struct record_reader *r, const uint8_t *p, size_t n, const char **type)
{
	*type = n == 3 && memcmp(p, "put", 3) == 0   ? "put"
		: n == 3 && memcmp(p, "del", 3) == 0 ? "del"
						     : NULL;
	return *type ? 0 : record_bad(r, "not an operation (put, del)", NULL);
}

/* ---------------------------------------------------------------- input */

/* Whether now is the moment to say RECORD_PAUSE: nothing came for pause_ms, or none was called
 * for long. */
static bool input_pauses(struct record_reader *r)
{
	if (r->pause_ms < 0 || r->paused)
		return false;
	struct pollfd p = {.fd = r->fd, .events = POLLIN};
	r->paused = poll(&p, 1, r->pause_ms) == 0;
	int64_t now = now_ms();
	if (!r->paused && now - r->paused_at_ms < PAUSE_EVERY_MS)
		return false;
	r->paused_at_ms = now;
	return true;
}

bool record_reader_lasts(const struct record_reader *r)
{
	struct pollfd p = {.fd = r->fd, .events = POLLIN};
	return poll(&p, 1, REST_MS) == 0;
}

/* Bytes of the longest record that may have to be waited for. */
static uint64_t input_max(const struct record_reader *r)
{
	uint64_t fields = LSM_KEY_MAX + (r->shape == RECORD_KEY ? 0 : (uint64_t)LSM_VALUE_MAX);
	return fields * r->ops->growth + 4096;
}

/* Moves what is unread to the front and makes room behind it. */
static int make_room(struct record_reader *r)
{
	size_t unread = r->in.size - r->pos;
	if (unread > input_max(r))
		return record_bad(r, "longer than any record can be", NULL);
	if (r->pos && unread)
		memmove(r->in.data, r->in.data + r->pos, unread);
	r->in.size = unread;
	r->pos = 0;
	if (r->fd >= 0)
		buf_reserve(&r->in, r->in.cap < INPUT_FIRST ? INPUT_FIRST : INPUT_ROOM_MIN);
	else
		buf_reserve(&r->in, 1);
	return buf_check(&r->in);
}

static void end_of_input(struct record_reader *r)
{
	r->eof = true;
	if (r->ops->lines && r->in.size > r->pos && r->in.data[r->in.size - 1] != '\n')
		buf_push(&r->in, '\n');
}

static int read_more(struct record_reader *r)
{
	if (input_pauses(r))
		return RECORD_PAUSE;
	int rc = make_room(r);
	if (rc)
		return rc;
	size_t n = 0;
	if (r->fd >= 0)
		rc = input_read(
			r->fd, r->name, r->in.data + r->in.size, r->in.cap - r->in.size, &n);
	if (rc)
		return rc;
	r->paused = false;
	r->in.size += n;
	if (!n)
		end_of_input(r);
	return 0;
}

static int check_limits(const struct record_reader *r, const struct record *record)
{
	if (record->key.size > LSM_KEY_MAX)
		return record_bad(r, "key longer than 8 MiB", NULL);
	if (record->value.size > LSM_VALUE_MAX)
		return record_bad(r, "value longer than 1 GiB", NULL);
	return 0;
}

int record_reader_next(struct record_reader *r, struct record *record)
{
	*record = (struct record){0};
	for (;;) {
		int rc = r->ops->read(r, record);
		if (rc == 0) {
			rc = check_limits(r, record);
			r->number++;
			return rc;
		}
		if (rc != RECORD_MORE)
			return rc;
		rc = read_more(r);
		if (rc)
			return rc;
	}
}
