/* SPDX-License-Identifier: MIT */
/*
 * rocks-ingest DIR TABLE...: IngestExternalFile of each TABLE, in order, into the RocksDB database DIR, which is
 * made when it is not there; then Get of every key that each table holds (as SstFileReader reads it), the
 * last table that names a key deciding, and a scan that shows nothing else that is new.
 */
#include "store.h"

#include <rocksdb/sst_file_reader.h>

namespace {

expectation scan(rocksdb::Iterator *raw, const std::string &what)
{
	const std::unique_ptr<rocksdb::Iterator> it(raw);
	expectation all;
	for (it->SeekToFirst(); it->Valid(); it->Next())
		all[it->key().ToString()] = it->value().ToString();
	must(it->status(), what);
	return all;
}

void read_table(const rocksdb::Options &options, const std::string &path, expectation *all)
{
	rocksdb::SstFileReader reader(options);
	must(reader.Open(path), path);
	must(reader.VerifyChecksum(), path + ": VerifyChecksum");
	const expectation table = scan(reader.NewIterator(strict_reads()), path);
	for (const auto &[key, value] : table)
		(*all)[key] = value;
	std::cout << path << ": " << table.size() << " keys\n";
}

void ingest(rocksdb::DB *db, const std::string &path)
{
	rocksdb::IngestExternalFileOptions how;
	how.verify_checksums_before_ingest = true;
	must(db->IngestExternalFile({path}, how), path + ": IngestExternalFile");
}

uint64_t compare(rocksdb::DB *db, const expectation &all)
{
	uint64_t wrong = 0;
	const auto differ = [&](const std::string &what, const std::string &key) {
		if (++wrong <= 10)
			std::cerr << what << ": key " << to_hex(key) << '\n';
	};
	std::string value;
	for (const auto &[key, expected] : all) {
		const rocksdb::Status s = db->Get(strict_reads(), key, &value);
		if (s.IsNotFound())
			differ("Get does not find", key);
		else if (must(s, "Get"); value != expected)
			differ("Get finds another value", key);
	}
	if (scan(db->NewIterator(strict_reads()), "scan") != all)
		differ("the scan differs from the tables together", "");
	return wrong;
}

} /* namespace */

int main(int argc, char **argv)
{
	if (argc < 3)
		die(2, "usage: rocks-ingest DIR TABLE...");

	rocksdb::Options options = strict_options();
	options.create_if_missing = true;
	rocksdb::DB *raw = nullptr;
	must(rocksdb::DB::Open(options, argv[1], &raw), argv[1]);
	std::unique_ptr<rocksdb::DB> db(raw);

	expectation all = scan(db->NewIterator(strict_reads()), "scan");
	for (int i = 2; i < argc; i++) {
		read_table(options, argv[i], &all);
		ingest(db.get(), argv[i]);
	}
	const uint64_t wrong = compare(db.get(), all);
	must(db->VerifyChecksum(strict_reads()), "VerifyChecksum");
	must(db->Close(), "Close");
	std::cout << "ingested: " << all.size() << " keys, " << wrong << " differences\n";
	return wrong ? 1 : 0;
}
