#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# sst-build: every form in, the same bytes out; RocksDB takes the tables; what is left when it goes wrong.

load helper

# records COUNT: text, in the order of keys, values that compress and values that do not
records() {
	awk -v n="$1" 'BEGIN {
		srand(5)
		for (i = 0; i < n; i++)
			printf "key%08d\t%s%d\n", i, i % 3 ? "the value of " : rand() rand(), i
	}'
}

# nasty: keys and values of any bytes, in hex, in the order of the bytes
nasty() {
	printf '%s\t%s\n' '' '' 00 00 0000 '' 000a 0d 01 02 09 '' 0a 0d 0d0a 09 20 2a 22 22 2d3e 2b332c35 3a 5c 5c ff \
		5c7800 00 61 "$(every_byte | od -An -v -tx1 | tr -d ' \n')" 7f 80 c285 c28585 e282ac '' eda080 '' \
		ff 00ff ffff fe
}

nothing_left() {
	assert_not_exists "$1"
	assert_not_exists "$1.tmp"
}

@test "sst-build: a table from sorted records; sst-dump gives them back" {
	records 20000 >in
	run -0 sst-build -o t.sst in
	assert_output ''
	sst-dump t.sst | cmp - in
	run -0 sst-check t.sst
	run -0 sst-get key00000003 t.sst
	assert_equal "$output" "$(sed -n '4s/.*\t//p' in)"
	assert_not_exists t.sst.tmp
}

@test "sst-build: every form, bytes of every kind" {
	nasty | sst-build -x -o nasty.sst
	run -0 sst-dump -x nasty.sst
	assert_equal "$output" "$(nasty)"
	local form
	for form in text hex json cdb dump ldb; do
		sst-dump -F $form nasty.sst >in.$form
		sst-build -F $form -o $form.sst in.$form || fail $form
		cmp $form.sst nasty.sst || fail $form
	done
	records 100 >in
	sst-build -o t.sst in
	sst-dump -0 t.sst | sst-build -0 -o null.sst
	cmp null.sst t.sst
	sst-dump -j t.sst | sst-build -j -o json.sst -
	cmp json.sst t.sst
}

@test "sst-build: several files, standard input among them, are one stream" {
	records 300 >in
	sst-build -o whole.sst in
	head -n 100 in >1
	sed -n '101,200p' in >2
	tail -n 100 in >3
	run -0 sst-build -o parts.sst 1 - 3 <2
	cmp parts.sst whole.sst
	run -2 sst-build -o parts2.sst 2 1
	assert_output --partial "sst-build: 1: line 1: key 'key00000000': below the key before it"
	nothing_left parts2.sst
}

@test "sst-build: records out of order: line number, exit 2, nothing left" {
	printf 'b\t1\nc\t2\na\t3\n' >in
	run -2 sst-build -o t.sst in
	assert_output "sst-build: in: line 3: key 'a': below the key before it: sort with LC_ALL=C sort, or use --sort (then the last of a key counts)"
	nothing_left t.sst
	printf 'b\t1\nb\t2\n' >in
	run -2 sst-build -o t.sst in
	assert_output --partial "line 2: key 'b': the same as the key before it"
	printf '+1,1:b->1\n+1,1:a->2\n\n' >in
	run -2 sst-build -F cdb -o t.sst in
	assert_output --partial "record 2: key 'a'"
	printf 'a\t1\nno tab\n' >in
	run -2 sst-build -o t.sst in
	assert_output "sst-build: in: line 2: no tab between key and value"
	nothing_left t.sst
	echo precious >t.sst
	run -2 sst-build -o t.sst in
	assert_equal "$(cat t.sst)" precious
}

@test "sst-build --sort: any order, the last of a key counts, the same table" {
	records 30000 >in
	sst-build -o sorted.sst in
	{ sed 's/\t.*/\tolder/' in; shuf --random-source=in in; } >shuffled
	run -0 sst-build --sort -o t.sst shuffled
	cmp t.sst sorted.sst
	run -0 sst-build --sort --memory=1M -o t.sst shuffled
	cmp t.sst sorted.sst
	TMPDIR=/dev/shm run -0 sst-build --sort --memory=1M -o t.sst shuffled
	cmp t.sst sorted.sst
	nasty | tac | sst-build --sort -x | sst-dump -x - >back
	nasty | cmp - back
	run ls
	refute_output --partial 'sst-'
}

@test "sst-build --sort: memory is bounded" {
	[ -z "${SAN:-}" ] || skip "a sanitizer needs memory of its own"
	awk 'BEGIN { for (i = 0; i < 400000; i++) printf "%08d%0100d\t%0100d\n", (i * 7919) % 400000, 0, i }' >in
	[ "$(stat -c %s in)" -gt 80000000 ]
	sst-build --sort -o roomy.sst in
	# 4 MiB for records; the rest: buffers, one stack for each CPU, the program
	run -0 bash -c "ulimit -v $((200 << 10)); taskset -c 0 sst-build --sort --memory=4M -o t.sst in"
	assert_output ''
	cmp t.sst roomy.sst
	need /usr/bin/time
	/usr/bin/time -f %M -o rss sst-build --sort --memory=4M -o t.sst in
	echo "resident: $(cat rss) KB"
	[ "$(cat rss)" -lt 80000 ]
}

@test "sst-build: the same bytes with one CPU, to a file and to a pipe, on another day" {
	records 60000 >in
	sst-build -o a.sst in
	taskset -c 0 sst-build -o b.sst in
	cmp a.sst b.sst
	sst-build <in | cat >c.sst
	cmp a.sst c.sst
	sst-build -o - in >d.sst
	cmp a.sst d.sst
	if command -v faketime >/dev/null; then
		faketime '2001-01-01' sst-build -o e.sst in
		cmp a.sst e.sst
	fi
	run sst-dump --props a.sst
	refute_output --regexp 'time|host|session|identity'
}

@test "sst-build: --level and --block-size" {
	records 5000 >in
	sst-build -o default.sst in
	sst-build --level=0 -o none.sst in
	run -0 bash -c 'sst-dump --blocks none.sst | cut -f 3,4 | sort -u'
	assert_line $'data\tNoCompression'
	refute_output --partial ZSTD
	sst-build --level=1 --block-size=16K -o same.sst in
	cmp default.sst same.sst
	sst-build --block-size=1K -o small.sst in
	sst-build --level=19 -o 19.sst in
	[ "$(sst-dump --index small.sst | wc -l)" -gt $((8 * $(sst-dump --index default.sst | wc -l))) ]
	[ "$(stat -c %s 19.sst)" -lt "$(stat -c %s none.sst)" ]
	local t
	for t in none small 19; do
		sst-dump $t.sst | cmp - in
		sst-check $t.sst
	done
}

@test "sst-build: no records: a table without entries" {
	run -0 sst-build -o t.sst </dev/null
	run -0 sst-dump -c t.sst
	assert_output 0
	run -0 sst-check t.sst
	run -0 sst-build --sort -o t.sst </dev/null
	run -0 sst-check t.sst
}

@test "sst-build: RocksDB verifies and scans the table" {
	need sst_dump
	records 20000 >in
	sst-build -o t.sst in
	run sst_dump --file=t.sst --command=verify
	assert_output --partial 'The file is ok'
	sst_dump --file=t.sst --command=scan 2>/dev/null |
		sed -n "s/^'\(.*\)' seq:0, type:1 => /\1\t/p" | cmp - in
	nasty | sst-build -x -o n.sst
	sst_dump --file=n.sst --command=scan --output_hex 2>/dev/null |
		sed -n "s/^'\(.*\)' seq:0, type:1 => /\1\t/p" | tr A-F a-f >scanned
	nasty | cmp - scanned
}

@test "sst-build: RocksDB ingests the table, every key read back" {
	local ingest=${BUILD:-$ROOT/build}/oracle/rocks-ingest
	[ -x "$ingest" ] || skip "no RocksDB headers here (Debian: librocksdb-dev)"
	records 20000 >in
	sst-build -o one.sst in
	run -0 "$ingest" db one.sst
	assert_output --partial "ingested: 20000 keys, 0 differences"
	awk -F '\t' 'NR % 3 == 0 { print $1 "\tnewer" }' in | sst-build --level=0 -o two.sst
	run -0 "$ingest" db two.sst
	assert_output --partial "ingested: 20000 keys, 0 differences"
}

@test "lsm-scan | sst-build, sst-dump | lsm-put: a store goes round" {
	nasty | lsm-put -d a -b -x
	records 3000 | lsm-put -d a -b
	lsm-scan -d a | sst-build -o x.sst
	sst-dump x.sst | lsm-put -d b -b
	lsm-scan -d a -x >1
	lsm-scan -d b -x >2
	cmp 1 2
	[ "$(wc -l <1)" -gt 3000 ]
	lsm-flush -d b
	sst-dump -x b/*.sst | cmp - 1
}

@test "sst-build: usage" {
	printf 'a\t1\n' >in
	local line
	while read -r line; do
		# shellcheck disable=SC2086
		run -2 $line
		assert_line -n 1 "Try 'sst-build --help'."
	done <<-'END'
		sst-build --level=23 -o x in
		sst-build --level=-1 -o x in
		sst-build --level=fast -o x in
		sst-build --block-size=0 -o x in
		sst-build --block-size=65M -o x in
		sst-build --memory=2M -o x in
		sst-build --sort --memory=1K -o x in
		sst-build -0j -o x in
		sst-build -xj -o x in
		sst-build -F xml -o x in
		sst-build -o in in
	END
	nothing_left x
	assert_equal "$(cat in)" $'a\t1'
	run -3 sst-build -o x nowhere
	nothing_left x
	run -3 sst-build -o no/where/x in
	run -2 sst-build -o /dev/null in
	assert_output "sst-build: cannot write '/dev/null': it is there and not a regular file"
	[ -c /dev/null ]
	run -3 sh -c 'sst-build in >/dev/full'
	assert_output 'sst-build: write error: No space left on device'
	need script
	run -2 script -qec 'sst-build in' /dev/null
	assert_output --partial 'standard output is a terminal'
}

# half_way SIGNAL: sends it to an sst-build that is in the middle of its input
half_way() {
	mkfifo feed
	sst-build -o t.sst feed 3>&- &
	local builder=$! status=0
	exec 9>feed
	records 200000 >&9
	wait_for test -s t.sst.tmp
	kill -"$1" "$builder"
	wait "$builder" || status=$?
	exec 9>&-
	rm feed
	assert_not_exists t.sst
	return "$status"
}

@test "sst-build: SIGTERM and SIGHUP leave nothing" {
	local signal
	for signal in TERM HUP; do
		run half_way $signal
		assert_equal "$status" $((128 + $(kill -l $signal)))
		nothing_left t.sst
	done
}

@test "sst-build: kill -9 leaves no OUT, and the next one works" {
	run half_way KILL
	assert_equal "$status" 137
	assert_exists t.sst.tmp
	records 10 >in
	run -0 sst-build -o t.sst in
	sst-dump t.sst | cmp - in
	assert_not_exists t.sst.tmp
}

@test "sst-build: of two to the same OUT the second exits 75 and harms nobody" {
	records 10 >in
	mkfifo feed
	sst-build -o t.sst feed 3>&- &
	local builder=$!
	exec 9>feed
	wait_for test -e t.sst.tmp
	run -75 sst-build -o t.sst in
	assert_output "sst-build: cannot write 't.sst': another process is writing 't.sst.tmp'"
	cat in >&9
	exec 9>&-
	wait "$builder"
	sst-dump t.sst | cmp - in
}

@test "sst-build: a full disk: exit 3, nothing left, what was there stays" {
	[ "$(id -u)" = 0 ] || skip "needs root to mount a small file system"
	mkdir small
	mount -t tmpfs -o size=2m none small || skip "cannot mount here"
	records 100000 >in
	records 10 >few
	sst-build -o small/t.sst few
	run sst-build --level=0 -o small/t.sst in
	sst-dump small/t.sst | cmp - few
	ls small >left
	TMPDIR=$PWD/small run sst-build --sort --memory=1M -o t.sst in
	umount small
	assert_equal "$(cat left)" t.sst
	assert_equal "$status" 3
	assert_output --partial 'No space left on device'
	assert_output --partial "cannot sort in '$PWD/small'"
	nothing_left t.sst
}

@test "sst-build: files obey the umask" {
	printf 'a\t1\n' >in
	(umask 027 && sst-build -o t.sst in)
	assert_equal "$(stat -c %a t.sst)" 640
}
