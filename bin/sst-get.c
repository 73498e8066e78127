/* SPDX-License-Identifier: MIT */
/* sst-get: the value of a key, from tables in the order of their freshness. See sst-get(1). */
#include <stdlib.h>

#include "table_file.h"

static const char synopsis[] = "sst-get [-e | -x] [-q] [-v] KEY FILE ...\n"
			       "sst-get -b [-0 | -x | -j | -F FMT] [-q] [-v] FILE ...\n";

static const struct tool_option options[] = {
	TOOL_ESCAPE,
	TOOL_HEX,
	{'q', "quiet", NULL, "print nothing: is it there?"},
	{'v', "verbose", NULL, "say on standard error where each file was looked into"},
	TOOL_BATCH,
	TOOL_NULL,
	TOOL_JSON,
	TOOL_FORMAT,
	TOOL_END,
};

/* The files, each opened when it is first needed. */
struct tables {
	const struct tool *t;
	char **paths;
	int count;
	struct table_file *files;
};

static void tables_open(struct tables *s, const struct tool *t, char **paths, int count)
{
	*s = (struct tables){.t = t, .paths = paths, .count = count};
	s->files = calloc((size_t)count, sizeof(*s->files));
	if (!s->files)
		tool_fail(SST_ENOMEM, "out of memory");
}

static void tables_close(struct tables *s)
{
	for (int i = 0; i < s->count; i++)
		table_file_close(&s->files[i]);
	free(s->files);
}

static void tell(const struct tables *s, int i, int rc, const struct sst_entry *e)
{
	if (!s->t->verbose)
		return;
	const char *trace = sst_table_trace(s->files[i].table);
	if (rc)
		tool_message("%s: %s: nothing", s->paths[i], trace);
	else
		tool_message("%s: %s: %s, sequence %llu", s->paths[i], trace, sst_type_name(e->type),
			(unsigned long long)e->sequence);
}

/* The first file that says something of the key decides. A file that cannot be read could have been that one. */
static int tables_get(struct tables *s, struct sst_slice key, struct sst_slice *value)
{
	for (int i = 0; i < s->count; i++) {
		struct sst_entry e;
		int rc = s->files[i].table ? 0 : table_file_open(&s->files[i], s->paths[i]);
		if (rc)
			return rc;
		rc = sst_table_get(s->files[i].table, key, &e);
		if (rc < 0)
			return rc;
		tell(s, i, rc, &e);
		if (rc == SST_NO)
			continue;
		*value = e.value;
		return e.type == SST_PUT ? 0 : SST_NO;
	}
	return SST_NO;
}

static int get_one(const struct tool *t)
{
	if (t->form_given)
		tool_usage("a form of records goes with -b only");
	if (t->argc < 2)
		tool_usage(t->argc ? "no FILE" : "no KEY");
	struct sst_slice key = tool_operand(t, t->argv[0]), value;
	struct tables s;
	tables_open(&s, t, t->argv + 1, t->argc - 1);
	int rc = tables_get(&s, key, &value);
	if (rc < 0)
		tool_fail(rc, NULL);
	if (rc == 0 && !t->quiet)
		tool_print_value(t, value);
	int status = tool_finish(tool_exit_status(rc));
	tables_close(&s);
	return status;
}

static int get_stream(struct tables *s, struct record_reader *r, struct record_writer *w)
{
	struct record key;
	int rc, answer = 0;
	while (!(rc = record_reader_next(r, &key))) {
		struct record found = {.key = key.key};
		rc = tables_get(s, key.key, &found.value);
		if (rc < 0)
			return rc;
		if (rc == SST_NO)
			answer = SST_NO;
		else if (!s->t->quiet)
			rc = record_writer_add(w, &found);
		if (rc < 0)
			return rc;
	}
	return rc < 0 ? rc : answer;
}

static int get_batch(const struct tool *t)
{
	if (!t->argc)
		tool_usage("no FILE");
	for (int i = 0; i < t->argc; i++)
		if (strcmp(t->argv[i], "-") == 0)
			tool_usage("standard input has the keys already");
	tool_check_batch(t, RECORD_KEY);
	struct tables s;
	struct record_writer w;
	struct record_reader *r = tool_reader(t, 0, "standard input", RECORD_KEY);
	tables_open(&s, t, t->argv, t->argc);
	int rc = record_writer_begin(&w, tool_stdout(), t->form, RECORD_PAIR);
	if (!rc)
		rc = get_stream(&s, r, &w);
	if (rc >= 0) {
		int end = record_writer_end(&w);
		rc = end ? end : rc;
	}
	if (rc < 0)
		tool_fail(rc, NULL);
	record_reader_free(r);
	tables_close(&s);
	return tool_finish(tool_exit_status(rc));
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "sst-get", .synopsis = synopsis, .options = options};
	tool_start(&t, argc, argv);
	while (tool_next(&t) != -1)
		;
	return t.batch ? get_batch(&t) : get_one(&t);
}
