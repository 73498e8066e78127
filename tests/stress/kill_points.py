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
import argparse
import os
import random
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stores
from stores import Failed, Scenario, run, start, text_of

p = argparse.ArgumentParser()
p.add_argument('bindir')
p.add_argument('--only')
p.add_argument('--stride', type=int, default=1, help='try every Nth point only (the first 40 always)')
p.add_argument('--seed', type=int, default=1)
opt = p.parse_args()
stores.use(opt.bindir)
rng = random.Random(opt.seed)

BASE = {'k%03d' % i: 'base%d' % i for i in range(30)}
BATCH = {'b%04d' % rng.randrange(10000): 'x' * rng.randrange(60) for i in range(150)}
BIG = {'c%06d' % rng.randrange(1000000): 'y' * 300 for i in range(260)}
SMALL = 'write_buffer_size = 64K\n'
NEW = {'put': {'new': 'value'}}
SECOND = ['lsm-put', ['second', 'value']]
SCENARIOS = [
    Scenario('put', 'lsm-put', ['new', 'value'], **NEW),
    Scenario('put-overwrite', 'lsm-put', ['k003', 'other'], put={'k003': 'other'}),
    Scenario('put-to-flushed', 'lsm-put', ['k003', 'other'], put={'k003': 'other'}, before='flushed'),
    Scenario('delete', 'lsm-del', ['k004', 'k005'], delete=('k004', 'k005')),
    Scenario('batch', 'lsm-put', ['--batch', '--atomic'], text_of(BATCH), put=BATCH),
    Scenario('rotate', 'lsm-put', ['--batch'], text_of(BIG), put=BIG, conf=SMALL, atomic=False),
    Scenario('flush', 'lsm-flush'),
    Scenario('flush-frozen', 'lsm-flush', before='frozen'),
    Scenario('flush-again', 'lsm-flush', before='flushed'),
    Scenario('rebuild-by-put', 'lsm-put', ['new', 'value'], before='cold', **NEW),
    Scenario('rebuild-by-get', 'lsm-get', ['k001'], before='cold'),
    Scenario('rebuild-frozen', 'lsm-flush', before='frozen-cold'),
    Scenario('create', 'lsm-put', ['first', 'value'], put={'first': 'value'}, before='none'),
    Scenario('put+repair', *SECOND, put={'new': 'value', 'second': 'value'}, atomic=False),
    Scenario('batch+repair', *SECOND, text_of(BATCH), put=dict(BATCH, second='value'), atomic=False),
    Scenario('torn+repair', *SECOND, put={'new': 'value', 'second': 'value'}, atomic=False),
]
# What leaves something to repair: (where it is killed, arguments of lsm-put).
REPAIRS = {
    'put+repair': ('put-appended:1', ['new', 'value']),
    'batch+repair': ('tree-counted:70', ['--batch', '--atomic']),
    'torn+repair': ('file-write-half:1', ['new', 'value']),
}
for scenario in SCENARIOS:
    scenario.base = {} if scenario.before == 'none' else BASE


def freeze(store):
    run('lsm-flush', store=store, ok=(-9,), LSM_KILL='flush-table-created:1')


def one(s, n, keep, root):
    """Was it killed? If not, all points are done."""
    store = os.path.join(root, '%s-%d-%d' % (s.name, n, keep))
    s.make(store, root + '/template', freeze)
    repair = REPAIRS.get(s.name)
    if repair:
        run('lsm-put', *repair[1], store=store, stdin=s.stdin, ok=(-9,), LSM_KILL=repair[0])
    r = start(s.prog, *s.args, store=store, stdin=s.stdin, LSM_KILL='*:%d' % n)
    if r.returncode not in (0, -9):
        raise Failed('exit %d: %s' % (r.returncode, r.stderr.decode()[:300]))
    done = r.returncode == 0
    if not os.path.isdir(store):  # killed before it made one
        os.mkdir(store)
    stores.finish_children()
    stores.check_store(s, store, done and not repair, keep, late=True, rocks=n % 25 == 0)
    if done and repair:
        run('lsm-get', '-q', 'second', store=store)
    stores.remove(store)
    return not done


def explore(s, root):
    """Number of failures."""
    n = points = failed = 0
    while True:
        n += 1 if n < 40 else opt.stride
        try:
            killed = [one(s, n, keep, root) for keep in (True, False)]
        except Failed as e:
            print('FAILED %s at point %d: %s' % (s.name, n, e))
            failed += 1
            killed = [n < 3000]
        if not any(killed):
            break
        points += 1
    print('%-18s %d points' % (s.name, points), flush=True)
    return failed


def main():
    failed = passed = 0
    root = tempfile.mkdtemp(prefix='kill-points-')
    stores.adopt_orphans()
    try:
        run('lsm-put', '--batch', store=root + '/template', stdin=text_of(BASE))
        stores.remove_segments(root + '/template')
        for s in SCENARIOS:
            if opt.only in (None, s.name):
                bad = explore(s, root)
                failed, passed = failed + bad, passed + (not bad)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or not passed else 0


sys.exit(main())
