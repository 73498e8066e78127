/* SPDX-License-Identifier: MIT */
/*
 * Version edits of arbitrary bytes. The input is a list of edits, each behind its length in two
 * bytes. Each that decodes must encode to what decodes and encodes the same, and their sum must
 * be a version in order.
 */
#include <stdlib.h>

#include "version/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool what)
{
	if (!what)
		abort();
}

static void encode_again(const struct edit *e)
{
	struct buf one = {0}, two = {0};
	struct edit again = {0};
	edit_encode(e, &one);
	need(edit_decode(&again, buf_slice(&one)) == 0);
	edit_encode(&again, &two);
	need(slice_eq(buf_slice(&one), buf_slice(&two)));
	edit_release(&again);
	buf_release(&one);
	buf_release(&two);
}

static void check_version(const struct version *v)
{
	bool bytewise = family_is_bytewise(version_family(v, v->family));
	for (size_t i = 0; i < v->table_count; i++) {
		const struct table_meta *m = &v->tables[i], *before = i ? m - 1 : NULL;
		need(m->level < LEVELS_MAX && m->number < v->next_file &&
			m->epoch <= v->epoch_max);
		need(!before || before->level <= m->level);
		if (before && before->level == m->level && m->level && bytewise)
			need(ikey_cmp(buf_slice(&before->largest), buf_slice(&m->smallest)) <
				0);
		for (size_t k = 0; k < i && k < 64; k++)
			need(v->tables[k].number != m->number);
	}
}

static int add_all(struct builder *b, struct sst_slice in)
{
	struct sst_slice record;
	struct edit e = {0};
	int rc = 0;
	for (uint64_t at = 0; !rc && in.size >= 2; at++) {
		size_t n = load16(in.data);
		in = slice_skip(in, 2);
		if (!get_bytes(&in, n < in.size ? n : in.size, &record))
			abort();
		if (edit_decode(&e, record) == 0) {
			encode_again(&e);
			rc = builder_add(b, &e, at);
		}
	}
	edit_release(&e);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct version v = {0};
	struct builder b;
	need(builder_init(&b, &v, size & 1 ? "one" : NULL) == 0);
	int rc = add_all(&b, slice_of(data, size));
	if (!rc)
		rc = builder_finish(&b);
	need(rc == 0 || rc == SST_ECORRUPT || rc == SST_EUNSUPPORTED || rc == SST_ENOENT);
	if (!rc)
		check_version(&v);
	builder_release(&b);
	version_release(&v);
	return 0;
}
