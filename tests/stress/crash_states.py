#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""crash_states.py BINDIR [--states N] [--seconds N] [--seed N] [--only WORKLOAD] [--keep DIR] [--list]

Power cuts. Runs commands of a test build (BINDIR) and records what they do to the disk; builds from that what a disk may
hold when the power goes, at every point of the record (trace.py); and lets the next commands loose on N such
states of each workload, the shared memory gone as after a boot:

  - they work, without a manual step;
  - they show what a prefix of the operations makes, in the order in which they were issued, that holds at least
    every acknowledged one; nothing else, and no batch in part;
  - what was seen stays, over a put, a flush, and another loss of the shared memory; RocksDB's ldb sees the same.

Recovery is itself recorded and cut, and what that leaves is recovered and cut once more (workloads ending in /cut).

--seconds, besides what the
recordings take, ends earlier, with each workload having had its share. The same seed gives the same operations and the same choice of states, but not the same interleaving of processes.
"""
import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stores
import trace as disk_trace
from stores import Failed, at_once, remove_segments, run, scan

p = argparse.ArgumentParser()
p.add_argument('bindir')
p.add_argument('--states', type=int, default=60)
p.add_argument('--seconds', type=float, default=1e9)
p.add_argument('--seed', type=int, default=1)
p.add_argument('--only')
p.add_argument('--keep', help='where states that fail are left')
p.add_argument('--jobs', type=int, default=2)
p.add_argument('--list', action='store_true')
opt = p.parse_args()
stores.use(opt.bindir)
PROBE = ('probe', 'p')


# ---- what was done, in streams: each in order, with keys of its own

class Stream:
    """operations: lists of (key, value, or None to delete), each list atomic."""

    def __init__(self, name):
        self.name, self.operations = name, []

    def copy(self):
        s = Stream(self.name)
        s.operations = list(self.operations)
        return s

    def histories(self):
        """The contents after each prefix, as {frozen contents: [lengths of prefix]}."""
        now, out = {}, {frozenset(): [0]}
        for n, changes in enumerate(self.operations, 1):
            for key, value in changes:
                if value is None:
                    now.pop(key, None)
                else:
                    now[key] = value
            out.setdefault(frozenset(now.items()), []).append(n)
        return out


class Bounds:
    """How much of each stream must, and may, be there."""

    def __init__(self):
        self.acked, self.issued = {}, {}

    def note(self, text):
        m = json.loads(text)
        for name, n in m.get('issued', {}).items():
            self.issued[name] = n
        for name, n in m.get('acked', {}).items():
            self.acked[name] = n

    def copy(self):
        b = Bounds()
        b.acked, b.issued = dict(self.acked), dict(self.issued)
        return b

    def tighten(self, other):
        for name in set(self.acked) | set(other.acked) | set(self.issued) | set(other.issued):
            self.acked[name] = max(self.acked.get(name, 0), other.acked.get(name, 0))
            self.issued[name] = min(self.issued.get(name, 0), other.issued.get(name, 0))


class History:
    def __init__(self, streams):
        self.of = {s.name: s.histories() for s in streams}
        self.any = any(s.operations for s in streams)

    def match(self, got, bounds):
        """The prefix of each stream that got shows; Failed when it is none that may be."""
        rest, lengths = dict(got), {}
        for name, histories in self.of.items():
            mine = frozenset((k, v) for k, v in rest.items() if k.startswith(name + '-'))
            for k, _ in mine:
                del rest[k]
            low, high = bounds.acked.get(name, 0), bounds.issued.get(name, 0)
            fitting = [n for n in histories.get(mine, ()) if low <= n <= high]
            if not fitting:
                near = sorted(histories.get(mine, ()))
                raise Failed('stream %s: %d records, %s; acknowledged %d, issued %d operations' % (name, len(mine),
                    'as after %s operations' % near if near else 'as after no prefix', low, high))
            lengths[name] = fitting[0]
        if rest:
            raise Failed('nobody put %r' % sorted(rest)[:5])
        return lengths


# ---- workloads

class Workload:
    """A store in which commands are run and recorded."""

    def __init__(self, seed, root, streams=(), bounds=None):
        self.rng = random.Random(seed)
        self.root, self.store, self.trace = root, root + '/store', root + '.trace'
        self.streams = {s.name: s for s in streams}
        self.bounds = bounds or Bounds()
        self.lock = threading.Lock()

    def begin(self):
        self.disk = disk_trace.Disk(self.root)

    def stream(self, name):
        with self.lock:
            return self.streams.setdefault(name, Stream(name))

    def mark(self, what, s, n):
        disk_trace.mark(self.trace, json.dumps({what: {s.name: n}}))

    def command(self, prog, *args, ok=(0,), **more):
        return run(prog, *args, store=self.store, ok=ok, LSM_TRACE=self.trace, **more)

    def change(self, name, operations, prog, *args, ack=True, **more):
        """Runs a command that makes these changes. Acknowledged when it exits 0."""
        s = self.stream(name)
        s.operations += operations
        self.mark('issued', s, len(s.operations))
        r = self.command(prog, *args, **more)
        if r.returncode == 0 and ack:
            self.mark('acked', s, len(s.operations))
        return r

    def put(self, name, key, value, *args, **more):
        key = name + '-' + key
        return self.change(name, [[(key, value)]], 'lsm-put', *args, key, value, **more)

    def delete(self, name, key):
        return self.change(name, [[(name + '-' + key, None)]], 'lsm-del', name + '-' + key)

    def batch(self, name, pairs, *args):
        pairs = [(name + '-' + k, v) for k, v in pairs]
        text = ''.join('%s\t%s\n' % pair for pair in pairs).encode()
        operations = [pairs] if '--atomic' in args else [[pair] for pair in pairs]
        return self.change(name, operations, 'lsm-put', '--batch', *args, stdin=text)

    def value(self, size):
        return ''.join(self.rng.choice('abcdefghijklmnop') for _ in range(size))

    def configure(self, text):
        os.makedirs(self.store, exist_ok=True)
        with open(self.store + '/lsm.conf', 'w') as f:
            f.write(text)
        self.begin()


SMALL = 'write_buffer_size = 64K\n'


def puts(w):
    """A new store, its first puts, overwrites, deletes, flushes."""
    for i in range(4):
        w.put('a', 'k%d' % i, w.value(20))
    w.put('a', 'long', w.value(3000))
    w.put('a', 'k1', w.value(700))
    w.delete('a', 'k2')
    w.command('lsm-flush')
    w.put('a', 'k1', w.value(600))
    w.put('a', 'k2', w.value(10))
    w.delete('a', 'k3')
    w.command('lsm-flush')
    w.delete('a', 'long')
    w.put('a', 'k3', w.value(5))


def batches(w):
    """Batches that fill memtables: rotations, flushes beside them."""
    w.configure(SMALL)
    w.put('a', 'first', '1')
    w.batch('a', [('b%03d' % i, w.value(300)) for i in range(40)], '--atomic')
    w.batch('b', [('c%03d' % w.rng.randrange(300), w.value(w.rng.randrange(1200))) for i in range(260)])
    w.delete('a', 'b007')
    w.batch('a', [('b%03d' % i, w.value(40)) for i in range(20)], '--atomic')
    w.command('lsm-flush')
    w.put('a', 'b008', 'last')


def large(w):
    """An atomic batch larger than a memtable, and than many blocks of the log."""
    w.configure(SMALL)
    w.put('a', 'first', '1')
    w.batch('a', [('k%03d' % i, w.value(2000)) for i in range(90)], '--atomic')
    w.put('a', 'k001', 'new')
    w.batch('a', [('k%03d' % i, w.value(500)) for i in range(90)], '--atomic')


def unsynced(w):
    """--no-sync: any number may be lost, but only from the end."""
    w.configure(SMALL)
    for i in range(8):
        w.put('a', 'k%d' % (i % 5), w.value(w.rng.randrange(900)), '--no-sync', ack=False)
    w.put('a', 'synced', '1')
    for i in range(8):
        w.put('a', 'k%d' % (i % 5), w.value(w.rng.randrange(900)), '--no-sync', ack=False)
    w.batch_unsynced = w.change('a', [[('a-r%02d' % i, 'z' * 900)] for i in range(100)], 'lsm-put', '--batch', '--no-sync',
        stdin=''.join('a-r%02d\t%s\n' % (i, 'z' * 900) for i in range(100)).encode(), ack=False)
    w.put('a', 'k1', 'x', '--no-sync', ack=False)


def together(w):
    """Several writers and a flusher at once."""
    w.configure(SMALL)
    w.put('a', 'first', '1')

    def writer(name, seed):
        rng = random.Random(seed)
        for i in range(10):
            w.put(name, 'k%d' % rng.randrange(6), '%d' % i * rng.randrange(1, 400))
            if i % 4 == 3:
                w.delete(name, 'k%d' % rng.randrange(6))

    def flusher():
        for _ in range(4):
            w.command('lsm-flush')

    at_once(*(lambda a=a: writer(*a) for a in (('b', 1), ('c', 2), ('d', 3))), flusher)


def failed_sync(w):
    """fsyncgate: a sync of the log fails once; what was in it is lost, what is acknowledged later is not."""
    w.put('a', 'k1', w.value(100))
    w.put('a', 'k2', w.value(600))
    w.put('b', 'lost', w.value(1500), ok=(3,), LSM_FAIL='fdatasync@.log:1')
    w.put('a', 'k1', w.value(50))
    w.put('a', 'k3', w.value(50))
    w.put('c', 'lost', w.value(700), ok=(3,), LSM_FAIL='fdatasync@.log:1:ENOSPC:sticky')
    w.put('a', 'k4', w.value(900))
    w.put('a', 'k2', w.value(20))


def failed_sync_others(w):
    """The same, with records of others in the same log that nobody has synced, and a flush that fails once."""
    w.put('a', 'k1', w.value(100))
    w.put('b', 'k1', w.value(300), '--no-sync', ack=False)
    w.put('b', 'k2', w.value(300), '--no-sync', ack=False)
    w.put('c', 'lost', w.value(300), ok=(3,), LSM_FAIL='fdatasync@.log:1')
    w.command('lsm-flush', ok=(0, 3), LSM_FAIL='fsync@.sst:1')
    w.put('a', 'k2', w.value(200))
    w.put('b', 'k3', w.value(300), '--no-sync', ack=False)
    w.put('a', 'k3', w.value(200))


def failed_names(w):
    """Syncs of the directory that fail: of a new log, of a table."""
    w.put('a', 'k1', w.value(100))
    w.command('lsm-flush', ok=(0, 3), LSM_FAIL='dirsync:1')
    w.put('a', 'k2', w.value(100))
    w.command('lsm-flush')
    w.put('b', 'lost', w.value(100), ok=(0, 3), LSM_FAIL='dirsync:1')
    w.put('a', 'k3', w.value(100))
    w.put('a', 'k1', w.value(100))


def failed_manifest(w):
    """The MANIFEST: torn, failed and in doubt, written anew."""
    w.put('a', 'k1', w.value(100))
    w.command('lsm-flush')
    w.put('a', 'k1', w.value(90))
    for i, then in enumerate(('dirsync:1', 'dirsync:2', 'dirsync:3', 'write@.dbtmp:1:torn', 'rename:1', 'fsync:1', 'fsync:2')):
        w.command('lsm-flush', ok=(3,), LSM_FAIL='fdatasync@MANIFEST:1')
        w.command('lsm-flush', ok=(0, 3), LSM_FAIL=then)
        w.put('a', 'k%d' % i, w.value(80))
        stores.finish_children()
        w.delete('a', 'k1')
    w.command('lsm-flush', ok=(3,), LSM_FAIL='write@MANIFEST:1:torn')
    w.put('a', 'k3', w.value(70))
    w.command('lsm-flush')
    w.put('a', 'k5', w.value(60))


def torn_writes(w):
    """Writes to the log that fail half way, are cut back, or cannot even be."""
    w.put('a', 'k1', w.value(100))
    w.put('b', 'torn', w.value(1500), ok=(3,), LSM_FAIL='write@.log:1:torn')
    w.put('a', 'k2', w.value(300))
    w.put('a', 'k3', w.value(1500), LSM_FAIL='write@.log:1:short')
    w.put('c', 'full', w.value(900), ok=(3,), LSM_FAIL='write@.log:1:ENOSPC')
    w.put('a', 'k1', w.value(300))
    w.put('d', 'torn', w.value(1500), ok=(3,), LSM_FAIL='*@.log:2:torn:sticky')
    w.put('a', 'k4', w.value(100))
    w.put('a', 'k1', w.value(10))


def killed(w):
    """Processes that die in a put, a rotation, a flush, before the power goes."""
    w.configure(SMALL)
    w.put('a', 'k1', w.value(100))
    for i, point in enumerate(('file-write-half:1', 'put-logged:1', 'put-visible:1', 'sync-leader:1', 'sync-log:1')):
        w.put('d%d' % i, 'dead', w.value(1300), ok=(-9,), LSM_KILL=point)
        w.put('a', 'k%d' % i, w.value(200))
    for i, point in enumerate(('flush-table-written:1', 'flush-recorded:1', 'flush-published:1', 'flush-sweep:1', 'sweep-file:1')):
        w.put('a', 'k%d' % i, w.value(150))
        w.command('lsm-flush', ok=(-9,), LSM_KILL=point)
    w.put('a', 'last', '1')
    w.command('lsm-flush')


WORKLOADS = [puts, batches, large, unsynced, together, failed_sync, failed_sync_others, failed_names, failed_manifest,
             torn_writes, killed]


def recovery(w):
    """What comes after a power cut: seen, so it stays; a put; a flush."""
    history = History(w.streams.values())
    try:
        lengths = history.match(stores.of_scan(w.command('lsm-scan', '-x', ok=(0, 3)).stdout), w.bounds)
    except Failed as e:
        raise Failed('in the first scan: %s' % e)
    disk_trace.mark(w.trace, json.dumps({'acked': lengths, 'issued': lengths}))
    w.put('r%d' % w.depth, 'recovered', w.value(600))
    w.command('lsm-flush')
    w.put('r%d' % w.depth, 'recovered', w.value(20))


# ---- states

class State:
    __slots__ = ('tree', 'how', 'bounds', 'point')


def collect(w, points, random_states):
    """The different disks that the record allows, with what each must show wherever it may come from."""
    rng, found, contents = random.Random(w.rng.random()), {}, {}
    records = disk_trace.read_trace(w.trace)
    bounds, total = w.bounds.copy(), 0
    changes = sum(w.disk.below(r.path) and r.type not in 'X' for r in records)
    share = min(1, points / max(1, changes))
    for at, r in enumerate([None] + records):
        look = at in (0, len(records)) or rng.random() < share
        if r is not None and r.type == 'X':
            bounds.note(r.data.decode())
            look = True
        elif r is not None and not w.disk.apply(r):
            continue
        if not look:
            continue
        for how, tree in w.disk.states(rng, random_states):
            total += 1
            h = disk_trace.tree_hash(tree)
            if h in found:
                found[h].bounds.tighten(bounds)
                continue
            s = found[h] = State()
            s.tree = {k: v if v is None else contents.setdefault(v, v) for k, v in tree.items()}
            s.how, s.bounds, s.point = how, bounds.copy(), at
    return found, total


def check(state, history, where, judge):
    store = where + '/store'
    disk_trace.tree_write(state.tree, where)
    nothing = not any(state.bounds.acked.values())
    if judge % 3 == 0:  # the first to come may as well be a writer
        run('lsm-put', *PROBE, store=store)
        seen = scan(store)
        if seen.pop(PROBE[0], None) != PROBE[1]:
            raise Failed('the put that came first is not there')
    else:
        seen = scan(store, ok=(0, 3) if nothing else (0,))
        run('lsm-put', *PROBE, store=store)
    history.match(seen, state.bounds)
    seen[PROBE[0]] = PROBE[1]
    for key in list(seen)[:1]:
        if run('lsm-get', key, store=store).stdout.decode() != seen[key]:
            raise Failed('lsm-get and lsm-scan disagree')
    if judge % 3 == 1:
        remove_segments(store)
        if scan(store) != seen:
            raise Failed('what was seen has changed when the memory went')
    run('lsm-flush', store=store)
    if scan(store) != seen:
        raise Failed('what was seen has changed after a flush')
    remove_segments(store)
    if scan(store) != seen:
        raise Failed('what was seen has changed when the memory went after a flush')
    stores.check_nothing_left(store)
    if judge % 20 == 0:
        stores.check_rocks(store, seen)
    remove_segments(store)


def check_all(name, states, history, scratch, deadline):
    """How many were checked, and how many of them failed."""
    failures, done = [], []

    def one(job):
        n, s = job
        if time.monotonic() > deadline:
            return
        done.append(n)
        where = os.path.join(scratch, '%s-%d' % (name.replace('/', '-'), n))
        try:
            check(s, history, where, n)
        except Failed as e:
            failures.append('FAILED %s, record %d, %s: %s' % (name, s.point, s.how, e))
            if opt.keep:
                disk_trace.tree_write(s.tree, os.path.join(opt.keep, os.path.basename(where)))
        remove_segments(where + '/store')
        shutil.rmtree(where, ignore_errors=True)
    with ThreadPoolExecutor(opt.jobs) as pool:
        list(pool.map(one, enumerate(states)))
    for f in failures[:20]:
        print(f, flush=True)
    return len(done), len(failures)


def record(w, body):
    os.makedirs(w.root, exist_ok=True)
    w.begin()
    body(w)
    stores.finish_children()
    remove_segments(w.store)


def explore(name, w, body, count, scratch, seconds, points=400, random_states=10):
    """Records body, checks `count` of the states it allows. (checked, failures, (states that were chosen, how many
    different ones there are, how many were built))"""
    try:
        record(w, body)
    except Failed as e:
        print('FAILED %s: %s' % (name, e), flush=True)
        return 0, 1, []
    found, total = collect(w, points, random_states)
    rng = random.Random(w.rng.random())
    keys = sorted(found)
    chosen = [found[k] for k in (keys if len(keys) <= count else rng.sample(keys, count))]
    checked, failures = check_all(name, chosen, History(w.streams.values()), scratch,
        time.monotonic() + seconds)
    return checked, failures, (chosen, len(found), total)


def explore_cuts(name, w, chosen, count, scratch, root, depth, seconds):
    """Cuts in the recovery from some of these states, and in the recovery from what those leave."""
    checked, failures, end = 0, 0, time.monotonic() + seconds
    rng = random.Random(w.rng.random())
    starts = rng.sample(chosen, min(len(chosen), max(2, count // 12)))
    for i, start in enumerate(starts):
        again = Workload(rng.random(), '%s/%s-cut%d-%d' % (root, name.replace('/', '-'), depth, i),
            [s.copy() for s in w.streams.values()], start.bounds)
        again.depth = depth
        disk_trace.tree_write(start.tree, again.root)
        c, f, rest = explore(name + '/cut', again, recovery, max(1, count // len(starts)), scratch,
            seconds / len(starts), 60, 4)
        checked, failures = checked + c, failures + f
        if time.monotonic() > end:
            break
        if depth > 1 and rest and i % 4 == 0:
            c, f = explore_cuts(name + '/cut', again, rest[0], max(2, count // 8), scratch, root, depth - 1, seconds / 4)
            checked, failures = checked + c, failures + f
        shutil.rmtree(again.root, ignore_errors=True)
        if os.path.exists(again.trace):
            os.unlink(again.trace)
    return checked, failures


def main():
    if opt.list:
        for body in WORKLOADS:
            print('%-20s %s' % (body.__name__, body.__doc__))
        return 0
    stores.adopt_orphans()
    root = tempfile.mkdtemp(prefix='crash-states-')
    scratch = tempfile.mkdtemp(prefix='crash-states-', dir='/dev/shm' if os.path.isdir('/dev/shm') else None)
    checked = failures = 0
    end = time.monotonic() + opt.seconds
    try:
        bodies = [b for b in WORKLOADS if opt.only in (None, b.__name__)]
        for i, body in enumerate(bodies):
            name, share = body.__name__, max(1, (end - time.monotonic()) / (len(bodies) - i))
            w = Workload('%s %d' % (name, opt.seed), '%s/%s' % (root, name))
            c, f, rest = explore(name, w, body, opt.states, scratch, share / 2, random_states=4 + opt.states // 40)
            checked, failures, cut, cut_failures = checked + c, failures + f, 0, 0
            if rest:
                cut, cut_failures = explore_cuts(name, w, rest[0], max(6, opt.states // 2), scratch, root, 2, share / 3)
                print('%-20s %5d of %d different states (of %d built), %5d of cut recoveries, %d failed' % (name, c, rest[1], rest[2],
                    cut, f + cut_failures), flush=True)
            checked, failures = checked + cut, failures + cut_failures
    finally:
        shutil.rmtree(root, ignore_errors=True)
        shutil.rmtree(scratch, ignore_errors=True)
    print('%d states, %d failed' % (checked, failures))
    return 1 if failures or not checked else 0


sys.exit(main())
