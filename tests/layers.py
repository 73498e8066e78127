#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Keeps the architecture true. usage: tests/layers.py [--build DIR] [--cc CC] | --self-test

Each rule below is a function of a tree that yields one line per breach; with no breach it counts as one test
passed. The object files in DIR say what the code really calls, so rules on symbols need a built tree."""

import os
import re
import subprocess
import sys
import tempfile

# A directory, and what its files may include besides sst.h and the C library. Layers only look down.
LAYERS = {
    "lib/base": {"base"},
    "lib/os": {"base", "os"},
    "lib/wal": {"base", "os", "wal"},
    "lib/mem": {"base", "os", "mem"},
    "lib/table": {"base", "os", "table"},
    "lib/version": {"base", "os", "wal", "version"},
    "lib/db": {"base", "os", "wal", "mem", "table", "version", "db"},
}

# Programs are users of the public header. What they share (bin/tool.c, bin/record.c ...) may take computation from
# lib/base instead of copying it. A program that needs more stands here with its reason.
BIN_SHARED = {"base/slice.h", "base/buf.h", "base/coding.h", "base/status.h"}
BIN_EXCEPTIONS = {}

# What any layer may take from outside: computation, memory, strings, and what the compiler adds by itself.
PURE = re.compile(
    r"""^(
      mem(cpy|move|set|cmp|chr|rchr|mem|pcpy)|str[a-z_0-9]*|__(mem|str)\w+_chk|__stpcpy_chk|stpcpy|
      malloc|calloc|realloc|reallocarray|free|aligned_alloc|posix_memalign|malloc_usable_size|
      qsort|qsort_r|bsearch|v?sn?printf|__v?sn?printf_chk|
      strtou?l+|__isoc\d\d_strtou?l+|strtod|__errno_location|__strerror_r|__xpg_strerror_r|strerror_r|
      __ctype_b_loc|tolower|toupper|log2?|exp2?|pow|sqrt|ceil|floor|l?l?round|
      __assert_fail|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__tls_get_addr|
      __atomic_\w+|__aarch64_\w+|__popcountdi2|__cpu_model|__cpu_indicator_init|
      (__asan|__ubsan|__tsan|__sanitizer|__sancov|__start___sancov|__stop___sancov|__gcov|__llvm|__gcc_)\w*|
      (ZSTD|XXH|LZ4|snappy|BZ2)\w*|inflate\w*|crc32\w*
    )$""",
    re.X,
)
# What nobody in the library may take, lib/os included: printing, exiting, signal handlers.
NEVER = re.compile(
    r"""^(
      v?f?w?printf|__v?f?printf_chk|v?dprintf|puts|fputs|fputc|putc|putchar|fwrite|perror|psignal|
      stdin|stdout|stderr|v?(err|errx|warn|warnx)|error|
      exit|_exit|_Exit|quick_exit|abort|atexit|on_exit|__cxa_atexit|
      signal|sigaction|bsd_signal|sysv_signal|__sysv_signal|sigset|siginterrupt
    )$""",
    re.X,
)

SPDX = "SPDX-License-Identifier: MIT"
SOURCE = re.compile(r"(\.(c|h|cc|py|sh|bash|bats|mk|[1-8])|/Makefile|/run)$")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.M)


def files(root, *tops, ending=None):
    for top in tops:
        for where, directories, names in os.walk(os.path.join(root, top)):
            directories[:] = sorted(d for d in directories if not d.startswith("build") and d != ".git")
            for name in sorted(names):
                path = os.path.relpath(os.path.join(where, name), root)
                if ending is None or path.endswith(ending):
                    yield path


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def includes(root, path):
    return INCLUDE.findall(read(root, path))


def layer_of(path):
    return "/".join(path.split("/")[:2])


def rule_includes_look_down(t):
    for path in files(t.root, "lib", ending=(".c", ".h")):
        if path == "lib/sst.h":
            allowed = set()
        elif layer_of(path) in LAYERS:
            allowed = LAYERS[layer_of(path)]
        else:
            yield f"{path}: not in a known layer"
            continue
        for name in includes(t.root, path):
            if name != "sst.h" and name.split("/")[0] not in allowed:
                yield f"{path}: may not include \"{name}\""
            elif not os.path.exists(os.path.join(t.root, "lib", name)):
                yield f"{path}: \"{name}\" does not exist"


def is_program(path):
    return re.match(r"bin/(lsm|sst)-\w+\.c$", path)


def rule_programs_use_the_public_header(t):
    for path in files(t.root, "bin", ending=(".c", ".h")):
        for name in includes(t.root, path):
            own = name == "sst.h" or os.path.exists(os.path.join(t.root, "bin", name))
            shared = name in BIN_SHARED and not is_program(path)
            if not own and not shared and name not in t.bin_exceptions.get(path, {}):
                yield f"{path}: may not include \"{name}\" (exceptions stand in tests/layers.py with a reason)"


def cycle(edges):
    """A cycle in the graph as a list of nodes, or None."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        path.append(node)
        for after in sorted(edges.get(node, ())):
            found = visit(after)
            if found:
                return found
        path.pop()
        done.add(node)
        return None

    for node in sorted(edges):
        found = visit(node)
        if found:
            return found
    return None


def rule_no_cycles(t):
    headers, directories = {}, {}
    for path in files(t.root, "lib", ending=(".c", ".h")):
        for name in includes(t.root, path):
            if path.endswith(".h"):
                headers.setdefault(path, set()).add("lib/" + name)
            here, there = os.path.dirname(path), os.path.dirname("lib/" + name)
            if here != there:
                directories.setdefault(here, set()).add(there)
    for path in files(t.root, "bin", ending=".h"):
        headers[path] = {"bin/" + n for n in includes(t.root, path) if n != "sst.h"}
    for edges in (headers, directories):
        found = cycle(edges)
        if found:
            yield "cycle: " + " -> ".join(found)


def symbols(objects, *options):
    """(object, letter, symbol) for each."""
    if not objects:
        return
    out = subprocess.run(["nm", "-A", *options, *objects], check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        place, letter, name = re.match(r"^(\S+?):\s*[0-9a-f]*\s+(\S)\s+(\S+)$", line).groups()
        yield place, letter, name.split("@")[0]


def outside_symbols(t):
    """(source file, symbol) for what each object of the library takes from outside the library."""
    objects = [p for p in files(t.build, "obj/lib", ending=".o") if os.path.exists(source_of(t, p))]
    seen = list(symbols([os.path.join(t.build, p) for p in objects]))
    own = {name for _, letter, name in seen if letter not in "Uwv"}
    for place, letter, name in seen:
        if letter in "Uw" and name not in own:
            yield os.path.relpath(place, os.path.join(t.build, "obj"))[:-2] + ".c", name


def source_of(t, path):
    return os.path.join(t.root, path[len("obj/"):-2] + ".c")


def rule_only_os_calls_the_kernel(t):
    for path, name in outside_symbols(t):
        if layer_of(path) != "lib/os" and not PURE.match(name):
            yield f"{path}: {name} is not among what may be called outside lib/os"


def rule_library_neither_prints_nor_exits(t):
    for path, name in outside_symbols(t):
        if NEVER.match(name):
            yield f"{path}: uses {name}: the library neither prints nor exits nor handles signals"


def rule_shared_library_exports_the_header(t):
    declared = set(re.findall(r"\b((?:lsm|sst)_\w+)\(", re.sub(r"/\*.*?\*/", "", read(t.root, "lib/sst.h"), flags=re.S)))
    libraries = [os.path.join(t.build, n) for n in os.listdir(t.build) if re.match(r"libsst\.so\.\d+$", n)]
    exported = {name for _, _, name in symbols(libraries, "-D", "--defined-only")}
    exported -= {"__gcov_", "_init", "_fini", "__bss_start", "_edata", "_end"}
    exported = {n for n in exported if not n.startswith(("__asan", "__odr_asan", "__ubsan", "__gcov", "__llvm"))}
    if not libraries:
        yield "no libsst.so"
    for name in sorted(exported - declared):
        yield f"libsst.so exports {name}, which sst.h does not declare"
    for name in sorted(declared - exported):
        yield f"sst.h declares {name}, which libsst.so does not have"


def rule_headers_compile_alone(t):
    for path in files(t.root, "lib", "bin", ending=".h"):
        command = [t.cc, "-std=c17", "-D_GNU_SOURCE", "-Ilib", "-Ibin", "-Wall", "-Wextra", "-fsyntax-only"]
        text = f'#include "{path}"\n#include "{path}"\nint main(void){{return 0;}}\n'
        done = subprocess.run(command + ["-I.", "-xc", "-"], input=text, cwd=t.root, capture_output=True, text=True)
        if done.returncode != 0 or done.stderr:
            yield f"{path}: does not compile alone: {done.stderr.strip().splitlines()[0]}"


def rule_programs_have_pages(t):
    programs = {os.path.basename(p)[:-2] for p in files(t.root, "bin", ending=".c") if is_program(p)}
    pages = {os.path.basename(p)[:-2] for p in files(t.root, "man", ending=".1")}
    for name in sorted(programs - pages):
        yield f"bin/{name}.c: no page man/{name}.1"
    for name in sorted(pages - programs):
        yield f"man/{name}.1: no program"


def rule_licence_lines(t):
    for path in files(t.root, "lib", "bin", "tests", "man", "completions", ".ci"):
        if SOURCE.search("/" + path) and "/corpus/" not in path:
            if not any(SPDX in line for line in read(t.root, path).splitlines()[:3]):
                yield f"{path}: no SPDX line"
    if SPDX not in read(t.root, "Makefile").splitlines()[0]:
        yield "Makefile: no SPDX line"


RULES = [(name[5:].replace("_", " "), rule) for name, rule in list(globals().items()) if name.startswith("rule_")]


NEED_OBJECTS = ("only os calls the kernel", "library neither prints nor exits", "shared library exports the header")


class Tree:
    def __init__(self, root, build, cc):
        self.root, self.build, self.cc = root, build, cc
        self.bin_exceptions = BIN_EXCEPTIONS


def check(tree):
    return {name: list(rule(tree)) for name, rule in RULES}


# ------------------------------------------------------------------------------------------------ self-test

GOOD = {
    "Makefile": f"# {SPDX}\n",
    "lib/sst.h": f"/* {SPDX} */\n#ifndef S\n#define S\n/* not_lsm_x(1) */\nint lsm_x(int n);\n#endif\n",
    "lib/base/a.h": f'/* {SPDX} */\n#ifndef A\n#define A\n#include "sst.h"\n#endif\n',
    "lib/wal/w.h": f'/* {SPDX} */\n#ifndef W\n#define W\n#include "base/a.h"\nint w(int);\n#endif\n',
    "lib/wal/w.c": f'/* {SPDX} */\n#include "wal/w.h"\n#include <string.h>\nint w(int n) {{ return (int)strlen("abc" + n); }}\n'
                   '__attribute__((visibility("default"))) int lsm_x(int n) { return w(n); }\n',
    "lib/os/f.c": f'/* {SPDX} */\n#include <unistd.h>\nint f(void);\nint f(void) {{ return close(3); }}\n',
    "bin/tool.h": f'/* {SPDX} */\n#include "sst.h"\n',
    "bin/lsm-a.c": f'/* {SPDX} */\n#include "tool.h"\n#include "sst.h"\nint main(void) {{ return 0; }}\n',
    "man/lsm-a.1": f'.\\" {SPDX}\n',
}

# A change to the good tree, and the one rule that must notice it.
BREACHES = [
    ({"lib/wal/w.h": GOOD["lib/wal/w.h"].replace("base/a.h", "table/t.h")}, "includes look down"),
    ({"lib/base/b.h": f'/* {SPDX} */\n#ifndef B\n#define B\n#include "wal/w.h"\n#endif\n'}, "includes look down"),
    ({"lib/new/b.c": f'/* {SPDX} */\n'}, "includes look down"),
    ({"bin/lsm-a.c": GOOD["bin/lsm-a.c"].replace('"sst.h"', '"wal/w.h"')}, "programs use the public header"),
    ({"bin/lsm-a.c": GOOD["bin/lsm-a.c"].replace('"sst.h"', '"base/slice.h"')}, "programs use the public header"),
    ({"lib/base/a.h": GOOD["lib/base/a.h"].replace("sst.h", "base/b.h"),
      "lib/base/b.h": f'/* {SPDX} */\n#ifndef B\n#define B\n#include "base/a.h"\n#endif\n'}, "no cycles"),
    ({"lib/wal/w.c": GOOD["lib/wal/w.c"].replace("<string.h>", "<unistd.h>").replace('strlen("abc" + n)', "close(n)")},
     "only os calls the kernel"),
    ({"lib/wal/w.c": GOOD["lib/wal/w.c"].replace("<string.h>", "<pthread.h>")
      .replace('strlen("abc" + n)', "pthread_create(0, 0, 0, 0)")}, "only os calls the kernel"),
    ({"lib/os/f.c": GOOD["lib/os/f.c"].replace("<unistd.h>", "<stdio.h>").replace("close(3)", 'puts("x")')},
     "library neither prints nor exits"),
    ({"lib/os/f.c": GOOD["lib/os/f.c"].replace("<unistd.h>", "<stdlib.h>").replace("return close(3)", "abort()")},
     "library neither prints nor exits"),
    ({"lib/os/f.c": GOOD["lib/os/f.c"].replace("int f(void) {", '__attribute__((visibility("default"))) int f(void) {')},
     "shared library exports the header"),
    ({"lib/sst.h": GOOD["lib/sst.h"].replace("#endif", "int sst_y(void);\n#endif")}, "shared library exports the header"),
    ({"lib/base/a.h": GOOD["lib/base/a.h"].replace('#include "sst.h"', "size_t n;")}, "headers compile alone"),
    ({"lib/base/a.h": GOOD["lib/base/a.h"].replace("#ifndef A", "#if 1\nstruct s { int i; };")}, "headers compile alone"),
    ({"bin/lsm-b.c": GOOD["bin/lsm-a.c"]}, "programs have pages"),
    ({"man/lsm-b.1": GOOD["man/lsm-a.1"]}, "programs have pages"),
    ({"lib/base/a.h": GOOD["lib/base/a.h"].replace(SPDX, "")}, "licence lines"),
]


def plant(root, tree, cc, build):
    for path, text in tree.items():
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        with open(os.path.join(root, path), "w", encoding="utf-8") as f:
            f.write(text)
    if not build:
        return
    pic = []
    for path in sorted(tree):
        if path.startswith("lib/") and path.endswith(".c"):
            out = os.path.join(root, "build/obj", path[:-2] + ".o")
            os.makedirs(os.path.dirname(out), exist_ok=True)
            command = [cc, "-D_GNU_SOURCE", "-w", "-O0", "-fno-builtin", "-fvisibility=hidden", "-fPIC", "-Ilib", "-c"]
            if subprocess.run(command + ["-o", out, path], cwd=root, capture_output=True, check=False).returncode == 0:
                pic.append(out)
    subprocess.run([cc, "-shared", "-o", "build/libsst.so.0", *pic], cwd=root, check=True)


def self_test(cc):
    """How many of the planted trees were judged wrongly: every rule must accept the good one, and one each breach."""
    wrong = 0
    rules = dict(RULES)
    for change, expected in [({}, None)] + BREACHES:
        with tempfile.TemporaryDirectory() as root:
            plant(root, {**GOOD, **change}, cc, expected is None or expected in NEED_OBJECTS)
            tree = Tree(root, os.path.join(root, "build"), cc)
            broken = [name for name in ([expected] if expected else rules) if list(rules[name](tree))]
        if broken != ([expected] if expected else []):
            print(f"self-test: {sorted(change)}: expected {expected}, got {broken}")
            wrong += 1
    return wrong


def main(argv):
    options = dict(zip(argv[1::2], argv[2::2]))
    cc = options.get("--cc", "gcc")
    if "--self-test" in argv:
        wrong = self_test("gcc")
        print(f"layers: {1 + len(BREACHES) - wrong} tests passed")
        return 1 if wrong else 0
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    tree = Tree(root, os.path.abspath(options.get("--build", os.path.join(root, "build"))), cc)
    broken = {name: lines for name, lines in check(tree).items() if lines}
    for name, lines in broken.items():
        print(f"{name}:")
        print("\n".join("    " + line for line in lines))
    wrong = self_test(cc)
    print(f"layers: {len(RULES) - len(broken) + 1 + len(BREACHES) - wrong} tests passed")
    return 1 if broken or wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
