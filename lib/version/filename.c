/* SPDX-License-Identifier: MIT */
#include "version/filename.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MANIFEST_PREFIX "MANIFEST-"
#define OPTIONS_PREFIX "OPTIONS-"

static const struct {
	const char *suffix;
	enum file_kind kind;
} suffixes[] = {
	{".sst", FILE_TABLE},
	{".ldb", FILE_TABLE_LDB},
	{".log", FILE_WAL},
	{".dbtmp", FILE_TEMPORARY},
	{".blob", FILE_BLOB},
};

#define SUFFIXES (sizeof(suffixes) / sizeof(suffixes[0]))

char *file_name(char name[FILE_NAME_MAX], enum file_kind kind, uint64_t number)
{
	const char *prefix = kind == FILE_MANIFEST  ? MANIFEST_PREFIX
			     : kind == FILE_OPTIONS ? OPTIONS_PREFIX
						    : "";
	const char *suffix = "";
	for (size_t i = 0; i < SUFFIXES; i++)
		if (suffixes[i].kind == kind)
			suffix = suffixes[i].suffix;
	snprintf(name, FILE_NAME_MAX, "%s%06" PRIu64 "%s", prefix, number, suffix);
	return name;
}

/* Decimal digits at *s, at least one; *s moves behind them. */
static bool take_number(const char **s, uint64_t *number)
{
	const char *p = *s;
	uint64_t n = 0;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, UINT64_C(10), &n) ||
			__builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			return false;
	if (p == *s)
		return false;
	*s = p;
	*number = n;
	return true;
}

static bool take_prefix(const char **s, const char *prefix)
{
	size_t n = strlen(prefix);
	if (strncmp(*s, prefix, n) != 0)
		return false;
	*s += n;
	return true;
}

enum file_kind file_name_parse(const char *name, uint64_t *number)
{
	enum file_kind prefixed = FILE_OTHER;
	if (take_prefix(&name, MANIFEST_PREFIX))
		prefixed = FILE_MANIFEST;
	else if (take_prefix(&name, OPTIONS_PREFIX))
		prefixed = FILE_OPTIONS;

	*number = 0;
	uint64_t n;
	if (!take_number(&name, &n))
		return FILE_OTHER;
	enum file_kind kind = *name ? FILE_OTHER : prefixed;
	for (size_t i = 0; i < SUFFIXES && *name; i++)
		if (strcmp(name, suffixes[i].suffix) == 0 &&
			(!prefixed || (prefixed == FILE_OPTIONS &&
					      suffixes[i].kind == FILE_TEMPORARY)))
			kind = suffixes[i].kind;
	if (kind != FILE_OTHER)
		*number = n;
	return kind;
}

int file_number_cmp(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}
