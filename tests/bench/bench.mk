# SPDX-License-Identifier: MIT
#
# make bench [ROW=flush] [QUICK=1]   every row of the goals, us beside the peers: tests/bench/bench.py
# make bench-deps                    installs the peers (Debian); a peer that is absent is skipped with a message

BENCH := $(BUILD)/bench
BENCH_BIN := $(BENCH)/bin
BENCH_CFLAGS = $(filter-out $(SANFLAGS),$(ALL_CFLAGS))
BENCH_CXXFLAGS := -std=c++17 -O2 -g -Wall -Wextra -Wconversion -Wshadow $(WERROR) -Ilib

# NAME header libraries: built when the header is there
BENCH_PEERS := rocksdb leveldb lmdb sqlite cdb mtbl
PEER_HEADER_rocksdb := rocksdb/db.h
PEER_HEADER_leveldb := leveldb/db.h
PEER_HEADER_lmdb := lmdb.h
PEER_HEADER_sqlite := sqlite3.h
PEER_HEADER_cdb := cdb.h
PEER_HEADER_mtbl := mtbl.h
PEER_LIBS_rocksdb := -lrocksdb
PEER_LIBS_leveldb := -lleveldb
PEER_LIBS_lmdb := -llmdb
PEER_LIBS_sqlite := -lsqlite3
PEER_LIBS_cdb := -lcdb
PEER_LIBS_mtbl := -lmtbl
PEER_ONESHOT := rocksdb leveldb lmdb

BENCH_FLOORS := $(addprefix $(BENCH_BIN)/,spawn_timer gen fdatasync_floor zstd_floor disk_floor empty_static empty_dynamic)
# bench_*.c measure parts that the public header does not show: they use the library's own headers.
BENCH_INSIDE := $(patsubst tests/bench/%.c,$(BENCH_BIN)/%,$(sort $(wildcard tests/bench/bench_*.c)))
BENCH_OURS := $(BENCH_BIN)/lib_sst $(BENCH_INSIDE)

.PHONY: bench bench-programs bench-deps $(BENCH_PEERS:%=bench-peer-%)
bench: all bench-programs
	python3 tests/bench/bench.py --build $(BUILD) $(if $(QUICK),--quick) $(ROW)

# That every row still runs is checked; how fast it is, is not.
ifeq ($(SAN),)
SLOW_EXTRA += tests/bench/quick.sh
check-slow: bench-programs
endif

bench-programs: $(BENCH_FLOORS) $(BENCH_OURS) $(BENCH_PEERS:%=bench-peer-%)

# (what the makes below share is made before them)
$(BENCH_PEERS:%=bench-peer-%): bench-peer-%: | $(BENCH)/obj/harness.o $(BUILD)/libsst.a
	@if echo '#include <$(PEER_HEADER_$*)>' | $(CXX) -std=c++17 -E -x c++ - >/dev/null 2>&1; then \
		$(MAKE) -s --no-print-directory $(BENCH_BIN)/lib_$* \
			$(if $(filter $*,$(PEER_ONESHOT)),$(BENCH_BIN)/oneshot_$*); \
	else \
		echo 'bench: no $(PEER_HEADER_$*): no $* in the rows (make bench-deps)'; \
	fi

bench-deps:
	apt-get install -y --no-install-recommends librocksdb-dev rocksdb-tools libleveldb-dev liblmdb-dev \
		lmdb-utils libsqlite3-dev sqlite3 libcdb-dev tinycdb libmtbl-dev mtbl-bin tdb-tools gdbmtool \
		redis-server redis-tools gnuplot-nox

$(BENCH)/obj/%.o: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -MMD -MP -c -o $@ $<

$(BENCH)/obj/%.o: tests/bench/%.cc
	@mkdir -p $(@D)
	$(CXX) $(BENCH_CXXFLAGS) -MMD -MP -c -o $@ $<

$(BENCH_BIN)/%: $(BENCH)/obj/%.o
	@mkdir -p $(@D)
	$(CXX) -pthread -o $@ $^ $(BENCH_LIBS)

$(BENCH_BIN)/empty_dynamic: $(BENCH)/obj/empty.o
	@mkdir -p $(@D)
	$(CC) -o $@ $^

$(BENCH_BIN)/empty_static: $(BENCH)/obj/empty.o
	@mkdir -p $(@D)
	$(CC) -static -o $@ $^

$(BENCH_BIN)/spawn_timer: $(BENCH)/obj/spawn_timer.o
	@mkdir -p $(@D)
	$(CC) -static -o $@ $^

$(BENCH_BIN)/zstd_floor: BENCH_LIBS := -lzstd
$(BENCH_BIN)/disk_floor: BENCH_LIBS := -luring
$(foreach p,$(BENCH_PEERS),$(eval $(BENCH_BIN)/lib_$(p) $(BENCH_BIN)/oneshot_$(p): BENCH_LIBS := $(PEER_LIBS_$(p))))
$(BENCH_OURS): BENCH_LIBS := $(STATIC_LIBS)

$(BENCH_BIN)/lib_%: $(BENCH)/obj/engine_%.o $(BENCH)/obj/harness.o
	@mkdir -p $(@D)
	$(CXX) -pthread -o $@ $^ $(BENCH_LIBS)

$(BENCH_OURS): $(BUILD)/libsst.a
