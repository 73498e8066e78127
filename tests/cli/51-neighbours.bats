# SPDX-License-Identifier: MIT
#
# Whoever else may be at the store or its shared memory: other containers, cleaners, backups, other users, RocksDB.
# Each case ends with the right answer or a clear refusal.

load helper

other_container() {
	unshare -m sh -c 'mount -t tmpfs none /dev/shm && exec "$@"' sh "$@"
}

need_containers() {
	unshare -m true 2>/dev/null || skip 'no mount namespaces here'
}

@test "another container's /dev/shm: while one side is at work the other waits, says why, and gives up with 75" {
	need_containers
	stay_at_work
	run --separate-stderr other_container lsm-flush -t 0.5
	assert_equal "$status" 75
	assert_regex "$stderr" 'other processes use it through a shared memory that is not to be seen here'
	stay_end
}

@test "a writer that waits for input gives the store up after a second, and comes back" {
	need_containers
	stay
	other_container lsm-put there 1
	forget_memory
	printf 'stay\t1\n' >&9
	wait_for sh -c '[ "$(lsm-get stay)" = 1 ]'
	sleep 1.2
	rm -f /dev/shm/lsm."$(token)".*
	timeout 20 lsm-put 'after the cleaner' 1
	if command -v ldb >/dev/null; then
		sleep 1.2
		ldb --db="$LSM_DB" put rocks 1
	fi
	printf 'last\t1\n' >&9
	stay_end
	run lsm-scan -k
	assert_line there
	assert_line 'after the cleaner'
	assert_line last
	! command -v ldb >/dev/null || assert_line rocks
}

@test "a reader that waits for keys gives the store up after a second, and comes back" {
	need_containers
	lsm-put k 1
	mkfifo keys
	lsm-get -b <keys >answers 3>&- &
	local reader=$!
	exec 9>keys
	echo k >&9
	wait_for grep -q 1 answers
	other_container timeout 20 lsm-put k 2
	echo k >&9
	exec 9>&-
	wait $reader
	assert_equal "$(cat answers)" "$(printf 'k\t1\nk\t2')"
}

# In a container whose /dev/shm holds $1 and no more. (Each is one: the shared memory is lost from one to the next.)
small_memory() {
	unshare -m sh -c 'mount -t tmpfs -o size=$1 none /dev/shm && shift && exec "$@"' sh "$@"
}

@test "a /dev/shm that is full, from the first byte or in the middle of a load: nothing is lost, nobody dies of it" {
	need_containers
	local size
	seq 1 20000 | awk '{ print "k" $1 "\tthe value of the record of number " $1 }' >rows
	LC_ALL=C sort rows >sorted
	for size in 4k 64k 1m 3m; do
		rm -rf "$LSM_DB"
		run -0 small_memory $size lsm-put -b rows
		run small_memory $size lsm-scan
		[ $status = 0 ] || fail "$size: $(tail -n 3 <<<"$output")"
		assert_equal "$output" "$(cat sorted)"
		run -0 small_memory $size lsm-flush
		run -0 lsm-scan
		assert_equal "$output" "$(cat sorted)"
		# Filled by somebody else while the store has its memory there.
		run -0 small_memory $size sh -ec '
			lsm-put first 1
			cat /dev/zero >/dev/shm/filler 2>/dev/null || :
			lsm-put -b rows
			lsm-put last 2
			lsm-flush
			lsm-put after 3
			echo $(lsm-get first) $(lsm-get last) $(lsm-get after) $(lsm-scan -c)'
		assert_output '1 2 3 20003'
		lsm-check
	done
}

@test "another container's /dev/shm: one after the other, nothing is lost" {
	need_containers
	local i
	for i in 1 2 3 4 5; do
		lsm-put "here$i" "$i"
		other_container lsm-put "there$i" "$i"
		[ $i != 3 ] || lsm-flush
	done
	run lsm-scan -c
	assert_output 10
	run other_container lsm-scan -c
	assert_output 10
}

@test "another PID namespace: ids are not process numbers" {
	unshare -p -f true 2>/dev/null || skip 'no PID namespaces here'
	stay
	run unshare -p -f lsm-put k v
	assert_success
	printf 'stay\t1\n' >&9
	stay_end
	run lsm-scan
	assert_output "$(printf 'k\tv\nstay\t1')"
}

@test "shared memory removed under a writer: its next put goes on, with what was there before" {
	stay
	rm /dev/shm/lsm."$(token)".*
	sleep 0.05
	printf 'stay\t1\nmore\t2\n' >&9
	stay_end
	run lsm-scan
	assert_output "$(printf 'more\t2\nstay\t1')"
}

@test "shared memory removed: a reader rebuilds it" {
	lsm-put a 1
	rm /dev/shm/lsm."$(token)".*
	run lsm-get a
	assert_output 1
}

@test "the memtable segment alone removed, or cut short: rebuilt" {
	lsm-put a 1
	rm /dev/shm/lsm."$(token)".m*
	lsm-put b 2
	run lsm-scan -k
	assert_output "$(printf 'a\nb')"
	truncate -s 200000 /dev/shm/lsm."$(token)".m*
	seq 3000 | sed 's/.*/k&\tv/' | lsm-put -b
	truncate -s 200000 /dev/shm/lsm."$(token)".m*
	lsm-put c 3 || lsm-put c 3
	run lsm-scan -c
	assert_output 3003
}

@test "shared memory full of somebody else's bytes under our name is not ours" {
	lsm-put a 1
	local name
	for name in /dev/shm/lsm."$(token)".*; do
		head -c "$(stat -c %s "$name")" /dev/urandom >junk
		rm "$name"
		cp junk "$name"
	done
	run lsm-get a
	assert_output 1
	lsm-put b 2
	run lsm-scan -c
	assert_output 2
}

@test "a FIFO, a directory, a link and a device under our segments' names neither hang nor mislead" {
	local kind
	lsm-put a 1
	for kind in 'mkfifo' 'mkdir' 'ln -s /dev/zero' 'ln -s /etc/passwd'; do
		name=/dev/shm/lsm.$(token).c
		rm "$name"
		$kind "$name"
		run timeout 10 lsm-get a
		assert_output 1
		rm -rf "$name"
		lsm-put a 1
	done
}

@test "a copied directory is a store of its own" {
	lsm-put a 1
	cp -a "$LSM_DB" copy
	lsm-put a 2
	lsm-put -d copy a 3
	run lsm-get a
	assert_output 2
	run lsm-get -d copy a
	assert_output 3
	lsm-flush
	lsm-flush -d copy
	run lsm-get -d copy a
	assert_output 3
}

@test "a directory moved, and one made anew in its place" {
	lsm-put a 1
	mv "$LSM_DB" moved
	run lsm-get -d moved a
	assert_output 1
	lsm-put a new
	run lsm-get a
	assert_output new
	lsm-put -d moved b 2
	run lsm-scan -d moved -c
	assert_output 2
}

@test "a directory restored from a backup shows nothing of what came after it" {
	lsm-put a 1
	cp -a "$LSM_DB" backup
	lsm-put a 2
	lsm-put b 2
	rm -r "$LSM_DB"
	cp -a backup "$LSM_DB"
	run lsm-scan
	assert_output "$(printf 'a\t1')"
}

@test "files of the store restored one by one, in place: the log is shorter than the memory says" {
	lsm-put a 1
	cp -a "$LSM_DB" backup
	lsm-put b 2
	cp backup/*.log "$LSM_DB"/
	run lsm-scan
	assert_output "$(printf 'a\t1')"
}

@test "RocksDB cannot open a store that is in use, and waits for nobody" {
	need ldb
	stay_at_work
	run timeout 20 ldb --db="$LSM_DB" put x y
	assert_output --partial 'lock'
	stay_end
}

@test "while RocksDB has it open we wait, name the process, and give up with 75" {
	need python3
	lsm-put a 1
	python3 -c "
import fcntl, time, sys
f = open('$LSM_DB/LOCK', 'r+b')
fcntl.lockf(f, fcntl.LOCK_EX)
print('locked', flush=True)
time.sleep(20)" >locked 3>&- &
	holder=$!
	wait_for grep -q locked locked
	run --separate-stderr lsm-flush -t 0.3
	assert_equal "$status" 75
	assert_regex "$stderr" "process $holder \\(python3\\)"
	kill $holder
	lsm-put b 2
	run lsm-scan -c
	assert_output 2
}

@test "RocksDB opens, writes and closes between two of our commands" {
	need ldb
	lsm-put a 1
	ldb --db="$LSM_DB" put b 2
	lsm-put c 3
	ldb --db="$LSM_DB" delete a
	lsm-put d 4
	lsm-flush
	ldb --db="$LSM_DB" compact
	lsm-put e 5
	run lsm-scan
	assert_output "$(printf 'b\t2\nc\t3\nd\t4\ne\t5')"
}

@test "two flushes at once, beside writers: both succeed, nothing is lost" {
	mkdir "$LSM_DB"
	echo 'write_buffer_size = 64K' >"$LSM_DB/lsm.conf"
	local i
	for i in 1 2 3; do
		seq 2000 | sed "s/.*/w$i-&\t&/" | lsm-put -b 3>&- &
	done
	for i in 1 2 3 4 5 6; do
		lsm-flush 3>&- & lsm-flush 3>&- &
	done
	wait
	run lsm-scan -c
	assert_output 6000
	lsm-flush
	run lsm-scan -c
	assert_output 6000
}

@test "a FIFO in the place of any file of the store is refused, not waited for" {
	lsm-put a 1
	lsm-flush
	lsm-put b 2
	local file
	for file in LOCK CURRENT MANIFEST-000001 ./*.sst ./*.log; do
		for file in "$LSM_DB"/$file; do
			[ -f "$file" ] || continue
			mv "$file" saved
			mkfifo "$file"
			forget_memory
			run timeout 10 lsm-scan
			[ "$status" -ne 124 ] || fail "$file: hangs"
			[ "$status" -ge 2 ] || [ "${file##*/}" = LOCK ] || fail "$file: exit $status: $output"
			rm "$file"
			mv saved "$file"
		done
	done
	run lsm-scan -c
	assert_output 2
}

@test "a store on media that cannot be written is read, and nothing is made there" {
	[ "$(id -u)" = 0 ] || skip 'not root'
	need_containers
	lsm-put a 1
	lsm-flush
	lsm-put b 2
	forget_memory
	run unshare -m sh -c "mount --bind '$LSM_DB' '$LSM_DB' && mount -o remount,ro,bind '$LSM_DB' && lsm-scan && lsm-get b"
	assert_output "$(printf 'a\t1\nb\t2\n2')"
	run unshare -m sh -c "mount --bind '$LSM_DB' '$LSM_DB' && mount -o remount,ro,bind '$LSM_DB' && lsm-put c 3"
	assert_equal "$status" 3
}

@test "who may only read the directory reads it, and cannot change it" {
	[ "$(id -u)" = 0 ] || skip 'not root'
	id nobody >/dev/null 2>&1 || skip 'no user nobody'
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" 2>/dev/null || true
	setpriv --reuid=nobody --clear-groups test -r "$BATS_TEST_TMPDIR" && setpriv --reuid=nobody --clear-groups test -x "$BIN/lsm-get" || skip 'nobody cannot come here'
	lsm-put a 1
	run setpriv --reuid=nobody --clear-groups lsm-get a
	assert_output 1
	run setpriv --reuid=nobody --clear-groups lsm-put b 2
	assert_equal "$status" 3
	forget_memory
	run setpriv --reuid=nobody --clear-groups lsm-get a
	assert_output 1
	chmod 600 "$LSM_DB"/*.log
	forget_memory
	lsm-put c 3
	run setpriv --reuid=nobody --clear-groups lsm-get a
	refute_output 1
}

@test "root at work in a user's store leaves files and shared memory to the user" {
	[ "$(id -u)" = 0 ] || skip 'not root'
	id nobody >/dev/null 2>&1 || skip 'no user nobody'
	mkdir "$LSM_DB"
	chown nobody "$LSM_DB"
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" 2>/dev/null || true
	setpriv --reuid=nobody --clear-groups test -w "$LSM_DB" || skip 'nobody cannot come here'
	(umask 077 && lsm-put a 1 && lsm-flush && lsm-put b 2)
	run setpriv --reuid=nobody --clear-groups lsm-put c 3
	assert_success
	run setpriv --reuid=nobody --clear-groups lsm-flush
	assert_success
	run setpriv --reuid=nobody --clear-groups lsm-scan -c
	assert_output 3
}

@test "a full /dev/shm: the memtable goes to the store directory, and comes back" {
	need_containers
	run unshare -m sh -c '
		mount -t tmpfs -o size=256k none /dev/shm || exit 99
		seq 20000 | sed "s/.*/k&\tvalue &/" | lsm-put -b || exit 1
		lsm-scan -c
		lsm-flush || exit 2
		lsm-put z z || exit 3
		lsm-scan -c'
	assert_success
	assert_output "$(printf '20000\n20001')"
	run lsm-scan -c
	assert_output 20001
}

@test "no /dev/shm at all" {
	need_containers
	run unshare -m sh -c '
		mount -t tmpfs -o size=1m,mode=0 none /dev && rm -rf /dev/shm || exit 99
		lsm-put a 1 && lsm-put b 2 && lsm-flush && lsm-put c 3 && lsm-scan -c'
	assert_output 3
	run lsm-scan -c
	assert_output 3
}

# In a /dev/shm of its own: any other store that is made meanwhile would clear it away, too.
@test "shared memory of a directory that was removed is cleared away by the next store that is made" {
	need_containers
	run -0 unshare -m sh -c '
		mount -t tmpfs none /dev/shm || exit 99
		lsm-put a 1 && rm -r "$LSM_DB" && ls /dev/shm && echo then && lsm-put -d other b 2 && ls /dev/shm'
	local before=${output%%then*} after=${output#*then}
	assert_regex "$before" 'lsm\.[0-9a-f]{32}\.c.lsm\.[0-9a-f]{32}\.m1'
	[ "$(grep -c . <<<"$after")" -eq 2 ] || fail "$output"
	assert [ "$(grep -o 'lsm\.[0-9a-f]*\.c' <<<"$before")" != "$(grep -o 'lsm\.[0-9a-f]*\.c' <<<"$after")" ]
}

@test "a process in a chroot leaves alone the memory of stores whose directory it cannot see" {
	need_containers
	ldd "$(command -v lsm-put)" >/dev/null 2>&1 && skip "a program that is not static does not run in an empty root"
	run -0 unshare -m sh -c '
		mount -t tmpfs none /dev/shm && mkdir -p jail/dev/shm jail/proc && mount --bind /dev/shm jail/dev/shm &&
			mount --bind /proc jail/proc && cp "$(command -v lsm-put)" jail || exit 99
		lsm-put a 1 && ls /dev/shm && echo then && chroot jail /lsm-put -d /store b 2 && ls /dev/shm'
	local before=${output%%then*} after=${output#*then}
	assert_regex "$before" 'lsm\.[0-9a-f]{32}\.c.lsm\.[0-9a-f]{32}\.m1'
	[ "$(grep -c . <<<"$after")" -eq 4 ] || fail "$output"
}
