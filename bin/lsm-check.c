/* SPDX-License-Identifier: MIT */
/* lsm-check: verifies a whole store, one line for each damage. See lsm-check(1). */
#include "field.h"
#include "table_file.h"

static const char synopsis[] = "lsm-check [-d DIR] [-q | -v] [-j]\n";

static const struct tool_option options[] = {
	TOOL_DB,
	TOOL_QUIET,
	{'v', "verbose", NULL, "what was read of each file, and what is no damage but worth knowing"},
	TOOL_JSON,
	TOOL_TIMEOUT,
	TOOL_END,
};

static struct sst_slice text(const char *s)
{
	return (struct sst_slice){(const uint8_t *)s, strlen(s)};
}

/* How the kind is called in JSON. */
static const char *kind_name(const struct lsm_finding *f)
{
	switch (f->kind) {
	case LSM_FINDING_NOTE:
		return "note";
	case LSM_FINDING_UNREADABLE:
		return "unreadable";
	case LSM_FINDING_UNSUPPORTED:
		return "unsupported";
	default:
		return "damage";
	}
}

static void print_line(const struct lsm_finding *f)
{
	const struct sst_damage *d = &f->damage;
	struct output *o = tool_stdout();
	output_str(o, "lsm-check: '");
	field_write_text(o, text(f->file));
	output_str(o, "': ");
	if (f->kind != LSM_FINDING_DAMAGE) {
		output_str(o, kind_name(f));
		output_str(o, ": ");
	}
	if (d->size) {
		output_str(o, "block at ");
		output_u64(o, d->offset);
		output_str(o, ": ");
	}
	field_write_text(o, text(d->what));
	if (d->has_keys) {
		output_str(o, ", keys '");
		field_write_text(o, d->from);
		output_str(o, "'..'");
		field_write_text(o, d->to);
		output_char(o, '\'');
	}
	output_char(o, '\n');
}

static void number(struct output *o, const char *name, uint64_t v)
{
	output_char(o, ',');
	table_file_write_number(o, name, v);
}

static void member(struct output *o, const char *name, struct sst_slice v)
{
	output_char(o, ',');
	table_file_write_member(o, name, v);
}

static void print_json(const struct lsm_finding *f)
{
	const struct sst_damage *d = &f->damage;
	struct output *o = tool_stdout();
	output_char(o, '{');
	table_file_write_member(o, "file", text(f->file));
	if (f->kind == LSM_FINDING_FILE) {
		number(o, "blocks", f->read.blocks);
		number(o, "entries", f->read.entries);
		number(o, "bytes", f->read.bytes);
		number(o, "damages", f->read.damages);
	} else {
		if (d->size) {
			number(o, "offset", d->offset);
			number(o, "size", d->size);
		}
		member(o, kind_name(f), text(d->what));
		if (d->has_keys) {
			member(o, "from", d->from);
			member(o, "to", d->to);
		}
	}
	output_str(o, "}\n");
}

/* Findings are the output; what -v adds in text goes where messages go. */
static void tell(const struct lsm_finding *f)
{
	const struct sst_check_stats *s = &f->read;
	if (f->kind == LSM_FINDING_NOTE)
		tool_message("'%s': %s", f->file, f->damage.what);
	else if (s->blocks)
		tool_message("'%s': %llu blocks, %llu entries, %llu bytes, %llu damages", f->file,
			(unsigned long long)s->blocks, (unsigned long long)s->entries, (unsigned long long)s->bytes,
			(unsigned long long)s->damages);
	else
		tool_message("'%s': %llu records, %llu bytes, %llu damages", f->file, (unsigned long long)s->entries,
			(unsigned long long)s->bytes, (unsigned long long)s->damages);
}

static void report(void *arg, const struct lsm_finding *f)
{
	const struct tool *t = arg;
	bool detail = f->kind == LSM_FINDING_FILE || f->kind == LSM_FINDING_NOTE;
	if (t->quiet || (detail && !t->verbose))
		return;
	if (t->form == RECORD_JSON)
		print_json(f);
	else if (detail)
		tell(f);
	else
		print_line(f);
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "lsm-check", .synopsis = synopsis, .options = options};
	struct lsm_options opt;
	struct lsm_check_stats stats;
	tool_start(&t, argc, argv);
	while (tool_next(&t) != -1)
		;
	if (t.argc)
		tool_usage("'%s': no operand is taken", t.argv[0]);
	tool_lsm_options(&t, &opt);
	int rc = lsm_check(tool_db(&t), &opt, report, &t, &stats);
	if (rc == SST_NO)
		return tool_finish(TOOL_EXIT_DAMAGE);
	if (rc)
		tool_fail(rc, NULL);
	return tool_finish(TOOL_EXIT_OK);
}
