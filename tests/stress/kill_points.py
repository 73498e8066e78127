#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kill_points.py BINDIR [--only SCENARIO] [--stride N] [--seed N]

Kills a command at its 1st, 2nd, 3rd ... kill point (os/kill_point.h; BINDIR holds a build with -DLSM_TESTING)
until it survives, and looks after each kill what the next commands find:

  - the next command works without a manual step, in time;
  - everything acknowledged before is there, with its value; nothing deleted is back;
  - what the killed command was to do is there whole or not at all, and once it was seen it stays;
  - a further put, a flush and a scan work; RocksDB's ldb (where installed) sees the same at the end of a scenario;

once with the shared memory kept, once with it removed, so that all is rebuilt from the logs. A second kill in what the
first one left to be repaired is tried as well (scenario names ending in +repair).
"""
import argparse, os, random, shutil, subprocess, sys, tempfile, time

p = argparse.ArgumentParser()
p.add_argument('bindir')
p.add_argument('--only')
p.add_argument('--stride', type=int, default=1, help='try every Nth point only (the first 40 always)')
p.add_argument('--seed', type=int, default=1)
opt = p.parse_args()
rng = random.Random(opt.seed)
TIMEOUT = 20

class Failed(Exception):
    pass

def run(prog, *args, store, kill=None, stdin=b'', ok=(0,)):
    env = {'PATH': os.environ['PATH'], 'LSM_DB': store}
    if kill:
        env['LSM_KILL'] = kill
    try:
        r = subprocess.run([os.path.join(opt.bindir, prog), *args], input=stdin, capture_output=True, env=env, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise Failed('%s %s hangs' % (prog, ' '.join(args)[:80]))
    if kill is None and r.returncode not in ok:
        raise Failed('%s %s: exit %d: %s' % (prog, ' '.join(args)[:80], r.returncode, r.stderr.decode()[:300]))
    return r

def scan(store):
    out = run('lsm-scan', '-x', store=store).stdout.decode()
    return dict(l.split('\t') for l in out.splitlines())

def token(store):
    with open(store + '/LOCK', 'rb') as f:
        return f.read(32)[16:].hex()

def remove_segments(store):
    try:
        t = token(store)
    except OSError:
        return
    for d in ('/dev/shm', store):
        for n in os.listdir(d):
            if t and t in n:
                try:
                    os.unlink(os.path.join(d, n))
                except FileNotFoundError:
                    pass  # a flush that was handed on has just swept it

def hexed(d):
    return {k.encode().hex(): v.encode().hex() for k, v in d.items()}

def records(d):
    return ''.join('%s\t%s\n' % kv for kv in d.items()).encode()

# A scenario: what is there before, the command that is killed, and what it changes.
BASE = {'k%03d' % i: 'base%d' % i for i in range(30)}
BATCH = {'b%04d' % rng.randrange(10000): 'x' * rng.randrange(60) for i in range(150)}
BIG = {'c%06d' % rng.randrange(1000000): 'y' * 300 for i in range(260)}

class Scenario:
    def __init__(self, name, prog, args=(), stdin=b'', put=None, delete=(), conf='', before=None, atomic=True, repair=None):
        self.name, self.prog, self.args, self.stdin = name, prog, list(args), stdin
        self.put, self.delete, self.conf, self.before, self.atomic = put or {}, delete, conf, before, atomic
        self.repair = repair  # kill this command at its n-th point first, then the scenario's own command

def frozen(store):
    """A store with a frozen memtable that nobody has flushed: rotate is passed, the flush killed at its start."""
    run('lsm-flush', store=store, kill='flush-table-created:1')

def flushed(store):
    run('lsm-flush', store=store)

def unsaved(store):
    remove_segments(store)

SMALL = 'write_buffer_size = 64K\n'
SCENARIOS = [
    Scenario('put', 'lsm-put', ['new', 'value'], put={'new': 'value'}),
    Scenario('put-overwrite', 'lsm-put', ['k003', 'other'], put={'k003': 'other'}),
    Scenario('put-to-flushed', 'lsm-put', ['k003', 'other'], put={'k003': 'other'}, before=flushed),
    Scenario('delete', 'lsm-del', ['k004', 'k005'], delete=('k004', 'k005'), atomic=False),
    Scenario('batch', 'lsm-put', ['--batch', '--atomic'], records(BATCH), put=BATCH),
    Scenario('rotate', 'lsm-put', ['--batch'], records(BIG), put=BIG, conf=SMALL, atomic=False),
    Scenario('flush', 'lsm-flush'),
    Scenario('flush-frozen', 'lsm-flush', before=frozen),
    Scenario('flush-again', 'lsm-flush', before=flushed),
    Scenario('rebuild-by-put', 'lsm-put', ['new', 'value'], put={'new': 'value'}, before=unsaved),
    Scenario('rebuild-by-get', 'lsm-get', ['k001'], before=unsaved),
    Scenario('rebuild-frozen', 'lsm-flush', before=lambda s: (frozen(s), unsaved(s))),
    Scenario('create', 'lsm-put', ['first', 'value'], put={'first': 'value'}),
    Scenario('put+repair', 'lsm-put', ['second', 'value'], put={'new': 'value', 'second': 'value'}, repair=('put-appended:1', ['new', 'value']), atomic=False),
    Scenario('batch+repair', 'lsm-put', ['second', 'value'], put=dict(BATCH, second='value'), repair=('tree-counted:70', ['--batch', '--atomic']), stdin=records(BATCH), atomic=False),
    Scenario('torn+repair', 'lsm-put', ['second', 'value'], put={'new': 'value', 'second': 'value'}, repair=('file-write-half:1', ['new', 'value']), atomic=False),
]

def check(s, store, base, when):
    """What a scan shows must be base, or base with the scenario's changes (in part, if it is not atomic)."""
    got = scan(store)
    after = dict(base)
    after.update(hexed(s.put))
    for k in s.delete:
        after.pop(k.encode().hex(), None)
    if got == base or got == after:
        return got
    changed = {k for k in set(base) | set(after) if base.get(k) != after.get(k)}
    for k in set(got) | set(base):
        if got.get(k) == base.get(k) or (k in changed and got.get(k) == after.get(k) and not s.atomic):
            continue
        raise Failed('%s: key %s is %r, was %r, should become %r' % (when, bytes.fromhex(k), got.get(k), base.get(k), after.get(k)))
    return got

def one(s, n, keep, root):
    """Returns False when the command was not killed: all points are done."""
    # A name of its own each time: a flush that the last one handed on may still be at work in the old one.
    store = os.path.join(root, '%s-%d-%d' % (s.name, n, keep))
    base = {}
    if s.name != 'create':
        os.mkdir(store)
        if s.conf:
            with open(store + '/lsm.conf', 'w') as f:
                f.write(s.conf)
        run('lsm-put', '--batch', store=store, stdin=records(BASE))
        base = hexed(BASE)
        if s.before:
            s.before(store)
    if s.repair:
        run('lsm-put', *s.repair[1], store=store, kill=s.repair[0], stdin=s.stdin)
    r = run(s.prog, *s.args, store=store, kill='*:%d' % n, stdin=s.stdin)
    killed = r.returncode == -9
    if not killed and r.returncode != 0:
        raise Failed('exit %d: %s' % (r.returncode, r.stderr.decode()[:300]))
    if not keep:
        remove_segments(store)
    if s.name == 'create' and killed:
        run('lsm-get', 'first', store=store, ok=(0, 1, 3))
        run('lsm-put', 'probe', 'p', store=store)
        base = {}
        seen = scan(store)
        seen.pop(b'probe'.hex())
        if seen not in ({}, hexed(s.put)):
            raise Failed('a new store holds %r' % seen)
        remove_segments(store)
        return True
    begin = time.monotonic()
    seen = check(s, store, base, 'after the kill')
    if not killed and s.put and any(seen.get(k) != v for k, v in hexed(s.put).items() if s.repair is None or k == b'second'.hex()):
        raise Failed('acknowledged and not there')
    run('lsm-put', 'probe', 'p', store=store)
    took = time.monotonic() - begin
    if took > 5:
        raise Failed('the next commands took %.1f s' % took)
    probe = {b'probe'.hex(): b'p'.hex()}
    # What nobody acknowledged may appear only now (the next writer repairs), but what was seen stays.
    base = dict(base, **probe)
    again = check(s, store, base, 'after the next put')
    if any(again.get(k) != v for k, v in seen.items() if base.get(k) != v) or any(k in again for k in base if k not in seen and k not in probe):
        raise Failed('what was seen has changed after the next put')
    if not keep:
        remove_segments(store)
        if scan(store) != again:
            raise Failed('what was seen has changed after another rebuild')
    run('lsm-flush', store=store)
    if scan(store) != again:
        raise Failed('what was seen has changed after a flush')
    names = os.listdir(store)
    if sum(x.endswith('.log') for x in names) != 1 or sum(x.startswith('MANIFEST') for x in names) != 1:
        raise Failed('left behind: %s' % ' '.join(sorted(names)))
    if n % 25 == 0 and shutil.which('ldb'):
        out = subprocess.run(['ldb', '--db=' + store, '--hex', 'scan'], capture_output=True).stdout.decode()
        theirs = {l.split(' : ')[0][2:].lower(): l.split(' : ')[1][2:].lower() for l in out.splitlines() if ' : ' in l}
        if theirs != again:
            raise Failed('RocksDB sees %d records, not %d' % (len(theirs), len(again)))
    remove_segments(store)
    shutil.rmtree(store, ignore_errors=True)
    return killed

def main():
    passed = failed = 0
    root = tempfile.mkdtemp(prefix='kill-points-')
    for s in SCENARIOS:
        if opt.only and s.name != opt.only:
            continue
        n = points = 0
        while True:
            n += 1 if n < 40 else opt.stride
            try:
                results = [one(s, n, keep, root) for keep in (True, False)]
            except Failed as e:
                print('FAILED %s at point %d: %s' % (s.name, n, e))
                failed += 1
                results = [n < 3000]
            points += 1
            if not any(results):
                break
        passed += 1
        print('%-18s %d points' % (s.name, points - 1), flush=True)
    shutil.rmtree(root, ignore_errors=True)
    print('%d passed, %d failed' % (passed if not failed else passed - 1, failed))
    sys.exit(1 if failed else 0)

main()
