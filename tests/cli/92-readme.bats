#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The tour of README.md does what it shows, word for word.

load helper

@test "README: every command of the first five minutes prints what it says" {
	# On a terminal, as the reader will be: lsm-get ends its line there.
	script -qec true /dev/null >/dev/null 2>&1 </dev/null || skip "no terminal to be had here"
	unset LSM_DB
	head -c 100000 /dev/urandom >cat.jpg
	sed -n '/^```console$/,/^```$/p' "$BATS_TEST_DIRNAME/../../README.md" | grep -v '^```' >tour
	[ "$(grep -c '^\$ ' tour)" -ge 8 ]
	# The commands as one script that repeats each before it runs.
	sed -n 's/^\$ //p' tour | while IFS= read -r command; do
		printf 'printf "$ %%s\\n" %q\n%s\n' "$command" "$command"
	done >commands
	HOME=$BATS_TEST_TMPDIR script -qec 'bash commands' /dev/null </dev/null | tr -d '\r' >got
	run diff tour got
	assert_output ''
}
