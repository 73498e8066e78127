/* SPDX-License-Identifier: MIT */
/* Fields and records: every byte there and back, borders of the pieces that encoders work in, pauses. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "field.h"
#include "record.h"
#include "unit.h"

static uint8_t room[1 << 20];

static struct output memory(void)
{
	return (struct output){.data = room, .cap = sizeof(room), .fd = -1};
}

static bool output_is(const struct output *o, const char *text)
{
	return o->size == strlen(text) && memcmp(o->data, text, o->size) == 0;
}

typedef void encoder(struct output *o, struct sst_slice field);
typedef const char *decoder(uint8_t *p, size_t n, struct sst_slice *out);

static void there_and_back(encoder *encode, decoder *decode, const uint8_t *p, size_t n)
{
	struct output o = memory();
	struct sst_slice back;
	encode(&o, slice_of(p, n));
	CHECK(!o.error);
	CHECK(!decode(o.data, o.size, &back));
	CHECK(slice_eq(back, slice_of(p, n)));
}

/* One odd byte at each place of a field longer than any piece, and every byte value at a few. */
static void test_fields_there_and_back(void)
{
	static uint8_t field[9000];
	static const uint8_t odd[] = {
		0, '\t', '\n', '\r', '\\', 0x1f, 0x7f, 0x80, 0xc2, 0xe2, 0xff};
	for (size_t n = 0; n < 40; n++)
		for (unsigned c = 0; c < 256; c++) {
			memset(field, 'a', n);
			if (n)
				field[n / 2] = (uint8_t)c;
			there_and_back(field_write_text, field_read_text, field, n);
			there_and_back(field_write_hex, field_read_hex, field, n);
			there_and_back(field_write_base64, field_read_base64, field, n);
		}
	for (size_t at = 0; at < sizeof(field); at += 97)
		for (size_t i = 0; i < sizeof(odd); i++) {
			memset(field, 'a', sizeof(field));
			field[at] = odd[i];
			there_and_back(field_write_text, field_read_text, field, sizeof(field));
		}
	for (size_t i = 0; i < sizeof(field); i++)
		field[i] = (uint8_t)(i * 7 + i / 256);
	for (size_t n = 2900; n < sizeof(field); n += 101) {
		there_and_back(field_write_text, field_read_text, field, n);
		there_and_back(field_write_hex, field_read_hex, field, n);
		there_and_back(field_write_base64, field_read_base64, field, n);
	}
}

/* A character that lies across the end of a piece stays whole. */
static void test_utf8_across_pieces(void)
{
	static uint8_t field[3000];
	for (size_t at = 660; at < 1100; at++) {
		struct output o = memory();
		memset(field, 'a', sizeof(field));
		memcpy(field + at, "\xf0\x9f\x98\x80", 4);
		field_write_text(&o, slice_of(field, sizeof(field)));
		CHECK_EQ(o.size, sizeof(field));
		CHECK(memcmp(o.data, field, o.size) == 0);
		o = memory();
		field_write_json(&o, slice_of(field, sizeof(field)));
		CHECK_EQ(o.size, sizeof(field));
		CHECK(memcmp(o.data, field, o.size) == 0);
	}
}

/* The worst that every encoder can make of a byte, through the smallest buffer there may be. */
static void test_output_stays_within_its_buffer(void)
{
	static uint8_t buffer[2 * OUTPUT_ROOM_MAX + 64], field[9001];
	static const struct {
		encoder *encode;
		size_t growth;
	} cases[] = {{field_write_text, 4}, {field_write_json, 6}, {field_write_hex, 2}};
	memset(field, 1, sizeof(field));
	for (size_t i = 0; i < 3; i++)
		for (size_t before = 0; before < OUTPUT_ROOM_MAX; before += 37) {
			int fd = memfd_create("output", MFD_CLOEXEC);
			struct output o = {.data = buffer, .cap = 2 * OUTPUT_ROOM_MAX, .fd = fd};
			memset(buffer + o.cap, 0x5a, 64);
			output_write(&o, field, before);
			cases[i].encode(&o, slice_of(field, sizeof(field)));
			CHECK(output_flush(&o) == 0);
			for (size_t k = 0; k < 64; k++)
				CHECK_EQ(buffer[o.cap + k], 0x5a);
			CHECK_EQ(lseek(fd, 0, SEEK_END), before + cases[i].growth * sizeof(field));
			close(fd);
		}
}

static void test_text_escapes(void)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"plain ~ text", "plain ~ text"},
		{"\\\t\n\r", "\\\\\\t\\n\\r"},
		{"\x01\x1f\x7f", "\\x01\\x1f\\x7f"},
		{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
			"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
		{"\xc2\x80\xc2\x9f\xc2\xa0", "\\xc2\\x80\\xc2\\x9f\xc2\xa0"},
		{"\xc0\x80\xc1\xbf", "\\xc0\\x80\\xc1\\xbf"}, /* overlong */
		{"\xe0\x9f\xbf\xf0\x8f\xbf\xbf", "\\xe0\\x9f\\xbf\\xf0\\x8f\\xbf\\xbf"},
		{"\xed\xa0\x80\xed\x9f\xbf", "\\xed\\xa0\\x80\xed\x9f\xbf"}, /* surrogate */
		{"\xf4\x8f\xbf\xbf\xf4\x90\x80\x80", "\xf4\x8f\xbf\xbf\\xf4\\x90\\x80\\x80"},
		{"\xe2\x82", "\\xe2\\x82"}, /* cut off */
		{"\xf0\x9f\x98"
		 "a",
			"\\xf0\\x9f\\x98"
			"a"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct output o = memory();
		field_write_text(&o, slice_str(cases[i].in));
		CHECK(output_is(&o, cases[i].out));
	}
}

/* What becomes of one byte that no UTF-8 sequence goes with. */
static void escape_slowly(struct output *o, uint8_t c, bool json)
{
	char text[8];
	const char *letters = json ? "\"\"\\\\\tt\nn\rr" : "\\\\\tt\nn\rr";
	for (const char *l = letters; *l; l += 2)
		if ((uint8_t)*l == c) {
			output_char(o, '\\');
			output_char(o, l[1]);
			return;
		}
	snprintf(text, sizeof(text), c >= 0x20 && c < 0x7f ? "%c" : json ? "\\u%04x" : "\\x%02x", c);
	output_str(o, text);
}

/* Every byte in every place of fields of every length around those that are copied at once, one or two of them. */
static void test_every_byte_in_every_place(void)
{
	for (size_t n = 1; n <= 40; n++) {
		uint8_t *field = malloc(n); /* nothing behind it */
		for (unsigned c = 0; c < 256; c++)
			for (size_t at = 0; at < 2 * n; at++) {
				memset(field, 'a', n);
				field[at % n] = (uint8_t)c;
				if (at >= n)
					field[n - 1] = (uint8_t)c;
				for (int json = 0; json < (c < 0x80 ? 2 : 1); json++) { /* JSON takes valid UTF-8 only */
					static uint8_t want[1024];
					struct output o = memory(), w = {.data = want, .cap = sizeof(want), .fd = -1};
					for (size_t i = 0; i < n; i++)
						escape_slowly(&w, field[i], json);
					(json ? field_write_json : field_write_text)(&o, slice_of(field, n));
					CHECK_EQ(o.size, w.size);
					CHECK(memcmp(o.data, want, w.size) == 0);
				}
			}
		free(field);
	}
}

static void test_bad_fields(void)
{
	static const struct {
		decoder *decode;
		const char *text;
	} cases[] = {
		{field_read_text, "a\\"},
		{field_read_text, "\\x"},
		{field_read_text, "\\x4"},
		{field_read_text, "\\x4g"},
		{field_read_text, "\\0"},
		{field_read_hex, "6"},
		{field_read_hex, "0x6"},
		{field_read_hex, "6g"},
		{field_read_hex, "0x0x"},
		{field_read_base64, "YQ="},
		{field_read_base64, "Y==="},
		{field_read_base64, "===="},
		{field_read_base64, "YR=="},
		{field_read_base64, "YQ==YQ=="},
		{field_read_base64, "Y-=="},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t copy[16];
		struct sst_slice out;
		size_t n = strlen(cases[i].text);
		memcpy(copy, cases[i].text, n);
		CHECK(cases[i].decode(copy, n, &out));
	}
}

/* Every form of every shape, in one stream of records, through a pipe that delivers little at a time. */
static void test_records_through_a_pipe(void)
{
	static const struct record records[] = {
		{{(const uint8_t *)"", 0}, {(const uint8_t *)"", 0}, 1, "put"},
		{{(const uint8_t *)"key", 3}, {(const uint8_t *)"value\t\n\\\"", 9}, 2, "put"},
		{{(const uint8_t *)"\xff\x80", 2}, {(const uint8_t *)"\xc2\x85->", 4}, 3,
			"put"},
		{{(const uint8_t *)" gone ", 6}, {(const uint8_t *)"", 0}, 72057594037927935u,
			"del"},
	};
	static const enum record_shape shapes[] = {RECORD_KEY, RECORD_PAIR, RECORD_CHANGE};
	for (unsigned form = RECORD_TEXT; form <= RECORD_LDB; form++)
		for (unsigned s = 0; s < 3; s++) {
			enum record_shape shape = shapes[s];
			if (!record_form_has((enum record_form)form, shape))
				continue;
			int fd[2];
			struct record_writer w;
			CHECK(pipe2(fd, O_CLOEXEC) == 0);
			struct output o = {.data = room,
				.cap = sizeof(room),
				.fd = fd[1],
				.line_buffered = true};
			CHECK(record_writer_begin(&w, &o, (enum record_form)form, shape) == 0);
			for (size_t i = 0; i < 4; i++)
				CHECK(record_writer_add(&w, &records[i]) == 0);
			CHECK(record_writer_end(&w) == 0);
			CHECK(output_flush(&o) == 0);
			close(fd[1]);
			struct record_reader *r =
				record_reader_new(fd[0], "pipe", (enum record_form)form, shape);
			struct record got;
			for (size_t i = 0; i < 4; i++) {
				CHECK(record_reader_next(r, &got) == 0);
				CHECK(slice_eq(got.key, records[i].key));
				CHECK(shape == RECORD_KEY ||
					slice_eq(got.value, records[i].value));
				CHECK(shape != RECORD_CHANGE ||
					got.sequence == records[i].sequence);
				CHECK(shape != RECORD_CHANGE ||
					strcmp(got.type, records[i].type) == 0);
			}
			CHECK(record_reader_next(r, &got) == SST_NO);
			record_reader_free(r);
			close(fd[0]);
		}
}

static void test_a_pause_is_told_once(void)
{
	int fd[2];
	struct record got;
	CHECK(pipe2(fd, O_CLOEXEC) == 0);
	struct record_reader *r = record_reader_new(fd[0], "pipe", RECORD_TEXT, RECORD_PAIR);
	record_reader_set_pause(r, 0);
	CHECK(write(fd[1], "a\t1\nb", 5) == 5);
	CHECK(record_reader_next(r, &got) == 0);
	CHECK(record_reader_next(r, &got) == RECORD_PAUSE);
	CHECK(write(fd[1], "\t2\n", 3) == 3);
	CHECK(record_reader_next(r, &got) == 0);
	CHECK(slice_eq(got.key, slice_str("b")));
	CHECK(record_reader_next(r, &got) == RECORD_PAUSE);
	close(fd[1]);
	CHECK(record_reader_next(r, &got) == SST_NO);
	record_reader_free(r);
	close(fd[0]);
}

static void test_null_refuses_nul(void)
{
	struct output o = memory();
	struct record_writer w;
	struct record r = {.key = slice_str("k"), .value = slice_of("a\0b", 3)};
	CHECK(record_writer_begin(&w, &o, RECORD_NULL, RECORD_PAIR) == 0);
	CHECK(record_writer_add(&w, &r) == SST_EIO);
	CHECK_EQ(o.size, 0);
	CHECK(record_writer_begin(&w, &o, RECORD_NULL, RECORD_KEY) == 0);
	CHECK(record_writer_add(&w, &r) == 0);
}

static void test_versions(void)
{
	struct record r = {slice_str("k\t"), slice_str("v"), 7, "rdel"};
	struct record_writer w;
	struct output o = memory();
	record_writer_begin(&w, &o, RECORD_TEXT, RECORD_VERSION);
	CHECK(record_writer_add(&w, &r) == 0);
	CHECK(output_is(&o, "k\\t\tv\t7\trdel\n"));
	o = memory();
	record_writer_begin(&w, &o, RECORD_JSON, RECORD_VERSION);
	CHECK(record_writer_add(&w, &r) == 0);
	CHECK(output_is(
		&o, "{\"key\":\"k\\t\",\"value\":\"v\",\"seq\":7,\"type\":\"rdel\"}\n"));
}

int main(void)
{
	RUN(test_fields_there_and_back);
	RUN(test_utf8_across_pieces);
	RUN(test_output_stays_within_its_buffer);
	RUN(test_text_escapes);
	RUN(test_every_byte_in_every_place);
	RUN(test_bad_fields);
	RUN(test_records_through_a_pipe);
	RUN(test_a_pause_is_told_once);
	RUN(test_null_refuses_nul);
	RUN(test_versions);
	return unit_done("record");
}
