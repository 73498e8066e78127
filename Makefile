# SPDX-License-Identifier: MIT
#
# make             programs, library and pages into build/
# make check       everything that must hold, in minutes
# make help        the rest

PREFIX ?= /usr/local
DESTDIR ?=
SAN ?=
CC ?= gcc
WERROR ?= -Werror
STATIC ?= $(if $(SAN),,1)

comma := ,
BUILD ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(filter-out gcc cc,$(notdir $(CC))),-$(notdir $(CC)))

VERSION := $(shell sed -n 's/^.define SST_VERSION "\(.*\)"/\1/p' lib/sst.h)
SONAME := libsst.so.$(firstword $(subst ., ,$(VERSION)))

WARN := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef $(WERROR)
OPT ?= -O2
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
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
UNIT_SRC := $(sort $(wildcard tests/unit/*.c))
UNIT := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
FUZZ_SRC := $(sort $(wildcard tests/fuzz/*.c))

.PHONY: all deps demo check check-slow bench install clean help
all: $(PROGRAMS:%=$(BUILD)/%) $(BUILD)/libsst.a $(BUILD)/$(SONAME) $(BUILD)/libsst.pc

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

$(BUILD)/libsst.pc: Makefile lib/sst.h
	@mkdir -p $(@D)
	@printf 'prefix=%s\nlibdir=$${prefix}/lib\nincludedir=$${prefix}/include\n\nName: libsst\nDescription: LSM-tree stores and RocksDB tables\nVersion: %s\nLibs: -L$${libdir} -lsst\nLibs.private: -pthread $(STATIC_LIBS)\nCflags: -I$${includedir}\n' \
		'$(PREFIX)' '$(VERSION)' > $@

# The programs are linked statically: a start of a dynamic one costs as much again as a whole lsm-get.
$(PROGRAMS:%=$(BUILD)/%): $(BUILD)/%: $(BUILD)/obj/bin/%.o $(TOOL_OBJ) $(BUILD)/libsst.a
	$(CC) $(if $(STATIC),-static) $(ALL_LDFLAGS) -o $@ $^ $(if $(STATIC),$(STATIC_LIBS),$(LIBS))

$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libsst.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
