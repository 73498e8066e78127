/* SPDX-License-Identifier: MIT */
/* LevelDB as the library rows see it: compression is snappy, and a flush is CompactRange of a store that has
 * nothing but its memtable. */
#include "engine.h"

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>

#include <memory>
#include <string>

namespace {

void check(const leveldb::Status &s, const char *what)
{
	if (!s.ok())
		bench_die(what, s.ToString().c_str());
}

leveldb::DB *db_of(void *db)
{
	return static_cast<leveldb::DB *>(db);
}

void *level_open(const setup *s)
{
	leveldb::Options o;
	o.create_if_missing = s->create;
	o.compression = s->compress ? leveldb::kSnappyCompression : leveldb::kNoCompression;
	o.block_size = s->block_size;
	o.write_buffer_size = s->memtable;
	o.filter_policy = leveldb::NewBloomFilterPolicy(10);
	o.block_cache = leveldb::NewLRUCache(s->cache);
	leveldb::DB *db = nullptr;
	check(leveldb::DB::Open(o, s->dir, &db), "Open");
	return db;
}

void level_close(void *db)
{
	delete db_of(db);
}

void level_write(void *db, const record *r, size_t count, bool sync)
{
	leveldb::WriteOptions how;
	how.sync = sync;
	leveldb::WriteBatch batch;
	for (size_t i = 0; i < count; i++)
		batch.Put({r[i].key, r[i].key_size}, {r[i].value, VALUE_SIZE});
	check(db_of(db)->Write(how, &batch), "Write");
}

bool level_get(void *db, const char *key, size_t size)
{
	static thread_local std::string value;
	const leveldb::Status s = db_of(db)->Get({}, {key, size}, &value);
	if (s.IsNotFound())
		return false;
	check(s, "Get");
	bench_sink = bench_sink + static_cast<unsigned char>(value.back());
	return true;
}

uint64_t level_scan(void *db)
{
	const std::unique_ptr<leveldb::Iterator> it(db_of(db)->NewIterator({}));
	uint64_t count = 0, sum = 0;
	for (it->SeekToFirst(); it->Valid(); it->Next(), count++)
		sum += static_cast<unsigned char>(it->value()[VALUE_SIZE - 1]) + it->key().size();
	check(it->status(), "scan");
	bench_sink = bench_sink + sum;
	return count;
}

void level_compact(void *db)
{
	db_of(db)->CompactRange(nullptr, nullptr);
}

} /* namespace */

extern "C" const struct engine engine = {
	false, level_open, level_close, level_write, level_get, level_scan, level_compact, level_compact, nullptr,
};
