/* SPDX-License-Identifier: MIT */
/*
 * Feeds every file below the directories or files named to LLVMFuzzerTestOneInput, each in a buffer of exactly its
 * size, so that a sanitizer sees a read one byte too far. A corpus that is absent or empty is a failure: a target
 * that was fed nothing has proved nothing. The empty input is always tried.
 */
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned fed;

static int feed(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)where;
	if (kind == FTW_D)
		return 0;
	if (kind != FTW_F) {
		fprintf(stderr, "cannot read '%s'\n", path);
		return 1;
	}
	FILE *f = fopen(path, "rb");
	size_t size = (size_t)st->st_size;
	uint8_t *data = malloc(size ? size : 1);

	if (!f || !data || fread(data, 1, size, f) != size) {
		perror(path);
		return 1;
	}
	fclose(f);
	/* Said before, not after: what crashes a target must be known by name. */
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	fed++;
	return 0;
}

int main(int argc, char **argv)
{
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++) {
		if (nftw(argv[i], feed, 16, FTW_PHYS) != 0) {
			fprintf(stderr, "cannot read the corpus '%s'\n", argv[i]);
			return 1;
		}
	}
	if (fed == 0) {
		fprintf(stderr, "no input: the corpus is empty\n");
		return 1;
	}
	printf("%u inputs survived\n", fed);
	return 0;
}
