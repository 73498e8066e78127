/* SPDX-License-Identifier: MIT */
/* SQLite as the library rows see it: WAL mode, a table without rowid; a batch is a transaction; to sync is
 * synchronous=FULL, not to sync is OFF. */
#include "engine.h"

#include <sqlite3.h>
#include <stdio.h>

struct store {
	sqlite3 *db;
	sqlite3_stmt *put, *get, *scan, *begin, *commit;
	int sync; /* -1: not said yet */
};

static void fail(struct store *st, const char *what)
{
	bench_die(what, sqlite3_errmsg(st->db));
}

static void execute(struct store *st, const char *sql)
{
	if (sqlite3_exec(st->db, sql, NULL, NULL, NULL))
		fail(st, sql);
}

static sqlite3_stmt *prepare(struct store *st, const char *sql)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(st->db, sql, -1, &s, NULL))
		fail(st, sql);
	return s;
}

static void run(struct store *st, sqlite3_stmt *s, const char *what)
{
	if (sqlite3_step(s) != SQLITE_DONE)
		fail(st, what);
	sqlite3_reset(s);
}

static void *sqlite_open(const struct setup *s)
{
	struct store *st = calloc(1, sizeof(*st));
	char path[4096];

	if (!st)
		bench_die("sqlite", "no memory");
	snprintf(path, sizeof(path), "%s/db", s->dir);
	if (sqlite3_open(path, &st->db))
		fail(st, path);
	sqlite3_busy_timeout(st->db, 60000);
	execute(st, "pragma journal_mode=wal");
	execute(st, "create table if not exists t (k blob primary key, v blob) without rowid");
	st->put = prepare(st, "insert or replace into t values (?, ?)");
	st->get = prepare(st, "select v from t where k = ?");
	st->scan = prepare(st, "select k, v from t order by k");
	st->begin = prepare(st, "begin immediate");
	st->commit = prepare(st, "commit");
	st->sync = -1;
	return st;
}

static void sqlite_close(void *db)
{
	struct store *st = db;

	sqlite3_finalize(st->put);
	sqlite3_finalize(st->get);
	sqlite3_finalize(st->scan);
	sqlite3_finalize(st->begin);
	sqlite3_finalize(st->commit);
	sqlite3_close(st->db);
	free(st);
}

static void sqlite_write(void *db, const struct record *r, size_t count, bool sync)
{
	struct store *st = db;

	if (st->sync != sync) {
		execute(st, sync ? "pragma synchronous=full" : "pragma synchronous=off");
		st->sync = sync;
	}
	if (count > 1)
		run(st, st->begin, "begin");
	for (size_t i = 0; i < count; i++) {
		sqlite3_bind_blob(st->put, 1, r[i].key, (int)r[i].key_size, SQLITE_STATIC);
		sqlite3_bind_blob(st->put, 2, r[i].value, VALUE_SIZE, SQLITE_STATIC);
		run(st, st->put, "insert");
	}
	if (count > 1)
		run(st, st->commit, "commit");
}

static bool sqlite_get(void *db, const char *key, size_t size)
{
	struct store *st = db;

	sqlite3_bind_blob(st->get, 1, key, (int)size, SQLITE_STATIC);
	const int rc = sqlite3_step(st->get);
	if (rc == SQLITE_ROW)
		bench_sink += ((const uint8_t *)sqlite3_column_blob(st->get, 0))[VALUE_SIZE - 1];
	else if (rc != SQLITE_DONE)
		fail(st, "select");
	sqlite3_reset(st->get);
	return rc == SQLITE_ROW;
}

static uint64_t sqlite_scan(void *db)
{
	struct store *st = db;
	uint64_t count = 0, sum = 0;
	int rc;

	for (; (rc = sqlite3_step(st->scan)) == SQLITE_ROW; count++)
		sum += ((const uint8_t *)sqlite3_column_blob(st->scan, 1))[VALUE_SIZE - 1];
	if (rc != SQLITE_DONE)
		fail(st, "select");
	sqlite3_reset(st->scan);
	bench_sink += sum;
	return count;
}

const struct engine engine = {
	.processes = true,
	.open = sqlite_open,
	.close = sqlite_close,
	.write = sqlite_write,
	.get = sqlite_get,
	.scan = sqlite_scan,
};
