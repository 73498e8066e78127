/* SPDX-License-Identifier: MIT */
/*
 * What the oracle programs share: hex, files of expectations, and how RocksDB is opened when it is the judge.
 *
 * The programs link to librocksdb and to nothing of this project: they say what RocksDB thinks of a directory.
 * Exit status of each: 0 RocksDB agrees, 1 it does not (one line per difference, the first ten), 2 usage,
 * 3 RocksDB could not open, read or write.
 */
#ifndef ORACLE_STORE_H
#define ORACLE_STORE_H

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/statistics.h>
#include <rocksdb/table.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <string>

using expectation = std::map<std::string, std::string>;

[[noreturn]] inline void die(int status, const std::string &what)
{
	std::cerr << what << '\n';
	std::exit(status);
}

inline void must(const rocksdb::Status &s, const std::string &what)
{
	if (!s.ok())
		die(3, what + ": " + s.ToString());
}

inline std::string to_hex(const rocksdb::Slice &s)
{
	static const char digits[] = "0123456789abcdef";
	std::string out;
	out.reserve(s.size() * 2);
	for (size_t i = 0; i < s.size(); i++) {
		const auto c = static_cast<unsigned char>(s[i]);
		out += digits[c >> 4];
		out += digits[c & 15];
	}
	return out;
}

inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* False when `s` is not hex. */
inline bool from_hex(const std::string &s, std::string *out)
{
	out->clear();
	if (s.size() % 2)
		return false;
	for (size_t i = 0; i < s.size(); i += 2) {
		const int high = hex_digit(s[i]), low = hex_digit(s[i + 1]);
		if (high < 0 || low < 0)
			return false;
		*out += static_cast<char>(high << 4 | low);
	}
	return true;
}

/* Lines of hexKEY, tab, hexVALUE, in any order; a key named twice has its last value. */
inline expectation read_expectation(const std::string &path)
{
	std::ifstream in(path, std::ios::binary);
	if (!in)
		die(3, "cannot read " + path);
	expectation all;
	std::string line, key, value;
	for (size_t number = 1; std::getline(in, line); number++) {
		const size_t tab = line.find('\t');
		if (tab == std::string::npos || !from_hex(line.substr(0, tab), &key) ||
		    !from_hex(line.substr(tab + 1), &value))
			die(2, path + ": line " + std::to_string(number) + ": not hexKEY, tab, hexVALUE");
		all[key] = value;
	}
	return all;
}

inline void write_expectation(const std::string &path, const expectation &all)
{
	std::ofstream out(path, std::ios::binary | std::ios::trunc);
	for (const auto &[key, value] : all)
		out << to_hex(key) << '\t' << to_hex(value) << '\n';
	out.flush();
	if (!out)
		die(3, "cannot write " + path);
}

/* A number operand of an option. */
inline uint64_t to_number(const std::string &option, const std::string &text)
{
	char *end = nullptr;
	const unsigned long long n = std::strtoull(text.c_str(), &end, 10);
	if (text.empty() || *end)
		die(2, option + ": '" + text + "' is not a number");
	return n;
}

/* RocksDB at its most suspicious. */
inline rocksdb::Options strict_options()
{
	rocksdb::BlockBasedTableOptions table;
	table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
	table.verify_compression = true;

	rocksdb::Options options;
	options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
	options.paranoid_checks = true;
	options.force_consistency_checks = true;
	options.paranoid_file_checks = true;
	options.flush_verify_memtable_count = true;
	options.statistics = rocksdb::CreateDBStatistics();
	options.max_open_files = -1; /* opens and checks every table at once */
	return options;
}

inline rocksdb::ReadOptions strict_reads()
{
	rocksdb::ReadOptions reads;
	reads.verify_checksums = true;
	return reads;
}

#endif
