#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The pages of formats are right: their worked examples are taken out as files and given to RocksDB's tools, which
# know nothing of us, and to ours.

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert

root=$BATS_TEST_DIRNAME/../..

setup() {
	cd "$BATS_TEST_TMPDIR" || exit
}

page_bytes() {
	python3 "$root/tests/page_bytes.py" "$root/man/$1"
}

need() {
	command -v "$1" >/dev/null || skip "no $1 here"
}

@test "sst(5): RocksDB reads and verifies the table of the example" {
	need sst_dump
	page_bytes sst.5 >tiny.sst
	run sst_dump --file=tiny.sst --command=verify
	assert_output --partial 'The file is ok'
	run sst_dump --file=tiny.sst --command=scan
	assert_line "'a' seq:3, type:1 => one"
	assert_line "'ab' seq:1, type:1 => two"
	assert_line --partial "'b' seq:2, type:0 =>"
}

@test "sst(5): sst-dump reads the table of the example as the page says" {
	need sst-dump
	page_bytes sst.5 >tiny.sst
	run sst-dump -a tiny.sst
	assert_success
	assert_output "$(printf 'a\tone\t3\tput\nab\ttwo\t1\tput\nb\t\t2\tdel')"
}

@test "lsm-wal(5): RocksDB reads the log of the example" {
	need ldb
	page_bytes lsm-wal.5 >000003.log
	run ldb dump_wal --walfile=000003.log --print_value
	assert_line --partial '1,1,39,0,PUT(0) : 0x68656C6C6F : 0x776F726C64'
	assert_line --partial '2,2,42,46,PUT(0) : 0x666F6F : 0x626172 DELETE(0) : 0x68656C6C6F'
}

@test "lsm-manifest(5): RocksDB reads the directory of the example" {
	need ldb
	page_bytes lsm-manifest.5 >MANIFEST-000002
	page_bytes sst.5 >000004.sst
	echo MANIFEST-000002 >CURRENT
	run ldb scan --db=.
	assert_output "$(printf 'a : one\nab : two')"
}

@test "lsm-manifest(5), lsm-wal(5): our tools read the directory of the examples, log and all" {
	need lsm-get
	page_bytes lsm-manifest.5 >MANIFEST-000002
	page_bytes sst.5 >000004.sst
	echo MANIFEST-000002 >CURRENT
	run lsm-get -d . ab
	assert_success
	assert_output two
	run lsm-get -d . b
	assert_failure 1
	rm -f /dev/shm/lsm."$(od -An -v -tx1 -j16 -N16 LOCK | tr -d ' \n')".*
}
