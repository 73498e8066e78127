/* SPDX-License-Identifier: MIT */
/*
 * What a handle finds in shared memory that others have hurt, locked, left behind or taken away. A second handle in this
 * process is another process: locks on LOCK belong to the open file.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "db/flush.h"
#include "os/event.h"
#include "os/lock.h"
#include "unit.h"
#include "wal/log.h"

static char directory[] = "/tmp/test_shared_memory.XXXXXX", path[64];

/* ---------------------------------------------------------------- a kernel that refuses */

static unsigned failing_syncs; /* so many fdatasyncs fail */
static bool guarded;	       /* LOCK may be read only */

int fdatasync(int fd)
{
	if (failing_syncs) {
		failing_syncs--;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int openat(int dirfd, const char *name, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (guarded && (flags & O_ACCMODE) == O_RDWR && !strcmp(name, "LOCK")) {
		errno = EACCES;
		return -1;
	}
	return (int)syscall(SYS_openat, dirfd, name, flags, mode);
}

/* ---------------------------------------------------------------- stores */

static struct lsm *open_with(struct lsm_options opt)
{
	struct lsm *db;
	CHECK_EQ(lsm_open(&db, path, &opt), 0);
	return db;
}

static struct lsm *open_store(int64_t timeout_ms)
{
	return open_with((struct lsm_options){.create = true, .timeout_ms = timeout_ms});
}

static void put(struct lsm *db, const char *key, const char *value, unsigned flags)
{
	CHECK_EQ(lsm_put(db, slice_str(key), slice_str(value), flags), 0);
}

static void check(struct lsm *db, const char *key, const char *value)
{
	struct sst_slice v;
	CHECK_EQ(lsm_get(db, slice_str(key), &v), value ? 0 : SST_NO);
	CHECK(!value || slice_eq(v, slice_str(value)));
}

static void flush(struct lsm *db)
{
	CHECK_EQ(lsm_flush(db, NULL, NULL, NULL), 0);
}

/* A new store with a record in a table and one in the memtable. The handle has nothing open yet. */
static struct lsm *fresh(void)
{
	struct lsm *db = open_store(5000);
	put(db, "old", "1", 0);
	flush(db);
	put(db, "new", "2", 0);
	lsm_close(db);
	return open_store(5000);
}

static void check_all(struct lsm *db)
{
	check(db, "old", "1");
	check(db, "new", "2");
}

static int remove_one(void *arg, const char *name)
{
	return dir_remove(*(int *)arg, name);
}

static void lose_memory(struct lsm *db)
{
	uint8_t token[TOKEN_SIZE];
	memcpy(token, db->control->token, TOKEN_SIZE);
	segments_remove(db, token);
}

/* The end of a test: all is still there, and it is there when the memory is gone. */
static void finish(struct lsm *db)
{
	int fd;
	check_all(db);
	lose_memory(db);
	lsm_close(db);
	db = open_store(5000);
	check_all(db);
	lose_memory(db);
	lsm_close(db);
	CHECK_EQ(dir_open(&fd, path), 0);
	CHECK_EQ(dir_list(fd, remove_one, &fd), 0);
	file_close(&fd);
	CHECK(rmdir(path) == 0);
}

static void move(const struct lsm *db, const char *from, const char *to)
{
	CHECK(renameat(db->dirfd, from, db->dirfd, to) == 0);
}

static struct generation *active(const struct lsm *db)
{
	const struct control *c = db->control;
	return control_generation(db->control, c->views[c->view % RING].active);
}

static int count_table(void *arg, const char *name)
{
	uint64_t number;
	*(unsigned *)arg += file_name_parse(name, &number) == FILE_TABLE;
	return 0;
}

static unsigned tables(const struct lsm *db)
{
	unsigned n = 0;
	CHECK_EQ(dir_list(db->dirfd, count_table, &n), 0);
	return n;
}

static int see_file(void *arg, const struct lsm_file *f)
{
	(void)f;
	++*(unsigned *)arg;
	return 0;
}

/* ---------------------------------------------------------------- damage */

enum { IN_MOTION, NO_GENERATIONS, BACKWARDS, ENDLESS, VIEWS };

static void hurt_view(struct lsm *db, unsigned how)
{
	struct control *c = db->control;
	struct view *v = &c->views[c->view % RING];
	switch (how) {
	case IN_MOTION:
		v->number = 0;
		break;
	case NO_GENERATIONS:
		v->oldest = v->active = v->tables = 0;
		break;
	case BACKWARDS:
		v->oldest = v->active + 1;
		break;
	case ENDLESS:
		v->active = UINT64_C(1) << 60;
		break;
	}
}

static void an_impossible_view(void)
{
	struct lsm *db = fresh();
	struct lsm_scan *scan;
	struct lsm_stats stats;
	struct sst_slice k, v;
	unsigned files = 0;
	for (unsigned how = 0; how < VIEWS; how++) {
		hurt_view(db, how);
		check_all(db);
		hurt_view(db, how);
		put(db, "another", "3", 0);
		hurt_view(db, how);
		CHECK_EQ(lsm_put(db, slice_str("another"), slice_str("4"), LSM_NO_CLOBBER), SST_NO);
		hurt_view(db, how);
		CHECK_EQ(lsm_scan_new(&scan, db, NULL), 0);
		CHECK_EQ(lsm_scan_next(scan, &k, &v), 0);
		CHECK(slice_eq(k, slice_str("another")));
		lsm_scan_free(scan);
		hurt_view(db, how);
		CHECK_EQ(lsm_stat(db, &stats), 0);
		CHECK_EQ(stats.tables, 1);
		CHECK(stats.records + stats.frozen_records >= 2);
		hurt_view(db, how);
		CHECK_EQ(lsm_files(db, see_file, &files), 0);
		hurt_view(db, how);
		CHECK_EQ(lsm_flush(db, NULL, NULL, NULL), SST_ECORRUPT);
		CHECK(strstr(sst_errmsg(), "the control segment is damaged"));
		CHECK_EQ(lsm_delete(db, slice_str("another"), 0), 0);
		hurt_view(db, how);
		lsm_close(db);
		db = open_store(5000);
		check(db, "another", NULL);
	}
	CHECK(files >= 2 * VIEWS);
	flush(db);
	finish(db);
}

/* With somebody else attached there is no rebuild until he has heard of it. */
static void a_generation_that_is_lost(void)
{
	struct lsm *db = fresh();
	active(db)->number = 0;
	check_all(db);
	lsm_close(db);

	db = open_store(5000);
	struct lsm *other = open_store(50);
	struct sst_slice v;
	active(db)->number = 0;
	CHECK_EQ(lsm_get(other, slice_str("new"), &v), SST_EBUSY);
	CHECK(strstr(sst_errmsg(), "other processes use it"));
	check_all(db);
	check_all(other);
	put(other, "another", "3", 0);
	check(db, "another", "3");
	lsm_close(other);
	finish(db);
}

static void remove_memtable(const struct lsm *db)
{
	char name[SEGMENT_NAME_MAX];
	const struct generation *g = active(db);
	segment_name(name, db->control->token, g->place, g->number);
	CHECK_EQ(dir_remove(segment_place_fd(db, g->place), name), 0);
}

static void a_memtable_that_is_removed(void)
{
	struct lsm *db = fresh();
	remove_memtable(db);
	check_all(db);
	lsm_close(db);
	db = open_store(5000);
	remove_memtable(db);
	put(db, "another", "3", 0);
	finish(db);
}

/* Who may not write LOCK cannot rebuild: he says so, and goes on when somebody else has done it. */
static void a_reader_who_may_not_write(void)
{
	struct lsm *db = fresh();
	struct sst_slice v;
	guarded = true;
	struct lsm *reader = open_with((struct lsm_options){.read_only = true, .timeout_ms = 5000});
	guarded = false;
	CHECK(!reader->private && reader->lock_read_only);
	remove_memtable(db);
	CHECK_EQ(lsm_get(reader, slice_str("new"), &v), SST_ECORRUPT);
	CHECK(strstr(sst_errmsg(), "a file it needs is missing"));
	lose_memory(db);
	lsm_close(db);
	reader->checked_ns = 0;
	CHECK_EQ(lsm_get(reader, slice_str("new"), &v), SST_EIO);
	CHECK(strstr(sst_errmsg(), "went away and cannot be rebuilt"));
	db = open_store(5000);
	check_all(db);
	check_all(reader);
	hurt_view(db, BACKWARDS);
	CHECK_EQ(lsm_get(reader, slice_str("new"), &v), SST_ECORRUPT);
	CHECK(strstr(sst_errmsg(), "the control segment is damaged"));
	lsm_close(reader);
	finish(db);
}

static void files_that_are_gone(void)
{
	struct lsm *db = fresh();
	struct lsm_stats stats;
	struct sst_slice v;
	char manifest[FILE_NAME_MAX];
	unsigned files = 0;
	file_name(manifest, FILE_MANIFEST, db->control->views[db->control->view % RING].manifest_number);
	check(db, "new", "2");
	move(db, manifest, "away");
	CHECK_EQ(lsm_get(db, slice_str("old"), &v), SST_ECORRUPT);
	CHECK(strstr(sst_errmsg(), "a file it needs is missing"));
	CHECK_EQ(lsm_stat(db, &stats), SST_ECORRUPT);
	CHECK_EQ(lsm_files(db, see_file, &files), SST_ECORRUPT);
	CHECK_EQ(lsm_flush(db, NULL, NULL, NULL), SST_ECORRUPT);
	CHECK(strstr(sst_errmsg(), "the MANIFEST is gone"));
	move(db, "away", manifest);
	CHECK_EQ(lsm_files(db, see_file, &files), 0);
	CHECK_EQ(files, 2);

	char table[FILE_NAME_MAX];
	CHECK_EQ(db->version.table_count, 1);
	move(db, file_name(table, FILE_TABLE, db->version.tables[0].number), "away");
	CHECK_EQ(lsm_put(db, slice_str("old"), slice_str("3"), LSM_NO_CLOBBER), SST_ECORRUPT);
	CHECK(strstr(sst_errmsg(), "a file that the store needs is missing"));
	CHECK_EQ(lsm_get(db, slice_str("old"), &v), SST_ECORRUPT);
	move(db, "away", table);
	CHECK_EQ(lsm_put(db, slice_str("old"), slice_str("3"), LSM_NO_CLOBBER), SST_NO);
	finish(db);
}

/* ---------------------------------------------------------------- what a writer that died has left */

static struct file_id log_of(const struct lsm *db, char name[FILE_NAME_MAX])
{
	struct file_id id;
	CHECK_EQ(file_identify_at(db->dirfd, file_name(name, FILE_WAL, active(db)->wal_number), &id), 0);
	return id;
}

/* Its record is in the log, and the memtable has no room for it: that is damage, and the log has it all. */
static void a_memtable_that_cannot_take_what_is_logged(void)
{
	struct lsm *db = fresh();
	struct memtable *m;
	struct batch b = {0};
	struct buf framed = {0};
	char name[FILE_NAME_MAX];
	int fd;
	CHECK_EQ(view_memtable(db, active(db)->number, &m), 0);
	m->tree.header->used = UINT64_C(1) << 40;
	batch_clear(&b);
	batch_put(&b, slice_str("logged"), slice_str("3"));
	batch_seal(&b, db->control->visible + 1);
	log_frame(&framed, active(db)->wal_tail, buf_slice(&b.rep));
	CHECK(buf_check(&b.rep) == 0 && buf_check(&framed) == 0);
	log_of(db, name);
	CHECK_EQ(file_open(&fd, db->dirfd, name, O_RDWR, 0), 0);
	CHECK_EQ(file_write(fd, active(db)->wal_tail, framed.data, framed.size, name), 0);
	file_close(&fd);
	db->control->dirty = 1;
	put(db, "another", "4", 0);
	check(db, "logged", "3");
	check(db, "another", "4");
	batch_release(&b);
	buf_release(&framed);
	finish(db);
}

/* Somebody has cut it: the directory is right, as it is for whoever attaches. */
static void a_log_that_is_shorter_than_the_memory_says(void)
{
	struct lsm *db = fresh();
	char name[FILE_NAME_MAX];
	int fd;
	put(db, "cut", "3", 0);
	uint64_t size = log_of(db, name).size;
	CHECK_EQ(file_open(&fd, db->dirfd, name, O_RDWR, 0), 0);
	CHECK_EQ(file_truncate(fd, size - 3, name), 0);
	file_close(&fd);
	db->control->dirty = 1;
	put(db, "another", "4", 0);
	check(db, "cut", NULL);
	check(db, "another", "4");
	finish(db);
}

/* 2^32 writers later: 0 is nobody's, and what is somebody's is not taken. */
static void ids_that_come_round(void)
{
	struct lsm *db = fresh(), *other = open_store(5000), *third = open_store(5000);
	put(other, "new", "2", 0);
	db->control->next_id = 0;
	put(db, "new", "2", 0);
	CHECK(db->id == 1 + (other->id == 1));
	db->control->next_id = other->id;
	CHECK_EQ(writer_identify(third), 0);
	CHECK(third->id && third->id != other->id && third->id != db->id);
	CHECK(writer_test(db, other->id) == SST_NO && writer_test(db, third->id) == SST_NO);
	lsm_close(other);
	lsm_close(third);
	finish(db);
}

/* ---------------------------------------------------------------- others at work */

/* More memtables than a handle keeps open come and go under a reader. */
static void a_reader_of_many_generations(void)
{
	struct lsm *db = fresh(), *reader = open_store(5000);
	for (unsigned i = 0; i < MAPPED_MAX + 4; i++) {
		char value[16];
		snprintf(value, sizeof(value), "%u", i);
		put(db, "turn", value, 0);
		check(reader, "turn", value);
		check_all(reader);
		flush(db);
	}
	lsm_close(reader);
	finish(db);
}

static void a_writer_lock_that_is_held(void)
{
	static const struct lsm_flush_options frozen = {.frozen_only = true};
	struct lsm *db = fresh(), *writer = open_store(5000);
	struct lsm_stats stats;
	db->options.timeout_ms = 50;
	CHECK_EQ(writer_identify(writer), 0);
	CHECK_EQ(writer_lock(writer), 0);
	CHECK_EQ(lsm_flush(db, NULL, NULL, NULL), SST_EBUSY); /* nothing is frozen */
	CHECK(strstr(sst_errmsg(), "holds the writer lock"));
	check_all(db);
	CHECK_EQ(store_rotate(writer, memtable_commit_for(0, 0)), 0);
	CHECK_EQ(lsm_flush(db, &frozen, NULL, NULL), SST_EBUSY); /* and what is recorded is not published */
	CHECK_EQ(tables(db), 2);
	check_all(db);
	CHECK_EQ(lsm_stat(db, &stats), 0);
	CHECK_EQ(stats.flush_failures, 1);
	CHECK_EQ(stats.frozen, 1);
	CHECK_EQ(stats.tables, 1);
	writer_unlock(writer, false);
	flush(db);
	CHECK_EQ(lsm_stat(db, &stats), 0);
	CHECK_EQ(stats.frozen, 0);
	CHECK_EQ(stats.tables, 2);
	CHECK_EQ(tables(db), 2);
	lsm_close(writer);
	finish(db);
}

/* A put that finds all memtables full waits for the flush of another process, and goes on as soon as that has one. */

static struct lsm *patient;
static atomic_bool waits;
static pthread_t thread;
static bool begun;

static void hear(void *arg, int level, const char *message)
{
	(void)arg;
	(void)level;
	if (strstr(message, "waiting: its memtables are full and another process is flushing one"))
		waits = true;
}

static void *put_much(void *arg)
{
	(void)arg;
	static char value[40000];
	memset(value, 'v', sizeof(value) - 1);
	for (unsigned i = 0; i < 3; i++)
		put(patient, "much", value, 0);
	return NULL;
}

static void when_one_is_flushed(void *arg, const struct lsm_flushed *f)
{
	(void)arg;
	(void)f;
	if (begun)
		return;
	begun = true;
	CHECK_EQ(pthread_create(&thread, NULL, put_much, NULL), 0);
	while (!waits)
		sleep_ms(1);
}

static void a_put_that_waits_for_a_flush(void)
{
	struct lsm *db = fresh();
	int fd;
	CHECK_EQ(file_open(&fd, db->dirfd, "lsm.conf", O_WRONLY | O_CREAT, 0644), 0);
	CHECK_EQ(file_write(fd, 0, "write_buffer_size = 64K\n", 24, "lsm.conf"), 0);
	file_close(&fd);
	lsm_close(db);
	db = open_store(5000);
	patient = open_with((struct lsm_options){.timeout_ms = -1, .log = hear});
	put(db, "frozen", "0", 0);
	for (unsigned i = 0; i < FROZEN_MAX; i++) {
		CHECK_EQ(writer_lock(db), 0);
		CHECK_EQ(store_rotate(db, memtable_commit_for(0, 0)), 0);
		writer_unlock(db, false);
		put(db, "frozen", i % 2 ? "1" : "2", 0);
	}
	CHECK_EQ(lsm_flush(db, NULL, when_one_is_flushed, NULL), 0); /* freezes one more */
	CHECK(pthread_join(thread, NULL) == 0);
	struct sst_slice v;
	CHECK_EQ(lsm_get(db, slice_str("much"), &v), 0);
	CHECK_EQ(v.size, 39999);
	check(db, "frozen", "1");
	lsm_close(patient);
	finish(db);
}

/* ---------------------------------------------------------------- syncs */

static void a_log_that_is_synced_by_another(void)
{
	struct lsm *db = fresh(), *other = open_store(5000);
	char name[FILE_NAME_MAX];
	CHECK_EQ(writer_identify(other), 0);
	put(db, "unsynced", "3", LSM_NO_SYNC);
	CHECK(db->control->synced < db->control->appended);
	log_of(db, name);
	move(db, name, "away");
	CHECK(store_sync(other, db->control->appended) < 0);
	CHECK(db->control->synced < db->control->appended);
	move(db, "away", name);
	CHECK_EQ(store_sync(other, db->control->appended), 0);
	CHECK_EQ(db->control->synced, db->control->appended);
	lsm_close(other);
	finish(db);
}

/* Nobody is told that it is durable, until its memtable is in a table. */
static void a_sync_that_fails(void)
{
	struct lsm *db = fresh(), *other = open_store(5000);
	put(other, "new", "2", 0);
	put(db, "unsynced", "3", LSM_NO_SYNC);
	failing_syncs = 1;
	CHECK_EQ(lsm_sync(db), SST_EIO);
	CHECK_EQ(failing_syncs, 0);
	CHECK_EQ(lsm_sync(db), SST_EIO);
	CHECK(strstr(sst_errmsg(), "the write-ahead log could not be synced"));
	check(other, "unsynced", "3");
	put(other, "another", "4", 0);
	CHECK(tables(db) == 2 && !active(db)->poisoned);
	CHECK_EQ(lsm_sync(db), 0);
	lsm_close(other);
	lose_memory(db);
	lsm_close(db);
	db = open_store(5000);
	check(db, "unsynced", "3");
	check(db, "another", "4");
	finish(db);
}

static unsigned complaints;

static void complain(void *arg, int level, const char *message)
{
	(void)arg;
	complaints += level == 0 && strstr(message, "cannot sync");
}

static void a_sync_that_fails_when_a_memtable_is_frozen(void)
{
	struct lsm *db = fresh();
	db->options.log = complain;
	put(db, "unsynced", "3", LSM_NO_SYNC);
	failing_syncs = 1;
	flush(db);
	CHECK(failing_syncs == 0 && complaints == 1);
	CHECK_EQ(lsm_sync(db), 0);
	lose_memory(db);
	lsm_close(db);
	db = open_store(5000);
	check(db, "unsynced", "3");
	finish(db);
}

/* ---------------------------------------------------------------- whose files they are */

static int check_group(void *arg, const char *name)
{
	struct stat st;
	int dirfd = *(int *)arg;
	CHECK(fstatat(dirfd, name, &st, 0) == 0);
	if ((st.st_mode & 0666) != 0660)
		fprintf(stderr, "%s has mode %o\n", name, (unsigned)st.st_mode);
	CHECK_EQ(st.st_mode & 0666, 0660);
	return 0;
}

static void the_files_of_a_directory_for_a_group(void)
{
	char name[SEGMENT_NAME_MAX];
	CHECK(mkdir(path, 0700) == 0 && chmod(path, 02770) == 0);
	mode_t mask = umask(077);
	struct lsm *db = fresh();
	CHECK_EQ(dir_list(db->dirfd, check_group, &db->dirfd), 0);
	segment_name(name, db->control->token, PLACE_SHM, active(db)->number);
	CHECK_EQ(check_group(&db->shmfd, name), 0);
	umask(mask);
	finish(db);
}

int main(void)
{
	CHECK(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/store", directory);
	RUN(an_impossible_view);
	RUN(a_generation_that_is_lost);
	RUN(a_memtable_that_is_removed);
	RUN(a_reader_who_may_not_write);
	RUN(files_that_are_gone);
	RUN(a_memtable_that_cannot_take_what_is_logged);
	RUN(a_log_that_is_shorter_than_the_memory_says);
	RUN(ids_that_come_round);
	RUN(a_reader_of_many_generations);
	RUN(a_writer_lock_that_is_held);
	RUN(a_put_that_waits_for_a_flush);
	RUN(a_log_that_is_synced_by_another);
	RUN(a_sync_that_fails);
	RUN(a_sync_that_fails_when_a_memtable_is_frozen);
	RUN(the_files_of_a_directory_for_a_group);
	CHECK(rmdir(directory) == 0);
	return unit_done("shared_memory");
}
