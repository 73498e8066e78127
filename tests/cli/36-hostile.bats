#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Tables and stores made to hurt (tests/hostile.py), every checksum right: each program ends within 10 seconds of
# processor time and 512 MiB, with an answer or with exit 3 or 4 and a message; never by a signal.

load helper

setup_file() {
	cd "$BATS_FILE_TMPDIR" || return
	python3 "$BATS_TEST_DIRNAME/../hostile.py" --list | grep -v tebibyte >list
	while IFS=$'\t' read -r name kind; do
		mkdir -p "$kind"
		python3 "$BATS_TEST_DIRNAME/../hostile.py" "$name" "$kind/$name"
	done <list
}

# bounded COMMAND...: sets status. Under sanitizers addresses are not counted.
bounded() {
	status=0
	(
		ulimit -t 10
		[ -n "${SAN-}" ] || ulimit -v $((512 << 10))
		exec "$@" >out 2>err
	) || status=$?
	case $status in
	0 | 1) [ ! -s err ] || fail "$*: exit $status, but: $(cat err)" ;;
	3 | 4) [ -s err ] || [ -s out ] || fail "$*: exit $status without a word" ;;
	*) fail "$*: exit $status: $(head -c 500 err)" ;;
	esac
}

# What is odd, but consistent. sst-check must not call the others sound.
sound=range-deletions-in-each-other

@test "hostile tables: sst-check, sst-dump, sst-get: bounded, and damage is told" {
	local t found=0
	for t in "$BATS_FILE_TMPDIR"/table/*; do
		bounded sst-check "$t"
		grep -qw -- "${t##*/}" <<<"$sound" || [ "$status" -ge 3 ] || fail "sst-check calls ${t##*/} sound"
		bounded sst-dump "$t"
		bounded sst-dump --index "$t"
		bounded sst-dump --blocks "$t"
		bounded sst-dump --skip-bad "$t"
		bounded sst-get k000001 "$t"
		found=$((found + 1))
	done
	[ $found -ge 28 ]
}

@test "hostile stores: lsm-check, lsm-scan, lsm-get: bounded, and exits tell the truth" {
	local s found=0 checked
	for s in "$BATS_FILE_TMPDIR"/store/*; do
		bounded lsm-check -d "$s"
		checked=$status
		bounded lsm-scan -d "$s"
		[ "$checked" -ne 0 ] || [ "$status" -eq 0 ] || fail "lsm-scan fails on $s, which lsm-check calls sound"
		bounded lsm-get -d "$s" k000001
		found=$((found + 1))
	done
	[ $found -ge 15 ]
}

@test "hostile tables: sst-merge: bounded, and no half table" {
	local t
	for t in "$BATS_FILE_TMPDIR"/table/*; do
		rm -f merged.sst
		bounded sst-merge -o merged.sst "$t"
		[ "$status" -eq 0 ] || assert_file_not_exist merged.sst
	done
}

@test "files of a tebibyte without contents: tables, CURRENT, settings" {
	local name
	for name in current table settings lock; do
		python3 "$ROOT/tests/hostile.py" $name-of-a-tebibyte $name
		bounded lsm-check -d $name
		bounded lsm-scan -d $name
		bounded lsm-get -d $name k
	done
}
