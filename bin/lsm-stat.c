/* SPDX-License-Identifier: MIT */
/* lsm-stat: what a store holds, how old the unflushed part is, and who is at it. See lsm-stat(1). */
#include "tool.h"

#include <stdarg.h>
#include <stdio.h>

static const char synopsis[] = "lsm-stat [-d DIR] [-j] [--files]\n";

enum { OPT_FILES = TOOL_OWN };

static const struct tool_option options[] = {
	TOOL_DB,
	{'j', "json", NULL, "one JSON object, sizes in bytes, times in milliseconds"},
	{OPT_FILES, "files", NULL, "the files too: level, size, sequence numbers, first and last key"},
	TOOL_TIMEOUT,
	TOOL_VERBOSE,
	TOOL_END,
};

static void line(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void line(const char *name, const char *fmt, ...)
{
	char text[1024], row[1100];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(row, sizeof(row), "%-12s %s\n", name, text);
	output_str(tool_stdout(), row);
}

static const char *age_text(char text[32], int64_t ms)
{
	if (ms < 1000)
		snprintf(text, 32, "%lld ms", (long long)ms);
	else if (ms < 120 * 1000)
		snprintf(text, 32, "%lld s", (long long)(ms / 1000));
	else if (ms < 7200 * 1000)
		snprintf(text, 32, "%lld min", (long long)(ms / 60000));
	else
		snprintf(text, 32, "%.1f h", (double)ms / 3600e3);
	return text;
}

static const char *process_text(char text[64], int pid)
{
	char path[64], name[32] = "";
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	FILE *f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%31[^\n]", name) != 1)
			name[0] = 0;
		fclose(f);
	}
	snprintf(text, 64, name[0] ? "process %d (%s)" : "process %d", pid, name);
	return text;
}

static void print_text(const char *path, const struct lsm_stats *s)
{
	char a[TOOL_SIZE_TEXT], b[TOOL_SIZE_TEXT], age[32], who[64];
	line("store", "%s%s", path, s->shared ? "" : " (read privately)");
	line("memtable", "%llu records, %s of %s%s%s%s", (unsigned long long)s->records, tool_size_text(a, s->bytes),
		tool_size_text(b, s->limit), s->oldest_ms < 0 ? "" : ", oldest ",
		s->oldest_ms < 0 ? "" : age_text(age, s->oldest_ms), s->in_directory ? ", in the store directory" : "");
	if (s->frozen)
		line("frozen", "%llu memtables, %llu records, %s", (unsigned long long)s->frozen,
			(unsigned long long)s->frozen_records, tool_size_text(a, s->frozen_bytes));
	line("wal", "%s, %llu file%s", tool_size_text(a, s->wal_bytes), (unsigned long long)s->wal_files,
		s->wal_files == 1 ? "" : "s");
	if (s->wal_unsynced)
		line("unsynced", "%s", tool_size_text(a, s->wal_unsynced));
	if (s->tables)
		line("tables", "%llu, %s", (unsigned long long)s->tables, tool_size_text(a, s->table_bytes));
	else
		line("tables", "0");
	for (unsigned i = 0; i < 7; i++)
		if (s->level_tables[i] && s->level_tables[i] != s->tables) {
			char name[16];
			snprintf(name, sizeof(name), "level %u", i);
			line(name, "%llu, %s", (unsigned long long)s->level_tables[i], tool_size_text(a, s->level_bytes[i]));
		}
	line("sequence", "%llu", (unsigned long long)s->sequence);
	if (s->writer_pid)
		line("writing", "%s", process_text(who, s->writer_pid));
	if (s->flush_pid)
		line("flushing", "%s", process_text(who, s->flush_pid));
	if (s->flush_error && s->flush_error[0])
		line("flush error", "%s", s->flush_error);
}

static void number(const char *name, uint64_t v)
{
	struct output *o = tool_stdout();
	output_str(o, ",\"");
	output_str(o, name);
	output_str(o, "\":");
	output_u64(o, v);
}

static void string(const char *name, struct sst_slice s)
{
	struct output *o = tool_stdout();
	bool plain = utf8_valid(s);
	output_char(o, '"');
	output_str(o, name);
	output_str(o, plain ? "\":\"" : "_b64\":\"");
	if (plain)
		field_write_json(o, s);
	else
		field_write_base64(o, s);
	output_char(o, '"');
}

static struct sst_slice text_slice(const char *s)
{
	return (struct sst_slice){(const uint8_t *)s, strlen(s)};
}

static int json_file(void *arg, const struct lsm_file *f)
{
	bool *first = arg;
	struct output *o = tool_stdout();
	output_str(o, *first ? "{" : ",{");
	*first = false;
	string("name", text_slice(f->name));
	number("size", f->size);
	if (f->is_table) {
		number("level", f->level);
		number("smallest_sequence", f->smallest_sequence);
		number("largest_sequence", f->largest_sequence);
		output_char(o, ',');
		string("smallest", f->smallest);
		output_char(o, ',');
		string("largest", f->largest);
	}
	output_char(o, '}');
	return 0;
}

static void print_json(const char *path, const struct lsm_stats *s, struct lsm *db, bool files)
{
	struct output *o = tool_stdout();
	output_char(o, '{');
	string("store", text_slice(path));
	output_str(o, s->shared ? ",\"shared\":true" : ",\"shared\":false");
	number("sequence", s->sequence);
	number("memtable_records", s->records);
	number("memtable_bytes", s->bytes);
	number("memtable_limit", s->limit);
	if (s->oldest_ms >= 0)
		number("memtable_oldest_ms", (uint64_t)s->oldest_ms);
	number("frozen_memtables", s->frozen);
	number("frozen_records", s->frozen_records);
	number("frozen_bytes", s->frozen_bytes);
	number("wal_files", s->wal_files);
	number("wal_bytes", s->wal_bytes);
	number("wal_unsynced", s->wal_unsynced);
	number("tables", s->tables);
	number("table_bytes", s->table_bytes);
	output_str(o, ",\"levels\":[");
	for (unsigned i = 0; i < 7; i++) {
		output_str(o, i ? "," : "");
		output_u64(o, s->level_tables[i]);
	}
	output_char(o, ']');
	number("flushes", s->flushes);
	number("flush_failures", s->flush_failures);
	output_char(o, ',');
	string("flush_error", text_slice(s->flush_error ? s->flush_error : ""));
	number("writer_pid", (uint64_t)s->writer_pid);
	number("flush_pid", (uint64_t)s->flush_pid);
	if (files) {
		bool first = true;
		output_str(o, ",\"files\":[");
		int rc = lsm_files(db, json_file, &first);
		if (rc < 0)
			tool_fail(rc, NULL);
		output_char(o, ']');
	}
	output_str(o, "}\n");
}

static int text_file(void *arg, const struct lsm_file *f)
{
	struct output *o = tool_stdout();
	char row[160];
	(void)arg;
	if (!f->is_table) {
		snprintf(row, sizeof(row), "%s\t-\t%llu\n", f->name, (unsigned long long)f->size);
		output_str(o, row);
		return 0;
	}
	snprintf(row, sizeof(row), "%s\t%u\t%llu\t%llu\t%llu\t", f->name, f->level, (unsigned long long)f->size,
		(unsigned long long)f->smallest_sequence, (unsigned long long)f->largest_sequence);
	output_str(o, row);
	field_write_text(o, f->smallest);
	output_char(o, '\t');
	field_write_text(o, f->largest);
	output_char(o, '\n');
	return 0;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "lsm-stat", .synopsis = synopsis, .options = options};
	bool files = false;
	tool_start(&t, argc, argv);
	for (int opt; (opt = tool_next(&t)) != -1;)
		if (opt == OPT_FILES)
			files = true;
	if (t.argc)
		tool_usage("'%s': no operand is taken", t.argv[0]);
	struct lsm *db = tool_open(&t, false, true);
	struct lsm_stats s;
	int rc = lsm_stat(db, &s);
	if (rc)
		tool_fail(rc, NULL);
	if (t.form_given) {
		print_json(tool_db(&t), &s, db, files);
	} else {
		print_text(tool_db(&t), &s);
		rc = files ? lsm_files(db, text_file, NULL) : 0;
		if (rc < 0)
			tool_fail(rc, NULL);
	}
	lsm_close(db);
	return tool_finish(TOOL_EXIT_OK);
}
