# SPDX-License-Identifier: MIT
"""Rows of one command: whole processes, from before the spawn until they are gone."""

import pathlib
import shutil

from goals import US
from measure import Case, Contender, Failed, Sample
from stores import (Redis, cdb_loaded, conf, gdbm_loaded, ldb_loaded, lib_filled, lsm_count, lsm_loaded, newest_table, one_record,
                    sqlite_loaded, tdb_loaded)

VALUE = 'v' * 50 + '0123456789' * 5
MS = 1e6


def floors(b, runs):
    return [Contender(f'empty {how}', lambda how=how: b.timed([b.helper(f'empty_{how}')], runs, unit=MS), 'floor')
            for how in ('static', 'dynamic')]


def fdatasync_floor(b, runs):
    def run():
        lines = b.run([b.helper('fdatasync_floor'), b.work / 'fdatasync', str(runs)]).split()
        return [Sample(int(ns) / MS) for ns in lines]
    return Contender('fdatasync', run, 'floor')


class Counter:
    """Puts of different rounds have different keys."""

    def __init__(self):
        self.next = 0

    def take(self, runs):
        self.next += runs
        return self.next - runs


def put_contender(b, name, argv, runs, kind='peer', before=None, after=None, rounds=None):
    """argv() -> the command; '{}' in it is the number of the put."""
    numbers = Counter()

    def run():
        return b.timed(argv(), runs, numbers.take(runs), unit=MS)
    return Contender(name, run, kind, before, after, rounds)


SQLITE_CREATE = 'create table t (k text primary key, v text) without rowid'


def sqlite_empty(b, name, mode):
    def make():
        path = b.fresh(name)
        b.run([b.tool('sqlite3'), path, f'pragma journal_mode={mode}; {SQLITE_CREATE}'])
        return path
    return b.once((name, mode), make)


def sqlite_put(b, path, key):
    return [b.tool('sqlite3'), path, f"pragma synchronous=full; insert or replace into t values ('{key}', '{VALUE}')"]


def row_oneshot_put(b):
    runs = b.size(60, 3)
    redis = Redis(b)
    key = 'key-0000000000-{}'
    where = {n: b.fresh(f'oneshot-{n}') for n in ('lsm', 'lmdb', 'rocksdb', 'leveldb', 'ldb')}
    yield Case('oneshot-put', 'durable', 'ms', False, [
        put_contender(b, US, lambda: [b.ours('lsm-put'), '-d', where['lsm'], key, VALUE], runs, 'ours'),
        *floors(b, runs), fdatasync_floor(b, runs),
        put_contender(b, 'lmdb program', lambda: [b.helper('oneshot_lmdb'), 'put', where['lmdb'], key, VALUE], runs),
        put_contender(b, 'sqlite3 full', lambda: sqlite_put(b, sqlite_empty(b, 'oneshot-sqlite', 'delete'), key), runs),
        put_contender(b, 'sqlite3 full wal', lambda: sqlite_put(b, sqlite_empty(b, 'oneshot-wal', 'wal'), key), runs),
        put_contender(b, 'redis-cli + server', lambda: redis.cli('set', key, VALUE), runs, before=redis.start, after=redis.stop),
        put_contender(b, 'rocksdb program', lambda: [b.helper('oneshot_rocksdb'), 'put', where['rocksdb'], key, VALUE],
                      b.size(20, 2)),
        put_contender(b, 'leveldb program', lambda: [b.helper('oneshot_leveldb'), 'put', where['leveldb'], key, VALUE],
                      b.size(20, 2)),
        put_contender(b, 'ldb put (not synced)', lambda: [b.tool('ldb'), f'--db={where["ldb"]}', '--create_if_missing', 'put',
                                                        key, VALUE], b.size(20, 2)),
    ])


def get_contender(b, name, argv, value, runs, kind='peer'):
    """Answers once before the clock runs; the answer must hold the value."""
    command = []

    def before():
        command.extend(argv())
        if value and value.encode() not in b.run(command):
            raise Failed(f'{command[0]}: wrong answer')
    return Contender(name, lambda: b.timed(command, runs, unit=MS), kind, before)


def row_oneshot_get(b):
    runs, count = b.size(60, 3), b.size(100000, 2000)
    key, value = one_record(b, count)

    def lsm(flush):
        name = f'get-{"table" if flush else "memtable"}'
        return lsm_loaded(b, name, count, flush)

    yield Case('oneshot-get', f'{count} records', 'ms', False, [
        get_contender(b, 'lsmkit memtable', lambda: [b.ours('lsm-get'), '-d', lsm(False), key], value, runs, 'ours'),
        get_contender(b, 'lsmkit table', lambda: [b.ours('lsm-get'), '-d', lsm(True), key], value, runs, 'ours'),
        get_contender(b, 'sst-get', lambda: [b.ours('sst-get'), key, newest_table(lsm(True))], value, runs, 'ours'),
        *floors(b, runs),
        get_contender(b, 'cdb', lambda: [b.tool('cdb'), '-q', cdb_loaded(b, count), key], value, runs),
        get_contender(b, 'tdbtool', lambda: [b.tool('tdbtool'), tdb_loaded(b, count), 'show', key], None, runs),
        get_contender(b, 'gdbmtool', lambda: [b.tool('gdbmtool'), '-r', gdbm_loaded(b, count), 'fetch', key], value, runs),
        get_contender(b, 'lmdb program', lambda: [b.helper('oneshot_lmdb'), 'get', lib_filled(b, 'lmdb', count), key], value, runs),
        get_contender(b, 'sqlite3', lambda: [b.tool('sqlite3'), sqlite_loaded(b, count, 'get-sqlite'),
                                           f"select v from t where k='{key}'"], value, runs),
        get_contender(b, 'rocksdb program', lambda: [b.helper('oneshot_rocksdb'), 'get', ldb_loaded(b, count), key], value,
                      b.size(20, 2)),
        get_contender(b, 'ldb get', lambda: [b.tool('ldb'), f'--db={ldb_loaded(b, count)}', 'get', key], value, b.size(20, 2)),
    ])


def copied(b, source, argv):
    """A run that changes its store, each on a copy of its own: the copying is not timed."""
    def run():
        where = b.fresh('copy')
        shutil.copytree(source(), where)
        return b.timed(argv(where), unit=MS)
    return run


def row_unflushed(b):
    runs, count = b.size(60, 3), b.size(1000000, 5000)
    key, value = one_record(b, count)
    room = {'write_buffer_size': '512M'}

    def full():
        return lsm_loaded(b, 'unflushed-full', count, False, **room)

    def empty():
        def make():
            where = conf(b.fresh('unflushed-empty'), **room)
            b.run([b.ours('lsm-put'), '-d', where, key, value])
            return where
        return b.once('unflushed-empty', make)

    def wal(engine):
        def make():
            where = b.fresh(f'unflushed-{engine}')
            b.lib(engine, 'write', where, count, '--batch', '100')
            return where
        return b.once(('unflushed', engine), make)

    yield Case('unflushed', f'get, {count} un-flushed', 'ms', False, [
        get_contender(b, 'lsmkit full', lambda: [b.ours('lsm-get'), '-d', full(), key], value, runs, 'ours'),
        get_contender(b, 'lsmkit empty', lambda: [b.ours('lsm-get'), '-d', empty(), key], value, runs, 'ours'),
        *floors(b, runs),
        Contender('ldb get', copied(b, lambda: wal('rocksdb'), lambda d: [b.tool('ldb'), f'--db={d}', 'get', key])),
        Contender('leveldb program', copied(b, lambda: wal('leveldb'), lambda d: [b.helper('oneshot_leveldb'), 'get', d, key])),
    ])
    new = 'key-0000000000-{}'
    yield Case('unflushed', f'put, {count} un-flushed', 'ms', False, [
        put_contender(b, 'lsmkit full', lambda: [b.ours('lsm-put'), '-d', full(), new, VALUE], runs, 'ours'),
        put_contender(b, 'lsmkit empty', lambda: [b.ours('lsm-put'), '-d', empty(), new, VALUE], runs, 'ours'),
        *floors(b, runs), fdatasync_floor(b, runs),
        Contender('ldb put', copied(b, lambda: wal('rocksdb'), lambda d: [b.tool('ldb'), f'--db={d}', 'put', new, VALUE])),
        Contender('leveldb program', copied(b, lambda: wal('leveldb'),
                                            lambda d: [b.helper('oneshot_leveldb'), 'put', d, new, VALUE])),
    ])


def row_tables100(b):
    runs, count = b.size(60, 3), b.size(100000, 2000)
    key, value = one_record(b, count)

    def lsm(tables):
        return lsm_loaded(b, f'tables-{tables}', count, True, tables=tables)

    def rocks(tables):
        return lib_filled(b, 'rocksdb', count, '--compress', '--tables', str(tables))

    yield Case('tables100', f'get, {count} records', 'ms', False, [
        get_contender(b, 'lsmkit 100 tables', lambda: [b.ours('lsm-get'), '-d', lsm(100), key], value, runs, 'ours'),
        get_contender(b, 'lsmkit 1 table', lambda: [b.ours('lsm-get'), '-d', lsm(1), key], value, runs, 'ours'),
        *[get_contender(b, f'rocksdb program {n}', lambda n=n: [b.helper('oneshot_rocksdb'), 'get', rocks(n), key], value,
                        b.size(20, 2)) for n in (1, 100)],
    ])
    new = 'key-0000000000-{}'
    yield Case('tables100', f'put, {count} records', 'ms', False, [
        put_contender(b, 'lsmkit 100 tables', lambda: [b.ours('lsm-put'), '-d', lsm(100), new, VALUE], runs, 'ours'),
        put_contender(b, 'lsmkit 1 table', lambda: [b.ours('lsm-put'), '-d', lsm(1), new, VALUE], runs, 'ours'),
    ])


def shells_contender(b, name, shells, puts, place, command, count, kind='peer', before=None, after=None, rounds=None):
    """Stored a second is what is there afterwards, not what was said to be stored."""
    def run():
        where = place()
        said = b.work / 'said'
        text = command(where)
        sample = b.timed(['sh', pathlib.Path(__file__).parent / 'shells.sh', shells, puts, text], stdout=said)[0]
        acknowledged, stored = sum(map(int, said.read_text().split())), count(where)
        if kind == 'ours' and stored != shells * puts:
            raise Failed(f'{stored} of {shells * puts} stored, {acknowledged} acknowledged')
        if stored != acknowledged or acknowledged != shells * puts:
            print(f'  {name}: {shells * puts} puts, {acknowledged} said to be stored, {stored} stored')
        return [Sample(stored / sample.value, sample.cpu_s)]
    return Contender(name, run, kind, before, after, rounds)


def row_shells(b):
    shells, puts = 8, b.size(200, 5)
    redis = Redis(b)

    def fresh_sqlite(mode):
        path = b.fresh('shells-sqlite')
        b.run([b.tool('sqlite3'), path, f'pragma journal_mode={mode}; {SQLITE_CREATE}'])
        return path

    def lmdb_count(d):
        return int(b.run([b.tool('mdb_stat'), d]).decode().split('Entries:')[1])

    def sqlite_command(d):
        sql = f"pragma synchronous=full; insert or replace into t values ('$k', '{VALUE}')"
        return f'{b.tool("sqlite3")} -cmd ".timeout 60000" {d} "{sql}"'

    def sqlite_count(d):
        return int(b.run([b.tool('sqlite3'), d, 'select count(*) from t']))

    def ldb_count(d):
        words = b.run([b.tool('ldb'), f'--db={d}', 'dump', '--count_only']).decode().split('Keys in range:')
        return int(words[1].split()[0])

    def redis_place():
        b.run(redis.cli('flushall'))

    yield Case('shells', f'{shells} shells x {puts} puts', 'stored/s', True, [
        shells_contender(b, US, shells, puts, lambda: b.fresh('shells-lsm'), lambda d: f'{b.ours("lsm-put")} -d {d} "$k" {VALUE}',
                         lambda d: lsm_count(b, d), 'ours'),
        shells_contender(b, 'redis-cli + server', shells, puts, redis_place,
                         lambda d: ' '.join(redis.cli('set')) + f' "$k" {VALUE}',
                         lambda d: int(b.run(redis.cli('dbsize'))), before=redis.start, after=redis.stop),
        shells_contender(b, 'lmdb program', shells, puts, lambda: b.fresh('shells-lmdb'),
                         lambda d: f'{b.helper("oneshot_lmdb")} put {d} "$k" {VALUE}', lmdb_count),
        shells_contender(b, 'sqlite3 full', shells, puts, lambda: fresh_sqlite('delete'), sqlite_command, sqlite_count),
        shells_contender(b, 'sqlite3 full wal', shells, puts, lambda: fresh_sqlite('wal'), sqlite_command, sqlite_count),
        shells_contender(b, 'gdbmtool', shells, puts, lambda: b.fresh('shells-gdbm'),
                         lambda d: f'{b.tool("gdbmtool")} {d} store "$k" {VALUE}',
                         lambda d: int(next(w for w in b.run([b.tool('gdbmtool'), '-r', d, 'count']).split() if w.isdigit())), rounds=1),
        shells_contender(b, 'ldb put (not synced)', shells, b.size(50, 5), lambda: b.fresh('shells-ldb'),
                         lambda d: f'{b.tool("ldb")} --db={d} --create_if_missing put "$k" {VALUE}', ldb_count, rounds=1),
    ])
