/* SPDX-License-Identifier: MIT */
/* Putting the operations of a write batch into a memtable: the put, the repair and the rebuild do the same. */
#ifndef DB_APPLY_H
#define DB_APPLY_H

#include "db/store.h"

struct apply {
	struct memtable *memtable;
	struct generation *generation; /* its first_ns is set with the first record; may be NULL */
	struct control *control;
	bool any_type; /* keep operations that we cannot evaluate, so that reading their keys can say so */
	uint32_t family; /* id of the column family; operations of others are passed over */
	/* Takes range tombstones (op->key to op->value) where they can be kept apart; NULL: refused. */
	int (*range_deletion)(void *arg, const struct batch_op *op);
	void *range_arg;
};

/* The two halves of a struct replay_sink. Room is secured record by record. */
int apply_record(void *apply, uint64_t sequence, uint32_t count, uint64_t bytes);
int apply_op(void *apply, const struct batch_op *op);
/* Notes when the generation's first record came, for who inserts by other means than these. */
void apply_begin(struct apply *a);
/* All operations of a sealed record. REQUIRES: room is secured. */
int apply_batch(struct apply *a, struct sst_slice record);

/* "merge operand", for messages. */
const char *value_type_name(uint8_t type);

#endif
