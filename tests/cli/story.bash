# SPDX-License-Identifier: MIT
#
# One long life of a store beside RocksDB, at the size that the suite says (RECORDS): chapters of puts, overwrites
# and deletes with flushes between them, RocksDB's tools looking on, RocksDB writing in between.

ORACLE=$BIN/oracle

# What RocksDB's ldb sees, in the form of the expectations.
rocks_view() {
	ldb --db="$1" --hex scan | sed -e 's/^0x//' -e 's/ : 0x/\t/' -e 's/ : $/\t/' | tr A-F a-f
}

same() { # same WHAT EXPECTED < ACTUAL
	cmp - "$2" || fail "$1 differs from $2"
}

tables_are_sound() {
	local table
	for table in "$LSM_DB"/*.sst; do
		run sst_dump --file="$table" --command=verify
		assert_output --partial 'The file is ok'
		run sst_dump --file="$table" --command=check
		assert_success
		refute_output --partial Corruption
		run sst-check -q "$table"
		assert_success
	done
}

tell_story() {
	python3 "$ROOT/tests/stress/story.py" "$RECORDS" .
	local c
	for c in 0 1 2 3; do
		lsm-put -b -x <chapter.$c
		[ $c = 2 ] || lsm-flush
		lsm-del -b -x <deletes.$c
		[ $c = 3 ] || lsm-flush
		lsm-scan -x | same "lsm-scan after chapter $c" expected.$c
		lsm-scan -x -r | tac | same "lsm-scan -r after chapter $c" expected.$c
	done
}
