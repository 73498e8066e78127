#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What comes from outside and is no error of a call: kills, stops and signals at any instant, memory that is cut short under
# its users, other clocks, other layouts, the same process numbers. tests/README.md has the list.

load helper

testing_build() {
	TESTING=$BIN/testing
	[ -x "$TESTING/lsm-put" ] || skip "no test build here (make testing)"
	[[ ${SAN-} != *thread* ]] || skip "ThreadSanitizer does not go with replaced functions"
}

# Of a process: R, S, T (stopped), Z ...; '' when it is gone.
state_of() {
	sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null
}

is_stopped() {
	[ "$(state_of "$1")" = T ]
}

# stop_at POINT PROGRAM [ARG ...]: runs it until it stops at that kill point, in the background as $stopped.
stop_at() {
	LSM_STOP=$1 "$TESTING/$2" "${@:3}" >stopped.out 2>stopped.err 3>&- &
	stopped=$!
	wait_for is_stopped $stopped
}

go_on() {
	local pid=$stopped
	stopped=
	kill -CONT "$pid"
	wait "$pid"
}

teardown() {
	[ -z "${stopped-}" ] || kill -KILL "$stopped"
	forget_memory
	[ -z "${outside-}" ] || rm -rf "$outside"
}

small_memtables() {
	mkdir -p "$LSM_DB"
	echo 'write_buffer_size = 64K' >"$LSM_DB/lsm.conf"
}

pairs() {
	seq "$1" "$2" | sed "s/.*/k&\t$(printf '%0400d' 0)/"
}

# Nothing but what belongs there, after a flush: one log, one MANIFEST, no temporary file, two segments at most.
nothing_left() {
	lsm-flush
	assert_equal "$(find "$LSM_DB" -name '*.log' | wc -l)" 1
	assert_equal "$(find "$LSM_DB" -name 'MANIFEST-*' | wc -l)" 1
	assert_equal "$(find "$LSM_DB" -name '*tmp*' | wc -l)" 0
	assert [ "$(find "/dev/shm" -maxdepth 1 -name "lsm.$(token).*" | wc -l)" -le 2 ]
	lsm-check
}

# ---- kills

@test "kills from outside: some of the calls of the kernel" {
	testing_build
	need python3
	run python3 "$ROOT/tests/stress/syscalls.py" "$BIN" --every 40 --seconds 15 --root /dev/shm
	assert_success
	assert_line --regexp '^[0-9]+ kills, 0 failed$'
}

# ---- stops

@test "a writer stopped with the lock held, anywhere in a put: others wait, say so, give up with 75, and never steal" {
	testing_build
	local point n=0
	for point in put-locked put-dirty file-write-half put-appended memtable-run tree-filled put-linked put-visible put-tail; do
		n=$((n + 1))
		lsm-put "before$n" 1
		stop_at $point:1 lsm-put "stopped$n" 2
		run --separate-stderr timeout 20 lsm-put -t 0.3 "late$n" 3
		assert_equal "$status" 75
		assert_regex "$stderr" 'another process holds the writer lock'
		run timeout 20 lsm-get "before$n"
		assert_output 1
		timeout 60 lsm-put "waits$n" 4 2>waits.err 3>&- &
		waiting=$!
		wait_for grep -q 'waiting: another process holds the writer lock' waits.err
		[ -n "$(state_of $waiting)" ] || fail "$point: stole the lock"
		go_on || fail "$point: $(cat stopped.err)"
		wait $waiting
		assert_equal "$(lsm-get "stopped$n")$(lsm-get "waits$n")" 24
		run -1 lsm-get "late$n"
	done
	run lsm-scan -c
	assert_output $((3 * n))
	forget_memory
	run lsm-scan -c
	assert_output $((3 * n))
	nothing_left
}

@test "a stopped writer that is killed: its lock is taken at once, and what it had begun is mended" {
	testing_build
	lsm-put a 1
	stop_at put-appended:1 lsm-put b 2
	kill -KILL $stopped
	wait $stopped || true
	stopped=
	run -0 timeout 5 lsm-put -t 3 c 3
	run lsm-scan -k
	assert_output "$(printf 'a\nb\nc')"
}

@test "a repairer stopped in its repair is not joined by another" {
	testing_build
	lsm-put a 1
	LSM_KILL=put-appended:1 run -137 "$TESTING/lsm-put" b 2
	stop_at repair-replayed:1 lsm-put c 3
	run -75 timeout 20 lsm-put -t 0.3 d 4
	go_on
	run lsm-scan -k
	assert_output "$(printf 'a\nb\nc')"
	nothing_left
}

@test "a stopped flush: other flushes wait and give up with 75; puts go on until the memtables are full, then the same" {
	testing_build
	small_memtables
	pairs 1000 1050 | lsm-put -b
	stop_at flush-table-created:1 lsm-flush
	run --separate-stderr timeout 20 lsm-flush -t 0.3
	assert_equal "$status" 75
	assert_regex "$stderr" 'another process is flushing it'
	run -0 timeout 20 lsm-put more 1
	local round
	for round in 2 3 4 5 6 7 8 9; do
		pairs ${round}000 ${round}170 >in
		run --separate-stderr timeout 60 lsm-put -t 0.3 -b <in
		[ "$status" = 0 ] || break
	done
	assert_equal "$status" 75
	assert_regex "$stderr" 'its memtables are full and another process is flushing one'
	[ $round -ge 5 ] || fail "full after $round memtables"
	go_on
	timeout 60 lsm-put -b <in
	run lsm-scan -c
	assert_output $((52 + 171 * (round - 1)))
	nothing_left
	run lsm-scan -c
	assert_output $((52 + 171 * (round - 1)))
}

@test "a flush stopped while it publishes, with the writer lock: writers wait, readers do not" {
	testing_build
	pairs 1 50 | lsm-put -b
	stop_at flush-publish:1 lsm-flush
	run timeout 20 lsm-scan -c
	assert_output 50
	run -75 timeout 20 lsm-put -t 0.3 a 1
	go_on
	run -0 lsm-put a 1
	run lsm-scan -c
	assert_output 51
	nothing_left
}

@test "a leader of the sync that is stopped: others do not say 'durable' for it, and give up with 75" {
	testing_build
	lsm-put a 1
	stop_at sync-leader:1 lsm-put b 2
	run --separate-stderr timeout 20 lsm-put -t 0.3 c 3
	assert_equal "$status" 75
	assert_regex "$stderr" 'another process syncs the write-ahead log'
	run -0 timeout 20 lsm-put --no-sync d 4
	go_on
	run -0 timeout 20 lsm-put e 5
	for key in a b d e; do
		lsm-get -q $key
	done
}

@test "a rebuild that is stopped: whoever comes waits, says so, and gives up with 75" {
	testing_build
	local point
	lsm-put a 1
	for point in rebuild-token rebuild-removed rebuild-control rebuild-replayed rebuild-magic attach-rebuilt; do
		forget_memory
		stop_at $point:1 lsm-get a
		run --separate-stderr timeout 20 lsm-get -t 0.3 a
		assert_equal "$status" 75
		assert_regex "$stderr" 'another process is rebuilding it'
		run -75 timeout 20 lsm-put -t 0.3 b 2
		go_on
		assert_equal "$(cat stopped.out)" 1
		run lsm-scan
		assert_output "$(printf 'a\t1')"
	done
}

# ---- signals

@test "signals that end a program, at many instants: no temporary file, no half table, no lock stays" {
	testing_build
	small_memtables
	local signal point n=0
	ended() {
		n=$((n + 1))
		kill -$signal $stopped
		! go_on || [ $signal = XFSZ ] || fail "$signal at $point: exit 0"
		run -0 timeout 20 lsm-put -t 10 "after$n" 1
	}
	for signal in TERM HUP PIPE ALRM XFSZ USR1; do # a shell makes its background jobs ignore INT and QUIT
		for point in put-dirty file-write-half put-appended put-unlocked sync-leader; do
			stop_at $point:1 lsm-put "k$point" "$signal"
			ended
		done
		for point in rotate-log-made rotate-memtable-made flush-table-created flush-table-written flush-recorded \
			flush-publish sweep-file; do
			pairs $((n * 1000)) $((n * 1000 + 170)) | lsm-put -b
			stop_at $point:1 lsm-flush
			ended
		done
	done
	run lsm-scan -p after -c
	assert_output $n
	nothing_left
	run lsm-scan -p after -c
	assert_output $n
	run lsm-scan -c
	assert_output $((6 * 7 * 171 + n + 5))
}

@test "signals leave no temporary file of a table, whatever the program is doing" {
	local signal
	lsm-put a 1
	for signal in TERM INT HUP PIPE QUIT XCPU ALRM USR1 USR2; do
		mkfifo rows
		# A shell makes its background jobs ignore SIGINT and SIGQUIT; env undoes that.
		env --default-signal sst-build -o table.sst <rows >/dev/null 2>&1 3>&- &
		building=$!
		exec 8>rows
		printf 'a\t1\n' >&8
		wait_for test -e table.sst.tmp
		kill -$signal $building
		wait $building && fail "$signal: exit 0"
		exec 8>&-
		rm rows
		assert_not_exist table.sst
		assert_not_exist table.sst.tmp
	done
}

# ---- readers beside sweeps

# One that is just being written is not, but will be.
table_is_whole() {
	[ ! -e "$1" ] || sst-dump -k "$1" >/dev/null 2>&1
}

@test "readers beside flushes that sweep away files and memory under them never miss one" {
	small_memtables
	pairs 1 300 | lsm-put -b
	(for i in $(seq 1 12); do
		pairs $((i * 1000)) $((i * 1000 + 250)) | lsm-put -b && lsm-flush || exit 1
	done) 3>&- &
	writing=$!
	lsm-scan >slow.out 2>slow.err 3>&- &
	# one that is in the middle of its output all the while
	{ lsm-scan -k || echo failed >slow.failed; } 3>&- | { read -r first; wait_for test ! -d /proc/$writing; echo "$first"; cat; } >slow.keys 3>&- &
	while kill -0 $writing 2>/dev/null; do
		lsm-get -q k7 || fail "get: exit $?"
		[ "$(lsm-scan -c -p k2)" -ge 111 ] || fail "scan: $(lsm-scan -c -p k2)"
		lsm-stat >/dev/null || fail "stat: exit $?"
		lsm-check -q || fail "check: exit $?"
		for table in "$LSM_DB"/*.sst; do
			table_is_whole "$table" || wait_for table_is_whole "$table"
		done
	done
	wait $writing
	wait
	assert_not_exist slow.failed
	[ "$(grep -c . slow.keys)" -ge 300 ] || fail "a slow scan saw $(grep -c . slow.keys)"
	sort -c slow.keys
	run lsm-scan -c
	assert_output $((300 + 12 * 251))
}

# ---- flushes at once

@test "cron overlaps: five lsm-flush --if-age at once, beside writers, over and over" {
	small_memtables
	local i j
	for i in 1 2; do
		pairs $((i * 10000)) $((i * 10000 + 1500)) | lsm-put -b 3>&- &
	done
	for j in 1 2 3; do
		lsm-put "old$j" 1
		sleep 1.1
		for i in 1 2 3 4 5; do
			{ lsm-flush --print --if-age 1 -t 60 >>flushed || echo "exit $?" >>flush.failed; } 3>&- &
		done
	done
	wait
	assert_not_exist flush.failed
	[ "$(wc -l <flushed)" -ge 3 ] || fail "flushed $(cat flushed)"
	assert_equal "$(sort flushed | uniq -d)" ''
	run lsm-scan -c
	assert_output 3005
	nothing_left
	run lsm-scan -c
	assert_output 3005
}

# ---- process numbers

@test "the same process number again and again: the dead are told from the living" {
	testing_build
	unshare -p -f true 2>/dev/null || skip 'no PID namespaces here'
	local i
	for i in 1 2 3; do
		# Process 2 of a container dies with the lock held; the next container's process 2 comes at once.
		run timeout 20 unshare -p -f sh -c 'LSM_KILL=put-appended:1 "$0"/lsm-put "$1" 1; true' "$TESTING" "dead$i"
		run -0 timeout 20 unshare -p -f sh -c 'lsm-put -t 10 "$0" 2; exit $?' "next$i"
	done
	run lsm-scan -k
	assert_output "$(printf 'dead%d\n' 1 2 3; printf 'next%d\n' 1 2 3)"
	# Process 2 of one container is stopped with the lock held; process 2 of another must not take itself for it.
	unshare -p -f --kill-child sh -c 'LSM_STOP=put-appended:1 "$0"/lsm-put held 1; true' "$TESTING" 3>&- &
	outer=$!
	held() { inner=$(pgrep -f "lsm-put held 1" | while read -r p; do ! is_stopped "$p" || echo "$p"; done) && [ -n "$inner" ]; }
	wait_for held
	run -75 timeout 20 unshare -p -f sh -c 'lsm-put -t 0.3 other 2; exit $?'
	kill -CONT $inner
	wait $outer
	run -0 timeout 20 lsm-put -t 10 other 2
	assert_equal "$(lsm-get held)$(lsm-get other)" 12
}

flushers() {
	pgrep -f "lsm-flush .*--db=$LSM_DB"
}

no_flusher() {
	! flushers
}

@test "a memtable that is frozen while another is flushed: nobody is started for it, and that flush takes it too" {
	testing_build
	small_memtables
	local large flusher
	large=$(printf '%070000d' 0)
	lsm-put first "$large"
	LSM_STOP=flush-swept:1 "$TESTING/lsm-put" second "$large" # freezes the first, and starts who is to flush it
	wait_for flushers
	flusher=$(flushers)
	wait_for is_stopped "$flusher"
	mkdir beside # a flush that is started from here leaves a trace
	cp "$BIN/lsm-put" beside
	printf '#!/bin/sh\necho "$@" >%q\n' "$PWD/started" >beside/lsm-flush
	chmod +x beside/lsm-flush
	beside/lsm-put third "$large"
	assert_regex "$(lsm-stat -j)" '"frozen_memtables":1,'
	sleep 0.3
	assert_not_exist started
	kill -CONT "$flusher"
	wait_for no_flusher
	assert_regex "$(lsm-stat -j)" '"frozen_memtables":0,'
	assert_equal "$(find "$LSM_DB" -name '*.sst' | wc -l)" 2
}

# ---- memory that is cut short

# Every way to cut a segment, of those that are mapped: cut_each COMMAND runs it as COMMAND WHICH SIZE.
segments_of() {
	ls /dev/shm/lsm."$(token)".*
}

@test "shared memory cut short under a living writer that waits: its next put rebuilds it and goes on" {
	local size kind segment
	for size in 0 4096 70000; do
		for kind in c 'm*'; do
			stay
			for segment in /dev/shm/lsm."$(token)".$kind; do
				truncate -s $size "$segment"
			done
			sleep 0.05
			printf 'stay\t1\nmore-%s-%s\t2\n' "$size" "${kind::1}" >&9
			stay_end || fail "$kind cut to $size: exit $?: $(cat feed.err)"
			assert_equal "$(lsm-get stay)$(lsm-get "more-$size-${kind::1}")" 12
		done
	done
	run lsm-scan -c
	assert_output 7
	nothing_left
}

@test "shared memory cut short in the middle of a command: a message and 75, nothing acknowledged is lost, the next one works" {
	testing_build
	local size kind point n=0
	pairs 1 60 | lsm-put -b
	for kind in c 'm*'; do
		for size in 0 4096; do
			for point in put-locked put-appended memtable-run put-linked put-visible; do
				n=$((n + 1))
				lsm-put "acked$n" 1
				stop_at $point:1 lsm-put "cut$n" 2
				for segment in /dev/shm/lsm."$(token)".$kind; do
					truncate -s $size "$segment"
				done
				status=0
				go_on || status=$?
				# It may have been through with that part.
				[ $status = 0 ] || [ $status = 75 ] || [ $status = 4 ] ||
					fail "$kind cut to $size at $point: exit $status: $(cat stopped.err)"
				[ $status = 0 ] || [ -s stopped.err ] || fail 'no message'
				[ $status != 0 ] || lsm-get -q "cut$n" || fail "$kind cut to $size at $point: exit 0, and lost"
				run -0 timeout 20 lsm-get "acked$n"
				assert_output 1
			done
		done
	done
	run lsm-scan -p acked -c
	assert_output $n
	run lsm-scan -p k -c
	assert_output 60
	nothing_left
}

@test "the message for memory that is cut short in use" {
	testing_build
	pairs 1 60 | lsm-put -b
	local kind
	for kind in c m1; do
		stop_at put-locked:1 lsm-put "cut $kind" 2
		truncate -s 0 /dev/shm/lsm."$(token)".$kind
		status=0
		go_on || status=$?
		assert_equal $status 75
		assert_regex "$(cat stopped.err)" \
			'^lsm-put: .*the shared memory was cut short while in use \(nothing acknowledged is lost\): try again$'
		lsm-put "next $kind" 1
	done
	run lsm-scan -p k -c
	assert_output 60
}

@test "a memtable that was cut and grew again is full of zeros, which are not an empty memtable" {
	local size full program
	pairs 1 500 | lsm-put -b
	for size in 0 4096 8192 40000; do
		for program in 'lsm-get -q k250' 'lsm-scan' 'lsm-put k250 1' 'lsm-flush' 'lsm-stat'; do
			full=$(stat -c %s /dev/shm/lsm."$(token)".m* | tail -n 1)
			truncate -s $size /dev/shm/lsm."$(token)".m*
			truncate -s "$full" /dev/shm/lsm."$(token)".m*
			# shellcheck disable=SC2086
			run timeout 20 $program
			[ "$status" != 1 ] || fail "cut to $size, $program: 'not found'"
			run timeout 20 lsm-scan -c # the first to meet the damage may only say so
			[ "$status" = 0 ] || run timeout 20 lsm-scan -c
			assert_output 500
		done
		pairs 1 500 | lsm-put -b
	done
}

# ---- clocks

@test "the wall clock decides nothing: it is read in one place, for the age of a log that is found" {
	run grep -rnE '\b(clock_real_ns|CLOCK_REALTIME|gettimeofday|time\(NULL\))' "$ROOT/lib" "$ROOT/bin" --include='*.c'
	refute_line --regexp -v '/(lib/os/event\.c|lib/db/replay\.c):'
	[ "$(grep -rlE 'clock_real_ns\(' "$ROOT/lib" --include='*.c' | sort | tr '\n' ' ')" = \
		"$ROOT/lib/db/replay.c $ROOT/lib/os/event.c " ]
}

@test "processes whose clocks are years apart share a store: order, time-outs and ages hold" {
	testing_build
	unshare --time --monotonic 100000000 --boottime 100000000 true 2>/dev/null || skip 'no time namespaces here'
	later() {
		unshare --time --fork --monotonic 100000000 --boottime 100000000 "$@"
	}
	lsm-put a 1
	later lsm-put a 2
	run lsm-get a
	assert_output 2
	lsm-put a 3
	run later lsm-get a
	assert_output 3
	# made by one whose clock is ahead: for us its first record is of the future
	later lsm-flush
	later lsm-put b 1
	run -0 lsm-stat
	assert_output --partial 'oldest 0 ms'
	run -0 lsm-flush --if-age 1h
	run lsm-scan
	assert_output "$(printf 'a\t3\nb\t1')"
	stop_at put-locked:1 lsm-put c 1
	run -75 timeout 20 unshare --time --fork --monotonic 100000000 --boottime 100000000 lsm-put -t 0.3 d 1
	go_on
	run later lsm-scan -k
	assert_output "$(printf 'a\nb\nc')"
	nothing_left
}

# ---- layouts

@test "shared memory of another layout is not touched but made anew; while it is in use, the other kind waits" {
	need python3
	lsm-put a 1
	old=$(token)
	other_layout() {
		python3 - "$LSM_DB/LOCK" "/dev/shm/lsm.$old.c" "$1" <<-'PYTHON'
			import sys
			lock, control, what = sys.argv[1:]
			def crc32c(data):
			    crc = 0xffffffff
			    for byte in data:
			        crc ^= byte
			        for _ in range(8):
			            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
			    return crc ^ 0xffffffff
			if what in ('both', 'control'):
			    with open(control, 'r+b') as f:
			        f.seek(8)
			        layout = int.from_bytes(f.read(4), 'little')
			        f.seek(8)
			        f.write((layout + 1).to_bytes(4, 'little'))
			if what in ('both', 'lock'):
			    with open(lock, 'r+b') as f:
			        b = bytearray(f.read(128))
			        b[8:12] = (int.from_bytes(b[8:12], 'little') + 1).to_bytes(4, 'little')
			        crc = crc32c(b[:124])
			        b[124:128] = (((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff).to_bytes(4, 'little')
			        f.seek(0)
			        f.write(b)
		PYTHON
	}
	local what n=1
	for what in both control lock; do
		stay_at_work
		old=$(token)
		other_layout $what
		run --separate-stderr timeout 20 lsm-put -t 0.3 b 2
		assert_equal "$status" 75
		stay_end
		run -0 timeout 20 lsm-put "after-$what" 1
		refute [ "$(token)" = "$old" ]
		assert_not_exist "/dev/shm/lsm.$old.c"
		n=$((n + 1))
		run lsm-scan -c
		assert_output $((n + 1))
	done
}

# ---- older files beside live memory

@test "an older or another log in the place of the living one, the same inode: the directory is right, the memory is not" {
	lsm-put a 1
	cp "$LSM_DB"/*.log short.log
	lsm-put b 2
	lsm-put c 3
	cp "$LSM_DB"/*.log long.log
	cat short.log >"$(echo "$LSM_DB"/*.log)"
	run lsm-scan -k
	assert_output a
	lsm-put d 4
	# longer than what the memory knows, and of another history
	cat long.log >"$(echo "$LSM_DB"/*.log)"
	run lsm-scan -k
	assert_output "$(printf 'a\nb\nc')"
	lsm-put e 5
	forget_memory
	run lsm-scan -k
	assert_output "$(printf 'a\nb\nc\ne')"
}

@test "an older MANIFEST and the logs of its time put back in place beside live memory" {
	lsm-put a 1
	lsm-flush
	lsm-put b 2
	cp -a "$LSM_DB" backup
	lsm-flush
	lsm-put c 3
	for file in backup/MANIFEST-* backup/CURRENT; do
		cat "$file" >"$LSM_DB/${file##*/}"
	done
	cp backup/*.log "$LSM_DB/"
	run lsm-scan -k
	assert_output --partial "$(printf 'a\nb')"
	run lsm-put d 4
	assert_success
	run lsm-get d
	assert_output 4
}
