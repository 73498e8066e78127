#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tables and stores made to hurt whoever reads them, every checksum right: sizes no file has, references in circles, one
block named again and again, much out of little. usage: hostile.py --list | hostile.py NAME PATH |
hostile.py --all DIR

--list prints for each its name and kind, `table` or `store`; --all makes DIR/KIND/NAME of all but those of a tebibyte. Written, as lies.py, from the pages alone."""

import bz2
import os
import struct
import sys
import zlib

from lies import Meta, Store, batch, block, ikey, log, masked, piece, varint

HUGE = 1 << 60
ALL = {}


def hostile(kind):
    def add(f):
        ALL[f.__name__.replace("_", "-")] = (kind, f)
        return f

    return add


# ---------------------------------------------------------------- tables


def handle(offset, size):
    return varint(offset) + varint(size)


class Table:
    """A table of format version 5 under construction."""

    def __init__(self, index_type=0):
        self.out, self.meta = b"", {}
        self.properties = {
            b"rocksdb.block.based.table.index.type": struct.pack("<I", index_type),
            b"rocksdb.comparator": b"leveldb.BytewiseComparator",
        }

    def put(self, contents, kind=0):
        """A block and its trailer; returns its handle."""
        at = len(self.out)
        self.out += contents + bytes([kind]) + masked(contents + bytes([kind]))
        return handle(at, len(contents))

    def data(self, first=0, count=3, size=10):
        return self.put(block([(ikey(b"k%06d" % i, 1), b"v" * size) for i in range(first, first + count)]))

    def end(self, index, metaindex=None):
        self.meta[b"rocksdb.properties"] = self.put(block(sorted(self.properties.items())))
        metaindex = metaindex or self.put(block(sorted(self.meta.items())))
        ends = metaindex + index
        return self.out + b"\x01" + ends.ljust(40, b"\0") + struct.pack("<IQ", 5, 0x88E241B785F4CFF7)


def separators(handles):
    return block([(ikey(b"l%06d" % i, 0), h) for i, h in enumerate(handles)])


@hostile("table")
def handle_of_metaindex():
    t = Table()
    return t.end(t.put(separators([t.data()])), handle(HUGE, 10))


@hostile("table")
def handle_of_metaindex_overflows():
    t = Table()
    return t.end(t.put(separators([t.data()])), handle((1 << 64) - 3, 10))


@hostile("table")
def handle_of_index():
    return Table().end(handle(0, HUGE))


@hostile("table")
def handle_of_data():
    t = Table()
    return t.end(t.put(separators([t.data(), handle(HUGE, 10), handle(20, HUGE), handle((1 << 64) - 6, 6)])))


def meta_handle(name):
    t = Table()
    t.meta[name] = handle(5, HUGE)
    return t.end(t.put(separators([t.data()])))


@hostile("table")
def handle_of_filter():
    return meta_handle(b"fullfilter.rocksdb.BuiltinBloomFilter")


@hostile("table")
def handle_of_range_deletions():
    return meta_handle(b"rocksdb.range_del")


@hostile("table")
def handle_of_dictionary():
    return meta_handle(b"rocksdb.compression_dict")


@hostile("table")
def index_is_its_own_part():
    """The size of the block is known before it is written; so is its offset."""
    t = Table(index_type=2)
    me = handle(0, len(separators([handle(0, 0x20)])))
    return t.end(t.put(separators([me])))


@hostile("table")
def index_points_at_index():
    t = Table()
    return t.end(t.put(separators([handle(0, len(separators([handle(0, 0x20)])))])))


@hostile("table")
def properties_are_the_metaindex():
    t = Table()
    index = t.put(separators([t.data()]))
    at = len(t.out)
    me = handle(at, len(block([(b"rocksdb.properties", handle(at, 0x30))])))
    metaindex = t.put(block([(b"rocksdb.properties", me)]))
    return t.end(index, metaindex)


@hostile("table")
def one_block_many_times():
    """An index of 8,000 entries, each a block of 200 KB: 1.6 GB to look through in a file of 400 KB."""
    t = Table()
    h = t.data(count=7000, size=10)
    return t.end(t.put(separators([h] * 8000)))


@hostile("table")
def one_bomb_many_times():
    t = Table()
    raw = block([(ikey(b"k", 1), bytes(4 << 20))])
    c = zlib.compressobj(9, zlib.DEFLATED, -14)
    h = t.put(varint(len(raw)) + c.compress(raw) + c.flush(), 2)
    return t.end(t.put(separators([h] * 5000)))


@hostile("table")
def one_part_many_times():
    t = Table(index_type=2)
    h = t.data(count=2000)
    part = t.put(separators([h] * 5000))
    return t.end(t.put(separators([part] * 5000)))


@hostile("table")
def blocks_one_byte_apart():
    """Each handle is another one, but they overlap."""
    t = Table()
    t.data(count=7000, size=10)
    return t.end(t.put(separators([handle(i, 100000) for i in range(8000)])))


@hostile("table")
def filters_of_the_same_parts():
    t = Table()
    index = t.put(separators([t.data()]))
    parts = t.put(separators([handle(0, 10)] * 5000))
    for i in range(5000):
        t.meta[b"partitionedfilter.%05d" % i] = parts
    return t.end(index)


@hostile("table")
def many_names_for_one_block():
    t = Table()
    h = t.data(count=7000)
    index = t.put(separators([h]))
    for i in range(8000):
        t.meta[b"other.%05d" % i] = h
    return t.end(index)


@hostile("table")
def range_deletions_in_each_other():
    t = Table()
    index = t.put(separators([t.data(count=3000)]))
    n = 8000
    t.meta[b"rocksdb.range_del"] = t.put(
        block([(ikey(b"k%06d" % i, n - i, 15), b"k%06d" % (2 * n - i)) for i in range(n)]))
    return t.end(index)


def with_contents(contents, kind=0):
    t = Table()
    return t.end(t.put(separators([t.put(contents, kind)])))


@hostile("table")
def restarts_beyond():
    return with_contents(b"\0\x0a\1" + ikey(b"k0", 1) + b"v" + struct.pack("<II", 0, (1 << 28) - 1))


@hostile("table")
def restarts_point_anywhere():
    return with_contents(b"\0\x0a\1" + ikey(b"k0", 1) + b"v" + struct.pack("<4I", 0, 0xFFFFFFFF, 7, 3))


@hostile("table")
def no_restarts():
    return with_contents(b"\0\x0a\1" + ikey(b"k0", 1) + b"v" + struct.pack("<I", 0))


@hostile("table")
def lengths_of_4_gib():
    return with_contents(b"\0" + varint(0xFFFFFFFF) + varint(0xFFFFFFFF) + ikey(b"k0", 1) + b"v" +
                         struct.pack("<II", 0, 1))


@hostile("table")
def shares_more_than_there_is():
    return with_contents(b"\0\x0a\1" + ikey(b"k0", 1) + b"v" + varint(0xFFFFFFFF) + b"\x09\0" + ikey(b"1", 1) +
                         struct.pack("<II", 0, 1))


@hostile("table")
def varints_without_end():
    return with_contents(b"\xff" * 4000 + struct.pack("<II", 0, 1))


@hostile("table")
def zstd_claims_a_tebibyte():
    """A frame of one raw block that says it holds 2^40 bytes."""
    frame = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 40) + b"\x09\0\0x"
    return with_contents(varint(0xFFFFFFFF) + frame, 7)


@hostile("table")
def zstd_holds_a_gibibyte():
    """8192 blocks of one byte, repeated 128 KiB times."""
    run = struct.pack("<I", 1 << 17 << 3 | 1 << 1)[:3] + b"\0"
    last = struct.pack("<I", 1 << 17 << 3 | 1 << 1 | 1)[:3] + b"\0"
    frame = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 30) + run * 8191 + last
    return with_contents(varint(1 << 30) + frame, 7)


@hostile("table")
def snappy_claims_4_gib():
    return with_contents(varint(0xFFFFFFFF) + b"\xfe\1\0" * 1000, 1)


@hostile("table")
def lz4_claims_4_gib():
    return with_contents(varint(0xFFFFFFFF) + b"\x1fa\1\0" + b"\xff" * 1000 + b"\0", 4)


@hostile("table")
def bzip2_of_96_mebibytes():
    return with_contents(varint(96 << 20) + bz2.compress(bytes(96 << 20)), 3)


@hostile("table")
def zlib_holds_more_than_it_says():
    c = zlib.compressobj(9, zlib.DEFLATED, -14)
    return with_contents(varint(100) + c.compress(bytes(64 << 20)) + c.flush(), 2)


@hostile("table")
def properties_of_any_size():
    t = Table()
    for name in (b"num.entries", b"num.data.blocks", b"data.size", b"raw.key.size", b"deleted.keys"):
        t.properties[b"rocksdb." + name] = varint((1 << 64) - 1)
    return t.end(t.put(separators([t.data()])))


# ---------------------------------------------------------------- stores


def manifest(s, *edits):
    """A MANIFEST of the store's first edit and these."""
    edit = (varint(1) + piece(s.comparator) + varint(2) + varint(s.log_number) + varint(9) + varint(0)
            + varint(3) + varint(s.next) + varint(4) + varint(s.last) + varint(203) + varint(0))
    return fragments([edit + b"".join(t.encode() for t in s.tables), *edits])


def fragments(records):
    """As lies.log, of any size."""
    out = bytearray()
    for r in records:
        first = True
        while True:
            room = 32768 - len(out) % 32768
            if room < 7:
                out += bytes(room)
                room = 32768
            n = min(len(r), room - 7)
            last = n == len(r)
            body = bytes([1 if first and last else 2 if first else 4 if last else 3]) + r[:n]
            out += masked(body) + struct.pack("<H", n) + body
            r, first = r[n:], False
            if last:
                break
    return bytes(out)


def added(number, level=0, size=1000, key=b"k", largest=None):
    return (varint(103) + varint(level) + varint(number) + varint(size) + piece(ikey(key, 1))
            + piece(ikey(largest or key, 1)) + varint(1) + varint(1) + varint(1))


def edits(*list_):
    def make(s):
        s.files["MANIFEST-000002"] = manifest(s, *list_)

    return make


def edit_store(name, *list_):
    ALL[name] = ("store", edits(*list_))


edit_store("manifest-key-of-2^60", varint(103) + varint(0) + varint(16) + varint(9) + varint(HUGE) + b"k")
edit_store("manifest-level-2^31", added(16, level=(1 << 31) - 1))
edit_store("manifest-table-2^64", added((1 << 64) - 1))
edit_store("manifest-size-2^64", added(16, size=(1 << 64) - 1))
edit_store("manifest-next-file-2^64", varint(3) + varint((1 << 64) - 1))
edit_store("manifest-last-sequence-2^64", varint(4) + varint((1 << 64) - 1))
edit_store("manifest-group-of-2^60", varint(300) + varint(HUGE) + varint(9) + varint(0))
edit_store("manifest-family-2^32", varint(200) + varint(0xFFFFFFFF) + varint(201) + piece(b"f") + varint(203) +
           varint(0xFFFFFFFF))
edit_store("manifest-cursor-of-2^60", varint(5) + varint(0) + varint(HUGE))
edit_store("manifest-unknown-of-2^60", varint(8192 + 77) + varint(HUGE))
edit_store("manifest-log-2^64", varint(2) + varint((1 << 64) - 1))


@hostile("store")
def manifest_with_2000_tables(s):
    s.next = 100000
    s.files["MANIFEST-000002"] = manifest(s, b"".join(added(100 + i, key=b"k%06d" % i) for i in range(2000)))


@hostile("store")
def manifest_with_10000_tables_in_two_families(s):
    s.next = 100000
    second = varint(200) + varint(1)
    s.files["MANIFEST-000002"] = manifest(
        s, second + varint(201) + piece(b"second") + varint(1) + piece(s.comparator) + varint(2) + varint(1),
        *(added(100 + i, 6, key=b"k%06d" % i) for i in range(5000)),
        *(second + added(20000 + i, 6, key=b"k%06d" % i) for i in range(5000)))


@hostile("store")
def manifest_with_2000_edits(s):
    s.next = 100000
    s.files["MANIFEST-000002"] = manifest(s, *(added(100 + i, 6, key=b"k%06d" % i) for i in range(2000)))


@hostile("store")
def manifest_adds_and_removes(s):
    one = added(16) + varint(6) + varint(0) + varint(16)
    s.files["MANIFEST-000002"] = manifest(s, *([added(16), varint(6) + varint(0) + varint(16)] * 8000), one)


@hostile("store")
def manifest_with_2000_families(s):
    s.files["MANIFEST-000002"] = manifest(s, *(
        varint(200) + varint(i) + varint(201) + piece(b"family %d" % i) for i in range(1, 2000)))


@hostile("store")
def manifest_with_a_long_group(s):
    n = 2000
    s.files["MANIFEST-000002"] = manifest(s, *(varint(300) + varint(n - i) + varint(9) + varint(0) for i in range(n)))


@hostile("store")
def log_length_beyond_the_block(s):
    s.logs[15] += b"\0\0\0\0\xff\xff\1" + bytes(100) + log(batch(16, [(b"w", b"16")]))


@hostile("store")
def log_batch_of_2_32(s):
    s.logs[15] = log(s.records[0], batch(14, [(b"y", b"14")], durable=s.first_end, count=0xFFFFFFFF))


@hostile("store")
def log_key_of_2_32(s):
    s.logs[15] = log(s.records[0], struct.pack("<QI", 14, 1) + b"\1" + varint(0xFFFFFFFF) + b"k\0")


@hostile("store")
def log_that_begins_and_begins(s):
    """2,000 first fragments, none with an end, then a good record."""
    def fragment(kind, r):
        return masked(bytes([kind]) + r) + struct.pack("<HB", len(r), kind) + r

    good = fragment(1, batch(14, [(b"y", b"14")]))
    s.logs[15] = log(s.records[0]) + b"".join(fragment(2, b"x" * 8) for _ in range(2000)) + good


@hostile("store")
def log_compressed_bomb(s):
    """A compressed log: its first record says so, the second is a frame of a GiB of zeros."""
    run = struct.pack("<I", 1 << 17 << 3 | 1 << 1)[:3] + b"\0"
    frame = b"\x28\xb5\x2f\xfd\0\x58" + run * 8192 + b"\1\0\0"
    first = bytes([9]) + struct.pack("<I", 7)
    out = masked(first) + struct.pack("<H", 4) + first
    while frame:
        n = min(len(frame), 32768 - len(out) % 32768 - 7)
        n, frame, r = n, frame[n:], frame[:n]
        kind = (1 if not frame else 2) if len(out) == 11 else 3 if frame else 4
        out += masked(bytes([kind]) + r) + struct.pack("<HB", n, kind) + r
    s.logs[15] = out


@hostile("store")
def table_numbers_of_one_file(s):
    """The same table twice, at two levels."""
    s.tables.append(Meta(11, 3, [(b"b", 9, b"9")]))


class Sparse:
    """A file of a TiB that holds nothing between these bytes."""

    def __init__(self, begin=b"", end=b""):
        self.begin, self.end = begin, end

    def write(self, path):
        with open(path, "wb") as out:
            out.write(self.begin)
            out.truncate(1 << 40)
            out.seek((1 << 40) - len(self.end))
            out.write(self.end)


def sparse(name, file, begin=b"", end=b""):
    def make(s):
        s.files[file] = Sparse(begin(s) if callable(begin) else begin, end)

    ALL[name] = ("store", make)


sparse("current-of-a-tebibyte", "CURRENT", b"MANIFEST-000002\n")
sparse("manifest-of-a-tebibyte", "MANIFEST-000002")
sparse("log-of-a-tebibyte", "000015.log")
sparse("log-behind-of-a-tebibyte", "000016.log")
sparse("table-of-a-tebibyte", "000012.sst")
sparse("settings-of-a-tebibyte", "lsm.conf", b"block_size = 4096\n")
sparse("options-of-a-tebibyte", "OPTIONS-000019")
sparse("lock-of-a-tebibyte", "LOCK")
sparse("manifest-before-a-tebibyte", "MANIFEST-000002", manifest)
sparse("manifest-cut-before-a-tebibyte", "MANIFEST-000002", lambda s: manifest(s) + b"\1\2\3\4\xff\x70\1")
sparse("manifest-around-a-tebibyte", "MANIFEST-000002", manifest, log(b"").ljust(32768, b"\0"))
sparse("log-before-a-tebibyte", "000015.log", lambda s: s.logs[15])
sparse("log-around-a-tebibyte", "000015.log", lambda s: s.logs[15],
       log(batch(16, [(b"w", b"16")])).ljust(32768, b"\0"))


def in_a_tebibyte(table):
    return Sparse(table[:-53], table[-53:])


@hostile("table")
def block_of_a_tebibyte():
    t = Table()
    return in_a_tebibyte(t.end(t.put(separators([handle(0, 1 << 39)]))))


@hostile("table")
def block_of_4_gib_in_a_tebibyte():
    t = Table()
    return in_a_tebibyte(t.end(t.put(separators([handle(0, (1 << 32) - 1)]))))


@hostile("table")
def padding_of_a_tebibyte():
    t = Table()
    t.properties[b"rocksdb.data.size"] = varint(1 << 39)
    return in_a_tebibyte(t.end(t.put(separators([t.data()]))))


@hostile("table")
def index_of_a_tebibyte():
    t = Table()
    t.data()
    return in_a_tebibyte(t.end(handle(0, 1 << 39)))


def write_store(make, where):
    s = Store()
    make(s)
    holes = {n: f for n, f in s.files.items() if isinstance(f, Sparse)}
    s.files = {n: f for n, f in s.files.items() if n not in holes}
    s.write(where)
    for name, f in holes.items():
        f.write(os.path.join(where, name))


def write(name, path):
    kind, make = ALL[name]
    if kind == "store":
        write_store(make, path)
        return
    made = make()
    if isinstance(made, Sparse):
        made.write(path)
    else:
        with open(path, "wb") as f:
            f.write(made)


def write_all(where):
    for kind in ("table", "store"):
        os.mkdir(os.path.join(where, kind))
    for name, (kind, _) in ALL.items():
        if "tebibyte" not in name:
            write(name, os.path.join(where, kind, name))


def main():
    if sys.argv[1:] == ["--list"]:
        for name, (kind, _) in ALL.items():
            print(name, kind, sep="\t")
    elif sys.argv[1] == "--all":
        write_all(sys.argv[2])
    else:
        write(*sys.argv[1:])


if __name__ == "__main__":
    main()
