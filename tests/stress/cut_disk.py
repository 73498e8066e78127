#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cut_disk.py BINDIR [--cuts N] [--seconds N] [--seed N] [--only WORKLOAD] [--states N] [--keep DIR] [--list]

Power cuts of a mounted disk (cut_disk.c), under the programs as they are shipped. Runs them until the disk has seen so
many changes; cuts its power, at once or with those who still run being told EIO; and puts in its place, the shared memory
gone as after a boot, one of the disks that may be left (cut_disk_reboot.c). Then:

  - the next commands work, without a manual step;
  - they show, of each stream of operations, a prefix that holds at least every acknowledged one, and no batch in part;
  - what was seen stays, over puts, a flush and the next cut: recovery is cut, too, and what that leaves is recovered.

Beside cuts: syncs that fail once and lose what they should have saved, a disk that is full, reads that fail.

It lives in mount namespaces of its own, with a /dev/shm of its own. Cut number i of a run has the seed S + i, which gives
operations, the moment (a number of calls that the disk sees) and the disks chosen after it; the order in which several
processes reach the disk it does not give. With --keep the disk of a failure stays: `cut_disk -i FILE -s CHOICE DIR` mounts
the very state. Exits 77 where it cannot mount anything.
"""
import argparse
import contextlib
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stores
from stores import Failed, at_once

SKIPPED = 77
SHM = '/dev/shm'


# ---- what was done, in streams: each in order, with keys of its own

class Stream:
    """operations: lists of (key, value, or None to delete), each list atomic. A prefix of them is there, of at least `low`
    and at most `high`."""

    def __init__(self, name):
        self.name, self.operations, self.low, self.high = name, [], 0, 0

    def copy(self):
        s = Stream(self.name)
        s.operations, s.low, s.high = list(self.operations), self.low, self.high
        return s

    def match(self, got, low, high):
        """The shortest prefix from low to high operations that makes exactly got."""
        now, wrong = {}, set(got)
        for n in range(high + 1):
            if n:
                for key, value in self.operations[n - 1]:
                    now[key] = value
                    (wrong.discard if got.get(key) == value else wrong.add)(key)
            if n >= low and not wrong:
                return n
        raise Failed('stream %s: %d records, as after no prefix of %d to %d operations; %s differ' % (self.name, len(got), low,
            high, sorted(wrong)[:5]))


def match(streams, got, since=None):
    """What each stream shows in got; since: what was acknowledged earlier, {name: operations}."""
    mine = {s.name: {} for s in streams}
    for key, value in got.items():
        stream = mine.get(key.split('-')[0])
        if stream is None:
            raise Failed('nobody put %r' % key)
        stream[key] = value
    return {s.name: s.match(mine[s.name], s.low if since is None else since.get(s.name, 0), s.high) for s in streams}


# ---- the machine

class Machine:
    """A disk, what runs on it, and its shared memory."""

    def __init__(self, root, streams=()):
        self.root, self.mount = root, root + '/disk'
        self.store = self.mount + '/store'
        self.streams, self.lock = list(streams), threading.Lock()
        self.kill, self.troubled, self.disk = False, False, None
        os.makedirs(self.mount, exist_ok=True)

    # the power

    def boot(self, image=None, choice=0):
        args = [stores.program('stress/cut_disk'), *(['-i', image, '-s', str(choice)] if image else []), self.mount]
        self.off, self.answers = threading.Event(), queue.Queue()
        self.disk = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = self.disk.stdout.readline()
        if not ready:
            raise OSError('no file system can be mounted here')
        threading.Thread(target=self.listen, args=(self.disk.stdout,), daemon=True).start()
        return ready[len('ready '):].strip()

    def listen(self, lines):
        for line in lines:
            if line != 'cut\n':
                self.answers.put(line.split())
                continue
            self.off.set()
            if self.kill:
                self.kill_all()
        self.answers.put(None)

    def tell(self, command):
        """(changes, reads, syncs, bytes) so far."""
        answer = None
        with self.lock:
            self.disk.stdin.write(command + '\n')
            self.disk.stdin.flush()
            with contextlib.suppress(queue.Empty):
                answer = self.answers.get(timeout=stores.TIMEOUT)
        if not answer or answer[0] != 'ok':
            raise Failed('the disk itself died, or hangs')
        return [int(n) for n in answer[1:]]

    def is_off(self):
        self.tell('status')
        return self.off.is_set()

    def cut(self, image):
        """No process, no memory, no disk; all that there was of it is in image."""
        if not self.is_off():
            self.tell('cut')
        if self.kill:
            self.kill_all()
        self.quiet()
        self.tell('image ' + image)
        self.end()

    def end(self):
        if self.disk:
            self.kill_all()
            self.disk.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.disk.wait(stores.TIMEOUT)
            self.disk.kill()
            self.disk.wait()
            self.disk = None
            subprocess.run(['umount', '-l', self.mount], stderr=subprocess.DEVNULL)
        for name in os.listdir(SHM):
            os.unlink(os.path.join(SHM, name))

    def children(self):
        found = set()
        for task in os.listdir('/proc/self/task'):
            with contextlib.suppress(OSError), open('/proc/self/task/%s/children' % task) as f:
                found.update(int(pid) for pid in f.read().split())
        found.discard(self.disk.pid)
        return found

    def kill_all(self):
        for pid in self.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def quiet(self):
        """Waits for flushes that were handed on, once no thread runs programs."""
        end = time.monotonic() + stores.TIMEOUT
        while self.children():
            for pid in self.children():
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            if self.kill and self.off.is_set():
                self.kill_all()
            if time.monotonic() > end:
                raise Failed('a flush that was handed on hangs')
            time.sleep(0.001)

    # programs

    def run(self, prog, *args, ok=(0,), stdin=b''):
        """None if it failed because it may: the power is gone, or the disk in trouble."""
        r = stores.start(prog, *args, store=self.store, stdin=stdin)
        if r.returncode in ok:
            return r
        if self.is_off() or (self.troubled and r.returncode == 3):
            if r.returncode == 1:
                raise Failed('%s %s: exit 1 on a disk that fails' % (prog, ' '.join(args)[:80]))
            return None
        said = (r.stderr + r.stdout).decode().strip()
        raise Failed('%s %s: exit %d: %s' % (prog, ' '.join(args)[:80], r.returncode, said[:300]))

    def begin(self, conf=None):
        """With this configuration, on the disk for certain."""
        if conf:
            os.mkdir(self.store)
            fd = os.open(self.store + '/lsm.conf', os.O_WRONLY | os.O_CREAT)
            os.write(fd, conf.encode())
            os.fsync(fd)
            os.close(fd)
            for path in (self.store, self.mount):
                fd = os.open(path, os.O_RDONLY)
                os.fsync(fd)
                os.close(fd)

    def stream(self, name):
        s = Stream(name)
        with self.lock:
            self.streams.append(s)
        return s

    def scan(self, stays=True):
        """What is there, if it can be had; it must be what may be. stays: from now on it must be there."""
        with self.lock:
            since = {s.name: s.low for s in self.streams}
        nothing = not any(since.values())
        r = self.run('lsm-scan', '-x', ok=(0, 3) if nothing else (0,))
        if r is None or r.returncode:
            return None
        got = stores.of_scan(r.stdout)
        with self.lock:
            streams = list(self.streams)
        shown = match(streams, got, since)
        if stays:
            for s in streams:
                s.low = s.high = shown[s.name]
                del s.operations[s.low:]
        return got


class Writer:
    """Changes keys of its own. After a command that failed it goes on with others: those are in doubt."""

    def __init__(self, machine, name, seed):
        self.machine, self.name, self.rng, self.streams = machine, name, random.Random(seed), 0
        self.renew()

    def renew(self):
        self.stream = self.machine.stream('%s%d' % (self.name, self.streams))
        self.streams += 1

    def key(self, name):
        return '%s-%s' % (self.stream.name, name)

    def value(self, size):
        return ''.join(self.rng.choices('abcdefghijklmnop', k=size))

    def change(self, operations, prog, *args, ack=True, **more):
        if self.machine.off.is_set():
            return
        s = self.stream
        s.operations += operations
        s.high = len(s.operations)
        if self.machine.run(prog, *args, **more) is None:
            self.renew()
        elif ack:
            s.low = s.high

    def put(self, name, size, *args, **more):
        key, value = self.key(name), self.value(size)
        self.change([[(key, value)]], 'lsm-put', *args, key, value, **more)

    def delete(self, *names):
        keys = [self.key(name) for name in names]
        self.change([[(key, None)] for key in keys], 'lsm-del', *keys)

    def batch(self, names, size, *args, **more):
        pairs = [(self.key(name), self.value(self.rng.randrange(size))) for name in names]
        operations = [pairs] if '--atomic' in args else [[pair] for pair in pairs]
        self.change(operations, 'lsm-put', '--batch', *args, stdin=''.join('%s\t%s\n' % p for p in pairs).encode(), **more)


def flushes(m, n):
    for _ in range(n):
        if not m.off.is_set():
            m.run('lsm-flush', ok=(0, 3) if not any(s.low for s in m.streams) else (0,))


# ---- workloads: (machine, rng). CHANGES says about how many changes the disk sees

def puts(m, rng):
    """A new store: puts, overwrites, deletes, flushes, one after the other."""
    w = Writer(m, 'a', rng.random())
    for i in range(24):
        kind = rng.random()
        if kind < 0.15 and w.stream.low:
            w.delete('k%d' % rng.randrange(6))
        elif kind < 0.3:
            flushes(m, 1)
        else:
            w.put('k%d' % rng.randrange(6), rng.choice((10, 400, 600, 3000)))


def writers(m, rng):
    """Three batches in several groups and a putter at once, memtables that fill, flushes and a reader beside them."""
    ws = [Writer(m, name, rng.random()) for name in 'abcd']

    def batches(w):
        for _ in range(2):
            w.batch(['k%02d' % w.rng.randrange(90) for _ in range(120)], 900)

    def single():
        for i in range(12):
            ws[3].put('k%d' % (i % 5), ws[3].rng.randrange(900))

    def reader():
        for _ in range(3):
            if not m.off.is_set():
                m.scan(stays=False)
    at_once(*(lambda w=w: batches(w) for w in ws[:3]), single, lambda: flushes(m, 4), reader)


def atomic(m, rng):
    """Atomic batches, some larger than a memtable, beside a flusher and a putter."""
    w, other = Writer(m, 'a', rng.random()), Writer(m, 'b', rng.random())

    def batches():
        for _ in range(6):
            w.batch(['k%03d' % w.rng.randrange(200) for _ in range(60)], w.rng.choice((40, 800, 3500)), '--atomic')

    def single():
        for i in range(10):
            other.put('k%d' % (i % 4), 300)
    at_once(batches, single, lambda: flushes(m, 3))


def unsynced(m, rng):
    """--no-sync: any number may be lost, but only from the end."""
    w = Writer(m, 'a', rng.random())
    for i in range(30):
        if rng.random() < 0.15:
            w.put('k%d' % rng.randrange(5), rng.randrange(900))
        elif rng.random() < 0.2:
            w.batch(['r%02d' % i for i in range(40)], 1400, '--no-sync', ack=False)
        else:
            w.put('k%d' % rng.randrange(5), rng.randrange(900), '--no-sync', ack=False)


def crowded(m, rng):
    """No room in /dev/shm: the memtable, too, is on the disk, and mapped."""
    shared_memory('64k')
    w, other = Writer(m, 'a', rng.random()), Writer(m, 'b', rng.random())

    def single():
        for i in range(6):
            other.put('k%d' % (i % 4), 300)
    at_once(lambda: w.batch(['k%02d' % i for i in range(90)], 900), single, lambda: flushes(m, 2))


def failing(m, rng):
    """Syncs that fail once and lose what they should have saved."""
    ws = [Writer(m, name, rng.random()) for name in 'ab']
    m.troubled = True

    def single(w):
        for i in range(20):
            if i % 5 == 4:
                flushes(m, 1)
            elif i % 7 == 6:
                w.batch(['b%02d' % i for i in range(30)], 900)
            else:
                w.put('k%d' % w.rng.randrange(6), w.rng.choice((20, 600, 1500)))

    def trouble():
        for _ in range(8):
            if not m.off.is_set():
                m.tell('fail %d' % rng.randrange(1, 8))
                time.sleep(0.02)
    at_once(*(lambda w=w: single(w) for w in ws), trouble)
    m.tell('fail 0')
    m.quiet()
    m.troubled = False
    for w in ws:
        w.renew()
        w.put('after', 100)


def full(m, rng):
    """A disk that is full, and has room again."""
    w = Writer(m, 'a', rng.random())
    w.put('first', 100)
    for _ in range(3):
        if m.is_off():
            return
        m.troubled = True
        m.tell('full %d' % (m.tell('status')[3] + rng.choice((0, 1, 700, 9000, 70000))))
        for i in range(6):
            if rng.random() < 0.2:
                flushes(m, 1)
            else:
                w.batch(['k%02d' % rng.randrange(40) for _ in range(20)], rng.choice((30, 1500)))
        m.quiet()
        m.tell('full 0')
        m.troubled = False
        w.put('room', 200)
        w.batch(['k%02d' % i for i in range(20)], 900)


SMALL = 'write_buffer_size = 64K\n'
WORKLOADS = [puts, writers, atomic, unsynced, crowded, failing, full]
CHANGES = {puts: 100, writers: 130, atomic: 90, unsynced: 90, crowded: 130, failing: 200, full: 130}


def shared_memory(size):
    subprocess.run(['mount', '-o', 'remount,size=' + size, SHM], check=True)


# ---- after the cut

def recovery(m, rng, depth):
    """What comes next: to be cut, or not. True when it went to its end."""
    w = Writer(m, 'r%d.' % depth, rng.random())

    def check():
        made = any(s.low for s in m.streams)
        m.run('lsm-check', ok=(0,) if made else (0, 3, 4))  # 4: parts of a store that nobody has finished

    def get():
        known = [(s, o[0]) for s in m.streams if s.low for o in s.operations[:s.low][-1:]]
        for s, (key, _) in known[:1]:
            if s.low < s.high:
                m.run('lsm-get', key, ok=(0, 1))
                continue
            now = dict(change for operation in s.operations for change in operation)[key]
            r = m.run('lsm-get', key, ok=(0,) if now is not None else (1,))
            if r is not None and now is not None and r.stdout.decode() != now:
                raise Failed('lsm-get %s gives another value' % key)
    steps = [lambda: w.put('one', rng.choice((20, 600))), lambda: flushes(m, 1), check, get, m.scan]
    rng.shuffle(steps)
    steps += [lambda: w.put('probe', 600), m.scan, lambda: w.batch(['b%d' % i for i in range(20)], 300, '--atomic'),
              lambda: w.delete('b3', 'one'), get, lambda: flushes(m, 1), check, m.scan, lambda: w.put('probe', 20), m.scan]
    if rng.random() < 0.2:  # one of its first reads fails
        m.tell('read %d' % rng.randrange(1, 9))
        m.troubled = True
    for i, step in enumerate(steps):
        if m.off.is_set():
            return False
        if i == 5:
            m.tell('read 0')
            m.troubled = False
        step()
    m.quiet()
    return not m.is_off()


class Cut:
    """One cut, and what follows from it."""

    def __init__(self, body, seed, root, states):
        self.body, self.root, self.states = body, root, states
        self.rng = random.Random('%s %d' % (body.__name__, seed))
        self.checked, self.images = 0, 0
        self.told = ''

    def arm(self, m, changes):
        m.kill = self.rng.random() < 0.5
        m.tell('after %d' % self.rng.randrange(1, changes))

    def boot(self, m, image, choice):
        self.told = '%s -s %d' % (image, choice)
        self.told += ' (%s)' % m.boot(image, choice)

    def pull(self, m):
        """Cuts the power; the image of what is left."""
        self.images += 1
        image = '%s/image.%d' % (self.root, self.images)
        m.cut(image)
        return image

    def machine(self, body, *args):
        """Runs body(machine), which returns an image or None, and leaves nothing running."""
        m = Machine(self.root, *args)
        try:
            return body(m)
        finally:
            m.end()
            shared_memory('2g')

    def run(self):
        def live(m):
            m.boot()
            m.begin(SMALL if self.body is not puts and self.rng.random() < 0.8 else None)
            self.arm(m, self.rng.choice((30, CHANGES[self.body])))
            self.body(m, self.rng)
            return self.pull(m), m.streams
        image, streams = self.machine(live)
        for _ in range(self.states):
            self.recover(image, streams, 1)

    def recover(self, image, streams, depth):
        """One disk that may be left; its recovery is cut, and so on; one that is not cut must be right to its end, and what it
        shows must be there after another cut."""
        choice = self.rng.getrandbits(32)
        last = depth == 4 or self.rng.random() < 0.5

        def live(m):
            self.boot(m, image, choice)
            if not last:
                self.arm(m, 40)
            whole = recovery(m, self.rng, depth)
            left = self.pull(m)
            if whole:
                self.boot(m, left, self.rng.getrandbits(32))
                m.scan()
            return left, m.streams
        left, after = self.machine(live, [s.copy() for s in streams])
        self.checked += 1
        if not last:
            self.recover(left, after, depth + 1)


def one_cut(body, seed, opt):
    """(states checked, failures)"""
    root = tempfile.mkdtemp(prefix='cut-disk-')
    cut = Cut(body, seed, root, opt.states)
    try:
        cut.run()
        return cut.checked, 0
    except (Failed, OSError) as e:
        print('FAILED %s, %s: %s\n  again: --only %s --seed %d --cuts 1' % (body.__name__, cut.told or 'before the cut', e,
            body.__name__, seed), flush=True)
        if opt.keep:
            shutil.copytree(root, '%s/%s-%d' % (opt.keep, body.__name__, seed), dirs_exist_ok=True)
        return cut.checked, 1
    finally:
        shutil.rmtree(root, ignore_errors=True)


# ---- main

def options():
    p = argparse.ArgumentParser()
    p.add_argument('bindir')
    p.add_argument('--cuts', type=int, default=100)
    p.add_argument('--seconds', type=float, default=1e9)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--only')
    p.add_argument('--states', type=int, default=4, help='of the disks that each cut may leave')
    p.add_argument('--keep', help='where disks of failures are left')
    p.add_argument('--list', action='store_true')
    return p.parse_args()


def enter_namespaces():
    """Starts this program again where mounts and /dev/shm are its own."""
    if os.environ.get('CUT_DISK_INSIDE'):
        return
    user = [] if os.getuid() == 0 else ['--map-root-user']
    private = ['unshare', *user, '--mount', '--propagation', 'private']
    if not os.path.exists('/dev/fuse') or subprocess.run([*private, 'mount', '-t', 'tmpfs', 'tmpfs', SHM],
            stderr=subprocess.DEVNULL).returncode:
        print('no /dev/fuse, or no mount namespaces, here')
        sys.exit(SKIPPED)
    os.environ['CUT_DISK_INSIDE'] = '1'
    os.execvp('unshare', [*private, sys.executable, *sys.argv])


def can_mount():
    root = tempfile.mkdtemp(prefix='cut-disk-')
    m = Machine(root)
    try:
        m.boot()
        return True
    except OSError:
        return False
    finally:
        m.end()
        shutil.rmtree(root, ignore_errors=True)


def main():
    opt = options()
    if opt.list:
        for body in WORKLOADS:
            print('%-10s %s' % (body.__name__, body.__doc__))
        return 0
    if not os.access(os.path.join(opt.bindir, 'stress/cut_disk'), os.X_OK):
        print('no cut_disk here (libfuse3)')
        return SKIPPED
    enter_namespaces()
    stores.use(opt.bindir)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'mode=1777,size=2g', 'tmpfs', SHM], check=True)
    stores.adopt_orphans()
    if not can_mount():
        print('no file system can be mounted here')
        return SKIPPED
    bodies = [b for b in WORKLOADS if opt.only in (None, b.__name__)]
    counts = {b.__name__: [0, 0, 0] for b in bodies}
    end = time.monotonic() + opt.seconds
    for i in range(opt.cuts):
        if time.monotonic() > end:
            break
        body = bodies[i % len(bodies)]
        checked, failed = one_cut(body, opt.seed + i, opt)
        for n, more in enumerate((1, checked, failed)):
            counts[body.__name__][n] += more
    for name, n in counts.items():
        print('%-10s %4d cuts, %5d disks recovered, %d failed' % (name, *n))
    cuts, failed = sum(n[0] for n in counts.values()), sum(n[2] for n in counts.values())
    print('%d cuts, %d failed' % (cuts, failed))
    return 1 if failed or not cuts else 0


sys.exit(main())
