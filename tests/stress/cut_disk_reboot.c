/* SPDX-License-Identifier: MIT */
/*
 * The disk of cut_disk.h in a file, and what it holds when the power is back: one of many states that it may hold, chosen
 * by a seed. What is certain is always there. Of the rest:
 *
 *   nothing, everything, everything up to a moment       the same for contents, sizes and names
 *   names without contents, contents without names, sizes without contents (zeros)
 *   sectors      each name, each size, and of each write each sector of 512 bytes, is there or is not
 *   versions     each sector, each size and each directory is as it was at a moment of its own: what a disk does that writes
 *                whole pages back when it likes
 *
 * The file, in the encodings of base/coding.h: "cutdisk1", sequence, number of nodes; of each node generation and mode,
 * and if that is not 0: uid, gid, seconds, nanoseconds, contents, number of names and each name and inode, number of
 * changes and each sequence, kind, state, offset, data, inode.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/coding.h"
#include "cut_disk.h"

#define MAGIC "cutdisk1"

/* ---- the choice */

enum how { NOTHING, EVERYTHING, NAMES_ONLY, CONTENTS_ONLY, SIZES_ONLY, UNTIL, SECTORS, VERSIONS, HOWS };

struct choice {
	enum how how;
	uint64_t seed, until;
	unsigned names, contents; /* of 100 */
};

/* What a change is asked for: a choice of each. */
enum part { OF_NAMES, OF_SIZES, OF_CONTENTS };

/* splitmix64's mixing step (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static uint64_t draw(const struct choice *h, uint64_t a, uint64_t b, uint64_t c)
{
	return mix(mix(mix(mix(h->seed) ^ a) ^ b) ^ c);
}

static bool at_its_own_moment(const struct choice *h, const struct node *n, const struct change *c, uint64_t where)
{
	uint64_t first = n->changes[0].sequence, last = n->changes[n->change_count - 1].sequence;
	return c->sequence < first + draw(h, n->ino, where, 3) % (last - first + 2);
}

static bool wants(const struct choice *h, const struct node *n, const struct change *c, enum part part, uint64_t where)
{
	if (c->state == SAVED)
		return true;
	uint64_t lot = draw(h, n->ino ^ (uint64_t)part << 32, c->sequence, where) % 100;
	switch (h->how) {
	case NOTHING:
		return false;
	case EVERYTHING:
		return true;
	case NAMES_ONLY:
		return part == OF_NAMES;
	case CONTENTS_ONLY:
		return part != OF_NAMES;
	case SIZES_ONLY:
		return part != OF_CONTENTS;
	case UNTIL:
		return c->state == OPEN && c->sequence <= h->until;
	case VERSIONS:
		return c->state == LOST ? lot < h->contents : at_its_own_moment(h, n, c, where);
	default:
		return lot < (part == OF_NAMES ? h->names : h->contents);
	}
}

static void settle_write(const struct choice *h, const struct node *f, const struct change *c, struct buf *content)
{
	uint64_t at = c->offset, end = c->offset + c->data.size;
	while (at < end) {
		uint64_t next = (at / SECTOR + 1) * SECTOR, upto = next < end ? next : end;
		if (wants(h, f, c, OF_CONTENTS, at / SECTOR))
			content_write(content, at, c->data.data + (at - c->offset), upto - at);
		at = upto;
	}
}

static void settle_file(const struct choice *h, struct node *f)
{
	uint64_t size = f->certain.size;
	for (size_t i = 0; i < f->change_count; i++) {
		const struct change *c = &f->changes[i];
		bool sized = wants(h, f, c, OF_SIZES, UINT64_MAX);
		if (c->kind == TRUNCATE) {
			if (!sized)
				continue;
			size = c->offset;
			if (f->certain.size > size)
				content_resize(&f->certain, size);
			continue;
		}
		uint64_t end = c->offset + c->data.size;
		if (sized && size < end)
			size = end;
		settle_write(h, f, c, &f->certain);
	}
	content_resize(&f->certain, size);
}

static void settle_directory(const struct choice *h, const struct disk *d, struct node *directory)
{
	for (size_t i = 0; i < directory->change_count; i++) {
		const struct change *c = &directory->changes[i];
		const char *name = (const char *)c->data.data;
		uint64_t ino = c->ino ? c->ino : names_find(&directory->names_certain, name);
		/* A directory must not get two names, so both changes of its rename share a lot. */
		bool whole = ino && S_ISDIR(disk_node(d, ino)->mode);
		uint64_t where = whole || h->how == VERSIONS ? 0 : c->data.data[0] + 256u * c->data.data[c->data.size - 2];
		if (wants(h, directory, c, OF_NAMES, where))
			names_set(&directory->names_certain, name, c->ino);
	}
}

/* Everything is certain now, and that is what programs see. */
static void settle(const struct choice *h, const struct disk *d, struct node *n)
{
	if (S_ISDIR(n->mode))
		settle_directory(h, d, n);
	else
		settle_file(h, n);
	node_forget_changes(n, n->change_count);
}

static void reach(struct disk *d, struct node *n)
{
	if (n->links++)
		return;
	content_write(&n->now, 0, n->certain.data, n->certain.size);
	d->bytes += n->now.size;
	for (size_t i = 0; i < n->names_certain.count; i++) {
		names_set(&n->names_now, n->names_certain.all[i].name, n->names_certain.all[i].ino);
		reach(d, disk_node(d, n->names_certain.all[i].ino));
	}
}

static const char *choose(struct choice *h, const struct disk *d)
{
	static const char *const names[HOWS] = {"nothing unsynced", "everything", "names without contents",
		"contents without names", "sizes without contents"};
	static const unsigned shares[] = {10, 50, 80, 95};
	static char text[100];
	/* A quarter of all seeds each for sectors and versions, a twelfth for each of the others. */
	h->how = (enum how)(mix(h->seed) % 12);
	if (h->how >= HOWS)
		h->how = h->how < 10 ? SECTORS : VERSIONS;
	h->names = shares[draw(h, 1, 0, 0) % 4];
	h->contents = shares[draw(h, 2, 0, 0) % 4];
	uint64_t first = UINT64_MAX;
	for (size_t i = 0; i < d->count; i++)
		if (d->nodes[i]->change_count && d->nodes[i]->changes[0].sequence < first)
			first = d->nodes[i]->changes[0].sequence;
	h->until = first > d->sequence ? 0 : first + draw(h, 3, 0, 0) % (d->sequence - first + 1);
	if (h->how == UNTIL)
		snprintf(text, sizeof(text), "everything up to call %llu of %llu", (unsigned long long)h->until,
			(unsigned long long)d->sequence);
	else if (h->how == SECTORS)
		snprintf(text, sizeof(text), "sectors: %u %% of names, %u %% of contents", h->names, h->contents);
	else
		snprintf(text, sizeof(text), "%s", h->how == VERSIONS ? "versions" : names[h->how]);
	return text;
}

/* ---- the file */

static void save_node(struct buf *out, const struct node *n)
{
	put_varint(out, n->generation);
	put_varint(out, n->mode);
	if (!n->mode)
		return;
	put_varint(out, n->uid);
	put_varint(out, n->gid);
	put_varint(out, (uint64_t)n->modified.tv_sec);
	put_varint(out, (uint64_t)n->modified.tv_nsec);
	put_slice(out, buf_slice(&n->certain));
	put_varint(out, n->names_certain.count);
	for (size_t i = 0; i < n->names_certain.count; i++) {
		put_slice(out, slice_of(n->names_certain.all[i].name, strlen(n->names_certain.all[i].name) + 1));
		put_varint(out, n->names_certain.all[i].ino);
	}
	put_varint(out, n->change_count);
	for (size_t i = 0; i < n->change_count; i++) {
		const struct change *c = &n->changes[i];
		put_varint(out, c->sequence);
		put_varint(out, c->kind);
		put_varint(out, c->state);
		put_varint(out, c->offset);
		put_slice(out, buf_slice(&c->data));
		put_varint(out, c->ino);
	}
}

void disk_save(const struct disk *d, const char *path)
{
	struct buf out = {0};
	buf_append(&out, MAGIC, strlen(MAGIC));
	put_varint(&out, d->sequence);
	put_varint(&out, d->count);
	for (size_t i = 0; i < d->count; i++)
		save_node(&out, d->nodes[i]);
	FILE *f = fopen(path, "we");
	if (out.failed || !f || fwrite(out.data, 1, out.size, f) != out.size || fclose(f))
		die(path);
	buf_release(&out);
}

static uint64_t number(struct sst_slice *in)
{
	uint64_t v;
	if (!get_varint64(in, &v)) {
		errno = EINVAL;
		die("image");
	}
	return v;
}

static struct sst_slice bytes(struct sst_slice *in)
{
	uint64_t n = number(in);
	if (n > in->size) {
		errno = EINVAL;
		die("image");
	}
	struct sst_slice s = slice_of(in->data, n);
	*in = slice_skip(*in, n);
	return s;
}

static void load_node(struct sst_slice *in, struct node *n)
{
	n->generation = number(in);
	n->mode = (mode_t)number(in);
	if (!n->mode)
		return;
	n->uid = (uid_t)number(in);
	n->gid = (gid_t)number(in);
	n->modified.tv_sec = (time_t)number(in);
	n->modified.tv_nsec = (long)number(in);
	buf_append_slice(&n->certain, bytes(in));
	for (uint64_t left = number(in); left; left--) {
		const char *name = (const char *)bytes(in).data;
		names_set(&n->names_certain, name, number(in));
	}
	for (uint64_t left = number(in); left; left--) {
		struct change *c = node_add_change(n);
		c->sequence = number(in);
		c->kind = (enum change_kind)number(in);
		c->state = (enum change_state)number(in);
		c->offset = number(in);
		buf_append_slice(&c->data, bytes(in));
		c->ino = number(in);
	}
}

static void read_whole(struct buf *image, const char *path)
{
	FILE *f = fopen(path, "re");
	if (!f)
		die(path);
	do {
		if (!buf_reserve(image, 65536))
			die(path);
		image->size += fread(image->data + image->size, 1, 65536, f);
	} while (!feof(f) && !ferror(f));
	if (ferror(f) || image->size < strlen(MAGIC) || memcmp(image->data, MAGIC, strlen(MAGIC)) != 0)
		die(path);
	fclose(f);
}

const char *disk_load(struct disk *d, const char *path, uint64_t seed)
{
	struct buf image = {0};
	read_whole(&image, path);
	struct sst_slice in = slice_skip(buf_slice(&image), strlen(MAGIC));
	*d = (struct disk){.sequence = number(&in)};
	disk_room(d, number(&in));
	for (size_t i = 0; i < d->count; i++)
		load_node(&in, d->nodes[i]);
	buf_release(&image);
	struct choice h = {.seed = seed};
	const char *how = choose(&h, d);
	for (size_t i = 0; i < d->count; i++)
		settle(&h, d, d->nodes[i]);
	reach(d, disk_node(d, ROOT_INO));
	for (size_t i = 0; i < d->count; i++)
		if (d->nodes[i]->mode && !d->nodes[i]->links)
			node_discard(d->nodes[i]);
	return how;
}
