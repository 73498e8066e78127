#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Small stores that tell one lie each, every checksum right. usage: lies.py --list | lies.py LIE DIR

Written from the pages sst(5), lsm-manifest(5) and lsm-wal(5) alone, sharing nothing with the library. --list prints a
line for each lie: its name, exit status of lsm-check, file, and a part of what is to be said of it."""

import os
import struct
import sys

# ---------------------------------------------------------------- checksums, numbers

TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)


def masked(data):
    c = 0xFFFFFFFF
    for b in data:
        c = c >> 8 ^ TABLE[(c ^ b) & 255]
    c ^= 0xFFFFFFFF
    return struct.pack("<I", ((c >> 15 | c << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def piece(b):
    return varint(len(b)) + b


def ikey(key, sequence, kind=1):
    return key + struct.pack("<Q", sequence << 8 | kind)


# ---------------------------------------------------------------- files


def log(*records):
    out = b""
    for r in records:
        body = b"\x01" + r
        assert len(out) + len(body) + 6 < 32768
        out += masked(body) + struct.pack("<H", len(r)) + body
    return out


def batch(sequence, pairs, durable=None, count=None):
    """With `durable`, the note of our own records."""
    note = b"" if durable is None else b"\x03" + piece(b"lsm\1" + struct.pack("<Q", durable))
    ops = b"".join(b"\x01" + piece(k) + piece(v) for k, v in pairs)
    return struct.pack("<QI", sequence, len(pairs) if count is None else count) + note + ops


def block(entries):
    out, restarts = b"", b""
    for key, value in entries:
        restarts += struct.pack("<I", len(out))
        out += b"\0" + varint(len(key)) + varint(len(value)) + key + value
    return out + restarts + struct.pack("<I", len(entries))


FILTER = "fullfilter.rocksdb.BuiltinBloomFilter"


def handle(place):
    return varint(place[0]) + varint(place[1])


def table(entries, places=None, **more):
    """places: names of blocks, and instead of where they are, where another one is; or a function that makes a place
    of the true places. They move what lies behind them, so it is made until they are right."""
    made, true = make_table(entries, {}, **more)
    for _ in range(4):
        told = {n: p(true) if callable(p) else true[p] for n, p in (places or {}).items()}
        made, true = make_table(entries, told, **more)
    return made


def make_table(entries, told, filter=None, separator=None, raw=None, **properties):
    """entries: (key, sequence, value). crc32c, no compression, one data block, index type 0. Returns it, and where its
    blocks are: offset and size."""
    out, true, handles = b"", {}, {}

    def put(name, contents):
        nonlocal out
        true[name] = (len(out), len(contents))
        handles[name] = handle(told.get(name, true[name]))
        out += contents + b"\0" + masked(contents + b"\0")

    rows = [(ikey(k, s), v) for k, s, v in entries]
    put("data", block(rows))
    if filter is not None:
        put(FILTER, filter)
    put("index", block([(separator or rows[-1][0], handles["data"])]))
    said = {
        b"rocksdb.block.based.table.index.type": struct.pack("<I", 0),
        b"rocksdb.comparator": b"leveldb.BytewiseComparator",
        b"rocksdb.compression": b"NoCompression",
        b"rocksdb.num.entries": varint(len(rows)),
        b"rocksdb.raw.key.size": varint(sum(len(k) for k, _ in rows)),
        b"rocksdb.deleted.keys": varint(0),
    }
    for name, value in (raw or {}).items():
        said[name] = value
    for name, value in properties.items():
        said[b"rocksdb." + name.replace("_", ".").encode()] = varint(value)
    put("rocksdb.properties", block(sorted(said.items())))
    meta = sorted((n.encode(), h) for n, h in handles.items() if n not in ("data", "index"))
    put("metaindex", block(meta))
    ends = handles["metaindex"] + handles["index"]
    true["footer"] = (len(out), 53)
    return out + b"\x01" + ends.ljust(40, b"\0") + struct.pack("<IQ", 5, 0x88E241B785F4CFF7), true


class Meta:
    """A table as the MANIFEST has it."""

    def __init__(self, number, level, entries, epoch=None, bytes=None, **more):
        self.number, self.level, self.epoch = number, level, epoch
        self.bytes = bytes if bytes is not None else table(entries, **more)
        self.size = len(self.bytes)
        self.smallest, self.largest = ikey(*entries[0][:2]), ikey(*entries[-1][:2])
        sequences = [s for _, s, _ in entries]
        self.low, self.high = min(sequences), max(sequences)

    def encode(self):
        epoch = b"" if self.epoch is None else varint(13) + piece(varint(self.epoch))
        return (varint(103) + varint(self.level) + varint(self.number) + varint(self.size) + piece(self.smallest)
                + piece(self.largest) + varint(self.low) + varint(self.high) + epoch + varint(1))


class Store:
    """Two tables at level 0 with keys in common, two at level 1, one log of ours."""

    def __init__(self):
        self.comparator, self.last, self.next, self.log_number = b"leveldb.BytewiseComparator", 12, 20, 15
        self.tables = [
            Meta(11, 0, [(b"b", 9, b"9"), (b"m", 10, b"10"), (b"p", 8, b"8")], epoch=3),
            Meta(12, 0, [(b"c", 11, b"11"), (b"m", 12, b"12")], epoch=4),
            Meta(5, 1, [(b"a", 1, b"1"), (b"e", 2, b"2")], epoch=1),
            Meta(6, 1, [(b"g", 3, b"3"), (b"z", 4, b"4")], epoch=1),
        ]
        first = batch(13, [(b"x", b"13")], durable=0)
        self.first_end = len(log(first))
        self.records = [first, batch(14, [(b"y", b"14"), (b"x", b"15")], durable=self.first_end)]
        self.logs = {15: log(*self.records)}
        self.files = {}

    def __getitem__(self, number):
        return next(t for t in self.tables if t.number == number)

    def manifest(self):
        edit = (varint(1) + piece(self.comparator) + varint(2) + varint(self.log_number) + varint(9) + varint(0)
                + varint(3) + varint(self.next) + varint(4) + varint(self.last) + varint(203) + varint(0))
        return log(edit + b"".join(t.encode() for t in self.tables))

    def write(self, where):
        os.mkdir(where)
        files = {"CURRENT": b"MANIFEST-000002\n", "MANIFEST-000002": self.manifest()}
        files.update({"%06d.sst" % t.number: t.bytes for t in self.tables})
        files.update({"%06d.log" % n: b for n, b in self.logs.items()})
        files.update(self.files)
        for name, content in files.items():
            if content is not None:
                with open(os.path.join(where, name), "wb") as f:
                    f.write(content)


# ---------------------------------------------------------------- the lies

LIES = {}


def lie(status, file, text):
    def add(f):
        LIES[f.__name__.replace("_", "-")] = (status, file, text, f)
        return f

    return add


@lie(0, "-", "-")
def none(s):
    pass


@lie(4, "000011.sst", "smallest key by the MANIFEST")
def bounds_too_narrow_below(s):
    s[11].smallest = ikey(b"c", 9)


@lie(4, "000011.sst", "largest key by the MANIFEST")
def bounds_too_narrow_above(s):
    s[11].largest = ikey(b"n", 8)


@lie(4, "000012.sst", "smallest key by the MANIFEST")
def bounds_too_wide(s):
    s[12].smallest = ikey(b"b", 11)


@lie(4, "MANIFEST-000002", "table 12 has sequence number 12, the store only 11")
def last_sequence_too_small(s):
    s.last = 11


@lie(4, "000012.sst", "has sequence numbers 11 to 12, the MANIFEST says 11 to 11")
def sequences_too_small(s):
    s[12].high = 11


@lie(4, "000011.sst", "has sequence numbers 8 to 10, the MANIFEST says 7 to 10")
def sequences_too_wide(s):
    s[11].low = 7


@lie(4, "000011.sst", "is asked before '000012.sst' at level 0")
def epochs_against_sequences(s):
    s[11].epoch, s[12].epoch = 4, 3


@lie(4, "MANIFEST-000002", "tables 5 and 6 overlap at level 1")
def overlap_at_level_1(s):
    s.tables[3] = Meta(6, 1, [(b"d", 3, b"3"), (b"z", 4, b"4")], epoch=1)


IDENTITY = {b"rocksdb.creating.session.identity": b"ABCDEFGHIJKLMNOPQRST", b"rocksdb.original.file.number": varint(9)}


@lie(4, "000006.sst", "has the session identity and number of '000005.sst'")
def one_identity_in_two_tables(s):
    s.tables[2] = Meta(5, 1, [(b"a", 1, b"1"), (b"e", 2, b"2")], epoch=1, raw=IDENTITY)
    s.tables[3] = Meta(6, 1, [(b"g", 3, b"3"), (b"z", 4, b"4")], epoch=1, raw=IDENTITY)


@lie(4, "000015.log", "bad record at")
def record_behind_a_bad_one(s):
    good = log(s.records[1])
    s.logs[15] = b"\x55" + log(s.records[0])[1:] + good


@lie(4, "000015.log", "bad record at")
def record_behind_zeros(s):
    s.logs[15] = log(batch(13, [(b"x", b"13")])) + bytes(512) + log(batch(14, [(b"y", b"14")]))


EXTERNAL = {b"rocksdb.external_sst_file.version": struct.pack("<I", 2),
            b"rocksdb.external_sst_file.global_seqno": struct.pack("<Q", 0)}


@lie(0, "-", "-")
def ingested(s):
    """No lie: the sequence number of all entries stands in the MANIFEST."""
    m = Meta(12, 0, [(b"c", 0, b"11"), (b"m", 0, b"12")], epoch=4, raw=EXTERNAL)
    m.low = m.high = 12
    m.smallest, m.largest = ikey(b"c", 12), ikey(b"m", 12)
    s.tables[1] = m


@lie(4, "000012.sst", "has sequence 11 in a table made for ingestion")
def external_with_sequences(s):
    s.tables[1] = Meta(12, 0, [(b"c", 11, b"11"), (b"m", 11, b"12")], epoch=4, raw=EXTERNAL)


@lie(4, "000012.sst", "with one sequence number for all; the MANIFEST says 11 to 12")
def ingested_with_a_range(s):
    ingested(s)
    s[12].low = 11


@lie(4, "000012.sst", "global sequence number 11, but the MANIFEST has 12")
def ingested_with_two_numbers(s):
    ingested(s)
    raw = dict(EXTERNAL)
    raw[b"rocksdb.external_sst_file.global_seqno"] = struct.pack("<Q", 11)
    s[12].bytes = table([(b"c", 0, b"11"), (b"m", 0, b"12")], raw=raw)
    s[12].size = len(s[12].bytes)


@lie(4, "000012.sst", "the MANIFEST says")
def size(s):
    s[12].size += 1


@lie(4, "000015.log", "more operations than its count, 2")
def batch_count_too_small(s):
    s.logs[15] = log(s.records[0], batch(14, [(b"y", b"14"), (b"x", b"15"), (b"w", b"16")], durable=0, count=2))


@lie(4, "000015.log", "record at")
def batch_count_too_large(s):
    s.logs[15] = log(batch(13, [(b"x", b"13")], durable=0, count=2))


@lie(4, "000015.log", "sequence number 13 after 15")
def sequence_goes_back_in_a_log(s):
    s.logs[15] = log(*s.records, batch(13, [(b"q", b"")]))


@lie(4, "000016.log", "its sequence numbers begin at 14, those of '000015.log' end at 15")
def sequence_goes_back_between_logs(s):
    s.logs[16] = log(batch(14, [(b"q", b"")], durable=0))


@lie(4, "000015.log", "its sequence numbers begin at 5, '000012.sst' has 12 already")
def log_from_the_past(s):
    s.logs[15] = log(batch(5, [(b"m", b"old")], durable=0))


@lie(4, "000016.log", "changes 16 to 19, before its first, are nowhere")
def log_missing_between(s):
    s.logs[16] = log(batch(20, [(b"q", b"")], durable=0))


@lie(4, "000015.log", "changes 13 to 13, before its first, are nowhere")
def log_missing_before(s):
    s.logs[15] = log(batch(14, [(b"y", b"14")], durable=0))


@lie(4, "000015.log", "ends unfinished at")
def log_cut_before_another(s):
    s.logs[15] = s.logs[15][:-3]
    s.logs[16] = log(batch(16, [(b"q", b"")], durable=0))


@lie(4, "000015.log", "bytes before it were durable")
def note_claims_too_much(s):
    s.logs[15] = log(s.records[0], batch(14, [(b"y", b"14")], durable=s.first_end + 1))


@lie(4, "000012.sst", "property rocksdb.num.entries is 3, but there are 2")
def entries_count(s):
    s.tables[1] = Meta(12, 0, [(b"c", 11, b"11"), (b"m", 12, b"12")], epoch=4, num_entries=3)


@lie(4, "000012.sst", "is ordered by 'rocksdb.ReverseBytewiseComparator'")
def comparator_of_a_table(s):
    raw = {b"rocksdb.comparator": b"rocksdb.ReverseBytewiseComparator"}
    s.tables[1] = Meta(12, 0, [(b"m", 12, b"12")], epoch=4, raw=raw)
    s[12].low = s[12].high = 12


@lie(4, "000012.sst", "the filter denies key")
def filter_without_the_keys(s):
    s.tables[1] = Meta(12, 0, [(b"c", 11, b"11"), (b"m", 12, b"12")], epoch=4, filter=bytes(64) + b"\xff\0\6\0\0")


def one_entry(s, **more):
    """A table of one key: its index, read as data, has the same."""
    s.tables[1] = Meta(12, 0, [(b"c", 12, b"11")], epoch=4, **more)


ANY_FILTER = bytes(64) + b"\0\0\6\0\0"


@lie(4, "000012.sst", "block at 27: the data block overlaps the index block at 27 (22 bytes)")
def data_is_the_index(s):
    one_entry(s, places={"data": "index"})


@lie(4, "000012.sst", "block at 283: the properties block overlaps the metaindex block at 283 (32 bytes)")
def properties_are_the_metaindex(s):
    one_entry(s, places={"rocksdb.properties": "metaindex"})


@lie(4, "000012.sst", "block at 0: the data block overlaps the filter block at 0 (22 bytes)")
def filter_is_the_data(s):
    one_entry(s, places={FILTER: "data"}, filter=ANY_FILTER)


@lie(4, "000012.sst", "block at 101: the index block overlaps the filter block at 101 (22 bytes)")
def filter_is_the_index(s):
    one_entry(s, places={FILTER: "index"}, filter=ANY_FILTER)


@lie(4, "000012.sst", "block at 359: the filter block overlaps the metaindex block at 357 (80 bytes)")
def filter_reaches_into_the_metaindex(s):
    one_entry(s, places={FILTER: lambda true: (true["metaindex"][0] + 2, 20)}, filter=ANY_FILTER)


@lie(4, "000012.sst", "block at 442: 48 bytes reach beyond the end")
def filter_reaches_into_the_footer(s):
    one_entry(s, places={FILTER: lambda true: (true["footer"][0], 48)}, filter=ANY_FILTER)


@lie(4, "000012.sst", "keys out of order")
def order_in_a_table(s):
    s.tables[1] = Meta(12, 0, [(b"m", 12, b"12"), (b"c", 11, b"11")], epoch=4, separator=ikey(b"z", 1))
    s[12].smallest, s[12].largest = s[12].largest, s[12].smallest


@lie(4, "000012.sst", "its last key is above its separator")
def separator(s):
    s.tables[1] = Meta(12, 0, [(b"c", 11, b"11"), (b"m", 12, b"12")], epoch=4, separator=ikey(b"d", 1))


@lie(4, "000012.sst", "is missing, the MANIFEST has it at level 0")
def table_missing(s):
    s.files["000012.sst"] = None


@lie(4, "000005.sst", "by the MANIFEST")
def tables_swapped(s):
    s[5].bytes, s[6].bytes = s[6].bytes, s[5].bytes


@lie(4, "000012.sst", "has sequence numbers 5 to 6, the MANIFEST says 11 to 12")
def older_copy_of_a_table(s):
    s[12].bytes = table([(b"c", 5, b"11"), (b"m", 6, b"12")])


@lie(4, "MANIFEST-000002", "unsupported: column family 'default' is ordered by 'acme.Order'")
def comparator_of_the_store(s):
    s.comparator = b"acme.Order"


@lie(4, "MANIFEST-000009", "is missing, CURRENT names it")
def current_names_another(s):
    s.files["CURRENT"] = b"MANIFEST-000009\n"


@lie(4, "CURRENT", "does not hold the name of a MANIFEST")
def current_is_a_path(s):
    s.files["CURRENT"] = b"../MANIFEST-000002\n"


@lie(4, "CURRENT", "is missing, and there are files of a store")
def current_missing(s):
    s.files["CURRENT"] = None


@lie(4, "lsm.conf", "unknown setting")
def setting(s):
    s.files["lsm.conf"] = b"block_sise = 4096\n"


@lie(0, "-", "-")
def unfinished_ends(s):
    """No lies: what a power cut leaves, and files that do not count."""
    s.logs[15] += log(batch(16, [(b"w", b"16")], durable=0))[:-2]
    s.logs[3] = b"what was flushed long ago"
    s.files["MANIFEST-000002"] = s.manifest() + s.manifest()[:20]
    s.files["000099.sst"] = b"an orphan"


def main():
    if sys.argv[1:] == ["--list"]:
        for name, (status, file, text, _) in LIES.items():
            print(name, status, file, text, sep="\t")
        return
    name, where = sys.argv[1:]
    s = Store()
    LIES[name][3](s)
    s.write(where)


if __name__ == "__main__":
    main()
