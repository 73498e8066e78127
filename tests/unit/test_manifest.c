/* SPDX-License-Identifier: MIT */
#include "version/manifest.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/status.h"
#include "unit.h"
#include "wal/log.h"

/* ---------------------------------------------------------------- a directory, and edits to write into it */

static char path[] = "/tmp/test_manifest.XXXXXX";
static int dir;

static int remove_one(void *arg, const char *name)
{
	(void)arg;
	CHECK(dir_remove(dir, name) == 0);
	return 0;
}

static void empty_directory(void)
{
	CHECK(dir_list(dir, remove_one, NULL) == 0);
}

static void write_file(const char *name, struct sst_slice content)
{
	int fd;
	dir_remove(dir, name);
	CHECK(file_open(&fd, dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644) == 0);
	CHECK(file_write(fd, 0, content.data, content.size, name) == 0);
	file_close(&fd);
}

static struct buf manifest; /* the one that a test builds */
static uint64_t last_edit;  /* where the last edit of it begins */

static void put_edit(struct edit *e)
{
	struct buf record = {0};
	edit_encode(e, &record);
	last_edit = manifest.size;
	log_frame(&manifest, manifest.size, buf_slice(&record));
	CHECK(buf_check(&record) == 0 && buf_check(&manifest) == 0);
	buf_release(&record);
	edit_release(e);
}

static struct table_meta *add(struct edit *e, unsigned level, uint64_t number, const char *smallest,
	const char *largest, uint64_t sequence, uint64_t epoch)
{
	struct table_meta *m = edit_add_table(e, level);
	CHECK(m);
	m->number = number;
	m->size = 1000 + number;
	m->has_sequences = sequence != 0;
	m->smallest_sequence = m->largest_sequence = sequence;
	m->epoch = epoch;
	put_ikey(&m->smallest, slice_str(smallest), tag_make(sequence, 1));
	put_ikey(&m->largest, slice_str(largest), tag_make(sequence, 1));
	return m;
}

static void begin(const char *comparator)
{
	struct edit e = {0};
	buf_clear(&manifest);
	e.has_comparator = e.has_log_number = e.has_next_file = e.has_last_sequence = true;
	buf_append_slice(&e.comparator, slice_str(comparator));
	e.log_number = 2;
	e.next_file = 3;
	e.last_sequence = 1000;
	put_edit(&e);
}

static int read_all(struct version *v)
{
	write_file("MANIFEST-000001", buf_slice(&manifest));
	return manifest_read(dir, 1, UINT64_MAX, NULL, v);
}

/* Reads and forgets; the code. */
static int code_of_reading(void)
{
	struct version v;
	int rc = read_all(&v);
	if (rc)
		CHECK(v.families == NULL && v.tables == NULL && v.family_count == 0);
	version_release(&v);
	return rc;
}

static void check_order(const struct version *v, const uint64_t *numbers, size_t n)
{
	CHECK_EQ(v->table_count, n);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(v->tables[i].number, numbers[i]);
}
#define CHECK_ORDER(v, ...) \
	check_order(v, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / 8)

/* ---------------------------------------------------------------- names and CURRENT */

static void names(void)
{
	static const struct {
		const char *name;
		enum file_kind kind;
		uint64_t number;
	} cases[] = {
		{"000005.sst", FILE_TABLE, 5},
		{"12.sst", FILE_TABLE, 12},
		{"000007.ldb", FILE_TABLE_LDB, 7},
		{"000003.log", FILE_WAL, 3},
		{"1234567.log", FILE_WAL, 1234567},
		{"MANIFEST-000021", FILE_MANIFEST, 21},
		{"000021.dbtmp", FILE_TEMPORARY, 21},
		{"000021.blob", FILE_BLOB, 21},
		{"OPTIONS-000007", FILE_OPTIONS, 7},
		{"OPTIONS-000007.dbtmp", FILE_TEMPORARY, 7},
		{"18446744073709551615.sst", FILE_TABLE, UINT64_MAX},
		{"18446744073709551616.sst", FILE_OTHER, 0},
		{"MANIFEST-000021.log", FILE_OTHER, 0},
		{"OPTIONS-000007.sst", FILE_OTHER, 0},
		{"MANIFEST-", FILE_OTHER, 0},
		{"MANIFEST-1/2", FILE_OTHER, 0},
		{"000005.sst ", FILE_OTHER, 0},
		{"000005.foo", FILE_OTHER, 0},
		{"000005", FILE_OTHER, 0},
		{"foo.sst", FILE_OTHER, 0},
		{"-5.sst", FILE_OTHER, 0},
		{"+5.sst", FILE_OTHER, 0},
		{".sst", FILE_OTHER, 0},
		{"000010.sst.tmp", FILE_OTHER, 0},
		{"LOCK", FILE_OTHER, 0},
		{"CURRENT", FILE_OTHER, 0},
		{"LOG.old.1", FILE_OTHER, 0},
		{"", FILE_OTHER, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t number = 99;
		CHECK_EQ(file_name_parse(cases[i].name, &number), cases[i].kind);
		CHECK_EQ(number, cases[i].number);
	}
	char name[FILE_NAME_MAX];
	CHECK(strcmp(file_name(name, FILE_TABLE, 5), "000005.sst") == 0);
	CHECK(strcmp(file_name(name, FILE_TABLE_LDB, 5), "000005.ldb") == 0);
	CHECK(strcmp(file_name(name, FILE_WAL, 1234567), "1234567.log") == 0);
	CHECK(strcmp(file_name(name, FILE_MANIFEST, UINT64_MAX), "MANIFEST-18446744073709551615") == 0);
	CHECK(strcmp(file_name(name, FILE_TEMPORARY, 1), "000001.dbtmp") == 0);
}

static void current(void)
{
	static const struct {
		const char *text;
		int rc;
	} cases[] = {
		{"MANIFEST-000005\n", 0},
		{"MANIFEST-000005", SST_ECORRUPT},
		{"MANIFEST-000005\n\n", SST_ECORRUPT},
		{"MANIFEST-5\n", SST_ECORRUPT},
		{"MANIFEST-\n", SST_ECORRUPT},
		{"../MANIFEST-000005\n", SST_ECORRUPT},
		{"000005.log\n", SST_ECORRUPT},
		{"MANIFEST-99999999999999999999\n", SST_ECORRUPT},
		{"MANIFEST-9999999999999999999\n", SST_ECORRUPT},
		{"\n", SST_ECORRUPT},
		{"", SST_ECORRUPT},
		{"MANIFEST-000005\nand much more than a name could have\n", SST_ECORRUPT},
	};
	uint64_t number;
	empty_directory();
	CHECK(current_read(dir, &number) == SST_ENOENT);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file("CURRENT", slice_str(cases[i].text));
		CHECK_EQ(current_read(dir, &number), cases[i].rc);
		CHECK(cases[i].rc || number == 5);
	}
	write_file("CURRENT", slice_of("MANIFEST-000005\0\n", 17));
	CHECK(current_read(dir, &number) == SST_ECORRUPT);
	CHECK(current_write(dir, 1234567, 0644) == 0);
	CHECK(current_read(dir, &number) == 0 && number == 1234567);
	CHECK(dir_remove(dir, "1234567.dbtmp") == SST_NO);
}

/* ---------------------------------------------------------------- reading */

static void edits_add_up(void)
{
	struct version v;
	struct edit e = {0};
	begin(BYTEWISE_COMPARATOR);
	add(&e, 0, 10, "a", "z", 5, 0);
	add(&e, 6, 11, "m", "p", 1, 0);
	put_edit(&e);
	add(&e, 0, 12, "b", "c", 7, 0);
	add(&e, 6, 9, "q", "r", 1, 0);
	e.has_last_sequence = e.has_log_number = e.has_next_file = true;
	e.last_sequence = 2000;
	e.log_number = 40;
	e.next_file = 41;
	put_edit(&e);
	edit_remove_table(&e, 0, 10);
	add(&e, 1, 10, "a", "z", 5, 0); /* moved down */
	put_edit(&e);
	CHECK(read_all(&v) == 0);
	CHECK(v.edits == 4 && v.manifest_size == manifest.size && v.file_size == manifest.size);
	CHECK(v.log_number == 40 && v.next_file == 41 && v.last_sequence == 2000 && v.manifest_number == 1);
	CHECK(!v.leveldb && v.family_count == 1 && v.families[0].tables == 4);
	CHECK_ORDER(&v, 12, 10, 11, 9);
	CHECK(v.tables[1].level == 1 && v.tables[1].size == 1010);
	version_release(&v);
}

/* The builder forgets the dead on the way; what lives, and what is told of it, must not suffer. */
static void tables_come_and_go(void)
{
	struct version v;
	struct edit e = {0};
	begin(BYTEWISE_COMPARATOR);
	add(&e, 0, 10, "a", "z", 5, 0);
	edit_remove_table(&e, 0, 10);
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT); /* an edit removes before it adds */
	begin(BYTEWISE_COMPARATOR);
	for (uint64_t i = 10; i < 910; i++) {
		add(&e, 0, i, "a", "z", i - 9, 0);
		if (i % 10 == 0)
			add(&e, 3, 10000 - i, "m", "n", 1, 0);
		if (i % 10 == 5) {
			edit_remove_table(&e, 3, 10000 - i + 5);
			add(&e, 4, 10000 - i + 5, "m", "n", 1, 0);
		}
		if (i % 10 == 9)
			edit_remove_table(&e, 4, 10000 - i + 9);
		if (i >= 18)
			edit_remove_table(&e, 0, i - 8);
		put_edit(&e);
	}
	CHECK(read_all(&v) == 0);
	CHECK_ORDER(&v, 909, 908, 907, 906, 905, 904, 903, 902);
	CHECK(v.next_file == 910 && v.edits == 901);
	version_release(&v);
	edit_remove_table(&e, 0, 901);
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT);
}

static void a_limit(void)
{
	struct version v;
	struct edit e = {0};
	begin(BYTEWISE_COMPARATOR);
	uint64_t first = manifest.size;
	add(&e, 0, 10, "a", "z", 5, 0);
	put_edit(&e);
	write_file("MANIFEST-000001", buf_slice(&manifest));
	CHECK(manifest_read(dir, 1, first, NULL, &v) == 0);
	CHECK(v.edits == 1 && v.table_count == 0 && v.file_size == first && v.manifest_size == first);
	version_release(&v);
	CHECK(manifest_read(dir, 2, UINT64_MAX, NULL, &v) == SST_ENOENT);
	version_release(&v);
}

static void order_of_level_0(void)
{
	struct version v;
	struct edit e = {0};
	begin(BYTEWISE_COMPARATOR);
	add(&e, 0, 10, "a", "z", 5, 3);
	add(&e, 0, 11, "a", "z", 9, 2);
	add(&e, 0, 12, "a", "z", 7, 4);
	put_edit(&e);
	CHECK(read_all(&v) == 0 && v.epoch_max == 4);
	CHECK_ORDER(&v, 12, 10, 11); /* by epoch */
	version_release(&v);
	add(&e, 0, 13, "a", "z", 8, 0);
	put_edit(&e);
	CHECK(read_all(&v) == 0);
	CHECK_ORDER(&v, 11, 13, 12, 10); /* one has none: by sequence */
	version_release(&v);

	begin(BYTEWISE_COMPARATOR);
	add(&e, 0, 11, "a", "z", 0, 0);
	add(&e, 0, 13, "a", "z", 0, 0);
	add(&e, 0, 12, "a", "z", 0, 0);
	put_edit(&e);
	CHECK(read_all(&v) == 0 && v.leveldb);
	CHECK_ORDER(&v, 13, 12, 11); /* LevelDB: by number */
	version_release(&v);
}

static void next_file_is_above_all(void)
{
	struct version v;
	struct edit e = {0};
	begin(BYTEWISE_COMPARATOR);
	add(&e, 3, 77, "a", "z", 5, 0);
	put_edit(&e);
	CHECK(read_all(&v) == 0 && v.next_file == 78);
	version_release(&v);
}

/* What is wrong, one thing each. */
static void wrong_states(void)
{
	struct edit e = {0};
	begin(BYTEWISE_COMPARATOR); /* twice at one level */
	add(&e, 1, 10, "a", "b", 5, 0);
	put_edit(&e);
	add(&e, 1, 10, "a", "b", 5, 0);
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT && strstr(sst_errmsg(), "'MANIFEST-000001': table 10 is"));
	begin(BYTEWISE_COMPARATOR); /* removed, but at another level */
	add(&e, 1, 10, "a", "b", 5, 0);
	put_edit(&e);
	edit_remove_table(&e, 2, 10);
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT);
	begin(BYTEWISE_COMPARATOR); /* removed, never there */
	edit_remove_table(&e, 0, 10);
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT);
	begin(BYTEWISE_COMPARATOR); /* overlapping */
	add(&e, 2, 10, "a", "f", 5, 0);
	add(&e, 2, 11, "e", "g", 6, 0);
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT && strstr(sst_errmsg(), "overlap"));
	begin(BYTEWISE_COMPARATOR); /* sharing the very entry */
	add(&e, 2, 10, "a", "f", 5, 0);
	add(&e, 2, 11, "f", "g", 5, 0);
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT && strstr(sst_errmsg(), "overlap"));
	begin(BYTEWISE_COMPARATOR); /* bounds */
	add(&e, 0, 10, "f", "a", 5, 0);
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT);
	begin(BYTEWISE_COMPARATOR); /* level */
	add(&e, 7, 10, "a", "b", 5, 0);
	put_edit(&e);
	CHECK(code_of_reading() == SST_EUNSUPPORTED);
	begin(BYTEWISE_COMPARATOR); /* last sequence */
	add(&e, 0, 10, "a", "b", 1001, 0);
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT);
	begin(BYTEWISE_COMPARATOR); /* number */
	add(&e, 0, FILE_NUMBER_MAX + 1, "a", "b", 5, 0);
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT);
	begin(BYTEWISE_COMPARATOR); /* two comparators */
	e.has_comparator = true;
	buf_append_slice(&e.comparator, slice_str("other"));
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT);
}

static void missing_fields(void)
{
	for (unsigned without = 0; without < 4; without++) {
		struct edit e = {0};
		buf_clear(&manifest);
		e.has_log_number = without != 1;
		e.has_next_file = without != 2;
		e.has_last_sequence = without != 3;
		put_edit(&e);
		CHECK_EQ(code_of_reading(), without ? SST_ECORRUPT : 0);
	}
	buf_clear(&manifest);
	CHECK(code_of_reading() == SST_ECORRUPT);
}

static void neighbours_may_share_a_key(void)
{
	struct version v;
	struct edit e = {0};
	begin(BYTEWISE_COMPARATOR);
	add(&e, 1, 10, "a", "f", 9, 0);
	add(&e, 1, 11, "f", "g", 6, 0); /* older versions of f */
	put_edit(&e);
	CHECK(read_all(&v) == 0);
	CHECK_ORDER(&v, 10, 11);
	version_release(&v);
}

static void other_comparators_are_not_judged(void)
{
	struct version v;
	struct edit e = {0};
	begin("acme.Comparator");
	add(&e, 1, 10, "z", "m", 9, 0);
	add(&e, 1, 12, "c", "a", 6, 0);
	add(&e, 1, 11, "k", "d", 6, 0);
	put_edit(&e);
	CHECK(read_all(&v) == 0 && !family_is_bytewise(&v.families[0]));
	CHECK_ORDER(&v, 10, 12, 11);
	version_release(&v);
}

/* Several threads of one compaction may enter their tables in any order. */
static void the_reverse_comparator_is_known(void)
{
	struct version v;
	struct edit e = {0};
	begin(REVERSE_COMPARATOR);
	add(&e, 1, 12, "c", "a", 6, 0);
	add(&e, 1, 10, "z", "m", 9, 0);
	add(&e, 1, 11, "k", "d", 6, 0);
	put_edit(&e);
	CHECK(read_all(&v) == 0 && family_is_reverse(&v.families[0]));
	CHECK_ORDER(&v, 10, 11, 12);
	version_release(&v);
	add(&e, 1, 13, "m", "l", 12, 0);
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT); /* 10 ends at an older m */
}

static void goleveldb_repeats_itself(void)
{
	struct version v;
	struct edit e = {0};
	begin(BYTEWISE_COMPARATOR);
	add(&e, 0, 5, "a", "z", 0, 0);
	add(&e, 0, 5, "a", "z", 0, 0);
	put_edit(&e);
	CHECK(read_all(&v) == 0 && v.leveldb);
	CHECK_ORDER(&v, 5);
	version_release(&v);
	edit_remove_table(&e, 0, 5);
	put_edit(&e);
	CHECK(read_all(&v) == 0 && v.table_count == 0);
	version_release(&v);
	add(&e, 0, 6, "a", "z", 0, 0);
	add(&e, 0, 6, "a", "y", 0, 0);
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT);
}

/* ---------------------------------------------------------------- families and groups */

static void add_family(uint32_t id, const char *name, uint64_t log_number)
{
	struct edit e = {.column_family = id, .add_family = true, .has_comparator = true, .has_log_number = true};
	e.log_number = log_number;
	buf_append_slice(&e.family_name, slice_str(name));
	buf_append_slice(&e.comparator, slice_str(BYTEWISE_COMPARATOR));
	put_edit(&e);
}

static void column_families(void)
{
	struct version v;
	struct edit e = {0};
	begin(BYTEWISE_COMPARATOR);
	add_family(7, "seven", 50);
	add_family(3, "three", 60);
	e.column_family = 7;
	add(&e, 0, 10, "a", "b", 5, 0);
	add(&e, 0, 11, "a", "b", 6, 0);
	put_edit(&e);
	add(&e, 0, 12, "a", "b", 7, 0);
	put_edit(&e);
	CHECK(read_all(&v) == 0);
	CHECK_ORDER(&v, 12);
	CHECK(v.family_count == 3 && v.families[0].id == 0 && v.families[1].id == 3 && v.families[2].id == 7);
	CHECK(v.foreign_tables == 2 && v.log_number == 2 && v.next_file == 61);
	CHECK(manifest_create(dir, 100, &v, 0644) == SST_EUNSUPPORTED);
	version_release(&v);

	CHECK(manifest_read(dir, 1, UINT64_MAX, "seven", &v) == 0);
	CHECK_ORDER(&v, 11, 10);
	CHECK(v.family == 7 && v.foreign_tables == 1 && v.log_number == 50);
	version_release(&v);
	CHECK(manifest_read(dir, 1, UINT64_MAX, "eight", &v) == SST_ENOENT);

	e.column_family = 7;
	e.drop_family = true;
	put_edit(&e);
	CHECK(read_all(&v) == 0 && v.family_count == 2 && v.foreign_tables == 0);
	version_release(&v);
	CHECK(manifest_read(dir, 1, UINT64_MAX, "seven", &v) == SST_ENOENT);
	add_family(9, "seven", 70); /* the name may come again */
	e.column_family = 9;
	add(&e, 0, 20, "a", "b", 5, 0);
	put_edit(&e);
	CHECK(read_all(&v) == 0);
	version_release(&v);
	CHECK(manifest_read(dir, 1, UINT64_MAX, "seven", &v) == 0 && v.family == 9);
	CHECK_ORDER(&v, 20);
	version_release(&v);
}

static void wrong_families(void)
{
	struct edit e = {.column_family = 5};
	begin(BYTEWISE_COMPARATOR); /* unknown */
	add(&e, 0, 10, "a", "b", 5, 0);
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT);
	begin(BYTEWISE_COMPARATOR); /* the default one dropped */
	e.drop_family = true;
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT);
	begin(BYTEWISE_COMPARATOR); /* twice */
	add_family(1, "one", 3);
	CHECK(code_of_reading() == 0);
	add_family(1, "two", 3);
	CHECK(code_of_reading() == SST_ECORRUPT);
	begin(BYTEWISE_COMPARATOR); /* more removed than there */
	add_family(1, "one", 3);
	e.column_family = 1;
	edit_remove_table(&e, 0, 10);
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT);
}

static void too_many_families(void)
{
	begin(BYTEWISE_COMPARATOR);
	for (unsigned id = 1; id < 4096; id++) {
		char name[16];
		snprintf(name, sizeof(name), "f%u", id);
		add_family(id, name, 3);
	}
	CHECK(code_of_reading() == 0);
	add_family(4096, "one more", 3);
	CHECK(code_of_reading() == SST_EUNSUPPORTED && strstr(sst_errmsg(), "more than 4096 column families"));
}

static void put_blob_edit(uint64_t number, uint64_t count, bool garbage)
{
	struct edit e = {.blobs = calloc(1, sizeof(*e.blobs)), .blob_count = 1, .blob_cap = 1};
	CHECK(e.blobs);
	e.blobs[0] = (struct blob_change){.number = number, .count = count, .bytes = 100, .garbage = garbage};
	put_edit(&e);
}

static void wrong_blobs(void)
{
	begin(BYTEWISE_COMPARATOR);
	for (uint64_t n = 40; n > 20; n--)
		put_blob_edit(n, 3, false);
	put_blob_edit(30, 2, true);
	put_blob_edit(30, 1, true);
	CHECK(code_of_reading() == 0);
	put_blob_edit(30, 1, true);
	CHECK(code_of_reading() == SST_ECORRUPT && strstr(sst_errmsg(), "blob file 30 has more garbage than blobs"));
	begin(BYTEWISE_COMPARATOR);
	put_blob_edit(30, 3, false);
	put_blob_edit(30, 3, false);
	CHECK(code_of_reading() == SST_ECORRUPT && strstr(sst_errmsg(), "blob file 30 added twice"));
	begin(BYTEWISE_COMPARATOR);
	put_blob_edit(30, 3, true);
	CHECK(code_of_reading() == SST_ECORRUPT && strstr(sst_errmsg(), "blob file 30 has garbage but was not added"));
	begin(BYTEWISE_COMPARATOR);
	put_blob_edit(UINT64_MAX, 3, false);
	CHECK(code_of_reading() == SST_ECORRUPT && strstr(sst_errmsg(), "out of range"));
}

static void put_group_edit(uint64_t number, uint64_t remaining)
{
	struct edit e = {.in_atomic_group = true, .atomic_remaining = remaining};
	add(&e, 0, number, "a", "b", number, 0);
	put_edit(&e);
}

static void atomic_groups(void)
{
	struct version v;
	begin(BYTEWISE_COMPARATOR);
	put_group_edit(10, 2);
	uint64_t group = last_edit;
	put_group_edit(11, 1);
	CHECK(read_all(&v) == 0 && v.table_count == 0); /* not complete: left out, as a torn tail */
	CHECK(v.manifest_size == group && v.file_size == manifest.size);
	version_release(&v);
	put_group_edit(12, 0);
	CHECK(read_all(&v) == 0 && v.manifest_size == manifest.size);
	CHECK_ORDER(&v, 12, 11, 10);
	version_release(&v);
	put_group_edit(13, 0); /* of one */
	CHECK(read_all(&v) == 0 && v.table_count == 4);
	version_release(&v);
	put_group_edit(14, 2);
	put_group_edit(15, 0);
	CHECK(code_of_reading() == SST_ECORRUPT);
	begin(BYTEWISE_COMPARATOR);
	put_group_edit(14, 2);
	struct edit e = {0};
	add(&e, 0, 15, "a", "b", 15, 0);
	put_edit(&e);
	CHECK(code_of_reading() == SST_ECORRUPT);
}

/* ---------------------------------------------------------------- damage */

static void three_edits(void)
{
	struct edit e = {0};
	begin(BYTEWISE_COMPARATOR);
	add(&e, 0, 10, "a", "b", 5, 1);
	put_edit(&e);
	add(&e, 0, 11, "a", "b", 6, 2);
	put_edit(&e);
}

static void a_torn_tail_is_left_out(void)
{
	struct version v;
	three_edits();
	size_t whole = manifest.size;
	for (size_t n = last_edit; n <= whole; n++) {
		manifest.size = n;
		CHECK(read_all(&v) == 0);
		CHECK_EQ(v.table_count, n == whole ? 2 : 1);
		CHECK_EQ(v.manifest_size, n == whole ? whole : last_edit);
		CHECK_EQ(v.file_size, n);
		version_release(&v);
	}
	CHECK(buf_reserve(&manifest, 5000));
	memset(manifest.data + whole, 0, 5000);
	manifest.size = whole + 5000;
	CHECK(read_all(&v) == 0 && v.manifest_size == whole && v.table_count == 2);
	version_release(&v);
}

/* No byte may change without being noticed. */
static void damage_is_reported(void)
{
	three_edits();
	for (size_t i = 0; i < manifest.size; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			manifest.data[i] ^= (uint8_t)(1 << bit);
			CHECK(code_of_reading() == SST_ECORRUPT);
			CHECK(strstr(sst_errmsg(), "'MANIFEST-000001': record at "));
			manifest.data[i] ^= (uint8_t)(1 << bit);
		}
	CHECK(code_of_reading() == 0);
}

/* It looks like a tear, but another edit follows. */
static void a_hole_is_reported(void)
{
	three_edits();
	uint64_t last = last_edit;
	memset(manifest.data + 20, 0, (size_t)last - 20);
	memset(manifest.data, 0, 7);
	CHECK(code_of_reading() == SST_ECORRUPT);
	char want[80];
	snprintf(want, sizeof(want), "record at 0: damaged, and a whole one is at %" PRIu64, last);
	CHECK(strstr(sst_errmsg(), want));
}

static void bad_edits_are_named(void)
{
	three_edits();
	uint64_t at = manifest.size;
	log_frame(&manifest, manifest.size, slice_of("\x67\x01", 2));
	char want[64];
	snprintf(want, sizeof(want), "'MANIFEST-000001': edit at %" PRIu64 ": version edit: tag 103", at);
	CHECK(code_of_reading() == SST_ECORRUPT && strstr(sst_errmsg(), want));
}

static void tables_that_cannot_be(void)
{
	static const struct {
		unsigned level;
		uint64_t number;
		int rc;
		const char *why;
	} cases[] = {{LEVELS_MAX, 5, SST_EUNSUPPORTED, "table 5 is at level"},
		{0, FILE_NUMBER_MAX + 1, SST_ECORRUPT, "is out of range"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct edit e = {0};
		begin(BYTEWISE_COMPARATOR);
		add(&e, cases[i].level, cases[i].number, "a", "b", 1, 0);
		put_edit(&e);
		CHECK(code_of_reading() == cases[i].rc && strstr(sst_errmsg(), cases[i].why));
		e = (struct edit){0};
		begin(BYTEWISE_COMPARATOR);
		CHECK(edit_remove_table(&e, cases[i].level, cases[i].number) == 0);
		put_edit(&e);
		CHECK(code_of_reading() == cases[i].rc && strstr(sst_errmsg(), cases[i].why));
	}
}

/* ---------------------------------------------------------------- writing */

static void created_and_appended(void)
{
	struct version v, w;
	struct edit e = {0};
	empty_directory();
	CHECK(version_init(&v) == 0);
	v.log_number = 3;
	v.next_file = 2;
	CHECK(manifest_create(dir, 5, &v, 0644) == 0);
	CHECK(v.next_file == 6 && v.manifest_number == 5 && v.edits == 1 && v.manifest_size == v.file_size);
	CHECK(manifest_create(dir, 5, &v, 0644) == SST_EIO); /* O_EXCL */
	CHECK(manifest_read(dir, 5, UINT64_MAX, NULL, &w) == 0);
	CHECK(!w.leveldb && w.table_count == 0 && w.next_file == 6 && w.log_number == 3);
	CHECK(family_is_bytewise(&w.families[0]) && w.manifest_size == v.manifest_size);

	int fd;
	uint64_t size = v.manifest_size;
	CHECK(file_open(&fd, dir, "MANIFEST-000005", O_RDWR, 0) == 0);
	for (uint64_t i = 10; i < 600; i++) { /* over a block's end */
		add(&e, 0, i, "some key or other", "some other key", i, i);
		e.has_last_sequence = true;
		e.last_sequence = i;
		CHECK(manifest_append(fd, &size, &e, "MANIFEST-000005") == 0);
		CHECK(version_apply(&v, &e) == 0 && e.added_count == 1);
		edit_release(&e);
	}
	CHECK(size > LOG_BLOCK_SIZE);
	version_release(&w);
	CHECK(manifest_read(dir, 5, UINT64_MAX, NULL, &w) == 0 && w.manifest_size == size);
	CHECK(w.table_count == 590 && v.table_count == 590 && w.epoch_max == 599 && v.epoch_max == 599);
	for (size_t i = 0; i < 590; i++)
		CHECK(w.tables[i].number == 599 - i && v.tables[i].number == 599 - i);
	CHECK(w.next_file == v.next_file && w.last_sequence == v.last_sequence);

	/* Behind a torn tail nothing is appended. */
	CHECK(file_write(fd, size, "torn", 4, "MANIFEST-000005") == 0);
	uint64_t before = size;
	CHECK(manifest_append(fd, &size, &e, "MANIFEST-000005") == SST_ECORRUPT && size == before);
	file_close(&fd);
	version_release(&v);
	version_release(&w);
}

static void a_rewrite_keeps_everything(void)
{
	struct version v, w;
	struct edit e = {0};
	begin(BYTEWISE_COMPARATOR);
	buf_append(&e.foreign, "\x81\x40\x03"
			       "abc",
		6);
	e.has_min_log_number = true;
	e.min_log_number = 2;
	struct table_meta *m = add(&e, 4, 10, "a", "b", 5, 17);
	buf_append(&m->extra, "\x05\x01\x09\x07\x03xyz", 8);
	put_edit(&e);
	buf_append(&e.foreign, "\x84\x40\x01q", 4);
	put_edit(&e);
	empty_directory();
	CHECK(read_all(&v) == 0);
	CHECK(manifest_create(dir, 20, &v, 0644) == 0);
	CHECK(manifest_read(dir, 20, UINT64_MAX, NULL, &w) == 0);
	CHECK(w.edits == 1 && w.table_count == 1 && w.min_log_number == 2 && w.last_sequence == 1000);
	CHECK(slice_eq(buf_slice(&w.foreign), buf_slice(&v.foreign)) && w.foreign.size == 10);
	CHECK(slice_eq(buf_slice(&w.tables[0].extra), slice_of("\x05\x01\x09\x07\x03xyz", 8)));
	CHECK(w.tables[0].epoch == 17 && w.tables[0].level == 4 && w.tables[0].size == 1010);
	CHECK(slice_eq(buf_slice(&w.tables[0].largest), buf_slice(&v.tables[0].largest)));
	version_release(&v);
	version_release(&w);
}

static void applying_what_is_wrong(void)
{
	struct version v;
	struct edit e = {0};
	CHECK(version_init(&v) == 0);
	edit_remove_table(&e, 0, 4);
	CHECK(version_apply(&v, &e) == SST_ECORRUPT);
	version_release(&v);
	edit_release(&e);
}

int main(void)
{
	CHECK(mkdtemp(path) && dir_open(&dir, path) == 0);
	RUN(names);
	RUN(current);
	RUN(edits_add_up);
	RUN(tables_come_and_go);
	RUN(a_limit);
	RUN(order_of_level_0);
	RUN(next_file_is_above_all);
	RUN(wrong_states);
	RUN(missing_fields);
	RUN(neighbours_may_share_a_key);
	RUN(other_comparators_are_not_judged);
	RUN(the_reverse_comparator_is_known);
	RUN(goleveldb_repeats_itself);
	RUN(column_families);
	RUN(wrong_families);
	RUN(too_many_families);
	RUN(wrong_blobs);
	RUN(atomic_groups);
	RUN(a_torn_tail_is_left_out);
	RUN(damage_is_reported);
	RUN(a_hole_is_reported);
	RUN(bad_edits_are_named);
	RUN(tables_that_cannot_be);
	RUN(created_and_appended);
	RUN(a_rewrite_keeps_everything);
	RUN(applying_what_is_wrong);
	buf_release(&manifest);
	empty_directory();
	file_close(&dir);
	CHECK(rmdir(path) == 0);
	return unit_done("manifest");
}
