/* SPDX-License-Identifier: MIT */
/* lsm-flush: writes the memtable into a table and drops its write-ahead log. See lsm-flush(1). */
#include "tool.h"

static const char synopsis[] =
	"lsm-flush [-d DIR] [--if-size=SIZE] [--if-age=DURATION] [--frozen]\n"
	"          [--print] [-t SEC] [-q | -v]\n";

enum { OPT_IF_SIZE = TOOL_OWN, OPT_IF_AGE, OPT_FROZEN, OPT_PRINT };

static const struct tool_option options[] = {
	TOOL_DB,
	{OPT_IF_SIZE, "if-size", "SIZE", "only when at least SIZE bytes are unflushed (64M)"},
	{OPT_IF_AGE, "if-age", "DURATION", "only when the oldest record is that old (10m)"},
	{OPT_FROZEN, "frozen", NULL, "only memtables that are full and frozen"},
	{OPT_PRINT, "print", NULL, "print the names of the new tables"},
	TOOL_TIMEOUT,
	{'q', "quiet", NULL, "errors only"},
	TOOL_VERBOSE,
	TOOL_END,
};

struct args {
	struct tool t;
	struct lsm_flush_options flush;
	bool print;
};

static void parse(struct args *a, int argc, char **argv)
{
	int option;
	tool_start(&a->t, argc, argv);
	while ((option = tool_next(&a->t)) != -1) {
		if (option == OPT_IF_SIZE)
			a->flush.if_size = tool_size("--if-size", a->t.arg);
		else if (option == OPT_IF_AGE)
			a->flush.if_age_ms = (uint64_t)tool_duration("--if-age", a->t.arg);
		else if (option == OPT_FROZEN)
			a->flush.frozen_only = true;
		else if (option == OPT_PRINT)
			a->print = true;
	}
	if (a->t.argc)
		tool_usage("no operands are taken (the store: -d DIR)");
	if (a->t.quiet && a->t.verbose)
		tool_usage("-q and -v exclude each other");
	if (a->flush.frozen_only && (a->flush.if_size || a->flush.if_age_ms))
		tool_usage("--frozen leaves nothing for --if-size and --if-age to decide");
}

/* One table is there. */
static void flushed(void *arg, const struct lsm_flushed *f)
{
	const struct args *a = arg;
	if (a->print) {
		output_str(tool_stdout(), f->table);
		output_char(tool_stdout(), '\n');
	}
	if (!a->t.verbose)
		return;
	char size[TOOL_SIZE_TEXT];
	tool_message("%llu records -> %s, %s, %.2f s", (unsigned long long)f->records, f->table,
		tool_size_text(size, f->table_bytes), (double)f->nanoseconds / 1e9);
}

int main(int argc, char **argv)
{
	struct args a = {.t = {.name = "lsm-flush", .synopsis = synopsis, .options = options}};
	parse(&a, argc, argv);
	struct lsm *db = tool_open(&a.t, false, false);
	int rc = lsm_flush(db, &a.flush, flushed, &a);
	if (rc)
		tool_fail(rc, NULL);
	lsm_close(db);
	return tool_finish(TOOL_EXIT_OK);
}
