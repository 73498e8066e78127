/* SPDX-License-Identifier: MIT */
/* For tests alone: a queue put between the sequential writer and the kernel, to complete short, late, in another
 * order, or not at all. */
#ifndef OS_SEQ_WRITER_TEST_H
#define OS_SEQ_WRITER_TEST_H

#include "os/write_queue.h"

/* When set, called for every new writer with its queue; returns the queue to use. That one's free frees the
 * other. NULL: no memory (the inner one is then freed already). */
extern struct write_queue *(*seq_writer_between)(struct write_queue *inner);

#endif
