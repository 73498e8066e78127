# SPDX-License-Identifier: MIT
#
# A store's life beside RocksDB. The same at a million records: tests/slow/40-million.bats.

load helper
load story

RECORDS=${RECORDS:-24000}

@test "a store with overwrites, deletes and several flushes is what RocksDB sees, byte for byte" {
	need ldb
	need python3
	mkdir "$LSM_DB"
	echo 'write_buffer_size = 1M' >"$LSM_DB/lsm.conf"
	tell_story
	rocks_view "$LSM_DB" | same 'ldb scan, with unflushed deletes' expected.3
	lsm-flush
	rocks_view "$LSM_DB" | same 'ldb scan' expected.3
	run ldb --db="$LSM_DB" checkconsistency
	assert_output --partial OK
	tables_are_sound
}

@test "RocksDB opens it to write, finds every key through our filters, compacts it, and we go on with what it leaves" {
	[ -x "$ORACLE/rocks-torture" ] || skip 'no librocksdb here'
	need python3
	tell_story
	run "$ORACLE/rocks-torture" --write 1000 --delete 100 --out written "$LSM_DB" expected.3
	assert_success
	assert_output --partial BLOOM_FILTER
	lsm-scan -x | same 'lsm-scan after RocksDB wrote' written
	lsm-put 'after RocksDB' 'and so on'
	lsm-flush
	lsm-scan -x | grep -v "^$(printf 'after RocksDB' | od -An -v -tx1 | tr -d ' \n')" | same 'lsm-scan after our flush' written
	lsm-del 'after RocksDB'
	run "$ORACLE/rocks-torture" --compact --write 1000 --seed 2 --flush --out compacted "$LSM_DB" written
	assert_success
	lsm-scan -x | same 'lsm-scan after RocksDB compacted' compacted
	lsm-flush
	rocks_view "$LSM_DB" | same 'ldb scan at the end' compacted
}
