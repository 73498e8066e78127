/* SPDX-License-Identifier: MIT */
/* Merge operators, what OPTIONS files say of them, and the folding of versions. */
#include "db/foreign.h"
#include "db/merge_operator.h"
#include "db/options_file.h"

#include "unit.h"

#define S(literal) slice_of(literal, sizeof(literal) - 1)

static struct buf out;

/* Merges; base NULL: none. */
static struct sst_slice merged(const char *name, const char *base, size_t n, const struct sst_slice *operands,
	const char *delimiter)
{
	const struct merge_operator *o = merge_operator_find(slice_str(name));
	struct merge_input in = {.has_base = base != NULL, .operands = operands, .count = n};
	CHECK(o);
	if (base)
		in.base = slice_str(base);
	in.delimiter = slice_str(delimiter);
	buf_clear(&out);
	o->merge(&in, &out);
	CHECK(buf_check(&out) == 0);
	return buf_slice(&out);
}

#define MERGED(name, base, delimiter, ...)                                                                   \
	merged(name, base, sizeof((struct sst_slice[]){__VA_ARGS__}) / sizeof(struct sst_slice),              \
		(struct sst_slice[]){__VA_ARGS__}, delimiter)

static void names(void)
{
	CHECK(!merge_operator_find(S("")) && !merge_operator_find(S("nullptr")));
	CHECK(!merge_operator_find(S("StringAppendOperato")) && !merge_operator_find(S("MaxOperator2")));
	CHECK(!merge_operator_find(S("MergeSortOperator")) && !merge_operator_find(S("MaxOperator\0")));
	CHECK(merge_operator_find(S("StringAppendOperator"))->delimited && !merge_operator_find(S("MaxOperator"))->delimited);
}

static void append(void)
{
	CHECK(slice_eq(MERGED("StringAppendOperator", NULL, ",", S("a")), S("a")));
	CHECK(slice_eq(MERGED("StringAppendOperator", NULL, ",", S("a"), S("b")), S("a,b")));
	CHECK(slice_eq(MERGED("StringAppendOperator", "x", ",", S("a"), S(""), S("b")), S("x,a,,b")));
	CHECK(slice_eq(MERGED("StringAppendTESTOperator", "", "--", S("a")), S("--a")));
	CHECK(slice_eq(MERGED("StringAppendTESTOperator", NULL, "", S("a"), S("b")), S("ab")));
	CHECK(slice_eq(MERGED("StringAppendOperator", NULL, ",", S("")), S("")));
}

static void max(void)
{
	CHECK(slice_eq(MERGED("MaxOperator", NULL, "", S("a"), S("b"), S("ab")), S("b")));
	CHECK(slice_eq(MERGED("MaxOperator", "c", "", S("a"), S("b")), S("c")));
	CHECK(slice_eq(MERGED("MaxOperator", "a", "", S("a\0")), S("a\0")));
	CHECK(slice_eq(MERGED("MaxOperator", NULL, "", S("")), S("")));
	CHECK(slice_eq(MERGED("MaxOperator", "a", "", S("\xff"), S("\x7f")), S("\xff")));
}

static void add(void)
{
	CHECK(slice_eq(MERGED("UInt64AddOperator", NULL, "", S("\1\0\0\0\0\0\0\0")), S("\1\0\0\0\0\0\0\0")));
	CHECK(slice_eq(MERGED("UInt64AddOperator", "12345678", "", S("\1\0\0\0\0\0\0\0"), S("\0\0\0\0\0\0\0\1")),
		S("\x32"
		  "234567\x39")));
	CHECK(slice_eq(MERGED("UInt64AddOperator", NULL, "", S("\xff\xff\xff\xff\xff\xff\xff\xff"), S("\2\0\0\0\0\0\0\0")),
		S("\1\0\0\0\0\0\0\0")));
	CHECK(slice_eq(MERGED("UInt64AddOperator", "bad", "", S("7 bytes"), S("\3\0\0\0\0\0\0\0")), S("\3\0\0\0\0\0\0\0")));
	CHECK(slice_eq(MERGED("UInt64AddOperator", NULL, "", S("")), S("\0\0\0\0\0\0\0\0")));
}

static void put_and_xor(void)
{
	CHECK(slice_eq(MERGED("PutOperator", "x", "", S("a"), S("b")), S("b")));
	CHECK(slice_eq(MERGED("BytesXOR", NULL, "", S("a")), S("a")));
	CHECK(slice_eq(MERGED("BytesXOR", "ab", "", S("abc")), S("\0\0c")));
	CHECK(slice_eq(MERGED("BytesXOR", "abc", "", S("a"), S(""), S("\1\2\3\4")), S("\1`" "`\4")));
}

/* ---- OPTIONS */

#define HEAD "# comment\n[Version]\n  rocksdb_version=7.8.3\n  options_file_version=1.1\n[DBOptions]\n  merge_operator=No\n"

static int read_options(const char *text, const char *family, struct merge_options *m)
{
	merge_options_release(m);
	return merge_options_read(m, slice_str(text), family);
}

static void options_of_a_family(void)
{
	struct merge_options m = {0};
	static const char text[] = HEAD "[CFOptions \"default\"]\n  merge_operator=nullptr\n"
		"[TableOptions/BlockBasedTable \"default\"]\n  merge_operator=Wrong\n"
		"[CFOptions \"a\\:b\"]\n  ttl=1\n  merge_operator=MaxOperator\n"
		"[CFOptions \"last\"]\n  merge_operator={id=acme.Op;}";
	CHECK(read_options(text, "default", &m) == SST_NO);
	CHECK(read_options(text, "other", &m) == SST_NO);
	CHECK(read_options(text, "a:b", &m) == 0 && slice_eq(buf_slice(&m.name), S("MaxOperator")));
	CHECK(read_options(text, "a\\:b", &m) == SST_NO);
	CHECK(read_options(text, "last", &m) == 0 && slice_eq(buf_slice(&m.name), S("acme.Op")) && !m.has_delimiter);
	CHECK(read_options("", "default", &m) == SST_NO && read_options("[CFOptions \"default\"]", "default", &m) == SST_NO);
	merge_options_release(&m);
}

/* As RocksDB 7.8 writes them, each of them. */
static void delimiters(void)
{
	static const struct {
		const char *written, *is;
	} all[] = {
		{",", ","}, {";", ";"}, {"\\n", "\n"}, {" ", " "}, {"{", "{"}, {"}", "}"}, {"=", "="}, {"\\#", "#"},
		{"\\:", ":"}, {"\\\\", "\\"}, {"--", "--"}, {"\t", "\t"}, {"a;b=c", "a;b=c"}, {"\\r", "\r"}, {"{x}", "{x}"},
		{"};", "};"}, {"  x ", "  x "},
	};
	struct merge_options m = {0};
	char text[300];
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		snprintf(text, sizeof(text), HEAD "[CFOptions \"default\"]\n  merge_operator={id=StringAppendOperator;delimiter=%s;}\n",
			all[i].written);
		CHECK(read_options(text, "default", &m) == 0 && m.has_delimiter);
		CHECK(slice_eq(buf_slice(&m.name), S("StringAppendOperator")));
		CHECK(slice_eq(buf_slice(&m.delimiter), slice_str(all[i].is)));
	}
	merge_options_release(&m);
}

static void bare_names(void)
{
	struct merge_options m = {0};
#define BARE(version, name) "[Version]\n  rocksdb_version=" version "\n[CFOptions \"default\"]\n  merge_operator=" name "\n"
	CHECK(read_options(BARE("7.8.3", "StringAppendOperator"), "default", &m) == 0 && m.has_delimiter && !m.delimiter.size);
	CHECK(read_options(BARE("11.8.1", "StringAppendOperator"), "default", &m) == 0 && m.has_delimiter && !m.delimiter.size);
	CHECK(read_options(BARE("6.17.3", "StringAppendOperator"), "default", &m) == 0 && !m.has_delimiter);
	CHECK(read_options(BARE("x", "StringAppendOperator"), "default", &m) == 0 && !m.has_delimiter);
	CHECK(read_options(BARE("6.17.3", "StringAppendTESTOperator"), "default", &m) == 0 && m.has_delimiter);
	CHECK(slice_eq(buf_slice(&m.delimiter), S(",")));
	CHECK(read_options(BARE("7.8.3", "bad\\escape"), "default", &m) == SST_NO);
	CHECK(read_options(BARE("7.8.3", ""), "default", &m) == SST_NO);
	merge_options_release(&m);
}

/* ---- folding, without a store: no operator, no blob files */

static void fold_without_operands(void)
{
	struct lsm db = {0};
	struct fold f = {.db = &db, .newest_first = true};
	struct sst_slice v, k = S("k");
	fold_start(&f);
	CHECK(fold_finish(&f, k, &v) == SST_NO);
	CHECK(fold_add(&f, k, TYPE_VALUE, S("new")) == SST_NO);
	CHECK(fold_finish(&f, k, &v) == 0 && slice_eq(v, S("new")));
	fold_start(&f);
	CHECK(fold_add(&f, k, TYPE_SINGLE_DELETION, S("")) == SST_NO && fold_finish(&f, k, &v) == SST_NO);
	fold_start(&f);
	CHECK(fold_add(&f, k, TYPE_WIDE_COLUMN, S("x")) == SST_NO && fold_finish(&f, k, &v) == SST_EUNSUPPORTED);
	f.newest_first = false;
	fold_start(&f);
	CHECK(fold_add(&f, k, TYPE_VALUE, S("old")) == 0 && fold_add(&f, k, TYPE_VALUE, S("new")) == 0);
	CHECK(fold_finish(&f, k, &v) == 0 && slice_eq(v, S("new")));
	CHECK(fold_add(&f, k, TYPE_DELETION, S("")) == 0 && fold_finish(&f, k, &v) == SST_NO);
	CHECK(fold_add(&f, k, TYPE_MERGE, S("operand")) == 0 && fold_finish(&f, k, &v) == SST_EUNSUPPORTED);
	CHECK(strstr(sst_errmsg(), "key 'k'"));
	CHECK(fold_add(&f, k, TYPE_VALUE, S("newest")) == 0 && fold_finish(&f, k, &v) == 0 && slice_eq(v, S("newest")));
	fold_release(&f);
}

int main(void)
{
	RUN(names);
	RUN(append);
	RUN(max);
	RUN(add);
	RUN(put_and_xor);
	RUN(options_of_a_family);
	RUN(delimiters);
	RUN(bare_names);
	RUN(fold_without_operands);
	buf_release(&out);
	return unit_done("merge_operator");
}
