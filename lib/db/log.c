/* SPDX-License-Identifier: MIT */
/* What a user should hear while something goes on, and patience with those who hold a lock. */
#include <stdarg.h>
#include <stdio.h>

#include "base/status.h"
#include "db/store.h"
#include "os/event.h"

void store_log(const struct lsm *db, int level, const char *fmt, ...)
{
	if (!db->options.log)
		return;
	char line[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	db->options.log(db->options.log_arg, level, line);
}

#define SAY_AFTER_NS UINT64_C(1000000000)
#define SLEEP_MAX_MS 20

int patience_check(struct patience *p, const struct lsm *db, const char *what)
{
	uint64_t now = clock_monotonic_ns();
	if (!p->since_ns)
		p->since_ns = now;
	uint64_t waited = now - p->since_ns;
	if (db->options.timeout_ms >= 0 && waited >= (uint64_t)db->options.timeout_ms * 1000000)
		return fail(SST_EBUSY, "store '%s' is busy: %s", db->path, what);
	if (!p->said && waited >= SAY_AFTER_NS) {
		store_log(db, 0, "waiting: %s", what);
		p->said = true;
	}
	return 0;
}

int patience_wait(struct patience *p, const struct lsm *db, const char *what)
{
	int rc = patience_check(p, db, what);
	if (rc)
		return rc;
	sleep_ms(p->rounds < SLEEP_MAX_MS ? ++p->rounds : SLEEP_MAX_MS);
	return 0;
}
