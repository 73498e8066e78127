#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The pages of formats are right: their worked examples are taken out as files and given to RocksDB's tools, which
# know nothing of us, and to ours.

load helper

# page_bytes PAGE [N]: the N-th example (0: the first).
page_bytes() {
	python3 "$ROOT/tests/page_bytes.py" "$ROOT/man/$1" "${2:-0}"
}

# page_table ...: what is made from the page sst(5) alone.
page_table() {
	python3 -B "$ROOT/tests/page_table.py" "$@"
}

@test "sst(5): RocksDB reads and verifies the table of the example" {
	need sst_dump
	page_bytes sst.5 >tiny.sst
	run sst_dump --file=tiny.sst --command=verify
	assert_output --partial 'The file is ok'
	run sst_dump --file=tiny.sst --command=scan
	assert_line "'a' seq:3, type:1 => one"
	assert_line "'ab' seq:1, type:1 => two"
	assert_line --partial "'b' seq:2, type:0 =>"
}

@test "sst(5): sst-dump reads the table of the example as the page says" {
	page_bytes sst.5 >tiny.sst
	run sst-dump -a tiny.sst
	assert_success
	assert_output "$(printf 'a\tone\t3\tput\nab\ttwo\t1\tput\nb\t\t2\tdel')"
}

@test "sst(5): RocksDB reads the table with prefixes and deltas, and has its second block where the page says" {
	need sst_dump
	page_bytes sst.5 1 >delta.sst
	run sst_dump --file=delta.sst --command=verify
	assert_output --partial 'The file is ok'
	run sst_dump --file=delta.sst --command=scan
	assert_line "'cold' seq:4, type:1 => ice"
	assert_line "'colour' seq:5, type:1 => red"
	assert_line "'colourful' seq:6, type:1 => fun"
	assert_line "'cool' seq:7, type:1 => box"
	sst_dump --file=delta.sst --command=raw >/dev/null
	run cat delta_dump.txt
	assert_output --partial 'metaindex handle: F40120'
	assert_output --partial 'index handle: 6A1A'
	assert_output --partial 'HEX    636F6C6F757266756C: 0046'
	assert_output --partial 'HEX    636F6F6C: 4B1A'
}

@test "sst(5): ours reads the tables with deltas and of version 6, and finds them sound" {
	page_bytes sst.5 1 >delta.sst
	page_bytes sst.5 2 >six.sst
	run sst-dump -a delta.sst
	assert_output "$(printf 'cold\tice\t4\tput\ncolour\tred\t5\tput\ncolourful\tfun\t6\tput\ncool\tbox\t7\tput')"
	run sst-dump --index delta.sst
	assert_output "$(printf 'cold\t0\t70\ncool\t75\t26')"
	run sst-dump -a six.sst
	assert_output "$(printf 'a\tone\t3\tput')"
	run sst-dump --props six.sst
	assert_line "$(printf 'format.version\t6')"
	for name in delta six; do
		run sst-check $name.sst
		assert_success
		assert_output ''
	done
	# A block at another place does not pass.
	{ head -c 28 six.sst; tail -c +1 six.sst; } >moved.sst
	run -4 sst-dump -a moved.sst
	assert_output --partial 'checksum mismatch'
}

@test "sst(5): a writer made from the page alone makes the bytes that sst-build makes" {
	python3 - >rows <<'PY'
import random
r = random.Random(7)
keys = {"", "a", "hello world"} | {"key%05d" % (7 * i) for i in range(300)}
for n in [*range(1, 20), 31, 32, 33, 64, 127, 128, 129, 160, 239, 240, 241, 256, 511, 1024, 1025, 1088, 3000]:
    keys |= {"".join(r.choice("abcdefgh") for _ in range(n)) for _ in range(3)}
for k in sorted(keys):
    print(k, "v" * r.choice([0, 1, 5, 100, 100, 300 * (len(k) % 11)]), sep="\t")
PY
	local size
	for size in 256 4096 16384; do
		page_table write $size <rows >page.sst
		sst-build --level=0 --block-size=$size -o built.sst rows
		cmp page.sst built.sst
	done
}

@test "sst(5): checksums, footers and contexts of the page hold in every sound table of the corpus" {
	local corpus=${LSM_CORPUS:-$ROOT/../shared/corpus}/public
	[ -d "$corpus" ] || skip "no corpus at LSM_CORPUS"
	python3 - "$corpus" >list <<'PY'
import glob, json, os, sys
for item in sorted(glob.glob(sys.argv[1] + "/*/item.json")):
    if json.load(open(item))["expect"] == "read":
        for path in sorted(glob.glob(os.path.dirname(item) + "/data/*.sst") + glob.glob(os.path.dirname(item) + "/data/*.ldb")):
            if os.path.getsize(path) < 1 << 20:
                print(path)
PY
	mapfile -t files <list
	[ "${#files[@]}" -ge 50 ]
	page_table verify "${files[@]}" >verified
	# Every version from 2 on, and every kind of checksum, with and without context.
	run sh -c 'sed "s/.* \([0-9]*\) \([0-9]*\) [0-9]*$/\1 \2/" verified | sort -u | tr "\n" ,'
	for pair in '0 1' '2 ' '3 ' '4 ' '5 0' '5 1' '5 4' '6 3' '6 4' '7 1' '7 4'; do
		assert_output --partial "$pair"
	done
}

@test "lsm-wal(5): RocksDB reads the log of the example" {
	need ldb
	page_bytes lsm-wal.5 >000003.log
	run ldb dump_wal --walfile=000003.log --print_value
	assert_line --partial '1,1,39,0,PUT(0) : 0x68656C6C6F : 0x776F726C64'
	assert_line --partial '2,2,42,46,PUT(0) : 0x666F6F : 0x626172 DELETE(0) : 0x68656C6C6F'
}

@test "lsm-wal(5): RocksDB reads the logs over a block's end, recyclable and compressed" {
	need ldb
	page_bytes lsm-wal.5 1 >000005.log
	page_bytes lsm-wal.5 2 >000009.log
	page_bytes lsm-wal.5 3 >000007.log
	run ldb dump_wal --walfile=000005.log --print_value
	assert_line --partial '1,1,32792,0,PUT(0) : 0x6B : 0x787878'
	run ldb dump_wal --walfile=000009.log --print_value
	assert_line --partial '7,2,26,0,PUT(0) : 0x666F6F : 0x626172 DELETE(0) : 0x62617A'
	run ldb dump_wal --walfile=000007.log --print_value
	assert_line --partial '7,2,26,11,PUT(0) : 0x666F6F : 0x626172 DELETE(0) : 0x62617A'
}

@test "lsm-wal(5): lsm-get reads each log of the examples, and lsm-check finds it sound" {
	local n number
	for n in 0:000009:foo:bar 1:000009:k: 2:000009:foo:bar 3:000007:foo:bar; do
		IFS=: read -r n number key value <<<"$n"
		rm -rf "$LSM_DB"
		example_store
		# Without the table: its sequence numbers would be those of the logs.
		python3 - "$LSM_DB" "$ROOT/tests" <<'PY'
import os, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[2])
from lies import log, piece
os.remove(sys.argv[1] + "/000004.sst")
edit = b"\1" + piece(b"leveldb.BytewiseComparator") + b"\2\5\x09\0\3\7\4\0\xcb\1\0"
open(sys.argv[1] + "/MANIFEST-000002", "wb").write(log(edit))
PY
		page_bytes lsm-wal.5 "$n" >"$LSM_DB/$number.log"
		run lsm-check
		assert_success
		assert_output ''
		run lsm-get "$key"
		assert_success
		[ -z "$value" ] || assert_output "$value"
		[ -n "$value" ] || assert_equal "${#output}" 32760
	done
}

example_store() {
	mkdir "$LSM_DB"
	page_bytes lsm-manifest.5 >"$LSM_DB/MANIFEST-000002"
	page_bytes sst.5 >"$LSM_DB/000004.sst"
	echo MANIFEST-000002 >"$LSM_DB/CURRENT"
}

@test "lsm-manifest(5): RocksDB reads the directory of the example" {
	need ldb
	example_store
	run ldb scan --db="$LSM_DB"
	assert_output "$(printf 'a : one\nab : two')"
}

@test "lsm-manifest(5): lsm-get reads the directory of the example" {
	example_store
	run lsm-get ab
	assert_success
	assert_output two
	run lsm-get b
	assert_failure 1
}

@test "lsm-manifest(5): RocksDB and ours read the MANIFEST with families and an atomic group" {
	example_store
	page_bytes lsm-manifest.5 1 >"$LSM_DB/MANIFEST-000002"
	run lsm-check
	assert_success
	assert_output ''
	run lsm-get ab
	assert_output two
	run lsm-put k v
	assert_failure 4
	assert_output --partial '2 column families'
	# The group is not whole: what it says does not count.
	truncate -s -1 "$LSM_DB/MANIFEST-000002"
	run lsm-check -v
	assert_success
	assert_output --partial "'MANIFEST-000002': ends at 121 with an unfinished edit"
	page_bytes lsm-manifest.5 1 >"$LSM_DB/MANIFEST-000002"
	need ldb
	run ldb list_column_families --db="$LSM_DB"
	assert_output --partial '{default, aux}'
	run ldb manifest_dump --path="$LSM_DB/MANIFEST-000002"
	assert_output --partial 'Column family "aux"  (ID 1)'
	[ "$(grep -c 'log number: 7' <<<"$output")" -eq 2 ]
}

@test "lsm-manifest(5): LOCK holds what the page says" {
	lsm-put k v
	python3 - "$LSM_DB/LOCK" "$ROOT/tests" <<'PY'
import os, struct, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[2])
from lies import masked
b = open(sys.argv[1], "rb").read()
st = os.stat(sys.argv[1])
assert len(b) == 128 and b[:8] == b"lsmlock1" and b[124:] == masked(b[:124]) and not any(b[80:124]), b
place, = struct.unpack_from("<I", b, 12)
device, inode, own = struct.unpack_from("<QQQ", b, 48)
name = "lsm." + b[16:32].hex() + ".c"
path = os.path.join(os.path.dirname(sys.argv[1]), "." + name) if place else "/dev/shm/" + name
assert os.stat(path).st_ino == inode and own == st.st_ino
boot = open("/proc/sys/kernel/random/boot_id").read().strip().replace("-", "")
assert b[32:48].hex() == boot, (b[32:48].hex(), boot)
PY
}

@test "pages: references to pages of this project lead somewhere" {
	cd "$ROOT/man"
	grep -Eho '^\.Xr (lsm|sst|libsst)[-a-z.]* [0-9]' -- * | sort -u | while read -r _ name section; do
		[ -f "$name.$section" ] || echo "$name($section) is referred to and does not exist"
	done >"$BATS_TEST_TMPDIR/dead"
	run cat "$BATS_TEST_TMPDIR/dead"
	assert_output ''
}

@test "lsm(7): lists every program" {
	for program in "$ROOT"/bin/lsm-*.c "$ROOT"/bin/sst-*.c; do
		program=${program##*/}
		run grep -c "^\.It Xr ${program%.c} 1" "$ROOT/man/lsm.7"
		assert_output 1
	done
}

@test "libsst(3): shows every function of the header as the header has it" {
	# Both as one declaration a line, without spaces.
	sed 's|/\*.*\*/||; /^\/\*/,/\*\//d' "$ROOT/lib/sst.h" | tr '\n' ' ' | grep -o 'SST_API [^;{]*;' |
		sed 's/SST_API//; s/;//; s/[[:space:]]//g' | sort >header
	mandoc -Tutf8 -O width=999 "$ROOT/man/libsst.3" | col -b | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' |
		tr '\n' ' ' | grep -oE '(const char \*|struct lsm_batch \*|bool|int|void|unsigned|size_t|uint64_t)[[:space:]]+(lsm|sst)_[a-z_]+\([^;]*\);' |
		sed 's/;//; s/[[:space:]]//g' | sort >page
	[ "$(wc -l <page)" -ge 20 ]
	run diff header page
	assert_output ''
}
