#!/bin/bash
# SPDX-License-Identifier: MIT
#
# usage: tests/coverage.sh BUILD
# Sums up what gcov says of lib/ and bin/: one line per file, least covered first, and the lines never run in
# BUILD/coverage/*.gcov.
set -eu
build=$(realpath "$1")
cd "$(dirname "$0")/.."
rm -rf "$build/coverage"
mkdir -p "$build/coverage"
root=$PWD
cd "$build/coverage"
# Where one source went into several objects (libsst.a and libsst.so), the one the tests ran is in obj/.
find "$build/obj/lib" "$build/obj/bin" -name '*.gcda' >objects.txt
[ -s objects.txt ] || { echo "coverage: nothing has run in $1" >&2; exit 1; }
(cd "$root" && xargs -d '\n' -a "$build/coverage/objects.txt" gcov --relative-only --preserve-paths) >summary.txt
mv "$root"/*.gcov . 2>/dev/null || true
awk '
	/^File / { file = $2; gsub("\047", "", file) }
	/^Lines executed:/ {
		split($2, part, /[:%]/)
		if (file ~ /^(lib|bin)\/.*\.c$/) {
			printf "%6.1f %% of %5d lines  %s\n", part[2], $4, file
			lines += $4; run += $4 * part[2] / 100
		}
		file = ""
	}
	END { if (lines) printf "%6.1f %% of %5d lines  in all\n", 100 * run / lines, lines }
' summary.txt | sort -n
