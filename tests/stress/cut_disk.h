/* SPDX-License-Identifier: MIT */
/*
 * A disk in memory that remembers two things of every file and directory: what running programs see (all calls that
 * are done), and what is on the disk for certain, with the changes since, any part of which may be there when the power
 * goes.
 *
 *   contents    on the disk once fsync or fdatasync of the file came after the write, ftruncate or fallocate
 *   names       once fsync of the directory came after the creation, rename or removal. A sync of the file itself does
 *               not save its name
 *   the rest    modes, owners and times are on the disk at once
 *
 * Changes are kept in order. A sync marks those it saves; marked ones at the front are folded into what is certain. A sync
 * that fails marks what it should have saved as lost: such a change may be on the disk or not, and no later sync saves it,
 * because the kernel's pages are clean from then on.
 *
 * cut_disk_model.c does this; cut_disk_reboot.c keeps it in a file and chooses what a disk holds after the cut;
 * cut_disk.c is the file system. Whatever goes wrong in here ends the program: it is a test's.
 */
#ifndef STRESS_CUT_DISK_H
#define STRESS_CUT_DISK_H

#include <sys/types.h>
#include <time.h>

#include "base/buf.h"

#define ROOT_INO 1
#define SECTOR 512

struct name {
	char *name;
	uint64_t ino;
};

struct names {
	struct name *all;
	size_t count, cap;
};

enum change_kind { WRITE, TRUNCATE, ALLOCATE, NAME };
enum change_state { OPEN, SAVED, LOST };

struct change {
	uint64_t sequence; /* of the call, over the whole disk; a rename makes two changes in one call */
	enum change_kind kind;
	enum change_state state;
	uint64_t offset; /* WRITE; TRUNCATE and ALLOCATE: the size it makes, at least */
	struct buf data; /* WRITE: bytes; NAME: the name */
	uint64_t ino;	 /* NAME: 0 = removed */
};

struct node {
	uint64_t ino, generation;
	mode_t mode; /* 0: not in use */
	uid_t uid;
	gid_t gid;
	struct timespec modified;
	unsigned links;		 /* names that programs see */
	uint64_t lookups, opens; /* by the kernel */
	uint64_t failures;	 /* of syncs */
	struct buf now, certain; /* of a file */
	struct names names_now, names_certain;
	struct change *changes;
	size_t change_count, change_cap;
};

struct disk {
	struct node **nodes; /* number ino is nodes[ino - 1]; the lowest free number is used again */
	size_t count;
	uint64_t sequence;
	uint64_t bytes; /* in files, as programs see them */
};

/* ---- cut_disk_model.c */

void die(const char *what);
void disk_init(struct disk *d);
struct node *disk_node(const struct disk *d, uint64_t ino); /* there must be one */
struct node *disk_new_node(struct disk *d, mode_t mode, uid_t uid, gid_t gid);
/* Frees it once nothing refers to it: no name, certain or not, and not the kernel. */
void disk_drop_unused(struct disk *d, struct node *n);

uint64_t names_find(const struct names *names, const char *name); /* 0: none */
void names_set(struct names *names, const char *name, uint64_t ino);
/* Changes of this disk, seen at once. */
void disk_enter(struct disk *d, struct node *directory, const char *name, uint64_t ino);
void disk_write(struct disk *d, struct node *f, uint64_t offset, const void *data, size_t n);
void disk_truncate(struct disk *d, struct node *f, uint64_t size);
void disk_allocate(struct disk *d, struct node *f, uint64_t size);
void disk_sync(struct disk *d, struct node *n, bool fails);

/* For those who apply changes one by one. */
void content_write(struct buf *b, uint64_t offset, const void *data, size_t n);
void content_resize(struct buf *b, uint64_t size);
struct change *node_add_change(struct node *n);
void node_forget_changes(struct node *n, size_t n_first);
void node_discard(struct node *n);
void disk_room(struct disk *d, size_t count);

/* ---- cut_disk_reboot.c */

void disk_save(const struct disk *d, const char *path);
/* Loads what disk_save wrote and settles it: one choice, by the seed, of what the disk holds. Returns in words which; in a
 * buffer of its own. */
const char *disk_load(struct disk *d, const char *path, uint64_t seed);

#endif
