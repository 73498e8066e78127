/* SPDX-License-Identifier: MIT */
/*
 * A stream of records into a store: lsm-put --batch and lsm-del --batch. What was read is made
 * good, see bulk.h, when the input pauses, once a second, and at the end: from a slow stream
 * nothing is left undone while it sleeps. A bad record ends the stream; what came before it
 * stays, on disk.
 */
#ifndef BIN_INGEST_H
#define BIN_INGEST_H

#include "tool.h"

struct ingest {
	const struct tool *t; /* its store; the form of the records is t->form */
	/* RECORD_PAIR: put; RECORD_KEY: delete; RECORD_CHANGE: what each says */
	enum record_shape shape;
	bool create; /* the store, when it is not there */
	bool atomic; /* all of it or nothing, in one batch */
	bool no_sync;
};

/* Reads the files, "-" and none at all being standard input. Returns the exit status, all that
 * went wrong having been told. */
int ingest_files(const struct ingest *in, int count, char **files);

#endif
