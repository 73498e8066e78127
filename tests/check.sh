#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs tests and ends with the line "N passed, N failed, N skipped"; exit status 1 when anything failed or
# nothing ran. Every argument is one job:
#
#   layers           tests/layers.py: the architecture
#   NAME.bats        a bats suite
#   NAME.[1-8]       a manual page, through mandoc -Tlint
#   replay/NAME      a fuzz target, fed the files of tests/fuzz/corpus/NAME without its fuzz_
#   anything else    a program. It prints a line ending in "N tests passed" (else it counts as one test) and
#                    exits 0; lines that begin with "skipped: " count as skipped tests; any other status fails
#
# Environment: BUILD (absolute), CC, SAN, JOBS (jobs at a time), TIMEOUT (seconds for one job). What the tests see:
# BUILD also at the front of PATH. Logs stay in BUILD/check/.
set -u
cd "$(dirname "$0")/.." || exit 2

job_kind() {
	case $1 in
	layers) echo layers ;;
	*.bats) echo bats ;;
	*.[1-8]) echo page ;;
	*/replay/*) echo replay ;;
	*) echo program ;;
	esac
}

# Prints "passed failed skipped" of a job, given its kind, exit status and log.
job_count() {
	local kind=$1 status=$2 log=$3
	case $kind in
	bats)
		# A test is "ok" with or without "# skip"; what the plan promised and never came has failed.
		awk -v status="$status" '
			/^1\.\.[0-9]+/ { plan = substr($1, 4) + 0 }
			/^ok .*# skip/ { skipped++; next }
			/^ok / { passed++ }
			/^not ok / { failed++ }
			END {
				lost = plan - passed - failed - skipped
				if (lost > 0) failed += lost
				if (status != 0 && failed == 0) failed = 1
				print passed + 0, failed + 0, skipped + 0
			}' "$log" ;;
	*)
		if [ "$status" -ne 0 ]; then
			echo 0 1 0
			return
		fi
		awk '
			/^skipped: / { skipped++ }
			match($0, /[0-9]+ tests? passed$/) { n = substr($0, RSTART) + 0; found = 1; passed += n }
			END { print found ? passed : !skipped, 0, skipped + 0 }' "$log" ;;
	esac
}

job_run() {
	local kind=$1 job=$2 limit=${TIMEOUT:-600} name=${2##*/} corpus
	case $kind in
	layers) timeout -k 10 "$limit" python3 tests/layers.py --build "$BUILD" --cc "${CC:-gcc}" ;;
	bats)
		# Not BATS_TEST_TIMEOUT: its watchdog is a child of the test, which a bare "wait" there would wait for.
		if ! command -v bats >/dev/null; then
			echo "skipped: $job: no bats here"
			return
		fi
		timeout -k 10 "$limit" bats --tap --print-output-on-failure "$job" ;;
	page)
		if ! command -v mandoc >/dev/null; then
			echo "skipped: $job: no mandoc here"
			return
		fi
		mandoc -Tlint -Wwarning "$job" ;;
	replay)
		corpus=tests/fuzz/corpus/${name#fuzz_}
		timeout -k 10 "$limit" "$job" "$corpus" ;;
	program)
		# shellcheck disable=SC2086
		timeout -k 10 "$limit" ${personality:-} "$job" ;;
	esac
}

# One job: log, counts, and one line for people; the log too when it failed.
if [ "${1-}" = --job ]; then
	job=$2
	kind=$(job_kind "$job")
	name=$(printf %s "${job#"$BUILD"/}" | tr / .)
	out=$BUILD/check/$name
	begin=$SECONDS
	job_run "$kind" "$job" >"$out.log" 2>&1 </dev/null
	status=$?
	count=$(job_count "$kind" "$status" "$out.log")
	read -r passed failed skipped <<<"$count"
	line="$(printf '%-44s %4d passed' "${job#"$BUILD"/}" "$passed")"
	[ "$failed" -eq 0 ] || line+=", $failed FAILED (status $status)"
	[ "$skipped" -eq 0 ] || line+=", $skipped skipped"
	[ $((SECONDS - begin)) -lt 10 ] || line+="  ($((SECONDS - begin)) s)"
	if [ "$failed" -eq 0 ]; then
		shown=$(grep -E '^(skipped: |ok .*# skip)' "$out.log" | sed 's/^ok [0-9]* /skipped: /' | cut -c1-160)
	elif [ "$kind" = bats ]; then
		shown=$(grep -vE '^(ok |1\.\.)' "$out.log" | head -n 200)
	else
		shown=$(tail -n 100 "$out.log")
	fi
	printf '%s\n' "$line" ${shown:+"$(sed 's/^/    /' <<<"$shown")"}
	echo "$count" >"$out.count"
	exit 0
fi

if [ -z "${BUILD-}" ] || [ $# -eq 0 ]; then
	echo "usage: BUILD=DIR tests/check.sh JOB..." >&2
	exit 2
fi
export BUILD PATH="$BUILD:$PATH" LC_ALL=C.UTF-8
unset MAKEFLAGS MAKELEVEL MFLAGS LSM_DB POSIXLY_CORRECT
# ThreadSanitizer of gcc 12 cannot place its shadow when the kernel randomises addresses too widely.
case ${SAN-} in *thread*) export personality="setarch -R" ;; esac
rm -rf "$BUILD/check"
mkdir -p "$BUILD/check"

printf '%s\0' "$@" | xargs -0 -n 1 -P "${JOBS:-2}" "$0" --job

passed=0 failed=0 skipped=0
for job in "$@"; do
	count=$BUILD/check/$(printf %s "${job#"$BUILD"/}" | tr / .).count
	p=0 f=1 s=0
	[ ! -f "$count" ] || read -r p f s <"$count"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
