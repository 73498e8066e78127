#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Linearizability: a minute of histories of 8 to 16 processes on one store, without kills and with. A history that is wrong
# stays in the test's directory (bats --no-tempdir-cleanup), and its seed is told.

load ../cli/helper

setup_file() {
	export SEED=${SEED:-1} SECONDS_EACH=${SECONDS_EACH:-20}
}

# histories BINARY OPTION...: of 8, 12 and 16 processes
histories() {
	local p
	for p in 8 12 16; do
		mkdir -p h
		"$@" -p $p -s "$SEED" h "$SECONDS_EACH" >history 2>recorder || fail "$(cat recorder)"
		cat recorder
		run "$BIN/stress/check_history" history
		echo "$output"
		assert_success
		assert_line linearizable
	done
}

@test "linearizable: puts, deletes, batches, gets and scans of 8 to 16 processes beside flushes" {
	histories "$BIN/stress/history"
}

@test "linearizable: the same, with kills and without their shared memory" {
	histories "$BIN/stress/history" -k
}

@test "linearizable: the same, killed at kill points" {
	[ -x "$BIN/testing/stress/history" ] || skip "no test build here (make testing-history)"
	[[ ${SAN-} != *thread* ]] || skip "ThreadSanitizer does not go with replaced functions"
	histories "$BIN/testing/stress/history" -k
}
