/* SPDX-License-Identifier: MIT */
/*
 * A window on a memtable segment: what one lookup needs of it is read, what one insert changes is written, and nothing is
 * mapped. For a process that looks up one key, mapping is the dear way: every page touched is a fault, and is taken down
 * again at exit. Where a hypervisor keeps page tables of its own, that was seen to cost a hundred times the read of a node.
 *
 * The bytes are those that the mapping shows; only the moment is another. A leaf may grow while it is read, so its count
 * is read before the rest: entries below it are complete by then. An inner node changes by single stores of aligned
 * words, a record not at all.
 */
#ifndef MEM_WINDOW_H
#define MEM_WINDOW_H

#include "mem/tree.h"
#include "os/segment.h"

struct window;

/* NULL: no memory. The segment need not be mapped; it is borrowed, with its descriptor. */
struct window *window_new(const struct segment *s);
void window_free(struct window *w); /* accepts NULL */

/* What went wrong with the reads since the last window_renew(): 0, SST_ENOMEM, SST_EIO, SST_ECORRUPT (it has been cut
 * short). The message is made again. */
int window_error(const struct window *w);

/* Forgets what was read, which is then no longer valid, and reads the header anew: begin a lookup with it. */
int window_renew(struct window *w, uint64_t header_offset);
struct tree_header *window_header(struct window *w);

/* Changes the segment, as a store to a mapping would: whole, if it is an aligned word or less, and in order. What was read
 * before stays as it was. */
int window_write(struct window *w, uint64_t offset, const void *p, size_t n);

/* `size` bytes at offset, which is inside the segment; NULL with a message: they could not be read. Valid until the next
 * window_renew(). The first 8 are read before the others. */
void *window_at(struct window *w, uint64_t offset, size_t size);

#endif
