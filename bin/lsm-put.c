/* SPDX-License-Identifier: MIT */
/* lsm-put: stores one value, or a stream of them. See lsm-put(1). */
#include "flusher.h"
#include "ingest.h"
#include "input.h"
#include "tool.h"

#include <unistd.h>

static const char synopsis[] =
	"lsm-put [-d DIR] [-e | -x] [-N] [--no-sync] [-t SEC] KEY [VALUE]\n"
	"lsm-put -b [-d DIR] [-0 | -x | -j | -F FMT] [--atomic] [--ops]\n"
	"        [--no-sync] [-t SEC] [FILE ...]\n";

enum { OPT_NO_SYNC = TOOL_OWN, OPT_ATOMIC, OPT_OPS };

static const struct tool_option options[] = {
	TOOL_DB,
	TOOL_ESCAPE,
	TOOL_HEX,
	{'N', "no-clobber", NULL, "store only when KEY is absent, else exit 1"},
	{OPT_NO_SYNC, "no-sync", NULL, "do not wait for the disk"},
	TOOL_BATCH,
	TOOL_NULL,
	TOOL_JSON,
	TOOL_FORMAT,
	{OPT_ATOMIC, "atomic", NULL, "with -b: all records or none"},
	{OPT_OPS, "ops", NULL, "with -b: records are SEQ put|del KEY VALUE"},
	TOOL_TIMEOUT,
	TOOL_END,
};

struct args {
	struct tool t;
	bool no_clobber, no_sync, atomic, ops;
};

static void parse(struct args *a, int argc, char **argv)
{
	int option;
	tool_start(&a->t, argc, argv);
	while ((option = tool_next(&a->t)) != -1) {
		a->no_clobber |= option == 'N';
		a->no_sync |= option == OPT_NO_SYNC;
		a->atomic |= option == OPT_ATOMIC;
		a->ops |= option == OPT_OPS;
	}
}

static int put_batch(const struct args *a)
{
	const struct tool *t = &a->t;
	struct ingest in = {
		.t = t,
		.shape = a->ops ? RECORD_CHANGE : RECORD_PAIR,
		.create = true,
		.atomic = a->atomic,
		.no_sync = a->no_sync,
	};
	if (a->no_clobber)
		tool_usage("-N does not go with -b");
	tool_check_batch(t, in.shape);
	return ingest_files(&in, t->argc, t->argv);
}

static struct sst_slice value_from_stdin(void)
{
	struct sst_slice value;
	if (isatty(0))
		tool_message("the value is read from the terminal; end it with ^D");
	int rc = input_read_all(0, "standard input", LSM_VALUE_MAX, &value);
	if (rc)
		tool_fail(rc, NULL);
	return value;
}

static int put_one(const struct args *a)
{
	const struct tool *t = &a->t;
	if (a->atomic || a->ops || t->form_given)
		tool_usage("%s goes with -b only", a->atomic ? "--atomic"
						   : a->ops  ? "--ops"
							     : "a form of records");
	if (t->argc < 1 || t->argc > 2)
		tool_usage(t->argc ? "more than KEY and VALUE" : "no KEY");
	tool_db(t); /* wrong usage is told before anything is read */
	struct sst_slice key = tool_operand(t, t->argv[0]);
	struct sst_slice value =
		t->argc == 2 ? tool_operand(t, t->argv[1]) : value_from_stdin();
	struct lsm *db = tool_open(t, true, false);
	int rc = lsm_put(db, key, value,
		(a->no_sync ? LSM_NO_SYNC : 0u) | (a->no_clobber ? LSM_NO_CLOBBER : 0u));
	if (rc < 0)
		tool_fail(rc, NULL);
	flusher_hand_over(t, db);
	lsm_close(db);
	return rc ? TOOL_EXIT_NO : TOOL_EXIT_OK;
}

int main(int argc, char **argv)
{
	struct args a = {.t = {.name = "lsm-put", .synopsis = synopsis, .options = options}};
	parse(&a, argc, argv);
	return tool_finish(a.t.batch ? put_batch(&a) : put_one(&a));
}
