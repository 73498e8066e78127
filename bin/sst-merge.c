/* SPDX-License-Identifier: MIT */
/* sst-merge: tables to one table with the newest entry of each key. See sst-merge(1). */
#include <stdlib.h>

#include "field.h"
#include "table_file.h"
#include "target.h"

static const char synopsis[] = "sst-merge -o OUT [--skip-bad] [--keep-deletes] FILE ...\n";

enum { OPT_SKIP_BAD = TOOL_OWN, OPT_KEEP_DELETES };

static const struct tool_option options[] = {
	{'o', "output", "OUT", "the table to make"},
	{OPT_SKIP_BAD, "skip-bad", NULL, "leave damaged parts out, say so, go on; still exit 4"},
	{OPT_KEEP_DELETES, "keep-deletes", NULL, "keep deletions: there are older tables elsewhere"},
	TOOL_END,
};

struct merge {
	struct tool t;
	const char *out;
	bool skip_bad;
	struct sst_merge_options options;
	struct table_file *files; /* open ones */
	struct sst_table **tables; /* the same */
	const char **paths;
	size_t count;
	struct sst_merge *merge;
	int status;
};

/* ---------------------------------------------------------------- usage */

static void parse(struct merge *m, int argc, char **argv)
{
	int option;
	tool_start(&m->t, argc, argv);
	while ((option = tool_next(&m->t)) != -1) {
		if (option == 'o')
			m->out = m->t.arg;
		m->skip_bad |= option == OPT_SKIP_BAD;
		m->options.deletions |= option == OPT_KEEP_DELETES;
	}
	if (!m->out)
		tool_usage("no OUT: use -o OUT");
	if (!m->t.argc)
		tool_usage("no FILE");
	bool used = false;
	for (int i = 0; i < m->t.argc; i++) {
		bool is_stdin = strcmp(m->t.argv[i], "-") == 0;
		if (is_stdin && used)
			tool_usage("standard input can be read once only");
		used |= is_stdin;
	}
}

/* ---------------------------------------------------------------- damage */

static void tell_damage(void *arg, size_t table, const struct sst_damage *d)
{
	struct merge *m = arg;
	m->status = TOOL_EXIT_DAMAGE;
	tool_message("%s", d->what);
	if (!d->has_keys)
		return;
	uint8_t line[2 * OUTPUT_ROOM_MAX];
	struct output o = {.data = line, .cap = sizeof(line), .fd = 2};
	output_str(&o, "sst-merge: ");
	output_str(&o, m->paths[table]);
	output_str(&o, ": left out: keys '");
	field_write_text(&o, d->from);
	output_str(&o, "'..'");
	field_write_text(&o, d->to);
	output_str(&o, "'\n");
	output_flush(&o);
}

/* ---------------------------------------------------------------- tables */

static void open_tables(struct merge *m)
{
	size_t n = (size_t)m->t.argc;
	m->files = calloc(n, sizeof(*m->files));
	m->tables = calloc(n, sizeof(struct sst_table *));
	m->paths = calloc(n, sizeof(const char *));
	if (!m->files || !m->tables || !m->paths)
		tool_fail(SST_ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		int rc = table_file_open(&m->files[m->count], m->t.argv[i]);
		if (rc == SST_ECORRUPT && m->skip_bad) {
			m->status = tool_report(rc, "left out");
			continue;
		}
		if (rc)
			tool_fail(rc, NULL);
		m->paths[m->count] = m->t.argv[i];
		m->tables[m->count] = m->files[m->count].table;
		m->count++;
	}
	if (!m->count) {
		tool_message("nothing can be read: '%s' is not made", m->out);
		exit(m->status);
	}
}

static void open_merge(struct merge *m)
{
	if (m->skip_bad) {
		m->options.damage = tell_damage;
		m->options.damage_arg = m;
	}
	int rc = sst_merge_new(&m->merge, m->tables, m->count, &m->options);
	if (rc)
		tool_fail(rc, NULL);
}

static void close_all(struct merge *m)
{
	sst_merge_free(m->merge);
	for (size_t i = 0; i < m->count; i++)
		table_file_close(&m->files[i]);
	free(m->files);
	free(m->tables);
	free(m->paths);
}

static int copy(struct merge *m, struct sst_builder *b, bool sequences)
{
	struct sst_entry e;
	int rc;
	while (!(rc = sst_merge_next(m->merge, &e))) {
		if (!sequences)
			e.sequence = 0;
		rc = sst_builder_add(b, &e);
		if (rc)
			return rc;
	}
	return rc == SST_NO ? 0 : rc;
}

int main(int argc, char **argv)
{
	struct merge m = {.t = {.name = "sst-merge", .synopsis = synopsis, .options = options}};
	parse(&m, argc, argv);
	open_tables(&m);
	open_merge(&m);
	const struct sst_builder_options how = {
		.zstd_level = 1,
		.bloom_bits_per_key = 10,
		.sequences = m.options.deletions && sst_merge_sequences(m.merge),
	};
	struct sst_builder *b = target_open(m.out, m.t.argv, m.t.argc, &how);
	int rc = copy(&m, b, how.sequences);
	if (rc)
		target_fail(b, rc);
	target_finish(b);
	close_all(&m);
	return tool_finish(m.status);
}
