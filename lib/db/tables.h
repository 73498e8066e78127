/* SPDX-License-Identifier: MIT */
/* The open tables of a handle. See tables.c. */
#ifndef DB_TABLES_H
#define DB_TABLES_H

#include "db/store.h"

struct open_table;
struct table;

/* Opened, and kept open for the handle's next use. VIEW_MOVED: the file is gone. */
int tables_open(struct lsm *db, const struct table_meta *meta, struct table **out);
/* The same for the holder alone: stays open, whatever the handle does, until tables_unhold. */
int tables_hold(struct lsm *db, const struct table_meta *meta, struct open_table **held, struct table **out);
void tables_unhold(struct open_table *held);
/* The newest that the tables of db->version say of the key: 0, SST_NO, VIEW_MOVED, or an error. */
int tables_get(struct lsm *db, struct sst_slice key, uint64_t snapshot, struct sst_slice *value);
void tables_close(struct lsm *db);

#endif
