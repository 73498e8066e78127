#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: flips.py [OPTION...] DIR FILE...         files of a store
          flips.py [OPTION...] --tables TABLE...   tables by themselves

Flips every byte of each file in turn and asks the programs, each within 512 MiB (but under sanitizers) and 20 s. A
store is copied without its shared memory: lsm-check, lsm-scan, and lsm-get of some keys. A table: sst-check, sst-dump
both ways, and sst-get of some keys; not sequence numbers, since no checksum covers that of a table made for ingestion.

    named      the check exits 4 and names the file
    harmless   the check says nothing, and all else is as it was before
    dropped    the check says nothing, and the store lacks the last record of a log alone: an unfinished write looks so

Anything else is a failure; so is an answer that is neither the right one nor an error with a message: a table's output
may end early, with exit 4, but what it printed must be right. Prints the harmless and the dropped bytes; ends with 1
if anything failed.

    --flip N    what to flip in each byte; 0: one bit, another one in each byte (default)
    --step N    every Nth byte only (default 1)
    --from N    beginning with this one (default 0)
    --keys N    how many keys to ask for (default 3)"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile

MEMORY = 512 << 20


def limit():
    if not os.environ.get("SAN"):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def run(*argv):
    r = subprocess.run(argv, capture_output=True, timeout=20, check=False, preexec_fn=limit)
    return r.returncode, r.stdout, r.stderr


def ranges(numbers):
    out = []
    for n in numbers:
        if out and out[-1][1] == n - 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return " ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in out) or "none"


def some_keys(lines, count):
    """Of records in hex: some of their keys, the last one among them, and one that is not there."""
    keys = [line.split(b"\t")[0].decode() for line in lines]
    step = max(1, len(keys) // count)
    return list(dict.fromkeys(keys[::-1][::step][:count])) + ["6e6f7420746865726521"]


class Truth:
    """What a store or table answers: {command: (status, stdout)}."""

    def __init__(self, commands):
        self.answers = {c: run(*c)[:2] for c in commands}

    def __eq__(self, other):
        return self.answers == other.answers

    def wrong(self, allowed, streams):
        """What is neither an error nor in one of the allowed truths; None if there is no such thing. Commands in
        `streams` may print a part and fail."""
        for command in self.answers:
            status, out, err = run(*command)
            rights = [t.answers[command] for t in allowed]
            if (status, out) in rights:
                continue
            if status not in (3, 4) or not err:
                return f"{' '.join(command)}: exit {status}, {out!r} {err!r}"
            if out and not (command[0] in streams and any(r[1].startswith(out) for r in rights)):
                return f"{' '.join(command)}: fails, but printed {out!r}"
        return None


class Store:
    """A copy of a store."""

    streams = ("lsm-scan",)

    def __init__(self, where, keys):
        self.where = where
        records = run("lsm-scan", "-x", "-d", where)[1].splitlines()
        assert records
        self.commands = [("lsm-scan", "-x", "-d", where)]
        self.commands += [("lsm-get", "-x", "-d", where, k) for k in some_keys(records, keys)]
        self.check = ("lsm-check", "-d", where)
        self.truth = Truth(self.commands)
        self.cut = self.without_last_record()

    def path(self, file):
        return os.path.join(self.where, file)

    def without_last_record(self):
        """The answers without the last record of the last log; None when there is no record."""
        log = max((n for n in os.listdir(self.where) if n.endswith(".log")), default=None)
        if not log:
            return None
        with open(self.path(log), "rb") as f:
            whole = f.read()
        at = last = 0
        while at + 7 <= len(whole):
            header = 11 if whole[at + 6] in (5, 6, 7, 8) else 7
            last, at = at, at + header + int.from_bytes(whole[at + 4:at + 6], "little")
        os.truncate(self.path(log), last)
        cut = Truth(self.commands)
        with open(self.path(log), "wb") as f:
            f.write(whole)
        return cut

    def allowed(self, file):
        return [self.truth] + ([self.cut] if file.endswith(".log") and self.cut else [])


class Table:
    """A copy of a table."""

    streams = ("sst-dump",)
    cut = None

    def __init__(self, path, keys):
        self.file = path
        records = run("sst-dump", "-ax", path)[1].splitlines()
        self.commands = [("sst-dump", "-x", path), ("sst-dump", "-xr", path)]
        self.commands += [("sst-get", "-x", k, path) for k in some_keys(records, keys)]
        self.check = ("sst-check", path)
        self.truth = Truth(self.commands)

    def path(self, _):
        return self.file

    def allowed(self, _):
        return [self.truth]


def judge(thing, file):
    """The kind of the flip, or what is wrong."""
    status, told, errors = run(*thing.check)
    wrong = Truth.wrong(thing.truth, thing.allowed(file), thing.streams)
    if wrong:
        return wrong
    if status == 4:
        return "named" if os.path.basename(file).encode() in told + errors else f"the check does not name it: {told!r}"
    if status or told or errors:
        return f"the check: exit {status}, {told!r} {errors!r}"
    now = Truth(thing.commands)
    if now == thing.truth:
        return "harmless"
    if thing.cut and now == thing.cut:
        return "dropped"
    return "the check says nothing, but something fails"


def flip_file(thing, file, args):
    """The number of failures."""
    path, bad = thing.path(file), 0
    kinds = {"named": [], "harmless": [], "dropped": []}
    with open(path, "rb") as f:
        whole = f.read()
    for i in range(args.start, len(whole), args.step):
        with open(path, "r+b") as f:
            f.seek(i)
            f.write(bytes([whole[i] ^ (args.flip or 1 << i % 8)]))
        kind = judge(thing, file)
        if kind in kinds and not (kind == "dropped" and not file.endswith(".log")):
            kinds[kind].append(i)
        else:
            bad += 1
            print(f"{file}: byte {i}: {kind}")
        with open(path, "r+b") as f:
            f.seek(i)
            f.write(whole[i:i + 1])
    print(f"{file}: {len(whole)} bytes, {len(kinds['named'])} named; harmless: {ranges(kinds['harmless'])}; "
          f"dropped: {ranges(kinds['dropped'])}")
    return bad


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--flip", type=int, default=0)
    p.add_argument("--step", type=int, default=1)
    p.add_argument("--from", type=int, default=0, dest="start")
    p.add_argument("--keys", type=int, default=3)
    p.add_argument("--tables", action="store_true")
    p.add_argument("files", nargs="+")
    args = p.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as t:
        if args.tables:
            for path in args.files:
                copy = os.path.join(t, os.path.basename(path))
                shutil.copyfile(path, copy)
                assert run("sst-check", copy) == (0, b"", b"")
                bad += flip_file(Table(copy, args.keys), os.path.basename(path), args)
        else:
            where = os.path.join(t, "copy")
            shutil.copytree(args.files[0], where)
            if os.path.exists(os.path.join(where, "LOCK")):
                os.unlink(os.path.join(where, "LOCK"))
            assert run("lsm-check", "-d", where) == (0, b"", b"")
            store = Store(where, args.keys)
            for file in args.files[1:]:
                bad += flip_file(store, file, args)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
