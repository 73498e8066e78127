# SPDX-License-Identifier: MIT
"""Rows of streams: a million records in, a million records out."""

from goals import US
from measure import Case, Contender, Failed
from stores import cdb_loaded, ldb_loaded, lib_filled, lsm_count, lsm_load, lsm_loaded, newest_table, sqlite_loaded, sqlite_script


def row_load(b):
    count = b.size(1000000, 10000)
    tsv = b.data('tsv', count)

    def stream(argv, source, place, check=None):
        def run():
            where = place()
            samples = b.timed(argv(where), stdin=source())
            if check:
                check(where)
            return samples
        return run

    def lsm_check(where):
        stored = lsm_count(b, where)
        if stored != count:
            raise Failed(f'{stored} of {count} records stored')

    def ldb(*options):
        def argv(where):
            return [b.tool('ldb'), f'--db={where}', '--create_if_missing', *options, 'load']
        return stream(argv, lambda: b.data('ldb', count), lambda: b.fresh('load-ldb'))

    def lmdb_place():
        where = b.fresh('load-lmdb')
        where.mkdir()
        return where

    yield Case('load', f'{count} records', 's', False, [
        Contender(US, stream(lambda d: lsm_load(b, d), lambda: tsv, lambda: b.fresh('load-lsm'), lsm_check), 'ours'),
        Contender('sort', lambda: b.timed(['env', 'LC_ALL=C', b.tool('sort'), '-o', b.work / 'sorted', tsv]), 'floor'),
        Contender('cdb (not ordered)', lambda: b.timed([b.tool('cdb'), '-c', b.fresh('load.cdb'), b.data('cdb', count)]),
                  ordered=False),
        Contender('ldb load --bulk_load', ldb('--bulk_load'), rounds=1),
        Contender('ldb load', ldb(), rounds=1),
        Contender('sqlite3 .import', stream(lambda d: [b.tool('sqlite3'), d], lambda: sqlite_script(b, count),
                                          lambda: b.fresh('load-sqlite')), rounds=1),
        Contender('mdb_load', stream(lambda d: [b.tool('mdb_load'), d], lambda: b.data('dump', count), lmdb_place), rounds=1),
    ])


def row_dump(b):
    count = b.size(1000000, 10000)

    def lsm():
        return lsm_loaded(b, 'dump-lsm', count, True, write_buffer_size='512M')

    def lmdb():
        return lib_filled(b, 'lmdb', count)

    def mtbl():
        def make():
            where = b.fresh('dump-mtbl')
            b.lib('mtbl', 'build', where, count, '--compress')
            return where / 'built.mtbl'
        return b.once(('mtbl', count), make)

    def contender(name, argv, kind='peer'):
        command = []

        def before():
            command.extend(argv())
            lines = b.run(command).count(b'\n')
            if lines < count:
                raise Failed(f'{lines} lines for {count} records')
        return Contender(name, lambda: b.timed(command), kind, before)

    yield Case('dump', f'{count} records as text', 's', False, [
        contender('lsm-scan', lambda: [b.ours('lsm-scan'), '-d', lsm()], 'ours'),
        contender('sst-dump', lambda: [b.ours('sst-dump'), newest_table(lsm())], 'ours'),
        contender('sqlite3', lambda: [b.tool('sqlite3'), sqlite_loaded(b, count), 'select k, v from t order by k']),
        contender('ldb scan', lambda: [b.tool('ldb'), f'--db={ldb_loaded(b, count)}', 'scan']),
        contender('sst_dump', lambda: [b.tool('sst_dump'), f'--file={newest_table(ldb_loaded(b, count))}', '--command=scan']),
        contender('mtbl_dump', lambda: [b.tool('mtbl_dump'), mtbl()]),
        contender('mdb_dump', lambda: [b.tool('mdb_dump'), '-p', lmdb()]),
        contender('cdb -d (not ordered)', lambda: [b.tool('cdb'), '-d', cdb_loaded(b, count)]),
    ], rounds=5)
