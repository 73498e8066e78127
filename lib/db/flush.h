/* SPDX-License-Identifier: MIT */
#ifndef DB_FLUSH_H
#define DB_FLUSH_H

#include "db/store.h"
#include "os/pool.h"

/* Removes what v no longer needs: logs, segments, tables and MANIFESTs that a finished or killed flush left. Not being
 * able to remove something is no failure: it is tried again after the next flush. REQUIRES: FLUSH. pool may
 * be NULL. */
void store_sweep(struct lsm *db, const struct view *v, struct pool *pool);

#endif
