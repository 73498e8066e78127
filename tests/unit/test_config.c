/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "db/config.h"

static int parse(struct config *c, const char *text)
{
	return config_parse(c, slice_str(text), "lsm.conf");
}

static void test_settings(void)
{
	struct config c;
	CHECK_EQ(parse(&c, ""), 0);
	CHECK_EQ(c.write_buffer_size, UINT64_C(64) << 20);
	CHECK_EQ(c.block_size, 16384);
	CHECK(c.zstd && c.zstd_level == 1);
	CHECK_EQ(c.bloom_bits_per_key, 10);
	CHECK_EQ(parse(&c, " # all\nwrite_buffer_size=2G\n\tblock_size = 4K # small\r\ncompression=none\nbloom_bits_per_key = 0"), 0);
	CHECK_EQ(c.write_buffer_size, UINT64_C(2) << 30);
	CHECK_EQ(c.block_size, 4096);
	CHECK(!c.zstd);
	CHECK_EQ(c.bloom_bits_per_key, 0);
	CHECK_EQ(parse(&c, "compression = zstd:19\n"), 0);
	CHECK_EQ(c.zstd_level, 19);
}

static void refused(const char *text, const char *message)
{
	struct config c;
	CHECK_EQ(parse(&c, text), SST_EINVAL);
	if (strcmp(sst_errmsg(), message)) {
		fprintf(stderr, "'%s': '%s', not '%s'\n", text, sst_errmsg(), message);
		exit(1);
	}
}

static void test_errors_name_the_line(void)
{
	refused("\n\nfoo = 1\n", "lsm.conf:3: unknown setting 'foo'");
	refused("block_size\n", "lsm.conf:1: not of the form name = value");
	refused("block_size = 1\n", "lsm.conf:1: block_size must be a size from 256 to 16M");
	refused("block_size = 4K\nblock_size = 4K\n", "lsm.conf:2: block_size is set twice");
	refused("compression = lz4\n", "lsm.conf:1: compression must be none, zstd or zstd:LEVEL with LEVEL from 1 to 19");
	refused("compression = zstd:0\n", "lsm.conf:1: compression must be none, zstd or zstd:LEVEL with LEVEL from 1 to 19");
	refused("write_buffer_size = 18446744073709551615G", "lsm.conf:1: write_buffer_size must be a size from 64K to 8G");
	refused("bloom_bits_per_key = -1", "lsm.conf:1: bloom_bits_per_key must be a number from 0 to 100");
}

int main(void)
{
	RUN(test_settings);
	RUN(test_errors_name_the_line);
	return unit_done("config");
}
