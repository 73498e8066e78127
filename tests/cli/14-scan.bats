#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# lsm-scan: what it prints of a store, and that it is one instant of it.

load helper

fruit() {
	printf 'apple\t1\napricot\t2\nbanana\t3\ncherry\t4\n' | lsm-put -b
}

# In the memtable, in a frozen and flushed table, and over each other.
spread() {
	fruit
	lsm-flush
	lsm-put banana 33
	lsm-del cherry
	lsm-put damson 5
}

@test "lsm-scan: an empty store, and one whose keys are all deleted" {
	lsm-put k v
	lsm-del k
	run -0 lsm-scan
	assert_output ""
	run -0 lsm-scan -c
	assert_output 0
	run -0 lsm-scan -r
	assert_output ""
	lsm-flush
	run -0 lsm-scan -c
	assert_output 0
}

@test "lsm-scan: no store is exit 3, and none is made" {
	run -3 lsm-scan
	assert_output --partial "lsm-scan: no store"
	assert_not_exists "$LSM_DB"
	run -2 lsm-scan operand
	run -2 lsm-scan -k -c
}

@test "lsm-scan: memtable over tables, in order and backwards" {
	spread
	run -0 lsm-scan
	assert_output "$(printf 'apple\t1\napricot\t2\nbanana\t33\ndamson\t5')"
	run -0 lsm-scan -r
	assert_output "$(printf 'damson\t5\nbanana\t33\napricot\t2\napple\t1')"
	lsm-flush
	run -0 lsm-scan -r -k
	assert_output "$(printf 'damson\nbanana\napricot\napple')"
}

@test "lsm-scan, lsm-get: more tables than the soft limit allows descriptors" {
	for i in {101..130}; do
		lsm-put --no-sync "k$i" "$i"
		lsm-flush
	done
	run -0 bash -c 'ulimit -Sn 20; lsm-scan -k'
	assert_output "$(printf 'k%s\n' {101..130})"
	run -0 bash -c 'ulimit -Sn 20; lsm-scan -k | lsm-get -b'
	assert_line --index 29 "$(printf 'k130\t130')"
	# A hard limit is one: an error, and nothing half shown with exit 0.
	run -3 --separate-stderr bash -c 'ulimit -n 20; lsm-scan -k'
	assert_regex "$stderr" 'Too many open files'
}

@test "lsm-scan: ranges: from is in, to is out, either may be absent or not a key" {
	spread
	run -0 lsm-scan -k -f apricot -u damson
	assert_output "$(printf 'apricot\nbanana')"
	run -0 lsm-scan -k -f apricotz -u c
	assert_output banana
	run -0 lsm-scan -k -f b
	assert_output "$(printf 'banana\ndamson')"
	run -0 lsm-scan -k -u apricot
	assert_output apple
	run -0 lsm-scan -k -r -f apricot -u damson
	assert_output "$(printf 'banana\napricot')"
	run -0 lsm-scan -k -f z
	assert_output ""
	run -0 lsm-scan -k -f damson -u apple
	assert_output ""
	run -0 lsm-scan -k -u ''
	assert_output ""
	run -0 lsm-scan -c -f ''
	assert_output 4
}

@test "lsm-scan: max, keys, count" {
	spread
	run -0 lsm-scan -m 2
	assert_output "$(printf 'apple\t1\napricot\t2')"
	run -0 lsm-scan -rkm1
	assert_output damson
	run -0 lsm-scan -m 0
	assert_output ""
	run -0 lsm-scan -c
	assert_output 4
	run -0 lsm-scan -c -m 3
	assert_output 3
	run -0 lsm-scan -c -p ap
	assert_output 2
}

@test "lsm-scan: prefixes, of 0xff bytes too, with and without ranges" {
	printf '%s\t\n' '' '\x00' '\x00\x00' 'a' 'a\xfe' 'a\xff' 'a\xff\x00' 'a\xff\xff' 'a\xff\xffz' 'b' '\xff' '\xff\x00' '\xff\xff' \
		>keys
	lsm-put -b <keys
	run -0 lsm-scan -k -e -p 'a\xff'
	assert_output "$(printf '%s\n' 'a\xff' 'a\xff\x00' 'a\xff\xff' 'a\xff\xffz')"
	run -0 lsm-scan -k -e -p 'a\xff\xff'
	assert_output "$(printf '%s\n' 'a\xff\xff' 'a\xff\xffz')"
	run -0 lsm-scan -k -x -p ff
	assert_output "$(printf '%s\n' ff ff00 ffff)"
	run -0 lsm-scan -k -r -x -p ff
	assert_output "$(printf '%s\n' ffff ff00 ff)"
	run -0 lsm-scan -k -x -p ffff
	assert_output ffff
	run -0 lsm-scan -k -x -p 00
	assert_output "$(printf '%s\n' 00 0000)"
	run -0 lsm-scan -c -p ''
	assert_output 13
	run -0 lsm-scan -k -e -p a -f 'a\xff' -u 'a\xff\xff'
	assert_output "$(printf '%s\n' 'a\xff' 'a\xff\x00')"
	run -0 lsm-scan -k -r -e -m 2 -p a -u 'a\xff'
	assert_output 'a\xfe
a'
	run -0 lsm-scan -k -p b -f c
	assert_output ""
}

@test "lsm-scan: every form of records goes through lsm-put unchanged" {
	every_byte | lsm-put every
	every_byte | head -c 200 >key
	lsm-put -e 'tab\tnewline\nback\\slash' value
	lsm-put empty ''
	lsm-scan >want
	local form
	for form in text hex json cdb dump ldb; do
		lsm-scan -F $form >"$form"
		lsm-put -b -F $form -d "copy-$form" <"$form"
		lsm-scan -d "copy-$form" | cmp - want
	done
	lsm-scan -j | cmp - json
	lsm-scan -x | cmp - hex
	lsm-del every
	lsm-scan -0 >null
	lsm-put -b -0 -d copy-null <null
	lsm-scan -d copy-null | cmp - <(lsm-scan)
	lsm-scan -k -0 | tr '\0' '\n' | cmp - <(printf 'empty\ntab\tnewline\nback\\slash\n')
}

@test "lsm-scan: -0 refuses a field with a NUL, after what came before" {
	fruit
	printf 'a\0b' | lsm-put b
	run -3 bash -c 'lsm-scan -0 2>err | tr "\0" "\n"; exit ${PIPESTATUS[0]}'
	assert_output "$(printf 'apple\n1\napricot\n2')"
	run cat err
	assert_output --regexp '^lsm-scan: .*NUL'
}

# pairs N: the store has keys 0..99, all with the value N: each batch is one instant.
pairs() {
	seq 0 99 | sed "s/\$/\t$1/" | lsm-put -b --atomic --no-sync
}

@test "lsm-scan: while puts and flushes run, each scan is one instant" {
	local i scans=0 seen=""
	echo 1 | lsm-put writing
	lsm-del writing
	pairs 0
	(
		for ((i = 1; i <= 40; i++)); do
			pairs $i
			((i % 5)) || lsm-flush
		done
		touch done
	) &
	while [ ! -e done ] || ((scans < 5)); do
		lsm-scan >forward
		lsm-scan -r >backward
		for way in forward backward; do
			assert_equal "$(wc -l <$way)" 100
			assert_equal "$(cut -f2 $way | sort -u | wc -l)" 1
		done
		assert_equal "$(lsm-scan -c)" 100
		i=$(head -1 forward | cut -f2)
		((i >= ${seen:-0})) || fail "an older instant after a newer one"
		seen=$i
		scans=$((scans + 1))
	done
	wait
	assert_equal "$(lsm-scan | cut -f2 | sort -u)" 40
}

@test "lsm-scan: a scan that began before a flush and a compaction of everything ends as it began" {
	seq 20000 | sed 's/.*/k&\tv&/' | lsm-put -b --no-sync
	lsm-scan >want
	mkfifo pipe
	lsm-scan >pipe &
	exec 9<pipe
	read -r -u 9 first
	lsm-flush
	seq 20000 | sed 's/.*/k&\tnew/' | lsm-put -b --no-sync
	lsm-flush
	{
		echo "$first"
		cat <&9
	} | cmp - want
	exec 9<&-
	wait $!
}

@test "lsm-scan: a reader that goes away is no error to be told of" {
	seq 20000 | lsm-put -b -F text < <(seq 20000 | sed 's/.*/k&\tv&/')
	run bash -c 'lsm-scan 2>err | head -1; cat err'
	assert_output "$(printf 'k1\tv1')"
	run -3 bash -c 'lsm-scan >/dev/full'
}

@test "lsm-scan: the examples of its page print what it says" {
	awk '/^\.Bd/ { inside = 1; next } /^\.Ed/ { exit } inside' "$ROOT/man/lsm-scan.1" | sed 's/\\e/\\/g' >example
	sed -n 's/^\$ //p' example >commands
	grep -v '^\$' example >want
	run -0 bash -e commands
	assert_output "$(cat want)"
}
