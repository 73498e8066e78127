#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs what a bare Debian 12 lacks to build and to test; does nothing when all of it is there.
set -eu

packages="gcc g++ make pkg-config python3 libc6-dev
	liburing-dev libzstd-dev libxxhash-dev libsnappy-dev liblz4-dev zlib1g-dev libbz2-dev
	bats bats-assert bats-support bats-file mandoc bsdextrautils procps util-linux
	jq tinycdb lmdb-utils db-util rocksdb-tools librocksdb-dev libleveldb-dev
	libfuse3-dev fuse3"

missing=
for p in $packages; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) || status=
	[ "$status" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "deps: not root and no sudo; ask an administrator for: apt-get install$missing" >&2
		exit 1
	fi
	as_root=sudo
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
quietly() {
	"$@" >"$log" 2>&1 || { cat "$log" >&2; echo "deps: failed: $*" >&2; exit 1; }
}
echo "deps: installing$missing"
quietly $as_root apt-get -q update
# shellcheck disable=SC2086
quietly $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $missing
