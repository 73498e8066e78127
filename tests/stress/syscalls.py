#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""syscalls.py BINDIR [--every N] [--seconds N] [--seed N] [--only SCENARIO] [--root DIR] [--jobs N] [--list]

Kills from outside. Kills a command of BINDIR, and what it hands work on to, at its 1st, 2nd, 3rd ... call of the kernel,
before the call is done and behind it, until it survives (kill_calls.c). After each kill:

  - the next commands work without a manual step, in time;
  - everything acknowledged before is there; what the command was to do is there whole or not at all, and
    once it was seen it stays, over a put, a flush and another loss of the shared memory; nothing else is there;
  - after the next flush no file and no segment is left that nobody names; RocksDB's ldb (where installed) sees the same;

once with the shared memory kept, once with it removed, as by a reboot.

--every N tries one in N of the calls, chosen by the seed; --seconds ends earlier, with each scenario having had its share.
"""
import os
import random
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stores
from stores import BATCH, BIG, FLUSHED, PLAIN, SMALL, Failed, Scenario, run, start, text_of

opt = stores.sampling_options(jobs=1)

BASE = {**PLAIN, **FLUSHED}
NEW = {'put': {'new': 'value'}}
SCENARIOS = [
    Scenario('put', 'lsm-put', ['new', 'value'], **NEW),
    Scenario('overwrite', 'lsm-put', ['k003', 'other'], put={'k003': 'other'}),
    Scenario('put-to-flushed', 'lsm-put', ['f003', 'other'], put={'f003': 'other'}),
    Scenario('delete', 'lsm-del', ['k004', 'f005'], delete=('k004', 'f005')),
    Scenario('atomic', 'lsm-put', ['--batch', '--atomic'], text_of(BATCH), put=BATCH),
    Scenario('rotate', 'lsm-put', ['--batch'], text_of(BIG), put=BIG, conf=SMALL, atomic=False),
    Scenario('flush', 'lsm-flush'),
    Scenario('flush-frozen', 'lsm-flush', before='frozen'),
    Scenario('hand-over', 'lsm-put', ['new', 'value'], before='frozen', **NEW),
    Scenario('get', 'lsm-get', ['k007'], out=b'base7'),
    Scenario('scan', 'lsm-scan', ['-c'], out=b'70\n'),
    Scenario('stat', 'lsm-stat'),
    Scenario('check', 'lsm-check'),
    Scenario('rebuild-put', 'lsm-put', ['new', 'value'], before='cold', **NEW),
    Scenario('rebuild-get', 'lsm-get', ['f007'], before='cold', out=b'table7' * 9),
    Scenario('rebuild-scan', 'lsm-scan', ['-c'], before='cold', out=b'70\n'),
    Scenario('rebuild-flush', 'lsm-flush', before='cold'),
    Scenario('rebuild-stat', 'lsm-stat', before='cold'),
    Scenario('rebuild-check', 'lsm-check', before='cold'),
    Scenario('create', 'lsm-put', ['new', 'value'], before='none', **NEW),
]
OF = {s.name: s for s in SCENARIOS}
for scenario in SCENARIOS:
    scenario.base = {} if scenario.before == 'none' else BASE


def freeze(store):
    run('testing/lsm-flush', store=store, ok=(-9,), LSM_KILL='flush-table-created:1')


def traced(s, n, when, store):
    """(calls counted, was it killed at one?, what came of the command)"""
    report = store + '.report'
    try:
        r = start(s.prog, *s.args, store=store, stdin=s.stdin, before=(stores.program('kill_calls'), str(n), when, report),
            ASAN_OPTIONS='detect_leaks=0')  # which is not to be had under ptrace
        with open(report) as f:
            words = f.read().split()
        return int(words[0]), words[1:], r
    except OSError:
        raise Failed('kill_calls: exit %d: %s' % (r.returncode, r.stderr.decode()[:200]))
    finally:
        if os.path.exists(report):
            os.unlink(report)


def check_answer(s, r, killed):
    if killed[-1] == 'main':
        if r.returncode != 137:
            raise Failed('killed, and exit %d' % r.returncode)
        return
    if r.returncode:
        raise Failed('exit %d: %s' % (r.returncode, r.stderr.decode()[:200]))
    if s.out is not None and r.stdout != s.out:
        raise Failed('wrong output')


def one(job):
    """(was it killed? None when there was no time for it; what went wrong or None)"""
    name, n, when, keep, root, deadline = job
    if time.monotonic() > deadline:
        return None, None
    s, killed = OF[name], ['none']
    store = os.path.join(root, '%s-%d-%s-%d' % (name, n, when, keep))
    try:
        s.make(store, root + '/template', freeze)
        _, killed, r = traced(s, n, when, store)
        check_answer(s, r, killed)
        if s.before == 'none' and not os.path.isdir(store):
            run('lsm-get', 'new', store=store, ok=(3,))
            os.mkdir(store)
        stores.check_store(s, store, killed[-1] != 'main', keep, late=True, rocks=n % 25 == 0)
        return killed != ['none'], None
    except Failed as e:
        return True, 'FAILED %s at %s of call %d (%s), memory %s: %s' % (name, when, n, ' '.join(killed),
            'kept' if keep else 'removed', e)
    finally:
        stores.remove(store)


def count(name, when, root):
    s, store = OF[name], '%s/%s-count' % (root, name)
    try:
        s.make(store, root + '/template', freeze)
        return traced(s, 0, when, store)[0]
    finally:
        stores.remove(store)


def explore(s, root, pool, chance, deadline):
    """(kills, failures)"""
    jobs, last = [], {}
    for when in ('entry', 'exit'):
        last[when] = pool.submit(count, s.name, when, root).result()
        jobs += [(s.name, n, when, keep, root, deadline) for n in range(1, last[when] + 1) for keep in (True, False)
            if chance.random() * opt.every < 1]
    chance.shuffle(jobs)
    results = list(pool.map(one, jobs))
    # It may make more calls than when it was counted: on to the first number that it survives.
    for when, n in last.items() if opt.every == 1 else ():
        while results[-1][0] is not None and n < last[when] + 1000:
            n += 1
            results.append(pool.submit(one, (s.name, n, when, True, root, deadline)).result())
            if results[-1][0] is False:
                break
    failures = [wrong for _, wrong in results if wrong]
    for wrong in failures[:15]:
        print(wrong, flush=True)
    return sum(bool(hit) for hit, _ in results), len(failures)


def main():
    if opt.list:
        print('\n'.join(s.name for s in SCENARIOS))
        return 0
    root = tempfile.mkdtemp(prefix='syscalls-', dir=opt.root)
    chance, kills, failures = random.Random(opt.seed), 0, 0
    end = time.monotonic() + opt.seconds
    try:
        run('lsm-put', '--batch', store=root + '/template', stdin=text_of(FLUSHED))
        run('lsm-flush', store=root + '/template')
        run('lsm-put', '--batch', store=root + '/template', stdin=text_of(PLAIN))
        stores.remove_segments(root + '/template')
        with ProcessPoolExecutor(opt.jobs, initializer=stores.adopt_orphans) as pool:
            chosen = [s for s in SCENARIOS if opt.only in (None, s.name)]
            for i, s in enumerate(chosen):
                now = time.monotonic()
                k, f = explore(s, root, pool, chance, now + max(0.2, (end - now) / (len(chosen) - i)))
                print('%-14s %5d kills, %d failed' % (s.name, k, f), flush=True)
                kills, failures = kills + k, failures + f
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print('%d kills, %d failed' % (kills, failures))
    return 1 if failures or not kills else 0


if __name__ == '__main__':
    sys.exit(main())
