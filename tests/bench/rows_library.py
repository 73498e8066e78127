# SPDX-License-Identifier: MIT
"""Rows of the library, by the helpers lib_ENGINE; where ours has no call for it yet, by its program."""

import os

from goals import US
from measure import Case, Contender, Failed, Sample
from stores import conf, lib_filled, lsm_loaded, newest_table

MIB = 1 << 20


def writers(b, row, name, workers, counts, *options):
    """counts: engine -> records, fewer where the engine is slow: a rate is what is compared."""
    def run(engine):
        where = b.fresh(f'write-{engine}')
        return b.rate(b.lib(engine, 'write', where, counts[engine], '--workers', str(workers), *options))

    labels = {'sst': US}
    return Case(row, name, 'kops/s', True, [
        Contender(labels.get(e, e), lambda e=e: run(e), 'ours' if e == 'sst' else 'peer') for e in counts])


def row_puts(b):
    n = b.size(400000, 2000)
    counts = {'sst': n, 'rocksdb': n, 'leveldb': n, 'lmdb': n // 2, 'sqlite': n // 8}
    for workers in (1, 4, 16):
        yield writers(b, 'puts', f'{workers} writers', workers, counts)


def row_batches(b):
    n = b.size(400000, 2000)
    counts = {'sst': n, 'rocksdb': n, 'leveldb': n, 'lmdb': n, 'sqlite': n // 8}
    for workers in (1, 4, 16):
        yield writers(b, 'batches', f'{workers} writers, 100 records each time', workers, counts, '--batch', '100')


def row_durable(b):
    n = b.size(16000, 400)
    counts = {'sst': n, 'rocksdb': n, 'leveldb': n, 'lmdb': n // 4, 'sqlite': n // 4}
    yield writers(b, 'durable', '8 writers', 8, counts, '--sync')


def row_memtable(b):
    """bench_memtable RECORDS prints insert_ns, hit_ns and miss_ns, as lib_ENGINE memtable does."""
    count = b.size(400000, 5000)
    got = {}

    def figures(engine, turn):
        """One run gives all three cases: each case takes its figure from the run of the same round."""
        key = (engine, turn)
        if key not in got:
            if engine == 'memtable':
                got[key] = b.figures([b.helper('bench_memtable'), str(count)])
            else:
                got[key] = b.lib(engine, 'memtable', b.fresh(f'memtable-{engine}'), count, '--gets', str(count), '--no-wal')
        return got[key]

    def contender(name, engine, figure, kind='peer'):
        turns = iter(range(100))
        return Contender(name, lambda: [Sample(figures(engine, next(turns))[figure])], kind)

    for figure in ('insert', 'hit', 'miss'):
        yield Case('memtable', f'{figure}, {count} keys', 'ns', False, [
            contender(US, 'memtable', f'{figure}_ns', 'ours'),
            contender('lsm_put, lsm_get' + (' (with WAL)' if figure == 'insert' else ''), 'sst', f'{figure}_ns', 'ours'),
            contender('rocksdb', 'rocksdb', f'{figure}_ns'),
            contender('leveldb' + (' (with log)' if figure == 'insert' else ''), 'leveldb', f'{figure}_ns'),
        ])


def row_flush(b, row='flush', compress=('--compress',)):
    for mib in b.size((64, 256), (1,)):
        count = mib * MIB // 120  # a record is 120 bytes on average

        def run(engine, *options, count=count):
            where = b.fresh(f'flush-{engine}')
            return b.rate(b.lib(engine, 'flush', where, count, '--no-wal', *compress, *options), 'bytes', 1e3)

        def program(count=count):
            where = conf(b.fresh('flush-program'), write_buffer_size='1G', compression='zstd:1' if compress else 'none')
            b.run([b.ours('lsm-put'), '-d', where, '--batch', '--no-sync'], stdin=b.data('tsv', count))
            os.sync()
            sample = b.timed([b.ours('lsm-flush'), '-d', where])[0]
            return [Sample(count * 120 / sample.value / 1e6, sample.cpu_s, sample.rss_kib)]

        def zstd(count=count):
            return b.rate(b.figures([b.helper('zstd_floor'), str(count)]), 'bytes', 1e3)

        def disk(count=count):
            return b.rate(b.figures([b.helper('disk_floor'), b.work / 'disk', str(count * 120)]), 'bytes', 1e3)

        contenders = [
            Contender(US, lambda run=run: run('sst'), 'ours'),
            Contender('lsm-flush, whole process', program, 'ours'),
            Contender('rocksdb', lambda run=run: run('rocksdb')),
            Contender('zstd alone' if compress else 'disk alone', zstd if compress else disk, 'floor'),
        ]
        if mib < 256:
            contenders.append(Contender('leveldb (snappy)' if compress else 'leveldb', lambda run=run: run('leveldb')))
            if compress:
                contenders.append(Contender('rocksdb, 2 threads', lambda run=run: run('rocksdb', '--parallel', '2')))
        yield Case(row, f'{mib} MiB', 'MB/s raw', True, contenders)


def row_flush_raw(b):
    yield from row_flush(b, 'flush-raw', ())


def reads(b, row, name, verb, unit_name, unit, options, contenders):
    """contenders: engine -> how its store was filled."""
    count, gets = b.size(1000000, 20000), b.size(200000, 5000)

    def run(engine, fill):
        where = lib_filled(b, engine, count, '--merge', *fill)
        return b.per_op(b.lib(engine, verb, where, count, '--gets', str(gets), *fill, *options), unit)

    def before(engine, fill):
        lib_filled(b, engine, count, '--merge', *fill)

    return Case(row, name, unit_name, False, [
        Contender(US if e == 'sst' else e, lambda e=e, f=f: run(e, f), 'ours' if e == 'sst' else 'peer',
                  before=lambda e=e, f=f: before(e, f)) for e, f in contenders.items()])


BLOCKS_4K = ('--compress', '--block-size', '4096')


def row_gets(b):
    engines = {'sst': BLOCKS_4K, 'rocksdb': BLOCKS_4K, 'leveldb': BLOCKS_4K}
    yield reads(b, 'gets', '4K blocks, zstd (leveldb: snappy), no block cache', 'get', 'us', 1e3, (), engines)


def row_cached(b):
    engines = {'sst': BLOCKS_4K, 'rocksdb': BLOCKS_4K, 'leveldb': BLOCKS_4K, 'lmdb': (), 'cdb': ()}
    yield reads(b, 'cached', 'everything in memory', 'get', 'us', 1e3, ('--cache', str(1 << 30)), engines)


def row_misses(b):
    engines = {'sst': BLOCKS_4K, 'rocksdb': BLOCKS_4K, 'leveldb': BLOCKS_4K, 'lmdb': (), 'cdb': ()}
    yield reads(b, 'misses', 'absent keys', 'miss', 'ns', 1, (), engines)


def row_scan(b):
    count = b.size(1000000, 20000)
    table = ('--compress',)

    def run(engine, *fill):
        where = lib_filled(b, engine, count, '--merge', *fill)
        return b.rate(b.lib(engine, 'scan', where, count, *fill), scale=1e3)

    def mtbl():
        where = b.work / 'scan-mtbl'
        b.once('scan-mtbl', lambda: b.lib('mtbl', 'build', where, count, '--compress'))
        return b.rate(b.lib('mtbl', 'scan', where, count), scale=1e3)

    def program(argv):
        """A whole process that decodes every entry and prints their number."""
        command = argv()
        if int(b.run(command).split()[0]) != count:
            raise Failed(f'{command[0]}: wrong number of records')
        sample = b.timed(command)[0]
        return [Sample(count / sample.value / 1e6, sample.cpu_s, sample.rss_kib)]

    def lsm():
        return lsm_loaded(b, 'scan-lsm', count, True, write_buffer_size='512M')

    yield Case('scan', f'{count} records, zstd', 'M records/s', True, [
        Contender(US, lambda: run('sst', *table), 'ours'),
        Contender('sst-dump -c', lambda: program(lambda: [b.ours('sst-dump'), '-c', newest_table(lsm())]), 'ours'),
        Contender('lsm-scan -c', lambda: program(lambda: [b.ours('lsm-scan'), '-c', '-d', lsm()]), 'ours'),
        Contender('rocksdb', lambda: run('rocksdb', *table)),
        Contender('leveldb (snappy)', lambda: run('leveldb', *table)),
        Contender('mtbl', mtbl),
        Contender('lmdb (not compressed)', lambda: run('lmdb')),
    ], rounds=5)


def row_build(b):
    count = b.size(1000000, 20000)

    def run(engine):
        return b.rate(b.lib(engine, 'build', b.fresh(f'build-{engine}'), count, '--compress'), 'bytes', 1e3)

    def ours():
        text = b.work / f'sorted-{count}'
        if not text.exists():
            b.run(['env', 'LC_ALL=C', 'sort', '-o', text, b.data('tsv', count)])
        sample = b.timed([b.ours('sst-build'), '-o', b.fresh('built.sst'), text])[0]
        return [Sample(count * 120 / sample.value / 1e6, sample.cpu_s, sample.rss_kib)]

    yield Case('build', f'{count} records in order, zstd 1, 16K blocks (ours: sst-build, from text)', 'MB/s raw', True, [
        Contender(US, ours, 'ours'),
        Contender('rocksdb', lambda: run('rocksdb')),
        Contender('mtbl', lambda: run('mtbl')),
    ])


def row_compact(b):
    count, tables = b.size(1000000, 20000), 4

    def rocks():
        where = b.fresh('compact-rocksdb')
        b.lib('rocksdb', 'fill', where, count, '--tables', str(tables), '--compress')
        got = b.lib('rocksdb', 'compact', where, count, '--compress')
        return [Sample(got['bytes'] / got['cpu_ns'] * 1e3, got['cpu_ns'] / 1e9)]

    def ours():
        where = b.fresh('compact-lsm')
        b.lib('sst', 'fill', where, count, '--tables', str(tables), '--compress')
        os.sync()
        sample = b.timed([b.ours('sst-merge'), '-o', b.fresh('compacted.sst'), *sorted(where.glob('*.sst'))])[0]
        return [Sample(count * 120 / sample.cpu_s / 1e6, sample.cpu_s, sample.rss_kib)]

    yield Case('compact', f'{tables} tables of {count // tables} records (ours: sst-merge)', 'MB raw / CPU second', True, [
        Contender(US, ours, 'ours'),
        Contender('rocksdb', rocks),
    ])
