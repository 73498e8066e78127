#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Power cuts and errors of the system: a small number of each (the long runs are in tests/slow), and what they found.

load helper

lists() {
	[ "$(lsm-scan -c)" -ge "$1" ]
}

@test "a power cut that lost a sector of an unsynced record, and kept later ones: recovery ends, in front of it" {
	lsm-put first 1
	head -c 1500 /dev/zero | tr '\0' x | lsm-put --no-sync torn
	lsm-put --no-sync behind 2
	lsm-put --no-sync torn2 "$(head -c 1500 /dev/zero | tr '\0' y)"
	lsm-put --no-sync behind2 3
	forget_memory
	# the second sector, in "torn", and one in "torn2"
	dd if=/dev/zero of="$(echo "$LSM_DB"/*.log)" bs=512 seek=1 count=1 conv=notrunc status=none
	dd if=/dev/zero of="$(echo "$LSM_DB"/*.log)" bs=512 seek=4 count=1 conv=notrunc status=none
	run -0 timeout 20 lsm-scan
	assert_output "$(printf 'first\t1')"
	run -0 timeout 20 lsm-put again 4
	run -0 lsm-scan -k
	assert_output "$(printf 'again\nfirst')"
}

@test "a sector lost in front of an acknowledged record is damage, and told" {
	lsm-put first "$(head -c 1500 /dev/zero | tr '\0' x)"
	lsm-put second 2
	forget_memory
	dd if=/dev/zero of="$(echo "$LSM_DB"/*.log)" bs=512 seek=1 count=1 conv=notrunc status=none
	run -4 lsm-scan
	assert_output --partial "in the part that was durable"
}

@test "a copy of a store in use leaves the original its shared memory" {
	mkfifo in
	lsm-put -b <in 3>&- &
	exec 9>in
	echo "first	1" >&9
	wait_for lists 1
	cp -r "$LSM_DB" copy
	run -0 lsm-get -d copy first
	assert_output 1
	run -0 lsm-put -d copy second 2
	run -0 timeout 20 lsm-put third 3
	exec 9>&-
	wait
	run -0 lsm-scan -k
	assert_output "$(printf 'first\nthird')"
}

testing_build() {
	TESTING=$BIN/testing
	[ -x "$TESTING/lsm-put" ] || skip "no test build here (make testing)"
	[[ ${SAN-} != *thread* ]] || skip "ThreadSanitizer does not go with replaced functions"
}

@test "a flush that dies between CURRENT and its publication, while a long-lived writer is attached" {
	testing_build
	mkdir "$LSM_DB" && echo 'write_buffer_size = 64K' >"$LSM_DB/lsm.conf"
	mkfifo in
	lsm-put -b <in 3>&- &
	exec 9>in
	echo "first	1" >&9
	wait_for lists 1
	LSM_FAIL=fdatasync@MANIFEST:1 run -3 "$TESTING/lsm-flush"
	LSM_KILL=manifest-current:1 run -137 "$TESTING/lsm-flush"
	run -0 timeout 20 lsm-get first
	assert_output 1
	run -0 timeout 20 lsm-put second 2
	seq 1000 1400 | sed 's/.*/k&\t&'"$(printf '%0500d' 0)/" >&9
	exec 9>&-
	wait
	run -0 lsm-scan -c
	assert_output 403
	lsm-flush
	run -0 lsm-scan -c
	assert_output 403
	forget_memory
	run -0 lsm-scan -c
	assert_output 403
}

@test "a sync of the directory that fails as the memory is rebuilt leaves no log whose name is lost" {
	testing_build
	LSM_FAIL=dirsync:4 run -3 "$TESTING/lsm-put" first 1
	assert_exists "$LSM_DB/CURRENT"
	run -0 find "$LSM_DB" -name '*.log'
	assert_output ""
	run -0 lsm-put second 2
	run -0 lsm-scan -k
	assert_output second
}

@test "when the kernel does not say whether the owner of a lock lives, nobody waits for it for ever" {
	testing_build
	local point
	for point in put-appended sync-leader; do
		lsm-put first 1
		LSM_KILL=$point:1 run -137 "$TESTING/lsm-put" "at-$point" 2
		# The first two locks are those of a process that attaches; the third call looks at the dead owner's.
		LSM_FAIL=lock:3:EIO:sticky run -3 timeout 20 "$TESTING/lsm-put" third 3
		assert_output --partial "cannot examine the locks of 'LOCK'"
		run -0 timeout 20 lsm-put fourth 4
		run -0 lsm-get "at-$point"
	done
}

@test "power cuts: some of the states that a disk may hold" {
	testing_build
	need python3
	run python3 "$ROOT/tests/stress/crash_states.py" "$TESTING" --states 40 --seconds 25 --keep "$BATS_TEST_TMPDIR/kept"
	assert_success
	assert_line --regexp '^[0-9]+ states, 0 failed$'
}

@test "errors of the system: some of the calls" {
	testing_build
	need python3
	run python3 "$ROOT/tests/stress/errors.py" "$TESTING" --every 20 --seconds 25 --root /dev/shm
	assert_success
	assert_line --regexp '^[0-9]+ faults, 0 failed$'
}

@test "kill points: those of a put" {
	testing_build
	need python3
	run python3 "$ROOT/tests/stress/kill_points.py" "$TESTING" --only put
	assert_success
	assert_line "1 passed, 0 failed"
}

@test "power cuts of a mounted disk, under the programs as they are shipped" {
	need python3
	run timeout 60 python3 "$ROOT/tests/stress/cut_disk.py" "$BIN" --cuts 14 --seconds 10 --states 2 --keep "$BATS_TEST_TMPDIR/kept"
	[ "$status" -ne 77 ] || skip "$output"
	assert_success
	assert_line --regexp '^[0-9]+ cuts, 0 failed$'
}
