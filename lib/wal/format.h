/* SPDX-License-Identifier: MIT */
/* The types of log fragments. Source: RocksDB db/log_format.h. */
#ifndef WAL_FORMAT_H
#define WAL_FORMAT_H

enum log_type {
	LOG_ZERO = 0, /* preallocated */
	LOG_FULL = 1,
	LOG_FIRST = 2,
	LOG_MIDDLE = 3,
	LOG_LAST = 4,
	/* The same four with the log's number in the header: its file may be written over. */
	LOG_RECYCLABLE_FULL = 5,
	LOG_RECYCLABLE_LAST = 8,
	LOG_COMPRESSION = 9,
	LOG_TIMESTAMP_SIZES = 10,
	LOG_RECYCLABLE_TIMESTAMP_SIZES = 11,
	/* With this bit: nothing that a reader needs to know. */
	LOG_IGNORABLE = 128,
	LOG_RECYCLABLE_PREDECESSOR = 131,
};

#define LOG_RECYCLABLE_HEADER_SIZE 11

#endif
