#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Files that other programs wrote: every table of the corpus named by LSM_CORPUS is read right or refused by name, and
# no sound one is called damaged.

load ../cli/helper

setup() {
	cd "$BATS_TEST_TMPDIR" || exit
	[ -f "${LSM_CORPUS:-}/check_corpus.py" ] || skip "no corpus at LSM_CORPUS"
}

@test "sst-dump and sst-get: the corpus" {
	run python3 "$LSM_CORPUS/check_corpus.py" --bindir "$BIN" --tools sst-dump,sst-get --json results
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $(grep -c '"result": "ok"' results) -gt 0 ]]
	refute grep '"result": "REFUSED"' results # sound, and of a kind that must be read
}

@test "sst-check: calls no sound table of the corpus damaged, and every damaged one" {
	local list item
	python3 - "$LSM_CORPUS/public" >list <<'PY'
import json, os, sys
for item in sorted(os.listdir(sys.argv[1])):
    path = os.path.join(sys.argv[1], item)
    if os.path.exists(path + "/item.json"):
        j = json.load(open(path + "/item.json"))
        for table in j["tables"]:
            raw = path + "/expected/raw." + table.replace("/", "%2f") + ".tsv.gz"
            sound = j["expect"] == "read" and j["family"] != "damaged" and os.path.exists(raw)
            if sound or (j["expect"] == "refuse" and j["kind"] == "sst"):
                print("sound" if sound else "damaged", os.path.join(path, "data", table), sep="\t")
PY
	assert [ -s list ]
	while IFS=$'\t' read -r kind table; do
		status=0
		sst-check "$table" >out 2>&1 || status=$?
		case $kind:$status in
		sound:0 | damaged:4) ;;
		*) cat out; fail "$kind: exit $status: $table" ;;
		esac
	done <list
}
