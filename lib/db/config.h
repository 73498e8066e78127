/* SPDX-License-Identifier: MIT */
/* The settings of a store: the optional text file lsm.conf in its directory. See lsm.conf(5). */
#ifndef DB_CONFIG_H
#define DB_CONFIG_H

#include "base/coding.h"

struct config {
	uint64_t write_buffer_size; /* bytes of memtable at which it is frozen */
	uint32_t block_size;
	bool zstd;	 /* else uncompressed */
	int zstd_level;
	uint32_t bloom_bits_per_key; /* 0: no filter */
};

void config_default(struct config *c);
/* Text of an lsm.conf; `name` is for messages. SST_EINVAL with the line's number. */
int config_parse(struct config *c, struct sst_slice text, const char *name);
/* Reads lsm.conf in dirfd; the defaults where there is none. */
int config_read(struct config *c, int dirfd);

#endif
