#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Power cuts, errors of the system and kills, in full. SEED=N chooses others.

load ../cli/helper

setup_file() {
	export SEED=${SEED:-1}
}

testing() {
	TESTING=$BIN/testing
	[ -x "$TESTING/lsm-put" ] || skip "no test build here (make testing)"
	need python3
}

@test "power cuts: thousands of states that a disk may hold" {
	testing
	run python3 "$ROOT/tests/stress/crash_states.py" "$TESTING" --states 1000 --seed "$SEED" --keep "$BATS_TEST_TMPDIR/kept"
	assert_success
	assert_line --regexp '^[0-9]+ states, 0 failed$'
}

@test "power cuts of a mounted disk, under the programs as they are shipped" {
	need python3
	run python3 "$ROOT/tests/stress/cut_disk.py" "$BIN" --cuts 1000 --seconds 300 --seed "$SEED" --keep "$BATS_TEST_TMPDIR/kept"
	[ "$status" -ne 77 ] || skip "$output"
	assert_success
	assert_line --regexp '^[0-9]+ cuts, 0 failed$'
}

@test "errors of the system: every call, once and for good; limits; no room; no output" {
	testing
	run python3 "$ROOT/tests/stress/errors.py" "$TESTING"
	assert_success
	assert_line --regexp '^[0-9]+ faults, 0 failed$'
}

@test "kills: every kill point" {
	testing
	run python3 "$ROOT/tests/stress/kill_points.py" "$TESTING"
	assert_success
	assert_line --regexp '^[0-9]+ passed, 0 failed$'
}

@test "kills from outside: every call of the kernel" {
	testing
	[[ ${SAN-} != *thread* ]] || skip "ThreadSanitizer does not go with ptrace"
	run python3 "$ROOT/tests/stress/syscalls.py" "$BIN" --seed "$SEED" --root /dev/shm
	assert_success
	assert_line --regexp '^[0-9]+ kills, 0 failed$'
}

@test "a storm: writers, flushers and readers killed at random, their shared memory kept or removed" {
	run "$BIN/stress/storm" "$LSM_DB" 60 "$SEED"
	echo "$output"
	assert_success
}
