/* SPDX-License-Identifier: MIT */
/*
 * The 128 bytes in LOCK
 *
 *     0 magic:8  layout:4  place:4  token:16  boot id:16  control segment device:8 inode:8
 *     64 LOCK's own inode:8 birth:8  zeros  124 crc32c:4
 *
 * They say which segments belong to this directory. A copied or restored directory has another LOCK (inode, birth), a
 * segment made by somebody else under our name another inode: both are found out here and end in a rebuild. The token is
 * random, so nobody can have made our names beforehand.
 */
#include <fcntl.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "base/status.h"
#include "db/store.h"

#define IDENTITY_SIZE 128
#define IDENTITY_MAGIC UINT64_C(0x316b636f6c6d736c) /* "lsmlock1" */

/* What tells LOCK from a copy of it. */
static void put_self(const struct file_id *lock, uint8_t out[16])
{
	store64(out, lock->inode);
	store64(out + 8, lock->birth_ns);
}

int identity_read(const struct lsm *db, struct identity *id)
{
	uint8_t b[IDENTITY_SIZE], me[16];
	struct file_id file;
	int rc = file_identify(db->lockfd, &file, "LOCK");
	if (rc)
		return rc;
	if (file.size < IDENTITY_SIZE)
		return SST_NO;
	rc = file_read(db->lockfd, 0, b, sizeof(b), "LOCK");
	if (rc)
		return rc;
	if (load64(b) != IDENTITY_MAGIC || load32(b + 124) != crc32c_mask(crc32c(0, b, 124)))
		return SST_NO;
	put_self(&file, me);
	if (memcmp(b + 64, me, 16))
		return SST_NO; /* a copy: the token, and the segments with it, are the original's */
	memcpy(id->token, b + 16, TOKEN_SIZE);
	memcpy(id->boot, b + 32, 16);
	id->control_place = load32(b + 12);
	id->control_device = load64(b + 48);
	id->control_inode = load64(b + 56);
	return load32(b + 8) == CONTROL_LAYOUT && id->control_inode ? 0 : SST_NO;
}

bool identity_is_ours(const struct lsm *db)
{
	uint8_t magic[8];
	struct file_id file;
	return file_identify(db->lockfd, &file, "LOCK") == 0 && file.size >= IDENTITY_SIZE &&
	       file_read(db->lockfd, 0, magic, sizeof(magic), "LOCK") == 0 && load64(magic) == IDENTITY_MAGIC;
}

int identity_write(const struct lsm *db, const struct identity *id)
{
	uint8_t b[IDENTITY_SIZE] = {0};
	struct file_id lock;
	int rc = file_identify(db->lockfd, &lock, "LOCK");
	if (rc)
		return rc;
	store64(b, IDENTITY_MAGIC);
	store32(b + 8, CONTROL_LAYOUT);
	store32(b + 12, id->control_place);
	memcpy(b + 16, id->token, TOKEN_SIZE);
	memcpy(b + 32, id->boot, 16);
	store64(b + 48, id->control_device);
	store64(b + 56, id->control_inode);
	put_self(&lock, b + 64);
	store32(b + 124, crc32c_mask(crc32c(0, b, 124)));
	return file_write(db->lockfd, 0, b, sizeof(b), "LOCK");
}

static void segment_prefix(char name[SEGMENT_NAME_MAX], const uint8_t token[TOKEN_SIZE], uint32_t place)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = (size_t)snprintf(name, SEGMENT_NAME_MAX, "%slsm.", place == PLACE_DIRECTORY ? "." : "");
	for (unsigned i = 0; i < TOKEN_SIZE; i++) {
		name[n++] = digits[token[i] >> 4];
		name[n++] = digits[token[i] & 15];
	}
	name[n] = 0;
}

void segment_name(char name[SEGMENT_NAME_MAX], const uint8_t token[TOKEN_SIZE], enum place place, uint64_t generation)
{
	segment_prefix(name, token, place);
	size_t n = strlen(name);
	if (generation)
		snprintf(name + n, SEGMENT_NAME_MAX - n, ".m%llu", (unsigned long long)generation);
	else
		snprintf(name + n, SEGMENT_NAME_MAX - n, ".c");
}

int segment_place_fd(const struct lsm *db, uint32_t place)
{
	return place == PLACE_DIRECTORY ? db->dirfd : db->shmfd;
}

struct removal {
	int dirfd;
	char prefix[SEGMENT_NAME_MAX];
};

static int remove_if_ours(void *arg, const char *name)
{
	const struct removal *r = arg;
	size_t n = strlen(r->prefix);
	if (!strncmp(name, r->prefix, n) && name[n] == '.')
		(void)dir_remove(r->dirfd, name);
	return 0;
}

static int token_of_name(const char *name, uint8_t token[TOKEN_SIZE])
{
	char canonical[SEGMENT_NAME_MAX];
	if (strncmp(name, "lsm.", 4) || strlen(name) != 4 + 2 * TOKEN_SIZE + 2)
		return SST_NO;
	for (unsigned i = 0; i < 2 * TOKEN_SIZE; i++) {
		char c = name[4 + i];
		int nibble = (c >= 'a' ? c - 'a' + 10 : c - '0') & 15;
		token[i / 2] = (uint8_t)(token[i / 2] << 4 | nibble);
	}
	segment_name(canonical, token, PLACE_SHM, 0);
	return strcmp(canonical, name) ? SST_NO : 0;
}

/* Is there still a store at the path that names this token in its LOCK? Only a plain "no" counts. */
static bool is_gone(const char *path, const uint8_t token[TOKEN_SIZE])
{
	uint8_t b[IDENTITY_SIZE];
	int dirfd, fd = -1;
	int rc = dir_open(&dirfd, path);
	if (rc)
		return rc == SST_ENOENT;
	rc = file_open(&fd, dirfd, "LOCK", O_RDONLY, 0);
	bool gone = rc == SST_ENOENT;
	if (!rc)
		gone = file_read(fd, 0, b, sizeof(b), "LOCK") == 0 && load64(b) == IDENTITY_MAGIC &&
		       memcmp(b + 16, token, TOKEN_SIZE);
	file_close(&fd);
	file_close(&dirfd);
	return gone;
}

static int collect_one(void *arg, const char *name)
{
	const struct lsm *db = arg;
	uint8_t token[TOKEN_SIZE];
	struct segment s;
	if (token_of_name(name, token) || segment_open(&s, db->shmfd, name, sizeof(struct control), true))
		return 0;
	const struct control *c = (const void *)s.base;
	char path[STORE_PATH_MAX];
	memcpy(path, c->path, sizeof(path));
	bool known = c->magic == CONTROL_MAGIC && c->layout == CONTROL_LAYOUT && path[0] == '/' &&
		     memchr(path, 0, sizeof(path)) && c->path_space && c->path_space == path_space();
	segment_close(&s);
	if (known && is_gone(path, token))
		segments_remove(db, token);
	return 0;
}

/*
 * Segments outlive a directory that was removed with rm -r. Whoever rebuilds or makes a store, which is seldom, clears them
 * away: each control segment says where its store was. That is safe even where it errs (the directory was moved): a
 * segment is a cache, and who still uses it finds out that it lost its name.
 */
void segments_collect(const struct lsm *db)
{
	if (db->shmfd >= 0)
		(void)dir_list(db->shmfd, collect_one, (void *)(uintptr_t)db);
}

void segments_remove(const struct lsm *db, const uint8_t token[TOKEN_SIZE])
{
	for (uint32_t place = PLACE_SHM; place <= PLACE_DIRECTORY; place++) {
		struct removal r = {.dirfd = segment_place_fd(db, place)};
		if (r.dirfd < 0)
			continue;
		segment_prefix(r.prefix, token, place);
		(void)dir_list(r.dirfd, remove_if_ours, &r);
	}
}
