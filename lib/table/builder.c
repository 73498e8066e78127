/* SPDX-License-Identifier: MIT */
/*
 * How a table comes into being:
 *
 *     add -> block builder -> job (some blocks) -> worker: compress, checksum -> sink, index
 *
 * The calling thread gathers entries into the job `filling`, prefix-compressed already, and hashes the keys. A
 * job with enough blocks goes to the pool. Jobs form a ring: `oldest` .. `filling`; they are collected in order, so
 * offsets are known, and index entries written, only then. When the ring is full, or holds too many bytes, the
 * caller waits for the oldest job, running queued ones meanwhile.
 *
 * Layout (RocksDB table/block_based/block_based_table_builder.cc): data blocks, filter, index, properties,
 * metaindex, footer. The index has RocksDB's type 3: last key of the block -> handle, first key. The last key itself
 * is the separator: shorter ones would need care when versions of one key meet a block boundary.
 */
#include "table/builder.h"

#include <stdlib.h>

#include "base/filter_hash.h"
#include "base/status.h"
#include "table/block_builder.h"
#include "table/block_job.h"
#include "table/filter.h"
#include "table/tail.h"

#define RESTART_INTERVAL 16
#define JOB_SIZE ((size_t)64 << 10)	    /* raw bytes at which a job is handed over: all jobs together fit into a cache */
#define JOB_KEEP (4 * JOB_SIZE)		    /* larger buffers are not kept for the next job */
#define IN_FLIGHT_BYTES ((size_t)64 << 20) /* raw bytes in jobs handed over */

struct table_builder {
	struct sink *sink;
	struct table_options options;
	int error; /* of every later call: the table has failed, or is finished */

	struct block_builder block; /* the data block that grows in the job being filled */
	bool in_block;
	size_t first_key_size; /* of that block */
	struct buf last, next; /* internal keys: added last, being added */

	struct block_codec codec;
	struct block_job *jobs; /* a ring of job_count */
	unsigned job_count, oldest, in_flight;
	size_t in_flight_bytes;

	struct buf hashes; /* uint64_t filter_hash of each distinct user key */
	struct buf index_out, scratch, smallest;
	struct block_builder index;
	uint64_t offset; /* bytes given to the sink */
	struct table_stats stats;
};

/* ---------------------------------------------------------------- life */

static int start(struct table_builder *b)
{
	unsigned workers = b->options.pool ? pool_workers(b->options.pool) : 0;
	int rc = block_codec_init(&b->codec, b->options.compression, b->options.compression_level, workers);
	if (rc)
		return rc;
	b->job_count = workers ? 4 * workers + 3 : 1;
	b->jobs = calloc(b->job_count, sizeof(b->jobs[0]));
	if (!b->jobs)
		return fail_memory();
	for (unsigned i = 0; i < b->job_count; i++) {
		b->jobs[i].job.run = block_job_run;
		b->jobs[i].codec = &b->codec;
	}
	block_builder_start(&b->index, &b->index_out, 1);
	return 0;
}

int table_builder_new(struct table_builder **out, struct sink *sink, const struct table_options *options)
{
	*out = NULL;
	if (options->block_size > TABLE_BLOCK_SIZE_MAX)
		return fail(SST_EINVAL, "a block size of %zu is above %zu", options->block_size,
			TABLE_BLOCK_SIZE_MAX);
	struct table_builder *b = calloc(1, sizeof(*b));
	if (!b)
		return fail_memory();
	b->sink = sink;
	b->options = *options;
	if (!b->options.block_size)
		b->options.block_size = TABLE_BLOCK_SIZE_DEFAULT;
	int rc = start(b);
	if (rc)
		table_builder_free(b);
	else
		*out = b;
	return rc;
}

static struct block_job *oldest_job(struct table_builder *b)
{
	return &b->jobs[b->oldest];
}

static struct block_job *filling_job(struct table_builder *b)
{
	return &b->jobs[(b->oldest + b->in_flight) % b->job_count];
}

void table_builder_free(struct table_builder *b)
{
	if (!b)
		return;
	for (; b->in_flight; b->in_flight--) {
		pool_wait(b->options.pool, &oldest_job(b)->job);
		b->oldest = (b->oldest + 1) % b->job_count;
	}
	for (unsigned i = 0; b->jobs && i < b->job_count; i++)
		block_job_release(&b->jobs[i]);
	free(b->jobs);
	block_codec_release(&b->codec);
	block_builder_release(&b->block);
	block_builder_release(&b->index);
	buf_release(&b->last);
	buf_release(&b->next);
	buf_release(&b->hashes);
	buf_release(&b->index_out);
	buf_release(&b->scratch);
	buf_release(&b->smallest);
	free(b);
}

const struct table_stats *table_builder_stats(const struct table_builder *b)
{
	return &b->stats;
}

uint64_t table_builder_size(const struct table_builder *b)
{
	return b->offset;
}

/* The table cannot become whole any more. */
static int lose(struct table_builder *b, int rc)
{
	if (rc < 0)
		b->error = rc;
	return rc;
}

/* ---------------------------------------------------------------- blocks into the file */

static int emit(struct table_builder *b, struct sst_slice bytes)
{
	int rc = b->sink->write(b->sink, bytes.data, bytes.size);
	if (!rc)
		b->offset += bytes.size;
	return rc;
}

static int index_block(struct table_builder *b, struct block_handle h, struct sst_slice first,
	struct sst_slice last)
{
	buf_clear(&b->scratch);
	put_handle(&b->scratch, h);
	put_slice(&b->scratch, first);
	int rc = buf_check(&b->scratch);
	if (rc)
		return rc;
	block_builder_add(&b->index, last, 0, buf_slice(&b->scratch));
	return buf_check(&b->index_out);
}

static int index_job(struct table_builder *b, const struct block_job *j, uint64_t offset)
{
	struct sst_slice keys = buf_slice(&j->keys);
	for (size_t i = 0; i < block_job_count(j); i++) {
		const struct block_span *s = block_job_span(j, i);
		struct sst_slice first = slice_of(keys.data, s->first_key_size);
		struct sst_slice last = slice_of(keys.data + first.size, s->last_key_size);
		int rc = index_block(b, (struct block_handle){offset, s->size}, first, last);
		if (rc)
			return rc;
		keys = slice_skip(keys, first.size + last.size);
		offset += s->size + BLOCK_TRAILER_SIZE;
	}
	b->stats.data_blocks += block_job_count(j);
	b->stats.data_bytes = offset;
	return 0;
}

/* Writes what the job made. The job is done. */
static int emit_job(struct table_builder *b, struct block_job *j)
{
	uint64_t offset = b->offset;
	int rc = j->error == SST_ENOMEM ? fail_memory() : j->error;
	if (!rc)
		rc = emit(b, block_job_output(j));
	if (!rc)
		rc = index_job(b, j, offset);
	block_job_clear(j, JOB_KEEP);
	return rc;
}

static int collect_oldest(struct table_builder *b)
{
	struct block_job *j = oldest_job(b);
	pool_wait(b->options.pool, &j->job);
	b->in_flight_bytes -= j->raw.size;
	b->oldest = (b->oldest + 1) % b->job_count;
	b->in_flight--;
	return emit_job(b, j);
}

static int collect_all(struct table_builder *b)
{
	int rc = 0;
	while (!rc && b->in_flight)
		rc = collect_oldest(b);
	return rc;
}

/* After this there is a free job to fill. */
static int collect_enough(struct table_builder *b)
{
	int rc = 0;
	while (!rc && b->in_flight &&
		(b->in_flight + 1 == b->job_count || b->in_flight_bytes > IN_FLIGHT_BYTES ||
			pool_done(b->options.pool, &oldest_job(b)->job)))
		rc = collect_oldest(b);
	return rc;
}

static int hand_over(struct table_builder *b)
{
	struct block_job *j = filling_job(b);
	if (!b->options.pool) {
		block_job_run(&j->job, 0);
		return emit_job(b, j);
	}
	b->in_flight_bytes += j->raw.size;
	b->in_flight++;
	pool_submit(b->options.pool, &j->job);
	return collect_enough(b);
}

/* ---------------------------------------------------------------- entries into blocks */

static int cut_block(struct table_builder *b)
{
	struct block_job *j = filling_job(b);
	int rc = block_builder_finish(&b->block);
	if (rc)
		return rc;
	b->in_block = false;
	block_job_cut(j, j->raw.size - b->block.start, b->first_key_size, buf_slice(&b->last));
	rc = buf_check(&j->raw);
	if (!rc)
		rc = buf_check(&j->keys);
	if (!rc)
		rc = buf_check(&j->spans);
	return !rc && j->raw.size >= JOB_SIZE ? hand_over(b) : rc;
}

static int start_block(struct table_builder *b, struct sst_slice first_key)
{
	struct block_job *j = filling_job(b);
	if (!buf_reserve(&j->raw, JOB_SIZE / 4))
		return fail_memory();
	buf_append_slice(&j->keys, first_key);
	b->first_key_size = first_key.size;
	block_builder_start(&b->block, &j->raw, RESTART_INTERVAL);
	b->in_block = true;
	return 0;
}

static int check_entry(const struct table_builder *b, struct sst_slice user_key, uint64_t tag,
	struct sst_slice value)
{
	if (b->error)
		return fail(b->error, "the table is finished or has failed before");
	if (user_key.size > LSM_KEY_MAX)
		return fail(SST_EINVAL, "a key of %zu bytes is above %u", user_key.size, LSM_KEY_MAX);
	if (value.size > LSM_VALUE_MAX)
		return fail(SST_EINVAL, "a value of %zu bytes is above %u", value.size, LSM_VALUE_MAX);
	uint8_t type = tag_type(tag);
	if (type != TYPE_VALUE && type != TYPE_DELETION && type != TYPE_SINGLE_DELETION)
		return fail(SST_EINVAL, "an entry of type %d has no place in a data block", type);
	if (b->options.external && tag_sequence(tag))
		return fail(SST_EINVAL, "sequence number %llu in an external table",
			(unsigned long long)tag_sequence(tag));
	return 0;
}

/* Where `next` stands to the key before it. */
struct relation {
	size_t shared;	/* bytes of the internal keys in common */
	bool follows, same_user_key;
};

static inline struct relation relate(struct sst_slice last, struct sst_slice next)
{
	struct relation r = {.shared = slice_common(last, next)};
	size_t l = last.size - IKEY_TAG_SIZE, n = next.size - IKEY_TAG_SIZE;
	size_t common_max = l < n ? l : n;
	if (r.shared < common_max) {
		r.follows = next.data[r.shared] > last.data[r.shared];
	} else if (l != n) {
		r.follows = n > l;
	} else {
		r.same_user_key = true;
		r.follows = tag_cmp(ikey_tag(last), ikey_tag(next)) < 0;
	}
	return r;
}

static void count_entry(struct table_stats *s, uint64_t tag, size_t key_size, size_t value_size)
{
	uint64_t sequence = tag_sequence(tag);
	if (!s->entries || sequence < s->smallest_sequence)
		s->smallest_sequence = sequence;
	if (sequence > s->largest_sequence)
		s->largest_sequence = sequence;
	s->entries++;
	s->deletions += tag_type(tag) != TYPE_VALUE;
	s->raw_key_bytes += key_size;
	s->raw_value_bytes += value_size;
}

/* The entry that makes a block large enough is its last. One that is larger than a block has its own. */
static int add_entry(struct table_builder *b, struct sst_slice key, size_t shared, struct sst_slice value)
{
	int rc = 0;
	if (b->in_block && key.size + value.size > b->options.block_size)
		rc = cut_block(b);
	if (!rc && !b->in_block)
		rc = start_block(b, key);
	if (rc)
		return rc;
	block_builder_add(&b->block, key, shared, value);
	if (b->block.out->failed)
		return fail_memory();
	struct buf swap = b->last;
	b->last = b->next;
	b->next = swap;
	return block_builder_size(&b->block) >= b->options.block_size ? cut_block(b) : 0;
}

int table_builder_add_parts(struct table_builder *b, struct sst_slice user_key, uint64_t tag,
	struct sst_slice value)
{
	int rc = check_entry(b, user_key, tag, value);
	if (rc)
		return rc;
	buf_clear(&b->next);
	put_ikey(&b->next, user_key, tag);
	if (b->next.failed)
		return lose(b, fail_memory());
	struct sst_slice key = buf_slice(&b->next);
	struct relation r = {.follows = true};
	if (b->stats.entries)
		r = relate(buf_slice(&b->last), key);
	else
		buf_append_slice(&b->smallest, key);
	if (!r.follows)
		return fail(SST_EINVAL, "entry %llu is not in order: its key is not above the one before",
			(unsigned long long)b->stats.entries + 1);
	if (b->options.bloom_bits_per_key && !r.same_user_key)
		put_fixed64(&b->hashes, filter_hash(user_key));
	count_entry(&b->stats, tag, key.size, value.size);
	return lose(b, add_entry(b, key, r.shared, value));
}

int table_builder_add(struct table_builder *b, struct sst_slice ikey, struct sst_slice value)
{
	return table_builder_add_parts(b, ikey_user(ikey), ikey_tag(ikey), value);
}

/* ---------------------------------------------------------------- behind the data blocks */

static int write_tail(struct table_builder *b, struct buf *filter)
{
	struct table_tail t = {.sink = b->sink,
		.offset = b->offset,
		.options = &b->options,
		.stats = &b->stats,
		.filter_entries = b->hashes.size / sizeof(uint64_t),
		.filter = filter,
		.index = &b->index};
	int rc = table_tail_write(&t);
	b->offset = t.offset;
	return rc;
}

/* The filter is made while the workers compress the last blocks. */
static int finish_steps(struct table_builder *b, struct buf *filter)
{
	int rc = b->in_block ? cut_block(b) : 0;
	if (!rc && block_job_count(filling_job(b)))
		rc = hand_over(b);
	if (!rc)
		rc = buf_check(&b->smallest);
	if (!rc)
		rc = buf_check(&b->hashes);
	if (!rc && b->hashes.size)
		filter_build(filter, (const uint64_t *)(const void *)b->hashes.data,
			b->hashes.size / sizeof(uint64_t), b->options.bloom_bits_per_key);
	if (!rc)
		rc = collect_all(b);
	return rc ? rc : write_tail(b, filter);
}

int table_builder_finish(struct table_builder *b)
{
	if (b->error)
		return fail(b->error, "the table is finished or has failed before");
	struct buf filter = {0};
	int rc = finish_steps(b, &filter);
	buf_release(&filter);
	if (rc)
		return lose(b, rc);
	b->stats.file_size = b->offset;
	b->stats.smallest = buf_slice(&b->smallest);
	b->stats.largest = buf_slice(&b->last);
	b->error = SST_EINVAL;
	return 0;
}
