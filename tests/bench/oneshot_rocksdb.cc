/* SPDX-License-Identifier: MIT */
/* oneshot_rocksdb put DIR KEY VALUE | get DIR KEY: what ldb does, durable, and without ldb's weight. */
#include <rocksdb/db.h>

#include <cstdio>
#include <memory>
#include <string>

int main(int argc, char **argv)
{
	const bool put = argc == 5 && std::string(argv[1]) == "put";
	if (!put && (argc != 4 || std::string(argv[1]) != "get"))
		return std::fputs("usage: oneshot_rocksdb put DIR KEY VALUE | get DIR KEY\n", stderr), 2;

	rocksdb::Options options;
	options.create_if_missing = put;
	rocksdb::DB *raw = nullptr;
	rocksdb::Status s = put ? rocksdb::DB::Open(options, argv[2], &raw)
				: rocksdb::DB::OpenForReadOnly(options, argv[2], &raw);
	const std::unique_ptr<rocksdb::DB> db(raw);
	std::string value;
	if (s.ok() && put) {
		rocksdb::WriteOptions durable;
		durable.sync = true;
		s = db->Put(durable, argv[3], argv[4]);
	} else if (s.ok()) {
		s = db->Get({}, argv[3], &value);
	}
	if (s.IsNotFound())
		return 1;
	if (!s.ok())
		return std::fprintf(stderr, "oneshot_rocksdb: %s\n", s.ToString().c_str()), 3;
	std::fwrite(value.data(), 1, value.size(), stdout);
	return std::fflush(stdout) ? 3 : 0;
}
