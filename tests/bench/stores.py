# SPDX-License-Identifier: MIT
"""Stores that are made before anything is timed, once a run, and the records in them."""

import os
import shutil
import subprocess
import tempfile
import time

from measure import Failed


def conf(where, **settings):
    """A store of ours to be, with its lsm.conf."""
    where.mkdir()
    (where / 'lsm.conf').write_text(''.join(f'{k} = {v}\n' for k, v in settings.items()))
    return where


def one_record(b, count):
    """Of the first `count` the one in the middle: its key and value."""
    line = b.run([b.helper('gen'), 'tsv', '1', str(count // 2)]).decode().rstrip('\n')
    return line.split('\t')


def lsm_load(b, where):
    """The command that loads its stdin, durably and into a table."""
    return ['sh', '-c', f'{b.ours("lsm-put")} -d {where} --batch && {b.ours("lsm-flush")} -d {where}']


def lsm_count(b, where):
    return int(b.run([b.ours('lsm-scan'), '-c', '-d', where]))


def lsm_loaded(b, name, count, flush, tables=1, **settings):
    """A store of ours with `count` records, in the memtable or in tables."""
    def make():
        where = conf(b.fresh(name), **settings)
        for i in range(tables):
            source = b.data('tsv', count // tables, i * (count // tables))
            b.run([b.ours('lsm-put'), '-d', where, '--batch'], stdin=source)
            if flush:
                b.run([b.ours('lsm-flush'), '-d', where])
        return where
    return b.once(('lsm', name), make)


def lib_filled(b, engine, count, *options):
    def make():
        where = b.fresh(f'filled-{engine}-{len(b.made)}')
        b.lib(engine, 'fill', where, count, *options)
        return where
    return b.once(('filled', engine, count) + options, make)


def newest_table(where):
    tables = sorted(p for p in where.iterdir() if p.suffix in ('.sst', '.ldb'))
    if not tables:
        raise Failed(f'no table in {where}')
    return tables[-1]


def sqlite_loaded(b, count, name='loaded-sqlite'):
    def make():
        path = b.fresh(name)
        sqlite_import(b, path, count)
        return path
    return b.once(('sqlite', name, count), make)


def sqlite_script(b, count):
    def make():
        script = b.work / f'import-{count}.sql'
        script.write_text('pragma synchronous=full;\ncreate table t (k text primary key, v text) without rowid;\n'
                          f'.mode tabs\n.import {b.data("tsv", count)} t\n')
        return script
    return b.once(('sqlite script', count), make)


def sqlite_import(b, path, count):
    b.run([b.tool('sqlite3'), path], stdin=sqlite_script(b, count))


def cdb_loaded(b, count):
    def make():
        path = b.fresh('loaded.cdb')
        b.run([b.tool('cdb'), '-c', path, b.data('cdb', count)])
        return path
    return b.once(('cdb', count), make)


def records_of(b, count):
    with open(b.data('tsv', count)) as f:
        for line in f:
            yield line.rstrip('\n').split('\t')


def tdb_loaded(b, count):
    def make():
        dump, path = b.work / 'tdb.dump', b.fresh('loaded.tdb')
        with open(dump, 'w') as f:
            for key, value in records_of(b, count):
                f.write(f'{{\nkey({len(key)}) = "{key}"\ndata({len(value)}) = "{value}"\n}}\n')
        b.run([b.tool('tdbrestore'), path], stdin=dump)
        return path
    return b.once(('tdb', count), make)


def gdbm_loaded(b, count):
    def make():
        script, path = b.work / 'gdbm.script', b.fresh('loaded.gdbm')
        with open(script, 'w') as f:
            for key, value in records_of(b, count):
                f.write(f'store "{key}" "{value}"\n')
        b.run([b.tool('gdbmtool'), '-n', '-f', script, path])
        return path
    return b.once(('gdbm', count), make)


def ldb_loaded(b, count):
    """RocksDB's store in one table."""
    b.tool('ldb')
    return lib_filled(b, 'rocksdb', count, '--merge', '--compress')


class Redis:
    """A server for the time of one case. Its own CPU time does not show: the client's does."""

    def __init__(self, b):
        self.b = b
        self.server = self.run_dir = None

    def start(self):
        server = self.b.tool('redis-server')
        self.b.tool('redis-cli')
        store = self.b.fresh('redis')
        store.mkdir()
        self.run_dir = tempfile.mkdtemp(prefix='lsm-bench')  # a socket's path must be short
        self.socket = os.path.join(self.run_dir, 's')
        self.server = subprocess.Popen([server, '--port', '0', '--unixsocket', self.socket, '--dir', str(store), '--save', '',
                                        '--appendonly', 'yes', '--appendfsync', 'always'], stdout=subprocess.DEVNULL)
        for _ in range(500):
            if os.path.exists(self.socket):
                return
            time.sleep(0.01)
        raise Failed('redis-server does not start')

    def cli(self, *argv):
        return [self.b.tool('redis-cli'), '-s', self.socket, *argv]

    def stop(self):
        if self.server:
            self.server.terminate()
            self.server.wait()
            shutil.rmtree(self.run_dir)
            self.server = None
