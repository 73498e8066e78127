# SPDX-License-Identifier: MIT
#
# foreign-make-leveldb: stores that LevelDB makes at random, for tests/slow/60-foreign.bats.

LEVELDB_MAKE := $(BUILD)/leveldb/foreign-make-leveldb
CHECK_DEPS += leveldb

.PHONY: leveldb
leveldb:
	@if echo '#include <leveldb/db.h>' | $(CXX) -std=c++17 -E -x c++ - >/dev/null 2>&1; then \
		$(MAKE) --no-print-directory $(LEVELDB_MAKE); \
	else \
		echo 'leveldb: skipped: no LevelDB headers here (Debian: libleveldb-dev)'; \
	fi

$(LEVELDB_MAKE): tests/leveldb/foreign-make-leveldb.cc
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -O2 -g -Wall -Wextra -Wconversion -Wshadow $(WERROR) -o $@ $< -lleveldb
