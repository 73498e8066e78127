/* SPDX-License-Identifier: MIT */
/*
 * A stream of records into a store: lsm-put --batch and lsm-del --batch.
 *
 * Records are gathered into groups. A group is written, visible to everybody and safe from kill -9, when it
 * has grown to a quarter of a megabyte or when the input pauses; it is waited for on the disk when the input
 * pauses, after every 32 MiB, once a second, and at the end. So a fast stream costs one wait in 32 MiB, and
 * from a slow one nothing is left undone while it sleeps.
 *
 * A bad record ends the stream; what came before it stays, on disk.
 */
#ifndef BIN_INGEST_H
#define BIN_INGEST_H

#include "tool.h"

struct ingest {
	const struct tool *t; /* its store; the form of the records is t->form */
	enum record_shape shape; /* RECORD_PAIR: put; RECORD_KEY: delete; RECORD_CHANGE: what each says */
	bool create;		 /* the store, when it is not there */
	bool atomic;		 /* all of it or nothing, in one batch */
	bool no_sync;
};

/* Reads the files, "-" and none at all being standard input. Returns the exit status, all that went wrong
 * having been told. */
int ingest_files(const struct ingest *in, int count, char **files);

#endif
