/* SPDX-License-Identifier: MIT */
/*
 * Memory that runs out, at the 1st, 2nd, 3rd ... allocation of whatever reads and writes the forms on disk that no command of
 * ours makes: MANIFESTs with atomic groups, column families and blob files, edits of many lines, compressed logs; and of
 * what makes a table of many blocks, and new files. Each ends in SST_ENOMEM, never in another answer, and what was there
 * before is given back. (What commands make is tried by stress/errors.py.)
 *
 * The allocator is put in front of libc's by its names, which sanitizers want for themselves.
 */
#include <fcntl.h>
#include <unistd.h>
#include <zstd.h>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "memory_source.h"
#include "os/new_file.h"
#include "table/builder.h"
#include "unit.h"
#include "version/manifest.h"
#include "wal/log.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

#ifdef SANITIZED
int main(void)
{
	puts("skipped: no_memory: the allocator is a sanitizer's");
	return 0;
}
#else

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

static long left = -1; /* allocations until one fails; < 0: none does */
static long alive;     /* allocations that are not freed, while `left` counts */
static bool counting;

static bool refused(void)
{
	return counting && left >= 0 && left-- == 0;
}

#pragma GCC visibility push(default) /* for the libraries that we use, too */

void *malloc(size_t n)
{
	if (refused())
		return NULL;
	alive += counting;
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	if (refused())
		return NULL;
	alive += counting;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	if (refused())
		return NULL;
	alive += counting && !p;
	return __libc_realloc(p, n);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	return realloc(p, n * size); /* (of ours, none is near to overflow) */
}

void free(void *p)
{
	alive -= counting && p;
	__libc_free(p);
}

#pragma GCC visibility pop

static bool spared; /* libraries do without some that are refused */

/* Runs it until no allocation is refused any more; says how many there are. */
static long try_all(int (*run)(void), int code)
{
	for (long n = 0;; n++) {
		left = n;
		alive = 0;
		counting = true;
		int rc = run();
		counting = false;
		CHECK_EQ(alive, 0);
		if (left >= 0) { /* all went well */
			CHECK_EQ(rc, code);
			CHECK(n > 0);
			return n;
		}
		if (spared && rc == code)
			continue;
		CHECK_EQ(rc, SST_ENOMEM);
		CHECK(strstr(sst_errmsg(), "memory"));
	}
}

/* ---------------------------------------------------------------- a MANIFEST with all that there is */

static char path[] = "/tmp/test_no_memory.XXXXXX";
static int dir;
static struct buf manifest, last_record;

static void put_edit(struct edit *e)
{
	buf_clear(&last_record);
	edit_encode(e, &last_record);
	log_frame(&manifest, manifest.size, buf_slice(&last_record));
	CHECK(buf_check(&last_record) == 0 && buf_check(&manifest) == 0);
	edit_release(e);
}

static void add_tables(struct edit *e, uint64_t first, unsigned n)
{
	for (uint64_t i = first; i < first + n; i++) {
		char key[32];
		struct table_meta *m = edit_add_table(e, 1);
		CHECK(m);
		m->number = i;
		m->size = 1000;
		m->has_sequences = true;
		m->smallest_sequence = m->largest_sequence = i;
		snprintf(key, sizeof(key), "key%06u", (unsigned)i);
		put_ikey(&m->smallest, slice_str(key), tag_make(i, TYPE_VALUE));
		put_ikey(&m->largest, slice_str(key), tag_make(i, TYPE_VALUE));
		put_varint(&m->extra, 2);
		put_slice(&m->extra, slice_str("kept"));
	}
}

static void make_manifest(void)
{
	struct edit e = {.has_comparator = true, .has_log_number = true, .has_next_file = true, .has_last_sequence = true,
		.log_number = 2, .next_file = 1000, .last_sequence = 1000, .has_max_family = true};
	buf_append_slice(&e.comparator, slice_str(BYTEWISE_COMPARATOR));
	put_varint(&e.foreign, 8193);
	put_slice(&e.foreign, slice_str("an identity"));
	put_edit(&e);
	for (uint32_t id = 1; id <= 3; id++) {
		e = (struct edit){.column_family = id, .add_family = true, .has_comparator = true, .has_log_number = true};
		char name[16];
		snprintf(name, sizeof(name), "family%u", (unsigned)id);
		buf_append_slice(&e.family_name, slice_str(name));
		buf_append_slice(&e.comparator, slice_str(BYTEWISE_COMPARATOR));
		put_edit(&e);
	}
	for (uint64_t i = 0; i < 5; i++) { /* a group of five */
		e = (struct edit){.in_atomic_group = true, .atomic_remaining = 4 - i};
		add_tables(&e, 100 + i * 20, 18);
		put_edit(&e);
	}
	e = (struct edit){0};
	for (uint64_t i = 0; i < 9; i++)
		CHECK_EQ(edit_remove_table(&e, 1, 100 + i), 0);
	e.blob_count = e.blob_cap = 20;
	e.blobs = calloc(20, sizeof(*e.blobs));
	CHECK(e.blobs);
	for (uint64_t i = 0; i < 20; i++) /* from the last to the first: no order may be relied upon */
		e.blobs[i] = (struct blob_change){.number = 600 - i, .count = 3, .bytes = 300};
	put_edit(&e);
	int fd;
	CHECK_EQ(file_open(&fd, dir, "MANIFEST-000001", O_WRONLY | O_CREAT | O_EXCL, 0644), 0);
	CHECK_EQ(file_write(fd, 0, manifest.data, manifest.size, "MANIFEST-000001"), 0);
	file_close(&fd);
}

static int read_manifest(void)
{
	struct version v;
	int rc = manifest_read(dir, 1, UINT64_MAX, NULL, &v);
	CHECK(rc || (v.table_count == 81 && v.family_count == 4 && v.blob_count == 20));
	version_release(&v);
	return rc;
}

static int decode(void)
{
	struct edit e = {0};
	int rc = edit_decode(&e, buf_slice(&last_record));
	CHECK(rc || (e.removed_count == 9 && e.blob_count == 20));
	edit_release(&e);
	return rc;
}

static int create(void)
{
	struct version v;
	int rc = version_init(&v);
	if (!rc)
		rc = manifest_create(dir, 7, &v, 0644);
	if (!rc)
		rc = current_write(dir, 7, 0644);
	version_release(&v);
	(void)dir_remove(dir, "MANIFEST-000007");
	(void)dir_remove(dir, "CURRENT");
	return rc;
}

static void test_manifest(void)
{
	make_manifest();
	spared = true; /* qsort sorts without, too */
	CHECK(try_all(read_manifest, 0) > 100);
	spared = false;
	CHECK(try_all(decode, 0) > 2);
	CHECK(try_all(create, 0) > 2);
	CHECK_EQ(dir_remove(dir, "MANIFEST-000001"), 0);
}

/* ---------------------------------------------------------------- a log */

static struct buf framed;

static int read_log(void)
{
	struct memory m = memory_of(buf_slice(&framed), "log");
	struct log_reader r;
	struct sst_slice record;
	uint64_t bytes = 0;
	log_reader_init(&r, &m.source, 1, 0);
	int rc;
	while ((rc = log_reader_next(&r, &record)) == 0)
		bytes += record.size;
	CHECK(rc < 0 || bytes == 100000 + 20);
	log_reader_release(&r);
	return rc;
}

/* One that is compressed, so well that the memory for it must grow: to 100,000 bytes. */
static void frame_compressed(struct sst_slice plain)
{
	uint8_t begin[11] = {[4] = 4, [6] = 9, [7] = 7}, frame[1000]; /* RocksDB's record that says so, of ZSTD */
	ZSTD_CCtx *c = ZSTD_createCCtx();
	ZSTD_inBuffer in = {plain.data, plain.size, 0};
	ZSTD_outBuffer out = {frame, sizeof(frame), 0};
	store32(begin, crc32c_mask(crc32c(0, begin + 6, 5)));
	buf_append(&framed, begin, sizeof(begin));
	CHECK(ZSTD_compressStream2(c, &out, &in, ZSTD_e_flush) == 0);
	CHECK(ZSTD_compressStream2(c, &out, &in, ZSTD_e_end) == 0);
	log_frame(&framed, framed.size, slice_of(frame, out.pos));
	ZSTD_freeCCtx(c);
	CHECK_EQ(buf_check(&framed), 0);
}

static void test_log(void)
{
	uint8_t *p = calloc(1, 100000 + 20);
	CHECK(p);
	frame_compressed(slice_of(p, 100000 + 20));
	CHECK(try_all(read_log, SST_NO) > 3);
	buf_clear(&framed);
	log_frame(&framed, 0, slice_of(p, 20));
	log_frame(&framed, framed.size, slice_of(p, 100000)); /* in four fragments */
	CHECK_EQ(buf_check(&framed), 0);
	CHECK(try_all(read_log, SST_NO) > 1);
	free(p);
	buf_release(&framed);
}

/* ---------------------------------------------------------------- a table */

struct collected {
	struct sink sink;
	uint8_t bytes[100000];
	size_t size;
};

static int collect(struct sink *sink, const void *p, size_t n)
{
	struct collected *c = (struct collected *)(void *)sink;
	CHECK(n <= sizeof(c->bytes) - c->size);
	memcpy(c->bytes + c->size, p, n);
	c->size += n;
	return 0;
}

static struct collected whole, made;
static struct table_options options = {.block_size = 1000, .bloom_bits_per_key = 10};

/* Of 25 blocks, which are handed over and compressed together. */
static int build_table(void)
{
	struct table_builder *b;
	made = (struct collected){.sink.write = collect};
	int rc = table_builder_new(&b, &made.sink, &options);
	if (rc)
		return rc;
	for (unsigned i = 0; i < 1000 && !rc; i++) {
		char key[16], value[16];
		snprintf(key, sizeof(key), "key%06u", i);
		snprintf(value, sizeof(value), "%u", i * i);
		rc = table_builder_add_parts(b, slice_str(key), tag_make(0, TYPE_VALUE), slice_str(value));
	}
	if (!rc)
		rc = table_builder_finish(b);
	table_builder_free(b);
	CHECK(rc || !whole.size || (made.size == whole.size && !memcmp(made.bytes, whole.bytes, whole.size)));
	return rc;
}

static void test_table(void)
{
	static const enum compression_type types[] = {COMPRESSION_NONE, COMPRESSION_ZSTD};
	for (size_t i = 0; i < 2; i++) {
		options.compression = types[i];
		options.compression_level = (int)i;
		whole.size = 0;
		CHECK_EQ(build_table(), 0);
		whole = made;
		CHECK(try_all(build_table, 0) > 10);
	}
}

/* ---------------------------------------------------------------- files */

static char file[64];

static int write_file(void)
{
	struct new_file *f;
	int rc = new_file_open(&f, file);
	if (rc)
		return rc;
	struct sink *sink = new_file_sink(f);
	rc = sink->write(sink, "content", 7);
	if (!rc)
		rc = new_file_finish(f);
	new_file_close(f);
	return rc;
}

static int make_directory(void)
{
	int rc = dir_make(file);
	if (!rc)
		rmdir(file);
	return rc;
}

static void test_files(void)
{
	struct file_id id;
	snprintf(file, sizeof(file), "%s/directory//", path);
	CHECK_EQ(try_all(make_directory, 0), 1);
	snprintf(file, sizeof(file), "%s/file", path);
	spared = true; /* io_uring */
	CHECK(try_all(write_file, 0) > 5);
	CHECK_EQ(file_identify_at(dir, "file.tmp", &id), SST_NO);
	CHECK(file_identify_at(dir, "file", &id) == 0 && id.size == 7);
	CHECK_EQ(dir_remove(dir, "file"), 0);
}

int main(void)
{
	CHECK(mkdtemp(path));
	CHECK_EQ(dir_open(&dir, path), 0);
	RUN(test_manifest);
	RUN(test_log);
	RUN(test_table);
	RUN(test_files);
	CHECK(rmdir(path) == 0);
	buf_release(&manifest);
	buf_release(&last_record);
	file_close(&dir);
	return unit_done("no_memory");
}
#endif
