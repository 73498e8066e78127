/* SPDX-License-Identifier: MIT */
/* lsm.conf: any text is settings within their limits, or an error that names a line. */
#include <stdlib.h>

#include "db/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config c;
	int rc = config_parse(&c, slice_of(data, size), "lsm.conf");
	if (rc == 0 && (c.write_buffer_size < 65536 || c.block_size < 256 || c.bloom_bits_per_key > 100 || c.zstd_level < 1))
		abort();
	if (rc && (rc != SST_EINVAL || strncmp(sst_errmsg(), "lsm.conf:", 9)))
		abort();
	return 0;
}
