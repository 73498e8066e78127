/* SPDX-License-Identifier: MIT */
/* sst-check: verifies tables, one line for each damage. See sst-check(1). */
#include "field.h"
#include "table_file.h"

static const char synopsis[] = "sst-check [-q | -v] [-j] FILE ...\n";

static const struct tool_option options[] = {
	TOOL_QUIET,
	{'v', "verbose", NULL, "tell on standard error what was read of each file"},
	TOOL_JSON,
	TOOL_END,
};

/* What report() needs. */
struct check {
	const struct tool *t;
	const char *path;
};

static void print_keys(struct output *o, const struct sst_damage *d)
{
	output_str(o, ", keys '");
	field_write_text(o, d->from);
	output_str(o, "'..'");
	field_write_text(o, d->to);
	output_char(o, '\'');
}

static struct sst_slice text(const char *s)
{
	return (struct sst_slice){(const uint8_t *)s, strlen(s)};
}

static void print_line(const struct check *c, const struct sst_damage *d)
{
	struct output *o = tool_stdout();
	field_write_text(o, text(c->path));
	output_str(o, ": ");
	if (d->size) {
		output_str(o, "block at ");
		output_u64(o, d->offset);
		output_str(o, ": ");
	}
	field_write_text(o, text(d->what));
	if (d->has_keys)
		print_keys(o, d);
	output_char(o, '\n');
}

static void print_json(const struct check *c, const struct sst_damage *d)
{
	struct output *o = tool_stdout();
	output_char(o, '{');
	table_file_write_member(o, "file", text(c->path));
	if (d->size) {
		output_char(o, ',');
		table_file_write_number(o, "offset", d->offset);
		output_char(o, ',');
		table_file_write_number(o, "size", d->size);
	}
	output_char(o, ',');
	table_file_write_member(o, "damage", text(d->what));
	if (d->has_keys) {
		output_char(o, ',');
		table_file_write_member(o, "from", d->from);
		output_char(o, ',');
		table_file_write_member(o, "to", d->to);
	}
	output_str(o, "}\n");
}

static void report(void *arg, const struct sst_damage *d)
{
	const struct check *c = arg;
	if (c->t->quiet)
		return;
	if (c->t->form == RECORD_JSON)
		print_json(c, d);
	else
		print_line(c, d);
}

static void tell(const struct check *c, const struct sst_check_stats *s)
{
	if (c->t->verbose)
		tool_message("%s: %llu blocks, %llu entries, %llu bytes, %llu damages", c->path,
			(unsigned long long)s->blocks, (unsigned long long)s->entries, (unsigned long long)s->bytes,
			(unsigned long long)s->damages);
}

/* A table that cannot be opened for what it holds is a damaged one. */
static int check_unopened(const struct check *c, int rc)
{
	if (rc != SST_ECORRUPT && rc != SST_EUNSUPPORTED)
		return tool_report(rc, NULL);
	report((void *)(uintptr_t)c, &(struct sst_damage){.what = table_file_bare_message(c->path)});
	return TOOL_EXIT_DAMAGE;
}

static int check_file(const struct tool *t, const char *path)
{
	struct check c = {t, path};
	struct table_file f;
	struct sst_check_stats stats;
	int rc = table_file_open(&f, path);
	if (rc)
		return check_unopened(&c, rc);
	rc = sst_table_check(f.table, report, &c, &stats);
	tell(&c, &stats);
	int status = rc < 0 ? tool_report(rc, NULL) : rc == SST_NO ? TOOL_EXIT_DAMAGE : 0;
	table_file_close(&f);
	return status;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "sst-check", .synopsis = synopsis, .options = options};
	tool_start(&t, argc, argv);
	while (tool_next(&t) != -1)
		;
	if (!t.argc)
		tool_usage("no FILE");
	int status = 0;
	for (int i = 0; i < t.argc && !tool_stdout()->error; i++) {
		int s = check_file(&t, t.argv[i]);
		status = s > status ? s : status;
	}
	return tool_finish(status);
}
