# SPDX-License-Identifier: MIT
# The fuzz target of the record forms needs what the programs share.
$(BUILD)/replay/fuzz_record: $(TOOL_OBJ:$(BUILD)/obj/%=$(REPLAY_DIR)/%)
$(BUILD)/libfuzzer/fuzz_record: $(TOOL_OBJ)
$(BUILD)/libfuzzer/fuzz_record: LIBS := $(BUILD)/libsst.a $(LIBS) # once more, behind those
$(BUILD)/obj/tests/fuzz/fuzz_record.o $(BUILD)/san/tests/fuzz/fuzz_record.o: ALL_CFLAGS += -Ibin
