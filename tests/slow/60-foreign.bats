#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Stores of RocksDB and LevelDB: what our programs read of them is what their own iterators say.

load ../cli/helper

@test "lsm-scan and lsm-get: the corpus" {
	[ -f "${LSM_CORPUS:-}/check_corpus.py" ] || skip "no corpus at LSM_CORPUS"
	run python3 "$LSM_CORPUS/check_corpus.py" --bindir "$BIN" --tools lsm-scan,lsm-get --json results
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $(grep -c '"result": "ok"' results) -gt 0 ]]
	refute grep '"result": "REFUSED"' results # sound, and of a kind that must be read
}

# FOREIGN_SEED and FOREIGN_COUNT choose others.
@test "stores that RocksDB made by options and operations at random" {
	[ -x "$BIN/oracle/foreign-make" ] || skip "no RocksDB headers here"
	python3 "$ROOT/tests/oracle/foreign_check.py" "$BIN" "${FOREIGN_SEED:-1000}" "${FOREIGN_COUNT:-80}" "$PWD"
}

@test "stores that LevelDB made at random" {
	[ -x "$BIN/leveldb/foreign-make-leveldb" ] || skip "no LevelDB headers here"
	python3 "$ROOT/tests/oracle/foreign_check.py" "$BIN" "${FOREIGN_SEED:-1000}" 40 "$PWD" leveldb/foreign-make-leveldb
}

# One scan of a store that foreign-writer is at: an instant, or exit 75. Sets n.
check_instant() {
	local status=0 sum
	lsm-scan -x -u 67 -d live >instant 2>err || status=$?
	if [ $status -eq 75 ]; then
		assert [ -s err ]
		busy=$((busy + 1))
		return
	fi
	assert_equal "$status $(cat err)" "0 "
	[ -s instant ] || return 0 # before the first batch
	assert_equal "$(wc -l <instant)" 100
	cut -f2 instant | sed 's/20.*//' | sort -u >values
	assert_equal "$(wc -l <values)" 1
	scans=$((scans + 1))
}

check_merge() {
	local status=0 before after
	lsm-scan -x -d live >instant 2>err || status=$?
	[ $status -ne 75 ] || return 0
	assert_equal "$status $(cat err)" "0 "
	[ -s instant ] || return 0
	sum=$(awk -F'\t' '$1 == "73756d" { print $2 }' instant)
	value=$(awk -F'\t' '$1 == "303030" { print $2 }' instant | sed 's/20.*//; s/3\(.\)/\1/g')
	assert_equal "$(printf '%016x' "$value" | fold -w2 | tac | tr -d '\n')" "$sum"
}

@test "a store that RocksDB rewrites at full speed: every scan is one instant, or exit 75" {
	[ -x "$BIN/oracle/foreign-writer" ] || skip "no RocksDB headers here"
	local busy=0 scans=0 writer
	"$BIN/oracle/foreign-writer" live "${FOREIGN_SECONDS:-20}" >last &
	writer=$!
	wait_for test -f live/CURRENT
	while kill -0 $writer 2>/dev/null; do
		check_instant
		check_merge
	done
	wait $writer
	echo "# $scans scans, $busy times busy, $(cat last) batches" >&3
	((scans >= 5)) || fail "only $scans scans"
	check_instant
	run -0 lsm-get -x -d live 73756d
	assert_output "$(printf '%016x' "$(cat last)" | fold -w2 | tac | tr -d '\n')"
}
