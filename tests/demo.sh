#!/bin/bash
# SPDX-License-Identifier: MIT
#
# usage: tests/demo.sh BUILD
# The main job on real input: what this machine knows of its packages and files goes through lsm-put into a store,
# a flush makes tables of it, and every step is checked: by our tools, and by RocksDB's where they are installed.
set -euo pipefail
export LC_ALL=C
build=$(realpath "$1")
cd "$build"
rm -rf demo
mkdir demo
cd demo
PATH=$build:$PATH
export LSM_DB=$PWD/machine.lsm

# The shared memory of the store goes with it; its names hold the token that stands at byte 16 of LOCK.
clean_up() {
	[ -f "$LSM_DB/LOCK" ] || return 0
	local token
	token=$(od -An -v -tx1 -j16 -N16 "$LSM_DB/LOCK" | tr -d ' \n')
	[ ${#token} -ne 32 ] || rm -f "/dev/shm/lsm.$token".*
}
trap clean_up EXIT

begin=$EPOCHREALTIME
show() { printf '\n$ %s\n' "$*"; }
took() {
	awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "  (%.2f s)\n", b - a }'
	begin=$EPOCHREALTIME
}
expect() {
	[ "$2" = "$3" ] && return
	echo "demo: $1: expected '$3', got '$2'" >&2
	exit 1
}

# Records as KEY NUL VALUE NUL: file names may hold anything else. Files change while we look, the input does not.
echo "What this machine knows: its packages, who owns which path, its files."
{
	dpkg-query -W -f 'package:${Package}:${Architecture}\t${Version} ${Installed-Size} KiB\n' | tr '\t\n' '\0\0'
	for list in /var/lib/dpkg/info/*.list; do
		package=${list##*/}
		sed "s|^|owner:|; s|\$|\t${package%.list}|" "$list"
	done | tr '\t\n' '\0\0'
	find / -xdev -path "$build" -prune -o -printf 'file:%p\0%s bytes, %TF\0' 2>/dev/null |
		head -z -n 2000000 || true
} >records
records=$(($(tr -dc '\0' <records | wc -c) / 2))
keys=$(tr '\n\0' '\1\n' <records | sed -n 'p;n' | sort -u | wc -l)
echo "$records records, $keys different keys, $(stat -c %s records) bytes"
took

show "lsm-put --batch --null < records"
lsm-put --batch --null <records
took

key=package:dpkg:$(dpkg --print-architecture)
show "lsm-get $key                  # from the memtable"
version=$(lsm-get "$key")
echo "$version"
expect "version of dpkg" "${version%% *}" "$(dpkg-query -W -f '${Version}' dpkg)"
took

show "lsm-flush -v"
lsm-flush -v
took
ls -s --block-size=1 "$LSM_DB"

show "lsm-get owner:/usr/bin/dpkg                  # from the table"
owner=$(lsm-get owner:/usr/bin/dpkg)
echo "$owner"
expect "owner of /usr/bin/dpkg" "$owner" dpkg
took

show "sst-get owner:/usr/bin/dpkg machine.lsm/*.sst"
owner=$(sst-get owner:/usr/bin/dpkg "$LSM_DB"/*.sst)
echo "$owner"
expect "sst-get" "$owner" dpkg
took

if command -v ldb >/dev/null && command -v sst_dump >/dev/null; then
	show "ldb scan --db=machine.lsm --hex | wc -l      # RocksDB reads the store"
	seen=$(ldb scan --db="$LSM_DB" --hex 2>&1 | grep -c '^0x' || true)
	echo "$seen"
	expect "keys that RocksDB sees" "$seen" "$keys"
	took
	show "ldb get --db=machine.lsm owner:/usr/bin/dpkg"
	owner=$(ldb get --db="$LSM_DB" owner:/usr/bin/dpkg)
	echo "$owner"
	expect "ldb get" "$owner" dpkg
	for table in "$LSM_DB"/*.sst; do
		show "sst_dump --command=verify --file=${table##*/}"
		sst_dump --command=verify --file="$table" 2>&1 | grep 'The file is ok'
	done
	took
else
	echo "RocksDB's tools are not installed here (rocksdb-tools): its view is not shown."
fi

printf '\ndemo: %d records, %d keys: all there. The store is %s\n' "$records" "$keys" "$LSM_DB"
