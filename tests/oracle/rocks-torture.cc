/* SPDX-License-Identifier: MIT */
/*
 * rocks-torture [options] DIR EXPECTED: RocksDB opens DIR to read and write, with every check it has switched
 * on, and compares with EXPECTED (hexKEY, tab, hexVALUE):
 *
 *   scans forwards and backwards; Get, MultiGet and a Seek of every expected key; Get, MultiGet and a Seek of
 *   as many absent keys; the checksum of every block of every file.
 *
 * A key that a scan shows and Get does not is a false negative of a filter or an index: a difference.
 *
 *   --compact      then compact everything into the last level and compare again
 *   --write N      then put N records, every fourth over an expected key, and compare again
 *   --delete N     then delete N of the expected keys, and compare again
 *   --flush        flush what was written; else it stays in RocksDB's write-ahead log for the next program
 *   --seed S       of the records written and of the absent keys (default 1)
 *   --out FILE     write what DIR holds at the end, in the form of EXPECTED
 *   --no-compression  tables that RocksDB writes here are not compressed (else zstd)
 *
 * It closes the database as it should be closed, so that other programs can go on with the directory.
 */
#include "store.h"

#include <random>
#include <vector>

namespace {

struct options {
	bool compact = false, flush = false, compression = true;
	uint64_t write = 0, remove = 0, seed = 1;
	std::string dir, expected, out;
};

[[noreturn]] void usage()
{
	die(2, "usage: rocks-torture [--compact] [--write N] [--delete N] [--flush] [--seed S] [--out FILE] "
	       "[--no-compression] DIR EXPECTED");
}

options parse(int argc, char **argv)
{
	options o;
	std::vector<std::string> operands;
	for (int i = 1; i < argc; i++) {
		const std::string arg = argv[i];
		const auto operand = [&] { return i + 1 < argc ? std::string(argv[++i]) : (usage(), ""); };
		if (arg == "--compact")
			o.compact = true;
		else if (arg == "--flush")
			o.flush = true;
		else if (arg == "--no-compression")
			o.compression = false;
		else if (arg == "--write")
			o.write = to_number(arg, operand());
		else if (arg == "--delete")
			o.remove = to_number(arg, operand());
		else if (arg == "--seed")
			o.seed = to_number(arg, operand());
		else if (arg == "--out")
			o.out = operand();
		else if (arg.rfind("--", 0) == 0)
			usage();
		else
			operands.push_back(arg);
	}
	if (operands.size() != 2)
		usage();
	o.dir = operands[0];
	o.expected = operands[1];
	return o;
}

class judge {
public:
	judge(rocksdb::DB *db, uint64_t seed) : db_(db), random_(seed) {}

	void compare(const std::string &when, const expectation &all)
	{
		when_ = when;
		scan_forwards(all);
		scan_backwards(all);
		present(all);
		absent(all);
		must(db_->VerifyChecksum(reads_), when + ": VerifyChecksum");
		std::cout << when << ": " << all.size() << " keys, " << differences_ << " differences\n";
	}

	uint64_t differences() const { return differences_; }

private:
	rocksdb::DB *db_;
	std::mt19937_64 random_;
	rocksdb::ReadOptions reads_ = strict_reads();
	std::string when_;
	uint64_t differences_ = 0;

	void differ(const std::string &what, const rocksdb::Slice &key)
	{
		if (++differences_ <= 10)
			std::cerr << when_ << ": " << what << ": key " << to_hex(key) << '\n';
	}

	void same(const std::string &how, const rocksdb::Slice &key, const rocksdb::Slice &value,
		  const std::string &expected_key, const std::string &expected_value)
	{
		if (key != expected_key)
			differ(how + " shows another key where this one is due", expected_key);
		else if (value != expected_value)
			differ(how + " shows another value", key);
	}

	void scan_forwards(const expectation &all)
	{
		const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(reads_));
		auto e = all.begin();
		for (it->SeekToFirst(); it->Valid(); it->Next()) {
			while (e != all.end() && it->key().compare(e->first) > 0)
				differ("scan misses", (e++)->first);
			if (e == all.end() || it->key() != e->first) {
				differ("scan shows a key that should not be there", it->key());
				continue;
			}
			same("scan", it->key(), it->value(), e->first, e->second);
			++e;
		}
		must(it->status(), when_ + ": scan");
		for (; e != all.end(); ++e)
			differ("scan misses", e->first);
	}

	void scan_backwards(const expectation &all)
	{
		const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(reads_));
		auto e = all.rbegin();
		for (it->SeekToLast(); it->Valid() && e != all.rend(); it->Prev(), ++e)
			same("backward scan", it->key(), it->value(), e->first, e->second);
		must(it->status(), when_ + ": backward scan");
		if (it->Valid())
			differ("backward scan shows more than expected", it->key());
		for (; e != all.rend(); ++e)
			differ("backward scan misses", e->first);
	}

	void present(const expectation &all)
	{
		const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(reads_));
		std::vector<rocksdb::Slice> keys;
		std::vector<const std::string *> values;
		for (auto e = all.begin(); e != all.end(); ++e) {
			const auto &[key, value] = *e;
			get(key, &value);
			it->Seek(key);
			if (!it->Valid())
				differ("seek finds nothing", key);
			else
				same("seek", it->key(), it->value(), key, value);
			keys.emplace_back(key);
			values.push_back(&value);
			if (keys.size() == 64 || std::next(e) == all.end())
				multi_get(&keys, &values);
		}
		must(it->status(), when_ + ": seek");
	}

	void absent(const expectation &all)
	{
		const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(reads_));
		std::vector<std::string> keep;
		for (auto e = all.begin(); e != all.end(); ++e) {
			const std::string key = absent_key(e->first);
			const auto after = all.lower_bound(key);
			if (after != all.end() && after->first == key)
				continue;
			get(key, nullptr);
			it->Seek(key);
			if (it->Valid() != (after != all.end()))
				differ("seek of an absent key goes wrong", key);
			else if (it->Valid())
				same("seek of an absent key", it->key(), it->value(), after->first, after->second);
			keep.push_back(key);
			if (keep.size() == 64) {
				multi_get_absent(keep);
				keep.clear();
			}
		}
		multi_get_absent(keep);
		must(it->status(), when_ + ": seek");
	}

	/* One that differs little from a key that is there, in one of four ways. */
	std::string absent_key(std::string key)
	{
		const uint64_t r = random_();
		if (r % 4 == 0 || key.empty())
			return key + static_cast<char>(r >> 8);
		if (r % 4 == 1)
			return key.substr(0, key.size() - 1);
		if (r % 4 == 2)
			return std::to_string(r) + key;
		char &c = key[(r >> 8) % key.size()];
		c = static_cast<char>(static_cast<unsigned char>(c) + 1 + (r >> 40) % 255);
		return key;
	}

	void get(const std::string &key, const std::string *expected)
	{
		rocksdb::PinnableSlice value;
		judge_answer("Get", key, db_->Get(reads_, db_->DefaultColumnFamily(), key, &value), value, expected);
	}

	void judge_answer(const std::string &how, const rocksdb::Slice &key, const rocksdb::Status &s,
			  const rocksdb::Slice &value, const std::string *expected)
	{
		if (!s.ok() && !s.IsNotFound())
			die(3, when_ + ": " + how + " " + to_hex(key) + ": " + s.ToString());
		if (s.IsNotFound() && expected)
			differ(how + " does not find (a false negative)", key);
		if (s.ok() && !expected)
			differ(how + " finds an absent key", key);
		if (s.ok() && expected && value != *expected)
			differ(how + " finds another value", key);
	}

	void multi_get(std::vector<rocksdb::Slice> *keys, std::vector<const std::string *> *expected)
	{
		std::vector<rocksdb::PinnableSlice> values(keys->size());
		std::vector<rocksdb::Status> states(keys->size());
		db_->MultiGet(reads_, db_->DefaultColumnFamily(), keys->size(), keys->data(), values.data(), states.data());
		for (size_t i = 0; i < keys->size(); i++)
			judge_answer("MultiGet", (*keys)[i], states[i], values[i], (*expected)[i]);
		keys->clear();
		expected->clear();
	}

	void multi_get_absent(const std::vector<std::string> &absent)
	{
		std::vector<rocksdb::Slice> keys(absent.begin(), absent.end());
		std::vector<const std::string *> nothing(absent.size(), nullptr);
		if (!keys.empty())
			multi_get(&keys, &nothing);
	}
};

void write_some(rocksdb::DB *db, const options &o, expectation *all)
{
	std::mt19937_64 random(o.seed);
	auto next = all->begin();
	for (uint64_t i = 0; i < o.write; i++) {
		std::string key = "rocks-" + std::to_string(o.seed) + "-" + std::to_string(random());
		if (i % 4 == 0 && next != all->end())
			key = (next++)->first;
		const std::string value = "written by rocksdb " + std::string(random() % 200, static_cast<char>(i));
		must(db->Put({}, key, value), "Put");
		(*all)[key] = value;
	}
}

void delete_some(rocksdb::DB *db, const options &o, expectation *all)
{
	const uint64_t count = std::min<uint64_t>(o.remove, all->size());
	const uint64_t stride = count ? all->size() / count : 1;
	auto e = all->begin();
	for (uint64_t i = 0; i < count; i++) {
		must(db->Delete({}, e->first), "Delete");
		e = all->erase(e);
		for (uint64_t skip = 1; skip < stride && e != all->end(); skip++)
			++e;
	}
}

void print_filters(const rocksdb::Statistics &s)
{
	std::cout << "BLOOM_FILTER_USEFUL " << s.getTickerCount(rocksdb::BLOOM_FILTER_USEFUL)
		  << "\nBLOOM_FILTER_FULL_POSITIVE " << s.getTickerCount(rocksdb::BLOOM_FILTER_FULL_POSITIVE)
		  << "\nBLOOM_FILTER_FULL_TRUE_POSITIVE " << s.getTickerCount(rocksdb::BLOOM_FILTER_FULL_TRUE_POSITIVE)
		  << '\n';
}

void change(rocksdb::DB *db, const options &o, judge *judge, expectation *all)
{
	if (o.write) {
		write_some(db, o, all);
		judge->compare("after the writes", *all);
	}
	if (o.remove) {
		delete_some(db, o, all);
		judge->compare("after the deletes", *all);
	}
	if (o.flush) {
		must(db->Flush(rocksdb::FlushOptions()), "Flush");
		judge->compare("after the flush", *all);
	}
	if (o.compact) {
		rocksdb::CompactRangeOptions full;
		full.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
		must(db->CompactRange(full, nullptr, nullptr), "CompactRange");
		judge->compare("after the compaction", *all);
	}
}

} /* namespace */

int main(int argc, char **argv)
{
	const options o = parse(argc, argv);
	expectation all = read_expectation(o.expected);

	rocksdb::Options rocks = strict_options();
	rocks.compression = o.compression ? rocksdb::kZSTD : rocksdb::kNoCompression;
	rocksdb::DB *raw = nullptr;
	must(rocksdb::DB::Open(rocks, o.dir, &raw), o.dir);
	std::unique_ptr<rocksdb::DB> db(raw);

	judge judge(db.get(), o.seed);
	judge.compare("as found", all);
	print_filters(*rocks.statistics);
	change(db.get(), o, &judge, &all);

	must(db->Close(), "Close");
	db.reset();
	if (!o.out.empty())
		write_expectation(o.out, all);
	return judge.differences() ? 1 : 0;
}
