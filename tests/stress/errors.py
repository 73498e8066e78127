#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""errors.py BINDIR [--every N] [--seconds N] [--seed N] [--only SCENARIO] [--root DIR] [--jobs N] [--list]

Errors of the system. Makes the 1st, 2nd, 3rd ... call fail in which a command of a test build (BINDIR, see
lib/os/sys_testing.c) may fail - each call of the kernel, each allocation - once and from then on, until the command passes
without meeting the fault; and runs commands under limits, without memory, disk, descriptors, io_uring or an
output. After each:

  - the exit status was honest: 0 only when what was asked for is done, durable, and to be seen; else 2 or more, with a
    message; never "not found" for what is there, never a part of the answer with exit 0, no signal, no hang;
  - nothing acknowledged is lost, nothing else is there, a batch is there whole or not at all;
  - a table that sst-build makes is there whole, or what was there before is;
  - the next commands, without the fault, work: a scan, a put, a flush, with the shared memory and without it, and
    leave nothing behind; RocksDB's ldb (where installed) sees the same.

--every N tries one in N of the faults, chosen by the seed; --seconds ends earlier, with each scenario having had its share.
"""
import itertools
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stores
from stores import BATCH, BIG, FLUSHED, PLAIN, SMALL, Failed, Scenario, run, start, text_of

opt = stores.sampling_options(jobs=2)

# ---- scenarios: what is there before, the command, what it changes or prints

ALL = {**PLAIN, **FLUSHED}
LARGE = {'l%04d' % i: 'z' * 3000 for i in range(800)}
LOGGED = {'logged': 'only'}
RECORDS = {'r%05d' % i: 'value%d' % (i * i) for i in range(4000)}


class Table(Scenario):
    """sst-build makes STORE/out of STORE/records, in a directory that is no store.

    before: none, table (another one is replaced), left (the same, and a predecessor has died)"""
    made = None  # what it is like, as the same records make the same bytes

    def __init__(self, name, before):
        super().__init__(name, 'sst-build', ['-o', 'STORE/out', 'STORE/records'], before=before)
        self.there = None if before == 'none' else b'another'

    def make(self, store, template, freeze):
        os.mkdir(store)
        with open(store + '/records', 'wb') as f:
            f.write(text_of(RECORDS))
        if self.there:
            with open(store + '/out', 'wb') as f:
                f.write(self.there)
        if self.before == 'left':
            with open(store + '/out.tmp', 'wb') as f:
                f.write(b'half')

    def out_in(self, store):
        if not os.path.exists(store + '/out'):
            return None
        with open(store + '/out', 'rb') as f:
            return f.read()

    def check(self, store, done):
        """Whole, or what was there before; and the next one is not hindered by what is left."""
        if self.out_in(store) not in ((Table.made,) if done else (Table.made, self.there)):
            raise Failed('%s, but the table is wrong' % ('exit 0' if done else 'not done'))
        run(self.prog, *args_of(self, store), store=store)
        if self.out_in(store) != Table.made or sorted(os.listdir(store)) != ['out', 'records']:
            raise Failed('the next one leaves %s' % os.listdir(store))


def args_of(s, store):
    return [a.replace('STORE', store) for a in s.args]


def check(s, store, done, rocks):
    if isinstance(s, Table):
        s.check(store, done)
    else:
        stores.check_store(s, store, done, late=s.before == 'logged', rocks=rocks)


SCENARIOS = [
    Scenario('put', 'lsm-put', ['new', 'value'], put={'new': 'value'}),
    Scenario('overwrite', 'lsm-put', ['f003', 'other'], put={'f003': 'other'}),
    Scenario('no-clobber', 'lsm-put', ['-N', 'new', 'value'], put={'new': 'value'}),
    Scenario('delete', 'lsm-del', ['k004', 'f005'], delete=('k004', 'f005'), atomic=False),
    Scenario('atomic', 'lsm-put', ['--batch', '--atomic'], text_of(BATCH), put=BATCH),
    Scenario('rotate', 'lsm-put', ['--batch'], text_of(BIG), put=BIG, conf=SMALL, atomic=False),
    Scenario('flush', 'lsm-flush', ['--print']),
    Scenario('flush-frozen', 'lsm-flush', before='frozen'),
    Scenario('get', 'lsm-get', ['k007'], out=b'base7'),
    Scenario('get-flushed', 'lsm-get', ['f007'], out=b'table7' * 9),
    # so many that the memtable, looked into at first, is mapped, and that blocks are kept
    Scenario('gets', 'lsm-get', ['-b'], ''.join(k + '\n' for k in ALL).encode(), out=text_of(ALL)),
    Scenario('scan', 'lsm-scan', out=text_of(dict(sorted(ALL.items())))),
    Scenario('rebuild-get', 'lsm-get', ['k007'], out=b'base7', before='cold'),
    Scenario('rebuild-put', 'lsm-put', ['new', 'value'], put={'new': 'value'}, before='cold'),
    Scenario('rebuild-flush', 'lsm-flush', before='cold'),
    # more than a batch is prepared beforehand, and than the memory that a memtable begins with
    Scenario('large', 'lsm-put', ['--batch', '--atomic'], text_of(LARGE), put=LARGE),
    # what a predecessor left: a record that is in the log and not in the memtable, an edit that is in the MANIFEST and not in
    # the view, half an edit, an edit or a CURRENT in doubt
    Scenario('repair', 'lsm-put', ['new', 'value'], put={'new': 'value', **LOGGED}, before='logged', atomic=False),
    Scenario('flush-adopt', 'lsm-flush', before='recorded'),
    Scenario('flush-torn', 'lsm-flush', before='torn'),
    Scenario('flush-doubt', 'lsm-flush', before='doubt'),
    Scenario('flush-renewed', 'lsm-flush', before='renewed'),
    Scenario('get-renewed', 'lsm-get', ['k007'], out=b'base7', before='renewed'),
    Scenario('create', 'lsm-put', ['new', 'value'], put={'new': 'value'}, before='none'),
    Table('build', before='none'),
    Table('build-over', before='table'),
    Table('build-behind', before='left'),
]
OF = {s.name: s for s in SCENARIOS}
for scenario in SCENARIOS:
    scenario.base = {} if scenario.before == 'none' else ALL


# Of the scenarios with such a name in `before`: the commands that leave the store so.
BEFORE = {
    'frozen': [('lsm-flush', [], -9, {'LSM_KILL': 'flush-table-created:1'})],
    'logged': [('lsm-put', ['logged', LOGGED['logged']], -9, {'LSM_KILL': 'put-appended:1'})],
    'recorded': [('lsm-flush', [], -9, {'LSM_KILL': 'flush-recorded:1'})],
    'torn': [('lsm-flush', [], -9, {'LSM_KILL': 'file-write-half:1'})],
    'doubt': [('lsm-flush', [], 3, {'LSM_FAIL': 'fdatasync@MANIFEST:1'})],
}
BEFORE['renewed'] = [*BEFORE['doubt'], ('lsm-flush', [], -9, {'LSM_KILL': 'manifest-current:1'})]


def prepare(s, store, template):
    s.make(store, template, lambda store: None)
    for prog, args, status, env in BEFORE.get(s.before, ()):
        run(prog, *args, store=store, ok=(status,), **env)


# ---- after a fault

def check_answer(s, r):
    """The command's own word."""
    if r.returncode < 0:
        raise Failed('signal %d' % -r.returncode)
    if r.returncode == 1:
        raise Failed('says no: exit 1 %s' % r.stderr.decode()[:200])
    if r.returncode and not r.stderr:
        raise Failed('exit %d without a message' % r.returncode)
    if s.out is not None:
        if r.returncode == 0 and r.stdout != s.out:
            raise Failed('exit 0 and %d bytes of %d' % (len(r.stdout), len(s.out)))
        if not s.out.startswith(r.stdout):
            raise Failed('wrong output')


def one(job):
    """(met: None when there was no time for it, what went wrong or None)"""
    name, fault, number, root, must, deadline = job
    if time.monotonic() > deadline:
        return None, None
    s, store = OF[name], os.path.join(root, '%s-%d' % (name, number))
    log = store + '.log'
    try:
        prepare(s, store, root + '/template')
        r = start(s.prog, *args_of(s, store), store=store, stdin=s.stdin, LSM_FAIL=fault, LSM_FAIL_LOG=log)
        stores.finish_children()
        hit = os.path.exists(log)
        check_answer(s, r)
        if must and r.returncode:
            raise Failed('refused: %s' % r.stderr.decode()[:200])
        check(s, store, r.returncode == 0, rocks=number % 25 == 0)
        return hit, None
    except Failed as e:
        met = open(log).read().split('\n')[:1] if os.path.exists(log) else []
        return True, 'FAILED %s, LSM_FAIL=%s (%s): %s' % (name, fault, '; '.join(met)[:120], e)
    finally:
        stores.remove(store)
        if os.path.exists(log):
            os.unlink(log)


# ---- the loops

RETRIED = ('open', 'read', 'write', 'truncate', 'fsync', 'fdatasync', 'commit', 'random')


def loops(s):
    """(LSM_FAIL with %d for the number, must the command succeed all the same?)"""
    yield '*:%d', False
    yield '*:%d:EIO:sticky', False
    yield 'malloc:%d', False
    yield 'malloc:%d:ENOMEM:sticky', False
    yield 'write:%d:ENOSPC', False
    yield 'write:%d:torn', False
    yield 'write:%d:short', True
    if s.put or s.delete or 'flush' in s.name or isinstance(s, Table):
        for call in ('write', 'create', 'commit'):
            yield call + ':%d:ENOSPC:sticky', False
        yield 'create:%d:EMFILE', False
    for call in RETRIED:
        # (what the user names is opened once, whatever comes of it)
        yield call + ':%d:EINTR', not (isinstance(s, Table) and call == 'open')


def calls(s, root):
    """The names of the calls that the command makes when nothing fails."""
    store = os.path.join(root, 'calls')
    log = store + '.log'
    try:
        prepare(s, store, root + '/template')
        run(s.prog, *args_of(s, store), store=store, stdin=s.stdin, LSM_FAIL='list:1', LSM_FAIL_LOG=log)
        stores.finish_children()
        with open(log) as f:
            return f.read().split()
    finally:
        stores.remove(store)
        if os.path.exists(log):
            os.unlink(log)


def jobs_of(s, root, chance, pool):
    names, number = pool.submit(calls, s, root).result(), 0
    for loop, must in loops(s):
        kind = loop.split(':')[0]
        last = sum(name == kind or kind == '*' and name != 'malloc' for name in names)
        for n in range(1, last + 1):
            number += 1
            if chance.random() * opt.every < 1:
                yield s.name, loop % n, number, root, must


# ---- what no shim is needed for, or a lasting state of the system

def limit(what, value):
    return lambda: resource.setrlimit(what, (value, value))


def closed(which):
    def setup():
        for fd in which:
            os.close(fd)
    return setup


SPECIAL = []
SKIPPED = 'skipped'


def special(name, *args, must=False, answer=True, **more):
    SPECIAL.append((name, args, must, answer, more))


def fill_special():
    for place in ('commit@/dev/shm/lsm.', 'create@/dev/shm/lsm.', 'truncate@/dev/shm/lsm.'):
        for name in ('put', 'rotate', 'flush', 'rebuild-get', 'rebuild-put', 'create', 'scan'):
            special(name, must=True, LSM_FAIL=place + ':1:ENOSPC:sticky')
    for kind in ('write@.log', 'write@.sst', 'write@MANIFEST', 'write@LOCK', 'write@.dbtmp', 'create@.log', 'create@.sst',
            'create@MANIFEST', 'create@.dbtmp', 'fallocate@.sst'):
        for name in ('put', 'rotate', 'flush', 'rebuild-put', 'create'):
            for error in ('ENOSPC', 'EDQUOT', 'EIO', 'EROFS'):
                special(name, LSM_FAIL='%s:1:%s:sticky' % (kind, error))
    for error in ('EPERM', 'ENOSYS', 'ENOMEM', 'EINVAL'):
        for name in ('flush', 'rotate', 'flush-frozen'):
            special(name, must=True, LSM_FAIL='uring:1:%s:sticky' % error)
    for name in ('flush', 'rotate'):
        special(name, must=True, LSM_FAIL='write@.sst:1:short:sticky')
        special(name, must=True, LSM_FAIL='write@.sst:1:EAGAIN')
        special(name, must=True, LSM_FAIL='thread:1:EAGAIN:sticky')
        special(name, LSM_FAIL='write@.sst:1:ECANCELED')
        special(name, LSM_FAIL='write@.sst:1:EINVAL')
    for s in SCENARIOS:
        for n in range(3, 16):
            special(s.name, setup=limit(resource.RLIMIT_NOFILE, n), why='%d descriptors' % n)
        for n in (0, 1, 100, 127, 128, 1000, 4096, 20000, 65536, 262144):
            special(s.name, setup=limit(resource.RLIMIT_FSIZE, n), why='files of %d bytes' % n)
        if not os.environ.get('SAN'):  # sanitizers want more memory than that for themselves
            for n in (6, 10, 20, 50, 100, 200, 230, 260, 400):
                special(s.name, setup=limit(resource.RLIMIT_AS, n << 20), why='%d MiB of addresses' % n)
            for n in (1, 3, 8):
                special(s.name, setup=limit(resource.RLIMIT_DATA, n << 20), why='%d MiB of data' % n)
            special(s.name, setup=limit(resource.RLIMIT_STACK, 64 << 10), why='a small stack')
        special(s.name, must=True, setup=limit(resource.RLIMIT_MEMLOCK, 0), why='no locked memory')
        for bits in range(1, 8):
            special(s.name, answer=False, setup=closed([fd for fd in range(3) if bits >> fd & 1]), why='closed descriptors %d' % bits)


def output_to(path):
    def setup():
        fd = os.open(path, os.O_WRONLY)
        os.dup2(fd, 1)
    return setup


def one_special(job):
    number, root, deadline = job
    if time.monotonic() > deadline:
        return SKIPPED
    name, _, must, answer, more = SPECIAL[number]
    s, store = OF[name], os.path.join(root, 'special-%d' % number)
    what = more.get('LSM_FAIL') or more['why']
    more = {k: v for k, v in more.items() if k != 'why'}
    try:
        prepare(s, store, root + '/template')
        r = start(s.prog, *args_of(s, store), store=store, stdin=s.stdin, **more)
        stores.finish_children()
        if answer:
            check_answer(s, r)
        elif r.returncode < 0:
            raise Failed('signal %d' % -r.returncode)
        if must and r.returncode:
            raise Failed('refused: %s' % r.stderr.decode()[:200])
        # with its input closed a batch has nothing to do, and without an output nothing to say
        done = r.returncode == 0 and not (not answer and s.stdin)
        check(s, store, done, rocks=number % 25 == 0)
        return None
    except Failed as e:
        return 'FAILED %s, %s: %s' % (name, what, e)
    finally:
        stores.remove(store)


def outputs(root):
    """An output that cannot be written."""
    bad = []
    for name in ('get', 'get-flushed', 'scan', 'flush'):
        s, store = OF[name], os.path.join(root, 'out')
        for how, setup in (('full', output_to('/dev/full')), ('closed', closed([1]))):
            try:
                prepare(s, store, root + '/template')
                r = start(s.prog, *args_of(s, store), store=store, setup=setup)
                if r.returncode < 2:
                    raise Failed('exit %d' % r.returncode)
                stores.check_store(s, store, False)
            except Failed as e:
                bad.append('FAILED %s, standard output %s: %s' % (name, how, e))
            finally:
                stores.remove(store)
    return bad


def main():
    if opt.list:
        for s in SCENARIOS:
            print(s.name)
        return 0
    fill_special()
    root = tempfile.mkdtemp(prefix='errors-', dir=opt.root)
    chance = random.Random(opt.seed)
    tried = failures = 0
    end = time.monotonic() + opt.seconds

    def deadline(i):
        now = time.monotonic()
        return now + max(2, (end - now) / (len(chosen) + 1 - i))
    try:
        template = root + '/template'
        run('lsm-put', '--batch', store=template, stdin=text_of(FLUSHED))
        run('lsm-flush', store=template)
        run('lsm-put', '--batch', store=template, stdin=text_of(PLAIN))
        stores.remove_segments(template)
        build = OF['build']
        build.make(root + '/build', template, None)
        run(build.prog, *args_of(build, root + '/build'), store=template)
        Table.made = build.out_in(root + '/build')
        # Forked workers wait for orphans of their own; we only wait for them.
        with ProcessPoolExecutor(opt.jobs, initializer=stores.adopt_orphans) as pool:
            chosen = [s for s in SCENARIOS if opt.only in (None, s.name)]
            chance.shuffle(chosen)
            for i, s in enumerate(chosen):
                hits, wrong = 0, []
                jobs = [(*job, deadline(i)) for job in jobs_of(s, root, chance, pool)]
                chance.shuffle(jobs)
                runs = 0
                for hit, failure in pool.map(one, jobs):
                    runs += hit is not None
                    hits += hit or 0
                    if failure:
                        wrong.append(failure)
                for w in wrong[:15]:
                    print(w, flush=True)
                print('%-14s %5d faults met in %d runs, %d failed' % (s.name, hits, runs, len(wrong)), flush=True)
                tried, failures = tried + hits, failures + len(wrong)
            if not opt.only or opt.only == 'special':
                skipped, numbers = 0, [n for n in range(len(SPECIAL)) if chance.random() * opt.every < 1]
                chance.shuffle(numbers)
                wrong, rest = 0, pool.submit(outputs, root)
                for w in itertools.chain(pool.map(one_special, [(n, root, deadline(len(chosen))) for n in numbers]), rest.result()):
                    skipped += w == SKIPPED
                    if w and w != SKIPPED:
                        wrong += 1
                        print(w, flush=True)
                print('%-14s %5d runs, %d failed' % ('special', len(numbers) - skipped, wrong), flush=True)
                tried, failures = tried + len(numbers) - skipped, failures + wrong
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print('%d faults, %d failed' % (tried, failures))
    return 1 if failures or not tried else 0


if __name__ == '__main__':
    sys.exit(main())
