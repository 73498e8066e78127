/* SPDX-License-Identifier: MIT */
/* foreign-make-leveldb SEED DIR: as tests/oracle/foreign-make.cc, by LevelDB. */
#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>

#include <unistd.h>

namespace
{

std::mt19937_64 rng;

uint64_t below(uint64_t n)
{
	return rng() % n;
}

void must(const leveldb::Status &s)
{
	if (s.ok())
		return;
	std::cerr << s.ToString() << '\n';
	_exit(3);
}

std::string hex(const std::string &s)
{
	static const char digits[] = "0123456789abcdef";
	std::string out;
	for (const char c : s) {
		out += digits[static_cast<unsigned char>(c) >> 4];
		out += digits[c & 15];
	}
	return out;
}

std::string make_key(uint64_t range)
{
	static const std::string special[] = {"", std::string(1, '\0'), "\xff", "\xff\xff", std::string("a\0", 2)};
	return below(60) ? std::string(1, "abmz\xff"[below(5)]) + std::to_string(below(range)) : special[below(5)];
}

std::string make_value()
{
	const size_t n = below(60) ? below(120) : below(70000);
	std::string v;
	while (v.size() < n)
		v += below(3) ? "value" + std::to_string(below(10)) : std::string(1, static_cast<char>(below(256)));
	return v;
}

leveldb::Options choose(std::ostream &chosen)
{
	leveldb::Options o;
	o.create_if_missing = true;
	o.write_buffer_size = (64 << 10) << below(4);
	o.max_file_size = 1 << 20;
	o.block_size = 64 << below(9);
	o.block_restart_interval = 1 << static_cast<int>(below(6));
	o.compression = below(3) ? leveldb::kSnappyCompression : leveldb::kNoCompression;
	o.filter_policy = below(2) ? leveldb::NewBloomFilterPolicy(10) : nullptr;
	o.reuse_logs = below(3) == 0;
	chosen << "buffer=" << o.write_buffer_size << " block=" << o.block_size << " compression=" << o.compression << '\n';
	return o;
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	rng.seed(std::stoull(argv[1]));
	const std::string base = argv[2];
	std::filesystem::create_directory(base);
	std::ofstream chosen(base + "/options");
	chosen << "family: reverse=0\n";
	std::set<std::string> used;
	leveldb::DB *db;
	must(leveldb::DB::Open(choose(chosen), base + "/db", &db));
	uint64_t range = 300;
	for (uint64_t rounds = 2 + below(10); rounds; rounds--) {
		for (uint64_t n = below(below(4) ? 300 : 6000); n; n--) {
			leveldb::WriteBatch b;
			for (uint64_t i = below(3) ? 1 : 1 + below(30); i; i--) {
				const std::string k = make_key(range);
				used.insert(k);
				if (below(4))
					b.Put(k, make_value());
				else
					b.Delete(k);
			}
			must(db->Write(leveldb::WriteOptions(), &b));
		}
		switch (below(5)) {
		case 0:
			db->CompactRange(nullptr, nullptr);
			break;
		case 1:
			range = 10 + below(5000);
			break;
		case 2:
			delete db;
			must(leveldb::DB::Open(choose(chosen), base + "/db", &db));
			break;
		}
	}
	chosen.flush();
	std::ofstream(base + "/families") << hex("default") << '\n';
	std::ofstream(base + "/tables").flush();
	std::map<std::string, std::string> view;
	leveldb::ReadOptions reads;
	reads.verify_checksums = true;
	std::unique_ptr<leveldb::Iterator> it(db->NewIterator(reads));
	for (it->SeekToFirst(); it->Valid(); it->Next())
		view[it->key().ToString()] = it->value().ToString();
	must(it->status());
	std::ofstream out(base + "/0.view"), absent(base + "/0.absent");
	for (const auto &[k, v] : view)
		out << hex(k) << '\t' << hex(v) << '\n';
	for (const auto &k : used)
		if (!view.count(k))
			absent << hex(k) << '\n';
	out.flush();
	absent.flush();
	_exit(0);
}
