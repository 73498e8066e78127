# SPDX-License-Identifier: MIT
"""Real data, in the order in which it comes: what this machine has installed, and what machines write all day."""

import os
import pathlib
import re
import subprocess
import sys

from goals import US
from measure import Case, Contender, Failed, Sample, Skip
from stores import lsm_count, lsm_load

SETS = {
    'packages': 'packages of Debian: name and version -> control paragraph',
    'files': 'the file tree: path -> sha256',
    'weblog': 'a web log: time and number -> line',
    'sensors': 'sensors: number and time -> double, both binary',
}


def unescaped(field):
    return re.sub(rb'\\x([0-9a-f]{2})', lambda m: bytes.fromhex(m[1].decode()), field)


def made(b, name):
    """NAME.tsv, and the same records as the peers' loaders take them."""
    def make():
        maker = pathlib.Path(os.environ.get('LSM_CORPUS', '')) / 'make_datasets.py'
        if not maker.is_file():
            raise Skip('no make_datasets.py in $LSM_CORPUS')
        where = b.work / 'real'
        subprocess.run([sys.executable, maker, where, '--mb', str(b.size(20, 0.2)), '--only', name], check=True,
                       stdout=subprocess.DEVNULL)
        tsv, ldb, dump, sql = (where / f'{name}.{form}' for form in ('tsv', 'ldb', 'dump', 'sql'))
        with open(tsv, 'rb') as source, open(ldb, 'w') as to_ldb, open(dump, 'w') as to_dump, open(sql, 'w') as to_sql:
            to_dump.write('VERSION=3\nformat=bytevalue\ntype=btree\nmapsize=1073741824\nHEADER=END\n')
            to_sql.write('pragma synchronous=full;\ncreate table t (k blob primary key, v blob) without rowid;\nbegin;\n')
            count = 0
            for count, line in enumerate(source, 1):
                key, value = (unescaped(field).hex() for field in line.rstrip(b'\n').split(b'\t'))
                to_ldb.write(f'0x{key.upper()} ==> 0x{value.upper()}\n')
                to_dump.write(f' {key}\n {value}\n')
                to_sql.write(f"insert into t values(x'{key}',x'{value}');\n")
            to_dump.write('DATA=END\n')
            to_sql.write('commit;\n')
        return {'tsv': tsv, 'ldb': ldb, 'dump': dump, 'sql': sql, 'count': count}
    return b.once(('real', name), make)


def size_of(where):
    files = [p for p in where.rglob('*') if p.is_file()] if where.is_dir() else [where]
    return sum(p.stat().st_blocks * 512 for p in files)


def row_real(b):
    for name, text in SETS.items():
        try:
            data = made(b, name)
        except Skip as why:
            print(f'\nreal / {text}: skipped: {why}')
            continue
        places = {}

        def load(who, place, argv, form, check=None, data=data, places=places):
            where = b.fresh(place)
            samples = b.timed(argv(where), stdin=data[form])
            stored = check(where) if check else data['count']
            if stored != data['count']:
                raise Failed(f'{stored} of {data["count"]} records stored')
            places[who] = size_of(where)
            return samples

        def contender(who, place, argv, form, kind='peer', check=None):
            return Contender(who, lambda: load(who, place, argv, form, check), kind)

        loads = [
            contender(US, 'real-lsm', lambda d: lsm_load(b, d), 'tsv', 'ours', lambda d: lsm_count(b, d)),
            contender('ldb load', 'real-ldb', lambda d: [b.tool('ldb'), f'--db={d}', '--create_if_missing', '--hex', 'load'], 'ldb'),
            contender('mdb_load', 'real-lmdb', lambda d: ['sh', '-c', f'mkdir {d} && {b.tool("mdb_load")} {d}'], 'dump'),
            contender('sqlite3', 'real-sqlite', lambda d: [b.tool('sqlite3'), d], 'sql'),
        ]
        what = f'{text}, {data["count"]} records, {data["tsv"].stat().st_size / 1e6:.0f} MB'
        yield Case('real', f'{what}: load', 's', False, loads)
        yield Case('real', f'{what}: on disk', 'MB', False, [
            Contender(c.name, lambda who=c.name, places=places: [Sample(places[who] / 1e6)], c.kind)
            for c in loads if c.name in places], rounds=1)
