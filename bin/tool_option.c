/* SPDX-License-Identifier: MIT */
/*
 * The command line: getopt_long over a program's table. It is gone through twice, because help
 * and version are answered whatever else is there; the first time nothing but these is looked
 * at.
 */
#include "tool_option.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define OPTIONS_MAX 40

/* A table in getopt's terms. */
struct getopt_table {
	struct option longs[OPTIONS_MAX + 1];
	char shorts[2 * OPTIONS_MAX + 2];
};

static void make_table(struct getopt_table *g, const struct tool_option *options)
{
	size_t n = 0, s = 0;
	g->shorts[s++] = ':'; /* tells a missing argument from an unknown option */
	for (const struct tool_option *o = options; o->code && n < OPTIONS_MAX; o++) {
		g->longs[n++] = (struct option){
			.name = o->name,
			.has_arg = o->arg ? required_argument : no_argument,
			.val = o->code,
		};
		if (o->code >= TOOL_LONG_ONLY)
			continue;
		g->shorts[s++] = (char)o->code;
		if (o->arg)
			g->shorts[s++] = ':';
	}
	g->longs[n] = (struct option){0};
	g->shorts[s] = '\0';
}

/* ---------------------------------------------------------------- help and version */

static void print_option(struct output *o, const struct tool_option *option)
{
	size_t start = o->size, column = 28;
	output_str(o, "  ");
	if (option->code < TOOL_LONG_ONLY) {
		output_char(o, '-');
		output_char(o, (char)option->code);
		output_str(o, ", --");
	} else {
		output_str(o, "    --");
	}
	output_str(o, option->name);
	if (option->arg) {
		output_char(o, '=');
		output_str(o, option->arg);
	}
	do
		output_char(o, ' ');
	while (o->size - start < column);
	output_str(o, option->help);
	output_char(o, '\n');
}

static _Noreturn void print_help(const struct tool *t)
{
	struct output *o = tool_stdout();
	output_str(o, t->synopsis);
	output_char(o, '\n');
	for (const struct tool_option *option = t->options; option->code; option++)
		print_option(o, option);
	exit(tool_finish(TOOL_EXIT_OK));
}

static _Noreturn void print_version(const struct tool *t)
{
	struct output *o = tool_stdout();
	output_str(o, t->name);
	output_str(o, " (lsmkit) " SST_VERSION "\n");
	exit(tool_finish(TOOL_EXIT_OK));
}

static int next_code(const struct tool *t, char **argv)
{
	struct getopt_table g;
	make_table(&g, t->options);
	return getopt_long(t->argc, argv, g.shorts, g.longs, NULL);
}

/* -h or -V when either is among the options. On a copy, because getopt moves operands to the
 * end, and then a last option would find the argument that it lacks. */
static int find_question(const struct tool *t)
{
	int code, asked = 0;
	char **copy = calloc((size_t)t->argc + 1, sizeof(*copy));
	if (!copy)
		return 0;
	memcpy(copy, t->argv, (size_t)t->argc * sizeof(*copy));
	while ((code = next_code(t, copy)) != -1)
		if (!asked && (code == 'h' || code == 'V'))
			asked = code;
	free(copy);
	optind = 0; /* again from the start */
	return asked;
}

void tool_option_start(struct tool *t, int argc, char **argv)
{
	t->argc = argc;
	t->argv = argv;
	t->max = UINT64_MAX;
	t->timeout_ms = -1;
	opterr = 0;
	int asked = find_question(t);
	if (asked == 'h')
		print_help(t);
	if (asked == 'V')
		print_version(t);
}

/* ---------------------------------------------------------------- options */

static const struct tool_option *find_option(const struct tool *t, int code)
{
	for (const struct tool_option *o = t->options; o->code; o++)
		if (o->code == code)
			return o;
	return NULL;
}

static _Noreturn void refuse(const struct tool *t, int code)
{
	const char *word = t->argv[optind - 1];
	const struct tool_option *o = find_option(t, optopt);
	if (o && code == ':')
		tool_usage("option '--%s' needs an argument", o->name);
	if (o)
		tool_usage("option '--%s' takes no argument", o->name);
	if (optopt)
		tool_usage("unknown option '-%c'", optopt);
	tool_usage("unknown or ambiguous option '%s'", word);
}

static void take_form(struct tool *t, enum record_form form)
{
	if (t->form_given && t->form != form)
		tool_usage("more than one form of records asked for");
	t->form = form;
	t->form_given = true;
}

static void take_format(struct tool *t, const char *name)
{
	enum record_form form = RECORD_TEXT;
	if (record_form_parse(name, &form))
		tool_usage("--format: %s", sst_errmsg());
	take_form(t, form);
}

static void take_operand_form(struct tool *t, enum operand_form form)
{
	if (t->operand != OPERAND_RAW && t->operand != form)
		tool_usage("-e and -x exclude each other");
	t->operand = form;
}

static bool take_flag(struct tool *t, int code)
{
	switch (code) {
	case 'r':
		return t->reverse = true;
	case 'k':
		return t->keys = true;
	case 'c':
		return t->count = true;
	case 'b':
		return t->batch = true;
	case 'n':
		return t->dry_run = true;
	case 'q':
		return t->quiet = true;
	case 'v':
		return t->verbose = true;
	case TOOL_LONG_ONLY:
		return t->line_buffered = true;
	default:
		return false;
	}
}

/* Whether it is one of those that mean the same everywhere. */
static bool take_common(struct tool *t, int code)
{
	switch (code) {
	case 'd':
		t->db = optarg;
		return true;
	case 'f':
		t->from = optarg;
		return true;
	case 'u':
		t->to = optarg;
		return true;
	case 'p':
		t->prefix = optarg;
		return true;
	case 'm':
		t->max = tool_number("--max", optarg);
		return true;
	case 't':
		t->timeout_ms = tool_duration("--timeout", optarg);
		return true;
	case 'e':
		take_operand_form(t, OPERAND_ESCAPED);
		return true;
	case 'x':
		take_operand_form(t, OPERAND_HEX);
		return true;
	case '0':
		take_form(t, RECORD_NULL);
		return true;
	case 'j':
		take_form(t, RECORD_JSON);
		return true;
	case 'F':
		take_format(t, optarg);
		return true;
	default:
		return take_flag(t, code);
	}
}

int tool_next(struct tool *t)
{
	int code;
	do {
		code = next_code(t, t->argv);
		if (code == '?' || code == ':')
			refuse(t, code);
	} while (code != -1 && take_common(t, code));
	t->arg = optarg;
	if (code != -1)
		return code;
	t->argc -= optind;
	t->argv += optind;
	if (t->operand == OPERAND_HEX && !t->form_given)
		t->form = RECORD_HEX;
	tool_stdout()->line_buffered = t->line_buffered;
	return -1;
}

void tool_check_batch(const struct tool *t, enum record_shape shape)
{
	static const char *const names[] = {
		[RECORD_KEY] = "keys alone",
		[RECORD_PAIR] = "pairs",
		[RECORD_VERSION] = "sequence and type",
		[RECORD_CHANGE] = "operations",
	};
	if (t->operand == OPERAND_ESCAPED)
		tool_usage("-e does not go with -b (the text form is escaped)");
	if (t->operand == OPERAND_HEX && t->form != RECORD_HEX)
		tool_usage("more than one form of records asked for");
	if (!record_form_has(t->form, shape))
		tool_usage("the %s form has no %s", record_form_name(t->form), names[shape]);
}

/* ---------------------------------------------------------------- values */

struct sst_slice tool_operand(const struct tool *t, char *text)
{
	struct sst_slice out;
	if (record_operand(text, t->operand, &out))
		tool_usage("operand '%s': %s", text, sst_errmsg());
	return out;
}

struct unit {
	char letter;
	uint64_t size;
};

/* Decimal digits; where they end. NULL: none, or too many. */
static const char *read_digits(const char *p, uint64_t *v)
{
	const char *start = p;
	for (*v = 0; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(*v, 10u, v) ||
			__builtin_add_overflow(*v, (unsigned)(*p - '0'), v))
			return NULL;
	}
	return p > start ? p : NULL;
}

/* NUMBER[.FRACTION][UNIT], the first unit being that of a bare number; false when it is not
 * that. */
static bool read_scaled(const char *text, const struct unit *units, uint64_t *out)
{
	uint64_t whole, part = 0, scale = 1;
	const char *p = read_digits(text, &whole);
	if (p && *p == '.') {
		const char *start = p + 1;
		p = read_digits(start, &part);
		for (const char *q = start; p && q < p; q++)
			scale *= 10;
		if (p && p - start > 6)
			p = NULL;
	}
	if (!p)
		return false;
	const struct unit *u = units;
	while (*p && u->letter && u->letter != *p)
		u++;
	if (*p && (!u->letter || p[1]))
		return false;
	return !__builtin_mul_overflow(whole, u->size, &whole) &&
	       !__builtin_add_overflow(whole, part * u->size / scale, out);
}

uint64_t tool_size(const char *option, const char *text)
{
	static const struct unit units[] = {
		{'B', 1}, {'K', 1u << 10}, {'M', 1u << 20}, {'G', 1u << 30}, {0, 0}};
	uint64_t v;
	if (!read_scaled(text, units, &v))
		tool_usage("%s: '%s' is not a size (64, 64K, 64M, 1G)", option, text);
	return v;
}

int64_t tool_duration(const char *option, const char *text)
{
	static const struct unit units[] = {
		{'s', 1000}, {'m', 60 * 1000}, {'h', 3600 * 1000}, {'d', 86400 * 1000}, {0, 0}};
	uint64_t v;
	if (!read_scaled(text, units, &v) || v > INT64_MAX / 2)
		tool_usage("%s: '%s' is not a duration (90, 90s, 10m, 2h, 1d)", option, text);
	return (int64_t)v;
}

uint64_t tool_number(const char *option, const char *text)
{
	uint64_t v;
	const char *end = read_digits(text, &v);
	if (!end || *end)
		tool_usage("%s: '%s' is not a number", option, text);
	return v;
}

const char *tool_size_text(char text[TOOL_SIZE_TEXT], uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes;
	unsigned u = 0;
	for (; v >= 1024; u++)
		v /= 1024;
	snprintf(text, TOOL_SIZE_TEXT, u ? "%.1f %s" : "%.0f %s", v, units[u]);
	return text;
}
