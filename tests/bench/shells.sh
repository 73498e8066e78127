#!/bin/sh
# SPDX-License-Identifier: MIT
#
# shells.sh SHELLS PUTS COMMAND: SHELLS shells at once, each running COMMAND (shell text that stores one record
# under the key in $k) PUTS times. Each prints how many of its commands said that they stored.
shells=$1 puts=$2 command=$3
s=0
while [ "$s" -lt "$shells" ]; do
	(
		i=0 stored=0
		while [ "$i" -lt "$puts" ]; do
			k=key-$s-$i
			if eval "$command" >/dev/null 2>&1; then
				stored=$((stored + 1))
			fi
			i=$((i + 1))
		done
		echo "$stored"
	) &
	s=$((s + 1))
done
wait
