#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Linearizability: recorded histories of many processes on one store are judged; and the judges are judged, by histories
# that are wrong. (The long runs are in tests/slow/51-history.bats.)

load helper

setup_file() {
	export SEED=${SEED:-$RANDOM}
}

judge() {
	"$BIN/stress/check_history" <<<"$1
end"
}

# sound HISTORY
sound() {
	run -0 judge "$1"
	assert_line linearizable
}

# unsound HISTORY WHAT...: both judges, or the one, say no, with these words.
unsound() {
	run -1 judge "$1"
	assert_line 'NOT linearizable'
	shift
	local what
	for what; do
		assert_line --partial "WRONG: $what"
	done
	assert_equal "$(grep -c WRONG <<<"$output")" $#
}

one_key='no order of the operations on one key explains it'

@test "judge: sound histories" {
	sound '0 10 20 1 write 1=5
1 11 19 2 write 1=6
2 12 13 0 get 1=-
2 14 30 0 get 1=5
3 31 32 0 get 1=6
0 33 34 0 refused 1=9
0 35 36 3 write 1=-
0 37 38 4 create 1=9 2=9
1 37 38 0 get 1=9
1 37 38 3 scan 1=- 2=-
1 39 40 5 scan 1=9 2=9'
}

@test "judge: of writes without an answer those have happened that were seen, or whose numbers are not another's" {
	sound '0 10 20 1 write 1=5
1 30 ~40 2 write 1=6
2 41 42 0 get 1=5
2 43 44 0 get 1=6'
	sound '0 10 20 1 write 1=5
1 30 ~40 2 write 1=6
2 41 42 2 write 1=7
2 43 44 0 get 1=7'
	sound '0 10 20 1 write 1=5
1 30 ~45 2 write 1=6
2 30 ~40 2 write 1=7
3 50 60 3 write 2=8
2 61 62 0 get 1=6'
	unsound '0 10 20 1 write 1=5
1 30 ~40 2 write 1=6
2 41 42 0 get 1=6
2 43 44 0 get 1=5' 'what it saw was not there any more, or never' "$one_key"
	unsound '0 10 20 1 write 1=5
1 30 ~40 2 write 1=6
2 41 42 2 write 1=7
2 43 44 0 get 1=6' 'what it saw was not there any more, or never'
}

@test "judge: a read of what had been overwritten" {
	unsound '0 10 20 1 write 1=5
0 30 40 2 write 1=6
1 50 60 0 get 1=5' 'what it saw was not there any more, or never' "$one_key"
}

@test "judge: reads that go backwards, while the write is under way" {
	unsound '0 10 20 1 write 1=5
0 30 90 2 write 1=6
1 40 50 0 get 1=6
2 60 70 0 get 1=5' 'what it saw was not there any more, or never' "$one_key"
}

@test "judge: a read of what was written only afterwards" {
	unsound '0 10 20 1 write 1=5
1 30 40 0 get 1=6
0 50 60 2 write 1=6' 'a write comes before what had been seen when it began' "$one_key"
}

@test "judge: a lost update" {
	unsound '0 10 20 1 write 1=5
1 30 40 0 get 1=-' 'what it saw was not there any more, or never' "$one_key"
	unsound '0 10 20 1 write 1=5
1 30 40 1 write 2=6
1 50 60 0 get 1=5' 'two writes with the same sequence number'
	unsound '0 10 20 1 write 1=5
1 30 40 3 write 1=6' "the sequence numbers before it are nobody's"
	unsound '0 10 20 2 write 1=5
1 30 40 1 write 1=6' 'a write comes before what had been seen when it began'
}

@test "judge: two puts without clobbering, both done; one refused for nothing" {
	unsound '0 10 20 1 create 1=5
1 11 19 2 create 1=6' 'a no-clobber put wrote over a value' "$one_key"
	unsound '0 10 20 1 write 2=5
1 30 40 0 refused 1=6' 'what it saw was not there any more, or never' "$one_key"
}

@test "judge: torn scans and batches" {
	local two='0 10 20 1 write 1=5 2=5
0 30 40 3 write 1=6 2=6'
	sound "$two
1 25 35 4 scan 1=6 2=6
1 25 35 2 scan 1=5 2=5"
	unsound "$two
1 25 35 4 scan 1=6 2=5" 'a scan is not the store at its sequence number'
	unsound "$two
1 25 35 3 scan 1=6 2=5" "a scan's snapshot lies within a batch"
	unsound "$two
1 25 35 9 scan 1=6 2=6" "a scan's snapshot has a sequence number that nobody wrote"
	unsound "$two
1 50 60 2 scan 1=5 2=5" 'a scan does not see what was there before it began' "$one_key"
	# both keys by themselves are in order
	unsound "$two
1 32 33 0 get 1=6
1 34 35 0 get 2=5" 'what it saw was not there any more, or never'
}

@test "judge: two scans that see two writes in different orders" {
	unsound '0 10 50 1 write 1=5
1 10 50 2 write 2=6
2 20 30 1 scan 1=5 2=-
3 20 30 1 scan 1=- 2=6' 'a scan is not the store at its sequence number'
}

@test "judge: the two judges and trying out all orders agree on small histories made at random" {
	need python3
	run -0 python3 "$ROOT/tests/stress/judge_judges.py" "$BIN/stress/check_history" 300 "$SEED"
	assert_line --regexp '^300 histories, [0-9]+ of them linearizable: agreed$'
}

# history BINARY OPTION...: a short history of eight processes, and the verdict
history() {
	mkdir h
	"$@" -p 8 -r 1500 -s "$SEED" h 1 >history 2>recorder || fail "$(cat recorder)"
	run -0 "$BIN/stress/check_history" history
	assert_line linearizable
}

@test "what eight processes do to one store at once is linearizable, each scan one point in time (seed $SEED)" {
	history "$BIN/stress/history"
}

@test "the same while they are killed and their shared memory is removed (seed $SEED)" {
	history "$BIN/stress/history" -k
}

@test "the same while they are stopped at kill points, with the locks they hold, and then killed (seed $SEED)" {
	[ -x "$BIN/testing/stress/history" ] || skip "no test build here (make testing-history)"
	[[ ${SAN-} != *thread* ]] || skip "ThreadSanitizer does not go with replaced functions"
	history "$BIN/testing/stress/history" -k
}
