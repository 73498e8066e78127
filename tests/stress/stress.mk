# SPDX-License-Identifier: MIT
#
# make testing     the programs with kill points, faults and traces (-DLSM_TESTING), into $(BUILD)/testing

# What lib/os/sys_testing.c puts in the place of the real functions.
TESTING_WRAP := open openat pread pwrite ftruncate fallocate posix_fallocate fsync fdatasync fstat statx fchmod fchown \
	fcntl renameat unlinkat mkdir rmdir mmap malloc calloc realloc reallocarray pthread_create getrandom \
	write_queue_uring
TESTING_PROGRAMS := lsm-put lsm-get lsm-del lsm-scan lsm-flush sst-build

.PHONY: testing
testing:
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/testing CFLAGS='$(CFLAGS) -DLSM_TESTING' \
		LDFLAGS='$(LDFLAGS) $(TESTING_WRAP:%=-Wl,--wrap=%)' $(TESTING_PROGRAMS:%=$(BUILD)/testing/%)

# Kills from outside: at every call of the kernel.
$(BUILD)/kill_calls: $(BUILD)/obj/tests/stress/kill_calls.o
	$(CC) $(ALL_LDFLAGS) -o $@ $^

CHECK_DEPS += testing $(BUILD)/kill_calls

# Histories of many processes on one store, and their judge.
HISTORY := $(BUILD)/stress/history $(BUILD)/stress/check_history $(BUILD)/stress/storm
CHECK_DEPS += $(HISTORY) testing-history
$(BUILD)/stress/history: $(BUILD)/obj/tests/stress/history.o $(BUILD)/libsst.a
$(BUILD)/stress/storm: $(BUILD)/obj/tests/stress/storm.o $(BUILD)/libsst.a
$(BUILD)/stress/check_history: $(patsubst %,$(BUILD)/obj/tests/stress/%.o,check_history check_order check_keys)
$(HISTORY):
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# With kill points, beside the programs that have them.
.PHONY: testing-history
testing-history: testing
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/testing CFLAGS='$(CFLAGS) -DLSM_TESTING' \
		LDFLAGS='$(LDFLAGS) $(TESTING_WRAP:%=-Wl,--wrap=%)' $(BUILD)/testing/stress/history

# A disk whose power can be cut, where there is libfuse.
ifeq ($(shell pkg-config --exists fuse3 2>/dev/null && echo yes),yes)
CHECK_DEPS += $(BUILD)/stress/cut_disk
endif
$(BUILD)/obj/tests/stress/cut_disk.o: ALL_CFLAGS += $(subst -I,-isystem ,$(shell pkg-config --cflags fuse3))
$(BUILD)/stress/cut_disk: $(patsubst %,$(BUILD)/obj/tests/stress/%.o,cut_disk cut_disk_model cut_disk_reboot) $(BUILD)/libsst.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(shell pkg-config --libs fuse3)
