#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The record forms of lsm-record(5) in lsm-put -b, lsm-get -b and lsm-del -b, and streams.

load helper

# The value of every_byte under a key of the same bytes, as a line of hex.
hostile() {
	local hex
	hex=$(every_byte | od -An -v -tx1 | tr -d ' \n')
	printf '%s\t%s\n' "$hex" "$hex"
}

@test "text, hex and json carry any bytes from store to store" {
	hostile >hex
	cut -f1 hex >keys
	lsm-put -bx hex
	every_byte >bytes
	lsm-get -x "$(cat keys)" >value
	assert_equal "$(cat value)" "$(cut -f2 hex)"
	lsm-get -bx <keys | cmp - hex
	local form
	for form in text json; do
		# the key in that form, by way of a store where it is a value
		lsm-put -bx -d "$BATS_TEST_TMPDIR/keystore" <<<"6b	$(cat keys)"
		case $form in
		text) lsm-get -d "$BATS_TEST_TMPDIR/keystore" -e k >key.$form ;;
		json) lsm-get -d "$BATS_TEST_TMPDIR/keystore" -bj <<<'{"key":"k"}' |
			sed 's/"key":"k","value_b64"/"key_b64"/' >key.$form ;;
		esac
		lsm-get -b -F "$form" <key.$form >records.$form
		lsm-put -b -F "$form" -d "$BATS_TEST_TMPDIR/$form" records.$form
		lsm-get -bx -d "$BATS_TEST_TMPDIR/$form" <keys | cmp - hex
	done
}

@test "text: no byte of the output is a control character or malformed UTF-8" {
	every_byte | lsm-put k
	lsm-get -e k >out
	assert_equal "$(tr -d '\n' <out | LC_ALL=C grep -c '[[:cntrl:]]')" 0
	iconv -f UTF-8 -t UTF-8 out >/dev/null
}

@test "json: jq reads every line, and we read jq's" {
	need jq
	every_byte | lsm-put k
	lsm-get -bj <<<'{"key":"k"}' >line
	jq -r .value_b64 line | base64 -d | cmp - <(every_byte)
	jq -nc '{value:"\u0000 \"\\ \ud83d\ude00 é\u0085",key:"j"}' | lsm-put -bj
	run -0 lsm-get -e j
	assert_output '\x00 "\\ 😀 é\xc2\x85'
	run bash -c 'lsm-get -bj <<<"{\"key\":\"j\"}" | jq -j .value | od -An -tx1'
	assert_output " 00 20 22 5c 20 f0 9f 98 80 20 c3 a9 c2 85"
}

@test "null: fields end with NUL, xargs style; a NUL within a field is refused with exit 3" {
	printf 'a\nb\0c\td\0' | lsm-put -b0
	run -0 lsm-get -e 'a\nb'
	assert_output 'c\td'
	printf 'a\nb\0' | lsm-get -b0 | cmp - <(printf 'a\nb\0c\td\0')
	lsm-put -e n 'x\x00y'
	run -3 bash -c 'printf "n\0" | lsm-get -b0'
	assert_output "lsm-get: a NUL within a value: the null form cannot hold it"
	run -2 bash -c 'printf "a\0b\0c\0" | lsm-put -b0'
	assert_output "lsm-put: standard input: record 2: the input ends within a record"
}

@test "cdb: what cdb dumps is read" {
	need cdb
	printf '+3,5:abc->hello\n+0,0:->\n+1,3:k->a\nb\n\n' | cdb -c x.cdb -
	cdb -d x.cdb | lsm-put -b -F cdb
	run -0 lsm-get abc
	assert_output hello
	run -0 lsm-get -e k
	assert_output 'a\nb'
	run -0 lsm-get ''
	assert_output ""
}

@test "dump: what mdb_dump prints is read" {
	need mdb_load
	mkdir env
	printf '%s\n' VERSION=3 format=bytevalue type=btree mapsize=1048576 HEADER=END ' 6b00' ' ff0a' DATA=END |
		mdb_load env
	mdb_dump env | lsm-put -b -F dump
	run -0 lsm-get -x 6b00
	assert_output ff0a
}

@test "ldb: what ldb dumps is read" {
	need ldb
	ldb --db=rocks --create_if_missing --hex put 0x6b00 0xff0a
	ldb --db=rocks --hex put 0x61 0x
	ldb --db=rocks --hex dump | lsm-put -b -F ldb
	run -0 lsm-get -x 6b00
	assert_output ff0a
	run -0 lsm-get a
	assert_output ""
}

@test "a bad record: its number, exit 2, the records before it are stored" {
	local form line
	while IFS='|' read -r form line expected; do
		forget_memory
		rm -rf store
		printf '%b' "$line" >input
		run -2 lsm-put -b -F "$form" input
		assert_output "lsm-put: input: $expected"
		run -0 lsm-get good
		assert_output 1
	done <<-'END'
		text|good\t1\nbad\n|line 2: no tab between key and value
		text|good\t1\n\n|line 2: no tab between key and value
		text|good\t1\na\tb\tc\n|line 2: too many tabs (within a field write \t)
		text|good\t1\na\\q\tb\n|line 2: key: unknown escape (known are \\ \t \n \r \xHH)
		text|good\t1\na\tb\\|line 2: value: unknown escape (known are \\ \t \n \r \xHH)
		text|good\t1\na\tb\\x4\n|line 2: value: unknown escape (known are \\ \t \n \r \xHH)
		hex|676f6f64\t31\n6\t6\n|line 2: key: odd number of hex digits
		hex|676f6f64\t31\n66\t6g\n|line 2: value: not a hex digit
		json|{"key":"good","value":"1"}\n{"key":"x"}\n|line 2: missing member: value
		json|{"key":"good","value":"1"}\n[]\n|line 2: not a JSON object
		json|{"key":"good","value":"1"}\n{"key":"x","value":"y","type":"del"}\n|line 2: unknown member
		json|{"key":"good","value":"1"}\n{"key":"x","value":"y","key_b64":""}\n|line 2: member given twice
		json|{"key":"good","value":"1"}\n{"key":"x","value":"\xff"}\n|line 2: not UTF-8 (bytes go into key_b64, value_b64)
		json|{"key":"good","value":"1"}\n{"key":"x","value":"\\ud800"}\n|line 2: bad escape in a string
		json|{"key":"good","value":"1"}\n{"key":"x","value":"y|line 2: string without an end
		json|{"key":"good","value":"1"}\n{"key":"x","value_b64":"YQ"}\n|line 2: base64 of a wrong length
		json|{"key":"good","value":"1"}\n{"key":"x","value":1}\n|line 2: a string is wanted
		cdb|+4,1:good->1\n+1,1:a->bb\n\n|record 2: lengths and contents disagree
		cdb|+4,1:good->1\n|record 2: no empty line at the end
		cdb|+4,1:good->1\n+1,1:a|record 2: the input ends within a record
		cdb|+4,1:good->1\n+1,9999999999:a->b\n\n|record 2: longer than a key or value can be
		cdb|+4,1:good->1\n\nmore|record 2: more input behind the empty line
		ldb|0x676F6F64 ==> 0x31\na ==> b\n|line 2: not in hex (ldb wants --hex)
		ldb|0x676F6F64 ==> 0x31\nKeys in range: 2\n|line 2: the number of keys in range is another
		dump|VERSION=3\nHEADER=END\n 676f6f64\n 31\n 6\n|line 5: the input ends within a record
		dump|VERSION=3\nHEADER=END\n 676f6f64\n 31\n 6\n 6\nDATA=END\n|line 5: odd number of hex digits
		dump|VERSION=3\nHEADER=END\n 676f6f64\n 31\n|line 5: no DATA=END
		dump|VERSION=3\nHEADER=END\n 676f6f64\n 31\nDATA=END\nVERSION=3\n|line 6: more input behind DATA=END
	END
}

@test "a dump of what a store cannot hold is refused" {
	run -2 lsm-put -b -F dump < <(printf 'VERSION=3\nduplicates=1\nHEADER=END\nDATA=END\n')
	assert_output "lsm-put: standard input: line 2: a kind of database that is more than keys and values"
	run -2 lsm-put -b -F dump < <(printf 'VERSION=2\n')
	assert_output "lsm-put: standard input: line 1: not VERSION=3"
}

@test "an input that never ends its first line is refused, not gathered" {
	[ -z "${SAN-}" ] || skip "sanitizers need more address space"
	run -2 bash -c 'ulimit -v 400000; head -c 200000000 /dev/zero | lsm-put -b'
	assert_output "lsm-put: standard input: line 1: no tab"
}

@test "the last line may lack its newline" {
	printf 'a\t1\nb\t2' | lsm-put -b
	run -0 lsm-get b
	assert_output 2
}

@test "of two records with one key the later counts" {
	printf 'a\t1\na\t2\n' | lsm-put -b
	run -0 lsm-get a
	assert_output 2
}

@test "lsm-put -b: files in order, - is stdin" {
	printf 'a\t1\n' >one
	printf 'a\t3\nc\t3\n' >three
	printf 'a\t2\nb\t2\n' | lsm-put -b one - three
	run -0 lsm-get -b < <(printf '%s\n' a b c)
	assert_output "$(printf 'a\t3\nb\t2\nc\t3')"
	run -3 lsm-put -b one missing
	assert_output "lsm-put: cannot open 'missing': No such file or directory"
	run -0 lsm-get a
	assert_output 1
}

@test "lsm-put -b: what came before a pause is stored while the input goes on" {
	mkfifo feed
	lsm-put -b <feed &
	exec 9>feed
	printf 'a\t1\n' >&9
	wait_for lsm-get -q a
	printf 'b\t2\nc\t' >&9
	wait_for lsm-get -q b
	run -1 lsm-get c
	printf '3\n' >&9
	exec 9>&-
	wait $!
	run -0 lsm-get c
	assert_output 3
}

@test "lsm-get -b: answers while the input goes on" {
	lsm-put a 1
	coproc lsm-get -b
	echo a >&"${COPROC[1]}"
	read -r -t 10 answer <&"${COPROC[0]}"
	assert_equal "$answer" "$(printf 'a\t1')"
	lsm-put b 2
	echo b >&"${COPROC[1]}"
	read -r -t 10 answer <&"${COPROC[0]}"
	assert_equal "$answer" "$(printf 'b\t2')"
}

@test "lsm-get -b: exit 1 when any key is absent, the others are printed" {
	printf 'a\t1\nc\t3\n' | lsm-put -b
	run -1 lsm-get -b < <(printf 'a\nb\nc\n')
	assert_output "$(printf 'a\t1\nc\t3')"
	run -0 lsm-get -b </dev/null
	assert_output ""
	run -2 lsm-get -bj < <(printf '{"key":"a"}\nb\n')
	assert_line -n 0 '{"key":"a","value":"1"}'
	assert_line -n 1 "lsm-get: standard input: line 2: not a JSON object"
}

@test "lsm-put -b --atomic: all or nothing" {
	lsm-put a 0
	run -2 lsm-put -b --atomic < <(seq 100000 | sed 's/.*/k&\tv/' && echo bad)
	assert_output "lsm-put: standard input: line 100001: no tab between key and value"
	run -1 lsm-get k1
	run -0 lsm-put -b --atomic < <(seq 100000 | sed 's/.*/k&\tv/')
	run -0 lsm-get k100000
	assert_output v
}

@test "lsm-put -b --ops: puts and deletes, in text, null, hex and json" {
	printf '1\tput\ta\t1\n2\tput\tb\t2\n3\tdel\ta\t\n4\tdel\tb\n' | lsm-put -b --ops
	run -1 lsm-get a
	run -1 lsm-get b
	printf '1\0put\0a\0001\0002\0del\0b\0\0' | lsm-put -b0 --ops
	run -0 lsm-get a
	assert_output 1
	printf '5\tput\t62\t32\n' | lsm-put -bx --ops
	run -0 lsm-get b
	assert_output 2
	printf '%s\n' '{"seq":6,"type":"del","key":"a"}' '{"value":"3","seq":7,"key":"b","type":"put"}' |
		lsm-put -bj --ops
	run -1 lsm-get a
	run -0 lsm-get b
	assert_output 3
	run -2 lsm-put -b --ops <<<$'1\tmerge\ta\t1'
	assert_output "lsm-put: standard input: line 1: not an operation (put, del)"
	run -2 lsm-put -b --ops <<<$'x\tput\ta\t1'
	assert_output "lsm-put: standard input: line 1: not a sequence number"
	run -2 lsm-put -b --ops <<<$'1\tdel\ta\t1'
	assert_output "lsm-put: standard input: line 1: a del has no value"
	run -2 lsm-put -b --ops <<<$'1\tput\ta'
	assert_output "lsm-put: standard input: line 1: not SEQ put|del KEY VALUE"
}
