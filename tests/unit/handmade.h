/* SPDX-License-Identifier: MIT */
/* A store made by hand, as others or a crash may have left it: a MANIFEST of any edits, logs of any records. */
#ifndef HANDMADE_H
#define HANDMADE_H

#include <fcntl.h>
#include <unistd.h>

#include "db/store.h"
#include "unit.h"
#include "wal/log.h"

static char path[] = "/tmp/test_handmade.XXXXXX";
static int dir;

static inline int remove_one(void *arg, const char *name)
{
	(void)arg;
	CHECK_EQ(dir_remove(dir, name), 0);
	return 0;
}

static inline void write_file(const char *name, struct sst_slice content)
{
	int fd;
	CHECK_EQ(file_open(&fd, dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644), 0);
	CHECK_EQ(file_write(fd, 0, content.data, content.size, name), 0);
	file_close(&fd);
}

static struct buf manifest;

static inline void put_edit(struct edit *e)
{
	struct buf record = {0};
	edit_encode(e, &record);
	log_frame(&manifest, manifest.size, buf_slice(&record));
	CHECK(buf_check(&record) == 0 && buf_check(&manifest) == 0);
	buf_release(&record);
	edit_release(e);
}

/* An empty directory, and the first edit of a MANIFEST. min_log_number 0: LevelDB's. */
static inline void begin(const char *comparator, uint64_t last_sequence, uint64_t min_log_number)
{
	struct edit e = {.has_comparator = true, .has_log_number = true, .has_next_file = true, .has_last_sequence = true,
		.log_number = 2, .next_file = 10, .last_sequence = last_sequence, .min_log_number = min_log_number,
		.has_min_log_number = min_log_number != 0};
	CHECK_EQ(dir_list(dir, remove_one, NULL), 0);
	buf_clear(&manifest);
	buf_append_slice(&e.comparator, slice_str(comparator));
	put_edit(&e);
}

static inline void finish(void)
{
	write_file("MANIFEST-000001", buf_slice(&manifest));
	write_file("CURRENT", slice_str("MANIFEST-000001\n"));
}

/* One record of a log: a put with the given type. */
static inline void put_record(struct buf *log, uint64_t sequence, uint8_t type, struct sst_slice key)
{
	struct batch b = {0};
	batch_clear(&b);
	batch_put(&b, key, slice_str("value"));
	batch_seal(&b, sequence);
	b.rep.data[BATCH_HEADER_SIZE] = type;
	log_frame(log, log->size, buf_slice(&b.rep));
	CHECK(buf_check(&b.rep) == 0 && buf_check(log) == 0);
	batch_release(&b);
}

static inline int open_to_write(struct lsm **db, bool create)
{
	struct lsm_options opt = {.create = create, .timeout_ms = 5000};
	return lsm_open(db, path, &opt);
}

static inline void handmade_begin(void)
{
	CHECK(mkdtemp(path));
	CHECK_EQ(dir_open(&dir, path), 0);
}

static inline void handmade_end(void)
{
	CHECK_EQ(dir_list(dir, remove_one, NULL), 0);
	CHECK(rmdir(path) == 0);
	buf_release(&manifest);
	file_close(&dir);
}

#endif
