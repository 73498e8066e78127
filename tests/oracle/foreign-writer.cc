/* SPDX-License-Identifier: MIT */
/*
 * foreign-writer DIR SECONDS: RocksDB changes its files as fast as it can: memtables of 16 KiB, a MANIFEST and a log
 * after another, compactions and blob files all the time. Each batch N gives keys 000 to 099 the value N, some of them
 * in blob files, and adds 1 to the merged key `sum`; so every instant of the database has one N. Prints the last one.
 */
#include "store.h"

#include <rocksdb/merge_operator.h>

#include <chrono>

using namespace rocksdb;

static std::string value_of(uint64_t n, uint64_t key)
{
	std::string v = std::to_string(n) + " ";
	v.resize(key % 3 ? 20 : 400, 'x');
	return v;
}

static void write_batch(DB *db, uint64_t n)
{
	static const char one[8] = {1};
	WriteBatch b;
	for (uint64_t key = 0; key < 100; key++) {
		char name[8];
		std::snprintf(name, sizeof(name), "%03u", static_cast<unsigned>(key));
		must(b.Put(name, value_of(n, key)), "put");
	}
	must(b.Merge("sum", Slice(one, 8)), "merge");
	if (n % 10 == 0)
		must(b.DeleteRange("gone", "gonf"), "delete range");
	must(b.Put("gone" + std::to_string(n), "gone"), "put");
	must(db->Write(WriteOptions(), &b), "write");
}

int main(int argc, char **argv)
{
	if (argc != 3)
		die(2, "usage: foreign-writer DIR SECONDS");
	Options o;
	o.create_if_missing = true;
	o.write_buffer_size = 16 << 10;
	o.arena_block_size = 4096;
	o.target_file_size_base = 8 << 10;
	o.max_bytes_for_level_base = 32 << 10;
	o.level0_file_num_compaction_trigger = 2;
	o.max_manifest_file_size = 4000;
	o.recycle_log_file_num = 2;
	o.enable_blob_files = true;
	o.min_blob_size = 100;
	o.enable_blob_garbage_collection = true;
	o.blob_garbage_collection_age_cutoff = 1;
	o.info_log_level = FATAL_LEVEL;
	must(MergeOperator::CreateFromString(ConfigOptions(), "uint64add", &o.merge_operator), "uint64add");
	DB *db;
	must(DB::Open(o, argv[1], &db), argv[1]);
	const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(to_number("SECONDS", argv[2]));
	uint64_t n = 0;
	do
		write_batch(db, ++n);
	while (std::chrono::steady_clock::now() < end);
	delete db;
	std::cout << n << std::endl;
}
