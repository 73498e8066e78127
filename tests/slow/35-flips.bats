#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Every byte of files of every kind flipped under the programs: the right answer or an error, within bounds.

load ../cli/helper

flips() {
	run python3 "$ROOT/tests/flips.py" "$@"
	echo "$output"
	assert_success
}

@test "flips: every byte of a store of ours, one bit and all bits" {
	local flip
	seq 30 | sed 's/.*/k&\tv&/' | lsm-put -b
	lsm-flush
	lsm-put k7 3
	lsm-del k5
	lsm-put last one
	for flip in 0 255; do
		flips --flip $flip "$LSM_DB" 000004.log 000005.sst MANIFEST-000001 CURRENT
	done
}

@test "flips: every byte of a table, one bit and all bits" {
	local flip
	seq 40 | sed 's/.*/key-&\tvalue &/' | LC_ALL=C sort | sst-build --block-size=256 -o t.sst
	for flip in 0 255; do
		flips --flip $flip --tables t.sst
	done
}

@test "flips: stores of RocksDB: logs plain, ingested tables, merges, single deletions" {
	local store
	[ -d "${LSM_CORPUS:-}/public" ] || skip "no corpus at LSM_CORPUS"
	for store in real-rocksdb2018-stage3 r7-db-merge-max r11-db-wal-crash r7-db-singledel r11-db-ingest-manifest; do
		local dir=$LSM_CORPUS/public/$store/data files
		mapfile -t files < <(cd "$dir" && find . -maxdepth 1 -type f -size +0 \
			\( -name '*.sst' -o -name '*.log' -o -name 'MANIFEST*' -o -name CURRENT \) -printf '%f\n')
		flips --step 7 --keys 2 "$dir" "${files[@]}"
	done
}

@test "flips: every byte of every small table of the corpus, in one process" {
	[ -d "${LSM_CORPUS:-}/public" ] || skip "no corpus at LSM_CORPUS"
	FLIP_STRIDE=1 "${BUILD:-$ROOT/build}/unit/test_table_flips"
}
