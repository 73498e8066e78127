#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: tests/page_table.py write [BLOCK_SIZE] < LINES > TABLE
       tests/page_table.py verify FILE ...
A writer and a checker of tables made from the page sst(5) alone, sharing nothing with the library but what the page
refers to: libxxhash. What `write` makes of lines "key TAB value" (no compression, a filter of 10 bits, sequence number 0) must be, byte
for byte, what sst-build --level=0 makes. `verify` holds footer, metaindex, and every block that these name (unless the
metaindex is compressed), against their checksums, and prints format_version, checksum kind and the number of blocks."""

import ctypes
import re
import struct
import sys

from page_bytes import PAGES

try:
    XX = ctypes.CDLL("libxxhash.so.0")
except OSError:
    sys.exit("page_table: no libxxhash")
XX.XXH3_64bits.restype = XX.XXH64.restype = ctypes.c_uint64
XX.XXH32.restype = ctypes.c_uint32
M32, M64 = 2**32 - 1, 2**64 - 1

# ---------------------------------------------------------------- basic encodings, checksums


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def take_varint(b, at):
    n = shift = 0
    while True:
        n |= (b[at] & 127) << shift
        at += 1
        if b[at - 1] < 128:
            return n, at
        shift += 7


CRC32C = list(range(256))
for _ in range(8):
    CRC32C = [n >> 1 ^ (0x82F63B78 if n & 1 else 0) for n in CRC32C]


def masked_crc32c(b):
    c = M32
    for x in b:
        c = c >> 8 ^ CRC32C[(c ^ x) & 255]
    c ^= M32
    return (c >> 15 | c << 17) + 0xA282EAD8 & M32


def checksum(kind, contents, type):
    both = contents + bytes([type])
    if kind == 1:
        return masked_crc32c(both)
    if kind == 2:
        return XX.XXH32(both, ctypes.c_size_t(len(both)), 0)
    if kind == 3:
        return XX.XXH64(both, ctypes.c_size_t(len(both)), ctypes.c_uint64(0)) & M32
    if kind == 4:
        return XX.XXH3_64bits(contents, ctypes.c_size_t(len(contents))) & M32 ^ type * 0x6B9083D9 & M32
    return 0


# ---------------------------------------------------------------- the filter

SECRET = bytes.fromhex("".join(re.findall(r"^[0-9a-f]{64}$", open(PAGES + "/sst.5", encoding="utf-8").read(), re.M)))
A, B, C = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
D, E = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
a, b, c = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D


def fold(x, y):
    p = (x & M64) * (y & M64)
    return p & M64 ^ p >> 64


def end(h):
    h &= M64
    h ^= h >> 37
    h = h * C & M64
    return h ^ h >> 32


def filter_hash(key):
    n = len(key)

    def S(i, size=8):
        return int.from_bytes(SECRET[i:i + size], "little")

    def R(i, size=8):
        return int.from_bytes(key[i:i + size], "little")

    def mix(i, s):
        return fold(R(i) ^ S(s), R(i + 8) ^ S(s + 8))

    if n == 0:
        return fold(S(0), B)
    if n <= 3:
        return end(((key[0] | key[n // 2] << 8 | key[n - 1] << 16 | n << 24) ^ S(0, 4)) * A)
    if n <= 8:
        k = (R(0, 4) | R(n - 4, 4) << 32) ^ S(0)
        m = n + (k ^ k >> 51) * a & M64
        return end((m ^ m >> 47) * B)
    if n <= 16:
        x, y = R(0) ^ S(0), R(n - 8) ^ S(8)
        return end(n + x + y + fold(x, y))
    if n <= 128:
        return end(n * A + sum(mix(16 * i, 32 * i) + mix(n - 16 - 16 * i, 32 * i + 16) for i in range((n - 1) // 32 + 1)))
    if n <= 240:
        h = end(n * A + sum(mix(16 * i, 16 * i) for i in range(8)))
        return end(h + sum(mix(16 * i, 16 * (i - 8) + 3) for i in range(8, n // 16)) + mix(n - 16, 119))
    acc = [c, A, B, C, D, b, E, a]

    def add(p, s):
        for i in range(8):
            k = R(p + 8 * i) ^ S(s + 8 * i)
            acc[i] = acc[i] + R(p + 8 * i) + (k & M32) * (k >> 32) & M64

    for j in range(n // 64):
        add(64 * j, 8 * (j % 16))
        if j % 16 == 15:
            acc[:] = [(x ^ x >> 47 ^ S(128 + 8 * i)) * a & M64 for i, x in enumerate(acc)]
    if n % 64:
        add(n - 64, 121)
    return end(n * A + sum(fold(acc[2 * i] ^ S(11 + 16 * i), acc[2 * i + 1] ^ S(19 + 16 * i)) for i in range(4)))


def make_filter(keys, bits_per_key=10, probes=6):
    lines = ((len(keys) * bits_per_key + 7) // 8 + 63) // 64
    bits = bytearray(64 * lines)
    for key in keys:
        h = filter_hash(key)
        line, x = (lines * (h & M32)) >> 32, h >> 32
        for _ in range(probes):
            bits[64 * line + (x >> 23) // 8] |= 1 << (x >> 23) % 8
            x = x * 0x9E3779B9 & M32
    return bytes(bits) + bytes([255, 0, probes, 0, 0])


# ---------------------------------------------------------------- writing


class Block:
    def __init__(self, interval):
        self.out, self.restarts, self.interval, self.count, self.last = b"", [0], interval, 0, b""

    def add(self, key, value):
        shared = 0
        if self.count and self.count % self.interval == 0:
            self.restarts.append(len(self.out))
        elif self.count:
            while shared < min(len(key), len(self.last)) and key[shared] == self.last[shared]:
                shared += 1
        self.out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        self.count, self.last = self.count + 1, key

    def bytes(self):
        return self.out + b"".join(struct.pack("<I", r) for r in self.restarts + [len(self.restarts)])


def write(lines, block_size):
    rows = [tuple(line.split(b"\t")) for line in lines]
    out, index, meta, blocks = b"", Block(1), Block(1), 0

    def put(contents):
        nonlocal out
        place = varint(len(out)) + varint(len(contents))
        out += contents + b"\0" + struct.pack("<I", checksum(4, contents, 0))
        return place

    block = first = None
    for i, (key, value) in enumerate(rows):
        key += struct.pack("<Q", 1)
        if not block:
            block, first = Block(16), key
        block.add(key, value)
        following = len(rows[i + 1][0]) + 8 + len(rows[i + 1][1]) if i + 1 < len(rows) else block_size + 1
        if len(block.bytes()) >= block_size or following > block_size:
            index.add(key, put(block.bytes()) + varint(len(first)) + first)
            block, blocks = None, blocks + 1
    data_size = len(out)
    bits = make_filter([key for key, _ in rows])
    filter_at, index_at = put(bits), put(index.bytes())
    properties = Block(2**32)
    number = {b"data.size": data_size, b"deleted.keys": 0, b"filter.size": len(bits), b"index.key.is.user.key": 0,
              b"index.size": len(index.bytes()) + 5, b"index.value.is.delta.encoded": 0, b"merge.operands": 0,
              b"num.data.blocks": blocks, b"num.entries": len(rows), b"num.filter_entries": len(rows),
              b"num.range-deletions": 0, b"raw.key.size": sum(len(k) + 8 for k, _ in rows),
              b"raw.value.size": sum(len(v) for _, v in rows)}
    said = {b"block.based.table.index.type": struct.pack("<I", 3), b"block.based.table.prefix.filtering": b"0",
            b"block.based.table.whole.key.filtering": b"1", b"comparator": b"leveldb.BytewiseComparator",
            b"compression": b"NoCompression", b"external_sst_file.global_seqno": bytes(8),
            b"external_sst_file.version": struct.pack("<I", 2), b"filter.policy": b"bloomfilter",
            **{name: varint(n) for name, n in number.items()}}
    for name, value in sorted(said.items()):
        properties.add(b"rocksdb." + name, value)
    properties_at = put(properties.bytes())
    meta.add(b"fullfilter.rocksdb.BuiltinBloomFilter", filter_at)
    meta.add(b"rocksdb.properties", properties_at)
    ends = put(meta.bytes()) + index_at
    return out + b"\4" + ends.ljust(40, b"\0") + struct.pack("<IQ", 5, 0x88E241B785F4CFF7)


# ---------------------------------------------------------------- verifying


EMPTY = bytes(4)  # a block without entries, for one that is compressed


def entries(block):
    count, = struct.unpack("<I", block[-4:])
    at, key = 0, b""
    while at < len(block) - 4 - 4 * count:
        shared, at = take_varint(block, at)
        unshared, at = take_varint(block, at)
        size, at = take_varint(block, at)
        key = key[:shared] + block[at:at + unshared]
        at += unshared
        yield key, block[at:at + size]
        at += size


def verify(path):
    f = open(path, "rb").read()
    magic = f[-8:].hex()
    if magic == "57fb808b247547db":
        version, kind, base, footer, handles = 0, 1, 0, len(f) - 48, f[-48:-8]
    elif magic == "f7cff485b741e288":
        version, kind, base, footer, handles = f[-12], f[-53], 0, len(f) - 53, f[-52:-12]
    else:
        sys.exit(f"page_table: {path}: no magic of sst(5)")

    def context(offset):
        return base ^ (offset & M32) + (offset >> 32) & M32 if base else 0

    def block(offset, size, name):
        contents, type = f[offset:offset + size], f[offset + size]
        stored, = struct.unpack("<I", f[offset + size + 1:offset + size + 5])
        variants = [contents]
        if name == "rocksdb.properties":  # a global sequence number written later
            number = dict(entries(contents)).get(b"rocksdb.external_sst_file.global_seqno")
            variants += [contents.replace(number, bytes(8))] if number else []
        if not any(stored == checksum(kind, v, type) + context(offset) & M32 for v in variants):
            sys.exit(f"page_table: {path}: block {name} at {offset}: checksum")
        return contents if type == 0 else EMPTY

    blocks = []
    if version >= 6:
        if f[footer + 1:footer + 5].hex() != "3e007a00" or any(f[footer + 17:footer + 41]):
            sys.exit(f"page_table: {path}: footer")
        told, base, size = struct.unpack("<III", f[footer + 5:footer + 17])
        zeroed = f[footer:footer + 5] + bytes(4) + f[footer + 9:]
        if told != checksum(kind, zeroed[:-1], zeroed[-1]) + context(footer) & M32:
            sys.exit(f"page_table: {path}: checksum of the footer")
        place = (footer - 5 - size, size)
    else:
        offset, at = take_varint(handles, 0)
        size, at = take_varint(handles, at)
        place = (offset, size)
        index, at = take_varint(handles, at)
        blocks.append((index, take_varint(handles, at)[0], "index"))
    for name, value in entries(block(*place, "metaindex")):
        offset, at = take_varint(value, 0)
        blocks.append((offset, take_varint(value, at)[0], name.decode()))
    for b in blocks:
        block(*b)
    return version, kind, len(blocks) + 1


if __name__ == "__main__":
    if sys.argv[1] == "write":
        lines = sys.stdin.buffer.read().splitlines()
        sys.stdout.buffer.write(write(lines, int(sys.argv[2]) if len(sys.argv) > 2 else 16384))
    else:
        for path in sys.argv[2:]:
            print(path, *verify(path))
