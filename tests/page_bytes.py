#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: tests/page_bytes.py PAGE [N] > FILE
Writes the bytes of the N-th (0: first) annotated dump of a manual page: lines "0032  00  67 68 "text" 00*34" with a
running address, which is checked, so that the tools can be asked what they think of a documented example."""

import os
import re
import sys

PAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "man")
LINE = re.compile(r"^([0-9a-f]{4})  (.*)$")
TOKEN = re.compile(r'\s+|"([^"]*)"|([0-9a-f]{2})\*(\d+)|([0-9a-f]{2})')


def decode(text):
    out, at = bytearray(), 0
    while at < len(text):
        m = TOKEN.match(text, at)
        if not m:
            sys.exit(f"page_bytes: not bytes: {text[at:]}")
        word, repeated, times, byte = m.groups()
        if word is not None:
            out += word.encode()
        elif repeated:
            out += bytes.fromhex(repeated) * int(times)
        elif byte:
            out += bytes.fromhex(byte)
        at = m.end()
    return out


def dumps(page):
    found = []
    for line in open(page, encoding="utf-8"):
        m = LINE.match(line.rstrip("\n"))
        if not m:
            continue
        address = int(m.group(1), 16)
        if address == 0:
            found.append(bytearray())
        if address != len(found[-1]):
            sys.exit(f"page_bytes: {page}: {m.group(1)} where {len(found[-1]):04x} is due")
        found[-1] += decode(m.group(2))
    return found


if __name__ == "__main__":
    sys.stdout.buffer.write(dumps(sys.argv[1])[int(sys.argv[2]) if len(sys.argv) > 2 else 0])
