# SPDX-License-Identifier: MIT
"""What the drivers beside this file share: running programs on a store, losing its shared memory, scenarios, and what
must hold once something has gone wrong. Call use() first."""

import argparse
import contextlib
import ctypes
import os
import random
import shutil
import subprocess
import threading
import time

BINDIR, TIMEOUT = None, 20


class Failed(Exception):
    pass


def use(bindir, timeout=20):
    """Programs come from bindir; one that takes longer than timeout seconds hangs."""
    global BINDIR, TIMEOUT
    BINDIR, TIMEOUT = bindir, timeout


def sampling_options(jobs):
    """The command line of a driver that makes one thing after the other go wrong; does use()."""
    p = argparse.ArgumentParser()
    p.add_argument('bindir')
    p.add_argument('--every', type=int, default=1)
    p.add_argument('--seconds', type=float, default=1e9)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--only')
    p.add_argument('--root', help='a directory for the stores')
    p.add_argument('--jobs', type=int, default=jobs)
    p.add_argument('--list', action='store_true')
    opt = p.parse_args()
    use(opt.bindir, timeout=30)
    return opt


def at_once(*bodies):
    """Each in a thread of its own; the first failure of any is raised when all have ended."""
    errors = []

    def guarded(body):
        try:
            body()
        except Exception as e:
            errors.append(e)
    threads = [threading.Thread(target=guarded, args=(b,)) for b in bodies]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


# ---- programs

def program(name):
    return os.path.join(BINDIR, name)


def start(prog, *args, store, stdin=b'', setup=None, before=(), **env):
    """Runs it (behind the command `before`), whatever its status. Variables that are None are left out."""
    env = {'PATH': os.environ['PATH'], 'LSM_DB': store, **{k: v for k, v in env.items() if v}}
    try:
        return subprocess.run([*before, program(prog), *args], input=stdin, capture_output=True, env=env, timeout=TIMEOUT,
            preexec_fn=setup)
    except subprocess.TimeoutExpired:
        raise Failed('%s %s hangs' % (prog, ' '.join(args)[:80]))


def run(prog, *args, ok=(0,), **more):
    """The same; a status that is not in ok (None: any) is a failure."""
    r = start(prog, *args, **more)
    if ok is not None and r.returncode not in ok:
        raise Failed('%s %s: exit %d: %s' % (prog, ' '.join(args)[:80], r.returncode, r.stderr.decode()[:300]))
    return r


def adopt_orphans():
    """Flushes that are handed on become our children."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def finish_children():
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.002)
        except ChildProcessError:
            return
    raise Failed('a flush that was handed on hangs')


# ---- records, as dictionaries of str

_rng = random.Random(7)
PLAIN = {'k%03d' % i: 'base%d' % i for i in range(30)}
FLUSHED = {'f%03d' % i: 'table%d' % i * 9 for i in range(40)}
BATCH = {'b%04d' % _rng.randrange(10000): 'x' * _rng.randrange(60) for _ in range(50)}
BIG = {'c%06d' % _rng.randrange(1000000): 'y' * 400 for _ in range(400)}  # more than a memtable of
SMALL = 'write_buffer_size = 64K\n'


def text_of(pairs):
    return ''.join('%s\t%s\n' % kv for kv in pairs.items()).encode()


def of_hex(text):
    return bytes.fromhex(text).decode(errors='backslashreplace')


def of_scan(output):
    """Of lsm-scan -x."""
    return {of_hex(k): of_hex(v) for k, v in (l.split('\t') for l in output.decode().splitlines())}


def scan(store, ok=(0,)):
    return of_scan(run('lsm-scan', '-x', store=store, ok=ok).stdout)


def rocks_scan(store):
    """What RocksDB's ldb sees; None where there is none."""
    if not shutil.which('ldb'):
        return None
    out = subprocess.run(['ldb', '--db=' + store, '--hex', 'scan'], capture_output=True).stdout.decode()
    pairs = (l.split(' : ') for l in out.splitlines() if ' : ' in l)
    return {of_hex(k[2:]): of_hex(v[2:]) for k, v in pairs}


# ---- stores

def token(store):
    """Of the names of its segments; '' without one."""
    try:
        with open(store + '/LOCK', 'rb') as f:
            return f.read(32)[16:].hex()
    except OSError:
        return ''


def remove_segments(store):
    """What a reboot does to its shared memory."""
    name = token(store)
    for d in ('/dev/shm', store):
        for n in os.listdir(d) if name else ():
            if name in n:
                with contextlib.suppress(FileNotFoundError):  # a flush that was handed on sweeps, too
                    os.unlink(os.path.join(d, n))


def remove(store):
    remove_segments(store)
    shutil.rmtree(store, ignore_errors=True)


def check_nothing_left(store):
    """After a flush."""
    names = os.listdir(store)
    if (sum(n.endswith('.log') for n in names) != 1 or sum(n.startswith('MANIFEST') for n in names) != 1 or
            any(n.endswith('tmp') for n in names)):
        raise Failed('left behind: %s' % ' '.join(sorted(names)))
    name = token(store)
    for d in ('/dev/shm', store):
        segments = [n for n in os.listdir(d) if name and name in n]
        if len(segments) > 2:
            raise Failed('left behind in %s: %s' % (d, ' '.join(segments)))


def check_rocks(store, seen):
    theirs = rocks_scan(store)
    if theirs is not None and theirs != seen:
        raise Failed('RocksDB sees %d records, not %d' % (len(theirs), len(seen)))


class Scenario:
    """What is there before (a copy of a template that holds `base`), the command, and what it changes (put, delete) or
    prints (out).

    before: cold (no shared memory), warm, flushed, frozen (a memtable whose flush was killed), frozen-cold, none (no
    store)"""

    def __init__(self, name, prog, args=(), stdin=b'', put=None, delete=(), out=None, conf='', before='warm', atomic=True):
        self.name, self.prog, self.args, self.stdin, self.out = name, prog, list(args), stdin, out
        self.put, self.delete, self.conf, self.before, self.atomic = put or {}, delete, conf, before, atomic
        self.base = {}

    def make(self, store, template, freeze):
        if self.before == 'none':
            return
        shutil.copytree(template, store)
        if self.conf:
            with open(store + '/lsm.conf', 'w') as f:
                f.write(self.conf)
        if self.before != 'cold':
            run('lsm-get', next(iter(self.base)), store=store)
        if self.before == 'flushed':
            run('lsm-flush', store=store)
        if self.before.startswith('frozen'):
            freeze(store)
        if self.before == 'frozen-cold':
            remove_segments(store)

    def after(self):
        d = {**self.base, **self.put}
        for k in self.delete:
            d.pop(k, None)
        return d

    def check_contents(self, got, done):
        """All of it if it is done; else all or nothing, or, where it is not atomic, any part."""
        base, after = self.base, self.after()
        if got == after or (got == base and not done):
            return
        if done or self.atomic:
            wrong = [k for k in set(got) | set(after) if got.get(k) != after.get(k)]
            raise Failed('%s, but %d of %d records differ, %s = %.40r' % ('exit 0' if done else 'not done', len(wrong),
                len(after), wrong[0], got.get(wrong[0])))
        for k in set(got) | set(base) | set(after):
            if got.get(k) not in (base.get(k), after.get(k)):
                raise Failed('key %s is %.40r' % (k, got.get(k)))


PROBE = {'probe': 'p'}


def check_store(s, store, done, keep=True, late=False, rocks=False):
    """What every store must be like after a fault of s's command. keep: the shared memory is still there at first.
    late: what was not acknowledged may appear with the next put, which repairs; but it stays then."""
    if not keep:
        remove_segments(store)
    nothing = s.before == 'none' and not done
    seen = scan(store, ok=(0, 3) if nothing else (0,))
    s.check_contents(seen, done)
    run('lsm-put', *next(iter(PROBE.items())), store=store)
    again = scan(store)
    if again.pop('probe', None) != PROBE['probe']:
        raise Failed('a put is not to be seen')
    if late:
        s.check_contents(again, done)
    if any(again.get(k) != seen.get(k) and seen.get(k) != s.base.get(k) for k in set(seen) | set(again)) or (
            not late and again != seen):
        raise Failed('what was seen has changed after the next put')
    again.update(PROBE)
    finish_children()
    remove_segments(store)
    if scan(store) != again:
        raise Failed('what was seen has changed when the memory went')
    run('lsm-flush', store=store)
    finish_children()
    if scan(store) != again:
        raise Failed('what was seen has changed after a flush')
    check_nothing_left(store)
    if rocks:
        check_rocks(store, again)
