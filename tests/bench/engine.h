/* SPDX-License-Identifier: MIT */
/*
 * One engine as the library rows see it. Each engine_NAME.c or .cc defines `engine`; harness.c, linked to it,
 * is the program lib_NAME. An operation that an engine has not is NULL, and the rows that need it are skipped.
 * Operations do not fail: on any error they call bench_die.
 */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data.h"

#ifdef __cplusplus
extern "C" {
#endif

struct setup {
	const char *dir;     /* exists; empty when the store is new */
	bool create;
	bool wal;	     /* keep a write-ahead log (engines that can do without one) */
	bool compress;	     /* zstd level 1; LevelDB: snappy; others have none */
	size_t block_size, memtable, cache; /* bytes; cache 0: none */
	unsigned parallel;   /* threads that compress, where that is a setting */
};

struct engine {
	bool processes; /* writers are processes with a handle each, not threads that share one */
	void *(*open)(const struct setup *s);
	void (*close)(void *db);
	void (*write)(void *db, const struct record *records, size_t count, bool sync); /* one batch */
	bool (*get)(void *db, const char *key, size_t size); /* found; the value is read to its end */
	uint64_t (*scan)(void *db);			      /* records seen */
	void (*flush)(void *db);			      /* memtable -> durable table */
	void (*compact)(void *db);
	void (*build)(const struct setup *s, const struct record *sorted, size_t count); /* one durable table */
};

extern const struct engine engine;

/* For engines whose scan or get must touch what it found: keeps the compiler from dropping the read. */
extern volatile uint64_t bench_sink;

#ifdef __GNUC__
__attribute__((noreturn))
#endif
void bench_die(const char *what, const char *why);

#ifdef __cplusplus
}
#endif

#endif
