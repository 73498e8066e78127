/* SPDX-License-Identifier: MIT */
/* oneshot_lmdb put DIR KEY VALUE | get DIR KEY: the command LMDB has not, as small as it can be. */
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int check(int rc, const char *what)
{
	if (rc)
		fprintf(stderr, "oneshot_lmdb: %s: %s\n", what, mdb_strerror(rc));
	return rc;
}

int main(int argc, char **argv)
{
	const int put = argc == 5 && !strcmp(argv[1], "put");
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	if (!put && (argc != 4 || strcmp(argv[1], "get")))
		return fputs("usage: oneshot_lmdb put DIR KEY VALUE | get DIR KEY\n", stderr), 2;
	mkdir(argv[2], 0755);
	MDB_val key = {strlen(argv[3]), argv[3]}, value = {put ? strlen(argv[4]) : 0, put ? argv[4] : NULL};
	if (check(mdb_env_create(&env), "create") || check(mdb_env_set_mapsize(env, (size_t)1 << 30), "map size") ||
	    check(mdb_env_open(env, argv[2], put ? 0 : MDB_RDONLY, 0644), argv[2]) ||
	    check(mdb_txn_begin(env, NULL, put ? 0 : MDB_RDONLY, &txn), "begin") ||
	    check(mdb_dbi_open(txn, NULL, 0, &dbi), "open"))
		return 3;
	if (put)
		return check(mdb_put(txn, dbi, &key, &value, 0), "put") || check(mdb_txn_commit(txn), "commit") ? 3 : 0;
	const int rc = mdb_get(txn, dbi, &key, &value);
	if (rc)
		return rc == MDB_NOTFOUND ? 1 : 3;
	return fwrite(value.mv_data, 1, value.mv_size, stdout) != value.mv_size || fflush(stdout) ? 3 : 0;
}
