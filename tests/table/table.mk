# SPDX-License-Identifier: MIT
#
# make_table: a table from lines of text, for tests that let RocksDB judge it.

CHECK_DEPS += $(BUILD)/table/make_table

$(BUILD)/table/make_table: $(BUILD)/obj/tests/table/make_table.o $(BUILD)/libsst.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# make build/bench/bin/bench_builder: the table builder beside zstd alone
$(BUILD)/bench/bin/bench_builder: BENCH_LIBS := $(STATIC_LIBS)
$(BUILD)/bench/bin/bench_builder: $(BUILD)/libsst.a
