/* SPDX-License-Identifier: MIT */
/*
 *     # comment
 *     write_buffer_size = 64M
 *
 * One setting a line, each at most once; an unknown name is an error, not a guess.
 */
#include "db/config.h"

#include <stdlib.h>

#include "base/status.h"
#include "os/file.h"

#define CONFIG_NAME "lsm.conf"
#define CONFIG_SIZE_MAX (64 << 10)

void config_default(struct config *c)
{
	*c = (struct config){
		.write_buffer_size = UINT64_C(64) << 20,
		.block_size = 16 << 10,
		.zstd = true,
		.zstd_level = 1,
		.bloom_bits_per_key = 10,
	};
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct sst_slice trim(struct sst_slice s)
{
	while (s.size && is_blank(s.data[0]))
		s = slice_skip(s, 1);
	while (s.size && is_blank(s.data[s.size - 1]))
		s.size--;
	return s;
}

static bool parse_number(struct sst_slice s, uint64_t *v)
{
	*v = 0;
	for (size_t i = 0; i < s.size; i++) {
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
		if (__builtin_mul_overflow(*v, (uint64_t)10, v) ||
			__builtin_add_overflow(*v, (uint64_t)(s.data[i] - '0'), v))
			return false;
	}
	return s.size > 0;
}

/* A number with an optional K, M or G of 1024. */
static bool parse_size(struct sst_slice s, uint64_t *v)
{
	unsigned shift = 0;
	if (s.size)
		switch (s.data[s.size - 1]) {
		case 'K':
			shift = 10;
			break;
		case 'M':
			shift = 20;
			break;
		case 'G':
			shift = 30;
			break;
		default:
			break;
		}
	if (shift)
		s.size--;
	return parse_number(s, v) && !__builtin_mul_overflow(*v, UINT64_C(1) << shift, v);
}

static const char *set_write_buffer(struct config *c, struct sst_slice v)
{
	uint64_t n;
	if (!parse_size(v, &n) || n < (64 << 10) || n > (UINT64_C(8) << 30))
		return "a size from 64K to 8G";
	c->write_buffer_size = n;
	return NULL;
}

static const char *set_block_size(struct config *c, struct sst_slice v)
{
	uint64_t n;
	if (!parse_size(v, &n) || n < 256 || n > (16 << 20))
		return "a size from 256 to 16M";
	c->block_size = (uint32_t)n;
	return NULL;
}

static const char *set_compression(struct config *c, struct sst_slice v)
{
	struct sst_slice zstd = slice_str("zstd:");
	uint64_t level;
	if (slice_eq(v, slice_str("none"))) {
		c->zstd = false;
		return NULL;
	}
	c->zstd = true;
	if (slice_eq(v, slice_str("zstd")))
		level = 1;
	else if (!slice_has_prefix(v, zstd) || !parse_number(slice_skip(v, zstd.size), &level) || level < 1 || level > 19)
		return "none, zstd or zstd:LEVEL with LEVEL from 1 to 19";
	c->zstd_level = (int)level;
	return NULL;
}

static const char *set_bloom(struct config *c, struct sst_slice v)
{
	uint64_t n;
	if (!parse_number(v, &n) || n > 100)
		return "a number from 0 to 100";
	c->bloom_bits_per_key = (uint32_t)n;
	return NULL;
}

static const struct setting {
	const char *name;
	const char *(*set)(struct config *c, struct sst_slice value); /* NULL, or what it should have been */
} settings[] = {
	{"write_buffer_size", set_write_buffer},
	{"block_size", set_block_size},
	{"compression", set_compression},
	{"bloom_bits_per_key", set_bloom},
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static int parse_line(struct config *c, struct sst_slice line, const char *name, unsigned number, unsigned *seen)
{
	const uint8_t *hash = line.size ? memchr(line.data, '#', line.size) : NULL;
	if (hash)
		line.size = (size_t)(hash - line.data);
	line = trim(line);
	if (!line.size)
		return 0;
	const uint8_t *equals = memchr(line.data, '=', line.size);
	if (!equals)
		return fail(SST_EINVAL, "%s:%u: not of the form name = value", name, number);
	struct sst_slice key = trim(slice_of(line.data, (size_t)(equals - line.data)));
	struct sst_slice value = trim(slice_skip(line, (size_t)(equals - line.data) + 1));
	for (unsigned i = 0; i < SETTINGS; i++) {
		if (!slice_eq(key, slice_str(settings[i].name)))
			continue;
		if (*seen & 1u << i)
			return fail(SST_EINVAL, "%s:%u: %s is set twice", name, number, settings[i].name);
		*seen |= 1u << i;
		const char *want = settings[i].set(c, value);
		return want ? fail(SST_EINVAL, "%s:%u: %s must be %s", name, number, settings[i].name, want) : 0;
	}
	return fail(SST_EINVAL, "%s:%u: unknown setting '%.*s'", name, number, key.size > 40 ? 40 : (int)key.size,
		(const char *)key.data);
}

int config_parse(struct config *c, struct sst_slice text, const char *name)
{
	unsigned seen = 0;
	config_default(c);
	for (unsigned number = 1; text.size; number++) {
		const uint8_t *newline = memchr(text.data, '\n', text.size);
		size_t n = newline ? (size_t)(newline - text.data) : text.size;
		int rc = parse_line(c, slice_of(text.data, n), name, number, &seen);
		if (rc)
			return rc;
		text = slice_skip(text, newline ? n + 1 : n);
	}
	return 0;
}

int config_read(struct config *c, int dirfd)
{
	struct buf text = {0};
	int rc = file_read_all(dirfd, CONFIG_NAME, &text, CONFIG_SIZE_MAX);
	if (rc == SST_NO) {
		config_default(c);
		rc = 0;
	} else if (!rc) {
		rc = config_parse(c, buf_slice(&text), CONFIG_NAME);
	}
	buf_release(&text);
	return rc;
}
