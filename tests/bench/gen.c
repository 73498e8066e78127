/* SPDX-License-Identifier: MIT */
/*
 * gen FORM COUNT [FIRST]: records FIRST .. FIRST+COUNT-1 of data.h on stdout, for the loaders.
 *   tsv    KEY, tab, VALUE      (lsm-put, sort, sqlite3 .import)
 *   ldb    KEY ==> VALUE        (ldb load)
 *   dump   mdb_load's own form, with a map size that holds them
 *   cdb    +3,5:key->value      (cdb -c)
 *   keys   KEY
 *   absent keys that are in none of the others
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "data.h"

static void print_hex(const char *bytes, size_t size)
{
	putchar(' ');
	for (size_t i = 0; i < size; i++)
		printf("%02x", (unsigned char)bytes[i]);
	putchar('\n');
}

static bool print_record(const char *form, const struct record *r)
{
	const int key = (int)r->key_size;

	if (!strcmp(form, "tsv")) {
		printf("%.*s\t%.*s\n", key, r->key, VALUE_SIZE, r->value);
	} else if (!strcmp(form, "ldb")) {
		printf("%.*s ==> %.*s\n", key, r->key, VALUE_SIZE, r->value);
	} else if (!strcmp(form, "dump")) {
		print_hex(r->key, r->key_size);
		print_hex(r->value, VALUE_SIZE);
	} else if (!strcmp(form, "cdb")) {
		printf("+%d,%d:%.*s->%.*s\n", key, VALUE_SIZE, key, r->key, VALUE_SIZE, r->value);
	} else if (!strcmp(form, "keys") || !strcmp(form, "absent")) {
		printf("%.*s\n", key, r->key);
	} else {
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	if (argc != 3 && argc != 4)
		return fputs("usage: gen tsv|ldb|dump|cdb|keys|absent COUNT [FIRST]\n", stderr), 2;

	const char *form = argv[1];
	const uint64_t count = strtoull(argv[2], NULL, 10);
	const uint64_t first = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
	const uint64_t seed = strcmp(form, "absent") ? SEED_STORED : SEED_ABSENT;

	if (!strcmp(form, "dump"))
		printf("VERSION=3\nformat=bytevalue\ntype=btree\nmapsize=%" PRIu64 "\nHEADER=END\n",
			(count + 10000) * 1000);
	for (uint64_t i = first; i < first + count; i++) {
		struct record r;

		record_make(&r, seed, i);
		if (!print_record(form, &r))
			return fprintf(stderr, "gen: no form '%s'\n", form), 2;
	}
	if (!strcmp(form, "dump"))
		puts("DATA=END");
	if (!strcmp(form, "cdb"))
		putchar('\n');
	return fflush(stdout) ? 3 : 0;
}
