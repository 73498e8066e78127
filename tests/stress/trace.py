# SPDX-License-Identifier: MIT
"""Traces of test builds (lib/os/sys_testing.c says what stands in them), and what a disk may hold after a power cut.

The disk is a strict one. A write is there for certain only when a sync of its file that began after it has
succeeded; a name (of a file made, renamed or removed) only when its directory was synced. Of all the rest any part may
be there: see Disk.states. What a failed sync should have saved stays unsaved whatever is synced later."""

import hashlib
import os
import struct

HEAD = struct.Struct('<4sc3xIIIIQQQQ')
SECTOR = 512


class Record:
    __slots__ = ('type', 'pid', 'path', 'second', 'data', 'inode', 'offset', 'size')


def read_trace(path):
    with open(path, 'rb') as f:
        whole = f.read()
    at, records = 0, []
    while at < len(whole):
        r = Record()
        magic, kind, r.pid, n, second, data, device, inode, r.offset, r.size = HEAD.unpack_from(whole, at)
        if magic != b'lsmT':
            raise ValueError('%s: no record at %d' % (path, at))
        at += HEAD.size
        r.type, r.inode = kind.decode(), (device, inode)
        r.path = whole[at:at + n].decode()
        r.second = whole[at + n:at + n + second].decode()
        at += n + second
        r.data = whole[at:at + data]
        at += data
        records.append(r)
    return records


def mark(path, text):
    """A record of the test's own, between those of the programs."""
    text = text.encode()
    record = HEAD.pack(b'lsmT', b'X', os.getpid(), 0, 0, len(text), 0, 0, 0, 0) + text
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        if os.write(fd, record) != len(record):
            raise OSError('short write to ' + path)
    finally:
        os.close(fd)


class File:
    def __init__(self, data=b''):
        self.durable = data
        self.pending = []  # (sequence, kind, offset or size, data)

    def content(self, operations):
        b = bytearray(self.durable)
        for _, kind, at, data in operations:
            if kind == 'T':
                del b[at:]
            if len(b) < at:
                b += bytes(at - len(b))
            if kind == 'W':
                b[at:at + len(data)] = data
        return bytes(b)


class Directory:
    def __init__(self):
        self.durable = {}  # name -> File or Directory
        self.pending = []  # (sequence, name, File or Directory, or None: gone)

    def entries(self, operations):
        d = dict(self.durable)
        for _, name, node in operations:
            if node is None:
                d.pop(name, None)
            else:
                d[name] = node
        return d


def sectors(operations, keep):
    """Of each write only those sectors that keep() wants, and of the rest, operations that it wants."""
    out = []
    for operation in operations:
        sequence, kind, at, data = operation
        if kind != 'W':
            if keep():
                out.append(operation)
            continue
        end = at + len(data)
        while at < end:
            upto = min(end, (at // SECTOR + 1) * SECTOR)
            if keep():
                out.append((sequence, 'W', at, data[len(data) - (end - at):len(data) - (end - upto)]))
            at = upto
    return out


class Disk:
    def __init__(self, root):
        """What is below root now, all of it durable."""
        self.root, self.files, self.begun, self.sequence = root, {}, {}, 0
        self.directories = {}
        self.directories[root] = self.load(root)

    def load(self, path):
        d = Directory()
        for e in os.scandir(path):
            if e.is_dir():
                d.durable[e.name] = self.load(e.path)
                self.directories[e.path] = d.durable[e.name]
            else:
                with open(e.path, 'rb') as f:
                    d.durable[e.name] = self.files[self.inode(e.stat())] = File(f.read())
        return d

    @staticmethod
    def inode(st):
        return (st.st_dev, st.st_ino)

    def below(self, path):
        return path == self.root or path.startswith(self.root + '/')

    # ---- one record

    def apply(self, r):
        if not self.below(r.path):
            return False
        self.sequence += 1
        parent, name = os.path.split(r.path)
        getattr(self, 'on_' + r.type)(r, self.directories.get(parent), name)
        return True

    def enter(self, directory, name, node):
        directory.pending.append((self.sequence, name, node))

    def on_C(self, r, parent, name):
        there = parent.entries(parent.pending).get(name)
        if there is None or there is not self.files.get(r.inode):
            self.files[r.inode] = File()
            self.enter(parent, name, self.files[r.inode])

    def on_M(self, r, parent, name):
        self.directories[r.path] = Directory()
        self.enter(parent, name, self.directories[r.path])

    def on_D(self, r, parent, name):
        self.enter(parent, name, None)

    on_U = on_D

    def on_R(self, r, parent, name):
        node = parent.entries(parent.pending)[name]
        self.enter(parent, os.path.basename(r.second), node)
        self.enter(parent, name, None)

    def on_W(self, r, parent, name):
        self.files[r.inode].pending.append((self.sequence, r.type, r.offset, r.data))

    on_T = on_A = on_W

    def on_B(self, r, parent, name):
        self.begun[r.pid, r.offset] = self.sequence

    def target(self, r):
        return self.files.get(r.inode) or self.directories[r.path]

    def on_S(self, r, parent, name):
        node, since = self.target(r), self.begun.pop((r.pid, r.offset))
        saved = [o for o in node.pending if o[0] < since and o[0] > 0]
        if isinstance(node, File):
            node.durable = node.content(saved)
        else:
            node.durable = node.entries(saved)
        node.pending = [o for o in node.pending if o[0] >= since]

    def on_F(self, r, parent, name):
        node, since = self.target(r), self.begun.pop((r.pid, r.offset))
        node.pending = [(o[0] if o[0] >= since else -abs(o[0]), *o[1:]) for o in node.pending]

    # ---- what may be there

    def tree(self, pick_names, pick_data, directory=None):
        """{relative path: bytes, or None for a directory}"""
        out = {}
        directory = directory or self.directories[self.root]
        for name, node in directory.entries(pick_names(directory.pending)).items():
            if isinstance(node, File):
                out[name] = node.content(pick_data(node.pending))
            else:
                out[name] = None
                for below, content in self.tree(pick_names, pick_data, node).items():
                    out[name + '/' + below] = content
        return out

    def states(self, rng, count):
        """(how, tree) of the states that are always looked at, and count random ones."""
        def every(operations):
            return operations

        def none(operations):
            return []

        def sizes(operations):
            return [(o[0], 'W', o[2], bytes(len(o[3]))) if o[1] == 'W' else o for o in operations]

        def chance(p):
            return lambda: rng.random() < p

        yield 'nothing unsynced', self.tree(none, none)
        yield 'everything', self.tree(every, every)
        yield 'names without data', self.tree(every, none)
        yield 'data without names', self.tree(none, every)
        yield 'sizes without data', self.tree(every, sizes)
        numbers = sorted({abs(o[0]) for node in (*self.files.values(), *self.directories.values()) for o in node.pending})
        for _ in range(count):
            if numbers and rng.random() < 0.3:
                cut = rng.choice(numbers)
                part = lambda operations: [o for o in operations if abs(o[0]) <= cut]
                yield 'everything up to %d' % cut, self.tree(part, part)
                continue
            names, data = rng.choice((0.1, 0.5, 0.9, 1)), rng.choice((0.1, 0.5, 0.8, 0.95))
            if rng.random() < 0.3:  # data that did not come, but sizes that did
                pick = lambda operations: sizes(operations) + sectors(operations, chance(data))
            else:
                pick = lambda operations: sectors(operations, chance(data))
            yield 'names %g, sectors %g' % (names, data), self.tree(
                lambda operations: [o for o in operations if rng.random() < names], pick)


def tree_hash(tree):
    h = hashlib.sha1()
    for path in sorted(tree):
        data = tree[path]
        h.update(b'%d %d ' % (len(path), -1 if data is None else len(data)))
        h.update(path.encode() + (data or b''))
    return h.digest()


def tree_write(tree, root):
    os.makedirs(root, exist_ok=True)
    for path in sorted(tree):
        if tree[path] is None:
            os.makedirs(os.path.join(root, path), exist_ok=True)
        else:
            with open(os.path.join(root, path), 'wb') as f:
                f.write(tree[path])


def tree_read(root):
    out = {}
    for where, directories, names in os.walk(root):
        for name in directories:
            out[os.path.relpath(os.path.join(where, name), root)] = None
        for name in names:
            with open(os.path.join(where, name), 'rb') as f:
                out[os.path.relpath(os.path.join(where, name), root)] = f.read()
    return out
