/* SPDX-License-Identifier: MIT */
/*
 * RocksDB as the library rows see it. Automatic compaction is off, so that a row measures what it names and
 * nothing that goes on beside it. (Debian builds RocksDB with its assertions on.)
 */
#include "engine.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <memory>
#include <string>

namespace {

struct store {
	rocksdb::DB *db;
	bool wal;
};

void check(const rocksdb::Status &s, const char *what)
{
	if (!s.ok())
		bench_die(what, s.ToString().c_str());
}

rocksdb::Slice key_of(const record &r)
{
	return {r.key, r.key_size};
}

rocksdb::Slice value_of(const record &r)
{
	return {r.value, VALUE_SIZE};
}

rocksdb::Options options_of(const setup *s)
{
	rocksdb::BlockBasedTableOptions table;
	table.block_size = s->block_size;
	table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
	table.format_version = 5;
	if (s->cache)
		table.block_cache = rocksdb::NewLRUCache(s->cache);
	else
		table.no_block_cache = true;

	rocksdb::Options o;
	o.create_if_missing = s->create;
	o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
	o.compression = s->compress ? rocksdb::kZSTD : rocksdb::kNoCompression;
	o.compression_opts.level = 1;
	o.compression_opts.parallel_threads = s->parallel;
	o.write_buffer_size = s->memtable;
	o.target_file_size_base = 4ULL << 30;
	o.disable_auto_compactions = true;
	return o;
}

void *rocks_open(const setup *s)
{
	auto *st = new store{nullptr, s->wal};
	check(rocksdb::DB::Open(options_of(s), s->dir, &st->db), "Open");
	return st;
}

void rocks_close(void *db)
{
	auto *st = static_cast<store *>(db);
	check(st->db->Close(), "Close");
	delete st->db;
	delete st;
}

void rocks_write(void *db, const record *r, size_t count, bool sync)
{
	auto *st = static_cast<store *>(db);
	rocksdb::WriteOptions how;
	how.sync = sync;
	how.disableWAL = !st->wal;
	if (count == 1) {
		check(st->db->Put(how, key_of(*r), value_of(*r)), "Put");
		return;
	}
	rocksdb::WriteBatch batch;
	for (size_t i = 0; i < count; i++)
		check(batch.Put(key_of(r[i]), value_of(r[i])), "WriteBatch");
	check(st->db->Write(how, &batch), "Write");
}

bool rocks_get(void *db, const char *key, size_t size)
{
	auto *st = static_cast<store *>(db);
	rocksdb::PinnableSlice value; /* holds on to a block of the cache: not longer than this call */
	const rocksdb::Status s = st->db->Get({}, st->db->DefaultColumnFamily(), {key, size}, &value);
	if (s.IsNotFound())
		return false;
	check(s, "Get");
	bench_sink = bench_sink + static_cast<unsigned char>(value[value.size() - 1]);
	return true;
}

uint64_t rocks_scan(void *db)
{
	auto *st = static_cast<store *>(db);
	const std::unique_ptr<rocksdb::Iterator> it(st->db->NewIterator({}));
	uint64_t count = 0, sum = 0;
	for (it->SeekToFirst(); it->Valid(); it->Next(), count++)
		sum += static_cast<unsigned char>(it->value()[VALUE_SIZE - 1]) + it->key().size();
	check(it->status(), "scan");
	bench_sink = bench_sink + sum;
	return count;
}

void rocks_flush(void *db)
{
	rocksdb::FlushOptions wait;
	wait.wait = true;
	check(static_cast<store *>(db)->db->Flush(wait), "Flush");
}

void rocks_compact(void *db)
{
	rocksdb::CompactRangeOptions full;
	full.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
	check(static_cast<store *>(db)->db->CompactRange(full, nullptr, nullptr), "CompactRange");
}

void rocks_build(const setup *s, const record *sorted, size_t count)
{
	rocksdb::SstFileWriter writer({}, options_of(s));
	check(writer.Open(std::string(s->dir) + "/built.sst"), "SstFileWriter::Open");
	for (size_t i = 0; i < count; i++)
		check(writer.Put(key_of(sorted[i]), value_of(sorted[i])), "SstFileWriter::Put");
	check(writer.Finish(), "SstFileWriter::Finish");
}

} /* namespace */

extern "C" const struct engine engine = {
	false, rocks_open, rocks_close, rocks_write, rocks_get, rocks_scan, rocks_flush, rocks_compact, rocks_build,
};
