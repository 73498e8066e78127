/* SPDX-License-Identifier: MIT */
/*
 * A store as somebody left it: CURRENT, a MANIFEST, two logs, LOCK and a table of any contents, read by every way there is
 * to read one. What must hold: a store that lsm_check calls sound can be read to its end, and a scan that comes to its
 * end gives the same number of keys backwards, in order.
 *
 *     input    flags:1  size:2 of each but the last of CURRENT, MANIFEST-000002, 000003.log, 000004.log, LOCK, 000005.sst
 *     flags    1 = the MANIFEST, 2 = the logs are records (size:2, bytes), which get the framing and checksums that
 *              mutation would break; else they are files as they are
 *              4 = CURRENT is right
 */
#include "base/coding.h"
#include "scratch_dir.h"
#include "take.h"
#include "wal/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS = 20000, FILES = 6 };
static const char *const names[FILES] = {"CURRENT", "MANIFEST-000002", "000003.log", "000004.log", "LOCK", "000005.sst"};

static void write_records(const char *name, struct sst_slice in)
{
	struct buf b = {0};
	while (in.size)
		log_frame(&b, b.size, take(&in, take_size(&in)));
	scratch_write(name, 0, buf_slice(&b));
	buf_release(&b);
}

static void write_store(struct sst_slice in)
{
	uint8_t flags = take(&in, 1).data[0];
	size_t sizes[FILES] = {0};
	for (size_t i = 0; i + 1 < FILES; i++)
		sizes[i] = take_size(&in);
	sizes[FILES - 1] = SIZE_MAX;
	for (size_t i = 0; i < FILES; i++) {
		struct sst_slice bytes = take(&in, sizes[i]);
		if (i == 0 && flags & 4)
			bytes = slice_str("MANIFEST-000002\n");
		if ((i == 1 && flags & 1) || ((i == 2 || i == 3) && flags & 2))
			write_records(names[i], bytes);
		else if (bytes.size)
			scratch_write(names[i], 0, bytes);
	}
}

/* Every key there is; SST_NO: to the end. */
static int scan(struct lsm *db, bool reverse, unsigned *n)
{
	struct lsm_scan_options o = {.reverse = reverse};
	struct lsm_scan *s;
	struct sst_slice key, value;
	struct buf last = {0};
	*n = 0;
	int rc = lsm_scan_new(&s, db, &o);
	if (rc)
		return rc;
	while (*n < STEPS && (rc = lsm_scan_next(s, &key, &value)) == 0) {
		int d = slice_cmp(buf_slice(&last), key);
		if (*n && (reverse ? d <= 0 : d >= 0))
			abort();
		buf_clear(&last);
		buf_append_slice(&last, key);
		++*n;
	}
	lsm_scan_free(s);
	buf_release(&last);
	return rc;
}

static int no_file(void *arg, const struct lsm_file *f)
{
	(void)arg;
	return f->size == UINT64_MAX;
}

/* SST_NO: all of it. */
static int read_all(void)
{
	struct lsm_options o = {.read_only = true, .timeout_ms = 100};
	struct lsm *db;
	unsigned forward, backward;
	int rc = lsm_open(&db, scratch_path, &o);
	if (rc)
		return rc;
	rc = scan(db, false, &forward);
	int back = scan(db, true, &backward);
	if ((rc == SST_NO) != (back == SST_NO) || (rc == SST_NO && forward != backward))
		abort();
	lsm_files(db, no_file, NULL);
	lsm_close(db);
	return rc;
}

static void see(void *arg, const struct lsm_finding *f)
{
	(void)arg;
	if (f->kind != LSM_FINDING_FILE && (!f->damage.what || !f->file))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lsm_options o = {.timeout_ms = 100};
	struct lsm_check_stats stats;
	if (size < 1)
		return 0;
	scratch_begin();
	write_store(slice_of(data, size));
	bool sound = lsm_check(scratch_path, &o, see, NULL, &stats) == 0;
	int rc = read_all();
	if (sound && (rc == SST_ECORRUPT || rc == SST_EUNSUPPORTED))
		abort();
	scratch_empty();
	return 0;
}
