#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: flips.py DIR FILE... : flips one bit of every byte of FILEs in turn, in a copy of the store DIR without its
shared memory, and asks lsm-check and lsm-scan.

    named      lsm-check exits 4 and names the file
    harmless   lsm-check says nothing, and lsm-scan prints what it printed before
    dropped    lsm-check says nothing, and lsm-scan misses the last record of a log alone: an unfinished write looks so

Anything else is a failure; so is an answer of lsm-scan that is neither the right one nor an error (nor, if dropped, the
right one without that record). Prints the harmless and the dropped bytes; ends with 1 if anything failed."""

import os
import shutil
import subprocess
import sys
import tempfile


def run(*argv):
    r = subprocess.run(argv, capture_output=True, timeout=60, check=False)
    return r.returncode, r.stdout, r.stderr


def ranges(numbers):
    out = []
    for n in numbers:
        if out and out[-1][1] == n - 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return " ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in out) or "none"


def judge(where, file, right, without_last):
    """The kind of the flip, or what is wrong."""
    status, told, errors = run("lsm-check", "-d", where)
    scan_status, scanned, _ = run("lsm-scan", "-d", where)
    if scan_status == 0 and scanned not in (right, without_last) or scan_status not in (0, 3, 4):
        return f"lsm-scan: exit {scan_status}, {scanned!r}"
    if status == 4:
        return "named" if file.encode() in told else f"lsm-check does not name it: {told!r}"
    if status or told or errors:
        return f"lsm-check: exit {status}, {told!r} {errors!r}"
    if scan_status:
        return f"lsm-scan fails ({scan_status}), lsm-check says nothing"
    return "harmless" if scanned == right else "dropped"


def without_last_record(where):
    log = max(n for n in os.listdir(where) if n.endswith(".log"))
    path = os.path.join(where, log)
    with open(path, "rb") as f:
        whole = f.read()
    at = last = 0
    while at < len(whole):
        last, at = at, at + 7 + int.from_bytes(whole[at + 4:at + 6], "little")
    os.truncate(path, last)
    status, out, _ = run("lsm-scan", "-d", where)
    assert status == 0
    with open(path, "wb") as f:
        f.write(whole)
    return out


def main():
    bad = 0
    with tempfile.TemporaryDirectory() as t:
        where = os.path.join(t, "copy")
        shutil.copytree(sys.argv[1], where)
        os.unlink(os.path.join(where, "LOCK"))
        assert run("lsm-check", "-d", where) == (0, b"", b"")
        right = run("lsm-scan", "-d", where)[1]
        assert right
        without_last = without_last_record(where)
        for file in sys.argv[2:]:
            path = os.path.join(where, file)
            kinds = {"named": [], "harmless": [], "dropped": []}
            with open(path, "rb") as f:
                whole = f.read()
            for i, byte in enumerate(whole):
                with open(path, "wb") as f:
                    f.write(whole[:i] + bytes([byte ^ 1 << i % 8]) + whole[i + 1:])
                kind = judge(where, file, right, without_last)
                if kind in kinds and not (kind == "dropped" and not file.endswith(".log")):
                    kinds[kind].append(i)
                else:
                    bad += 1
                    print(f"{file}: byte {i}: {kind}")
            with open(path, "wb") as f:
                f.write(whole)
            print(f"{file}: {len(whole)} bytes, {len(kinds['named'])} named; harmless: {ranges(kinds['harmless'])}; "
                  f"dropped: {ranges(kinds['dropped'])}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
