#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Many processes, one command each: what every shell script does to a store.

load ../cli/helper

SHELLS=20
EACH=1000

# What one of the shells does: EACH commands, and what was wrong with them. `turn` is a key that all of them write.
one_shell() {
	local p=$1 i
	for ((i = 0; i < EACH; i++)); do
		case $((i % 4)) in
		0) lsm-put turn "$p $i" || echo "put turn: $?" ;;
		1) lsm-put "last-$p" "$i" || echo "put last-$p: $?" ;;
		*) lsm-put "own-$p-$i" "$p $i" || echo "put own-$p-$i: $?" ;;
		esac
		[ $((i % 40)) != 1 ] || [ "$(lsm-get "last-$p")" = "$i" ] || echo "last-$p went back behind $i"
	done
}

# One shell's writes of `turn` must be seen in their order.
watch_turns() {
	local p i
	local -A seen
	while [ ! -e over ]; do
		read -r p i <<<"$(lsm-get turn)"
		[ "$i" -ge "${seen[$p]:-0}" ] || echo "turn went back: $p $i after ${seen[$p]}"
		seen[$p]=$i
	done
}

expected() {
	local p i
	for ((p = 1; p <= SHELLS; p++)); do
		printf 'last-%d\t%d\n' "$p" "$((EACH - 3))"
		for ((i = 0; i < EACH; i++)); do
			[ $((i % 4)) -lt 2 ] || printf 'own-%d-%d\t%d %d\n' "$p" "$i" "$p" "$i"
		done
	done | LC_ALL=C sort
}

life() { # life CONFIG
	local p pids=()
	mkdir "$LSM_DB"
	printf '%s\n' "$@" >"$LSM_DB/lsm.conf"
	lsm-put turn '0 0'
	watch_turns >watched &
	local watcher=$!
	for ((p = 1; p <= SHELLS; p++)); do
		one_shell "$p" >wrong.$p 2>&1 &
		pids+=($!)
	done
	wait "${pids[@]}"
	touch over
	wait $watcher
	cat watched wrong.* >wrong
	[ ! -s wrong ] || fail "$(head wrong)"
	expected >expected
	lsm-scan >found
	grep -v '^turn	' found | cmp - expected
	[[ $(grep '^turn	' found) = *\ $((EACH - 4)) ]] || fail "the last turn is $(grep '^turn	' found)"
	forget_memory
	lsm-scan | cmp - found
}

@test "20 shells, 1,000 one-shot puts each: none lost, the order of one key kept" {
	life
}

@test "the same with a memtable of 64 KiB: flushed again and again under way" {
	EACH=400
	life 'write_buffer_size = 64K'
	[ "$(find "$LSM_DB" -name '*.sst' | wc -l)" -gt 2 ]
}
