# SPDX-License-Identifier: MIT
"""What cost does as something grows: curves, so that a knee is seen before a user meets it."""

import base64
import random

from goals import US
from measure import Case, Contender, Sample, curve
from rows_command import MS, VALUE, Counter, put_contender
from rows_library import writers
from stores import conf, lib_filled, lsm_load, lsm_loaded, one_record


def row_growth_memory(b):
    """The peak of a process with one part of the records and with four."""
    part = b.size(1000000, 10000)

    def store(parts, tables=1):
        return lsm_loaded(b, f'growth-{parts}-{tables}', part * parts, True, tables=tables)

    def memory(argv):
        return [Sample(s.rss_kib / 1024, s.cpu_s, s.rss_kib) for s in b.timed(argv)]

    def flush(parts):
        where = b.fresh('growth-flush')
        b.run([b.ours('lsm-put'), '-d', where, '--batch', '--no-sync'], stdin=b.data('tsv', part * parts))
        return memory([b.ours('lsm-flush'), '-d', where])

    def merge(parts):
        tables = sorted(store(parts, 4).glob('*.sst'))
        return memory([b.ours('sst-merge'), '-o', b.fresh('growth-merged.sst'), *tables])

    actions = {
        'lsm-scan': lambda n: memory([b.ours('lsm-scan'), '-c', '-d', store(n)]),
        'lsm-put --batch': lambda n: memory([b.ours('lsm-put'), '-d', b.fresh('growth-put'), '--batch',
                                             b.data('tsv', part * n)]),
        'lsm-flush': flush,
        'sst-merge': merge,
    }
    for name, action in actions.items():
        yield Case('growth-memory', f'{name}, a part is {part} records', 'MiB at the most', False, [
            Contender('4 parts', lambda a=action: a(4), 'ours'),
            Contender('1 part', lambda a=action: a(1), 'ours'),
        ], rounds=1)


def row_growth_unflushed(b):
    """One command beside 0 .. 10 million records that no table holds yet."""
    runs = b.size(30, 2)
    counts = b.size((0, 1000, 10000, 100000, 1000000, 10000000), (0, 1000))
    key, value = one_record(b, 1000)
    room = {'write_buffer_size': '8G'}

    def lsm(count):
        def make():
            where = conf(b.fresh(f'growth-unflushed-{count}'), **room)
            b.run([b.ours('lsm-put'), '-d', where, key, value])
            b.run([b.ours('lsm-put'), '-d', where, '--batch', '--no-sync'], stdin=b.data('tsv', count))
            return where
        return b.once(('unflushed', count), make)

    def rocks(count):
        def make():
            where = b.fresh(f'growth-unflushed-rocksdb-{count}')
            b.lib('rocksdb', 'write', where, count, '--batch', '100')
            return where
        return b.once(('unflushed rocksdb', count), make)

    puts = {n: put_contender(b, '', lambda n=n: [b.ours('lsm-put'), '-d', lsm(n), 'key-{}', VALUE], runs) for n in counts}
    yield curve('growth-unflushed', 'one command', 'un-flushed records', 'ms', False, [
        ('lsm-get', 'ours', counts, lambda n: b.timed([b.ours('lsm-get'), '-d', lsm(n), key], runs, unit=MS)),
        ('lsm-put', 'ours', counts, lambda n: puts[n].run()),
        # (it reads the whole log and writes it out as a table: once)
        ('ldb get', 'peer', [n for n in counts if 0 < n <= 1000000],
         lambda n: b.timed([b.tool('ldb'), f'--db={rocks(n)}', 'get', key], unit=MS, ok=(0, 1))),
    ], rounds={'ldb get': 1})
    for n in counts:
        b.forget(('unflushed', n))


def row_growth_tables(b):
    """One command, and a scan of everything, on a store of 1 .. 1,000 tables that nobody merges."""
    runs, count = b.size(30, 2), b.size(100000, 2000)
    counts = b.size((1, 10, 100, 300, 1000), (1, 10))
    key, value = one_record(b, count)

    def lsm(tables):
        return lsm_loaded(b, f'growth-tables-{tables}', count, True, tables=tables)

    def rocks(tables):
        return lib_filled(b, 'rocksdb', count, '--compress', '--tables', str(tables))

    puts = {n: put_contender(b, '', lambda n=n: [b.ours('lsm-put'), '-d', lsm(n), 'key-{}', VALUE], runs) for n in counts}
    yield curve('growth-tables', f'one command, {count} records', 'tables', 'ms', False, [
        ('lsm-get', 'ours', counts, lambda n: b.timed([b.ours('lsm-get'), '-d', lsm(n), key], runs, unit=MS)),
        ('lsm-put', 'ours', counts, lambda n: puts[n].run()),
        ('lsm-scan -c', 'ours', counts, lambda n: b.timed([b.ours('lsm-scan'), '-d', lsm(n), '-c'], unit=MS)),
        ('rocksdb program, get', 'peer', counts,
         lambda n: b.timed([b.helper('oneshot_rocksdb'), 'get', rocks(n), key], b.size(10, 2), unit=MS)),
    ])


def values_of(b, size):
    """A file of records with values of `size` letters of base64, 16 MB of it and a record at the least."""
    def make():
        path = b.work / f'values-{size}'
        numbers = random.Random(size)
        with open(path, 'w') as f:
            for i in range(max(1, b.size(16000000, 20000) // (size + 20))):
                value = base64.b64encode(numbers.randbytes(size * 3 // 4 + 3)).decode()[:size]
                f.write(f'{numbers.getrandbits(64):016x}\t{value}\n')
        return path
    return b.once(('values', size), make)


def row_growth_values(b):
    """Values of 10 bytes .. 1 MB, of which nothing can be compressed but for base64's quarter."""
    runs, sizes = b.size(20, 2), b.size((10, 100, 1000, 10000, 100000, 1000000), (10, 1000))

    def lsm(size):
        def make():
            where = b.fresh(f'growth-values-{size}')
            b.run([b.ours('lsm-put'), '-d', where, '--batch', values_of(b, size)])
            b.run([b.ours('lsm-flush'), '-d', where])
            return where
        return b.once(('values lsm', size), make)

    def first(size):
        with open(values_of(b, size)) as f:
            key, value = f.readline().rstrip('\n').split('\t')
        path = b.work / f'value-{size}'
        path.write_text(value)
        return key, path

    numbers = Counter()

    def put(size):
        where = b.once(('values put', size), lambda: b.fresh(f'growth-values-put-{size}'))
        return b.timed([b.ours('lsm-put'), '-d', where, 'key-{}'], runs, numbers.take(runs), stdin=first(size)[1], unit=MS)

    yield curve('growth-values', 'one command', 'bytes in a value', 'ms', False, [
        ('lsm-put', 'ours', sizes, put),
        ('lsm-get, from a table', 'ours', sizes,
         lambda n: b.timed([b.ours('lsm-get'), '-d', lsm(n), first(n)[0]], runs, unit=MS)),
    ])

    def rate(argv, size):
        sample = b.timed(argv, stdin=values_of(b, size))[0]
        return [Sample(values_of(b, size).stat().st_size / sample.value / 1e6, sample.cpu_s, sample.rss_kib)]

    def load(size):
        return rate(lsm_load(b, b.fresh('growth-load')), size)

    yield curve('growth-values', 'load into a table, 16 MB', 'bytes in a value', 'MB/s', True, [
        (US, 'ours', sizes, load),
        ('sort', 'floor', sizes, lambda n: rate(['env', 'LC_ALL=C', b.tool('sort'), '-o', b.work / 'sorted'], n)),
    ])


def row_growth_processes(b):
    """Writers of one store at once: ours are processes, those of RocksDB and LevelDB can only be threads."""
    workers = b.size((1, 2, 4, 8, 16, 32, 64), (1, 4))
    for name, count, options in (('not synced', b.size(200000, 2000), ()), ('durable', b.size(8000, 400), ('--sync',))):
        runs = {}
        for n in workers:
            case = writers(b, '', '', n, {'sst': count, 'rocksdb': count, 'leveldb': count}, *options)
            for c in case.contenders:
                runs[c.name, n] = c.run
        yield curve('growth-processes', f'puts, {name}', 'writers', 'kops/s', True, [
            (who, 'ours' if who == US else 'peer', workers, lambda n, who=who, runs=runs: runs[who, n]())
            for who in (US, 'rocksdb', 'leveldb')])
