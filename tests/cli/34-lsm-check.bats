#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# lsm-check: sound stores in every state are silent; every lie and every kind of damage is named with its file.

load helper

sound() {
	run --separate-stderr lsm-check "$@"
	assert_equal "$status:$output:$stderr" "0::"
}

# A store with two tables and an unflushed rest.
store() {
	seq 500 | sed 's/.*/k&\tv&/' | lsm-put -b
	lsm-flush
	lsm-put k7 new
	lsm-del k8
	lsm-flush
	lsm-put k9 newest
	lsm-put last "$(seq 50)"
}

# flip FILE OFFSET: one bit of the byte there (from the end if negative).
flip() {
	python3 - "$LSM_DB/$1" "$2" <<'PY'
import sys
b = bytearray(open(sys.argv[1], "rb").read())
b[int(sys.argv[2])] ^= 4
with open(sys.argv[1], "r+b") as f:
    f.write(b)
PY
}

# damaged FILE TEXT: exit 4, and a line that names the file and has the text.
damaged() {
	run -4 lsm-check
	assert_output --partial "lsm-check: '$1': "
	assert_output --partial "$2"
}

@test "lsm-check: a sound store of ours is silent in every state, with and without its shared memory" {
	lsm-put k v
	lsm-flush
	sound
	lsm-put unflushed v
	sound
	store
	sound
	forget_memory
	sound
	lsm-put after reboot
	sound
}

@test "lsm-check: no store is exit 3, wrong usage exit 2" {
	mkdir empty
	run -3 lsm-check -d empty
	assert_output "lsm-check: no store in 'empty'"
	run -3 lsm-check -d absent
	run -2 lsm-check -d empty operand
}

@test "a store that lost CURRENT is damaged to every program; one whose creation was cut is none" {
	store
	local table program
	table=$(cd "$LSM_DB" && ls *.sst | head -n 1)
	rm "$LSM_DB/CURRENT"
	for program in lsm-scan lsm-stat lsm-flush 'lsm-get k' 'lsm-del k' 'lsm-put k v'; do
		run -4 $program
		assert_output --regexp "'$LSM_DB' has no CURRENT, but '[0-9]+\.(sst|log)'"
	done
	run -4 lsm-check
	assert_output --partial 'CURRENT'
	[ -e "$LSM_DB/$table" ]
	mkdir cut
	touch cut/LOCK cut/MANIFEST-000001
	for program in lsm-check lsm-scan lsm-stat lsm-flush 'lsm-get k' 'lsm-del k'; do
		LSM_DB=cut run -3 $program
		assert_output --partial "no store in 'cut'"
	done
	LSM_DB=cut lsm-put k v
	[ "$(LSM_DB=cut lsm-get k)" = v ]
}

@test "lsm-check: changes nothing in the store, and needs no right to" {
	store
	find "$LSM_DB" -type f -exec sha256sum {} + | sort >before
	stat -c '%n %Y %i' "$LSM_DB"/* >>before
	sound
	find "$LSM_DB" -type f -exec sha256sum {} + | sort >after
	stat -c '%n %Y %i' "$LSM_DB"/* >>after
	run diff before after
	assert_output ''
}

@test "lsm-check: holds no lock: a store that RocksDB has open, and one whose lock is taken, are checked" {
	store
	forget_memory
	python3 - "$LSM_DB" <<'PY'
import fcntl, subprocess, sys
with open(sys.argv[1] + "/LOCK", "r+b") as f:
    fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    sys.exit(subprocess.run(["lsm-check", "-d", sys.argv[1]], timeout=60).returncode)
PY
}

@test "lsm-check: writers and flushes at work make no difference" {
	local i
	lsm-put first v
	for i in 1 2 3; do
		while [ ! -e stop ]; do
			seq 200 | sed "s/.*/w$i-&\tv&/" | lsm-put -b
			lsm-flush
		done &
	done
	for ((i = 0; i < 20; i++)); do
		lsm-check >>out 2>&1 || { touch stop; wait; cat out; fail "exit $?"; }
	done
	touch stop
	wait
	run cat out
	assert_output ''
	sound
}

@test "lsm-check: each lie, with every checksum right, is named with its file" {
	local name expected file text
	python3 "$ROOT/tests/lies.py" --list >lies
	[ "$(wc -l <lies)" -ge 40 ]
	while IFS=$'\t' read -r name expected file text; do
		python3 "$ROOT/tests/lies.py" "$name" "$name"
		run lsm-check -d "$name"
		[ "$status" -eq "$expected" ] || fail "$name: exit $status: $output"
		if [ "$expected" -eq 0 ]; then
			[ -z "$output" ] || fail "$name: $output"
		else
			grep -F "lsm-check: '$file': " <<<"$output" | grep -qF -- "$text" || fail "$name: $output"
		fi
	done <lies
}

# foreign_store PYTHON: a sound store as RocksDB may leave it, of lies.py's parts, after these statements about it: s is
# the store, op(TYPE, KEY, VALUE) an operation of a batch, record(SEQUENCE, OP ...) one.
foreign_store() {
	rm -rf "$LSM_DB"
	python3 - "$ROOT/tests" "$LSM_DB" "$1" <<'PY'
import struct, sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import lies
from lies import *
s = Store()
s.last = 12
s.logs = {}
def op(kind, key, value): return bytes([kind]) + piece(key) + piece(value)
def record(sequence, *ops): return struct.pack("<QI", sequence, len(ops)) + b"".join(ops)
def options(operator): s.files["OPTIONS-000007"] = b'[Version]\n  rocksdb_version=7.8.3\n[CFOptions "default"]\n  ' \
    b"merge_operator=" + operator + b"\n"
def typed(kind):
    """Table 12 has one entry, of that type."""
    plain = lies.ikey
    lies.ikey = lambda key, sequence: plain(key, sequence, kind)
    s.tables[1] = Meta(12, 0, [(b"c", 12, b"11")], epoch=4)
    lies.ikey = plain
exec(sys.argv[3])
s.write(sys.argv[2])
PY
}

# unsupported FILE TEXT: exit 4, just this line, and lsm-scan cannot read the store either.
unsupported() {
	run -4 lsm-check
	assert_output "lsm-check: '$1': unsupported: $2"
	run -4 lsm-scan
}

@test "lsm-check: merge operands without an operator are told, once for each file, with the first key" {
	foreign_store 's.logs = {15: log(record(13, op(1, b"x", b"1"), op(2, b"k", b"2"), op(2, b"l", b"3")))}'
	unsupported 000015.log "key 'k': it has merge operands, and no merge operator is named"

	foreign_store 's.logs = {15: log(record(13, op(2, b"k", b"2"))), 16: log(record(14, op(2, b"l", b"3")))}'
	run -4 lsm-check
	assert_output "lsm-check: '000016.log': unsupported: key 'l': it has merge operands, and no merge operator is named
lsm-check: '000015.log': unsupported: key 'k': it has merge operands, and no merge operator is named"

	foreign_store 's.logs = {15: log(record(13, op(2, b"k", b"2")))}; options(b"MaxOperator")'
	sound
	run lsm-get k
	assert_output 2
	foreign_store 's.logs = {15: log(record(13, op(2, b"k", b"2")))}; options(b"acme.Sum")'
	unsupported 000015.log "key 'k': it has merge operands, and the operator is 'acme.Sum'"
}

@test "lsm-check: entries of tables that no reader can answer for are told" {
	foreign_store 'typed(2)'
	unsupported 000012.sst "key 'c': it has merge operands, and no merge operator is named"
	foreign_store 'typed(2); options(b"{id=StringAppendOperator;delimiter=,;}")'
	sound
	foreign_store 'typed(22)'
	unsupported 000012.sst "key 'c': it is a wide-column entity"
	foreign_store 'typed(17)'
	damaged 000012.sst "key 'c': "
	foreign_store 's.logs = {15: log(record(13, op(22, b"w", b"2"), op(24, b"p", b"")))}'
	unsupported 000015.log "key 'w': it is a wide-column entity"
	foreign_store 's.logs = {15: log(record(13, op(17, b"b", b"\1\5\0\1\0")))}'
	damaged 000015.log "key 'b': "
}

@test "lsm-check: one flipped byte in each kind of file" {
	store
	forget_memory
	cp -a "$LSM_DB" sound
	local file
	for file in MANIFEST-000001:20 000005.sst:100 000005.sst:-200 000005.sst:-1 CURRENT:3 000006.log:2; do
		rm -rf "$LSM_DB"
		cp -a sound "$LSM_DB"
		flip "${file%:*}" "${file#*:}"
		damaged "${file%:*}" ''
	done
}

@test "lsm-check: a damaged block is told with its place and keys, as sst-check tells it" {
	store
	flip 000005.sst 100
	damaged 000005.sst 'block at 0: checksum mismatch, keys '
	sst-check "$LSM_DB/000005.sst" >told || true
	assert_equal "$output" "lsm-check: '000005.sst': $(sed 's/^[^:]*: //' told)"
}

@test "lsm-check: tables cut short, made longer, removed, swapped, of the past" {
	store
	cp -a "$LSM_DB" sound
	truncate -s -1 "$LSM_DB/000005.sst"
	damaged 000005.sst 'bytes, the MANIFEST says'
	cp sound/000005.sst "$LSM_DB"
	echo >>"$LSM_DB/000005.sst"
	damaged 000005.sst 'bytes, the MANIFEST says'
	rm "$LSM_DB/000005.sst"
	damaged 000005.sst 'is missing'
	cp sound/000007.sst "$LSM_DB/000005.sst"
	cp sound/000005.sst "$LSM_DB/000007.sst"
	damaged 000005.sst 'the MANIFEST says'
	damaged 000007.sst 'the MANIFEST says'
}

@test "lsm-check: while the shared memory lives, the last record of the log is not taken for unfinished" {
	store
	flip 000006.log -1
	damaged 000006.log ''
	flip 000006.log -1
	sound
	truncate -s -1 "$LSM_DB/000006.log"
	damaged 000006.log 'were written'
	forget_memory
	sound
	run --separate-stderr lsm-check -v
	assert_success
	grep -F "'000006.log': ends at" <<<"$stderr"
}

@test "lsm-check: a memtable that is not what the log says" {
	store
	python3 - "$LSM_DB/LOCK" <<'PY'
import glob, sys
token = open(sys.argv[1], "rb").read()[16:32].hex()
for name in glob.glob(f"/dev/shm/lsm.{token}.m*"):
    with open(name, "r+b") as f:
        b = f.read()
        at = b.find(b"newest")
        if at >= 0:
            f.seek(at)
            f.write(b"oldest")
PY
	damaged 'shared memory' 'checksum of a record'
	forget_memory
	sound
}

@test "lsm-check: -q, -j and -v" {
	store
	sound -q
	run --separate-stderr lsm-check -v
	assert_equal "$status:$output" 0:
	grep -E "'000005.sst': [0-9]+ blocks, 500 entries, [0-9]+ bytes, 0 damages" <<<"$stderr"
	grep -E "'000006.log': 2 records, [0-9]+ bytes, 0 damages" <<<"$stderr"
	run lsm-check -jv
	assert_success
	for line in "${lines[@]}"; do python3 -m json.tool <<<"$line" >/dev/null; done
	flip 000005.sst 100
	run -4 lsm-check -q
	assert_output ''
	run -4 lsm-check -j
	[[ "$output" == '{"file":"000005.sst","offset":0,"size":'*'"damage":"checksum mismatch","from":"k1","to":"'* ]]
}

@test "lsm-check: without a MANIFEST every table and log is checked by itself" {
	store
	rm "$LSM_DB"/MANIFEST-*
	flip 000005.sst 100
	damaged 000005.sst 'checksum mismatch'
	damaged MANIFEST-000001 'is missing, CURRENT names it'
}

@test "lsm-check: the directories of LevelDB and RocksDB in the corpus that must be read are clean" {
	[ -d "${LSM_CORPUS:-$ROOT/../shared/corpus}/public" ] || skip "no corpus at LSM_CORPUS"
	python3 - "${LSM_CORPUS:-$ROOT/../shared/corpus}/public" >list <<'PY'
import json, os, sys
for item in sorted(os.listdir(sys.argv[1])):
    path = os.path.join(sys.argv[1], item)
    if os.path.exists(path + "/item.json"):
        j = json.load(open(path + "/item.json"))
        if j["kind"] == "db" and j["expect"] == "read":
            print(path + "/data")
PY
	assert [ -s list ]
	while read -r dir; do
		run lsm-check -d "$dir"
		[ "$status:$output" = 0: ] || fail "$dir: exit $status: $output"
	done <list
}
