/* SPDX-License-Identifier: MIT */
#include "table/footer.h"

#include "base/status.h"

#define HANDLES_SIZE 40

static const uint8_t extended_magic[4] = {0x3e, 0x00, 0x7a, 0x00};

static int fail_magic(uint64_t magic)
{
	static const struct {
		uint64_t magic;
		const char *name;
	} known[] = {
		{UINT64_C(0x8242229663bf9564), "RocksDB's plain table"},
		{UINT64_C(0x4f3418eb7a8f13b8), "RocksDB's plain table"},
		{UINT64_C(0x926789d0c5f17873), "RocksDB's cuckoo table"},
		{UINT64_C(0xb3aa9ff0b3aa9ff0), "Pebble's own table format"},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (magic == known[i].magic)
			return fail(SST_EUNSUPPORTED, "%s is not supported", known[i].name);
	return fail(SST_ECORRUPT, "not a table: its last 8 bytes are no known magic number");
}

static int decode_handles(struct footer *f, struct sst_slice in)
{
	if (!get_handle(&in, &f->metaindex) || !get_handle(&in, &f->index) || !f->index.size)
		return fail(SST_ECORRUPT, "footer: malformed handle");
	return 0;
}

static int decode_context(struct footer *f, const uint8_t *p, bool unchecked)
{
	if (memcmp(p + 1, extended_magic, sizeof(extended_magic)) != 0)
		return fail(SST_ECORRUPT, "footer: wrong inner magic number");
	uint8_t zeroed[TABLE_FOOTER_SIZE];
	memcpy(zeroed, p, sizeof(zeroed));
	memset(zeroed + 5, 0, 4);
	f->base = load32(p + 9);
	uint32_t sum = block_checksum(f->checksum, slice_of(zeroed, sizeof(zeroed) - 1), zeroed[sizeof(zeroed) - 1]) +
		       checksum_context(f->base, f->offset);
	if (sum != load32(p + 5) && !unchecked)
		return fail(SST_ECORRUPT, "footer: checksum mismatch");
	if (!f->base)
		return fail(SST_ECORRUPT, "footer: no base for context checksums");
	for (size_t i = 17; i < 41; i++)
		if (p[i])
			return fail(SST_EUNSUPPORTED, "footer: bytes of an unknown feature");
	uint64_t size = load32(p + 13);
	if (f->offset < size + BLOCK_TRAILER_SIZE)
		return fail(SST_ECORRUPT, "footer: metaindex of %llu bytes is larger than the file",
			(unsigned long long)size);
	f->metaindex = (struct block_handle){f->offset - BLOCK_TRAILER_SIZE - size, size};
	return 0;
}

static int decode_legacy(struct footer *f, struct sst_slice tail, uint64_t file_size)
{
	f->checksum = CHECKSUM_CRC32C;
	f->offset = file_size - TABLE_FOOTER_SIZE_LEGACY;
	return decode_handles(f, slice_of(tail.data + tail.size - TABLE_FOOTER_SIZE_LEGACY, HANDLES_SIZE));
}

int footer_decode(struct footer *f, struct sst_slice tail, uint64_t file_size, bool unchecked)
{
	*f = (struct footer){0};
	if (tail.size < TABLE_FOOTER_SIZE_LEGACY)
		return fail(SST_ECORRUPT, "not a table: only %llu bytes", (unsigned long long)file_size);
	uint64_t magic = load64(tail.data + tail.size - 8);
	if (magic == TABLE_MAGIC_LEGACY)
		return decode_legacy(f, tail, file_size);
	if (magic != TABLE_MAGIC)
		return fail_magic(magic);
	if (tail.size < TABLE_FOOTER_SIZE)
		return fail(SST_ECORRUPT, "not a table: only %llu bytes", (unsigned long long)file_size);
	const uint8_t *p = tail.data + tail.size - TABLE_FOOTER_SIZE;
	f->version = load32(p + 41);
	f->offset = file_size - TABLE_FOOTER_SIZE;
	if (f->version < 1 || f->version > FORMAT_VERSION_MAX)
		return fail(SST_EUNSUPPORTED, "format version %u is not supported", f->version);
	if (p[0] > CHECKSUM_XXH3)
		return fail(SST_EUNSUPPORTED, "checksum type %u is not supported", p[0]);
	f->checksum = p[0];
	if (f->version >= FORMAT_VERSION_CONTEXT)
		return decode_context(f, p, unchecked);
	return decode_handles(f, slice_of(p + 1, HANDLES_SIZE));
}
