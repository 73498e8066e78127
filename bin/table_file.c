/* SPDX-License-Identifier: MIT */
#include "table_file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/status.h"
#include "field.h"

#define STDIN_NAME "standard input"

/* ---------------------------------------------------------------- opening */

static ssize_t read_some(uint8_t *p, size_t n)
{
	ssize_t r;
	do
		r = read(0, p, n);
	while (r < 0 && errno == EINTR);
	return r;
}

static int read_stdin(uint8_t **bytes, size_t *size)
{
	size_t cap = 0, n = 0;
	for (;;) {
		if (n == cap) {
			uint8_t *more = realloc(*bytes, cap = cap ? 2 * cap : (size_t)64 << 10);
			if (!more)
				return fail_memory();
			*bytes = more;
		}
		ssize_t r = read_some(*bytes + n, cap - n);
		if (r < 0)
			return fail_errno("cannot read " STDIN_NAME);
		if (r == 0)
			break;
		n += (size_t)r;
	}
	*size = n;
	return 0;
}

int table_file_open(struct table_file *f, const char *path)
{
	*f = (struct table_file){0};
	if (strcmp(path, "-") != 0)
		return sst_table_open(&f->table, path);
	size_t size = 0;
	int rc = read_stdin(&f->bytes, &size);
	if (!rc)
		rc = sst_table_open_memory(&f->table, f->bytes, size, STDIN_NAME);
	if (rc)
		table_file_close(f);
	return rc;
}

void table_file_close(struct table_file *f)
{
	sst_table_close(f->table);
	free(f->bytes);
	*f = (struct table_file){0};
}

const char *table_file_bare_message(const char *path)
{
	static const char before[] = "cannot read '", behind[] = "': ";
	const char *text = sst_errmsg(), *name = strcmp(path, "-") == 0 ? STDIN_NAME : path;
	size_t b = strlen(before), n = strlen(name);
	if (strncmp(text, before, b) == 0 && strncmp(text + b, name, n) == 0 &&
		strncmp(text + b + n, behind, strlen(behind)) == 0)
		return text + b + n + strlen(behind);
	return text;
}

/* ---------------------------------------------------------------- fields */

void table_file_write_key(const struct tool *t, struct output *o, struct sst_slice key)
{
	if (t->operand == OPERAND_HEX)
		field_write_hex(o, key);
	else
		field_write_text(o, key);
}

void table_file_write_member(struct output *o, const char *name, struct sst_slice value)
{
	bool utf8 = utf8_valid(value);
	output_char(o, '"');
	output_str(o, name);
	output_str(o, utf8 ? "\":\"" : "_b64\":\"");
	if (utf8)
		field_write_json(o, value);
	else
		field_write_base64(o, value);
	output_char(o, '"');
}

void table_file_write_number(struct output *o, const char *name, uint64_t n)
{
	output_char(o, '"');
	output_str(o, name);
	output_str(o, "\":");
	output_u64(o, n);
}
