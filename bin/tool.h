/* SPDX-License-Identifier: MIT */
/*
 * What every program shares: its name, options, messages, exit status and standard output.
 *
 *	static const struct tool_option options[] = {
 *		TOOL_DB, TOOL_ESCAPE, {OPT_DEFAULT, "default", "VALUE", "for an absent key"}, TOOL_END,
 *	};
 *
 *	int main(int argc, char **argv)
 *	{
 *		struct tool t = {.name = "lsm-get", .synopsis = "lsm-get ...\n", .options = options};
 *		int opt;
 *		tool_start(&t, argc, argv);
 *		while ((opt = tool_next(&t)) != -1)
 *			switch (opt) { case OPT_DEFAULT: fallback = t.arg; }
 *		if (t.argc != 1)
 *			tool_usage("one KEY is needed");
 *		...
 *		return tool_finish(TOOL_EXIT_OK);
 *	}
 *
 * Exit status: 0 done, 1 the answer is no, 2 wrong usage or input, 3 could not, 4 damaged or
 * unsupported data, 75 try again.
 */
#ifndef BIN_TOOL_H
#define BIN_TOOL_H

#include "output.h"
#include "record.h"
#include "sst.h"

enum tool_exit {
	TOOL_EXIT_OK = 0,
	TOOL_EXIT_NO = 1,
	TOOL_EXIT_USAGE = 2,
	TOOL_EXIT_FAILURE = 3,
	TOOL_EXIT_DAMAGE = 4,
	TOOL_EXIT_AGAIN = 75,
};

struct tool_option {
	int code;	  /* its letter, or >= TOOL_LONG_ONLY */
	const char *name; /* long name */
	const char *arg;  /* name of its argument for the help; NULL: takes none */
	const char *help; /* one line */
};

#define TOOL_LONG_ONLY 256

/* Options that mean the same everywhere: tool_next stores them in struct tool by itself. */
#define TOOL_DB {'d', "db", "DIR", "store directory (default: $LSM_DB)"}
#define TOOL_FROM {'f', "from", "K", "begin at key K"}
#define TOOL_TO {'u', "to", "K", "end before key K"}
#define TOOL_PREFIX {'p', "prefix", "P", "only keys that start with P"}
#define TOOL_REVERSE {'r', "reverse", NULL, "from the last key to the first"}
#define TOOL_MAX {'m', "max", "N", "at most N records"}
#define TOOL_KEYS {'k', "keys", NULL, "keys only"}
#define TOOL_COUNT {'c', "count", NULL, "only the number of records"}
#define TOOL_ESCAPE {'e', "escape", NULL, "operands in escaped form: \\\\ \\t \\n \\r \\xHH"}
#define TOOL_HEX {'x', "hex", NULL, "operands and text in hex"}
#define TOOL_NULL {'0', "null", NULL, "a NUL ends every field"}
#define TOOL_JSON {'j', "json", NULL, "JSON, one object a line"}
#define TOOL_FORMAT {'F', "format", "FMT", "form of records: text hex null json cdb dump ldb"}
#define TOOL_BATCH {'b', "batch", NULL, "operands from standard input, one record each"}
#define TOOL_TIMEOUT {'t', "timeout", "SEC", "wait at most SEC seconds for a lock, then exit 75"}
#define TOOL_DRY_RUN {'n', "dry-run", NULL, "only say what would be done"}
#define TOOL_QUIET {'q', "quiet", NULL, "only the exit status"}
#define TOOL_VERBOSE {'v', "verbose", NULL, "more on standard error"}
#define TOOL_LINE_BUFFERED {TOOL_LONG_ONLY, "line-buffered", NULL, "write out every line at once"}
#define TOOL_OWN (TOOL_LONG_ONLY + 16) /* where a program's own long-only codes begin */
/* -h and -V, and the end of every table. */
#define TOOL_END                                                                                   \
	{'h', "help", NULL, "print this and exit"},                                                \
		{'V', "version", NULL, "print the version and exit"}, {0, NULL, NULL, NULL}

struct tool {
	/* set by the program */
	const char *name;
	const char *synopsis; /* the SYNOPSIS of its page as mandoc renders it, without the indent */
	const struct tool_option *options;
	/* set by tool_next */
	char *arg; /* argument of the option it returned */
	int argc;  /* after the last option: the operands */
	char **argv;
	/* the common options; the strings as they were given, NULL when they were not */
	char *db, *from, *to, *prefix;
	uint64_t max;		   /* -m; UINT64_MAX when not given */
	int64_t timeout_ms;	   /* -t; -1 when not given */
	enum operand_form operand; /* of -e, -x */
	enum record_form form;	   /* of -0, -j, -F; hex with -x alone */
	bool form_given;	   /* by -0, -j or -F */
	bool reverse, keys, count, batch, dry_run, quiet, verbose, line_buffered;
};

/* Call first: makes sure descriptors 0 to 2 are open, sets signals, and answers -h and -V, whatever
 * else is there, by printing and exiting. One tool a process: messages use its name afterwards. */
void tool_start(struct tool *t, int argc, char **argv);
/* The next option that is the program's own: its code; -1 behind the last. Wrong ones are usage
 * errors. */
int tool_next(struct tool *t);

/* ---------------------------------------------------------------- messages and the end */

/* "NAME: text" on standard error, one line, control characters made visible. */
void tool_message(const char *fmt, ...) __attribute__((format(printf, 1, 2), cold));
/* The message, a hint at --help, exit status 2. */
_Noreturn void tool_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2), cold));
/* Flushes standard output, prints "NAME: text: " and sst_errmsg() (only that when fmt is NULL) and
 * exits as the negative rc demands. */
_Noreturn void tool_fail(int rc, const char *fmt, ...) __attribute__((format(printf, 2, 3), cold));
/* The same without exiting; returns the exit status. Standard output is not touched. */
int tool_report(int rc, const char *fmt, ...) __attribute__((format(printf, 2, 3), cold));
/* EINVAL 2; EIO ENOENT ENOMEM EFULL 3; ECORRUPT EUNSUPPORTED 4; EBUSY 75; SST_OK 0; SST_NO 1. */
int tool_exit_status(int rc);
/* The end of main: flushes standard output; status, or 3 with a message when that failed. */
int tool_finish(int status);
/* Standard output. */
struct output *tool_stdout(void);

/* ---------------------------------------------------------------- operands */

/* Decodes an operand as -e or -x demand, in place; wrong ones are usage errors. */
struct sst_slice tool_operand(const struct tool *t, char *text);
/* 64, 64K, 64M, 1G. option ("--if-size") is for the usage error. */
uint64_t tool_size(const char *option, const char *text);
/* 90, 1.5s, 10m, 2h, 1d -> milliseconds. */
int64_t tool_duration(const char *option, const char *text);
uint64_t tool_number(const char *option, const char *text);

/* Usage errors of a program that was called with -b for records of that shape: -e, a second form
 * beside -x, a form that has no such records. */
void tool_check_batch(const struct tool *t, enum record_shape shape);
/* Prints a value as -e or -x demand, else the exact bytes; with a newline only where somebody looks at it, or where it was
 * made a line. */
void tool_print_value(const struct tool *t, struct sst_slice value);
/* A reader of records in t->form, or the end of the program. */
struct record_reader *tool_reader(const struct tool *t, int fd, const char *name,
	enum record_shape shape);

/* "1.2 MiB" into text; returns text. */
#define TOOL_SIZE_TEXT 24
const char *tool_size_text(char text[TOOL_SIZE_TEXT], uint64_t bytes);

/* ---------------------------------------------------------------- stores */

/* -d, else $LSM_DB, else a usage error. */
const char *tool_db(const struct tool *t);
/* Opens that store with -t and with messages on standard error as -q and -v demand, or ends the
 * program. t is borrowed while the store is open. */
struct lsm *tool_open(const struct tool *t, bool create, bool read_only);
/* The options tool_open uses, for those who open more than one handle. */
void tool_lsm_options(const struct tool *t, struct lsm_options *opt);

#endif
