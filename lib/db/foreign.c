/* SPDX-License-Identifier: MIT */
/*
 * Blob files are opened with the tables, since RocksDB may remove them at any time; their headers
 * are read when a value is asked for.
 *
 * Merge operator. RocksDB merges by the operator that the program configures, and writes that into
 * the OPTIONS file whenever it opens the store. So: the newest OPTIONS file that names one for the
 * column family; where none does, what all tables agree on (without a delimiter: tables do not tell
 * it). If a delimiter is needed and not known there is no answer but an error.
 */
#include "db/foreign.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/status.h"
#include "db/blob.h"
#include "db/merge_operator.h"
#include "db/options_file.h"
#include "db/tables.h"
#include "table/inspect.h"

#define OPTIONS_FILES_MAX 8 /* RocksDB keeps two */

struct open_blob {
	uint64_t number;
	int fd;
	bool ready; /* header and footer were read */
	struct file_source source;
	struct blob_file file;
	char name[FILE_NAME_MAX];
};

struct foreign {
	struct open_blob *blobs; /* by number */
	size_t blob_count;
	struct decompressor decompressor;
	struct buf record;
	bool asked; /* for the operator */
	const struct merge_operator *operator; /* NULL: none is known */
	struct merge_options options; /* its name, also of an unknown one */
};

/* ---------------------------------------------------------------- blob files */

static int open_blob(struct lsm *db, struct open_blob *b)
{
	struct file_id id;
	int rc = file_open_id(&b->fd, &id, db->dirfd, file_name(b->name, FILE_BLOB, b->number), O_RDONLY, 0);
	if (!rc)
		file_source_init(&b->source, b->fd, id.size, b->name);
	return rc;
}

int foreign_open(struct lsm *db)
{
	const struct version *v = &db->version;
	struct foreign *f = db->foreign = calloc(1, sizeof(*f));
	if (!f)
		return fail_memory();
	f->decompressor.dialect = DIALECT_ROCKSDB;
	f->blobs = calloc(v->blob_count + 1, sizeof(*f->blobs));
	if (!f->blobs)
		return fail_memory();
	f->blob_count = v->blob_count;
	for (size_t i = 0; i < v->blob_count; i++)
		f->blobs[i] = (struct open_blob){.number = v->blobs[i].number, .fd = -1};
	for (size_t i = 0; i < v->blob_count; i++)
		if (v->blobs[i].garbage < v->blobs[i].count)
			(void)open_blob(db, &f->blobs[i]); /* tried again when needed */
	return 0;
}

void foreign_close(struct lsm *db)
{
	struct foreign *f = db->foreign;
	if (!f)
		return;
	for (size_t i = 0; i < f->blob_count; i++)
		file_close(&f->blobs[i].fd);
	free(f->blobs);
	decompressor_release(&f->decompressor);
	buf_release(&f->record);
	merge_options_release(&f->options);
	free(f);
	db->foreign = NULL;
}

static int number_cmp(const void *key, const void *element)
{
	uint64_t number = *(const uint64_t *)key;
	const struct open_blob *b = element;
	return (number > b->number) - (number < b->number);
}

static int find_blob(struct lsm *db, uint64_t number, struct open_blob **out)
{
	struct foreign *f = db->foreign;
	struct open_blob *b = bsearch(&number, f->blobs, f->blob_count, sizeof(*b), number_cmp);
	if (!b)
		return fail(SST_ECORRUPT, "blob file %llu is not in the MANIFEST",
			(unsigned long long)number);
	*out = b;
	if (b->ready)
		return 0;
	int rc = b->fd < 0 ? open_blob(db, b) : 0;
	if (rc == SST_ENOENT)
		return fail(SST_ECORRUPT, "'%s' is missing", b->name);
	if (!rc)
		rc = blob_file_open(&b->file, &b->source.source, db->version.family);
	b->ready = !rc;
	return rc;
}

int foreign_blob(struct lsm *db, struct sst_slice user_key, struct sst_slice blob_index, struct buf *out)
{
	struct foreign *f = db->foreign;
	struct blob_index index;
	struct open_blob *b = NULL;
	if (!f)
		return fail_key(SST_EUNSUPPORTED, user_key, "its newest entry is a blob index");
	int rc = blob_index_decode(&index, blob_index);
	if (!rc)
		rc = find_blob(db, index.file, &b);
	if (!rc)
		rc = blob_file_read(&b->file, &index, user_key, &f->decompressor, &f->record, out);
	return rc ? fail_key(rc, user_key, "%s", sst_errmsg()) : 0;
}

/* ---------------------------------------------------------------- merge operator */

struct options_files {
	uint64_t numbers[OPTIONS_FILES_MAX]; /* the newest first */
	size_t count;
};

static int note_options(void *arg, const char *name)
{
	struct options_files *o = arg;
	uint64_t number;
	if (file_name_parse(name, &number) != FILE_OPTIONS)
		return 0;
	size_t i = o->count;
	for (; i && o->numbers[i - 1] < number; i--)
		if (i < OPTIONS_FILES_MAX)
			o->numbers[i] = o->numbers[i - 1];
	if (i < OPTIONS_FILES_MAX)
		o->numbers[i] = number;
	o->count += o->count < OPTIONS_FILES_MAX;
	return 0;
}

static int ask_options(struct lsm *db, const char *family)
{
	struct options_files o = {.count = 0};
	struct buf text = {0};
	char name[FILE_NAME_MAX];
	int rc = dir_list(db->dirfd, note_options, &o);
	if (!rc)
		rc = SST_NO;
	for (size_t i = 0; i < o.count && rc == SST_NO; i++) {
		file_name(name, FILE_OPTIONS, o.numbers[i]);
		/* One that cannot be read says nothing. */
		if (file_read_all(db->dirfd, name, &text, OPTIONS_FILE_MAX) == 0) {
			merge_options_release(&db->foreign->options);
			rc = merge_options_read(&db->foreign->options, buf_slice(&text), family);
		}
	}
	buf_release(&text);
	return rc;
}

/* Takes the name over; SST_NO when it contradicts that of a table before. */
static int agree(void *arg, const struct sst_property *p)
{
	struct buf *name = arg;
	if (!slice_eq(p->name, slice_str("rocksdb.merge.operator")) || !p->value.size ||
		slice_eq(p->value, slice_str("nullptr")))
		return 0;
	if (name->size)
		return slice_eq(buf_slice(name), p->value) ? 0 : SST_NO;
	buf_append_slice(name, p->value);
	return buf_check(name);
}

static int ask_tables(struct lsm *db)
{
	struct buf *name = &db->foreign->options.name;
	struct table *t;
	int rc = 0;
	for (size_t i = 0; i < db->version.table_count && !rc; i++) {
		rc = tables_open(db, &db->version.tables[i], &t);
		if (!rc)
			rc = table_show_properties(t, agree, name);
	}
	if (rc == SST_NO)
		buf_clear(name);
	return rc == SST_NO ? 0 : rc;
}

static int find_operator(struct lsm *db)
{
	struct foreign *f = db->foreign;
	if (f->asked)
		return 0;
	int rc = ask_options(db, db->options.family ? db->options.family : "default");
	if (rc == SST_NO)
		rc = ask_tables(db);
	if (rc)
		return rc;
	f->asked = true;
	f->operator = merge_operator_find(buf_slice(&f->options.name));
	return 0;
}

static int fail_operator(const struct foreign *f, struct sst_slice user_key)
{
	const struct buf *name = &f->options.name;
	if (!name->size)
		return fail_key(SST_EUNSUPPORTED, user_key,
			"it has merge operands, and no merge operator is named");
	if (f->operator)
		return fail_key(SST_EUNSUPPORTED, user_key,
			"it has merge operands, and the delimiter of %s is not recorded",
			f->operator->name);
	return fail_key(SST_EUNSUPPORTED, user_key, "it has merge operands, and the operator is '%.*s'",
		name->size > 80 ? 80 : (int)name->size, (const char *)name->data);
}

static bool too_large(const struct merge_input *in)
{
	uint64_t n = in->base.size + (uint64_t)in->delimiter.size * in->count;
	for (size_t i = 0; i < in->count; i++)
		n += in->operands[i].size;
	return n > LSM_VALUE_MAX;
}

int foreign_merge(struct lsm *db, struct sst_slice user_key, struct merge_input *in, struct buf *out)
{
	struct foreign *f = db->foreign;
	if (!f)
		return fail_key(SST_EUNSUPPORTED, user_key, "its newest entry is a merge operand");
	int rc = find_operator(db);
	if (rc)
		return rc;
	bool needs_delimiter = f->operator && f->operator->delimited && in->count + in->has_base > 1;
	if (!f->operator || (needs_delimiter && !f->options.has_delimiter))
		return fail_operator(f, user_key);
	in->delimiter = buf_slice(&f->options.delimiter);
	if (too_large(in))
		return fail_key(SST_EUNSUPPORTED, user_key, "its merged value is too large");
	buf_clear(out);
	f->operator->merge(in, out);
	return buf_check(out);
}
