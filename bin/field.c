/* SPDX-License-Identifier: MIT */
/*
 * Encoders take a piece of the field at a time, as much as can at worst fill the room they ask
 * for, and go over it eight or sixteen bytes at once: they are copied and, in the same breath, searched
 * for the first byte that needs more than copying. UTF-8 sequences may reach over the end of a
 * piece, not over the field's.
 */
#include "field.h"

#include "base/coding.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define EVERY_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* ---------------------------------------------------------------- UTF-8 */

static bool is_continuation(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

/* Table 3-7 of the Unicode Standard: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
size_t utf8_length(const uint8_t *p, size_t n)
{
	uint8_t c = p[0];
	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	if (c < 0xe0)
		return n >= 2 && is_continuation(p[1]) ? 2 : 0;
	if (n < 3 || !is_continuation(p[1]) || !is_continuation(p[2]))
		return 0;
	if (c < 0xf0) {
		bool overlong = c == 0xe0 && p[1] < 0xa0, surrogate = c == 0xed && p[1] > 0x9f;
		return overlong || surrogate ? 0 : 3;
	}
	if (n < 4 || !is_continuation(p[3]))
		return 0;
	return (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f) ? 0 : 4;
}

bool utf8_valid(struct sst_slice s)
{
	if (!s.size)
		return true;
	const uint8_t *p = s.data, *end = p + s.size;
	while (p < end) {
		if (end - p >= 8 && !(load64(p) & EVERY_BYTE(0x80))) {
			p += 8;
			continue;
		}
		size_t n = utf8_length(p, (size_t)(end - p));
		if (!n)
			return false;
		p += n;
	}
	return true;
}

size_t utf8_printable(const uint8_t *p, size_t n)
{
	if (p[0] < 0x20 || p[0] == 0x7f)
		return 0;
	size_t k = utf8_length(p, n);
	return k == 2 && p[0] == 0xc2 && p[1] < 0xa0 ? 0 : k;
}

/* ---------------------------------------------------------------- words */

/* High bit of every zero byte; above the lowest one there may be false ones. */
static inline uint64_t zero_bytes(uint64_t w)
{
	return (w - EVERY_BYTE(1)) & ~w & EVERY_BYTE(0x80);
}

/* High bit of every byte that is < 0x20, 0x7f, >= 0x80, a backslash, or (json) a quote; exact up to the lowest. */
static inline uint64_t special_bytes(uint64_t w, bool json)
{
	uint64_t low = (w - EVERY_BYTE(0x20)) & ~w;
	return ((low | w) & EVERY_BYTE(0x80)) | zero_bytes(w ^ EVERY_BYTE('\\')) |
	       zero_bytes(w ^ EVERY_BYTE(0x7f)) | (json ? zero_bytes(w ^ EVERY_BYTE('"')) : 0);
}

/* The n < 8 bytes at p, and spaces, which are not special. */
static inline uint64_t load_last(const uint8_t *p, size_t n)
{
	uint64_t w;
	if (n >= 4)
		w = load32(p) | (uint64_t)load32(p + n - 4) << 8 * (n - 4);
	else
		w = p[0] | (uint64_t)p[n / 2] << 8 * (n / 2) | (uint64_t)p[n - 1] << 8 * (n - 1);
	return w | EVERY_BYTE(' ') << 8 * n;
}

/* Eight hex digits of four bytes. */
static inline uint64_t hex_digits(uint32_t v)
{
	uint64_t x = v;
	x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
	x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
	x = (x >> 4 | x << 8) & EVERY_BYTE(0x0f);
	uint64_t letters = ((x + EVERY_BYTE(6)) >> 4) & EVERY_BYTE(1);
	return x + EVERY_BYTE('0') + letters * ('a' - '0' - 10);
}

static inline void put_hex_byte(uint8_t *d, uint8_t c)
{
	uint16_t digits = (uint16_t)hex_digits(c);
	memcpy(d, &digits, 2);
}

/* ---------------------------------------------------------------- escapes */

#define COPIED_MAX 16

/* Copies up to COPIED_MAX of the `left` bytes at p. Returns how many need no more than that: all it took, or those in front of
 * a *special one. Writes COPIED_MAX bytes at d, whatever it returns. */
static inline __attribute__((always_inline)) size_t copy_plain(uint8_t *d, const uint8_t *p, size_t left, bool json,
	bool *special)
{
#if defined(__SSE2__)
	if (left >= COPIED_MAX) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i found = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)); /* signed: and those from 0x80 on */
		found = _mm_or_si128(found, _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
		found = _mm_or_si128(found, _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
		if (json)
			found = _mm_or_si128(found, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
		_mm_storeu_si128((__m128i *)(void *)d, v);
		unsigned bits = (unsigned)_mm_movemask_epi8(found);
		*special = bits;
		return bits ? (size_t)__builtin_ctz(bits) : COPIED_MAX;
	}
#endif
	size_t n = left < 8 ? left : 8;
	uint64_t w = n < 8 ? load_last(p, n) : load64(p), found = special_bytes(w, json);
	store64(d, w);
	*special = found;
	return found ? (size_t)__builtin_ctzll(found) / 8 : n;
}

/* one: copies or escapes what is at *p, one character, and returns where it ended. piece: bytes that at worst fill
 * OUTPUT_ROOM_MAX, but for COPIED_MAX. Made anew for each form, so that nothing is called for what is plain. */
static inline __attribute__((always_inline)) void write_escaped(struct output *o, struct sst_slice field, size_t piece,
	bool json, uint8_t *(*one)(uint8_t *d, const uint8_t **p, const uint8_t *end))
{
	if (!field.size)
		return;
	const uint8_t *p = field.data, *end = p + field.size;
	while (p < end) {
		uint8_t *room = output_room(o, OUTPUT_ROOM_MAX), *d = room;
		const uint8_t *stop = (size_t)(end - p) > piece ? p + piece : end;
		while (p < stop) {
			bool special;
			size_t plain = copy_plain(d, p, (size_t)(end - p), json, &special);
			p += plain;
			d += plain;
			if (special)
				d = one(d, &p, end);
		}
		output_advance(o, (size_t)(d - room));
	}
}

/* ---------------------------------------------------------------- text */

#define TEXT_PIECE ((OUTPUT_ROOM_MAX - 64) / 4)

static uint8_t *escape_one(uint8_t *d, const uint8_t **p, const uint8_t *end)
{
	const uint8_t *s = *p;
	const char *letter = s[0] == '\\'   ? "\\"
			     : s[0] == '\t' ? "t"
			     : s[0] == '\n' ? "n"
			     : s[0] == '\r' ? "r"
					    : NULL;
	size_t n = letter ? 0 : utf8_printable(s, (size_t)(end - s));
	*p += n ? n : 1;
	if (n) {
		memcpy(d, s, n);
		return d + n;
	}
	*d++ = '\\';
	if (letter) {
		*d++ = (uint8_t)*letter;
		return d;
	}
	*d++ = 'x';
	put_hex_byte(d, *s);
	return d + 2;
}

void field_write_text(struct output *o, struct sst_slice field)
{
	write_escaped(o, field, TEXT_PIECE, false, escape_one);
}

/* What stands behind a backslash at p: its length, 0 when unknown; the byte it means in *c. */
static size_t read_escape(const uint8_t *p, size_t n, uint8_t *c)
{
	if (n < 2)
		return 0;
	switch (p[1]) {
	case '\\':
		*c = '\\';
		return 2;
	case 't':
		*c = '\t';
		return 2;
	case 'n':
		*c = '\n';
		return 2;
	case 'r':
		*c = '\r';
		return 2;
	case 'x':
		if (n < 4 || hex_digit(p[2]) < 0 || hex_digit(p[3]) < 0)
			return 0;
		*c = (uint8_t)(hex_digit(p[2]) << 4 | hex_digit(p[3]));
		return 4;
	default:
		return 0;
	}
}

const char *field_read_text(uint8_t *p, size_t n, struct sst_slice *out)
{
	*out = slice_of(p, n);
	uint8_t *end = p + n, *s = n ? memchr(p, '\\', n) : NULL, *d = s;
	if (!s)
		return NULL;
	while (s < end) {
		size_t k = read_escape(s, (size_t)(end - s), d);
		if (!k)
			return "unknown escape (known are \\\\ \\t \\n \\r \\xHH)";
		s += k;
		d++;
		uint8_t *next = s < end ? memchr(s, '\\', (size_t)(end - s)) : NULL;
		size_t plain = (size_t)((next ? next : end) - s);
		memmove(d, s, plain);
		s += plain;
		d += plain;
	}
	out->size = (size_t)(d - p);
	return NULL;
}

/* ---------------------------------------------------------------- hex */

#define HEX_PIECE (OUTPUT_ROOM_MAX / 2)

void field_write_hex(struct output *o, struct sst_slice field)
{
	if (!field.size)
		return;
	const uint8_t *p = field.data, *end = p + field.size;
	while (p < end) {
		size_t n = end - p > HEX_PIECE ? HEX_PIECE : (size_t)(end - p), i = 0;
		uint8_t *d = output_room(o, 2 * n);
		for (; i + 4 <= n; i += 4)
			store64(d + 2 * i, hex_digits(load32(p + i)));
		for (; i < n; i++)
			put_hex_byte(d + 2 * i, p[i]);
		output_advance(o, 2 * n);
		p += n;
	}
}

int hex_digit(uint8_t c)
{
	unsigned digit = c - (unsigned)'0', letter = (c | 0x20u) - 'a';
	return digit < 10 ? (int)digit : letter < 6 ? (int)letter + 10 : -1;
}

const char *field_read_hex(uint8_t *p, size_t n, struct sst_slice *out)
{
	size_t skip = n >= 2 && p[0] == '0' && (p[1] | 0x20) == 'x' ? 2 : 0;
	uint8_t *d = p, *s = p + skip, *end = p + n;
	if ((n - skip) % 2)
		return "odd number of hex digits";
	for (; s < end; s += 2) {
		int high = hex_digit(s[0]), low = hex_digit(s[1]);
		if ((high | low) < 0)
			return "not a hex digit";
		*d++ = (uint8_t)(high << 4 | low);
	}
	*out = slice_of(p, (size_t)(d - p));
	return NULL;
}

/* ---------------------------------------------------------------- JSON strings */

#define JSON_PIECE ((OUTPUT_ROOM_MAX - 64) / 6)

static uint8_t *json_one(uint8_t *d, const uint8_t **p, const uint8_t *end)
{
	const uint8_t *s = *p;
	size_t n = utf8_printable(s, (size_t)(end - s));
	if (n && s[0] != '"' && s[0] != '\\') {
		memcpy(d, s, n);
		*p += n;
		return d + n;
	}
	*d++ = '\\';
	const char *letter = s[0] == '"'    ? "\""
			     : s[0] == '\\' ? "\\"
			     : s[0] == '\t' ? "t"
			     : s[0] == '\n' ? "n"
			     : s[0] == '\r' ? "r"
					    : NULL;
	if (letter) {
		*d++ = (uint8_t)*letter;
		*p += 1;
		return d;
	}
	bool c1 = s[0] == 0xc2; /* U+0080..U+009F: its second byte is its number */
	memcpy(d, "u00", 3);
	put_hex_byte(d + 3, s[c1]);
	*p += c1 ? 2 : 1;
	return d + 5;
}

size_t field_json_plain(const uint8_t *p, size_t n)
{
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		uint64_t special = special_bytes(load64(p + i), true);
		if (special)
			return i + (size_t)__builtin_ctzll(special) / 8;
	}
	return i;
}

void field_write_json(struct output *o, struct sst_slice field)
{
	write_escaped(o, field, JSON_PIECE, true, json_one);
}

/* ---------------------------------------------------------------- base64 */

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#define BASE64_PIECE (OUTPUT_ROOM_MAX / 4 * 3)

static void put_base64(uint8_t *d, const uint8_t *p, size_t n)
{
	unsigned v =
		(unsigned)p[0] << 16 | (n > 1 ? (unsigned)p[1] << 8 : 0) | (n > 2 ? p[2] : 0u);
	for (unsigned i = 0; i < 4; i++)
		d[i] = i <= n ? (uint8_t)base64_digits[v >> (18 - 6 * i) & 63] : '=';
}

void field_write_base64(struct output *o, struct sst_slice field)
{
	if (!field.size)
		return;
	const uint8_t *p = field.data, *end = p + field.size;
	while (p < end) {
		size_t n = end - p > BASE64_PIECE ? BASE64_PIECE : (size_t)(end - p),
		       digits = 0;
		uint8_t *d = output_room(o, OUTPUT_ROOM_MAX);
		for (size_t i = 0; i < n; i += 3, digits += 4)
			put_base64(d + digits, p + i, n - i < 3 ? n - i : 3);
		output_advance(o, digits);
		p += n;
	}
}

static int base64_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648, padded; the bits that padding leaves over must be zero, so one value has one
 * spelling. */
const char *field_read_base64(uint8_t *p, size_t n, struct sst_slice *out)
{
	uint8_t *d = p;
	if (n % 4)
		return "base64 of a wrong length";
	size_t padding = n && p[n - 1] == '=' ? 1u + (p[n - 2] == '=') : 0;
	for (size_t i = 0; i < n; i += 4) {
		unsigned v = 0, bytes = i + 4 == n ? 3 - (unsigned)padding : 3;
		for (unsigned k = 0; k < 4; k++) {
			int digit = k <= bytes ? base64_digit(p[i + k]) : 0;
			if (digit < 0)
				return "not a base64 digit";
			v = v << 6 | (unsigned)digit;
		}
		for (unsigned k = 0; k < bytes; k++)
			*d++ = (uint8_t)(v >> (16 - 8 * k));
		if (v & ((1u << (24 - 8 * bytes)) - 1))
			return "base64 with stray bits";
	}
	*out = slice_of(p, (size_t)(d - p));
	return NULL;
}
