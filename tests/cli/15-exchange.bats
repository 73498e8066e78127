#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Data that goes out and comes back, byte for byte: from store to store and from table to table in every record form,
# and through the tools of cdb, LMDB, Berkeley DB and RocksDB, both ways.

load helper

# records WHICH: hostile records in order, in hex. `any` has what keys and values can be: every byte, nothing at all,
# what the forms use as marks, a MiB. `text` is without NUL; `lmdb` has no key that LMDB cannot hold (empty, or above
# 511 bytes).
records() {
	python3 - "$1" <<'PY'
import random, sys
which, r = sys.argv[1], random.Random(15)
every = bytes(range(256))
rows = {
    b"": b"", b"empty value": b"", b"\t": b"\n", b"\n": b"\t\n\t", b"\r\n": b"\r", b"\\x00": b"\\", b"\\": b"\\\\x41",
    b'"': b'\\"\\u0041', b"+3,3:a->b": b"->", b"->\n\n": b"\n+1,1:a->b\n", b" ==> ": b"0x41 ==> 0x41",
    b"Keys in range: 3": b"Keys in range: 4", b"DATA=END": b"DATA=END\n", b"HEADER=END": b" 00", b"-v": b"--",
    b"\xff\xfe\xed\xa0\x80": b"\xc2\x85\xe2\x82\xac\xf4\x90\x80\x80\xc0\xaf", b"\x1b[2J": b"\x7f\xc2\x9b", b" ": b" ",
    b"\0": b"\0\0", every: every * 3, every[::-1]: every[::-1], b"mebibyte": r.randbytes(1 << 20),
    b"k" * 500: b"v" * 500, b"k" * 4000: b"long", "schlüssel".encode(): "wert €".encode(),
}
rows.update({b"b" + bytes([b]): bytes([b]) for b in range(256)})
if which == "text":
    rows = {k: v for k, v in rows.items() if b"\0" not in k + v}
if which == "lmdb":
    rows = {k: v for k, v in rows.items() if 0 < len(k) < 512}
for k in sorted(rows):
    print(k.hex(), rows[k].hex(), sep="\t")
PY
}

# fill WHICH: the store holds these records, and so does the file `right`.
fill() {
	records "$1" >right
	[ "$(wc -l <right)" -gt 200 ]
	lsm-put -bx right
	lsm-scan -x | cmp - right
}

# took STORE: it holds what is right, in memory and flushed.
took() {
	lsm-scan -x -d "$1" | cmp - right
	lsm-flush -d "$1"
	lsm-scan -x -d "$1" | cmp - right
}

@test "exchange: from store to store in every form" {
	fill any
	local form
	for form in text hex json cdb dump ldb; do
		lsm-scan -F $form >out
		lsm-put -b -F $form -d $form out
		took $form
		lsm-scan -F $form -d $form | cmp - out
		lsm-scan -F $form | lsm-put -b -F $form -d $form-piped
		took $form-piped
	done
}

@test "exchange: the null form, where there is no NUL; else exit 3 and not one byte of that record" {
	fill text
	lsm-scan -0 >out
	lsm-put -b0 -d copy out
	took copy
	lsm-put -x 7a 0061
	run -3 --separate-stderr bash -c 'lsm-scan -0 >cut'
	assert_equal "$stderr" "lsm-scan: a NUL within a value: the null form cannot hold it"
	head -c "$(stat -c %s cut)" out | cmp - cut
	lsm-scan -0 -u z | cmp - cut
}

@test "exchange: from table to table in every form" {
	local form
	records any >right
	sst-build -x -o first.sst right
	sst-dump -x first.sst | cmp - right
	for form in text hex json cdb dump ldb; do
		sst-dump -F $form first.sst >out
		sst-build -F $form -o $form.sst out
		cmp $form.sst first.sst
		sst-dump -F $form first.sst | lsm-put -b -F $form -d $form
		took $form
	done
	records text >right
	sst-build -x -o first.sst right
	sst-dump -0 first.sst | sst-build -0 -o null.sst
	cmp null.sst first.sst
}

@test "exchange: jq reads every line of json and writes it again" {
	need jq
	fill any
	lsm-scan -j | jq -c . | lsm-put -bj -d copy
	took copy
}

@test "exchange: cdb -c reads ours, cdb -d writes it back" {
	need cdb
	fill any
	lsm-scan -F cdb | cdb -c x.cdb -
	cdb -d x.cdb >out
	cmp out <(lsm-scan -F cdb)
	lsm-put -b -F cdb -d copy out
	took copy
}

@test "exchange: cdb has a key more than once: the last one counts, and sst-build says so instead" {
	need cdb
	printf '+1,1:a->1\n+1,1:b->2\n+1,2:a->33\n\n' | cdb -c x.cdb -
	cdb -d x.cdb | lsm-put -b -F cdb
	run -0 lsm-scan
	assert_output "$(printf 'a\t33\nb\t2')"
	printf '+1,1:a->1\n+1,1:a->2\n\n' >twice
	run -2 sst-build -F cdb -o t.sst twice
	assert_output --partial "record 2"
	assert_file_not_exist t.sst
}

@test "exchange: mdb_load reads ours, mdb_dump writes it back" {
	need mdb_load
	fill lmdb
	mkdir env
	lsm-scan -F dump | sed 's/^HEADER=END$/mapsize=16777216\n&/' | mdb_load env
	mdb_dump env | lsm-put -b -F dump -d copy
	took copy
	# and a second time, out of the copy
	mkdir again
	lsm-scan -F dump -d copy | sed 's/^HEADER=END$/mapsize=16777216\n&/' | mdb_load again
	cmp <(mdb_dump env | sed 1,/HEADER=END/d) <(mdb_dump again | sed 1,/HEADER=END/d)
}

@test "exchange: db_load reads ours, db_dump writes it back, in both its formats" {
	need db_load
	fill any
	lsm-scan -F dump | db_load x.db
	db_dump x.db | lsm-put -b -F dump -d copy
	took copy
	db_dump -p x.db | lsm-put -b -F dump -d printed
	took printed
	lsm-scan -F dump | db_load -t hash h.db
	db_dump h.db | lsm-put -b -F dump -d hashed
	took hashed
}

@test "exchange: what Berkeley DB has and a store cannot is refused" {
	need db_load
	printf 'a\n1\n' | db_load -T -t btree -c duplicates=1 d.db
	run -2 bash -c 'db_dump d.db | lsm-put -b -F dump'
	assert_output --partial "a kind of database that is more than keys and values"
	printf 'a\n' | db_load -T -t recno r.db
	run -2 bash -c 'db_dump r.db | lsm-put -b -F dump'
	assert_output --partial "a kind of database that is more than keys and values"
	printf 'a\n1\n' | db_load -T -t btree -c database=one s.db
	db_dump s.db | lsm-put -b -F dump
	printf 'a\n2\n' | db_load -T -t btree -c database=two s.db
	run -2 bash -c 'db_dump s.db | lsm-put -b -F dump'
	assert_output --partial "more input behind DATA=END"
}

@test "exchange: ldb load reads ours, ldb dump and ldb scan write it back" {
	need ldb
	fill any
	lsm-scan -F ldb | ldb --db=rocks --create_if_missing --hex load
	ldb --db=rocks --hex dump >dumped
	tail -n 1 dumped | grep -qx "Keys in range: $(wc -l <right)"
	lsm-put -b -F ldb -d copy dumped
	took copy
	ldb --db=rocks --hex scan | lsm-put -b -F ldb -d scanned
	took scanned
	# our own reading of what it made, and what ldb reads of a store of ours
	lsm-scan -x -d rocks | cmp - right
	ldb --db=copy --hex scan | sed "s/ : / ==> /; y/ABCDEF/abcdef/" | cmp - <(lsm-scan -F ldb | tr A-F a-f)
}

@test "exchange: a stream cut short is never taken for a whole one" {
	fill text
	local form status
	for form in cdb dump; do
		lsm-scan -F $form >whole
		head -c -5 whole >cut
		status=0
		lsm-put -b -F $form --atomic -d $form cut 2>err || status=$?
		assert_equal $status 2
		[ -s err ]
	done
}
