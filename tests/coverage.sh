#!/bin/bash
# SPDX-License-Identifier: MIT
#
# usage: tests/coverage.sh BUILD
#
# Sums up what gcov says of lib/ and bin/: one line per file, least covered first. A line or branch has run when it ran in
# any of the builds of BUILD: the one that is shipped, or the one that faults are injected into (BUILD/testing, `make
# testing`), which is where most error branches are reached. Then, of the files that decide what is durable (put, flush,
# recovery, MANIFEST), every line that no test ran. BUILD/coverage/ has the same of all files: not-run.txt, and
# not-taken.txt for branches ("put.c:86: 1 of 2": of the 2 ways on from line 86 one was never taken).
#
# What a process counted is lost when it is killed, so what only ever runs in one that dies is not in here.
set -eu
build=$(realpath "$1")
cd "$(dirname "$0")/.."
durable='^lib/(db/(put|flush|rotate|attach|create|rebuild|replay|logs|apply|lockfile|sync|sweep|view|writer|write_batch)'
durable+='|(mem|version|wal)/[a-z_]+|os/(file|new_file|segment|seq_writer|lock|event))[.]c$'
out=$build/coverage
rm -rf "$out"
mkdir -p "$out"
# One source also went into libsst.so and, with sanitizers, into the replays of fuzz corpora; the programs ran these.
find "$build"/obj/{lib,bin} "$build"/testing/obj/{lib,bin} -name '*.gcda' 2>/dev/null | sort >"$out/objects.txt"
[ -s "$out/objects.txt" ] || { echo "coverage: nothing has run in $1" >&2; exit 1; }
# gcov names a source as the compiler was told it, so it is asked where the compiler ran.
xargs -d '\n' -a "$out/objects.txt" gcov --stdout --branch-probabilities --branch-counts >"$out/gcov.txt" 2>"$out/gcov.log"
awk -v durable="$durable" -v not_run="$out/not-run.txt" -v not_taken="$out/not-taken.txt" -v said="$out/lines.txt" '
	# "COUNT:LINE:TEXT"; COUNT is "-" where there is no code, "#####" where it never ran
	match($0, /^ *[^ :]+: *[0-9]+:/) {
		split(substr($0, 1, RLENGTH), part, /:/)
		line = part[2] + 0
		text = substr($0, RLENGTH + 1)
		if (line == 0) {
			if (sub(/^Source:/, "", text))
				file = text ~ /^(lib|bin)\/.*\.c$/ ? text : ""
			next
		}
		way = 0
		gsub(/ /, "", part[1])
		if (file == "" || part[1] == "-")
			next
		if (line > last[file])
			last[file] = line
		source[file, line] = text
		ran[file, line] += part[1] !~ /^[#=]/
		next
	}
	file != "" && /^branch/ {
		way++
		if (way > ways[file, line])
			ways[file, line] = way
		taken[file, line, way] += $3 == "taken" && $4 > 0
	}
	function share(n, of) { return of ? 100 * n / of : 100 }
	END {
		for (file in last) {
			n = lines = b = branches = 0
			for (i = 1; i <= last[file]; i++) {
				if (!((file, i) in ran))
					continue
				lines++
				n += ran[file, i] > 0
				if (!ran[file, i]) {
					print file ":" i ": " source[file, i] >not_run
					if (file ~ durable)
						print file ":" i ": " source[file, i] >said
				}
				missed = 0
				for (way = 1; way <= ways[file, i]; way++)
					missed += !taken[file, i, way]
				branches += ways[file, i]
				b += ways[file, i] - missed
				if (missed && ran[file, i])
					print file ":" i ": " missed " of " ways[file, i] ": " source[file, i] >not_taken
			}
			printf "%6.1f %% of %5d lines, %5.1f %% of %5d branches  %s\n",
				share(n, lines), lines, share(b, branches), branches, file
			total[1] += n; total[2] += lines; total[3] += b; total[4] += branches
			if (file ~ durable) { part_of[1] += n; part_of[2] += lines; part_of[3] += b; part_of[4] += branches }
		}
		form = "%6.1f %% of %5d lines, %5.1f %% of %5d branches  %s\n"
		close(not_run); close(not_taken); close(said)
		printf form, share(part_of[1], part_of[2]), part_of[2], share(part_of[3], part_of[4]), part_of[4],
			"~ of put, flush, recovery, MANIFEST and what is below them"
		printf form, share(total[1], total[2]), total[2], share(total[3], total[4]), total[4], "~ in all"
	}
' "$out/gcov.txt" | sort -n >"$out/files.txt"
touch "$out/not-run.txt" "$out/not-taken.txt" "$out/lines.txt"
for list in not-run not-taken lines; do
	sort -t: -k1,1 -k2,2n -o "$out/$list.txt" "$out/$list.txt"
done
grep -v '  ~ ' "$out/files.txt" || true
grep '  ~ ' "$out/files.txt" | sed 's/  ~ /  /'
if [ -s "$out/lines.txt" ]; then
	echo "not run, of put, flush, recovery, MANIFEST and what is below them:"
	sed 's/^/  /; s/:\t*/:/; s/: *\t*/: /' "$out/lines.txt"
fi
