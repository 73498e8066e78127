/* SPDX-License-Identifier: MIT */
/* lsm-scan: lists a store, or a part of it, in order. See lsm-scan(1). */
#include "tool.h"

static const char synopsis[] =
	"lsm-scan [-d DIR] [-f K] [-u K] [-p P] [-r] [-m N] [-k | -c] [-e | -x]\n"
	"         [-0 | -j | -F FMT] [--cf=NAME] [--line-buffered] [-t SEC] [-v]\n";

enum { OPT_CF = TOOL_OWN };

static const struct tool_option options[] = {
	TOOL_DB,
	TOOL_FROM,
	TOOL_TO,
	TOOL_PREFIX,
	TOOL_REVERSE,
	TOOL_MAX,
	TOOL_KEYS,
	TOOL_COUNT,
	TOOL_ESCAPE,
	TOOL_HEX,
	TOOL_NULL,
	TOOL_JSON,
	TOOL_FORMAT,
	{OPT_CF, "cf", "NAME", "a column family of a RocksDB store (read-only)"},
	TOOL_LINE_BUFFERED,
	TOOL_TIMEOUT,
	TOOL_VERBOSE,
	TOOL_END,
};

static void check(const struct tool *t)
{
	if (t->argc)
		tool_usage("'%s': no operand is taken", t->argv[0]);
	if (t->keys && t->count)
		tool_usage("-k and -c exclude each other");
	if (t->count && t->form_given)
		tool_usage("-c prints a number, not records");
	if (!record_form_has(t->form, t->keys ? RECORD_KEY : RECORD_PAIR))
		tool_usage("form %s has no records with keys alone", record_form_name(t->form));
}

static int print(struct lsm_scan *s, const struct tool *t)
{
	struct record_writer w;
	struct record r = {.type = NULL};
	int rc = record_writer_begin(
		&w, tool_stdout(), t->form, t->keys ? RECORD_KEY : RECORD_PAIR);
	for (uint64_t n = 0; rc == 0 && n < t->max; n++) {
		rc = lsm_scan_next(s, &r.key, &r.value);
		if (rc == 0)
			rc = record_writer_add(&w, &r);
	}
	return rc < 0 ? rc : record_writer_end(&w);
}

static int count(struct lsm_scan *s, const struct tool *t)
{
	struct sst_slice key, value;
	uint64_t n = 0;
	int rc = 0;
	while (n < t->max && (rc = lsm_scan_next(s, &key, &value)) == 0)
		n++;
	if (rc < 0)
		return rc;
	output_u64(tool_stdout(), n);
	output_char(tool_stdout(), '\n');
	return 0;
}

static struct lsm *open_store(const struct tool *t, const char *family)
{
	struct lsm_options o;
	struct lsm *db;
	tool_lsm_options(t, &o);
	o.read_only = true;
	o.family = family;
	int rc = lsm_open(&db, tool_db(t), &o);
	if (rc)
		tool_fail(rc, NULL);
	return db;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "lsm-scan", .synopsis = synopsis, .options = options};
	const char *family = NULL;
	tool_start(&t, argc, argv);
	for (int opt; (opt = tool_next(&t)) != -1;)
		if (opt == OPT_CF)
			family = t.arg;
	check(&t);
	struct lsm_scan_options o = {.reverse = t.reverse, .has_to = t.to != NULL};
	if (t.from)
		o.from = tool_operand(&t, t.from);
	if (t.to)
		o.to = tool_operand(&t, t.to);
	if (t.prefix)
		o.prefix = tool_operand(&t, t.prefix);
	struct lsm *db = open_store(&t, family);
	struct lsm_scan *s;
	int rc = lsm_scan_new(&s, db, &o);
	if (!rc)
		rc = t.count ? count(s, &t) : print(s, &t);
	if (rc < 0)
		tool_fail(rc, NULL);
	lsm_scan_free(s);
	lsm_close(db);
	return tool_finish(TOOL_EXIT_OK);
}
