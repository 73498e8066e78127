#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Many turns on one store between our programs and RocksDB: turns.py, with its environment.
TURNS=${TURNS:-200} exec "$(dirname "$0")/turns.py"
