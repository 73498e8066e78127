/* SPDX-License-Identifier: MIT */
/* Stores as others, or a crash, may have left them, and what a writer makes of them: all is there, then and when its shared
 * memory is gone, and what it took over is mended or replaced. */
#include "base/crc32c.h"
#include "handmade.h"
#include "wal/format.h"

static struct lsm *open_it(void)
{
	struct lsm *db;
	CHECK_EQ(open_to_write(&db, false), 0);
	return db;
}

static void check(struct lsm *db, const char *key, const char *value)
{
	struct sst_slice v;
	CHECK_EQ(lsm_get(db, slice_str(key), &v), 0);
	CHECK(slice_eq(v, slice_str(value)));
}

/* Closes it, and opens it without its memory. */
static struct lsm *cold(struct lsm *db)
{
	uint8_t token[TOKEN_SIZE];
	memcpy(token, db->control->token, TOKEN_SIZE);
	segments_remove(db, token);
	lsm_close(db);
	return open_it();
}

static void put_and_flush(struct lsm *db)
{
	CHECK_EQ(lsm_put(db, slice_str("ours"), slice_str("value"), 0), 0);
	CHECK_EQ(lsm_flush(db, NULL, NULL, NULL), 0);
}

static uint64_t current(void)
{
	uint64_t number;
	CHECK_EQ(current_read(dir, &number), 0);
	return number;
}

static uint64_t size_of(const char *name)
{
	struct file_id id;
	int rc = file_identify_at(dir, name, &id);
	CHECK(rc == 0 || rc == SST_NO);
	return rc ? 0 : id.size;
}

/* ---------------------------------------------------------------- MANIFESTs */

static void a_torn_manifest_is_cut(void)
{
	begin(BYTEWISE_COMPARATOR, 7, 2);
	uint64_t whole = manifest.size;
	struct edit e = {.has_last_sequence = true, .last_sequence = 1000};
	put_edit(&e);
	manifest.size -= 3;
	finish();
	struct lsm *db = open_it();
	CHECK_EQ(size_of("MANIFEST-000001"), whole);
	CHECK_EQ(db->control->visible, 7);
	put_and_flush(db);
	db = cold(db);
	check(db, "ours", "value");
	lsm_close(db);
}

/* Of more than 256 KiB and nothing in it: the next flush writes it anew. */
static void a_long_manifest_is_written_anew(void)
{
	begin(BYTEWISE_COMPARATOR, 0, 2);
	for (uint64_t i = 1; manifest.size <= (256 << 10); i++) {
		struct edit e = {.has_last_sequence = true, .has_next_file = true, .last_sequence = i, .next_file = 10 + i};
		put_edit(&e);
	}
	finish();
	struct lsm *db = open_it();
	CHECK_EQ(size_of("MANIFEST-000001"), manifest.size);
	put_and_flush(db);
	char name[FILE_NAME_MAX];
	CHECK(current() > 10);
	CHECK(size_of(file_name(name, FILE_MANIFEST, current())) < 4096);
	CHECK_EQ(size_of("MANIFEST-000001"), 0);
	CHECK(!atomic_load(&db->control->manifest_failed));
	check(db, "ours", "value");
	uint64_t number = current();
	db = cold(db);
	check(db, "ours", "value");
	put_and_flush(db);
	CHECK_EQ(current(), number);
	db = cold(db);
	check(db, "ours", "value");
	lsm_close(db);
}

/* ---------------------------------------------------------------- logs */

/* Appends a whole record in RocksDB's form for logs whose files are used again. REQUIRES: it fits into the first block. */
static void put_recyclable(struct buf *log, uint32_t number, struct sst_slice payload)
{
	size_t at = log->size, n = LOG_RECYCLABLE_HEADER_SIZE;
	CHECK(buf_reserve(log, n));
	uint8_t *h = log->data + at;
	h[4] = (uint8_t)payload.size;
	h[5] = (uint8_t)(payload.size >> 8);
	h[6] = LOG_RECYCLABLE_FULL;
	store32(h + 7, number);
	log->size += n;
	buf_append_slice(log, payload);
	CHECK_EQ(buf_check(log), 0);
	store32(log->data + at, crc32c_mask(crc32c(0, log->data + at + 6, log->size - at - 6)));
}

/* A log that is not of a kind to append to: it is read, frozen, and another begins. */
static void a_log_that_is_used_again(void)
{
	struct buf log = {0};
	struct batch b = {0};
	for (unsigned logs = 1; logs <= 2; logs++) {
		begin(BYTEWISE_COMPARATOR, 0, 2);
		finish();
		for (unsigned n = 1; n <= logs; n++) {
			char name[FILE_NAME_MAX];
			buf_clear(&log);
			batch_clear(&b);
			batch_put(&b, slice_str(n == 1 ? "first" : "second"), slice_str("theirs"));
			batch_seal(&b, n);
			CHECK_EQ(buf_check(&b.rep), 0);
			put_recyclable(&log, n + 1, buf_slice(&b.rep));
			put_recyclable(&log, 1, buf_slice(&b.rep)); /* of its former life */
			write_file(file_name(name, FILE_WAL, n + 1), buf_slice(&log));
		}
		struct lsm *db = open_it();
		check(db, "first", "theirs");
		CHECK_EQ(lsm_put(db, slice_str("ours"), slice_str("value"), 0), 0);
		CHECK(size_of("000002.log") <= log.size); /* nothing was added to it */
		db = cold(db);
		check(db, "ours", "value");
		CHECK_EQ(lsm_flush(db, NULL, NULL, NULL), 0);
		CHECK_EQ(size_of("000002.log") + size_of("000003.log"), 0);
		db = cold(db);
		check(db, "first", "theirs");
		if (logs == 2)
			check(db, "second", "theirs");
		check(db, "ours", "value");
		lsm_close(db);
	}
	batch_release(&b);
	buf_release(&log);
}

int main(void)
{
	handmade_begin();
	RUN(a_torn_manifest_is_cut);
	RUN(a_long_manifest_is_written_anew);
	RUN(a_log_that_is_used_again);
	handmade_end();
	return unit_done("taken_over");
}
