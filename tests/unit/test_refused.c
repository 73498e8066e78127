/* SPDX-License-Identifier: MIT */
/* Stores that are not to be written, or not to be opened, each made by hand: what a writer says, and that it leaves every
 * file as it was. And what a writer refuses of its caller. */
#include "base/crc32c.h"
#include "handmade.h"

static void check_refused(int code, const char *why)
{
	struct lsm *db;
	CHECK_EQ(open_to_write(&db, true), code);
	CHECK(!db);
	if (!strstr(sst_errmsg(), why))
		fprintf(stderr, "not '%s' but: %s\n", why, sst_errmsg());
	CHECK(strstr(sst_errmsg(), why));
	struct file_id id;
	if (manifest.size) {
		CHECK_EQ(file_identify_at(dir, "MANIFEST-000001", &id), 0);
		CHECK_EQ(id.size, manifest.size);
	}
}

/* ---------------------------------------------------------------- the tests */

static void foreign_stores(void)
{
	begin(BYTEWISE_COMPARATOR, 0, 0);
	finish();
	check_refused(SST_EUNSUPPORTED, "is a LevelDB store");

	begin("somebody.Comparator", 0, 2);
	finish();
	check_refused(SST_EUNSUPPORTED, "ordered by 'somebody.Comparator'");

	struct edit e = {.column_family = 1, .add_family = true, .has_comparator = true, .has_log_number = true};
	buf_append_slice(&e.family_name, slice_str("second"));
	buf_append_slice(&e.comparator, slice_str(BYTEWISE_COMPARATOR));
	begin(BYTEWISE_COMPARATOR, 0, 2);
	put_edit(&e);
	finish();
	check_refused(SST_EUNSUPPORTED, "has 2 column families");

	struct blob_change blob = {.number = 5, .count = 1, .bytes = 100};
	e = (struct edit){.blobs = calloc(1, sizeof(blob)), .blob_count = 1, .blob_cap = 1};
	CHECK(e.blobs);
	e.blobs[0] = blob;
	begin(BYTEWISE_COMPARATOR, 0, 2);
	put_edit(&e);
	finish();
	check_refused(SST_EUNSUPPORTED, "has blob files");
}

static void no_stores(void)
{
	struct lsm *db;
	static const char *const lost[] = {"000004.sst", "000004.ldb", "000004.log"};
	manifest.size = 0;
	for (size_t i = 0; i < 3; i++) {
		CHECK_EQ(dir_list(dir, remove_one, NULL), 0);
		write_file(lost[i], slice_str("x"));
		check_refused(SST_ECORRUPT, "has no CURRENT, but '000004.");
	}
	CHECK_EQ(dir_list(dir, remove_one, NULL), 0);
	write_file("letter.txt", slice_str("x"));
	check_refused(SST_EINVAL, "is not a store, and not empty ('letter.txt')");
	CHECK_EQ(dir_list(dir, remove_one, NULL), 0);
	CHECK_EQ(open_to_write(&db, false), SST_ENOENT);
	write_file("LOCK", slice_str(""));
	CHECK_EQ(open_to_write(&db, false), SST_ENOENT);
	CHECK(strstr(sst_errmsg(), "no store in"));
	/* what a creation that was killed left is no obstacle */
	write_file("MANIFEST-000001", slice_str("half"));
	write_file("000001.dbtmp", slice_str("half"));
	CHECK_EQ(open_to_write(&db, true), 0);
	CHECK_EQ(lsm_put(db, slice_str("k"), slice_str("v"), 0), 0);
	lsm_close(db);
}

static void logs_that_cannot_be_taken_over(void)
{
	struct buf log = {0};
	begin(BYTEWISE_COMPARATOR, 0, 2);
	finish();
	put_record(&log, 1, TYPE_MERGE, slice_str("key"));
	write_file("000002.log", buf_slice(&log));
	check_refused(SST_EUNSUPPORTED, "merge operand in a store to be written");

	uint8_t *big = calloc(1, (size_t)LSM_KEY_MAX + 1);
	CHECK(big);
	begin(BYTEWISE_COMPARATOR, 0, 2);
	finish();
	buf_clear(&log);
	put_record(&log, 1, TYPE_VALUE, slice_of(big, (size_t)LSM_KEY_MAX + 1));
	write_file("000002.log", buf_slice(&log));
	check_refused(SST_EUNSUPPORTED, "entry with a key of 8388609");
	free(big);

	begin(BYTEWISE_COMPARATOR, 0, 2);
	finish();
	buf_clear(&log);
	put_record(&log, 5, TYPE_VALUE, slice_str("key"));
	put_record(&log, 5, TYPE_VALUE, slice_str("key"));
	write_file("000002.log", buf_slice(&log));
	check_refused(SST_ECORRUPT, "sequence number 5 after 5");
	buf_release(&log);
}

/* A log that ends in the middle of a record: what follows it in the next must be what came next. */
static void a_torn_log_with_another_behind_it(void)
{
	struct buf log = {0}, next = {0};
	struct lsm *db;
	struct sst_slice v;
	put_record(&log, 1, TYPE_VALUE, slice_str("one"));
	size_t whole = log.size;
	put_record(&log, 2, TYPE_VALUE, slice_str("two"));
	for (uint64_t sequence = 2; sequence <= 3; sequence++) {
		begin(BYTEWISE_COMPARATOR, 0, 2);
		finish();
		buf_clear(&next);
		put_record(&next, sequence, TYPE_VALUE, slice_str("last"));
		write_file("000002.log", slice_of(log.data, whole + 9));
		write_file("000003.log", buf_slice(&next));
		if (sequence == 3) {
			check_refused(SST_ECORRUPT, "later ones follow in '000003.log'");
			continue;
		}
		CHECK_EQ(open_to_write(&db, false), 0);
		CHECK_EQ(lsm_get(db, slice_str("last"), &v), 0);
		CHECK_EQ(lsm_get(db, slice_str("two"), &v), SST_NO);
		lsm_close(db);
	}
	buf_release(&log);
	buf_release(&next);
}

/* What stands behind damage decides whether it was durable; when that cannot be read, it is not said to be a torn end. */
static void damage_with_what_is_unknown_behind_it(void)
{
	struct buf log = {0};
	struct lsm_batch *b = lsm_batch_new();
	CHECK(b && lsm_batch_put(b, slice_str("key"), slice_str("value")) == 0);
	begin(BYTEWISE_COMPARATOR, 0, 2);
	finish();
	put_record(&log, 1, TYPE_VALUE, slice_str("damaged"));
	log.data[log.size - 1] ^= 1;
	batch_seal(&b->batch, 2); /* its note says that nothing is durable yet */
	log_frame(&log, log.size, buf_slice(&b->batch.rep));
	size_t at = log.size;
	log_frame(&log, log.size, slice_str("what is this?"));
	CHECK_EQ(buf_check(&log), 0);
	log.data[at + 6] = 100;
	store32(log.data + at, crc32c_mask(crc32c(0, log.data + at + 6, log.size - at - 6)));
	write_file("000002.log", buf_slice(&log));
	check_refused(SST_EUNSUPPORTED, "unknown type 100");
	CHECK(strstr(sst_errmsg(), "cannot read '000002.log'"));
	CHECK_EQ(dir_remove(dir, "000002.log"), 0);
	write_file("000002.log", slice_of(log.data, at));
	struct lsm *db;
	CHECK_EQ(open_to_write(&db, false), 0); /* without it, it is */
	lsm_close(db);
	lsm_batch_free(b);
	buf_release(&log);
}

static void the_last_sequence_number(void)
{
	struct lsm *db;
	struct sst_slice v;
	begin(BYTEWISE_COMPARATOR, SEQUENCE_MAX - 2, 2);
	finish();
	CHECK_EQ(open_to_write(&db, false), 0);
	CHECK_EQ(lsm_put(db, slice_str("a"), slice_str("1"), 0), 0);
	CHECK_EQ(lsm_put(db, slice_str("b"), slice_str("2"), 0), SST_EFULL);
	CHECK(strstr(sst_errmsg(), "sequence numbers are used up"));
	CHECK_EQ(lsm_get(db, slice_str("a"), &v), 0);
	CHECK_EQ(lsm_get(db, slice_str("b"), &v), SST_NO);
	CHECK_EQ(lsm_flush(db, NULL, NULL, NULL), 0);
	CHECK_EQ(lsm_get(db, slice_str("a"), &v), 0);
	lsm_close(db);
}

static void what_is_refused_of_callers(void)
{
	struct lsm *db;
	struct lsm_batch *b = lsm_batch_new();
	struct sst_slice v, big = slice_of("", (size_t)LSM_KEY_MAX + 1), huge = slice_of("", (size_t)LSM_VALUE_MAX + 1);
	CHECK_EQ(dir_list(dir, remove_one, NULL), 0);
	CHECK_EQ(open_to_write(&db, true), 0);
	CHECK_EQ(lsm_put(db, slice_str("key"), slice_str("value"), 0), 0);
	CHECK_EQ(lsm_put(db, big, slice_str(""), 0), SST_EINVAL);
	CHECK_EQ(lsm_delete(db, big, 0), SST_EINVAL);
	CHECK_EQ(lsm_put(db, slice_str("key"), huge, 0), SST_EINVAL);
	size_t size = b->batch.rep.size;
	b->batch.rep.size = (size_t)3 << 30;
	CHECK_EQ(lsm_batch_put(b, slice_str("key"), slice_str("")), SST_EINVAL);
	CHECK_EQ(lsm_batch_delete(b, slice_str("key")), SST_EINVAL);
	b->batch.rep.size = size;
	CHECK_EQ(lsm_batch_count(b), 0);
	lsm_batch_free(b);
	CHECK_EQ(lsm_get(db, slice_str("key"), &v), 0);
	CHECK_EQ(lsm_delete(db, slice_str("key"), LSM_NO_CLOBBER), 0);
	CHECK_EQ(lsm_get(db, slice_str("key"), &v), SST_NO);
	lsm_close(db);
	struct lsm_options opt = {.read_only = true, .timeout_ms = 5000};
	CHECK_EQ(lsm_open(&db, path, &opt), 0);
	CHECK_EQ(lsm_put(db, slice_str("key"), slice_str("value"), 0), SST_EINVAL);
	CHECK_EQ(lsm_delete(db, slice_str("key"), 0), SST_EINVAL);
	CHECK_EQ(lsm_flush(db, NULL, NULL, NULL), SST_EINVAL);
	CHECK(strstr(sst_errmsg(), "open for reading only"));
	lsm_close(db);
}

int main(void)
{
	handmade_begin();
	RUN(foreign_stores);
	RUN(no_stores);
	RUN(logs_that_cannot_be_taken_over);
	RUN(a_torn_log_with_another_behind_it);
	RUN(damage_with_what_is_unknown_behind_it);
	RUN(the_last_sequence_number);
	RUN(what_is_refused_of_callers);
	handmade_end();
	return unit_done("refused");
}
