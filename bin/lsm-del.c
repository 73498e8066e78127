/* SPDX-License-Identifier: MIT */
/* lsm-del: deletes keys, a prefix, a range. See lsm-del(1). */
#include "bulk.h"
#include "flusher.h"
#include "ingest.h"
#include "tool.h"

static const char synopsis[] =
	"lsm-del [-d DIR] [-e | -x] [-n] [--no-sync] [-t SEC] KEY ...\n"
	"lsm-del [-d DIR] [-e | -x] [-n] [--no-sync] [-t SEC] [-p P] [-f K] [-u K]\n"
	"lsm-del -b [-d DIR] [-0 | -x | -j | -F FMT] [--no-sync] [-t SEC]\n";

enum { OPT_NO_SYNC = TOOL_OWN };

static const struct tool_option options[] = {
	TOOL_DB,
	TOOL_PREFIX,
	TOOL_FROM,
	TOOL_TO,
	TOOL_ESCAPE,
	TOOL_HEX,
	{'n', "dry-run", NULL, "only print the keys that would go"},
	{OPT_NO_SYNC, "no-sync", NULL, "do not wait for the disk"},
	TOOL_BATCH,
	TOOL_NULL,
	TOOL_JSON,
	TOOL_FORMAT,
	TOOL_TIMEOUT,
	TOOL_END,
};

static int delete_stream(const struct tool *t, bool no_sync)
{
	struct ingest in = {.t = t, .shape = RECORD_KEY, .no_sync = no_sync};
	if (t->dry_run)
		tool_usage("-n does not go with -b");
	if (t->argc)
		tool_usage("with -b keys come from standard input");
	tool_check_batch(t, RECORD_KEY);
	return ingest_files(&in, 0, NULL);
}

/* ---------------------------------------------------------------- keys */

static int print_keys(const struct tool *t, struct lsm *db, struct record_writer *w)
{
	int rc = 0;
	for (int i = 0; i < t->argc && rc >= 0; i++) {
		struct record r = {.key = tool_operand(t, t->argv[i])};
		rc = lsm_get(db, r.key, &r.value);
		if (rc == 0)
			rc = record_writer_add(w, &r);
	}
	return rc < 0 ? rc : 0;
}

/* All in one batch: all of them or none. */
static void delete_keys(const struct tool *t, bool no_sync)
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
}

/* ---------------------------------------------------------------- a range */

static struct lsm_scan_options range_of(const struct tool *t)
{
	struct lsm_scan_options o = {.has_to = t->to != NULL};
	if (t->from)
		o.from = tool_operand(t, t->from);
	if (t->to)
		o.to = tool_operand(t, t->to);
	if (t->prefix)
		o.prefix = tool_operand(t, t->prefix);
	if (t->prefix && !o.prefix.size)
		tool_usage("an empty prefix is every key; if that is meant: -f ''");
	return o;
}

static int print_range(struct lsm_scan *scan, struct record_writer *w)
{
	struct record r = {.type = NULL};
	int rc;
	while ((rc = lsm_scan_next(scan, &r.key, &r.value)) == 0 &&
		(rc = record_writer_add(w, &r)) == 0)
		;
	return rc < 0 ? rc : 0;
}

/* Nothing but what was there when it began. */
static int delete_scanned(struct lsm_scan *scan, struct bulk *b)
{
	struct sst_slice key, value;
	int rc;
	while ((rc = lsm_scan_next(scan, &key, &value)) == 0 && (rc = bulk_delete(b, key)) == 0)
		;
	return rc < 0 ? rc : bulk_settle(b);
}

static void delete_range(
	const struct tool *t, const struct lsm_scan_options *range, bool no_sync)
{
	struct bulk b;
	struct lsm_scan *scan = NULL;
	int rc = bulk_open(&b, t, false);
	b.no_sync = no_sync;
	if (!rc)
		rc = lsm_scan_new(&scan, b.db, range);
	if (!rc)
		rc = delete_scanned(scan, &b);
	if (rc)
		tool_fail(rc, NULL);
	lsm_scan_free(scan);
	bulk_close(&b);
}

/* ---------------------------------------------------------------- */

/* What would be deleted: the keys that are there, in the form that operands have. */
static void print(const struct tool *t, const struct lsm_scan_options *range)
{
	struct record_writer w;
	struct lsm_scan *scan = NULL;
	struct lsm *db = tool_open(t, false, true);
	record_writer_begin(&w, tool_stdout(), t->form, RECORD_KEY);
	int rc = range ? lsm_scan_new(&scan, db, range) : print_keys(t, db, &w);
	if (range && !rc)
		rc = print_range(scan, &w);
	if (rc)
		tool_fail(rc, NULL);
	lsm_scan_free(scan);
	lsm_close(db);
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "lsm-del", .synopsis = synopsis, .options = options};
	bool no_sync = false;
	tool_start(&t, argc, argv);
	while (tool_next(&t) == OPT_NO_SYNC)
		no_sync = true;
	bool ranged = t.prefix || t.from || t.to;
	if (ranged && (t.argc || t.batch))
		tool_usage("a range goes with neither KEY nor -b");
	if (t.batch)
		return tool_finish(delete_stream(&t, no_sync));
	if (t.form_given)
		tool_usage("a form of records goes with -b only");
	if (!t.argc && !ranged)
		tool_usage("no KEY");
	struct lsm_scan_options range = range_of(&t);
	if (t.dry_run)
		print(&t, ranged ? &range : NULL);
	else if (ranged)
		delete_range(&t, &range, no_sync);
	else
		delete_keys(&t, no_sync);
	return tool_finish(TOOL_EXIT_OK);
}
