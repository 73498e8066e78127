/* SPDX-License-Identifier: MIT */
/* lsm-get: prints the value of a key, or those of a stream of keys. See lsm-get(1). */
#include "tool.h"

static const char synopsis[] = "lsm-get [-d DIR] [-e | -x] [-q] [--default=VALUE] [-t SEC] KEY\n"
			       "lsm-get -b [-d DIR] [-0 | -x | -j | -F FMT] [-t SEC]\n";

enum { OPT_DEFAULT = TOOL_OWN };

static const struct tool_option options[] = {
	TOOL_DB,
	TOOL_ESCAPE,
	TOOL_HEX,
	{'q', "quiet", NULL, "print nothing: is it there?"},
	{OPT_DEFAULT, "default", "VALUE", "print VALUE for an absent key and exit 0"},
	TOOL_BATCH,
	TOOL_NULL,
	TOOL_JSON,
	TOOL_FORMAT,
	TOOL_TIMEOUT,
	TOOL_END,
};

struct args {
	struct tool t;
	char *fallback;
};

static void parse(struct args *a, int argc, char **argv)
{
	tool_start(&a->t, argc, argv);
	while (tool_next(&a->t) == OPT_DEFAULT)
		a->fallback = a->t.arg;
}

static int get_one(const struct args *a)
{
	const struct tool *t = &a->t;
	if (t->form_given)
		tool_usage("a form of records goes with -b only");
	if (t->argc != 1)
		tool_usage(t->argc ? "more than one KEY (many: -b)" : "no KEY");
	struct sst_slice key = tool_operand(t, t->argv[0]), value, fallback;
	if (a->fallback)
		fallback = tool_operand(t, a->fallback);
	struct lsm *db = tool_open(t, false, true);
	int rc = lsm_get(db, key, &value);
	if (rc < 0)
		tool_fail(rc, NULL);
	if (rc == SST_NO && a->fallback) {
		value = fallback;
		rc = 0;
	}
	if (rc == 0 && !t->quiet)
		tool_print_value(t, value);
	int status = tool_finish(tool_exit_status(rc));
	lsm_close(db);
	return status;
}

/* One key of the stream; SST_NO when it is absent. */
static int get_record(struct lsm *db, struct record_writer *w, const struct record *key)
{
	struct record found = {.key = key->key};
	int rc = lsm_get(db, key->key, &found.value);
	return rc ? rc : record_writer_add(w, &found);
}

static int answer_and_rest(struct lsm *db, const struct record_reader *r, struct record_writer *w)
{
	int rc = output_flush(w->out);
	if (!rc && record_reader_lasts(r))
		lsm_rest(db);
	return rc;
}

static int get_stream(struct lsm *db, struct record_reader *r, struct record_writer *w)
{
	struct record key;
	int rc, missing = 0;
	record_reader_set_pause(r, 0); /* who asks one by one is answered one by one */
	while ((rc = record_reader_next(r, &key)) != SST_NO) {
		if (rc == 0)
			rc = get_record(db, w, &key);
		else if (rc == RECORD_PAUSE)
			rc = answer_and_rest(db, r, w);
		if (rc < 0)
			tool_fail(rc, NULL);
		missing |= rc == SST_NO;
	}
	return missing ? TOOL_EXIT_NO : TOOL_EXIT_OK;
}

static int get_batch(const struct args *a)
{
	const struct tool *t = &a->t;
	struct record_writer w;
	if (t->argc)
		tool_usage("with -b keys come from standard input");
	if (t->quiet || a->fallback)
		tool_usage("%s does not go with -b", t->quiet ? "-q" : "--default");
	tool_check_batch(t, RECORD_KEY);
	struct lsm *db = tool_open(t, false, true);
	struct record_reader *r = tool_reader(t, 0, "standard input", RECORD_KEY);
	record_writer_begin(&w, tool_stdout(), t->form, RECORD_PAIR);
	int status = get_stream(db, r, &w);
	record_writer_end(&w);
	record_reader_free(r);
	lsm_close(db);
	return tool_finish(status);
}

int main(int argc, char **argv)
{
	struct args a = {.t = {.name = "lsm-get", .synopsis = synopsis, .options = options}};
	parse(&a, argc, argv);
	return a.t.batch ? get_batch(&a) : get_one(&a);
}
