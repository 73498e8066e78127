/* SPDX-License-Identifier: MIT */
/* oneshot_leveldb put DIR KEY VALUE | get DIR KEY: the command LevelDB has not. */
#include <leveldb/db.h>

#include <cstdio>
#include <memory>
#include <string>

int main(int argc, char **argv)
{
	const bool put = argc == 5 && std::string(argv[1]) == "put";
	if (!put && (argc != 4 || std::string(argv[1]) != "get"))
		return std::fputs("usage: oneshot_leveldb put DIR KEY VALUE | get DIR KEY\n", stderr), 2;

	leveldb::Options options;
	options.create_if_missing = put;
	leveldb::DB *raw = nullptr;
	leveldb::Status s = leveldb::DB::Open(options, argv[2], &raw);
	const std::unique_ptr<leveldb::DB> db(raw);
	std::string value;
	if (s.ok() && put) {
		leveldb::WriteOptions durable;
		durable.sync = true;
		s = db->Put(durable, argv[3], argv[4]);
	} else if (s.ok()) {
		s = db->Get({}, argv[3], &value);
	}
	if (s.IsNotFound())
		return 1;
	if (!s.ok())
		return std::fprintf(stderr, "oneshot_leveldb: %s\n", s.ToString().c_str()), 3;
	std::fwrite(value.data(), 1, value.size(), stdout);
	return std::fflush(stdout) ? 3 : 0;
}
