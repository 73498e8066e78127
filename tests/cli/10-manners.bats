#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What holds for every program, and the manners that lsm-put, lsm-get, lsm-del and lsm-flush share.

load helper

@test "every program: --help and --version on stdout, exit 0, whatever else is given" {
	local p option
	for p in $(programs); do
		for option in -h --help -V --version; do
			"$p" "$option" >out 2>err || fail "$p $option: exit $?"
			assert [ -s out ]
			assert [ ! -s err ]
			"$p" --no-such-option operand "$option" -F >again 2>err || fail "$p $option: exit $?"
			cmp out again
			assert [ ! -s err ]
		done
		run -0 "$p" --version
		assert_output --regexp "^$p \(lsmkit\) [0-9]+\.[0-9]+\.[0-9]+$"
	done
}

@test "every program: -h prints exactly the SYNOPSIS of its page first" {
	need mandoc
	local p page
	for p in $(programs); do
		page=$ROOT/man/$p.1
		[ -f "$page" ] || continue
		mandoc -Tascii -Owidth=78 "$page" | col -bx |
			sed -n '/^SYNOPSIS/,/^DESCRIPTION/s/^     //p' >page
		"$p" -h | sed '/^$/,$d' >help
		diff page help || fail "$p"
	done
}

@test "every program: its page lists every option of -h, and no other" {
	local p
	for p in $(programs); do
		[ -f "$ROOT/man/$p.1" ] || continue
		"$p" -h | sed -n 's/^ .*--\([a-z-]*\).*/\1/p' | sort -u >help
		sed -n '/^\.Sh OPTIONS/,/^\.Sh/{s/^\.It .*Fl \\\{0,1\}-\([a-z-]*\).*/\1/p}' "$ROOT/man/$p.1" | sort -u >page
		diff page help || fail "$p"
	done
}

@test "every program: a usage error is two lines on stderr, nothing on stdout, exit 2" {
	local p
	for p in $(programs); do
		run --separate-stderr -2 "$p" --no-such-option
		assert_equal "$output" ""
		assert_equal "$stderr" "$p: unknown or ambiguous option '--no-such-option'
Try '$p --help'."
		run --separate-stderr -2 "$p" -Z
		assert_equal "${stderr_lines[0]}" "$p: unknown option '-Z'"
	done
}

@test "every program: --help into a full device exits 3 and says why" {
	local p
	for p in $(programs); do
		run -3 sh -c "$p --help >/dev/full"
		assert_output "$p: write error: No space left on device"
	done
}

@test "no store: use -d DIR or set LSM_DB, exit 2, nothing created" {
	unset LSM_DB
	run -2 lsm-put hello world
	assert_line -n 0 "lsm-put: no store: use -d DIR or set LSM_DB"
	assert_line -n 1 "Try 'lsm-put --help'."
	run -2 lsm-get hello
	run -2 lsm-del hello
	run -2 lsm-flush
	LSM_DB='' run -2 lsm-put hello world
	run ls -A
	assert_output ""
}

@test "only lsm-put creates a store, and only where its parent exists" {
	run -3 lsm-get k
	assert_output --partial "lsm-get: "
	run -3 lsm-del k
	run -3 lsm-flush
	assert_not_exists "$LSM_DB"
	run -3 lsm-put -d nowhere/store k v
	assert_not_exists nowhere
	run -0 lsm-put k v
	assert_exists "$LSM_DB/CURRENT"
}

@test "options: grouped, arguments attached or apart, long ones shortened" {
	run -0 lsm-put -d"$LSM_DB" a 1
	run -0 lsm-put --db "$LSM_DB" b 2
	run -0 lsm-put --db="$LSM_DB" c 3
	run -0 lsm-get -xd "$LSM_DB" 61
	assert_output 31
	run -0 lsm-get --esc b --db="$LSM_DB"
	assert_output 2
	run -2 lsm-flush --if
	assert_line -n 0 "lsm-flush: unknown or ambiguous option '--if'"
	run -2 lsm-flush --print=yes
	assert_line -n 0 "lsm-flush: option '--print' takes no argument"
	run -2 lsm-get a -d
	assert_line -n 0 "lsm-get: option '--db' needs an argument"
}

@test "options may follow operands, but not under POSIXLY_CORRECT" {
	lsm-put a 1
	run -0 lsm-get 61 -x
	assert_output 31
	POSIXLY_CORRECT=1 run -2 lsm-get 61 -x
	assert_line -n 0 "lsm-get: more than one KEY (many: -b)"
}

@test "-- ends the options: keys and values may start with a hyphen" {
	run -0 lsm-put -- -k --value
	run -0 lsm-get -- -k
	assert_output -- --value
	run -0 lsm-put -- - -
	run -0 lsm-get -- -
	assert_output -- -
	run -0 lsm-put - x </dev/null
	run -0 lsm-del -- -k
	run -1 lsm-get -- -k
}

@test "success is silent" {
	run -0 lsm-put k v
	assert_output ""
	run -0 lsm-put -b <<<$'a\tb'
	assert_output ""
	run -0 lsm-del a
	assert_output ""
	run -0 lsm-flush
	assert_output ""
	run -1 lsm-get nope
	assert_output ""
}

@test "options that exclude each other are refused, none is ignored" {
	lsm-put k v
	local line
	while read -r line; do
		# shellcheck disable=SC2086
		run -2 $line </dev/null
		assert_line -n 1 --regexp "^Try 'lsm-[a-z]+ --help'\.$"
	done <<-'END'
		lsm-put
		lsm-put k v more
		lsm-put -e -x k v
		lsm-put -j k v
		lsm-put --atomic k v
		lsm-put --ops k v
		lsm-put -bN
		lsm-put -be
		lsm-put -b0j
		lsm-put -bx -j
		lsm-put -b -F nonsense
		lsm-put -b --ops -F cdb
		lsm-get
		lsm-get k k
		lsm-get -j k
		lsm-get -b k
		lsm-get -bq
		lsm-get -b --default=x
		lsm-get -b -F dump
		lsm-del
		lsm-del -j k
		lsm-del -b k
		lsm-del -bn
		lsm-del -p k k
		lsm-del -bf k
		lsm-del -j -p k
		lsm-flush operand
		lsm-flush -qv
		lsm-flush --frozen --if-age=1
		lsm-flush --if-size=
		lsm-flush --if-size=1X
		lsm-flush --if-size=1KB
		lsm-flush --if-size=99999999999999999999
		lsm-flush --if-age=-1
		lsm-flush --if-age=1.
		lsm-flush -t soon
	END
}

@test "write errors are noticed: exit 3" {
	lsm-put k v
	run -3 sh -c 'lsm-get k >/dev/full'
	assert_output "lsm-get: write error: No space left on device"
	run -3 sh -c 'echo k | lsm-get -b >/dev/full'
	assert_output "lsm-get: write error: No space left on device"
	run -3 sh -c 'lsm-del -n k >/dev/full'
	assert_output "lsm-del: write error: No space left on device"
	run -3 sh -c 'lsm-flush --print >/dev/full'
	assert_output "lsm-flush: write error: No space left on device"
}

@test "closed descriptors: no file of the store becomes 0, 1 or 2, and lost output is an error" {
	run -0 sh -c 'lsm-put k v <&- >&- 2>&-'
	run -3 sh -c 'lsm-get k >&-'
	assert_output "lsm-get: write error: Bad file descriptor"
	run -3 sh -c 'lsm-put k2 <&-'
	assert_output "lsm-put: cannot read standard input: Bad file descriptor"
	run -2 sh -c 'lsm-get --bogus <&- >&- 2>&-'
	run -3 sh -c 'lsm-get k <&- >&- 2>&-'
	run -0 lsm-get k
	assert_output v
	run -0 lsm-flush
	run -1 lsm-get k2
}

@test "SIGPIPE is left at its default: a reader that goes away is no message" {
	seq 100000 | sed 's/.*/k&\tv&/' | lsm-put -b --no-sync
	seq 100000 | sed s/^/k/ >keys
	run bash -c 'trap "" PIPE; { lsm-get -b <keys; echo $? >status; } | head -n 1'
	assert_output "$(printf 'k1\tv1')"
	assert_equal "$(cat status)" 141
}

@test "no locale: the same bytes under C and tr_TR.UTF-8" {
	every_byte | lsm-put I
	LC_ALL=C run -0 lsm-get -e I
	local c=$output
	LC_ALL=tr_TR.UTF-8 run -0 lsm-get -e I
	assert_equal "$output" "$c"
	LC_ALL=tr_TR.UTF-8 run -2 lsm-get --DEFAULT=x k
}

@test "a newline is added on a terminal only" {
	need script
	lsm-put k v
	assert_equal "$(lsm-get k | od -An -tx1)" " 76"
	assert_equal "$(script -qec 'lsm-get k' /dev/null </dev/null | od -An -tx1)" " 76 0d 0a"
}

@test "messages make control characters visible" {
	lsm-put k v
	run -3 lsm-put -b $'no\e[31mfile\n\xff'
	assert_output "lsm-put: cannot open 'no\\x1b[31mfile\\x0a\\xff': No such file or directory"
	run -2 lsm-get -e $'\e\\q'
	assert_line -n 0 --partial "operand '\\x1b\\q'"
}

@test "files obey the umask" {
	(umask 027 && lsm-put k v && lsm-flush)
	run find "$LSM_DB" -type f -perm /027
	assert_output ""
	run find "$LSM_DB" -maxdepth 0 -perm /027
	assert_output ""
}

@test "SIGTERM in the middle of a stream leaves a store that just works" {
	lsm-put first 1
	mkfifo feed
	lsm-put -b <feed 3>&- &
	local writer=$! status=0
	exec 9>feed
	seq 50000 | sed 's/.*/k&\tv&/' >&9
	wait_for lsm-get -q k50000
	kill -TERM "$writer"
	wait "$writer" || status=$?
	exec 9>&-
	assert_equal "$status" 143
	run -0 lsm-get first
	run -0 lsm-put after x
	run -0 lsm-flush
	run -0 lsm-get k50000
	assert_output v50000
	run find "$LSM_DB" -name '*tmp*'
	assert_output ""
}

@test "a limit on file size is an error, not a death by SIGXFSZ" {
	lsm-put k v
	run bash -c 'ulimit -f 64; head -c 1000000 /dev/zero | lsm-put big'
	assert_equal "$status" 3
	assert_output --partial "File too large"
	run -0 lsm-get k
	assert_output v
	run -1 lsm-get big
	run -0 lsm-put k2 v2
}

@test "a store on read-only media, or of somebody else, can be read and not written" {
	[ "$(id -u)" = 0 ] || skip "needs root to become somebody else"
	need setpriv
	make_outside
	export LSM_DB=$outside/store
	cp "$BIN"/lsm-get "$BIN"/lsm-put "$BIN"/lsm-del "$outside"
	nobody() {
		(cd / && setpriv --reuid=65534 --regid=65534 --clear-groups "$outside/$@")
	}
	printf 'a\t1\nb\t2\n' | lsm-put -b
	lsm-flush
	lsm-put c 3
	run -0 nobody lsm-get c
	assert_output 3
	forget_memory
	run -0 nobody lsm-get a
	assert_output 1
	run -0 nobody lsm-get c
	assert_output 3
	run -3 nobody lsm-put d 4
	run -3 nobody lsm-del a
	run -0 lsm-get a
	run -1 lsm-get d
}
