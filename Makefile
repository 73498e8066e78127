# SPDX-License-Identifier: MIT
#
# make             programs and library into build/
# make check       everything that must hold, in minutes
# make help        the rest
#
# SAN=address,undefined (or thread) and CC=clang choose other builds, each in a directory of its own. Directories
# under tests/ may bring a NAME.mk: it can add programs to CHECK_DEPS and commands to CHECK_EXTRA and SLOW_EXTRA
# (see tests/check.sh for what such a command prints).

PREFIX ?= /usr/local
DESTDIR ?=
SAN ?=
ifeq ($(origin CC),default)
CC := gcc
endif
WERROR ?= -Werror
STATIC ?= $(if $(SAN),,1)
SECONDS ?= 60
JOBS ?= 2

comma := ,
BUILD ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(filter-out gcc cc,$(notdir $(CC))),-$(notdir $(CC)))

VERSION := $(shell sed -n 's/^.define SST_VERSION "\(.*\)"/\1/p' lib/sst.h)
SONAME := libsst.so.$(firstword $(subst ., ,$(VERSION)))

WARN := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef $(WERROR)
OPT ?= -O2
sanitize = $(if $(1),-fsanitize=$(1) -fno-sanitize-recover=all -fno-omit-frame-pointer)
SANFLAGS = $(call sanitize,$(SAN))
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -Ilib $(OPT) -g -fvisibility=hidden -pthread $(WARN) $(SANFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pthread $(SANFLAGS) $(LDFLAGS)
LIBS := -luring -lzstd -lxxhash -lsnappy -llz4 -lz -lbz2
STATIC_LIBS := $(LIBS) -lstdc++ -lm

LIB_SRC := $(sort $(wildcard lib/*/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
PIC_OBJ := $(LIB_SRC:%.c=$(BUILD)/pic/%.o)
TOOL_SRC := $(sort $(wildcard bin/*.c))
PROGRAMS := $(patsubst bin/%.c,%,$(filter bin/lsm-%.c bin/sst-%.c,$(TOOL_SRC)))
TOOL_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out bin/lsm-%.c bin/sst-%.c,$(TOOL_SRC)))
PAGES := $(sort $(wildcard man/*.[1-8]))
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
FUZZ_NAMES := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
REPLAY := $(FUZZ_NAMES:%=$(BUILD)/replay/%)
BATS := $(sort $(wildcard tests/cli/*.bats))
SLOW_BATS := $(sort $(wildcard tests/slow/*.bats))
CHECK_DEPS := $(if $(wildcard tests/oracle/oracle.mk),oracle)
CHECK_EXTRA :=
SLOW_EXTRA :=

.PHONY: all deps demo check check-quick check-slow fuzz fuzz-run coverage bench install clean help

all: $(PROGRAMS:%=$(BUILD)/%) $(BUILD)/libsst.a $(BUILD)/$(SONAME) ## programs and library into build/

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/pic/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fPIC -MMD -MP -c -o $@ $<

$(BUILD)/libsst.a: $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/$(SONAME): $(PIC_OBJ)
	$(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,$(SONAME) -o $@ $^ $(LIBS)
	ln -sf $(SONAME) $(BUILD)/libsst.so

# The programs are linked statically: a start of a dynamic one costs as much again as a whole lsm-get.
$(PROGRAMS:%=$(BUILD)/%): $(BUILD)/%: $(BUILD)/obj/bin/%.o $(TOOL_OBJ) $(BUILD)/libsst.a
	$(CC) $(if $(STATIC),-static) $(ALL_LDFLAGS) -o $@ $^ $(if $(STATIC),$(STATIC_LIBS),$(LIBS))

$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libsst.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# Tests of what the programs share.
$(BUILD)/obj/tests/unit/test_tool_%.o: ALL_CFLAGS += -Ibin
$(BUILD)/unit/test_tool_%: $(BUILD)/obj/tests/unit/test_tool_%.o $(TOOL_OBJ) $(BUILD)/libsst.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# Fuzz targets for `make check`: fed from their corpus, under sanitizers in every build where the compiler has them.
REPLAY_SAN = $(eval REPLAY_SAN := $(or $(SAN),$(shell echo 'int main(void){return 0;}' | \
	$(CC) -fsanitize=address,undefined -x c -o /dev/null - 2>/dev/null && echo address,undefined)))$(REPLAY_SAN)
REPLAY_DIR := $(BUILD)/$(if $(SAN),obj,san)
$(BUILD)/san/%.o $(BUILD)/replay/%: SANFLAGS = $(call sanitize,$(REPLAY_SAN))

$(BUILD)/san/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/replay/%: $(REPLAY_DIR)/tests/fuzz/%.o $(REPLAY_DIR)/tests/fuzz/replay_main.o $(LIB_SRC:%.c=$(REPLAY_DIR)/%.o)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# The same targets under libFuzzer; what it finds new is kept in build-fuzz/corpus.
$(BUILD)/libfuzzer/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/libsst.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

fuzz: ## every parser under libFuzzer, SECONDS=60 each (needs clang); ONLY=fuzz_x for one of them
	$(MAKE) CC=clang SAN=fuzzer-no-link,address,undefined BUILD=build-fuzz fuzz-run

fuzz-run: $(patsubst %,$(BUILD)/libfuzzer/%,$(or $(ONLY),$(FUZZ_NAMES)))
	tests/fuzz/run.sh $(BUILD) $(SECONDS) $(or $(ONLY),$(FUZZ_NAMES))

bench: ## the rows of goals: our figures beside every peer installed

-include $(sort $(wildcard tests/*/*.mk))

export LSM_CORPUS ?= $(abspath ../shared/corpus)
CHECK := BUILD='$(abspath $(BUILD))' CC='$(CC)' SAN='$(SAN)' JOBS='$(JOBS)' tests/check.sh

check: all $(UNIT) $(REPLAY) $(CHECK_DEPS) ## everything that must hold, in minutes
	@$(CHECK) layers $(UNIT) $(REPLAY) $(BATS) $(PAGES) $(CHECK_EXTRA)

check-quick: all $(UNIT) $(REPLAY) ## unit tests and fuzz corpus only
	@$(CHECK) $(UNIT) $(REPLAY)

check-slow: all $(UNIT) $(CHECK_DEPS) ## the long ones: corpus, crash states, stress
	@TIMEOUT=7200 $(CHECK) $(SLOW_BATS) $(SLOW_EXTRA)

# (Some tests show programs no directory to write to; then their counts are lost and, but for GCOV_ERROR_FILE, said so. What
# fails here for that, or for being slow, is for `make check` to judge.)
coverage: ## what `make check` and each error of the system run of lib/ and bin/: lines and branches, file by file
	-GCOV_ERROR_FILE=/dev/null $(MAKE) BUILD=build-coverage STATIC= WERROR= OPT=-O0 \
		CFLAGS='--coverage -fprofile-update=atomic $(CFLAGS)' LDFLAGS='--coverage $(LDFLAGS)' check
	-GCOV_ERROR_FILE=/dev/null python3 tests/stress/errors.py build-coverage/testing --jobs $(JOBS)
	tests/coverage.sh build-coverage

demo: all ## the main job on this machine's own package database and file tree
	@tests/demo.sh $(BUILD)

deps: ## installs what a bare Debian 12 lacks to build and test
	@tests/deps.sh

LIBDIR = $(DESTDIR)$(PREFIX)/lib
SHARE = $(DESTDIR)$(PREFIX)/share
install: all ## programs, library, header, pages below DESTDIR= PREFIX=/usr/local
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include $(LIBDIR)/pkgconfig
	install -m 755 $(PROGRAMS:%=$(BUILD)/%) $(DESTDIR)$(PREFIX)/bin
	install -m 644 lib/sst.h $(DESTDIR)$(PREFIX)/include
	install -m 644 $(BUILD)/libsst.a $(LIBDIR)
	install -m 755 $(BUILD)/$(SONAME) $(LIBDIR)
	ln -sf $(SONAME) $(LIBDIR)/libsst.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@LIBS@|$(STATIC_LIBS)|' \
		lib/libsst.pc.in > $(LIBDIR)/pkgconfig/libsst.pc
	for page in $(PAGES); do \
		install -D -m 644 $$page $(SHARE)/man/man$${page##*.}/$${page##*/} || exit 1; done
	for file in $(wildcard completions/*.bash); do name=$${file##*/}; \
		install -D -m 644 $$file $(SHARE)/bash-completion/completions/$${name%.bash} || exit 1; done
	for file in $(wildcard completions/_*); do \
		install -D -m 644 $$file $(SHARE)/zsh/site-functions/$${file##*/} || exit 1; done

clean: ## removes every build directory
	rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '  make %-12s %s\n' "$$name" "$$text"; done

.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
