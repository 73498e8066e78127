#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Bytes flipped under the programs: the right answer or an error, within bounds of time and memory. A part of what
# tests/slow/35-flips.bats does; unit/test_every_flip.c and unit/test_table_flips.c do it without processes.

load helper

@test "flips: sst-check, sst-dump and sst-get: tables of ours" {
	local kind
	seq 40 | sed 's/.*/key-&\tvalue &/' | LC_ALL=C sort >in
	sst-build --block-size=256 -o zstd.sst in
	for kind in zstd; do
		run python3 "$ROOT/tests/flips.py" --step 23 --tables $kind.sst
		echo "$output"
		assert_success
		run python3 "$ROOT/tests/flips.py" --step 41 --from 5 --flip 255 --tables $kind.sst
		echo "$output"
		assert_success
	done
}

@test "flips: lsm-check, lsm-scan and lsm-get: a store of ours" {
	seq 30 | sed 's/.*/k&\tv&/' | lsm-put -b
	lsm-flush
	lsm-put k7 3
	lsm-del k5
	lsm-put last one
	run python3 "$ROOT/tests/flips.py" --step 23 --keys 2 "$LSM_DB" 000004.log 000005.sst MANIFEST-000001 CURRENT
	echo "$output"
	assert_success
	refute_line --regexp '^CURRENT:.*harmless: [0-9]'
}
