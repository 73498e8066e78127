/* SPDX-License-Identifier: MIT */
/* Building a table by itself: sst_builder_*. Entries go to the table builder, or with `sort` first to the sorter. */
#include <stdlib.h>

#include "base/status.h"
#include "db/sorter.h"
#include "os/new_file.h"
#include "os/pool.h"
#include "table/builder.h"

#define ZSTD_LEVEL_DEFAULT 1
#define BLOOM_BITS_DEFAULT 10
#define STREAM_SORT_DIRECTORY "/tmp"

struct stream_sink {
	struct sink sink;
	int (*write)(void *arg, const void *p, size_t n);
	void *arg;
};

struct sst_builder {
	struct new_file *file; /* NULL: a stream */
	struct stream_sink stream;
	struct pool *pool;
	struct table_builder *table;
	struct sorter *sorter; /* NULL: entries come in order */
	bool sequences, any;
	struct buf last; /* user key; without sequences and sorter */
};

/* ---------------------------------------------------------------- life */

static int stream_write(struct sink *sink, const void *p, size_t n)
{
	struct stream_sink *s = (struct stream_sink *)(void *)sink;
	int rc = s->write(s->arg, p, n);
	return rc ? fail(rc < 0 ? rc : SST_EIO, "cannot write the table") : 0;
}

static int start_table(struct sst_builder *b, struct sink *sink, const struct sst_builder_options *opt)
{
	b->pool = pool_new(0);
	const struct table_options options = {
		.block_size = opt->block_size,
		.compression = opt->zstd_level ? COMPRESSION_ZSTD : COMPRESSION_NONE,
		.compression_level = opt->zstd_level,
		.bloom_bits_per_key = opt->bloom_bits_per_key,
		.external = !opt->sequences,
		.pool = b->pool,
	};
	return table_builder_new(&b->table, sink, &options);
}

/* The directory part of a path, to be freed. */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? strndup(path, (size_t)(slash + 1 - path)) : strdup(".");
}

static int start_sorter(struct sst_builder *b, const char *path, const struct sst_builder_options *opt)
{
	char *own = opt->sort_directory ? NULL : path ? directory_of(path) : strdup(STREAM_SORT_DIRECTORY);
	if (!opt->sort_directory && !own)
		return fail_memory();
	int rc = sorter_new(&b->sorter, opt->sort_memory ? opt->sort_memory : SORTER_MEMORY_DEFAULT,
		own ? own : opt->sort_directory);
	free(own);
	return rc;
}

static int check_options(const struct sst_builder_options *opt)
{
	if (opt->sort && opt->sequences)
		return fail(SST_EINVAL, "entries with sequence numbers are not sorted");
	if (opt->zstd_level > 22)
		return fail(SST_EINVAL, "zstd level %d is above 22", opt->zstd_level);
	return 0;
}

/* path NULL: the stream. */
static int builder_open(struct sst_builder **out, const char *path, const struct stream_sink *stream,
	const struct sst_builder_options *opt)
{
	static const struct sst_builder_options defaults = {
		.zstd_level = ZSTD_LEVEL_DEFAULT, .bloom_bits_per_key = BLOOM_BITS_DEFAULT};
	opt = opt ? opt : &defaults;
	int rc = check_options(opt);
	if (rc)
		return rc;
	struct sst_builder *b = calloc(1, sizeof(*b));
	if (!b)
		return fail_memory();
	b->stream = *stream;
	b->sequences = opt->sequences;
	if (path)
		rc = new_file_open(&b->file, path);
	if (!rc)
		rc = start_table(b, path ? new_file_sink(b->file) : &b->stream.sink, opt);
	if (!rc && opt->sort)
		rc = start_sorter(b, path, opt);
	if (rc)
		sst_builder_close(b);
	else
		*out = b;
	return rc;
}

int sst_builder_open(struct sst_builder **out, const char *path, const struct sst_builder_options *opt)
{
	return builder_open(out, path, &(struct stream_sink){0}, opt);
}

int sst_builder_open_stream(struct sst_builder **out, int (*write)(void *arg, const void *p, size_t n), void *arg,
	const struct sst_builder_options *opt)
{
	return builder_open(out, NULL, &(struct stream_sink){{stream_write}, write, arg}, opt);
}

void sst_builder_close(struct sst_builder *b)
{
	if (!b)
		return;
	sorter_free(b->sorter);
	table_builder_free(b->table);
	pool_free(b->pool);
	new_file_close(b->file);
	buf_release(&b->last);
	free(b);
}

const char *sst_builder_temporary(const struct sst_builder *b)
{
	return b->file ? new_file_temporary(b->file) : NULL;
}

/* ---------------------------------------------------------------- entries */

static int check_above_last(const struct sst_builder *b, struct sst_slice key)
{
	int c = b->any ? slice_cmp(key, buf_slice(&b->last)) : 1;
	if (c > 0)
		return 0;
	return fail_key(SST_EINVAL, key, c ? "below the key before it" : "the same as the key before it");
}

static int add_in_order(struct sst_builder *b, const struct sst_entry *e, uint64_t tag)
{
	int rc = b->sequences ? 0 : check_above_last(b, e->key);
	if (!rc)
		rc = table_builder_add_parts(b->table, e->key, tag, e->value);
	if (rc || b->sequences)
		return rc;
	b->any = true;
	buf_clear(&b->last);
	buf_append_slice(&b->last, e->key);
	return buf_check(&b->last);
}

/* What the table builder would refuse later, when nobody knows any more which entry that was. */
static int check_sortable(const struct sst_entry *e)
{
	if (e->key.size > LSM_KEY_MAX || e->value.size > LSM_VALUE_MAX)
		return fail_key(SST_EINVAL, e->key, "key or value too long");
	if (e->type != SST_PUT && e->type != SST_DELETE && e->type != SST_SINGLE_DELETE)
		return fail_key(SST_EINVAL, e->key, "type %u has no place in a table", e->type);
	if (e->sequence)
		return fail_key(SST_EINVAL, e->key, "it has a sequence number");
	return 0;
}

int sst_builder_add(struct sst_builder *b, const struct sst_entry *e)
{
	if (e->type > UINT8_MAX || e->sequence > SEQUENCE_MAX)
		return fail_key(SST_EINVAL, e->key, "no such type or sequence number");
	if (!b->sorter)
		return add_in_order(b, e, tag_make(e->sequence, e->type));
	int rc = check_sortable(e);
	return rc ? rc : sorter_add(b->sorter, e->key, (uint8_t)e->type, e->value);
}

/* ---------------------------------------------------------------- the end */

static int take_sorted(void *arg, struct sst_slice ikey, struct sst_slice value)
{
	return table_builder_add(arg, ikey, value);
}

int sst_builder_finish(struct sst_builder *b, struct sst_built *built)
{
	int rc = b->sorter ? sorter_drain(b->sorter, take_sorted, b->table) : 0;
	if (!rc)
		rc = table_builder_finish(b->table);
	if (!rc && b->file)
		rc = new_file_finish(b->file);
	if (rc)
		return rc;
	const struct table_stats *s = table_builder_stats(b->table);
	if (built)
		*built = (struct sst_built){s->entries, s->deletions, s->file_size};
	return 0;
}
