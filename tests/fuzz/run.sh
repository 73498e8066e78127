#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: tests/fuzz/run.sh BUILD SECONDS NAME...
# Runs each libFuzzer program BUILD/libfuzzer/NAME for SECONDS. What it finds new is kept in BUILD/corpus/NAME;
# an input that crashes it is left in BUILD/crashes/NAME-*, and belongs into tests/fuzz/corpus/ with its fix.
set -u

build=$1 seconds=$2
shift 2
status=0
mkdir -p "$build/crashes"
for name; do
	seeds=tests/fuzz/corpus/${name#fuzz_}
	kept=$build/corpus/$name
	mkdir -p "$kept"
	dict=tests/fuzz/${name#fuzz_}.dict
	set -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
		-artifact_prefix="$build/crashes/$name-"
	[ ! -f "$dict" ] || set -- "$@" -dict="$dict"
	log=$build/$name.log
	if "$build/libfuzzer/$name" "$@" "$kept" "$seeds" >"$log" 2>&1; then
		echo "$name: $(sed -n 's/^stat::number_of_executed_units: */inputs tried: /p' "$log")"
	else
		status=1
		tail -n 40 "$log"
		echo "$name: FAILED, see $log" >&2
	fi
done
exit "$status"
