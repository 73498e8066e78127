/* SPDX-License-Identifier: MIT */
/* LMDB as the library rows see it: a batch is a transaction; not to sync is MDB_NOSYNC. */
#include "engine.h"

#include <lmdb.h>

struct store {
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *reader; /* of the gets: renewed for each, as a caller that wants the newest value must */
};

static void check(int rc, const char *what)
{
	if (rc)
		bench_die(what, mdb_strerror(rc));
}

static MDB_val value_of(const char *data, size_t size)
{
	return (MDB_val){size, (void *)(uintptr_t)data};
}

static void *lmdb_open(const struct setup *s)
{
	struct store *st = calloc(1, sizeof(*st));
	MDB_txn *txn;

	if (!st)
		bench_die("lmdb", "no memory");
	check(mdb_env_create(&st->env), "mdb_env_create");
	check(mdb_env_set_mapsize(st->env, (size_t)8 << 30), "mdb_env_set_mapsize");
	check(mdb_env_open(st->env, s->dir, 0, 0644), "mdb_env_open");
	check(mdb_txn_begin(st->env, NULL, 0, &txn), "mdb_txn_begin");
	check(mdb_dbi_open(txn, NULL, 0, &st->dbi), "mdb_dbi_open");
	check(mdb_txn_commit(txn), "mdb_txn_commit");
	check(mdb_txn_begin(st->env, NULL, MDB_RDONLY, &st->reader), "mdb_txn_begin");
	mdb_txn_reset(st->reader);
	return st;
}

static void lmdb_close(void *db)
{
	struct store *st = db;

	mdb_txn_abort(st->reader);
	mdb_env_close(st->env);
	free(st);
}

static void lmdb_write(void *db, const struct record *r, size_t count, bool sync)
{
	struct store *st = db;
	MDB_txn *txn;

	check(mdb_env_set_flags(st->env, MDB_NOSYNC, !sync), "mdb_env_set_flags");
	check(mdb_txn_begin(st->env, NULL, 0, &txn), "mdb_txn_begin");
	for (size_t i = 0; i < count; i++) {
		MDB_val key = value_of(r[i].key, r[i].key_size), value = value_of(r[i].value, VALUE_SIZE);

		check(mdb_put(txn, st->dbi, &key, &value, 0), "mdb_put");
	}
	check(mdb_txn_commit(txn), "mdb_txn_commit");
}

static bool lmdb_get(void *db, const char *data, size_t size)
{
	struct store *st = db;
	MDB_val key = value_of(data, size), value;

	check(mdb_txn_renew(st->reader), "mdb_txn_renew");
	const int rc = mdb_get(st->reader, st->dbi, &key, &value);
	if (rc != MDB_NOTFOUND) {
		check(rc, "mdb_get");
		bench_sink += ((const uint8_t *)value.mv_data)[value.mv_size - 1];
	}
	mdb_txn_reset(st->reader);
	return rc == 0;
}

static uint64_t lmdb_scan(void *db)
{
	struct store *st = db;
	MDB_val key, value;
	MDB_cursor *cursor;
	uint64_t count = 0, sum = 0;
	int rc;

	check(mdb_txn_renew(st->reader), "mdb_txn_renew");
	check(mdb_cursor_open(st->reader, st->dbi, &cursor), "mdb_cursor_open");
	for (; (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0; count++)
		sum += ((const uint8_t *)value.mv_data)[value.mv_size - 1] + key.mv_size;
	if (rc != MDB_NOTFOUND)
		check(rc, "mdb_cursor_get");
	mdb_cursor_close(cursor);
	mdb_txn_reset(st->reader);
	bench_sink += sum;
	return count;
}

const struct engine engine = {
	.processes = true,
	.open = lmdb_open,
	.close = lmdb_close,
	.write = lmdb_write,
	.get = lmdb_get,
	.scan = lmdb_scan,
};
