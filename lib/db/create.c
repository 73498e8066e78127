/* SPDX-License-Identifier: MIT */
/*
 * A new store: MANIFEST, then CURRENT; the first log is made by the rebuild that follows, as after every start.
 *
 * Killed in between: a MANIFEST without CURRENT, which the next one replaces. A log or a table without CURRENT is
 * never left by us: then CURRENT was lost, and making an empty store over the remains would hide that.
 */
#include <stdio.h>

#include "base/status.h"
#include "db/store.h"
#include "os/kill_point.h"

#define FIRST_MANIFEST 1

static bool needs_current(enum file_kind kind)
{
	return kind == FILE_TABLE || kind == FILE_TABLE_LDB || kind == FILE_WAL;
}

static int current_lost(const struct lsm *db, const char *name)
{
	return fail(SST_ECORRUPT, "'%s' has no CURRENT, but '%s'", db->path, name);
}

static int find_remains(void *arg, const char *name)
{
	char *found = arg;
	uint64_t number;
	if (needs_current(file_name_parse(name, &number)))
		snprintf(found, FILE_NAME_MAX, "%s", name);
	return 0;
}

int store_absent(const struct lsm *db)
{
	char found[FILE_NAME_MAX] = "";
	struct file_id id;
	int rc = dir_list(db->dirfd, find_remains, found);
	if (!rc && *found)
		rc = file_identify_at(db->dirfd, "CURRENT", &id); /* it may have been made while we looked */
	if (rc == SST_NO)
		return current_lost(db, found);
	return rc ? rc : fail(SST_ENOENT, "no store in '%s'", db->path);
}

static int survey(void *arg, const char *name)
{
	const struct lsm *db = arg;
	uint64_t number;
	if (name[0] == '.' || !strcmp(name, "LOCK") || !strcmp(name, "lsm.conf"))
		return 0;
	enum file_kind kind = file_name_parse(name, &number);
	if (needs_current(kind))
		return current_lost(db, name);
	if (kind == FILE_MANIFEST || kind == FILE_TEMPORARY)
		return 0;
	return fail(SST_EINVAL, "'%s' is not a store, and not empty ('%s')", db->path, name);
}

static int remove_leftover(void *arg, const char *name)
{
	struct lsm *db = arg;
	uint64_t number;
	enum file_kind kind = file_name_parse(name, &number);
	if (kind != FILE_MANIFEST && kind != FILE_TEMPORARY)
		return 0;
	int rc = dir_remove(db->dirfd, name);
	return rc < 0 ? rc : 0;
}

static int write_manifest(struct lsm *db)
{
	char name[FILE_NAME_MAX];
	struct version v;
	int rc = version_init(&v);
	if (rc)
		return rc;
	v.next_file = v.log_number = v.min_log_number = FIRST_MANIFEST + 1; /* LevelDB knows no such minimum: not its store */
	rc = manifest_create(db->dirfd, FIRST_MANIFEST, &v, db->mode);
	version_release(&v);
	KILL_POINT("create-manifest");
	if (!rc)
		rc = store_file_adopt(db, file_name(name, FILE_MANIFEST, FIRST_MANIFEST));
	if (!rc)
		rc = current_write(db->dirfd, FIRST_MANIFEST, db->mode);
	if (!rc)
		rc = store_file_adopt(db, "CURRENT");
	if (rc)
		(void)dir_remove(db->dirfd, "CURRENT"); /* its name may not be on the disk, and a second sync would not tell */
	return rc;
}

int store_create_files(struct lsm *db)
{
	int rc = dir_list(db->dirfd, survey, db);
	if (!rc)
		rc = dir_list(db->dirfd, remove_leftover, db);
	return rc ? rc : write_manifest(db);
}
