/* SPDX-License-Identifier: MIT */
#include "base/crc32c.h"

#include "unit.h"

static uint8_t bytes[9000];

static void fill(void)
{
	uint32_t x = 12345;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		x = x * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(x >> 24);
	}
}

static void known_values(void)
{
	uint8_t b[32];
	CHECK_EQ(crc32c(0, "", 0), 0);
	CHECK_EQ(crc32c(0, "123456789", 9), 0xe3069283);
	memset(b, 0, sizeof(b));
	CHECK_EQ(crc32c(0, b, sizeof(b)), 0x8a9136aa);
	memset(b, 0xff, sizeof(b));
	CHECK_EQ(crc32c(0, b, sizeof(b)), 0x62a8ab43);
	CHECK_EQ(crc32c(crc32c(0, "block data", 10), "\7", 1), crc32c_unmask(0x3df58cf7));
}

static void masking(void)
{
	CHECK_EQ(crc32c_mask(0), 0xa282ead8);
	CHECK_EQ(crc32c_mask(0xe3069283), 0xc78ab0e5);
	CHECK_EQ(crc32c_mask(0x8a9136aa), 0x0fd7fffa);
	for (uint32_t i = 0; i < 1000; i++)
		CHECK_EQ(crc32c_unmask(crc32c_mask(i * 0x9e3779b9)), i * 0x9e3779b9);
}

static void every_length_as_by_table(void)
{
	for (size_t n = 0; n < 2200; n++)
		CHECK_EQ(crc32c(7, bytes + n % 8, n), crc32c_portable(7, bytes + n % 8, n));
	for (size_t n = 8000; n < sizeof(bytes) - 8; n += 7)
		CHECK_EQ(crc32c(0, bytes + n % 8, n), crc32c_portable(0, bytes + n % 8, n));
}

/* Lengths in the hundreds of thousands, so that the lanes are moved over long distances. */
static void long_inputs(void)
{
	size_t n = 3000017;
	uint8_t *p = malloc(n);
	CHECK(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 2654435761u >> 13);
	for (size_t m = n; m > 1000; m = m * 5 / 7)
		CHECK_EQ(crc32c(1, p, m), crc32c_portable(1, p, m));
	free(p);
}

static void in_two_parts(void)
{
	uint32_t whole = crc32c(0, bytes, 3000);
	for (size_t cut = 0; cut <= 3000; cut += 13)
		CHECK_EQ(crc32c(crc32c(0, bytes, cut), bytes + cut, 3000 - cut), whole);
}

int main(void)
{
	fill();
	RUN(known_values);
	RUN(masking);
	RUN(every_length_as_by_table);
	RUN(long_inputs);
	RUN(in_two_parts);
	return unit_done("crc32c");
}
