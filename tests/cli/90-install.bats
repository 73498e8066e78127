#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What `make install` leaves behind is usable: files in their places, and a consumer that compiles the example of
# libsst(3) against nothing else.

load helper

setup_file() {
	[ -z "${SAN-}" ] || skip "a sanitized library is not for installing"
	export PREFIX=$BATS_FILE_TMPDIR/usr
	make -s -C "$ROOT" BUILD="$BIN" CC="${CC:-gcc}" PREFIX="$PREFIX" install
	export PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig
	page_example 1 >"$BATS_FILE_TMPDIR/greet.c"
	page_example 2 >"$BATS_FILE_TMPDIR/keys.c"
}

# The n-th program in libsst(3).
page_example() {
	awk -v n="$1" '/^\.Ed/ { on = 0 } on && k == n { gsub(/\\e/, "\\"); print } /^\.Bd -literal$/ { on = 1; k++ }' \
		"$ROOT/man/libsst.3"
}

@test "install: programs, library, header and pages are in their places" {
	for program in "$ROOT"/bin/lsm-*.c "$ROOT"/bin/sst-*.c; do
		program=${program##*/}
		assert_file_executable "$PREFIX/bin/${program%.c}"
	done
	assert_file_exist "$PREFIX/include/sst.h"
	assert_file_exist "$PREFIX/lib/libsst.a"
	assert_symlink_to "$PREFIX/lib/libsst.so.0" "$PREFIX/lib/libsst.so"
	for page in "$ROOT"/man/*.[1-8]; do
		assert_file_exist "$PREFIX/share/man/man${page##*.}/${page##*/}"
	done
}

@test "install: DESTDIR is where files go, PREFIX what they say" {
	make -s -C "$ROOT" BUILD="$BIN" CC="${CC:-gcc}" DESTDIR="$BATS_TEST_TMPDIR/stage" PREFIX=/opt/lsm install
	assert_file_executable stage/opt/lsm/bin/lsm-put
	assert_file_contains stage/opt/lsm/lib/pkgconfig/libsst.pc '^prefix=/opt/lsm$'
	run grep -r "$BATS_TEST_TMPDIR" stage/opt/lsm/lib/pkgconfig
	assert_failure
}

# build NAME [OPTION]: an example, linked as OPTION says.
build() {
	# shellcheck disable=SC2046
	"${CC:-gcc}" -std=c17 -Wall -Wextra -Werror ${2-} -o "$1" "$BATS_FILE_TMPDIR/$1.c" \
		$(pkg-config ${2:+--static} --cflags --libs libsst)
}

@test "install: the examples of libsst(3) build and run against the shared library" {
	build greet
	run readelf -d greet
	assert_output --partial 'Shared library: [libsst.so.0]'
	export LD_LIBRARY_PATH=$PREFIX/lib
	run ./greet
	assert_success
	assert_output world
	"$PREFIX/bin/lsm-flush" -d notes.lsm
	build keys
	run ./keys notes.lsm/*.sst
	assert_success
	assert_output hello
	run ./keys notes.lsm/CURRENT
	assert_failure
	assert_output --partial CURRENT
}

@test "install: the example of libsst(3) builds and runs as a static program" {
	build greet -static
	run ./greet
	assert_success
	assert_output world
	run "$PREFIX/bin/lsm-get" -d notes.lsm hello
	assert_output world
}

@test "install: the header compiles as C11 and as C++" {
	echo '#include <sst.h>' >use.c
	# shellcheck disable=SC2046
	"${CC:-gcc}" -std=c11 -Wall -Wextra -pedantic -Werror -fsyntax-only $(pkg-config --cflags libsst) use.c
	# shellcheck disable=SC2046
	g++ -std=c++11 -Wall -Wextra -pedantic -Werror -fsyntax-only -x c++ $(pkg-config --cflags libsst) use.c
}

@test "install: programs do not need the shared library" {
	run ldd "$PREFIX/bin/lsm-get"
	refute_output --partial libsst
}
