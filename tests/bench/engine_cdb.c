/* SPDX-License-Identifier: MIT */
/* cdb (tinycdb) as the library rows see it: a hash file that is written once and cannot be changed. */
#include "engine.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct store {
	struct cdb cdb;
	struct cdb_make make;
	bool making;
	int fd;
	char temporary[4096], path[4096];
};

static void fail(const char *what)
{
	bench_die(what, strerror(errno));
}

static void *tinycdb_open(const struct setup *s)
{
	struct store *st = calloc(1, sizeof(*st));

	if (!st)
		bench_die("cdb", "no memory");
	snprintf(st->path, sizeof(st->path), "%s/db.cdb", s->dir);
	snprintf(st->temporary, sizeof(st->temporary), "%s/db.tmp", s->dir);
	st->making = s->create;
	st->fd = s->create ? open(st->temporary, O_RDWR | O_CREAT | O_TRUNC, 0644) : open(st->path, O_RDONLY);
	if (st->fd < 0 || (s->create ? cdb_make_start(&st->make, st->fd) : cdb_init(&st->cdb, st->fd)))
		fail(st->path);
	return st;
}

static void tinycdb_close(void *db)
{
	struct store *st = db;

	if (!st->making)
		cdb_free(&st->cdb);
	else if (cdb_make_finish(&st->make) || fsync(st->fd) || rename(st->temporary, st->path))
		fail(st->path);
	close(st->fd);
	free(st);
}

static void tinycdb_write(void *db, const struct record *r, size_t count, bool sync)
{
	struct store *st = db;

	if (sync)
		bench_die("cdb", "has no durable put");
	for (size_t i = 0; i < count; i++)
		if (cdb_make_add(&st->make, r[i].key, r[i].key_size, r[i].value, VALUE_SIZE))
			fail("cdb_make_add");
}

static bool tinycdb_get(void *db, const char *key, size_t size)
{
	struct store *st = db;

	if (cdb_find(&st->cdb, key, (unsigned)size) <= 0)
		return false;
	const uint8_t *value = cdb_getdata(&st->cdb);
	bench_sink += value[cdb_datalen(&st->cdb) - 1];
	return true;
}

static uint64_t tinycdb_scan(void *db)
{
	struct store *st = db;
	uint64_t count = 0, sum = 0;
	unsigned at;

	cdb_seqinit(&at, &st->cdb);
	for (; cdb_seqnext(&at, &st->cdb) > 0; count++)
		sum += ((const uint8_t *)cdb_getdata(&st->cdb))[VALUE_SIZE - 1];
	bench_sink += sum;
	return count;
}

const struct engine engine = {
	.processes = true,
	.open = tinycdb_open,
	.close = tinycdb_close,
	.write = tinycdb_write,
	.get = tinycdb_get,
	.scan = tinycdb_scan,
};
