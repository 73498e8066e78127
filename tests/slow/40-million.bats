# SPDX-License-Identifier: MIT
#
# The suite tests/cli/40-story.bats with a million records.

@test "a store's life beside RocksDB, at a million records" {
	RECORDS=1000000 run bats --tap "$BATS_TEST_DIRNAME/../cli/40-story.bats"
	echo "$output"
	[ "$status" -eq 0 ]
}
