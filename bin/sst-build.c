/* SPDX-License-Identifier: MIT */
/* sst-build: records in the order of their keys, or with --sort in any, to a table. See sst-build(1). */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "input.h"
#include "record_form.h"
#include "target.h"

static const char synopsis[] = "sst-build [-o OUT] [--sort] [--memory=SIZE] [--level=N]\n"
			       "          [--block-size=SIZE] [-0 | -x | -j | -F FMT] [FILE ...]\n";

enum { OPT_SORT = TOOL_OWN, OPT_MEMORY, OPT_LEVEL, OPT_BLOCK_SIZE };

static const struct tool_option options[] = {
	{'o', "output", "OUT", "the table (default: standard output)"},
	{OPT_SORT, "sort", NULL, "records in any order; of those with one key the last counts"},
	{OPT_MEMORY, "memory", "SIZE", "memory for records being sorted (default: 256M)"},
	{OPT_LEVEL, "level", "N", "zstd level, 1 to 22; 0: no compression (default: 1)"},
	{OPT_BLOCK_SIZE, "block-size", "SIZE", "bytes in a data block (default: 16K)"},
	TOOL_HEX,
	TOOL_NULL,
	TOOL_JSON,
	TOOL_FORMAT,
	TOOL_END,
};

#define LEVEL_MAX 22
#define BLOCK_SIZE_MAX (64u << 20)
#define MEMORY_MIN (1u << 20)
#define BLOOM_BITS 10

struct build {
	struct tool t;
	const char *out;
	struct sst_builder_options options;
	struct sst_builder *builder;
};

/* ---------------------------------------------------------------- usage */

static int level(const char *text)
{
	uint64_t n = tool_number("--level", text);
	if (n > LEVEL_MAX)
		tool_usage("--level: %s is above %d", text, LEVEL_MAX);
	return (int)n;
}

static size_t size(const char *option, const char *text, uint64_t least, uint64_t most)
{
	uint64_t n = tool_size(option, text);
	if (n < least || n > most)
		tool_usage("%s: %s is not from %llu to %llu", option, text, (unsigned long long)least,
			(unsigned long long)most);
	return (size_t)n;
}

static void take(struct build *b, int option)
{
	struct sst_builder_options *o = &b->options;
	if (option == 'o')
		b->out = b->t.arg;
	else if (option == OPT_SORT)
		o->sort = true;
	else if (option == OPT_MEMORY)
		o->sort_memory = size("--memory", b->t.arg, MEMORY_MIN, SIZE_MAX / 2);
	else if (option == OPT_LEVEL)
		o->zstd_level = level(b->t.arg);
	else
		o->block_size = size("--block-size", b->t.arg, 1, BLOCK_SIZE_MAX);
}

static void parse(struct build *b, int argc, char **argv)
{
	int option;
	tool_start(&b->t, argc, argv);
	while ((option = tool_next(&b->t)) != -1)
		take(b, option);
	if (b->options.sort_memory && !b->options.sort)
		tool_usage("--memory goes with --sort only");
	tool_check_batch(&b->t, RECORD_PAIR);
	const char *directory = getenv("TMPDIR");
	b->options.sort_directory = directory && *directory ? directory : NULL;
}

/* ---------------------------------------------------------------- records */

/* The failure of the record that was read last; the reader counts the next one already. */
static int refuse(struct record_reader *r)
{
	char what[512];
	snprintf(what, sizeof(what), "%s", sst_errmsg());
	r->number--;
	return record_bad(r, what, "sort with LC_ALL=C sort, or use --sort (then the last of a key counts)");
}

static int add_records(const struct build *b, struct record_reader *r)
{
	struct record record;
	int rc;
	while (!(rc = record_reader_next(r, &record))) {
		struct sst_entry e = {.key = record.key, .value = record.value, .type = SST_PUT};
		rc = sst_builder_add(b->builder, &e);
		if (rc)
			return rc == SST_EINVAL ? refuse(r) : rc;
	}
	return rc == SST_NO ? 0 : rc;
}

static int add_file(const struct build *b, const char *path)
{
	int fd, rc = input_open(&fd, path);
	if (rc)
		return rc;
	struct record_reader *r = record_reader_new(fd, input_name(path), b->t.form, RECORD_PAIR);
	rc = r ? add_records(b, r) : SST_ENOMEM;
	record_reader_free(r);
	input_close(fd);
	return rc;
}

int main(int argc, char **argv)
{
	static char standard_input[] = "-", *from_stdin[] = {standard_input};
	struct build b = {
		.t = {.name = "sst-build", .synopsis = synopsis, .options = options},
		.options = {.zstd_level = 1, .bloom_bits_per_key = BLOOM_BITS},
	};
	parse(&b, argc, argv);
	char **files = b.t.argc ? b.t.argv : from_stdin;
	int count = b.t.argc ? b.t.argc : 1;
	b.builder = target_open(b.out, files, count, &b.options);
	for (int i = 0; i < count; i++) {
		int rc = add_file(&b, files[i]);
		if (rc)
			target_fail(b.builder, rc);
	}
	target_finish(b.builder);
	return tool_finish(TOOL_EXIT_OK);
}
