/* SPDX-License-Identifier: MIT */
/*
 * foreign-make SEED DIR: lets RocksDB fill DIR/db by options and operations that SEED chooses, and writes what
 * RocksDB's own iterators say is there:
 *
 *     DIR/families    hex of the name of each column family, one a line
 *     DIR/N.view      of the Nth of them: hexKEY, tab, hexVALUE, in bytewise order of keys
 *     DIR/N.absent    hex of keys that were used and are not there
 *     DIR/tables      names of the tables that count
 *     DIR/options     what was chosen, for people
 *
 * The process ends without closing the database, so that there are logs, and what compactions had not finished. Exit
 * status 2: RocksDB refuses these options; DIR is then to be left alone.
 */
#include "store.h"

#include <rocksdb/merge_operator.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/sst_file_writer.h>

#include <filesystem>
#include <random>
#include <set>
#include <sstream>
#include <vector>

#include <unistd.h>

using namespace rocksdb;

namespace
{

std::mt19937_64 rng;
std::ostringstream chosen;
std::string base;

uint64_t below(uint64_t n)
{
	return rng() % n;
}

bool one_in(uint64_t n)
{
	return below(n) == 0;
}

template <typename T> T pick(std::initializer_list<T> all)
{
	return all.begin()[below(all.size())];
}

template <typename T> T note(const char *name, T v)
{
	chosen << ' ' << name << '=' << +v;
	return v;
}

/* ---- keys and values */

std::string make_key(uint64_t range)
{
	static const std::string special[] = {"", std::string(1, '\0'), "\xff", "\xff\xff", std::string("a\0", 2), "a\xff"};
	if (one_in(60))
		return special[below(6)];
	std::string k(1, pick({'a', 'b', 'm', 'z', '\xff'}));
	if (one_in(200))
		k += std::string(300, 'p');
	return k + std::to_string(below(range));
}

std::string make_value()
{
	size_t n = one_in(60) ? below(9000) : one_in(5) ? 0 : below(120);
	std::string v;
	while (v.size() < n)
		v += one_in(3) ? std::string(1, static_cast<char>(below(256))) : "value" + std::to_string(below(10));
	return v;
}

std::string make_operand(const Options &o)
{
	if (o.merge_operator && std::string(o.merge_operator->Name()) == "UInt64AddOperator" && !one_in(20)) {
		const uint64_t n = one_in(4) ? rng() : below(1000);
		return std::string(reinterpret_cast<const char *>(&n), 8);
	}
	return one_in(10) ? make_value() : std::to_string(below(100000));
}

/* ---- options */

CompressionType pick_compression()
{
	return pick({kNoCompression, kSnappyCompression, kZlibCompression, kBZip2Compression, kLZ4Compression,
		kLZ4HCCompression, kZSTD});
}

void choose_table(Options &o)
{
	BlockBasedTableOptions t;
	t.format_version = static_cast<uint32_t>(note("format", 2 + below(4)));
	t.checksum = static_cast<ChecksumType>(note("checksum", below(5)));
	t.index_type = static_cast<BlockBasedTableOptions::IndexType>(note("index", below(4)));
	if (t.index_type == BlockBasedTableOptions::kHashSearch)
		o.prefix_extractor.reset(NewCappedPrefixTransform(2)); /* it asserts that every key has a prefix */
	t.block_size = note("block", pick<size_t>({64, 512, 4096, 16384}));
	t.metadata_block_size = pick<uint64_t>({128, 1024, 4096});
	t.block_restart_interval = static_cast<int>(pick({1, 2, 16, 40}));
	t.index_block_restart_interval = t.index_type == BlockBasedTableOptions::kHashSearch ? 1 : static_cast<int>(pick({1, 3, 16}));
	t.index_shortening = static_cast<BlockBasedTableOptions::IndexShorteningMode>(below(3));
	t.enable_index_compression = one_in(2);
	t.use_delta_encoding = !one_in(5);
	t.whole_key_filtering = !one_in(4);
	if (one_in(3))
		t.data_block_index_type = BlockBasedTableOptions::kDataBlockBinaryAndHash;
	switch (note("filter", below(4))) {
	case 1:
		t.filter_policy.reset(NewBloomFilterPolicy(static_cast<double>(1 + below(20)), one_in(4)));
		break;
	case 2:
		t.filter_policy.reset(NewRibbonFilterPolicy(10));
		break;
	case 3:
		t.filter_policy.reset(NewBloomFilterPolicy(10));
		t.partition_filters = t.index_type == BlockBasedTableOptions::kTwoLevelIndexSearch;
		break;
	}
	if (o.compression == kNoCompression && o.compression_per_level.empty() && one_in(3))
		t.block_align = true;
	o.table_factory.reset(NewBlockBasedTableFactory(t));
}

void choose_merge(Options &o)
{
	static const char *const ids[] = {"stringappend", "stringappend", "stringappendtest", "max", "uint64add", "put",
		"put_v1", "bytesxor"};
	const std::string id = ids[below(8)];
	must(MergeOperator::CreateFromString(ConfigOptions(), id, &o.merge_operator), id);
	chosen << " merge=" << id;
	if (id.substr(0, 6) == "string" && one_in(2))
		*o.merge_operator->GetOptions<std::string>("Delimiter") =
			pick<std::string>({"--", "", ";", "\n", " ", "\\", ":", "#", "{x}", "};"});
}

void choose_blobs(Options &o)
{
	/* RocksDB 7.8 gives freed memory for the larger one of a blob and operands, and fails when a blob of some codecs
	 * does not get smaller. */
	const bool max = o.merge_operator && std::string(o.merge_operator->Name()) == "MaxOperator";
	o.enable_blob_files = note("blobs", one_in(4)) && !max;
	o.min_blob_size = pick<uint64_t>({1, 10, 60, 1000});
	o.blob_file_size = pick<uint64_t>({1000, 10000, 1 << 20});
	o.blob_compression_type = pick({kNoCompression, kSnappyCompression, kLZ4Compression, kLZ4HCCompression, kZSTD});
	o.enable_blob_garbage_collection = one_in(2);
	o.blob_garbage_collection_age_cutoff = pick({0.0, 0.25, 1.0});
	o.blob_garbage_collection_force_threshold = pick({0.1, 0.5, 1.0});
	o.blob_file_starting_level = static_cast<int>(pick({0, 0, 2}));
}

void choose_compaction(Options &o)
{
	o.write_buffer_size = note("buffer", pick<size_t>({8 << 10, 40 << 10, 1 << 20}));
	o.arena_block_size = 4096;
	o.target_file_size_base = note("file", pick<uint64_t>({2 << 10, 16 << 10, 1 << 20}));
	o.max_bytes_for_level_base = pick<uint64_t>({8 << 10, 64 << 10, 1 << 20});
	o.max_bytes_for_level_multiplier = pick({2.0, 10.0});
	o.level0_file_num_compaction_trigger = static_cast<int>(pick({1, 2, 4, 100}));
	o.level_compaction_dynamic_level_bytes = one_in(3);
	switch (note("style", below(6))) {
	case 0:
		o.compaction_style = kCompactionStyleUniversal;
		o.num_levels = static_cast<int>(pick({1, 3, 7}));
		o.compaction_options_universal.allow_trivial_move = one_in(2);
		break;
	case 1:
		o.compaction_style = kCompactionStyleFIFO;
		o.compaction_options_fifo.max_table_files_size = uint64_t(1) << 40;
		break;
	case 2:
		o.disable_auto_compactions = true;
		break;
	}
}

/* What may change from one opening to the next. */
void choose_changing(Options &o)
{
	o.compression = pick_compression();
	chosen << " compression=" << static_cast<int>(o.compression);
	o.compression_per_level.clear();
	if (one_in(3))
		for (int i = 0; i < o.num_levels; i++)
			o.compression_per_level.push_back(pick_compression());
	o.compression_opts.max_dict_bytes = one_in(4) ? 1000 : 0;
	o.compression_opts.zstd_max_train_bytes = o.compression_opts.max_dict_bytes && one_in(2) ? 5000 : 0;
	choose_table(o);
	choose_blobs(o);
}

Options choose_family()
{
	Options o;
	chosen << "\nfamily:";
	if (note("reverse", one_in(5)))
		o.comparator = ReverseBytewiseComparator();
	if (one_in(3))
		o.prefix_extractor.reset(one_in(2) ? NewFixedPrefixTransform(1) : NewCappedPrefixTransform(3));
	if (!one_in(3))
		choose_merge(o);
	choose_compaction(o);
	choose_changing(o);
	return o;
}

void choose_database(DBOptions &o)
{
	chosen << "\ndatabase:";
	o.create_if_missing = o.create_missing_column_families = true;
	o.wal_compression = note("wal", one_in(4)) ? kZSTD : kNoCompression;
	o.recycle_log_file_num = note("recycle", one_in(4)) ? 2 : 0;
	o.max_manifest_file_size = note("manifest", pick<size_t>({1, 1000, 1 << 30}));
	o.atomic_flush = note("atomic", one_in(4));
	o.max_total_wal_size = one_in(3) ? 50000 : 0;
	o.max_subcompactions = static_cast<uint32_t>(pick({1, 3}));
	o.allow_ingest_behind = false;
	o.avoid_flush_during_recovery = one_in(2);
	o.wal_bytes_per_sync = one_in(3) ? 1 : 0;
	o.allow_mmap_writes = one_in(8);
	o.track_and_verify_wals_in_manifest = one_in(4);
	o.info_log_level = FATAL_LEVEL;
}

/* ---- operations */

struct family {
	std::string name;
	Options options;
	ColumnFamilyHandle *handle;
	std::set<std::string> used;
	uint64_t range;
};

DBOptions db_options;
DB *db;
std::vector<family> families;
std::vector<const Snapshot *> snapshots;
uint64_t once, files;

void open_database()
{
	std::vector<ColumnFamilyDescriptor> d;
	for (auto &f : families)
		d.emplace_back(f.name, ColumnFamilyOptions(f.options));
	std::vector<ColumnFamilyHandle *> handles;
	const Status s = DB::Open(db_options, base + "/db", d, &handles, &db);
	if (!s.ok()) {
		std::cerr << s.ToString() << '\n';
		_exit(s.IsInvalidArgument() || s.IsNotSupported() ? 2 : 3);
	}
	for (size_t i = 0; i < families.size(); i++)
		families[i].handle = handles[i];
}

void close_database()
{
	for (const auto *s : snapshots)
		db->ReleaseSnapshot(s);
	snapshots.clear();
	for (auto &f : families)
		must(db->DestroyColumnFamilyHandle(f.handle), "handle");
	delete db;
}

void reopen()
{
	close_database();
	for (auto &f : families) {
		chosen << "\nagain:";
		choose_changing(f.options);
	}
	open_database();
}

void add_change(WriteBatch &b, family &f)
{
	const std::string k = make_key(f.range);
	f.used.insert(k);
	const auto kind = below(20);
	if (kind < 10) {
		must(b.Put(f.handle, k, make_value()), "put");
	} else if (kind < 13) {
		must(b.Delete(f.handle, k), "delete");
	} else if (kind < 18 && f.options.merge_operator) {
		must(b.Merge(f.handle, k, make_operand(f.options)), "merge");
	} else if (kind == 18) {
		/* Single deletion is for keys that were put once. */
		const std::string s = "S" + std::to_string(below(++once));
		if (f.used.insert(s).second)
			must(b.Put(f.handle, s, make_value()), "put");
		else if (f.used.insert(s + "-gone").second)
			must(b.SingleDelete(f.handle, s), "single delete");
	} else if (one_in(8)) {
		std::string e = make_key(f.range);
		if (f.options.comparator->Compare(k, e) < 0 && k[0] != 'S' && (e < "S" || k > "T"))
			must(b.DeleteRange(f.handle, k, e), "delete range");
	} else if (one_in(10)) {
		must(b.PutLogData("log data"), "log data");
	}
}

void write_some(uint64_t n)
{
	while (n) {
		WriteBatch b;
		for (uint64_t i = one_in(3) ? 1 + below(40) : 1; i && n; i--, n--)
			add_change(b, families[below(families.size())]);
		must(db->Write(WriteOptions(), &b), "write");
	}
}

void ingest(family &f)
{
	const std::string path = base + "/ingest" + std::to_string(files++) + ".sst";
	Options o = f.options;
	SstFileWriter w(EnvOptions(), o, f.handle);
	must(w.Open(path), path);
	auto less = [&](const std::string &x, const std::string &y) { return o.comparator->Compare(x, y) < 0; };
	std::set<std::string, decltype(less)> keys(less);
	for (uint64_t i = 1 + below(60); i; i--)
		keys.insert(make_key(f.range));
	for (const auto &k : keys) {
		f.used.insert(k);
		if (one_in(6))
			must(w.Delete(k), "delete");
		else if (o.merge_operator && one_in(6))
			must(w.Merge(k, make_operand(o)), "merge");
		else
			must(w.Put(k, make_value()), "put");
	}
	if (one_in(3) && *keys.begin() != *keys.rbegin())
		must(w.DeleteRange(*keys.begin(), *keys.rbegin()), "delete range");
	must(w.Finish(), "finish");
	IngestExternalFileOptions i;
	i.move_files = one_in(2);
	i.write_global_seqno = one_in(3);
	i.snapshot_consistency = one_in(2);
	must(db->IngestExternalFile(f.handle, {path}, i), "ingest");
}

void compact(family &f)
{
	CompactRangeOptions o;
	o.bottommost_level_compaction = pick({BottommostLevelCompaction::kSkip, BottommostLevelCompaction::kForce});
	o.change_level = one_in(4);
	const std::string a = make_key(f.range), e = make_key(f.range);
	const Slice from(a), to(e);
	const bool part = one_in(2) && f.options.comparator->Compare(a, e) < 0;
	(void)db->CompactRange(o, f.handle, part ? &from : nullptr, part ? &to : nullptr); /* FIFO refuses some */
}

void work()
{
	for (uint64_t rounds = 3 + below(12); rounds; rounds--) {
		family &f = families[below(families.size())];
		write_some(below(one_in(4) ? 3000 : 300));
		switch (below(9)) {
		case 0:
		case 1:
			must(db->Flush(FlushOptions(), f.handle), "flush");
			break;
		case 2:
			compact(f);
			break;
		case 3:
			ingest(f);
			break;
		case 4:
			snapshots.push_back(db->GetSnapshot());
			break;
		case 5:
			reopen();
			break;
		case 6:
			f.range = pick<uint64_t>({10, 200, 3000});
			break;
		}
	}
	write_some(below(100));
}

/* ---- answers */

void write_answers(size_t n)
{
	const family &f = families[n];
	ReadOptions reads = strict_reads();
	reads.total_order_seek = true;
	expectation view;
	std::unique_ptr<Iterator> it(db->NewIterator(reads, f.handle));
	for (it->SeekToFirst(); it->Valid(); it->Next())
		view[it->key().ToString()] = it->value().ToString();
	must(it->status(), f.name);
	const std::string path = base + "/" + std::to_string(n);
	write_expectation(path + ".view", view);
	std::ofstream absent(path + ".absent", std::ios::binary);
	for (const auto &k : f.used)
		if (!view.count(k))
			absent << to_hex(k) << '\n';
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 3)
		die(2, "usage: foreign-make SEED DIR");
	rng.seed(to_number("SEED", argv[1]));
	base = argv[2];
	std::filesystem::create_directory(base);
	choose_database(db_options);
	static const char *const names[] = {"default", "one", "two: \xc3\xbc#\\", "rev"};
	for (uint64_t i = 0, n = one_in(2) ? 1 : 1 + below(4); i < n; i++)
		families.push_back({names[i], choose_family(), nullptr, {}, 200});
	std::ofstream(base + "/options") << chosen.str() << '\n';
	open_database();
	work();
	std::ofstream(base + "/options") << chosen.str() << '\n';
	std::ofstream list(base + "/families");
	for (size_t i = 0; i < families.size(); i++) {
		list << to_hex(families[i].name) << '\n';
		write_answers(i);
	}
	list.flush();
	must(db->PauseBackgroundWork(), "pause"); /* or a compaction may still replace a table that is named here */
	std::vector<LiveFileMetaData> live;
	db->GetLiveFilesMetaData(&live);
	std::ofstream tables(base + "/tables");
	for (const auto &t : live)
		tables << t.relative_filename << std::endl;
	_exit(0);
}
