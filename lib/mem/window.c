/* SPDX-License-Identifier: MIT */
#include "mem/window.h"

#include <stdlib.h>

#include "base/status.h"

#define FIRST 8 /* bytes that say what the rest is */

struct piece {
	struct piece *next;
	uint64_t offset;
	size_t size;
	_Alignas(16) uint8_t data[];
};

struct window {
	struct segment segment;
	struct piece *pieces;
	struct tree_header header;
	int error;
};

struct window *window_new(const struct segment *s)
{
	struct window *w = calloc(1, sizeof(*w));
	if (w)
		w->segment = *s;
	return w;
}

static void forget(struct window *w)
{
	while (w->pieces) {
		struct piece *p = w->pieces;
		w->pieces = p->next;
		free(p);
	}
}

void window_free(struct window *w)
{
	if (!w)
		return;
	forget(w);
	free(w);
}

int window_renew(struct window *w, uint64_t header_offset)
{
	forget(w);
	w->error = 0;
	return segment_read(&w->segment, header_offset, &w->header, sizeof(w->header));
}

struct tree_header *window_header(struct window *w)
{
	return &w->header;
}

int window_error(const struct window *w)
{
	switch (w->error) {
	case SST_ENOMEM:
		return fail_memory();
	case 0:
		return 0;
	default:
		return fail(w->error, "cannot read a memtable segment");
	}
}

int window_write(struct window *w, uint64_t offset, const void *p, size_t n)
{
	atomic_thread_fence(memory_order_release);
	w->error = segment_write(&w->segment, offset, p, n);
	return w->error;
}

static struct piece *read_piece(struct window *w, uint64_t offset, size_t size)
{
	struct piece *p = malloc(sizeof(*p) + size);
	if (!p) {
		w->error = SST_ENOMEM;
		return NULL;
	}
	uint8_t first[FIRST];
	*p = (struct piece){.offset = offset, .size = size};
	w->error = segment_read(&w->segment, offset, first, FIRST);
	if (!w->error)
		w->error = segment_read(&w->segment, offset, p->data, size);
	if (w->error) {
		free(p);
		return NULL;
	}
	memcpy(p->data, first, FIRST);
	return p;
}

void *window_at(struct window *w, uint64_t offset, size_t size)
{
	for (struct piece *p = w->pieces; p; p = p->next)
		if (p->offset == offset && p->size >= size)
			return p->data;
	struct piece *p = read_piece(w, offset, size);
	if (!p)
		return NULL;
	p->next = w->pieces;
	w->pieces = p;
	return p->data;
}
