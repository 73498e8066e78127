/* SPDX-License-Identifier: MIT */
/*
 * RocksDB's OPTIONS file, as far as we need it. It is lines:
 *
 *     [Version]
 *       rocksdb_version=7.8.3
 *     [CFOptions "default"]
 *       merge_operator={id=StringAppendOperator;delimiter=,;}
 *
 * Names in brackets and values are escaped: \n \r \\ \# \: . An operator without parameters is its
 * bare name; nullptr is none. The value of `delimiter`, the only parameter there is, goes on to
 * the last ";}" as it is, whatever it has in it (RocksDB 7.8 writes every delimiter so; reading
 * it back, it mistakes some of them for syntax).
 *
 * An empty delimiter is written by leaving it out - since parameters are written at all, in
 * 6.24. Before, the line has the bare name whatever the delimiter was; only the TEST operator
 * could not have another than ",". Source: RocksDB options/options_parser.cc,
 * utilities/merge_operators; every delimiter tried on librocksdb 7.8.
 */
#include "db/options_file.h"

#include "base/status.h"

#define TEST_OPERATOR "StringAppendTESTOperator"

void merge_options_release(struct merge_options *m)
{
	buf_release(&m->name);
	buf_release(&m->delimiter);
	*m = (struct merge_options){0};
}

static bool take_line(struct sst_slice *text, struct sst_slice *line)
{
	if (!text->size)
		return false;
	const uint8_t *end = memchr(text->data, '\n', text->size);
	size_t n = end ? (size_t)(end - text->data) : text->size;
	*line = slice_of(text->data, n);
	*text = slice_of(text->data + n + (end != NULL), text->size - n - (end != NULL));
	while (line->size && line->data[0] == ' ')
		*line = slice_of(line->data + 1, line->size - 1);
	return true;
}

static bool take_prefix(struct sst_slice *s, const char *prefix)
{
	struct sst_slice p = slice_str(prefix);
	if (!slice_has_prefix(*s, p))
		return false;
	*s = slice_of(s->data + p.size, s->size - p.size);
	return true;
}

static bool take_suffix(struct sst_slice *s, const char *suffix)
{
	size_t n = strlen(suffix);
	if (s->size < n || memcmp(s->data + s->size - n, suffix, n) != 0)
		return false;
	s->size -= n;
	return true;
}

/* false: an escape that RocksDB does not write. */
static bool unescape(struct buf *out, struct sst_slice s)
{
	static const char from[] = "nr\\#:", to[] = "\n\r\\#:";
	for (size_t i = 0; i < s.size; i++) {
		uint8_t c = s.data[i];
		if (c == '\\') {
			const char *p = ++i < s.size && s.data[i] ? strchr(from, s.data[i]) : NULL;
			if (!p)
				return false;
			c = (uint8_t)to[p - from];
		}
		buf_push(out, c);
	}
	return true;
}

/* Is it the family's section? */
static bool is_section(struct sst_slice line, const char *family)
{
	struct buf name = {0};
	bool is = take_prefix(&line, "[CFOptions \"") && take_suffix(&line, "\"]") &&
		  unescape(&name, line) && !name.failed &&
		  slice_eq(buf_slice(&name), slice_str(family));
	buf_release(&name);
	return is;
}

/* 6.24 of "6.24.2"; 0: not a version. */
static unsigned version_of(struct sst_slice s)
{
	unsigned part[2] = {0};
	for (size_t i = 0, k = 0; i < s.size && k < 2; i++) {
		if (s.data[i] == '.')
			k++;
		else if (s.data[i] >= '0' && s.data[i] <= '9' && part[k] < 1000)
			part[k] = part[k] * 10 + s.data[i] - '0';
		else
			return 0;
	}
	return part[0] * 1000 + (part[1] < 999 ? part[1] : 999);
}

static int set_bare(struct merge_options *m, struct sst_slice name, unsigned version)
{
	if (!name.size || slice_eq(name, slice_str("nullptr")))
		return SST_NO;
	buf_append_slice(&m->name, name);
	m->has_delimiter = version >= 6024 || slice_eq(name, slice_str(TEST_OPERATOR));
	if (version < 6024 && m->has_delimiter)
		buf_push(&m->delimiter, ',');
	return 0;
}

static int set_operator(struct merge_options *m, struct sst_slice value, unsigned version)
{
	struct sst_slice s = value;
	if (!take_prefix(&s, "{id="))
		return set_bare(m, value, version);
	const uint8_t *end = take_suffix(&s, ";}") && s.size ? memchr(s.data, ';', s.size) : NULL;
	struct sst_slice name = slice_of(s.data, end ? (size_t)(end - s.data) : s.size);
	buf_append_slice(&m->name, name);
	if (!end)
		return 0;
	s = slice_of(end + 1, s.size - name.size - 1);
	m->has_delimiter = take_prefix(&s, "delimiter=");
	if (m->has_delimiter)
		buf_append_slice(&m->delimiter, s);
	return 0;
}

static int take_operator(struct merge_options *m, struct sst_slice line, unsigned version)
{
	struct buf value = {0};
	int rc = unescape(&value, line) ? buf_check(&value) : SST_NO;
	if (!rc)
		rc = set_operator(m, buf_slice(&value), version);
	buf_release(&value);
	if (!rc)
		rc = buf_check(&m->name);
	return rc ? rc : buf_check(&m->delimiter);
}

int merge_options_read(struct merge_options *m, struct sst_slice text, const char *family)
{
	struct sst_slice line;
	unsigned version = 0;
	bool inside = false;
	while (take_line(&text, &line)) {
		if (line.size && line.data[0] == '[')
			inside = is_section(line, family);
		else if (!version && take_prefix(&line, "rocksdb_version="))
			version = version_of(line);
		else if (inside && take_prefix(&line, "merge_operator="))
			return take_operator(m, line, version);
	}
	return SST_NO;
}
