/* SPDX-License-Identifier: MIT */
/* lsm-del: deletes keys. See lsm-del(1). */
#include "flusher.h"
#include "ingest.h"
#include "tool.h"

static const char synopsis[] = "lsm-del [-d DIR] [-e | -x] [-n] [--no-sync] KEY ...\n"
			       "lsm-del -b [-d DIR] [-0 | -x | -j | -F FMT] [--no-sync]\n";

enum { OPT_NO_SYNC = TOOL_OWN };

static const struct tool_option options[] = {
	TOOL_DB,
	TOOL_ESCAPE,
	TOOL_HEX,
	{'n', "dry-run", NULL, "only print the keys that would go"},
	{OPT_NO_SYNC, "no-sync", NULL, "do not wait for the disk"},
	TOOL_BATCH,
	TOOL_NULL,
	TOOL_JSON,
	TOOL_FORMAT,
	TOOL_END,
};

static int delete_batch(const struct tool *t, bool no_sync)
{
	struct ingest in = {.t = t, .shape = RECORD_KEY, .no_sync = no_sync};
	if (t->dry_run)
		tool_usage("-n does not go with -b");
	if (t->argc)
		tool_usage("with -b keys come from standard input");
	tool_check_batch(t, RECORD_KEY);
	return ingest_files(&in, 0, NULL);
}

/* The keys that are there, in the form that operands have. */
static int print_keys(const struct tool *t)
{
	struct record_writer w;
	struct lsm *db = tool_open(t, false, true);
	record_writer_begin(&w, tool_stdout(), t->form, RECORD_KEY);
	for (int i = 0; i < t->argc; i++) {
		struct record r = {.key = tool_operand(t, t->argv[i])};
		int rc = lsm_get(db, r.key, &r.value);
		if (rc == 0)
			rc = record_writer_add(&w, &r);
		if (rc < 0)
			tool_fail(rc, NULL);
	}
	lsm_close(db);
	return TOOL_EXIT_OK;
}

/* All in one batch: all of them or none. */
static int delete_keys(const struct tool *t, bool no_sync)
{
	struct lsm_batch *b = lsm_batch_new();
	int rc = b ? 0 : SST_ENOMEM;
	for (int i = 0; i < t->argc && !rc; i++)
		rc = lsm_batch_delete(b, tool_operand(t, t->argv[i]));
	if (rc)
		tool_fail(rc, NULL);
	struct lsm *db = tool_open(t, false, false);
	rc = lsm_write(db, b, no_sync ? LSM_NO_SYNC : 0);
	if (rc)
		tool_fail(rc, NULL);
	flusher_hand_over(t, db);
	lsm_close(db);
	lsm_batch_free(b);
	return TOOL_EXIT_OK;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "lsm-del", .synopsis = synopsis, .options = options};
	bool no_sync = false;
	tool_start(&t, argc, argv);
	while (tool_next(&t) == OPT_NO_SYNC)
		no_sync = true;
	if (t.batch)
		return tool_finish(delete_batch(&t, no_sync));
	if (t.form_given)
		tool_usage("a form of records goes with -b only");
	if (!t.argc)
		tool_usage("no KEY");
	return tool_finish(t.dry_run ? print_keys(&t) : delete_keys(&t, no_sync));
}
