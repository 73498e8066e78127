#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every row of the benchmarks, small: does it run, and are the answers right? BUILD is where the programs are.
exec python3 "$(dirname "$0")/bench.py" --build "${BUILD:-build}" --quick
