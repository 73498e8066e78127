/* SPDX-License-Identifier: MIT */
/*
 * The program that fills a memtable sees to its flush. A frozen memtable is safe in the
 * write-ahead log, so a flush that fails loses nothing: it is told on standard error and does
 * not change the exit status. Should frozen memtables pile up, the library makes writers flush
 * one themselves, and then a failure is theirs.
 */
#ifndef BIN_FLUSHER_H
#define BIN_FLUSHER_H

#include "tool.h"

/* For a writer that lives on: a thread with its own handle. */
struct flusher;

/* Costs nothing until there is something to flush. t is borrowed. NULL: no memory. */
struct flusher *flusher_new(const struct tool *t);
/* Call after a write through db: wakes the thread when a frozen memtable waits. */
void flusher_poke(struct flusher *f, struct lsm *db);
/* Waits for the flush under way, then frees. Accepts NULL. */
void flusher_free(struct flusher *f);

/* For a writer that is about to exit: when a frozen memtable waits, starts `lsm-flush --frozen`
 * as a process that belongs to nobody (own session, no descriptor of ours) and does not wait
 * for it. */
void flusher_hand_over(const struct tool *t, struct lsm *db);

#endif
