#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Every byte of every file of a small store flipped once: lsm-check names the file, or the store reads as before. What
# passes for an unfinished write, in the last record of the last log alone, is what the format allows (lsm-wal(5)).

load ../cli/helper

@test "lsm-check and lsm-scan: every byte of log, table, MANIFEST and CURRENT flipped" {
	seq 30 | sed 's/.*/k&\tv&/' | lsm-put -b
	lsm-flush
	lsm-put b 2
	lsm-put k7 3
	lsm-del k5
	lsm-put c last
	run python3 "$ROOT/tests/flips.py" "$LSM_DB" 000004.log 000005.sst MANIFEST-000001 CURRENT
	echo "$output"
	assert_success
	assert_line --partial "000005.sst: "
}
