#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# sst-dump, sst-get and sst-check: what they print, and what they say of damaged tables.

load helper

make_table=${BUILD:-$ROOT/build}/table/make_table

# table NAME [OPTION...] < lines "KEY SEQUENCE TYPE VALUE", plain text, "-" is empty
table() {
	local name=$1
	shift
	rm -f "$name"
	awk 'BEGIN { for (i = 33; i < 127; i++) hex[sprintf("%c", i)] = sprintf("%02x", i) }
		function to_hex(s, h, i) {
			h = ""
			for (i = 1; i <= length(s); i++) h = h hex[substr(s, i, 1)]
			return s == "-" ? "-" : h
		}
		{ print to_hex($1), $2, $3, to_hex($4) }' |
		"$make_table" -B -U "$@" "$name" 2>/dev/null
}

small() {
	printf '%s\n' 'a 9 1 apple' 'a 5 1 apricot' 'b 8 0 -' 'b 3 1 banana' 'c 7 1 cherry' 'd 6 7 -' 'e 4 1 elder' |
		table t.sst "$@"
}

# many COUNT: keys k000001..., values that say so; blocks of 1000 bytes
many() {
	awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++) printf "k%06d 1 1 the-value-of-number-%d\n", i, i }' |
		table many.sst -b 1000 -c none
}

# flip FILE OFFSET
flip() {
	local byte
	byte=$(od -An -v -tu1 -j"$2" -N1 "$1")
	# shellcheck disable=SC2059
	printf "\\x$(printf %02x $((byte ^ 255)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test "sst-dump: what a reader sees: the newest version, nothing deleted" {
	small
	run -0 sst-dump t.sst
	assert_output $'a\tapple\nc\tcherry\ne\telder'
	run -0 sst-dump -r t.sst
	assert_output $'e\telder\nc\tcherry\na\tapple'
	run -0 sst-dump -k t.sst
	assert_output $'a\nc\ne'
	run -0 sst-dump -c t.sst
	assert_output 3
}

@test "sst-dump -a: every entry, with sequence and type" {
	small
	run -0 sst-dump -a t.sst
	assert_output $'a\tapple\t9\tput\na\tapricot\t5\tput\nb\t\t8\tdel\nb\tbanana\t3\tput\nc\tcherry\t7\tput\nd\t\t6\tsdel\ne\telder\t4\tput'
	run -0 sst-dump -a -x -m 1 t.sst
	assert_output $'61\t6170706c65\t9\tput'
	run -0 sst-dump -aj -m 1 t.sst
	assert_output '{"key":"a","value":"apple","seq":9,"type":"put"}'
	run -0 sst-dump -ac t.sst
	assert_output 7
	run -0 sst-dump -ark t.sst
	assert_line --index 0 e
	assert_line --index 6 a
}

@test "sst-dump: ranges, prefix, limit, both ways" {
	many 500
	run -0 sst-dump -k -f k000010 -u k000013 many.sst
	assert_output $'k000010\nk000011\nk000012'
	run -0 sst-dump -kr -f k000010 -u k000013 many.sst
	assert_output $'k000012\nk000011\nk000010'
	run -0 sst-dump -k -p k00049 -m 2 many.sst
	assert_output $'k000490\nk000491'
	run -0 sst-dump -kr -p k00049 -m 2 many.sst
	assert_output $'k000499\nk000498'
	run -0 sst-dump -c -p k0001 many.sst
	assert_output 100
	run -0 sst-dump -c -p k0001 -u k00015 many.sst
	assert_output 50
	run -0 sst-dump -kr -u k -f a many.sst
	assert_output ""
	run -0 sst-dump -k -x -f 0x6b303030343939 many.sst
	assert_line --index 0 6b303030343939
	run -0 sst-dump -c -p z many.sst
	assert_output 0
}

@test "sst-dump: the other forms of records" {
	small
	run -0 sst-dump -F ldb t.sst
	assert_line --index 0 '0x61 ==> 0x6170706c65'
	run -0 sst-dump -F cdb t.sst
	assert_line --index 0 '+1,5:a->apple'
	run -0 sst-dump -F dump t.sst
	assert_line --index 0 'VERSION=3'
	sst-dump -0 t.sst | tr '\0' , >out
	assert_equal "$(cat out)" a,apple,c,cherry,e,elder,
	run -2 sst-dump -a -F cdb t.sst
}

@test "sst-dump: standard input need not be seekable; several files one after the other" {
	small
	sst-dump t.sst >want
	cat t.sst | sst-dump - | cmp - want
	cat want want >twice
	sst-dump t.sst t.sst | cmp - twice
	run --separate-stderr -3 sst-dump t.sst absent.sst t.sst
	assert_equal "$output" "$(cat twice)"
	assert_equal "$stderr" "sst-dump: cannot open 'absent.sst': No such file or directory"
}

@test "sst-dump --props, --index, --blocks" {
	many 500
	run -0 sst-dump --props many.sst
	assert_line $'rocksdb.num.entries\t500'
	assert_line $'rocksdb.comparator\tleveldb.BytewiseComparator'
	assert_line $'format.version\t5'
	assert_line $'checksum\tXXH3'
	run -0 sst-dump --props -j many.sst
	assert_line '{"name":"rocksdb.num.entries","value":500}'
	sst-dump --index many.sst >index
	assert_equal "$(head -n 1 index)" "$(printf 'k000001\t0\t')$(head -n 1 index | cut -f 3)"
	# one block behind the other, 5 bytes between them
	awk -F '\t' '$2 != end { exit 1 } { end = $2 + $3 + 5 }' index
	sst-dump --blocks many.sst >blocks
	awk -F '\t' '$1 != end { exit 1 } { end = $1 + $2 + 5; if ($3 == "data") n += $6 }
		END { if (n != 500) exit 1; print end }' blocks >end
	assert_equal "$(cat end)" $(($(stat -c %s many.sst) - 53))
	run -2 sst-dump --index -a many.sst
	run -2 sst-dump --index --props many.sst
}

@test "sst-dump: a damaged block: what comes before it is printed, then exit 4" {
	many 500
	flip many.sst 3000
	run --separate-stderr -4 sst-dump -k many.sst
	assert_regex "$stderr" "^sst-dump: cannot read 'many.sst': block at [0-9]+: checksum mismatch$"
	seq -f 'k%06g' 500 | head -n "${#lines[@]}" >want
	assert_equal "$output" "$(cat want)"
	run -4 sst-dump -c many.sst
	refute_line --regexp '^[0-9]+$'
}

@test "sst-dump --skip-bad: all but the damaged block, its keys named, still exit 4" {
	many 500
	flip many.sst 3000
	flip many.sst 9000
	run --separate-stderr -4 sst-dump -k --skip-bad many.sst
	assert_equal "${#stderr_lines[@]}" 4
	assert_regex "${stderr_lines[1]}" "^sst-dump: many.sst: left out: keys 'k[0-9]+'\.\.'k[0-9]+'$"
	from=$(sed -n "s/.*keys '\(k[0-9]*\)'.*/\1/p" <<<"${stderr_lines[1]}")
	to=$(sed -n "s/.*'\(k[0-9]*\)'$/\1/p" <<<"${stderr_lines[1]}")
	from2=$(sed -n "s/.*keys '\(k[0-9]*\)'.*/\1/p" <<<"${stderr_lines[3]}")
	to2=$(sed -n "s/.*'\(k[0-9]*\)'$/\1/p" <<<"${stderr_lines[3]}")
	seq -f 'k%06g' 500 | awk -v f="$from" -v t="$to" -v f2="$from2" -v t2="$to2" \
		'($0 < f || $0 > t) && ($0 < f2 || $0 > t2)' >want
	assert_equal "$output" "$(cat want)"
	run --separate-stderr -4 sst-dump -kr --skip-bad many.sst
	assert_equal "$output" "$(tac want)"
}

@test "sst-dump: control characters of a file do not reach the terminal" {
	printf '1b5d32 1 1 07\n' | "$make_table" -B -U t.sst 2>/dev/null
	run -0 sst-dump t.sst
	assert_output '\x1b]2'$'\t''\x07'
}

@test "sst-dump: head closes the pipe: silence; a full disk: exit 3" {
	many 5000
	bash -c 'sst-dump many.sst many.sst many.sst | head -n 1' >out 2>err
	assert [ ! -s err ]
	run --separate-stderr -3 bash -c 'sst-dump many.sst > /dev/full'
	assert_regex "$stderr" "^sst-dump: write error: "
	run -3 bash -c 'sst-dump -c many.sst > /dev/full'
}

@test "sst-get: first file that mentions the key decides" {
	printf '%s\n' 'a 9 1 new' 'b 8 0 -' | table new.sst
	printf '%s\n' 'a 2 1 old' 'b 2 1 old' 'c 2 1 old' | table old.sst
	run -0 sst-get a new.sst old.sst
	assert_output new
	run -1 sst-get b new.sst old.sst
	assert_output ""
	run -0 sst-get c new.sst old.sst
	assert_output old
	run -1 sst-get d new.sst old.sst
	assert_output ""
	run -0 sst-get -q c new.sst old.sst
	assert_output ""
	# a damaged file could have said something: no answer from the files behind it
	flip new.sst 3
	run --separate-stderr -4 sst-get a new.sst old.sst
	assert_equal "$output" ""
	assert_equal "$stderr" "sst-get: cannot read 'new.sst': block at 0: checksum mismatch"
	run -3 sst-get c absent.sst old.sst
	run -2 sst-get c
	run -2 sst-get
}

@test "sst-get: exact bytes; -e and -x make a line" {
	printf '0a00 1 1 000a09\n' | "$make_table" -B -U t.sst 2>/dev/null
	sst-get -x 0a00 t.sst | cmp - <(echo 000a09)
	sst-get -e '\n\x00' t.sst | cmp - <(echo '\x00\n\t')
	printf '61 1 1 000a\n' | "$make_table" -B -U u.sst 2>/dev/null
	sst-get a u.sst | cmp - <(printf '\0\n')
}

@test "sst-get -v: says where it looked; -b: many keys" {
	small -f 10
	run --separate-stderr -0 sst-get -v c t.sst
	assert_regex "$stderr" "^sst-get: t.sst: filter: maybe, block at 0, [0-9]+ bytes: put, sequence 7$"
	run --separate-stderr -1 sst-get -v absent t.sst
	assert_equal "$stderr" "sst-get: t.sst: filter: no, no block: nothing"
	run -0 sst-get -b t.sst <<<$'a\ne'
	assert_output $'a\tapple\ne\telder'
	run -1 sst-get -b t.sst <<<$'a\nb\ne'
	assert_output $'a\tapple\ne\telder'
}

@test "sst-check: silent about a sound table" {
	many 500
	run -0 sst-check many.sst
	assert_output ""
	run --separate-stderr -0 sst-check -v many.sst
	assert_regex "$stderr" "^sst-check: many.sst: [0-9]+ blocks, 500 entries, [0-9]+ bytes, 0 damages$"
	cat many.sst | sst-check -
}

@test "sst-check: one line per damage, with place and keys" {
	many 500
	flip many.sst 3000
	flip many.sst 9000
	run --separate-stderr -4 sst-check many.sst
	assert_equal "$stderr" ""
	assert_equal "${#lines[@]}" 2
	assert_regex "${lines[0]}" "^many.sst: block at [0-9]+: checksum mismatch, keys 'k[0-9]+'\.\.'k[0-9]+'$"
	run -4 sst-check -q many.sst
	assert_output ""
	run -4 sst-check -j many.sst
	assert_regex "${lines[0]}" '^\{"file":"many.sst","offset":[0-9]+,"size":[0-9]+,"damage":"checksum mismatch","from":"k[0-9]+","to":"k[0-9]+"\}$'
}

@test "sst-check: every byte of a table matters, but for the padding of the footer" {
	small -f 10
	size=$(stat -c %s t.sst)
	for ((i = 0; i < size; i += 11)); do
		flip t.sst $i
		sst-check t.sst >out 2>&1 && [ $i -lt $((size - 45)) ] && fail "byte $i of $size"
		flip t.sst $i
	done
	sst-check t.sst
}

@test "sst-check: what is no table, or of another kind" {
	head -c 1000 /dev/zero >zeros
	: >empty
	mkfifo pipe
	small
	head -c 200 t.sst >cut.sst
	run -4 sst-check zeros empty cut.sst t.sst
	assert_line --index 0 'zeros: not a table: its last 8 bytes are no known magic number'
	assert_line --index 1 'empty: not a table: only 0 bytes'
	assert_line --index 2 --partial 'cut.sst: not a table'
	run -3 sst-check pipe
	assert_output "sst-check: 'pipe' is not a regular file"
	run -3 sst-check .
	run -3 sst-check absent
	run -2 sst-check
}

@test "sst-*: no file is changed, nor its access time" {
	small
	touch -a -d '2001-01-01' t.sst
	stat -c '%X %Y %s' t.sst >before
	sst-dump t.sst >/dev/null
	sst-get a t.sst >/dev/null
	sst-check t.sst
	stat -c '%X %Y %s' t.sst | cmp - before
}
