/* SPDX-License-Identifier: MIT */
/*
 * Open: which directory, and by which road
 *
 *     to write   LOCK is made where it is missing; attach (attach.c)
 *     to read    attach, if LOCK says that the store is one of ours; otherwise, and where we may not write and
 *                there is no memory to attach to, the files are read privately (private.c): nothing is touched
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/status.h"
#include "db/store.h"
#include "os/forked.h"
#include "os/kill_point.h"

static int open_directory(struct lsm *db)
{
	int rc = dir_open(&db->dirfd, db->path);
	if (rc == SST_ENOENT && db->options.create) {
		rc = dir_make(db->path);
		if (rc >= 0)
			rc = dir_open(&db->dirfd, db->path);
	} else if (rc == SST_ENOENT) {
		return fail(SST_ENOENT, "no store '%s'", db->path);
	}
	return rc ? rc : file_access(db->dirfd, &db->access, db->path);
}

static bool has_current(const struct lsm *db)
{
	struct file_id id;
	return file_identify_at(db->dirfd, "CURRENT", &id) == 0;
}

/* LOCK has the directory's mode, so that whoever may change the directory may lock. */
static int make_lock(struct lsm *db)
{
	KILL_POINT("open-directory");
	int rc = file_open(&db->lockfd, db->dirfd, "LOCK", O_RDWR | O_CREAT, db->access.mode & 0666);
	KILL_POINT("open-lock");
	if (!rc && db->owner != (uid_t)-1)
		rc = file_give(db->lockfd, db->owner, db->access.gid, "LOCK");
	if (!rc)
		file_set_mode(db->lockfd, db->access.mode & 0666);
	return rc;
}

static int open_to_write(struct lsm *db)
{
	const char *fs;
	if (dir_is_remote(db->dirfd, &fs))
		return fail(SST_EUNSUPPORTED, "'%s' is on %s: locks and shared memory do not reach other machines", db->path, fs);
	int rc = file_open(&db->lockfd, db->dirfd, "LOCK", O_RDWR, 0);
	if (rc == SST_ENOENT && !db->options.create && !has_current(db))
		return store_absent(db);
	if (rc == SST_ENOENT)
		rc = make_lock(db);
	return rc ? rc : store_attach(db);
}

/* Attached: 0. SST_NO: to be read privately. */
static int attach_to_read(struct lsm *db)
{
	const char *fs;
	if (dir_is_remote(db->dirfd, &fs))
		return SST_NO;
	int rc = file_open(&db->lockfd, db->dirfd, "LOCK", O_RDWR, 0);
	if (rc && rc != SST_ENOENT) {
		db->lock_read_only = true;
		rc = file_open(&db->lockfd, db->dirfd, "LOCK", O_RDONLY, 0);
	}
	if (rc)
		return SST_NO;
	if (!identity_is_ours(db))
		return SST_NO;
	return store_attach(db);
}

static int open_to_read(struct lsm *db)
{
	if (!has_current(db))
		return store_absent(db);
	int rc = attach_to_read(db);
	return rc == SST_NO ? store_open_private(db) : rc;
}

static int open_steps(struct lsm *db, const char *dir)
{
	db->path = strdup(dir);
	if (!db->path)
		return fail_memory();
	int rc = open_directory(db);
	if (rc)
		return rc;
	db->mode = 0666;
	db->group_shared = (db->access.mode & (S_ISGID | S_IWGRP)) == (S_ISGID | S_IWGRP);
	if (process_is_root() && db->access.uid != 0)
		db->owner = db->access.uid;
	rc = config_read(&db->config, db->dirfd);
	if (rc)
		return rc;
	if (segment_dir(&db->shmfd))
		db->shmfd = -1; /* everything then lives in the directory */
	return db->options.read_only ? open_to_read(db) : open_to_write(db);
}

int lsm_open(struct lsm **out, const char *dir, const struct lsm_options *opt)
{
	static const struct lsm_options defaults = {.timeout_ms = -1};
	*out = NULL;
	struct lsm *db = calloc(1, sizeof(*db));
	if (!db)
		return fail_memory();
	db->options = opt ? *opt : defaults;
	db->dirfd = db->lockfd = db->shmfd = db->wal_fd = -1;
	db->owner = (uid_t)-1;
	db->blocks.limit = db->options.cache_size ? db->options.cache_size : BLOCK_CACHE_DEFAULT;
	db->pid = process_id();
	db->forks = process_forks();
	int rc = open_steps(db, dir);
	if (rc) {
		lsm_close(db);
		return rc;
	}
	*out = db;
	return 0;
}

void lsm_close(struct lsm *db)
{
	if (!db)
		return;
	store_unmap(db);
	file_close(&db->lockfd); /* and with it every lock of this handle */
	file_close(&db->shmfd);
	file_close(&db->dirfd);
	lsm_batch_free(db->single);
	buf_release(&db->frame);
	buf_release(&db->run);
	free(db->path);
	free(db);
}
