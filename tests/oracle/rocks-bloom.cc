/* SPDX-License-Identifier: MIT */
/*
 * rocks-bloom DIR TABLE: RocksDB uses TABLE's Bloom filter, and the filter is right. The table (an external one) is
 * ingested into a new database DIR; Get of every key must find it, and Get of as many that are not there must nearly
 * always be answered by the filter alone, as RocksDB's statistics tell.
 */
#include "store.h"

#include <rocksdb/sst_file_reader.h>

namespace {

expectation read_table(const std::string &path)
{
	rocksdb::SstFileReader reader(strict_options());
	must(reader.Open(path), path);
	const std::unique_ptr<rocksdb::Iterator> it(reader.NewIterator(strict_reads()));
	expectation all;
	for (it->SeekToFirst(); it->Valid(); it->Next())
		all[it->key().ToString()] = it->value().ToString();
	must(it->status(), path);
	return all;
}

/* Keys inside the table's range that it does not have; behind the first and before the last one. */
uint64_t ask_absent(rocksdb::DB *db, const expectation &all)
{
	uint64_t asked = 0;
	std::string value;
	for (auto it = all.begin(); it != all.end() && std::next(it) != all.end(); ++it) {
		const std::string key = it->first + '\0';
		if (all.count(key))
			continue;
		asked++;
		if (const rocksdb::Status s = db->Get(strict_reads(), key, &value); !s.IsNotFound())
			die(1, "Get of absent key " + to_hex(key) + ": " + s.ToString());
	}
	return asked;
}

uint64_t ask_present(rocksdb::DB *db, const expectation &all)
{
	uint64_t wrong = 0;
	std::string value;
	for (const auto &[key, expected] : all) {
		const rocksdb::Status s = db->Get(strict_reads(), key, &value);
		if (!s.ok() || value != expected)
			if (++wrong <= 10)
				std::cerr << "Get of key " << to_hex(key) << ": " << s.ToString() << '\n';
	}
	return wrong;
}

bool expect(const char *what, bool holds, uint64_t seen)
{
	std::cout << what << ": " << seen << (holds ? "\n" : "  WRONG\n");
	return holds;
}

} /* namespace */

int main(int argc, char **argv)
{
	if (argc != 3)
		die(2, "usage: rocks-bloom DIR TABLE");

	rocksdb::Options options = strict_options();
	options.create_if_missing = true;
	rocksdb::DB *raw = nullptr;
	must(rocksdb::DB::Open(options, argv[1], &raw), argv[1]);
	std::unique_ptr<rocksdb::DB> db(raw);
	const expectation all = read_table(argv[2]);
	must(db->IngestExternalFile({argv[2]}, rocksdb::IngestExternalFileOptions()), argv[2]);

	rocksdb::Statistics &s = *options.statistics;
	must(s.Reset(), "Statistics::Reset");
	const uint64_t wrong = ask_present(db.get(), all);
	bool good = expect("keys not found, or with another value", wrong == 0, wrong);
	const uint64_t useful = s.getTickerCount(rocksdb::BLOOM_FILTER_USEFUL);
	const uint64_t truly = s.getTickerCount(rocksdb::BLOOM_FILTER_FULL_TRUE_POSITIVE);
	good &= expect("present keys denied by the filter", useful == 0, useful);
	good &= expect("present keys let through by the filter", truly == all.size(), truly);

	must(s.Reset(), "Statistics::Reset");
	const uint64_t asked = ask_absent(db.get(), all);
	const uint64_t denied = s.getTickerCount(rocksdb::BLOOM_FILTER_USEFUL);
	good &= expect("absent keys", true, asked);
	good &= expect("absent keys denied by the filter", denied >= asked - asked / 40, denied);
	must(db->Close(), "Close");
	return good ? 0 : 1;
}
