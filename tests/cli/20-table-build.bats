#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# RocksDB reads the tables that the table builder makes: sst_dump verifies every block, and its scan shows what
# went in, entry by entry.

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert

make_table=$BUILD/table/make_table
oracle=$BUILD/oracle

setup() {
	cd "$BATS_TEST_TMPDIR" || exit
	command -v sst_dump >/dev/null || skip "no sst_dump here (Debian: rocksdb-tools)"
}

# entries COUNT VALUE_SIZE: keys with long common prefixes; every 5th value is noise, every 7th entry a deletion.
entries() {
	awk -v count="$1" -v size="$2" 'BEGIN {
		srand(7)
		for (i = 0; i < count; i++) {
			value = ""
			for (j = 0; j < size; j++)
				value = value sprintf("%02x", i % 5 ? 97 + (i + j) % 3 : int(rand() * 256))
			type = i % 7 == 3 ? 0 : 1
			key = sprintf("6b65792d%02x%02x%02x", int(i / 65536) % 256, int(i / 256) % 256, i % 256)
			print key, (i * 37) % 1000 + 1, type, type && size ? value : "-"
		}
	}'
}

# What sst_dump --output_hex says of the lines of make_table.
expected() {
	awk '{
		key = $1 == "-" ? "" : toupper($1)
		value = $4 == "-" ? "" : toupper($4)
		print "\x27" key "\x27 seq:" $2 ", type:" $3 " => " value
	}' "$1"
}

# judge INPUT TABLE: sst_dump finds nothing wrong and exactly INPUT.
judge() {
	local verify check
	verify=$(sst_dump --file="$2" --command=verify 2>&1) || return 1
	[[ $verify == *"The file is ok"* ]] || { echo "$verify"; return 1; }
	check=$(sst_dump --file="$2" --command=check --verify_checksum 2>&1) || return 1
	[[ $check != *[Cc]orrupt* && $check != *rror* ]] || { echo "$check"; return 1; }
	sst_dump --file="$2" --command=scan --output_hex 2>/dev/null | grep '^'\' >scanned || [ ! -s "$1" ]
	expected "$1" >wanted
	cmp scanned wanted
}

# build_and_judge INPUT OPTION...
build_and_judge() {
	local input=$1
	shift
	rm -f table.sst
	"$make_table" "$@" table.sst <"$input" 2>mode || return 1
	judge "$input" table.sst || { echo "options: $*"; return 1; }
}

@test "table builder: tables of many shapes are read by sst_dump, entry by entry" {
	entries 3000 60 >some
	local block compression filter pool
	for block in 1 100 4096 16384 1000000; do
		for compression in none zstd; do
			for pool in 0 3; do
				build_and_judge some -b $block -c $compression -j $pool
			done
		done
	done
	for filter in 0 1 10 40; do
		build_and_judge some -f $filter -c zstd
	done
}

@test "table builder: the ways of writing make the same file" {
	entries 60000 60 >some
	"$make_table" -c zstd a.sst <some
	"$make_table" -c zstd -U b.sst <some
	"$make_table" -c zstd -B -j 2 c.sst <some
	judge some a.sst
	cmp a.sst b.sst
	cmp a.sst c.sst
}

@test "table builder: many versions of a key, the empty key and empty values" {
	{
		echo "- 9 1 -"
		echo "- 8 0 -"
		for i in {5000..1}; do echo "61 $i $((i % 3 != 0)) -"; done
		echo "6100 72057594037927935 1 00"
		echo "62 0 7 -"
	} >versions
	build_and_judge versions -b 200
	build_and_judge versions -c zstd -j 2
	run -0 sst_dump --file=table.sst --command=none --show_properties
	assert_line --regexp '# entries for filter: 4$'
}

@test "table builder: entries larger than a block, keys of 100 KB, values of 5 MB" {
	local long value i
	long=$(printf '%0200000d' 0)
	value=$(head -c 10000000 /dev/zero | tr '\0' 7)
	for i in {0..9}; do
		echo "6b0$i$long 1 1 $([ $((i % 3)) = 0 ] && echo "$value" || echo -)"
		echo "6b0$i${long}01 5 1 6161"
	done >huge
	build_and_judge huge
	build_and_judge huge -c zstd -j 2
}

@test "table builder: no entries" {
	: >none
	build_and_judge none
	build_and_judge none -f 0 -x
}

@test "table builder: the properties say what is in the table" {
	entries 3000 60 >some
	build_and_judge some -c zstd -b 4096
	run -0 sst_dump --file=table.sst --command=none --show_properties
	assert_line --regexp '# entries: 3000$'
	assert_line --regexp '# deletions: 429$'
	assert_line --regexp '# merge operands: 0$'
	assert_line --regexp '# range deletions: 0$'
	assert_line --regexp 'raw key size: 45000$'
	assert_line --regexp 'raw value size: 154260$'
	assert_line --regexp 'index block size \(user-key\? 0, delta-value\? 0\): [1-9]'
	assert_line --regexp 'filter block size: 3781$'
	assert_line --regexp '# entries for filter: 3000$'
	assert_line --regexp 'filter policy name: bloomfilter$'
	assert_line --regexp 'comparator name: leveldb.BytewiseComparator$'
	assert_line --regexp 'SST file compression algo: ZSTD$'
	refute_line --regexp 'DB session identity: .'
	build_and_judge some -f 0
	run -0 sst_dump --file=table.sst --command=none --show_properties
	assert_line --regexp 'filter block size: 0$'
	assert_line --regexp 'SST file compression algo: NoCompression$'
}

@test "table builder: RocksDB's filter statistics: no key denied, strangers denied" {
	[ -x "$oracle/rocks-bloom" ] || skip "no RocksDB headers here (Debian: librocksdb-dev)"
	entries 20000 20 | awk '{ $2 = 0; if ($3 == 0) { $3 = 1; $4 = "6465" } print }' >zero
	"$make_table" -x -c zstd -j 2 table.sst <zero
	run -0 "$oracle/rocks-bloom" db table.sst
	assert_line "keys not found, or with another value: 0"
	assert_line "present keys denied by the filter: 0"
	assert_line "present keys let through by the filter: 20000"
}

@test "table builder: an external table is ingested, every key read back" {
	[ -x "$oracle/rocks-ingest" ] || skip "no RocksDB headers here (Debian: librocksdb-dev)"
	entries 20000 20 | awk '{ $2 = 0; if ($3 == 0) { $3 = 1; $4 = "6465" } print }' >zero
	"$make_table" -x -c zstd one.sst <zero
	awk 'NR % 3 == 0 { $4 = "6e6577"; print }' zero >newer
	"$make_table" -x -b 512 two.sst <newer
	run -0 "$oracle/rocks-ingest" db one.sst
	assert_line --partial "ingested: 20000 keys, 0 differences"
	run -0 "$oracle/rocks-ingest" db two.sst
	assert_line --partial "ingested: 20000 keys, 0 differences"
}

@test "table builder: keys out of order and sequences in an external table are refused" {
	printf '62 1 1 -\n61 1 1 -\n' >unsorted
	run -1 "$make_table" table.sst <unsorted
	assert_output --partial "not in order"
	rm table.sst
	printf '61 1 1 -\n' >numbered
	run -1 "$make_table" -x table.sst <numbered
	assert_output --partial "sequence number 1 in an external table"
}
