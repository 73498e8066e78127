/* SPDX-License-Identifier: MIT */
/*
 * rocks-scan DIR: what RocksDB, opening DIR read-only, finds in it: hexKEY, tab, hexVALUE, in order.
 */
#include "store.h"

int main(int argc, char **argv)
{
	if (argc != 2)
		die(2, "usage: rocks-scan DIR");

	rocksdb::DB *raw = nullptr;
	must(rocksdb::DB::OpenForReadOnly(strict_options(), argv[1], &raw), argv[1]);
	const std::unique_ptr<rocksdb::DB> db(raw);

	const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(strict_reads()));
	for (it->SeekToFirst(); it->Valid(); it->Next())
		std::cout << to_hex(it->key()) << '\t' << to_hex(it->value()) << '\n';
	must(it->status(), "scan");
	std::cout.flush();
	return std::cout ? 0 : 3;
}
