/* SPDX-License-Identifier: MIT */
/*
 * What RocksDB's ldb prints and loads with --hex (tools/ldb_cmd.cc):
 *
 *     0xKEY ==> 0xVALUE
 *
 * `ldb scan` of RocksDB 7 has a colon in place of the arrow, which is read too. `ldb dump` ends with a line
 * "Keys in range: N"; N is held against what was read.
 */
#include "record_form.h"

#define ARROW " ==> "
#define COLON " : " /* of ldb scan */
#define TRAILER "Keys in range: "

static int read_trailer(struct record_reader *r, struct sst_slice line)
{
	uint64_t count = 0;
	for (size_t i = strlen(TRAILER); i < line.size; i++) {
		if (line.data[i] < '0' || line.data[i] > '9' || i > 32)
			return record_bad(r, "not 'Keys in range: N'", NULL);
		count = count * 10 + (line.data[i] - (unsigned)'0');
	}
	if (count != r->number - 1)
		return record_bad(r, "the number of keys in range is another", NULL);
	r->state = 1;
	return 0;
}

static int read_pair(const struct record_reader *r, uint8_t *p, size_t n, struct record *record)
{
	const char *mark = ARROW;
	const uint8_t *at = memmem(p, n, mark, strlen(mark));
	if (!at) {
		mark = COLON;
		at = memmem(p, n, mark, strlen(mark));
	}
	if (!at)
		return record_bad(r, "not 0xKEY ==> 0xVALUE", NULL);
	size_t key = (size_t)(at - p), value = key + strlen(mark);
	if (!slice_has_prefix(slice_of(p, key), slice_str("0x")) ||
		!slice_has_prefix(slice_of(p + value, n - value), slice_str("0x")))
		return record_bad(r, "not in hex (ldb wants --hex)", NULL);
	const char *wrong = field_read_hex(p, key, &record->key);
	if (!wrong)
		wrong = field_read_hex(p + value, n - value, &record->value);
	return wrong ? record_bad(r, wrong, NULL) : 0;
}

static int read_ldb(struct record_reader *r, struct record *record)
{
	int rc = record_split(r, '\n', 1);
	if (rc)
		return rc;
	size_t n, end = r->end[0];
	uint8_t *p = record_unread(r, &n);
	if (r->state)
		return record_bad(r, "more input behind 'Keys in range'", NULL);
	if (!slice_has_prefix(slice_of(p, end), slice_str(TRAILER))) {
		rc = read_pair(r, p, end, record);
		record_take(r, end + 1);
		return rc;
	}
	rc = read_trailer(r, slice_of(p, end));
	record_take(r, end + 1);
	return rc ? rc : read_ldb(r, record);
}

static int write_ldb(struct output *o, enum record_shape shape, const struct record *record)
{
	(void)shape; /* pairs only */
	output_str(o, "0x");
	field_write_hex(o, record->key);
	output_str(o, ARROW "0x");
	field_write_hex(o, record->value);
	output_char(o, '\n');
	return o->error;
}

const struct record_form_ops record_ldb = {
	.name = "ldb",
	.unit = "line",
	.lines = true,
	.growth = 2,
	.read = read_ldb,
	.write = write_ldb,
};
