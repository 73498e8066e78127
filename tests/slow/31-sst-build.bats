# SPDX-License-Identifier: MIT
#
# A million records, sorted in little memory, into RocksDB.

load ../cli/helper

@test "sst-build --sort: a million records, ingested by RocksDB" {
	local ingest=${BUILD:-$ROOT/build}/oracle/rocks-ingest
	[ -x "$ingest" ] || skip "no RocksDB headers here (Debian: librocksdb-dev)"
	awk 'BEGIN { for (i = 0; i < 1000000; i++) printf "key%010d\tvalue-%d\n", (i * 7919) % 1000000, i }' >in
	sst-build --sort --memory=8M -o t.sst in
	LC_ALL=C sort in | sst-build -o sorted.sst
	cmp t.sst sorted.sst
	run -0 "$ingest" db t.sst
	assert_output --partial "ingested: 1000000 keys, 0 differences"
}
