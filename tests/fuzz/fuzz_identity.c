/* SPDX-License-Identifier: MIT */
/*
 * What the processes of a store find of each other: a store with shared memory, and then bytes changed in its LOCK, its
 * control segment or its memtable, as a copy, an older program or a stray write would. Readers, lsm_check and a writer
 * come to an end, with an answer or an error.
 *
 *     input   flags:1  { file:1  offset:2  byte:1 } *
 *     flags   1 = the checksum of LOCK is made right
 *     file    0 LOCK, 1 control segment, 2 memtable (modulo 3); the offset is modulo its size, of a memtable 4096
 */
#include "base/coding.h"
#include "base/crc32c.h"
#include "scratch_dir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IDENTITY = 128, TOKEN_AT = 16, TOKEN = 16 };

static const struct lsm_options options = {.create = true, .timeout_ms = 50};

static void make_store(void)
{
	struct lsm *db;
	if (lsm_open(&db, scratch_path, &options))
		abort();
	for (char key[] = "a"; key[0] < 'e'; key[0]++)
		if (lsm_put(db, slice_str(key), slice_str("value"), 0))
			abort();
	lsm_close(db);
}

static void read_identity(uint8_t lock[IDENTITY])
{
	int fd = openat(scratch_fd, "LOCK", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, lock, IDENTITY, 0) != IDENTITY)
		abort();
	close(fd);
}

/* suffix "c" or "m1" */
static void segment_path(char path[96], const uint8_t lock[IDENTITY], const char *suffix)
{
	size_t n = (size_t)snprintf(path, 96, "/dev/shm/lsm.");
	for (unsigned i = 0; i < TOKEN; i++)
		n += (size_t)snprintf(path + n, 96 - n, "%02x", lock[TOKEN_AT + i]);
	snprintf(path + n, 96 - n, ".%s", suffix);
}

static void change(const char *path, uint64_t modulo, uint64_t offset, uint8_t byte)
{
	int fd = openat(scratch_fd, path, O_WRONLY | O_CLOEXEC);
	struct file_id id;
	if (fd < 0 && *path == '/')
		return; /* cleared away by another process that makes a store: LOCK, changed, may not name it any more */
	if (fd < 0 || file_identify(fd, &id, path) || !id.size)
		abort();
	if (modulo > id.size)
		modulo = id.size;
	if (pwrite(fd, &byte, 1, (off_t)(offset % modulo)) != 1)
		abort();
	close(fd);
}

static void change_all(struct sst_slice in, uint8_t flags, const uint8_t lock[IDENTITY])
{
	char control[96], memtable[96];
	uint8_t now[IDENTITY];
	segment_path(control, lock, "c");
	segment_path(memtable, lock, "m1");
	for (; in.size >= 4; in = slice_skip(in, 4)) {
		uint64_t offset = load16(in.data + 1);
		if (in.data[0] % 3 == 0)
			change("LOCK", IDENTITY, offset, in.data[3]);
		else
			change(in.data[0] % 3 == 1 ? control : memtable, in.data[0] % 3 == 1 ? UINT64_MAX : 4096, offset,
				in.data[3]);
	}
	read_identity(now);
	store32(now + 124, crc32c_mask(crc32c(0, now, 124)));
	if (flags & 1)
		scratch_write("LOCK", 124, slice_of(now + 124, 4));
}

static void look_up(bool read_only)
{
	struct lsm_options o = options;
	struct lsm *db;
	struct sst_slice value;
	o.read_only = read_only;
	if (lsm_open(&db, scratch_path, &o))
		return;
	lsm_get(db, slice_str("b"), &value);
	if (!read_only)
		lsm_put(db, slice_str("b"), slice_str("another"), 0);
	lsm_close(db);
}

static void see(void *arg, const struct lsm_finding *f)
{
	(void)arg;
	if (f->kind != LSM_FINDING_FILE && !f->damage.what)
		abort();
}

static void remove_segments(const uint8_t lock[IDENTITY])
{
	static const char *const suffixes[] = {"c", "m1", "m2", "m3"};
	char path[96];
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		segment_path(path, lock, suffixes[i]);
		unlink(path);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t before[IDENTITY], after[IDENTITY];
	struct lsm_check_stats stats;
	if (size < 1)
		return 0;
	scratch_begin();
	make_store();
	read_identity(before);
	change_all(slice_of(data + 1, size - 1), data[0], before);
	look_up(true);
	lsm_check(scratch_path, &options, see, NULL, &stats);
	look_up(false);
	read_identity(after);
	remove_segments(before);
	remove_segments(after);
	scratch_empty();
	return 0;
}
