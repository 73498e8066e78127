/* SPDX-License-Identifier: MIT */
/*
 * make_table [-b BLOCK_SIZE] [-c none|zstd] [-f BITS] [-j WORKERS] [-x] [-B] [-U] TABLE
 *
 * Builds a table from lines of standard input, "KEY SEQUENCE TYPE VALUE" with key and value in hexadecimal ("-":
 * empty), in order, through the table builder and the sequential writer. -f: bits per key of the filter (0: none);
 * -j: workers of the pool (0: no pool); -x: external; -B: not O_DIRECT; -U: not io_uring. Says on standard
 * error how it wrote. For tests that let RocksDB judge the result.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/file.h"
#include "os/seq_writer.h"
#include "table/builder.h"

static void die(const char *what)
{
	fprintf(stderr, "make_table: %s: %s\n", what, sst_errmsg());
	exit(1);
}

static unsigned hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	fprintf(stderr, "make_table: '%c' is not a hexadecimal digit\n", c);
	exit(2);
}

/* In place: text becomes the bytes. */
static struct sst_slice from_hex(char *text)
{
	if (!strcmp(text, "-"))
		return slice_of(text, 0);
	size_t n = strlen(text) / 2;
	for (size_t i = 0; i < n; i++)
		text[i] = (char)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
	return slice_of(text, n);
}

static void add_line(struct table_builder *b, char *line)
{
	char *rest = line, *field[4];
	for (int i = 0; i < 4; i++) {
		field[i] = strsep(&rest, " \n");
		if (!field[i]) {
			fprintf(stderr, "make_table: a line has no four fields\n");
			exit(2);
		}
	}
	uint64_t tag = tag_make(strtoull(field[1], NULL, 10), (unsigned)strtoul(field[2], NULL, 10));
	if (table_builder_add_parts(b, from_hex(field[0]), tag, from_hex(field[3])))
		die("add");
}

static void build(struct sink *sink, const struct table_options *o)
{
	struct table_builder *b;
	if (table_builder_new(&b, sink, o))
		die("table_builder_new");
	char *line = NULL;
	size_t cap = 0;
	while (getline(&line, &cap, stdin) > 0)
		add_line(b, line);
	free(line);
	if (table_builder_finish(b))
		die("table_builder_finish");
	table_builder_free(b);
}

int main(int argc, char **argv)
{
	struct table_options o = {.bloom_bits_per_key = 10, .compression_level = 1};
	struct seq_writer_options wo = {0};
	unsigned workers = 0;
	int c;
	while ((c = getopt(argc, argv, "b:c:f:j:xBU")) != -1) {
		switch (c) {
		case 'b': o.block_size = strtoul(optarg, NULL, 10); break;
		case 'c': o.compression = strcmp(optarg, "zstd") ? COMPRESSION_NONE : COMPRESSION_ZSTD; break;
		case 'f': o.bloom_bits_per_key = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'j': workers = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'x': o.external = true; break;
		case 'B': wo.no_direct = true; break;
		case 'U': wo.no_uring = true; break;
		default: return 2;
		}
	}
	if (optind + 1 != argc)
		return 2;
	struct seq_writer *w;
	if (seq_writer_open(&w, AT_FDCWD, argv[optind], 0666, &wo))
		die("seq_writer_open");
	fprintf(stderr, "%s\n", seq_writer_mode(w));
	if (workers)
		o.pool = pool_new(workers);
	build(seq_writer_sink(w), &o);
	if (seq_writer_finish(w))
		die("seq_writer_finish");
	seq_writer_close(w);
	pool_free(o.pool);
	return 0;
}
