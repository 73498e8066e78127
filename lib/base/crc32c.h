/* SPDX-License-Identifier: MIT */
/* CRC-32C (Castagnoli), with the CPU's instruction where it has one; and RocksDB's masking
 * of stored ones. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc of what `crc` covers followed by n bytes at p; start with 0. crc32c(0, "123456789", 9)
 * = e3069283. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
/* The same without the instruction, so that a machine which has it can test both. */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n);

static inline uint32_t crc32c_mask(uint32_t c)
{
	return ((c >> 15) | (c << 17)) + UINT32_C(0xa282ead8);
}

static inline uint32_t crc32c_unmask(uint32_t m)
{
	uint32_t c = m - UINT32_C(0xa282ead8);
	return (c >> 17) | (c << 15);
}

#endif
