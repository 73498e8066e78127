/* SPDX-License-Identifier: MIT */
/* Inside an open table of the public header. */
#ifndef DB_TABLE_HANDLE_H
#define DB_TABLE_HANDLE_H

#include "table/reader.h"

/* Borrowed. */
struct table *table_of(struct sst_table *t);

#endif
