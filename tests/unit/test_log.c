/* SPDX-License-Identifier: MIT */
#include "wal/log.h"

#include <zstd.h>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "memory_source.h"

/* Record number i of a test log: its length and every byte follow from i. */
static void put_pattern(struct buf *b, unsigned i, size_t n)
{
	for (size_t k = 0; k < n; k++)
		buf_push(b, (uint8_t)(i * 131 + k * 7 + (k >> 8) + 1));
}

struct log {
	struct buf bytes;
	struct buf records[64];
	uint64_t ends[64];
	unsigned count;
};

static void add(struct log *l, size_t n)
{
	struct buf *payload = &l->records[l->count];
	size_t before = l->bytes.size;
	put_pattern(payload, l->count, n);
	log_frame(&l->bytes, before, buf_slice(payload));
	CHECK(l->bytes.size - before <= log_frame_bound(n));
	l->ends[l->count++] = l->bytes.size;
}

static void log_release(struct log *l)
{
	for (unsigned i = 0; i < l->count; i++)
		buf_release(&l->records[i]);
	buf_release(&l->bytes);
}

static bool is_record(const struct log *l, unsigned i, struct sst_slice record)
{
	return slice_eq(buf_slice(&l->records[i]), record);
}

/* What reading gave: how many of the records in order, then how it ended. */
struct result {
	unsigned records;
	int rc;
	enum log_end end;
	uint64_t good_end, bad_offset;
	int resync;	    /* SST_NO where it was not asked for */
	uint64_t resync_at;
	unsigned resync_record; /* which of the log's records that was */
};

static unsigned which_record(const struct log *l, struct sst_slice record)
{
	unsigned i = 0;
	while (i < l->count && !is_record(l, i, record))
		i++;
	return i;
}

static struct result read_log(const struct log *l, struct sst_slice bytes, uint64_t number)
{
	struct memory m = memory_of(bytes, "test.log");
	struct log_reader r;
	struct sst_slice record;
	struct result x = {.resync = SST_NO};
	log_reader_init(&r, &m.source, number, 0);
	while (!(x.rc = log_reader_next(&r, &record))) {
		CHECK(x.records < l->count && is_record(l, x.records, record));
		x.records++;
	}
	x.end = r.end;
	x.good_end = r.good_end;
	x.bad_offset = r.bad_offset;
	if (x.rc == SST_ECORRUPT || r.end == LOG_END_TORN) {
		x.resync = log_reader_resync(&r);
		x.resync_at = r.offset;
	}
	if (x.resync == 0) {
		CHECK(log_reader_next(&r, &record) == 0);
		CHECK_EQ(r.record_offset, x.resync_at);
		x.resync_record = which_record(l, record);
	}
	log_reader_release(&r);
	return x;
}

/* Records that end at offset n or before it. */
static unsigned whole_at(const struct log *l, size_t n)
{
	unsigned i = 0;
	while (i < l->count && l->ends[i] <= n)
		i++;
	return i;
}

/* ---------------------------------------------------------------- tests */

static const uint8_t golden_batch[] = {7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 3, 'f', 'o', 'o', 3, 'b', 'a', 'r', 0, 3, 'b', 'a', 'z'};
static const uint8_t golden_head[] = {0x4a, 0x31, 0xf6, 0x6f, 0x1a, 0, 1};
static const uint8_t golden_recyclable[] = {0x67, 0x30, 0xdb, 0xb8, 0x1a, 0, 5, 9, 0, 0, 0};

static void framed_as_rocksdb_does(void)
{
	struct buf b = {0};
	log_frame(&b, 0, slice_of(golden_batch, sizeof(golden_batch)));
	CHECK_EQ(b.size, sizeof(golden_head) + sizeof(golden_batch));
	CHECK(memcmp(b.data, golden_head, sizeof(golden_head)) == 0);
	CHECK(memcmp(b.data + sizeof(golden_head), golden_batch, sizeof(golden_batch)) == 0);
	buf_release(&b);
}

/* The first record ends so that 0..20 bytes are left in its block; the second goes over a block's end. */
static void every_block_end(void)
{
	for (size_t left = 0; left <= 20; left++)
		for (size_t n = 0; n < 70000; n = n < 30 ? n + 1 : n * 3 + left) {
			struct log l = {0};
			add(&l, LOG_BLOCK_SIZE - LOG_HEADER_SIZE - left);
			add(&l, n);
			add(&l, 5);
			struct result x = read_log(&l, buf_slice(&l.bytes), 1);
			CHECK_EQ(x.records, 3);
			CHECK(x.rc == SST_NO && x.end == LOG_END_CLEAN);
			CHECK_EQ(x.good_end, l.bytes.size);
			if (left == 7) /* an empty FIRST fills the block exactly */
				CHECK_EQ(l.bytes.data[LOG_BLOCK_SIZE - 1], n ? 2 : 1);
			log_release(&l);
		}
}

/* A fragment never crosses a block and only the last of a record may be short. */
static void framing_at_any_offset(void)
{
	struct buf payload = {0}, b = {0};
	put_pattern(&payload, 1, 100000);
	for (uint64_t at = 32700; at < 32800; at++) {
		buf_clear(&b);
		log_frame(&b, at, slice_of(payload.data, 70000));
		uint64_t o = at % LOG_BLOCK_SIZE > LOG_BLOCK_SIZE - LOG_HEADER_SIZE ? LOG_BLOCK_SIZE : at, first = o;
		size_t sum = 0;
		while (o - at < b.size) {
			const uint8_t *f = b.data + (o - at);
			size_t n = load16(f + 4);
			CHECK(o % LOG_BLOCK_SIZE + LOG_HEADER_SIZE + n <= LOG_BLOCK_SIZE);
			bool last = o - at + LOG_HEADER_SIZE + n == b.size;
			CHECK_EQ(f[6], o == first ? 2 : last ? 4 : 3);
			CHECK(last || (o + LOG_HEADER_SIZE + n) % LOG_BLOCK_SIZE == 0);
			sum += n;
			o += LOG_HEADER_SIZE + n;
		}
		CHECK_EQ(sum, 70000);
	}
	buf_release(&payload);
	buf_release(&b);
}

static void make_log(struct log *l)
{
	static const size_t lengths[] = {26, 0, 1, 300, 32000, 390, 70000, 3, 40, 33000, 12};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		add(l, lengths[i]);
}

static void cut_at_every_byte(void)
{
	struct log l = {0};
	make_log(&l);
	for (size_t n = 0; n <= l.bytes.size; n++) {
		struct result x = read_log(&l, slice_of(l.bytes.data, n), 1);
		unsigned whole = whole_at(&l, n);
		CHECK_EQ(x.records, whole);
		CHECK_EQ(x.rc, SST_NO);
		uint64_t end = whole ? l.ends[whole - 1] : 0;
		CHECK_EQ(x.good_end, end);
		/* Only padding may lie behind a clean end. */
		bool clean = n - end < LOG_HEADER_SIZE && (n == end || end / LOG_BLOCK_SIZE < (n + 6) / LOG_BLOCK_SIZE);
		CHECK(x.end == LOG_END_TORN || clean);
		CHECK(n != end || x.end == LOG_END_CLEAN);
		CHECK_EQ(x.resync, SST_NO);
		n += (n > 400 && n < 32000) || (n > 33500 && n < 65000) ? 97 : n > 66000 ? 13 : 0;
	}
	log_release(&l);
}

static bool is_padding(const struct log *l, size_t i)
{
	for (unsigned k = 0; k < l->count; k++)
		if (l->ends[k] <= i && i / LOG_BLOCK_SIZE == l->ends[k] / LOG_BLOCK_SIZE &&
			LOG_BLOCK_SIZE - l->ends[k] % LOG_BLOCK_SIZE < LOG_HEADER_SIZE)
			return true;
	return false;
}

/* The byte belongs to record k: the ones before it are read, then damage is reported, and what is behind is found. */
static void check_damaged(const struct log *l, size_t i, uint8_t with)
{
	if (is_padding(l, i))
		return;
	l->bytes.data[i] ^= with;
	unsigned k = whole_at(l, i);
	struct result x = read_log(l, buf_slice(&l->bytes), 1);
	CHECK_EQ(x.records, k);
	CHECK(x.rc == SST_ECORRUPT || (x.rc == SST_NO && x.end == LOG_END_TORN));
	if (k + 1 < l->count) {
		CHECK_EQ(x.resync, 0);
		CHECK_EQ(x.resync_record, k + 1);
	} else {
		CHECK_EQ(x.resync, SST_NO);
		CHECK_EQ(x.rc, SST_ECORRUPT);
	}
	l->bytes.data[i] ^= with;
}

static void one_damaged_byte_anywhere(void)
{
	struct log l = {0};
	static const size_t lengths[] = {26, 0, 1, 300, 700, 33000, 12, 90};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		add(&l, lengths[i]);
	for (size_t i = 0; i < l.bytes.size; i++) {
		for (unsigned bit = 0; bit < 8; bit++)
			check_damaged(&l, i, (uint8_t)(1 << bit));
		i += i > 1300 && i < 32700 ? 211 : i > 32800 && i < 34000 ? 101 : 0;
	}
	log_release(&l);
}

/* Damage that hides where the next record begins: it is looked for bytewise. */
static void a_sector_of_garbage(void)
{
	struct log l = {0};
	for (unsigned i = 0; i < 20; i++)
		add(&l, 150 + i);
	for (size_t at = 0; at + 512 <= l.bytes.size; at += 512)
		for (unsigned fill = 0; fill < 256; fill += 51) {
			uint8_t saved[512];
			memcpy(saved, l.bytes.data + at, 512);
			memset(l.bytes.data + at, (int)fill, 512);
			struct result x = read_log(&l, buf_slice(&l.bytes), 1);
			unsigned k = whole_at(&l, at), behind = whole_at(&l, at + 511) + 1;
			CHECK_EQ(x.records, k);
			CHECK(x.rc == SST_ECORRUPT || x.end == LOG_END_TORN);
			CHECK_EQ(x.resync, behind < l.count ? 0 : SST_NO);
			CHECK(x.resync || x.resync_record == behind);
			memcpy(l.bytes.data + at, saved, 512);
		}
	log_release(&l);
}

/* After a power cut sectors may be missing from the last write: torn, not damage. */
static void a_lost_sector_at_the_end(void)
{
	struct log l = {0};
	add(&l, 100);
	add(&l, 3000);
	for (uint64_t at = 0; at < l.bytes.size; at += 512) {
		struct buf b = {0};
		buf_append_slice(&b, buf_slice(&l.bytes));
		uint64_t from = at < l.ends[0] ? l.ends[0] : at, to = at + 512 < b.size ? at + 512 : b.size;
		memset(b.data + from, 0, (size_t)(to - from));
		struct result x = read_log(&l, buf_slice(&b), 1);
		CHECK(x.records == 1 && x.rc == SST_NO && x.end == LOG_END_TORN);
		CHECK(x.bad_offset == l.ends[0] && x.resync == SST_NO);
		buf_release(&b);
	}
	log_release(&l);
}

static void a_tail_of_zeros_is_clean(void)
{
	static const size_t sizes[] = {1, 6, 7, 8, 100, 32768, 100000};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct log l = {0};
		add(&l, 26);
		add(&l, 2000);
		CHECK(buf_reserve(&l.bytes, sizes[i]));
		memset(l.bytes.data + l.bytes.size, 0, sizes[i]);
		l.bytes.size += sizes[i];
		struct result x = read_log(&l, buf_slice(&l.bytes), 1);
		CHECK(x.records == 2 && x.rc == SST_NO && x.end == LOG_END_CLEAN);
		CHECK_EQ(x.good_end, l.ends[1]);
		log_release(&l);
	}
}

/* Zeros with a record behind them are a hole. */
static void a_hole_is_no_end(void)
{
	for (size_t hole = 7; hole < 70000; hole = hole * 3 + 1) {
		struct log l = {0};
		add(&l, 26);
		CHECK(buf_reserve(&l.bytes, hole));
		memset(l.bytes.data + l.bytes.size, 0, hole);
		l.bytes.size += hole;
		add(&l, 60);
		struct result x = read_log(&l, buf_slice(&l.bytes), 1);
		CHECK(x.records == 1 && x.rc == SST_NO && x.end == LOG_END_TORN);
		CHECK_EQ(x.bad_offset, l.ends[0]);
		/* The block that the hole begins in is searched, and every block start. */
		bool found = l.ends[1] <= LOG_BLOCK_SIZE || (l.ends[1] - 67) % LOG_BLOCK_SIZE == 0;
		CHECK_EQ(x.resync, found ? 0 : SST_NO);
		log_release(&l);
	}
}

static void put_fragment(struct buf *b, uint8_t type, const uint32_t *number, struct sst_slice payload)
{
	uint8_t head[11];
	size_t n = number ? 11 : 7;
	store16(head + 4, (uint16_t)payload.size);
	head[6] = type;
	if (number)
		store32(head + 7, *number);
	store32(head, crc32c_mask(crc32c(crc32c(0, head + 6, n - 6), payload.data, payload.size)));
	buf_append(b, head, n);
	buf_append_slice(b, payload);
}

static void recyclable_records(void)
{
	struct buf b = {0};
	uint32_t nine = 9, eight = 8;
	struct sst_slice batch = slice_of(golden_batch, sizeof(golden_batch)), record;
	put_fragment(&b, 5, &nine, batch);
	CHECK(b.size == 37 && memcmp(b.data, golden_recyclable, 11) == 0);
	put_fragment(&b, 6, &nine, slice_str("one, "));
	put_fragment(&b, 7, &nine, slice_str("two, "));
	put_fragment(&b, 8, &nine, slice_str("three"));
	size_t end = b.size;
	put_fragment(&b, 5, &eight, slice_str("older"));

	struct log_reader r;
	struct memory m = memory_of(buf_slice(&b), "test.log");
	log_reader_init(&r, &m.source, UINT64_C(0x500000009), 0);
	CHECK(log_reader_next(&r, &record) == 0 && slice_eq(record, batch));
	CHECK(r.first_type == 5 && r.recycled);
	CHECK(log_reader_next(&r, &record) == 0 && slice_eq(record, slice_str("one, two, three")));
	CHECK(log_reader_next(&r, &record) == SST_NO && r.end == LOG_END_CLEAN && r.good_end == end);
	log_reader_release(&r);

	/* The older log's bytes mostly do not begin where ours end. */
	b.size = end;
	buf_append(&b, "some bytes of an older value, then", 34);
	put_fragment(&b, 5, &eight, slice_str("older"));
	put_fragment(&b, 1, NULL, slice_str("plain"));
	m = memory_of(buf_slice(&b), "test.log");
	log_reader_init(&r, &m.source, 9, 0);
	CHECK(log_reader_next(&r, &record) == 0 && log_reader_next(&r, &record) == 0);
	CHECK(log_reader_next(&r, &record) == SST_NO && r.end == LOG_END_TORN && r.bad_offset == end);
	CHECK(log_reader_resync(&r) == SST_NO);
	log_reader_release(&r);

	/* But one of ours behind damage is found. */
	put_fragment(&b, 5, &nine, slice_str("ours"));
	m = memory_of(buf_slice(&b), "test.log");
	log_reader_init(&r, &m.source, 9, 0);
	CHECK(log_reader_next(&r, &record) == 0 && log_reader_next(&r, &record) == 0);
	CHECK(log_reader_next(&r, &record) == SST_NO && log_reader_resync(&r) == 0);
	CHECK(log_reader_next(&r, &record) == 0 && slice_eq(record, slice_str("ours")));
	log_reader_release(&r);
	buf_release(&b);
}

static void facts_are_skipped(void)
{
	static const uint8_t types[] = {10, 128, 130, 200, 255};
	static const uint8_t recyclable[] = {11, 131};
	uint32_t number = 4;
	struct buf b = {0};
	struct sst_slice record;
	for (size_t i = 0; i < sizeof(types); i++)
		put_fragment(&b, types[i], NULL, slice_str("facts"));
	put_fragment(&b, 1, NULL, slice_str("record"));
	put_fragment(&b, 10, NULL, slice_str(""));
	struct log_reader r;
	struct memory m = memory_of(buf_slice(&b), "test.log");
	log_reader_init(&r, &m.source, 4, 0);
	CHECK(log_reader_next(&r, &record) == 0 && slice_eq(record, slice_str("record")));
	CHECK(log_reader_next(&r, &record) == SST_NO && r.end == LOG_END_CLEAN && r.good_end == b.size);
	log_reader_release(&r);
	buf_clear(&b);
	for (size_t i = 0; i < sizeof(recyclable); i++)
		put_fragment(&b, recyclable[i], &number, slice_str("facts"));
	put_fragment(&b, 5, &number, slice_str("record"));
	m = memory_of(buf_slice(&b), "test.log");
	log_reader_init(&r, &m.source, 4, 0);
	CHECK(log_reader_next(&r, &record) == 0 && slice_eq(record, slice_str("record")));
	log_reader_release(&r);
	buf_release(&b);
}

/* The code and the place for a log of the given fragments behind one good record. */
static int code_for(const uint8_t *types, size_t n, bool *at_end)
{
	struct buf b = {0};
	struct sst_slice record;
	put_fragment(&b, 1, NULL, slice_str("good"));
	size_t end = b.size;
	for (size_t i = 0; i < n; i++)
		put_fragment(&b, types[i], NULL, slice_str("xyz"));
	struct log_reader r;
	struct memory m = memory_of(buf_slice(&b), "test.log");
	log_reader_init(&r, &m.source, 1, 0);
	CHECK(log_reader_next(&r, &record) == 0);
	int rc;
	while (!(rc = log_reader_next(&r, &record)))
		;
	CHECK(rc == SST_NO || r.bad_offset >= end);
	*at_end = r.end == LOG_END_TORN;
	log_reader_release(&r);
	buf_release(&b);
	return rc;
}

static void order_of_fragments(void)
{
	static const struct {
		uint8_t types[3];
		size_t n;
		int rc;
		bool torn;
	} cases[] = {
		{{3}, 1, SST_ECORRUPT, false},	     {{4}, 1, SST_ECORRUPT, false},
		{{2, 1}, 2, SST_ECORRUPT, false},    {{2, 2, 4}, 3, SST_ECORRUPT, false},
		{{2, 4, 4}, 3, SST_ECORRUPT, false}, {{2, 3, 4}, 3, SST_NO, false},
		{{2}, 1, SST_NO, true},		     {{2, 3}, 2, SST_NO, true},
		{{0}, 1, SST_ECORRUPT, false},	     {{12}, 1, SST_EUNSUPPORTED, false},
		{{127}, 1, SST_EUNSUPPORTED, false}, {{9}, 1, SST_ECORRUPT, false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool torn;
		CHECK_EQ(code_for(cases[i].types, cases[i].n, &torn), cases[i].rc);
		CHECK(torn == cases[i].torn);
	}
}

/* Old LevelDBs: an empty FIRST at the end of a block, and the record again in the next. */
static void an_empty_first_is_no_record(void)
{
	struct buf b = {0};
	struct sst_slice record;
	put_fragment(&b, 2, NULL, slice_str(""));
	put_fragment(&b, 1, NULL, slice_str("again"));
	struct log_reader r;
	struct memory m = memory_of(buf_slice(&b), "test.log");
	log_reader_init(&r, &m.source, 1, 0);
	CHECK(log_reader_next(&r, &record) == 0 && slice_eq(record, slice_str("again")));
	CHECK(log_reader_next(&r, &record) == SST_NO && r.end == LOG_END_CLEAN);
	log_reader_release(&r);
	buf_release(&b);
}

/* ---------------------------------------------------------------- compressed logs */

static void put_compressed(struct buf *b, struct sst_slice plain)
{
	size_t cap = ZSTD_compressBound(plain.size);
	uint8_t *frame = malloc(cap);
	CHECK(frame);
	ZSTD_CCtx *c = ZSTD_createCCtx();
	ZSTD_inBuffer in = {plain.data, plain.size, 0};
	ZSTD_outBuffer out = {frame, cap, 0};
	/* Streamed, so that the frame does not tell its size, as RocksDB does it. */
	CHECK(ZSTD_compressStream2(c, &out, &in, ZSTD_e_flush) == 0);
	CHECK(ZSTD_compressStream2(c, &out, &in, ZSTD_e_end) == 0);
	log_frame(b, b->size, slice_of(frame, out.pos));
	ZSTD_freeCCtx(c);
	free(frame);
}

static void begin_compressed(struct buf *b, uint32_t type)
{
	put_fragment(b, 9, NULL, slice_of(&type, 4));
}

static void compressed_records(void)
{
	struct buf b = {0}, plain = {0}, noise = {0};
	struct sst_slice record;
	begin_compressed(&b, 7);
	put_compressed(&b, slice_str("small"));
	put_pattern(&plain, 3, 3000000); /* compresses well: the inflated buffer must grow */
	put_compressed(&b, buf_slice(&plain));
	uint32_t x = 1;
	for (size_t i = 0; i < 100000; i++) { /* does not compress: many fragments */
		x = x * 1664525 + 1013904223;
		buf_push(&noise, (uint8_t)(x >> 24));
	}
	put_compressed(&b, buf_slice(&noise));
	struct log_reader r;
	struct memory m = memory_of(buf_slice(&b), "test.log");
	log_reader_init(&r, &m.source, 1, 0);
	CHECK(log_reader_next(&r, &record) == 0 && slice_eq(record, slice_str("small")));
	CHECK(r.first_type == 9 && r.compression == 7);
	CHECK(log_reader_next(&r, &record) == 0 && slice_eq(record, buf_slice(&plain)));
	CHECK(log_reader_next(&r, &record) == 0 && slice_eq(record, buf_slice(&noise)));
	CHECK(log_reader_next(&r, &record) == SST_NO && r.end == LOG_END_CLEAN);
	log_reader_release(&r);
	buf_release(&b);
	buf_release(&plain);
	buf_release(&noise);
}

static int first_record(const struct buf *b)
{
	struct log_reader r;
	struct sst_slice record;
	struct memory m = memory_of(buf_slice(b), "test.log");
	log_reader_init(&r, &m.source, 1, 0);
	int rc = log_reader_next(&r, &record);
	log_reader_release(&r);
	return rc;
}

static void other_compressions(void)
{
	static const struct {
		uint32_t type;
		int rc;
	} cases[] = {{0, 0}, {1, SST_EUNSUPPORTED}, {4, SST_EUNSUPPORTED}, {UINT32_MAX, SST_EUNSUPPORTED}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = {0};
		begin_compressed(&b, cases[i].type);
		log_frame(&b, b.size, slice_str("plain"));
		CHECK_EQ(first_record(&b), cases[i].rc);
		buf_release(&b);
	}
	struct buf b = {0};
	put_fragment(&b, 9, NULL, slice_str("abc"));
	CHECK(first_record(&b) == SST_ECORRUPT);
	buf_release(&b);
}

static void bad_frames_and_bombs(void)
{
	struct buf b = {0};
	begin_compressed(&b, 7);
	log_frame(&b, b.size, slice_str("no frame at all"));
	CHECK(first_record(&b) == SST_ECORRUPT);
	buf_clear(&b);
	begin_compressed(&b, 7);
	size_t n = (size_t)200 << 20;
	uint8_t *zeros = calloc(n, 1);
	CHECK(zeros);
	put_compressed(&b, slice_of(zeros, n));
	free(zeros);
	CHECK(b.size < 40000 && first_record(&b) == SST_EUNSUPPORTED);
	buf_release(&b);
}

static void going_on_where_records_end(void)
{
	struct log l = {0};
	make_log(&l);
	for (unsigned i = 0; i < l.count; i++) {
		struct log_reader r;
		struct sst_slice record;
		struct memory m = memory_of(buf_slice(&l.bytes), "test.log");
		log_reader_init(&r, &m.source, 1, l.ends[i]);
		for (unsigned k = i + 1; k < l.count; k++)
			CHECK(log_reader_next(&r, &record) == 0 && is_record(&l, k, record));
		CHECK(log_reader_next(&r, &record) == SST_NO && r.end == LOG_END_CLEAN);
		CHECK_EQ(r.good_end, l.bytes.size);
		log_reader_release(&r);
	}
	log_release(&l);
}

static int failing_read(struct source *s, uint64_t offset, void *buf, size_t n)
{
	(void)s;
	(void)offset;
	memset(buf, 0, n);
	return fail(SST_EIO, "no luck");
}

static void errors_of_the_source(void)
{
	struct source s = {.read = failing_read, .size = 100000, .name = "bad.log"};
	struct log_reader r;
	struct sst_slice record;
	log_reader_init(&r, &s, 1, 0);
	CHECK(log_reader_next(&r, &record) == SST_EIO && log_reader_next(&r, &record) == SST_EIO);
	CHECK(log_reader_resync(&r) == SST_EIO);
	log_reader_release(&r);
}

/* Zeros, and then nothing that can be read: that is not known to be the end. */
static int zeros_then_failing_read(struct source *s, uint64_t offset, void *buf, size_t n)
{
	return offset < 2 * LOG_BLOCK_SIZE ? memset(buf, 0, n), 0 : failing_read(s, offset, buf, n);
}

static void errors_behind_zeros(void)
{
	struct source s = {.read = zeros_then_failing_read, .size = 100000, .name = "bad.log"};
	struct log_reader r;
	struct sst_slice record;
	log_reader_init(&r, &s, 1, 0);
	CHECK(log_reader_next(&r, &record) == SST_EIO && r.end == LOG_END_NONE);
	log_reader_release(&r);
	s.size = 2 * LOG_BLOCK_SIZE;
	log_reader_init(&r, &s, 1, 0);
	CHECK(log_reader_next(&r, &record) == SST_NO && r.end == LOG_END_CLEAN);
	log_reader_release(&r);
}

int main(void)
{
	RUN(framed_as_rocksdb_does);
	RUN(every_block_end);
	RUN(framing_at_any_offset);
	RUN(cut_at_every_byte);
	RUN(one_damaged_byte_anywhere);
	RUN(a_sector_of_garbage);
	RUN(a_lost_sector_at_the_end);
	RUN(a_tail_of_zeros_is_clean);
	RUN(a_hole_is_no_end);
	RUN(recyclable_records);
	RUN(facts_are_skipped);
	RUN(order_of_fragments);
	RUN(an_empty_first_is_no_record);
	RUN(compressed_records);
	RUN(other_compressions);
	RUN(bad_frames_and_bombs);
	RUN(going_on_where_records_end);
	RUN(errors_of_the_source);
	RUN(errors_behind_zeros);
	return unit_done("log");
}
