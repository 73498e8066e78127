/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <stdlib.h>

const char *tool_db(const struct tool *t)
{
	const char *dir = t->db ? t->db : getenv("LSM_DB");
	if (!dir || !*dir)
		tool_usage("no store: use -d DIR or set LSM_DB");
	return dir;
}

static void log_line(void *arg, int level, const char *line)
{
	const struct tool *t = arg;
	if (level == 0 ? !t->quiet : t->verbose)
		tool_message("%s", line);
}

void tool_lsm_options(const struct tool *t, struct lsm_options *opt)
{
	*opt = (struct lsm_options){
		.timeout_ms = t->timeout_ms,
		.log = log_line,
	};
	memcpy(&opt->log_arg, &t, sizeof(t)); /* only read through */
}

struct lsm *tool_open(const struct tool *t, bool create, bool read_only)
{
	struct lsm_options opt;
	struct lsm *db;
	tool_lsm_options(t, &opt);
	opt.create = create;
	opt.read_only = read_only;
	int rc = lsm_open(&db, tool_db(t), &opt);
	if (rc)
		tool_fail(rc, NULL);
	return db;
}
