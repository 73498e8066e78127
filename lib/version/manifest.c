/* SPDX-License-Identifier: MIT */
/*
 * Reading: every record of the log is one edit; the builder (version.c) adds them up. Edits of
 * an atomic group are held back until the group is complete; RocksDB, too, forgets a group that
 * the end of the file cuts off.
 *
 * Writing. Appending is one write and one fdatasync; a crash leaves the edit, or a torn tail
 * that readers leave out and the next writer cuts off. A new MANIFEST is complete and durable,
 * its name included, before CURRENT may name it:
 *
 *     crash before the rename of CURRENT   it names the old MANIFEST; the new one is a stray
 *     crash behind it                      it names the new one
 *
 * A new MANIFEST always has tag 203 (max column family, 0): RocksDB ignores it, and a store
 * without tables would otherwise look like LevelDB's.
 */
#include "version/manifest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/status.h"
#include "wal/log.h"

#define CURRENT "CURRENT"

int current_read(int dirfd, uint64_t *manifest_number)
{
	struct buf b = {0};
	char name[FILE_NAME_MAX + 1], again[FILE_NAME_MAX];
	int rc = file_read_all(dirfd, CURRENT, &b, FILE_NAME_MAX);
	if (rc == SST_NO)
		return fail(SST_ENOENT, "no '" CURRENT "'");
	if (rc)
		goto done;
	bool line = b.size && b.data[b.size - 1] == '\n';
	memcpy(name, b.data ? b.data : (const uint8_t *)"", b.size);
	name[line ? b.size - 1 : 0] = 0;
	if (file_name_parse(name, manifest_number) != FILE_MANIFEST ||
		*manifest_number > FILE_NUMBER_MAX ||
		strcmp(name, file_name(again, FILE_MANIFEST, *manifest_number)) != 0 ||
		strlen(name) + 1 != b.size)
		rc = fail(SST_ECORRUPT,
			"'" CURRENT "' does not hold the name of a MANIFEST and a newline");
done:
	buf_release(&b);
	return rc;
}

int current_write(int dirfd, uint64_t manifest_number, mode_t mode)
{
	char name[FILE_NAME_MAX], temporary[FILE_NAME_MAX], line[FILE_NAME_MAX + 1];
	file_name(name, FILE_MANIFEST, manifest_number);
	file_name(temporary, FILE_TEMPORARY, manifest_number);
	size_t n = strlen(name);
	memcpy(line, name, n);
	line[n] = '\n';
	return file_replace(dirfd, CURRENT, temporary, slice_of(line, n + 1), mode);
}

/* ---------------------------------------------------------------- reading */

struct reading {
	struct log_reader log;
	struct builder builder;
	/* An atomic group that is not complete yet. */
	struct edit *group;
	uint64_t *group_at;
	size_t group_count;
	uint64_t group_left;
	uint64_t group_begin; /* where the log ends without it */
};

static void group_release(struct reading *r)
{
	for (size_t i = 0; i < r->group_count; i++)
		edit_release(&r->group[i]);
	free(r->group);
	free(r->group_at);
	r->group = NULL;
	r->group_at = NULL;
	r->group_count = 0;
}

static int group_apply(struct reading *r)
{
	int rc = 0;
	for (size_t i = 0; i < r->group_count && !rc; i++)
		rc = builder_add(&r->builder, &r->group[i], r->group_at[i]);
	group_release(r);
	return rc;
}

/* Takes *e over. The first edit of a group says how many are behind it, and each further
 * one, one less. */
static int group_add(struct reading *r, struct edit *e, uint64_t before)
{
	size_t n = r->group_count;
	if (n && e->atomic_remaining != r->group_left - 1)
		return fail(SST_ECORRUPT,
			"an atomic group says %" PRIu64 " edits are behind this, not %" PRIu64,
			e->atomic_remaining, r->group_left - 1);
	if (!n)
		r->group_begin = before;
	if ((n & (n - 1)) == 0) { /* a power of two, or 0: full */
		size_t cap = n ? 2 * n : 1;
		struct edit *p = reallocarray(r->group, cap, sizeof(*p));
		r->group = p ? p : r->group;
		uint64_t *q = reallocarray(r->group_at, cap, sizeof(*q));
		r->group_at = q ? q : r->group_at;
		if (!p || !q)
			return fail_memory();
	}
	r->group[n] = *e;
	r->group_at[n] = r->log.record_offset;
	*e = (struct edit){0};
	r->group_count++;
	r->group_left = r->group[n].atomic_remaining;
	return r->group_left ? 0 : group_apply(r);
}

static int add_record(struct reading *r, struct sst_slice record, uint64_t before)
{
	struct edit e = {0};
	int rc = edit_decode(&e, record);
	if (!rc && e.in_atomic_group)
		rc = group_add(r, &e, before);
	else if (!rc && r->group_count)
		rc = fail(SST_ECORRUPT, "%" PRIu64 " edits of an atomic group are missing",
			r->group_left);
	else if (!rc)
		rc = builder_add(&r->builder, &e, r->log.record_offset);
	edit_release(&e);
	if (rc)
		return fail_in(rc, "'%s': edit at %" PRIu64, r->log.source->name,
			r->log.record_offset);
	r->builder.v->edits++;
	return 0;
}

/* A torn tail may be left out, but not with records behind it. */
static int check_tail(struct reading *r)
{
	if (r->log.end != LOG_END_TORN)
		return 0;
	uint64_t bad = r->log.bad_offset, end = r->log.good_end;
	int rc = log_reader_resync(&r->log);
	r->log.good_end = end;
	if (rc == 0)
		return fail(SST_ECORRUPT,
			"'%s': record at %" PRIu64 ": damaged, and a whole one is at %" PRIu64,
			r->log.source->name, bad, r->log.offset);
	return rc == SST_NO ? 0 : rc;
}

static int read_records(struct reading *r)
{
	struct sst_slice record;
	for (;;) {
		uint64_t before = r->log.good_end;
		int rc = log_reader_next(&r->log, &record);
		if (rc == SST_NO)
			break;
		if (!rc)
			rc = add_record(r, record, before);
		if (rc)
			return rc;
	}
	int rc = check_tail(r);
	r->builder.v->manifest_size = r->group_count ? r->group_begin : r->log.good_end;
	return rc;
}

static int check_complete(const struct builder *b)
{
	const struct version *v = b->v;
	if (!b->has_next_file || !b->has_log_number || !b->has_last_sequence)
		return fail(SST_ECORRUPT, "no %s in it",
			!b->has_next_file    ? "next file number"
			: !b->has_log_number ? "log number"
					     : "last sequence number");
	for (size_t i = 0; i < v->table_count; i++)
		if (v->tables[i].largest_sequence > v->last_sequence)
			return fail(SST_ECORRUPT,
				"table %" PRIu64 " has sequence number %" PRIu64
				", the store only %" PRIu64,
				v->tables[i].number, v->tables[i].largest_sequence,
				v->last_sequence);
	return 0;
}

static int read_source(struct source *s, const char *family, struct version *v)
{
	struct reading r = {0};
	log_reader_init(&r.log, s, v->manifest_number, 0);
	int rc = builder_init(&r.builder, v, family);
	if (!rc)
		rc = read_records(&r);
	if (!rc) {
		rc = builder_finish(&r.builder);
		if (!rc)
			rc = check_complete(&r.builder);
		if (rc)
			rc = fail_in(rc, "'%s'", s->name);
	}
	group_release(&r);
	builder_release(&r.builder);
	log_reader_release(&r.log);
	return rc;
}

int manifest_read(
	int dirfd, uint64_t number, uint64_t limit, const char *family, struct version *v)
{
	char name[FILE_NAME_MAX];
	struct file_id id;
	int fd, rc = file_open_id(&fd, &id, dirfd, file_name(name, FILE_MANIFEST, number), O_RDONLY, 0);
	*v = (struct version){.manifest_number = number};
	if (!rc) {
		struct file_source s;
		v->file_size = id.size < limit ? id.size : limit;
		v->next_file = number + 1;
		file_source_init(&s, fd, v->file_size, name);
		rc = read_source(&s.source, family, v);
	}
	file_close(&fd);
	if (rc)
		version_release(v);
	return rc;
}

/* ---------------------------------------------------------------- writing */

/* Frames the edit for offset `at`. */
static int frame_edit(const struct edit *e, uint64_t at, struct buf *out)
{
	struct buf record = {0};
	edit_encode(e, &record);
	int rc = buf_check(&record);
	if (!rc) {
		log_frame(out, at, buf_slice(&record));
		rc = buf_check(out);
	}
	buf_release(&record);
	return rc;
}

/* After a failed write: the error that counts is the first one, so those of cutting back are
 * not told. */
static int cut_back(int fd, uint64_t size, const char *name, int rc)
{
	char first[512];
	strncpy(first, sst_errmsg(), sizeof(first) - 1);
	first[sizeof(first) - 1] = 0;
	if (file_truncate(fd, size, name) == 0)
		file_sync_data(fd, name);
	return fail(rc, "%s", first);
}

int manifest_append(int fd, uint64_t *size, const struct edit *e, const char *name)
{
	struct buf framed = {0};
	struct file_id id;
	int rc = file_identify(fd, &id, name);
	if (!rc && id.size != *size)
		rc = fail(SST_ECORRUPT,
			"'%s' has %" PRIu64 " bytes, not the %" PRIu64 " of its known edits",
			name, id.size, *size);
	if (!rc)
		rc = frame_edit(e, *size, &framed);
	if (!rc) {
		rc = file_write(fd, *size, framed.data, framed.size, name);
		if (!rc)
			rc = file_sync_data(fd, name);
		if (rc)
			rc = cut_back(fd, *size, name, rc);
		else
			*size += framed.size;
	}
	buf_release(&framed);
	return rc;
}

/* The whole of v as one edit that borrows everything from v: not to be released. */
static struct edit edit_of(const struct version *v)
{
	return (struct edit){
		.has_comparator = true,
		.comparator = v->families[0].comparator,
		.has_log_number = true,
		.log_number = v->log_number,
		.prev_log_number = v->prev_log_number,
		.has_next_file = true,
		.next_file = v->next_file,
		.has_last_sequence = true,
		.last_sequence = v->last_sequence,
		.has_min_log_number = v->min_log_number != 0,
		.min_log_number = v->min_log_number,
		.has_max_family = true,
		.added = v->tables,
		.added_count = v->table_count,
		.foreign = v->foreign,
	};
}

static int write_new(int dirfd, const char *name, struct sst_slice content, mode_t mode)
{
	int fd, rc = file_open(&fd, dirfd, name, O_WRONLY | O_CREAT | O_EXCL, mode);
	if (rc)
		return rc;
	rc = file_write(fd, 0, content.data, content.size, name);
	if (!rc)
		rc = file_sync(fd, name);
	file_close(&fd);
	if (rc)
		dir_remove(dirfd, name);
	return rc ? rc : dir_sync(dirfd);
}

int manifest_create(int dirfd, uint64_t number, struct version *v, mode_t mode)
{
	char name[FILE_NAME_MAX];
	struct buf framed = {0};
	if (v->family_count > 1 || v->leveldb)
		return fail(SST_EUNSUPPORTED, "cannot write a MANIFEST for %s",
			v->leveldb ? "a LevelDB store"
				   : "a store with several column families");
	if (v->next_file <= number)
		v->next_file = number + 1;
	struct edit e = edit_of(v);
	int rc = frame_edit(&e, 0, &framed);
	if (!rc)
		rc = write_new(dirfd, file_name(name, FILE_MANIFEST, number),
			buf_slice(&framed), mode);
	if (!rc) {
		v->manifest_number = number;
		v->manifest_size = v->file_size = framed.size;
		v->edits = 1;
	}
	buf_release(&framed);
	return rc;
}
