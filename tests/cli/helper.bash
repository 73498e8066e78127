# SPDX-License-Identifier: MIT
#
# For every suite of commands: the programs under test in PATH, a store of its own for each test, and its shared memory
# gone afterwards. BIN says where the programs are; without it, BUILD or build/.

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
bats_load_library bats-file

ROOT=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
BIN=${BIN:-${BUILD:-$ROOT/build}}
PATH=$BIN:$PATH

setup() {
	cd "$BATS_TEST_TMPDIR" || exit
	export LSM_DB=$BATS_TEST_TMPDIR/store
	unset POSIXLY_CORRECT
}

teardown() {
	forget_memory
	[ -z "${outside-}" ] || rm -rf "$outside"
}

# A directory that other users can reach, in $outside; it goes with the test.
make_outside() {
	outside=$(mktemp -d)
	chmod 755 "$outside"
}

# token [STORE]: what its segments in /dev/shm are named by.
token() {
	od -An -v -tx1 -j16 -N16 "${1:-$LSM_DB}/LOCK" | tr -d ' \n'
}

# A writer that stays, with these options: what is echoed to descriptor 9 is put. stay_end closes it and gives its exit
# status. One that is idle gives the store up after a second: one that stays at work does not.
stay() {
	rm -f feed
	mkfifo feed
	lsm-put "$@" -b <feed 2>feed.err 3>&- &
	writer=$!
	exec 9>feed
	printf 'stay\t0\n' >&9
	wait_for lsm-get -q stay
}

stay_at_work() {
	stay
	kill -STOP $writer
}

stay_end() {
	exec 9>&-
	kill -CONT $writer 2>/dev/null || : # it may have ended
	wait $writer
}

# Removes the shared memory of every store in the test's directories: what a reboot does to it.
forget_memory() {
	local lock
	for lock in "$BATS_TEST_TMPDIR"/*/LOCK ${outside:+"$outside"/*/LOCK}; do
		[ ! -f "$lock" ] || rm -f /dev/shm/lsm."$(token "${lock%/LOCK}")".*
	done
}

need() {
	command -v "$1" >/dev/null || skip "no $1 here"
}

# The programs that are built.
programs() {
	local path
	for path in "$BIN"/lsm-* "$BIN"/sst-*; do
		[ ! -x "$path" ] || [ -d "$path" ] || echo "${path##*/}"
	done
}

# wait_for COMMAND...: until it succeeds, at most ten seconds.
wait_for() {
	local i
	for ((i = 0; i < 200; i++)); do
		! "$@" >/dev/null 2>&1 || return 0
		sleep 0.05
	done
	fail "waited in vain for: $*"
}

# Every byte value, with the ones that shells and formats trip over side by side.
every_byte() {
	# shellcheck disable=SC2059
	printf "$(printf '\\x%02x' {0..255})"
	printf '\t\n\\\r\0\0"->\xc2\x85\xe2\x82\xac\xed\xa0\x80\xff'
}
