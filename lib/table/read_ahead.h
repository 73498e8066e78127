/* SPDX-License-Identifier: MIT */
/*
 * Reading ahead with other processors: a long walk through a table spends more than half of its time on decompression,
 * and what comes next is known. So after the first megabyte blocks are read, checked and decompressed by other
 * threads before the walk comes to them, in order, some jobs ahead.
 *
 *     filling:  the walk takes handles from an index iterator of its own that runs ahead, for a job at a time
 *     running:  a worker alone touches the job
 *     done:     the walk takes block after block; a job of which all are taken is filled again
 *
 * It is only ever a shortcut. A block that a worker could not read, or does not want to (damaged, of a codec unknown, large)
 * is left to the walk, which reads it itself and says what is wrong; whoever leaves the order, seeks or turns round ends it.
 *
 * A crew is the threads of one handle. It has them while walks have use for them: four walks at most, each with 4 MiB when
 * blocks are of 16 KiB, and never more than 17. A child of fork(2) has none of them: there what was read ahead is dropped,
 * and a walk that goes on may get threads of its own.
 */
#ifndef TABLE_READ_AHEAD_H
#define TABLE_READ_AHEAD_H

#include "table/index.h"

struct pool;

/* A zeroed one is ready. It must outlive the walks; when the last one ends, it holds nothing. */
struct read_crew {
	struct pool *pool;
	unsigned walks; /* that have it */
	unsigned iters; /* of tables of the handle, that is buffers for reading ahead */
	unsigned forks; /* process_forks() of the process whose threads these are */
	bool never;	/* there is but one processor, or no thread to be had */
	uint64_t begin_after; /* other than a megabyte, in tests */
};

struct read_ahead;

/* What a walk has of it. A zeroed one is ready. */
struct read_walk {
	uint64_t bytes; /* of blocks that the walk has read, one behind the other */
	struct read_ahead *ahead;
	bool never;
};

/* The contents of the block at which `at` stands, if they have been made ready: 0, borrowed until the next call. SST_NO: read it
 * yourself. last: a stored internal key of the block before it, or empty (at the beginning of the walk). */
int read_ahead_take(struct read_walk *w, struct read_crew *crew, struct index *index, const struct index_iter *at,
	struct sst_slice last, struct sst_slice *contents);
/* How much one of the crew's iterators may read at once, so that all together stay within 16 MiB, if need be by 64 KiB. */
size_t read_ahead_share(const struct read_crew *crew);
/* The walk leaves the order. */
void read_ahead_end(struct read_walk *w);

#endif
