#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The pages of formats are right: their worked examples are taken out as files and given to RocksDB's tools, which
# know nothing of us, and to ours.

load helper

page_bytes() {
	python3 "$ROOT/tests/page_bytes.py" "$ROOT/man/$1"
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

example_store() {
	mkdir "$LSM_DB"
	page_bytes lsm-manifest.5 >"$LSM_DB/MANIFEST-000002"
	page_bytes sst.5 >"$LSM_DB/000004.sst"
	echo MANIFEST-000002 >"$LSM_DB/CURRENT"
}

@test "lsm-manifest(5): RocksDB reads the directory of the example" {
	need ldb
	example_store
	run ldb scan --db="$LSM_DB"
	assert_output "$(printf 'a : one\nab : two')"
}

@test "lsm-manifest(5): lsm-get reads the directory of the example" {
	example_store
	run lsm-get ab
	assert_success
	assert_output two
	run lsm-get b
	assert_failure 1
}

@test "pages: references to pages of this project lead somewhere" {
	cd "$ROOT/man"
	grep -Eho '^\.Xr (lsm|sst|libsst)[-a-z.]* [0-9]' -- * | sort -u | while read -r _ name section; do
		[ -f "$name.$section" ] || echo "$name($section) is referred to and does not exist"
	done >"$BATS_TEST_TMPDIR/dead"
	run cat "$BATS_TEST_TMPDIR/dead"
	assert_output ''
}

@test "lsm(7): lists every program" {
	for program in "$ROOT"/bin/lsm-*.c "$ROOT"/bin/sst-*.c; do
		program=${program##*/}
		run grep -c "^\.It Xr ${program%.c} 1" "$ROOT/man/lsm.7"
		assert_output 1
	done
}

@test "libsst(3): shows every function of the header as the header has it" {
	# Both as one declaration a line, without spaces.
	sed 's|/\*.*\*/||; /^\/\*/,/\*\//d' "$ROOT/lib/sst.h" | tr '\n' ' ' | grep -o 'SST_API [^;{]*;' |
		sed 's/SST_API//; s/;//; s/[[:space:]]//g' | sort >header
	mandoc -Tutf8 -O width=999 "$ROOT/man/libsst.3" | col -b | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' |
		tr '\n' ' ' | grep -oE '(const char \*|struct lsm_batch \*|bool|int|void|unsigned|size_t|uint64_t)[[:space:]]+(lsm|sst)_[a-z_]+\([^;]*\);' |
		sed 's/;//; s/[[:space:]]//g' | sort >page
	[ "$(wc -l <page)" -ge 20 ]
	run diff header page
	assert_output ''
}
