#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Tables and stores made to hurt (tests/hostile.py), every checksum right: each program ends within 10 seconds of
# processor time and 512 MiB, with an answer or with exit 3 or 4 and a message; never by a signal.

load helper

setup_file() {
	python3 "$BATS_TEST_DIRNAME/../hostile.py" --all "$BATS_FILE_TMPDIR"
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

@test "hostile stores: every missing table is told, whichever column family's, and soon" {
	bounded lsm-check -d "$BATS_FILE_TMPDIR/store/manifest-with-10000-tables-in-two-families"
	assert_equal "$status" 4
	assert_equal "$(grep -c 'is missing, the MANIFEST has it at level 6' out)" 10000
}

@test "hostile tables: sst-merge: bounded, and no half table" {
	local t
	for t in "$BATS_FILE_TMPDIR"/table/*; do
		rm -f merged.sst
		bounded sst-merge -o merged.sst "$t"
		[ "$status" -eq 0 ] || assert_file_not_exist merged.sst
	done
}

# Exits of lsm-check, lsm-scan, lsm-put.
tebibytes() {
	cat <<-EOF
		current-of-a-tebibyte 4 4 4
		settings-of-a-tebibyte 4 4 4
		options-of-a-tebibyte 0 0 0
		lock-of-a-tebibyte 0 0 0
		table-of-a-tebibyte 4 4 0
		manifest-of-a-tebibyte 4 4 4
		manifest-before-a-tebibyte 0 0 0
		manifest-cut-before-a-tebibyte 0 0 0
		manifest-around-a-tebibyte 4 4 4
		log-of-a-tebibyte 0 0 0
		log-behind-of-a-tebibyte 0 0 0
		log-before-a-tebibyte 0 0 0
		log-around-a-tebibyte 4 4 4
	EOF
}

@test "stores with a file of a tebibyte without contents: answers soon, and only where it means nothing" {
	local name check scan put
	while read -r name check scan put; do
		python3 "$ROOT/tests/hostile.py" "$name" "$name"
		bounded lsm-check -d "$name"
		assert_equal "$name: $status" "$name: $check"
		bounded lsm-scan -d "$name"
		assert_equal "$name: $status" "$name: $scan"
		bounded lsm-get -d "$name" k
		bounded lsm-put -d "$name" k v
		assert_equal "$name: $status" "$name: $put"
		[ "$put" -ne 0 ] || [ "$scan" -ne 0 ] || assert_equal "$(lsm-get -d "$name" k)" v
	done < <(tebibytes)
}

@test "tables of a tebibyte without contents" {
	local name
	python3 "$ROOT/tests/hostile.py" --list | grep tebibyte.table | cut -f1 >names
	[ "$(wc -l <names)" -eq 5 ]
	while read -r name; do
		python3 "$ROOT/tests/hostile.py" "$name" "$name"
		bounded sst-check "$name"
		[ "$status" -ge 3 ] || fail "sst-check calls $name sound"
		bounded sst-dump "$name"
		bounded sst-dump --skip-bad "$name"
		bounded sst-dump --blocks "$name"
		bounded sst-get k000001 "$name"
		bounded sst-merge -o merged.sst --skip-bad "$name"
	done <names
}
