# SPDX-License-Identifier: MIT
#
# make oracle      the judges: programs on librocksdb that say what RocksDB thinks of our files, into
#                  $(BUILD)/oracle; nothing of this project is linked to them. turns.py drives them over a store
#                  that our programs and RocksDB change in turn: a dozen turns in check, hundreds in check-slow

ORACLE := $(patsubst tests/oracle/%.cc,$(BUILD)/oracle/%,$(sort $(wildcard tests/oracle/*.cc)))
ORACLE_WARN := -Wall -Wextra -Wconversion -Wshadow $(WERROR)

CHECK_EXTRA += tests/oracle/turns.py
SLOW_EXTRA += tests/oracle/turns_long.sh

.PHONY: oracle oracle-programs
oracle:
	@if echo '#include <rocksdb/db.h>' | $(CXX) -std=c++17 -E -x c++ - >/dev/null 2>&1; then \
		$(MAKE) --no-print-directory oracle-programs; \
	else \
		echo 'oracle: skipped: no RocksDB headers here (Debian: librocksdb-dev)'; \
	fi

oracle-programs: $(ORACLE)

$(BUILD)/oracle/%: tests/oracle/%.cc
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -O2 -g $(ORACLE_WARN) -MMD -MP -MF $@.d -MT $@ -o $@ $< -lrocksdb
