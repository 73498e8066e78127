#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# lsm-flush, and who flushes when nobody calls it.

load helper

tables() {
	find "$LSM_DB" -name '*.sst' | wc -l
}

more_tables_than() {
	[ "$(tables)" -gt "$1" ]
}

small_memtables() {
	lsm-put first 1
	echo 'write_buffer_size = 256K' >"$LSM_DB/lsm.conf"
	lsm-flush
}

@test "lsm-flush: nothing to do is success, and silent" {
	lsm-put k v
	run -0 lsm-flush
	assert_output ""
	assert_equal "$(tables)" 1
	run -0 lsm-flush
	assert_output ""
	assert_equal "$(tables)" 1
}

@test "lsm-flush: one table, the old log gone, every record still there" {
	seq 1000 | sed 's/.*/k&\tv&/' | lsm-put -b
	local log
	log=$(cd "$LSM_DB" && ls ./*.log)
	lsm-flush
	assert_not_exists "$LSM_DB/$log"
	seq 1000 | sed 's/^/k/' | lsm-get -b | cmp - <(seq 1000 | sed 's/.*/k&\tv&/')
	forget_memory
	seq 1000 | sed 's/^/k/' | lsm-get -b | cmp - <(seq 1000 | sed 's/.*/k&\tv&/')
}

@test "lsm-flush: RocksDB verifies and reads the table" {
	need sst_dump
	printf 'a\t1\nb\t2\n' | lsm-put -b
	lsm-del a
	table=$LSM_DB/$(lsm-flush --print)
	run sst_dump --file="$table" --command=verify
	assert_output --partial "The file is ok"
	run sst_dump --file="$table" --command=scan
	assert_line --regexp "^'a' seq:3, type:0 =>"
	assert_line "'b' seq:2, type:1 => 2"
}

@test "lsm-flush: --print names the new table on stdout" {
	lsm-put k v
	run --separate-stderr -0 lsm-flush --print
	assert_regex "$output" '^[0-9]{6}\.sst$'
	assert_equal "$stderr" ""
	assert_exists "$LSM_DB/$output"
	run -0 lsm-flush --print
	assert_output ""
}

@test "lsm-flush: -v tells records, table, size and time on stderr" {
	printf 'a\t1\na\t2\n' | lsm-put -b
	run --separate-stderr -0 lsm-flush -v
	assert_equal "$output" ""
	assert_regex "$stderr" 'lsm-flush: 2 records -> [0-9]{6}\.sst, [0-9.]+ (B|KiB), [0-9.]+ s'
}

@test "lsm-flush: --if-size and --if-age leave a small or young memtable alone; either suffices" {
	lsm-put k v
	run -0 lsm-flush --print --if-size=1M
	assert_output ""
	run -0 lsm-flush --print --if-age=1h
	assert_output ""
	run -0 lsm-flush --print --if-age=1d --if-size=1G
	assert_output ""
	run -0 lsm-flush --print --if-age=1h --if-size=1
	assert_output --regexp '^[0-9]{6}\.sst$'
	lsm-put k v
	sleep 0.02
	run -0 lsm-flush --print --if-age=0.01 --if-size=1G
	assert_output --regexp '^[0-9]{6}\.sst$'
}

@test "lsm-flush: --frozen leaves the active memtable alone" {
	lsm-put k v
	run -0 lsm-flush --frozen --print
	assert_output ""
	assert_equal "$(tables)" 0
}

@test "lsm-flush: several at once make one table" {
	lsm-put k v
	local i
	for i in 1 2 3 4 5; do
		lsm-flush --print >>names || echo failed >>failed &
	done
	wait
	assert_not_exists failed
	assert_equal "$(wc -l <names)" 1
	assert_equal "$(tables)" 1
}

@test "lsm-flush: writers go on during flushes and nothing is lost" {
	(for i in $(seq 20); do lsm-flush || echo failed >>failed; done) &
	lsm-put k0 v0
	local i
	for i in $(seq 100); do
		lsm-put "k$i" "v$i" || echo failed >>failed
	done
	wait
	lsm-flush
	seq 100 | sed 's/^/k/' | lsm-get -b | cmp - <(seq 100 | sed 's/.*/k&\tv&/')
}

@test "lsm-put -b: flushes full memtables while it goes on" {
	small_memtables
	seq 100000 | sed 's/.*/k&\tv&/' | lsm-put -b
	assert [ "$(tables)" -gt 3 ]
	run -0 lsm-flush --frozen --print
	assert_output ""
	seq 100000 | sed 's/^/k/' | lsm-get -b | cmp - <(seq 100000 | sed 's/.*/k&\tv&/')
}

@test "lsm-put: a full memtable is flushed by a detached lsm-flush" {
	small_memtables
	local i before
	before=$(tables)
	head -c 100000 /dev/urandom >value
	for i in 1 2 3 4 5 6; do
		run -0 lsm-put "key$i" <value
		assert_output ""
	done
	wait_for more_tables_than "$before"
	for i in 1 2 3 4 5 6; do
		lsm-get "key$i" | cmp - value
	done
}

# A stand-in beside a copy of lsm-put says how it was started, and lives on.
stand_in() {
	mkdir -p bin
	cp "$BIN/lsm-put" bin/
	cat >bin/lsm-flush <<-END
		#!/bin/bash
		mkdir $PWD/first || exit
		printf '%s\n' "\$@" >$PWD/args
		readlink /proc/\$\$/fd/{0,1,2} >$PWD/fds
		find /proc/\$\$/fd -lname 'pipe:*' >>$PWD/fds
		ps -o sid= -p \$\$ | tr -d ' ' >$PWD/sid
		echo \$\$ >$PWD/pid
		exec sleep 30
	END
	chmod +x bin/lsm-flush
}

@test "lsm-put: does not wait for its lsm-flush, which shares no descriptor and no session with it" {
	small_memtables
	stand_in
	local i
	head -c 100000 /dev/urandom >value
	for i in 1 2 3 4; do
		# the pipe ends when nobody holds it any more
		timeout 20 bash -c "bin/lsm-put key$i <value 3>&1 | cat; exit \${PIPESTATUS[0]}"
	done
	wait_for test -s pid
	assert_equal "$(cat args)" "--frozen
--timeout=0
--quiet
--db=$LSM_DB"
	assert_equal "$(cat fds)" "/dev/null
/dev/null
/dev/null"
	assert_equal "$(cat sid)" "$(cat pid)"
	kill "$(cat pid)"
}
