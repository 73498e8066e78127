/* SPDX-License-Identifier: MIT */
/*
 * A new store: MANIFEST, then CURRENT; the first log is made by the rebuild that follows, as after every start.
 *
 * Killed in between: a MANIFEST without CURRENT, which the next one replaces. A log or a table without CURRENT is
 * never left by us: then CURRENT was lost, and making an empty store over the remains would hide that.
 */
#include "base/status.h"
#include "db/store.h"
#include "os/kill_point.h"

#define FIRST_MANIFEST 1

static int survey(void *arg, const char *name)
{
	struct lsm *db = arg;
	uint64_t number;
	if (name[0] == '.' || !strcmp(name, "LOCK") || !strcmp(name, "lsm.conf"))
		return 0;
	switch (file_name_parse(name, &number)) {
	case FILE_MANIFEST:
	case FILE_TEMPORARY:
		return 0;
	case FILE_TABLE:
	case FILE_TABLE_LDB:
	case FILE_WAL:
		return fail(SST_ECORRUPT, "'%s' has no CURRENT, but '%s'", db->path, name);
	default:
		return fail(SST_EINVAL, "'%s' is not a store, and not empty ('%s')", db->path, name);
	}
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
