/* SPDX-License-Identifier: MIT */
/* What programs see and what is certain: cut_disk.h. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cut_disk.h"

void die(const char *what)
{
	fprintf(stderr, "cut_disk: ");
	perror(what);
	exit(99);
}

/* ---- names */

uint64_t names_find(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (!strcmp(names->all[i].name, name))
			return names->all[i].ino;
	return 0;
}

static void names_remove(struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (!strcmp(names->all[i].name, name)) {
			free(names->all[i].name);
			memmove(names->all + i, names->all + i + 1, (--names->count - i) * sizeof(*names->all));
			return;
		}
}

void names_set(struct names *names, const char *name, uint64_t ino)
{
	names_remove(names, name);
	if (!ino)
		return;
	if (names->count == names->cap) {
		names->cap = names->cap ? names->cap * 2 : 16;
		names->all = reallocarray(names->all, names->cap, sizeof(*names->all));
		if (!names->all)
			die("names");
	}
	char *copy = strdup(name);
	if (!copy)
		die("names");
	names->all[names->count++] = (struct name){copy, ino};
}

static void names_release(struct names *names)
{
	while (names->count)
		free(names->all[--names->count].name);
	free(names->all);
}

static bool names_refer_to(const struct names *names, uint64_t ino)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->all[i].ino == ino)
			return true;
	return false;
}

/* ---- contents */

void content_resize(struct buf *b, uint64_t size)
{
	if (size > b->size) {
		if (!buf_reserve(b, size - b->size))
			die("content");
		memset(b->data + b->size, 0, size - b->size);
	}
	b->size = size;
}

void content_write(struct buf *b, uint64_t offset, const void *data, size_t n)
{
	if (!n)
		return;
	if (b->size < offset + n)
		content_resize(b, offset + n);
	memcpy(b->data + offset, data, n);
}

static void apply(struct buf *content, struct names *names, const struct change *c)
{
	switch (c->kind) {
	case WRITE:
		content_write(content, c->offset, c->data.data, c->data.size);
		break;
	case TRUNCATE:
		content_resize(content, c->offset);
		break;
	case ALLOCATE:
		if (content->size < c->offset)
			content_resize(content, c->offset);
		break;
	case NAME:
		names_set(names, (const char *)c->data.data, c->ino);
		break;
	}
}

/* ---- nodes */

struct node *disk_node(const struct disk *d, uint64_t ino)
{
	if (!ino || ino > d->count || !d->nodes[ino - 1]->mode) {
		fprintf(stderr, "cut_disk: no inode %llu\n", (unsigned long long)ino);
		exit(99);
	}
	return d->nodes[ino - 1];
}

void disk_room(struct disk *d, size_t count)
{
	d->nodes = reallocarray(d->nodes, count, sizeof(*d->nodes));
	if (!d->nodes)
		die("nodes");
	for (; d->count < count; d->count++) {
		d->nodes[d->count] = calloc(1, sizeof(struct node));
		if (!d->nodes[d->count])
			die("nodes");
		d->nodes[d->count]->ino = d->count + 1;
	}
}

struct node *disk_new_node(struct disk *d, mode_t mode, uid_t uid, gid_t gid)
{
	size_t i = 0;
	while (i < d->count && d->nodes[i]->mode)
		i++;
	if (i == d->count)
		disk_room(d, d->count + 1);
	struct node *n = d->nodes[i];
	n->mode = mode;
	n->uid = uid;
	n->gid = gid;
	n->generation++;
	clock_gettime(CLOCK_REALTIME, &n->modified);
	return n;
}

void disk_init(struct disk *d)
{
	*d = (struct disk){0};
	disk_new_node(d, S_IFDIR | 0755, 0, 0)->links = 1;
}

void node_discard(struct node *n)
{
	buf_release(&n->now);
	buf_release(&n->certain);
	names_release(&n->names_now);
	names_release(&n->names_certain);
	node_forget_changes(n, n->change_count);
	free(n->changes);
	*n = (struct node){.ino = n->ino, .generation = n->generation};
}

static bool referred_to(const struct disk *d, uint64_t ino)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct node *n = d->nodes[i];
		if (!S_ISDIR(n->mode))
			continue;
		if (names_refer_to(&n->names_certain, ino))
			return true;
		for (size_t k = 0; k < n->change_count; k++)
			if (n->changes[k].ino == ino)
				return true;
	}
	return false;
}

void disk_drop_unused(struct disk *d, struct node *n)
{
	if (n->ino == ROOT_INO || !n->mode || n->links || n->lookups || n->opens || referred_to(d, n->ino))
		return;
	d->bytes -= n->now.size;
	node_discard(n);
}

/* ---- changes */

struct change *node_add_change(struct node *n)
{
	if (n->change_count == n->change_cap) {
		n->change_cap = n->change_cap ? n->change_cap * 2 : 16;
		n->changes = reallocarray(n->changes, n->change_cap, sizeof(*n->changes));
		if (!n->changes)
			die("changes");
	}
	struct change *c = &n->changes[n->change_count++];
	*c = (struct change){0};
	return c;
}

void node_forget_changes(struct node *n, size_t n_first)
{
	for (size_t i = 0; i < n_first; i++)
		buf_release(&n->changes[i].data);
	n->change_count -= n_first;
	if (n_first)
		memmove(n->changes, n->changes + n_first, n->change_count * sizeof(*n->changes));
}

static void change(struct disk *d, struct node *n, struct change what, struct sst_slice data)
{
	struct change *c = node_add_change(n);
	*c = what;
	c->sequence = d->sequence;
	buf_append_slice(&c->data, data);
	if (c->data.failed)
		die("changes");
	size_t before = n->now.size;
	apply(&n->now, &n->names_now, c);
	d->bytes += n->now.size - before;
	clock_gettime(CLOCK_REALTIME, &n->modified);
}

void disk_enter(struct disk *d, struct node *directory, const char *name, uint64_t ino)
{
	uint64_t old = names_find(&directory->names_now, name);
	if (ino)
		disk_node(d, ino)->links++;
	change(d, directory, (struct change){.kind = NAME, .ino = ino}, slice_of(name, strlen(name) + 1));
	if (old)
		disk_node(d, old)->links--;
}

void disk_write(struct disk *d, struct node *f, uint64_t offset, const void *data, size_t n)
{
	change(d, f, (struct change){.kind = WRITE, .offset = offset}, slice_of(data, n));
}

void disk_truncate(struct disk *d, struct node *f, uint64_t size)
{
	change(d, f, (struct change){.kind = TRUNCATE, .offset = size}, slice_of(NULL, 0));
}

void disk_allocate(struct disk *d, struct node *f, uint64_t size)
{
	change(d, f, (struct change){.kind = ALLOCATE, .offset = size}, slice_of(NULL, 0));
}

void disk_sync(struct disk *d, struct node *n, bool fails)
{
	for (size_t i = 0; i < n->change_count; i++)
		if (n->changes[i].state == OPEN)
			n->changes[i].state = fails ? LOST : SAVED;
	size_t saved = 0;
	while (saved < n->change_count && n->changes[saved].state == SAVED)
		apply(&n->certain, &n->names_certain, &n->changes[saved++]);
	node_forget_changes(n, saved);
	if (!S_ISDIR(n->mode) || !saved)
		return;
	for (size_t i = 0; i < d->count; i++)
		disk_drop_unused(d, d->nodes[i]);
}
