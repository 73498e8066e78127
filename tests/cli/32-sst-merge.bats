#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# sst-merge: what is newer, what is deleted, what cannot be merged, and what is saved from damaged tables.

load helper

LSM_CORPUS=${LSM_CORPUS:-$ROOT/../shared/corpus}
make_table=${BUILD:-$ROOT/build}/table/make_table

# table NAME [OPTION...] < lines "KEY SEQUENCE TYPE VALUE", plain text, "-" is empty
table() {
	local name=$1
	shift
	awk 'BEGIN { for (i = 33; i < 127; i++) hex[sprintf("%c", i)] = sprintf("%02x", i) }
		function to_hex(s, h, i) {
			h = ""
			for (i = 1; i <= length(s); i++) h = h hex[substr(s, i, 1)]
			return s == "-" ? "-" : h
		}
		{ print to_hex($1), $2, $3, to_hex($4) }' |
		"$make_table" -B -U "$@" "$name" 2>/dev/null
}

# flip FILE OFFSET
flip() {
	local byte
	byte=$(od -An -v -tu1 -j"$2" -N1 "$1")
	# shellcheck disable=SC2059
	printf "\\x$(printf %02x $((byte ^ 255)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# many NAME COUNT VALUE: blocks of 1000 bytes, not compressed
many() {
	awk -v n="$2" -v v="$3" 'BEGIN { for (i = 1; i <= n; i++) printf "k%06d\t%s-%d\n", i, v, i }' |
		sst-build --level=0 --block-size=1000 -o "$1"
}

# middle FILE: an offset in a data block in the middle
middle() {
	sst-dump --index "$1" | awk '{ at[NR] = $2 } END { print at[int(NR / 2)] + 100 }'
}

@test "sst-merge: sequence numbers decide, in whatever order the files come" {
	printf '%s\n' 'a 9 1 a9' 'a 2 1 a2' 'b 8 0 -' 'c 1 1 c1' | table 1.sst
	printf '%s\n' 'a 5 1 a5' 'b 3 1 b3' 'c 4 1 c4' 'd 6 7 -' 'e 2 1 e2' | table 2.sst
	run -0 sst-merge -o x.sst 1.sst 2.sst
	assert_output ''
	run -0 sst-dump -a x.sst
	assert_output $'a\ta9\t0\tput\nc\tc4\t0\tput\ne\te2\t0\tput'
	sst-merge -o y.sst 2.sst 1.sst
	cmp x.sst y.sst
	run -0 sst-check x.sst
	assert_not_exists x.sst.tmp
}

@test "sst-merge: without sequence numbers the first file is the newest" {
	printf 'a\t1\nb\t1\n' | sst-build -o 1.sst
	printf 'b\t2\nc\t2\n' | sst-build -o 2.sst
	printf 'c\t3\nd\t3\n' | sst-build -o 3.sst
	sst-merge -o x.sst 1.sst 2.sst 3.sst
	run -0 sst-dump x.sst
	assert_output $'a\t1\nb\t1\nc\t2\nd\t3'
	sst-merge -o x.sst 3.sst 2.sst 1.sst
	run -0 sst-dump x.sst
	assert_output $'a\t1\nb\t2\nc\t3\nd\t3'
	# what sst-get says of the files, it says of the table
	sst-merge -o x.sst 2.sst 3.sst 1.sst
	local k
	for k in a b c d; do
		assert_equal "$(sst-get $k x.sst)" "$(sst-get $k 2.sst 3.sst 1.sst)"
	done
}

@test "sst-merge: files with and without sequence numbers: in front newer, behind older, between refused" {
	printf 'a\tbuilt\n' | sst-build -o built.sst
	printf '%s\n' 'a 5 1 five' | table five.sst
	printf '%s\n' 'a 6 1 six' | table six.sst
	sst-merge -o x.sst built.sst five.sst six.sst
	run -0 sst-get a x.sst
	assert_output built
	sst-merge -o x.sst five.sst six.sst built.sst
	run -0 sst-get a x.sst
	assert_output six
	rm x.sst
	run -2 sst-merge -o x.sst five.sst built.sst six.sst
	assert_output "sst-merge: 'built.sst' has no sequence numbers: it must stand in front of all that have them, or behind"
	assert_not_exists x.sst
	assert_not_exists x.sst.tmp
}

@test "sst-merge --keep-deletes: deletions and sequence numbers stay" {
	printf '%s\n' 'a 9 0 -' 'b 8 1 b8' 'c 7 7 -' | table 1.sst
	printf '%s\n' 'a 5 1 a5' 'b 3 1 b3' 'z 4 1 z4' | table 2.sst
	run -0 sst-merge --keep-deletes -o x.sst 1.sst 2.sst
	run -0 sst-dump -a x.sst
	assert_output $'a\t\t9\tdel\nb\tb8\t8\tput\nc\t\t7\tsdel\nz\tz4\t4\tput'
	printf '%s\n' 'a 1 1 old' 'c 1 1 old' 'd 1 1 old' | table 3.sst
	sst-merge -o y.sst x.sst 3.sst
	run -0 sst-dump y.sst
	assert_output $'b\tb8\nd\told\nz\tz4'
	run sst-dump --props x.sst
	refute_output --partial rocksdb.external_sst_file
	run sst-dump --props y.sst
	assert_output --partial rocksdb.external_sst_file
	# deletions without sequence numbers stay deletions without sequence numbers
	printf '%s\n' 'a 0 0 -' 'b 0 1 b' | table e.sst -x
	sst-merge --keep-deletes -o x.sst e.sst
	run -0 sst-dump -a x.sst
	assert_output $'a\t\t0\tdel\nb\tb\t0\tput'
	run -2 sst-merge --keep-deletes -o z.sst e.sst 2.sst
	assert_output --partial "deletions cannot be kept"
	assert_not_exists z.sst
}

@test "sst-merge: RocksDB's tables, range deletions and all, as RocksDB sees them" {
	need ldb
	local i
	ldb --db=db --create_if_missing --auto_compaction=false batchput a 1 b 1 c 1 d 1 e 1 f 1 >/dev/null 2>&1 || skip "ldb does not"
	for i in 'deleterange b e' 'put c 2' 'delete f' 'put g 3' 'put a 4' 'deleterange g z' 'put h 5'; do
		# shellcheck disable=SC2086
		ldb --db=db --auto_compaction=false $i >/dev/null 2>&1
	done
	ldb --db=db --auto_compaction=false scan 2>/dev/null | sed 's/ : /\t/' >view
	local tables=(db/*.sst)
	[ "${#tables[@]}" -ge 4 ]
	# what ldb wrote last is in its log still: only what is in tables counts
	ldb --db=db --auto_compaction=false put zz last >/dev/null 2>&1
	tables=(db/*.sst)
	sst-merge -o x.sst "${tables[@]}"
	sst-dump x.sst | cmp - view
	sst-merge -o y.sst $(printf '%s\n' "${tables[@]}" | tac)
	cmp x.sst y.sst
	run -4 sst-merge --keep-deletes -o z.sst "${tables[@]}"
	assert_output --partial "a range deletion begins here, which cannot be kept"
	assert_not_exists z.sst
	run sst_dump --file=x.sst --command=verify
	assert_output --partial 'The file is ok'
}

@test "sst-merge: RocksDB takes what was merged" {
	local ingest=${BUILD:-$ROOT/build}/oracle/rocks-ingest
	[ -x "$ingest" ] || skip "no RocksDB headers here (Debian: librocksdb-dev)"
	many 1.sst 3000 one
	many 2.sst 5000 two
	sst-merge -o x.sst 1.sst 2.sst
	run -0 "$ingest" db x.sst
	assert_output --partial "ingested: 5000 keys, 0 differences"
}

@test "sst-merge: tables of LevelDB and RocksDB, one by one, are what sst-dump shows of them" {
	[ -d "$LSM_CORPUS/public" ] || skip "no corpus here (LSM_CORPUS)"
	local file status compared=0 refused=0
	for file in "$LSM_CORPUS"/public/{l-ldb,r7-sst,r11-sst,bad-sst,real,npm}*/data/*.{sst,ldb}; do
		[ -f "$file" ] || continue
		status=0
		sst-dump -x "$file" >view 2>err || status=$?
		if [ $status = 0 ]; then
			if sst-merge -o x.sst "$file" 2>err; then
				sst-dump -x x.sst | cmp - view || fail "$file"
				compared=$((compared + 1))
			else
				grep -q 'comparator is' err || fail "$file: $(cat err)"
			fi
		else
			rm -f x.sst
			run sst-merge -o x.sst "$file"
			[ "$status" = 4 ] || fail "$file: status $status: $output"
			assert_not_exists x.sst
			refused=$((refused + 1))
		fi
	done
	echo "$compared compared, $refused refused"
	[ $compared -ge 60 ]
	[ $refused -ge 5 ]
}

@test "sst-merge: LevelDB and RocksDB tables together" {
	local one=$LSM_CORPUS/public/l-ldb-snappy/data/table.ldb two=$LSM_CORPUS/public/r7-sst-fv5-binary/data/table.sst
	[ -f "$one" ] && [ -f "$two" ] || skip "no corpus here (LSM_CORPUS)"
	printf 'mine\tnewest\n' | sst-build -o mine.sst
	sst-merge -o x.sst mine.sst "$one" "$two"
	run -0 sst-get mine x.sst
	assert_output newest
	run -0 sst-check x.sst
	# every key with the newest sequence number of both; of deletions nothing
	{ sst-dump -ax "$one"; sst-dump -ax "$two"; } | awk -F '\t' '
		!($1 in seq) || $3 + 0 > seq[$1] { seq[$1] = $3 + 0; line[$1] = $4 == "put" ? $1 "\t" $2 : "" }
		END { for (k in line) if (line[k] != "") print line[k] }' >wanted
	printf '6d696e65\t6e6577657374\n' >>wanted
	LC_ALL=C sort wanted >sorted
	sst-dump -x x.sst | LC_ALL=C sort | cmp - sorted
}

@test "sst-merge: a key that a table alone cannot tell is refused by name" {
	[ -d "$LSM_CORPUS/public" ] || skip "no corpus here (LSM_CORPUS)"
	local file=$LSM_CORPUS/public/r7-sst-x-merge-nofold/data/table.sst
	run -4 sst-merge -o x.sst "$file"
	assert_output --regexp "key '.*' is of type 2 \(merge\), which is not supported"
	run -4 sst-merge --skip-bad -o x.sst "$file"
	assert_not_exists x.sst
	assert_not_exists x.sst.tmp
}

@test "sst-merge: damage: exit 4, nothing made; with --skip-bad the rest, and exit 4" {
	many k.sst 5000 value
	sst-dump k.sst >truth
	flip k.sst "$(middle k.sst)"
	run -4 sst-merge -o x.sst k.sst
	assert_output --regexp "^sst-merge: cannot read 'k.sst': block at [0-9]+: checksum mismatch$"
	assert_not_exists x.sst
	assert_not_exists x.sst.tmp
	run -4 sst-merge --skip-bad -o x.sst k.sst
	assert_line --index 0 --partial "checksum mismatch"
	assert_line --index 1 --regexp "^sst-merge: k.sst: left out: keys 'k[0-9]+'..'k[0-9]+'$"
	run -0 sst-check x.sst
	sst-dump x.sst >saved
	[ "$(wc -l <saved)" -gt 4900 ]
	[ "$(wc -l <saved)" -lt 5000 ]
	run grep -vxFf truth saved
	assert_output ''
	# what sst-dump can save, and no less
	sst-dump --skip-bad k.sst 2>/dev/null | cmp - saved
}

@test "sst-merge --skip-bad: what is lost in one table comes from another" {
	many new.sst 3000 new
	many old.sst 3000 old
	flip new.sst "$(middle new.sst)"
	run -4 sst-merge --skip-bad -o x.sst new.sst old.sst
	run -0 sst-dump -c x.sst
	assert_output 3000
	[ "$(sst-dump x.sst | grep -c old)" -lt 100 ]
	[ "$(sst-dump x.sst | grep -c old)" -gt 10 ]
}

@test "sst-merge --skip-bad: an index, a footer, a file that are lost" {
	many k.sst 3000 value
	many good.sst 100 good
	local at
	at=$(sst-dump --blocks k.sst | awk '$3 == "index" { print $1 + 50 }')
	cp k.sst index.sst
	flip index.sst "$at"
	run -4 sst-merge --skip-bad -o x.sst index.sst good.sst
	assert_output --partial "checksum mismatch"
	run -0 sst-dump -c x.sst
	assert_output 100
	head -c 20000 k.sst >cut.sst
	run -4 sst-merge --skip-bad -o x.sst cut.sst good.sst
	assert_output --regexp "^sst-merge: left out: cannot read 'cut.sst'"
	run -0 sst-dump -c x.sst
	assert_output 100
	rm x.sst
	run -4 sst-merge --skip-bad -o x.sst cut.sst
	assert_line --index 1 "sst-merge: nothing can be read: 'x.sst' is not made"
	assert_not_exists x.sst
	run -4 sst-merge -o x.sst good.sst cut.sst
	assert_not_exists x.sst
	# a file that is not there is no damage
	run -3 sst-merge --skip-bad -o x.sst good.sst nowhere.sst
	assert_not_exists x.sst
}

@test "sst-merge: standard input, standard output, no sequence of files is written to" {
	many 1.sst 300 one
	many 2.sst 500 two
	sst-merge -o x.sst 1.sst 2.sst
	sst-merge -o - - 2.sst <1.sst >y.sst
	cmp x.sst y.sst
	chmod 444 1.sst 2.sst
	sha256sum 1.sst 2.sst >before
	run -2 sst-merge -o 2.sst 1.sst 2.sst
	assert_line -n 0 "sst-merge: '2.sst' is input and output"
	ln 2.sst hard.sst
	run -2 sst-merge -o hard.sst 1.sst 2.sst
	sha256sum -c --quiet before
	run -3 sh -c 'sst-merge -o - 1.sst 2.sst >/dev/full'
	assert_output 'sst-merge: write error: No space left on device'
}

@test "sst-merge: usage" {
	many 1.sst 10 one
	local line
	while read -r line; do
		# shellcheck disable=SC2086
		run -2 $line
		assert_line -n 1 "Try 'sst-merge --help'."
	done <<-'END'
		sst-merge
		sst-merge 1.sst
		sst-merge -o x.sst
		sst-merge -o x.sst - -
	END
	run -3 sst-merge -o x.sst nowhere
	assert_not_exists x.sst
	: >empty
	run -4 sst-merge -o x.sst empty
	assert_not_exists x.sst
}

@test "sst-merge: the flushed tables of a store are the store" {
	seq 1000 | sed 's/.*/k&\tfirst/' | lsm-put -b
	lsm-flush
	seq 1 3 1000 | sed 's/.*/k&\tsecond/' | lsm-put -b
	seq 1 7 1000 | sed 's/.*/k&/' | lsm-del -b
	lsm-flush
	sst-merge -o x.sst "$LSM_DB"/*.sst
	lsm-scan >view
	sst-dump x.sst | cmp - view
	[ "$(wc -l <view)" = 857 ]
}

@test "sst-merge: memory does not grow with the tables" {
	[ -z "${SAN:-}" ] || skip "a sanitizer needs memory of its own"
	local i
	for i in 1 2 3 4; do
		awk -v i=$i 'BEGIN { for (n = i; n < 800000; n += 4) printf "%09d\t%0100d\n", n, n }' |
			sst-build --level=0 -o $i.sst
	done
	[ "$(cat ?.sst | wc -c)" -gt 80000000 ]
	run -0 bash -c "ulimit -v $((200 << 10)); taskset -c 0 sst-merge -o x.sst 1.sst 2.sst 3.sst 4.sst"
	run -0 sst-dump -c x.sst
	assert_output 799999
}
