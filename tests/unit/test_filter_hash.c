/* SPDX-License-Identifier: MIT */
#include "base/filter_hash.h"

#include "unit.h"

/* Values of librocksdb's Hash64. */
static void known_strings(void)
{
	static const struct {
		const char *key;
		uint64_t hash;
	} known[] = {
		{"", 0x5342c3010fe1dd04},
		{"a", 0x88d868bf607681c7},
		{"b", 0x0199d38c4971ad1d},
		{"abc", 0xd39eeb71bb5342e8},
		{"abcd", 0x97a5ba1d02e8378c},
		{"12345678", 0x61904c54acf2731a},
		{"123456789", 0xac4f8ba14fb14987},
		{"hello world", 0xe5f7b82156a07a14},
		{"0123456789abcdef", 0x402c83c1955d056d},
		{"0123456789abcdefg", 0x1de5bab5896cd852},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		CHECK_EQ(filter_hash(slice_str(known[i].key)), known[i].hash);
}

static void known_repetitions(void)
{
	static const struct {
		char c;
		size_t n;
		uint64_t hash;
	} known[] = {
		{'x', 64, 0x61097236eb6dd984},	 {'y', 128, 0xe6122496b258863a},
		{'y', 129, 0x93096ee9519d02e5},	 {'z', 240, 0xf06859b2ddaead23},
		{'z', 241, 0x63e221fd4e105856},	 {'q', 1024, 0x779e2b76a8e7dc18},
		{'q', 1025, 0x788665599c2de730}, {'q', 1088, 0xf8d3f9a6682a47e6},
		{'q', 3000, 0x9633b6da38ccf4bc},
	};
	char key[3000];
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		memset(key, known[i].c, known[i].n);
		CHECK_EQ(filter_hash(slice_of(key, known[i].n)), known[i].hash);
	}
}

/* The same bytes hash alike wherever they lie, every one of them counts, and none beyond is read. */
static void reads_only_its_bytes(void)
{
	for (size_t n = 1; n < 1200; n += n < 260 ? 1 : 37) {
		uint8_t *exact = malloc(n), *wide = malloc(n + 64);
		CHECK(exact && wide);
		for (size_t i = 0; i < n; i++)
			exact[i] = (uint8_t)(i * 37 + n);
		memset(wide, 0x5a, n + 64);
		memcpy(wide + 1, exact, n);
		CHECK_EQ(filter_hash(slice_of(exact, n)), filter_hash(slice_of(wide + 1, n)));
		uint64_t h = filter_hash(slice_of(exact, n));
		for (size_t i = 0; i < n; i++) {
			exact[i] ^= 0x10;
			CHECK(filter_hash(slice_of(exact, n)) != h);
			exact[i] ^= 0x10;
		}
		free(exact);
		free(wide);
	}
}

int main(void)
{
	RUN(known_strings);
	RUN(known_repetitions);
	RUN(reads_only_its_bytes);
	return unit_done("filter_hash");
}
