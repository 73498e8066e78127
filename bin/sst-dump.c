/* SPDX-License-Identifier: MIT */
/* sst-dump: prints tables: what a reader sees, every entry, properties, index, blocks. See sst-dump(1). */
#include "field.h"
#include "table_file.h"

static const char synopsis[] =
	"sst-dump [-f K] [-u K] [-p P] [-r] [-m N] [-k | -c] [-a] [--skip-bad]\n"
	"         [-e | -x | -0 | -j | -F FMT] FILE ...\n"
	"sst-dump --props | --index | --blocks [-x | -j] FILE ...\n";

enum { OPT_PROPS = TOOL_OWN, OPT_INDEX, OPT_BLOCKS, OPT_SKIP_BAD };

static const struct tool_option options[] = {
	TOOL_FROM,
	TOOL_TO,
	TOOL_PREFIX,
	TOOL_REVERSE,
	TOOL_MAX,
	TOOL_KEYS,
	TOOL_COUNT,
	{'a', "all", NULL, "every entry as stored: KEY VALUE SEQ TYPE; range deletions last"},
	{OPT_PROPS, "props", NULL, "properties: NAME VALUE"},
	{OPT_INDEX, "index", NULL, "data blocks: FIRSTKEY OFFSET SIZE"},
	{OPT_BLOCKS, "blocks", NULL, "all blocks: OFFSET SIZE KIND COMPRESSION CONTENTS [ENTRIES FIRSTKEY]"},
	{OPT_SKIP_BAD, "skip-bad", NULL, "leave damaged blocks out, say so, go on; still exit 4"},
	TOOL_ESCAPE,
	TOOL_HEX,
	TOOL_NULL,
	TOOL_JSON,
	TOOL_FORMAT,
	TOOL_END,
};

struct dump {
	struct tool t;
	int what; /* OPT_PROPS, OPT_INDEX, OPT_BLOCKS; 0: entries */
	bool all, skip_bad;
	struct sst_slice from, to, prefix;
	bool limited; /* by any of them */
	struct record_writer writer;
	uint64_t printed; /* records, of all files */
	int status;
};

static void parse(struct dump *d, int argc, char **argv)
{
	tool_start(&d->t, argc, argv);
	int opt;
	while ((opt = tool_next(&d->t)) != -1) {
		if (opt == 'a')
			d->all = true;
		else if (opt == OPT_SKIP_BAD)
			d->skip_bad = true;
		else if (d->what && d->what != opt)
			tool_usage("only one of --props, --index and --blocks");
		else
			d->what = opt;
	}
	if (!d->t.argc)
		tool_usage("no FILE");
}

static enum record_shape shape_of(const struct dump *d)
{
	return d->t.keys ? RECORD_KEY : d->all ? RECORD_VERSION : RECORD_PAIR;
}

static void check_usage(const struct dump *d)
{
	const struct tool *t = &d->t;
	bool entries = t->from || t->to || t->prefix || t->reverse || t->keys || t->count || d->all || d->skip_bad ||
		       t->max != UINT64_MAX;
	if (d->what && entries)
		tool_usage("--props, --index and --blocks show no entries");
	if (d->what && t->form != RECORD_TEXT && t->form != RECORD_HEX && t->form != RECORD_JSON)
		tool_usage("--props, --index and --blocks have the forms text, hex and json");
	if (t->keys && t->count)
		tool_usage("either -k or -c");
	if (!d->what && !t->count && !record_form_has(t->form, shape_of(d)))
		tool_usage("the form %s has no such records", record_form_name(t->form));
}

/* ---------------------------------------------------------------- entries */

/* -1: before the range, 1: behind it. */
static int place(const struct dump *d, struct sst_slice key)
{
	if (!d->limited)
		return 0;
	if ((d->t.from && slice_cmp(key, d->from) < 0))
		return -1;
	if (d->t.to && slice_cmp(key, d->to) >= 0)
		return 1;
	if (!d->t.prefix || slice_has_prefix(key, d->prefix))
		return 0;
	return slice_cmp(key, d->prefix) < 0 ? -1 : 1;
}

static int print_entry(struct dump *d, const struct sst_entry *e)
{
	d->printed++;
	if (d->t.count)
		return 0;
	struct record r = {e->key, e->value, e->sequence, sst_type_name(e->type)};
	return record_writer_add(&d->writer, &r);
}

static int start_forward(const struct dump *d, struct sst_iter *it, struct sst_entry *e)
{
	struct sst_slice start = d->from;
	if (d->t.prefix && slice_cmp(d->prefix, start) > 0)
		start = d->prefix;
	return d->limited ? sst_iter_seek(it, start, e) : sst_iter_first(it, e);
}

/* The last entry before the range's end: all of them from the end are too many only when there is no end. */
static int start_backward(const struct dump *d, struct sst_iter *it, struct sst_entry *e)
{
	if (!d->t.to)
		return sst_iter_last(it, e);
	int rc = sst_iter_seek(it, d->to, e);
	return rc == SST_NO ? sst_iter_last(it, e) : rc ? rc : sst_iter_prev(it, e);
}

/* After a failure: tells what is left out and goes on behind it, if that was asked for. */
static int skip_damage(struct dump *d, const char *path, struct sst_iter *it, int rc, struct sst_entry *e)
{
	while (d->skip_bad && (rc == SST_ECORRUPT || rc == SST_EIO)) {
		struct sst_damage lost;
		d->status = tool_report(rc, NULL);
		rc = sst_iter_skip(it, d->t.reverse, &lost, e);
		if (lost.has_keys) {
			struct output o = {.data = (uint8_t[2 * OUTPUT_ROOM_MAX]){0}, .cap = 2 * OUTPUT_ROOM_MAX, .fd = 2};
			output_str(&o, "sst-dump: ");
			output_str(&o, path);
			output_str(&o, ": left out: keys '");
			field_write_text(&o, lost.from);
			output_str(&o, "'..'");
			field_write_text(&o, lost.to);
			output_str(&o, "'\n");
			output_flush(&o);
		}
	}
	return rc;
}

static int walk(struct dump *d, const char *path, struct sst_iter *it)
{
	struct sst_entry e;
	bool back = d->t.reverse;
	int rc = back ? start_backward(d, it, &e) : start_forward(d, it, &e);
	for (;;) {
		rc = skip_damage(d, path, it, rc, &e);
		if (rc || d->printed >= d->t.max)
			return rc < 0 ? rc : 0;
		int where = place(d, e.key);
		if (where == (back ? -1 : 1))
			return 0;
		if (where == 0)
			rc = print_entry(d, &e);
		if (rc)
			return rc;
		rc = back ? sst_iter_prev(it, &e) : sst_iter_next(it, &e);
	}
}

/* Those that begin in the range, or reach into it. */
static bool touches(const struct dump *d, const struct sst_entry *e)
{
	int begin = place(d, e->key);
	if (!d->limited || begin == 0)
		return true;
	struct sst_slice start = d->from;
	if (d->t.prefix && slice_cmp(d->prefix, start) > 0)
		start = d->prefix;
	return begin < 0 && slice_cmp(e->value, start) > 0;
}

static int walk_range_deletions(struct dump *d, struct sst_table *table)
{
	struct sst_entry e;
	int rc = 0;
	for (size_t i = 0; !rc && d->printed < d->t.max; i++) {
		rc = sst_table_range_deletion(table, i, &e);
		if (!rc && touches(d, &e))
			rc = print_entry(d, &e);
	}
	return rc < 0 ? rc : 0;
}

static int dump_entries(struct dump *d, const char *path, struct sst_table *table)
{
	struct sst_iter *it = NULL;
	int rc = d->limited ? sst_table_bytewise(table) : 0;
	if (!rc)
		rc = sst_iter_new(&it, table, d->all ? SST_ITER_ALL : 0);
	if (!rc)
		rc = walk(d, path, it);
	sst_iter_free(it);
	return !rc && d->all ? walk_range_deletions(d, table) : rc;
}

/* ---------------------------------------------------------------- what is inside */

static int print_property(void *arg, const struct sst_property *p)
{
	const struct dump *d = arg;
	struct output *o = tool_stdout();
	if (d->t.form == RECORD_JSON) {
		output_char(o, '{');
		table_file_write_member(o, "name", p->name);
		output_char(o, ',');
		if (p->is_number)
			table_file_write_number(o, "value", p->number);
		else
			table_file_write_member(o, "value", p->value);
		output_char(o, '}');
	} else {
		field_write_text(o, p->name);
		output_char(o, '\t');
		if (p->is_number)
			output_u64(o, p->number);
		else
			table_file_write_key(&d->t, o, p->value);
	}
	output_char(o, '\n');
	return output_record_end(o);
}

static int print_index(void *arg, const struct sst_block *b)
{
	const struct dump *d = arg;
	struct output *o = tool_stdout();
	if (d->t.form == RECORD_JSON) {
		output_char(o, '{');
		table_file_write_member(o, "first_key", b->first_key);
		output_char(o, ',');
		table_file_write_number(o, "offset", b->offset);
		output_char(o, ',');
		table_file_write_number(o, "size", b->size);
		output_char(o, '}');
	} else {
		table_file_write_key(&d->t, o, b->first_key);
		output_char(o, '\t');
		output_u64(o, b->offset);
		output_char(o, '\t');
		output_u64(o, b->size);
	}
	output_char(o, '\n');
	return output_record_end(o);
}

static void print_block_json(struct output *o, const struct sst_block *b)
{
	output_char(o, '{');
	table_file_write_number(o, "offset", b->offset);
	output_char(o, ',');
	table_file_write_number(o, "size", b->size);
	output_char(o, ',');
	table_file_write_member(o, "kind", (struct sst_slice){(const uint8_t *)b->kind, strlen(b->kind)});
	output_char(o, ',');
	table_file_write_member(o, "compression",
		(struct sst_slice){(const uint8_t *)b->compression, strlen(b->compression)});
	output_char(o, ',');
	table_file_write_number(o, "contents", b->contents_size);
	if (b->has_first_key) {
		output_char(o, ',');
		table_file_write_number(o, "entries", b->entries);
		output_char(o, ',');
		table_file_write_member(o, "first_key", b->first_key);
	}
	output_char(o, '}');
}

static int print_block(void *arg, const struct sst_block *b)
{
	const struct dump *d = arg;
	struct output *o = tool_stdout();
	if (d->t.form == RECORD_JSON) {
		print_block_json(o, b);
	} else {
		output_u64(o, b->offset);
		output_char(o, '\t');
		output_u64(o, b->size);
		output_char(o, '\t');
		output_str(o, b->kind);
		output_char(o, '\t');
		output_str(o, b->compression);
		output_char(o, '\t');
		output_u64(o, b->contents_size);
		if (b->has_first_key) {
			output_char(o, '\t');
			output_u64(o, b->entries);
			output_char(o, '\t');
			table_file_write_key(&d->t, o, b->first_key);
		}
	}
	output_char(o, '\n');
	return output_record_end(o);
}

/* ---------------------------------------------------------------- files */

static int dump_table(struct dump *d, const char *path, struct sst_table *table)
{
	switch (d->what) {
	case OPT_PROPS:
		return sst_table_properties(table, print_property, d);
	case OPT_INDEX:
		return sst_table_index(table, print_index, d);
	case OPT_BLOCKS:
		return sst_table_blocks(table, print_block, d);
	default:
		return dump_entries(d, path, table);
	}
}

/* A file that fails does not keep the others from being shown. An error of the output does. */
static void dump_file(struct dump *d, const char *path)
{
	struct table_file f;
	int rc = table_file_open(&f, path);
	if (!rc)
		rc = dump_table(d, path, f.table);
	if (rc && !tool_stdout()->error) {
		output_flush(tool_stdout());
		d->status = tool_report(rc, NULL);
	}
	table_file_close(&f);
}

static void begin(struct dump *d)
{
	d->limited = d->t.from || d->t.to || d->t.prefix;
	if (d->t.from)
		d->from = tool_operand(&d->t, d->t.from);
	if (d->t.to)
		d->to = tool_operand(&d->t, d->t.to);
	if (d->t.prefix)
		d->prefix = tool_operand(&d->t, d->t.prefix);
	if (!d->what && !d->t.count)
		record_writer_begin(&d->writer, tool_stdout(), d->t.form, shape_of(d));
}

static void end(struct dump *d)
{
	if (d->t.count && !d->status) {
		output_u64(tool_stdout(), d->printed);
		output_char(tool_stdout(), '\n');
	} else if (!d->what && !d->t.count && !d->status) {
		record_writer_end(&d->writer);
	}
}

int main(int argc, char **argv)
{
	struct dump d = {.t = {.name = "sst-dump", .synopsis = synopsis, .options = options}};
	parse(&d, argc, argv);
	check_usage(&d);
	begin(&d);
	for (int i = 0; i < d.t.argc && !tool_stdout()->error; i++)
		dump_file(&d, d.t.argv[i]);
	end(&d);
	return tool_finish(d.status);
}
