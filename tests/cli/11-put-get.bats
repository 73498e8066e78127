#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# lsm-put, lsm-get and lsm-del on one store.

load helper

@test "the first five minutes" {
	unset LSM_DB
	run -2 lsm-put hello world
	export LSM_DB=$BATS_TEST_TMPDIR/notes.lsm
	run -0 lsm-put hello world
	assert_output ""
	run -0 lsm-get hello
	assert_output world
	run bash -c 'lsm-get nope || echo none'
	assert_output none
	head -c 300000 /dev/urandom >cat.jpg
	lsm-put photo <cat.jpg
	lsm-get photo | cmp - cat.jpg
	seq 100000 | sed 's/.*/k&\tv&/' | lsm-put --batch
	run -0 lsm-get k99999
	assert_output v99999
	run --separate-stderr -0 lsm-flush -v
	assert_equal "$output" ""
	assert_regex "$stderr" 'lsm-flush: 100002 records -> [0-9]{6}\.sst, [0-9.]+ [KM]iB, [0-9.]+ s'
	run -0 lsm-get hello
	assert_output world
	lsm-get photo | cmp - cat.jpg
}

@test "lsm-get: an absent key prints nothing and exits 1" {
	lsm-put k v
	run -1 lsm-get kk
	assert_output ""
	run -1 lsm-get ''
	assert_output ""
}

@test "lsm-get: the exact bytes, nothing added" {
	every_byte >value
	lsm-put k <value
	lsm-get k | cmp - value
	printf '' | lsm-put empty
	assert_equal "$(lsm-get empty | wc -c)" 0
	run -0 lsm-get empty
}

@test "lsm-get: --default is printed for an absent key, exit 0" {
	lsm-put k v
	run -0 lsm-get --default=x nope
	assert_output x
	run -0 lsm-get --default=x k
	assert_output v
	run -0 lsm-get --default= nope
	assert_output ""
	run -0 lsm-get -x --default=0x00ff 6e6f7065
	assert_output 00ff
}

@test "lsm-get: -q tells by its exit status alone" {
	lsm-put k v
	run -0 lsm-get -q k
	assert_output ""
	run -1 lsm-get -q nope
	assert_output ""
}

@test "lsm-get, lsm-put: -e and -x, and what is printed can be pasted back" {
	lsm-put -e 'a\x00\t\\\r\n' '\xffb'
	run -2 lsm-get -x 61:0
	run -0 lsm-get -x 6100095c0d0a
	assert_output ff62
	run -0 lsm-get -x 0x6100095C0D0A
	assert_output ff62
	run -0 lsm-get -e 'a\x00\x09\\\r\n'
	assert_output '\xffb'
	run -2 lsm-put -e 'a\q' v
	assert_line -n 0 "lsm-put: operand 'a\\q': unknown escape (known are \\\\ \\t \\n \\r \\xHH)"
	run -2 lsm-put -x 616 v
	assert_line -n 0 "lsm-put: operand '616': odd number of hex digits"
}

@test "lsm-put: the empty key and the empty value are a key and a value" {
	lsm-put '' ''
	run -0 lsm-get ''
	assert_output ""
	lsm-put '' full
	run -0 lsm-get ''
	assert_output full
	lsm-del ''
	run -1 lsm-get ''
}

@test "lsm-put: a hyphen is a literal value, stdin need not be seekable" {
	lsm-put k - </dev/null
	run -0 lsm-get k
	assert_output -- -
	printf 'through a pipe' | cat | lsm-put k
	run -0 lsm-get k
	assert_output "through a pipe"
}

@test "lsm-put: -N stores only when absent, else exits 1 and changes nothing" {
	run -0 lsm-put -N k first
	run -1 lsm-put -N k second
	assert_output ""
	run -0 lsm-get k
	assert_output first
	lsm-del k
	run -0 lsm-put -N k third
	lsm-flush
	run -1 lsm-put -N k fourth
	run -0 lsm-get k
	assert_output third
}

@test "lsm-put: -N of twenty at once lets exactly one in" {
	lsm-put other x
	local i
	for i in $(seq 20); do
		(lsm-put -N lock "$i" && echo "$i" >>winners) &
	done
	wait
	assert_equal "$(wc -l <winners)" 1
	assert_equal "$(lsm-get lock)" "$(cat winners)"
}

@test "lsm-put: twenty writers at once, on a store that is not there yet, lose nothing" {
	local i
	for i in $(seq 20); do
		lsm-put "key$i" "value$i" || echo "$i" >>failed &
	done
	wait
	assert_not_exists failed
	for i in $(seq 20); do
		assert_equal "$(lsm-get "key$i")" "value$i"
	done
}

@test "lsm-put: eight streams at once lose nothing" {
	local i
	for i in $(seq 8); do
		seq 2000 | sed "s/.*/w$i-&\tv&/" | lsm-put -b || echo "$i" >>failed &
	done
	wait
	assert_not_exists failed
	for i in $(seq 8); do seq 2000 | sed "s/^/w$i-/"; done | lsm-get -b | wc -l >count
	assert_equal "$(cat count)" 16000
}

@test "lsm-put: what it stored survives the loss of the shared memory" {
	lsm-put a 1
	printf 'b\t2\n' | lsm-put -b
	forget_memory
	run -0 lsm-get a
	assert_output 1
	run -0 lsm-get b
	assert_output 2
	lsm-put c 3
	run -0 lsm-get a
	assert_output 1
}

@test "lsm-put: a key longer than 8 MiB is refused with exit 2" {
	lsm-put k v
	head -c 8388609 /dev/zero | tr '\0' k >key
	(cat key && printf '\tv\n') >line
	run -2 lsm-put -b line
	assert_output "lsm-put: line: line 1: key longer than 8 MiB"
}

@test "lsm-put: 20 MiB values through every way in and out" {
	head -c 20000000 /dev/urandom >big
	lsm-put k <big
	lsm-get k | cmp - big
	lsm-get -bj <<<'{"key":"k"}' >big.json
	lsm-put -bj -d "$BATS_TEST_TMPDIR/two" big.json
	lsm-get -d "$BATS_TEST_TMPDIR/two" k | cmp - big
}

@test "the values of a key's other versions are not read" {
	[ -z "${SAN-}" ] || skip "sanitizers need room of their own"
	local i
	head -c 1000000 /dev/urandom >value
	for i in {1..40}; do
		lsm-put k <value
	done
	run -0 bash -c 'ulimit -v 25000; lsm-put k <value && lsm-get k | cmp - value'
}

@test "lsm-del: deleted is absent, deleting the absent is success" {
	lsm-put k v
	run -0 lsm-del k
	run -1 lsm-get k
	run -0 lsm-del k never-there
	lsm-put k v2
	run -0 lsm-get k
	assert_output v2
}

@test "lsm-del: hides what is in a table" {
	lsm-put k v
	lsm-flush
	lsm-del k
	run -1 lsm-get k
	lsm-flush
	run -1 lsm-get k
	forget_memory
	run -1 lsm-get k
}

@test "lsm-del: -n prints the keys that are there and deletes none" {
	lsm-put -e 'a\t' 1
	lsm-put b 2
	run -0 lsm-del -en 'a\t' b nope
	assert_output 'a\t
b'
	run -0 lsm-del -nx 62 00
	assert_output 62
	run -0 lsm-get b
}

@test "lsm-del: -b deletes the keys of a stream" {
	seq 1000 | sed 's/.*/k&\tv/' | lsm-put -b
	run -0 lsm-del -b < <(seq 2 1000 | sed 's/^/k/')
	seq 1000 | sed 's/^/k/' >keys
	run -1 lsm-get -b <keys
	assert_output "$(printf 'k1\tv')"
	run -0 lsm-del -bj <<<'{"key":"k1"}'
	run -1 lsm-get k1
}

@test "lsm-del: -p deletes a prefix, -f and -u a range, after -n has shown it" {
	seq 1000 1999 | sed 's/.*/k&\tv/' | lsm-put -b
	lsm-flush
	seq 2000 2999 | sed 's/.*/k&\tv/' | lsm-put -b
	lsm-put 'k\xff' v
	run -0 lsm-del -n -p k199
	assert_output "$(seq 1990 1999 | sed 's/^/k/')"
	run -0 lsm-get -q k1990
	run -0 lsm-del -p k199
	assert_output ""
	run -0 lsm-del -n -p k199
	assert_output ""
	run -0 lsm-del -nf k1985 -u k2003
	assert_output "$(seq 1985 1989 | sed 's/^/k/' && seq 2000 2002 | sed 's/^/k/')"
	run -0 lsm-del -f k1985 -u k2003
	run -1 lsm-get k2002
	run -0 lsm-get -q k2003
	run -0 lsm-get -q k1984
	run -0 lsm-del -u k1500
	run -1 lsm-get k1499
	run -0 lsm-get -q k1500
	run -0 lsm-del -x -f 6b39
	run -0 lsm-get -q k2999
	run -0 lsm-del -f ''
	run -0 lsm-del -nf ''
	assert_output ""
}

@test "lsm-del: an empty prefix is refused" {
	lsm-put k v
	run -2 lsm-del -p ''
	assert_line -n 0 "lsm-del: an empty prefix is every key; if that is meant: -f ''"
	run -0 lsm-get -q k
}

@test "lsm-del: a range larger than memtables goes whole" {
	lsm-put k v
	echo 'write_buffer_size = 256K' >"$LSM_DB/lsm.conf"
	lsm-flush
	seq 60000 | sed 's/.*/k&\tv/' | lsm-put -b --no-sync
	lsm-put l v
	run -0 lsm-del -p k
	assert_output ""
	run -0 lsm-del -nf ''
	assert_output l
}
