# SPDX-License-Identifier: MIT
"""The goals in figures, in their one place.

Row, text, what of ours, over what, of which figure. The number shown is ours / theirs in every case of the row
that has both, and the text begins with what it must be. "best" is the best peer of the case; a tuple is the sum of
its members.
"""

US = 'lsmkit'
GOALS = [
    ('oneshot-put', '<= 1.3 x (empty process + one fdatasync)', US, ('empty dynamic', 'fdatasync'), 'value'),
    ('oneshot-put', '<= 0.65 x the LMDB program', US, 'lmdb program', 'value'),
    ('oneshot-get', '<= 1.2 x empty process, from the memtable', 'lsmkit memtable', 'empty dynamic', 'value'),
    ('oneshot-get', '<= 1.2 x empty process, from a table', 'lsmkit table', 'empty dynamic', 'value'),
    ('oneshot-get', '<= 1.2 x empty process, sst-get', 'sst-get', 'empty dynamic', 'value'),
    ('unflushed', '<= 1.1 x the empty store', 'lsmkit full', 'lsmkit empty', 'value'),
    ('tables100', '<= 1.5 x one table', 'lsmkit 100 tables', 'lsmkit 1 table', 'value'),
    ('shells', '>= 5 x the best peer', US, 'best', 'value'),
    ('load', '<= 1.3 x sort', US, 'sort', 'value'),
    ('load', '<= 0.2 x the best ordered peer', US, 'best', 'value'),
    ('dump', '<= 0.5 x sqlite3, lsm-scan', 'lsm-scan', 'sqlite3', 'value'),
    ('dump', '<= 0.33 x sst_dump, sst-dump', 'sst-dump', 'sst_dump', 'value'),
    ('puts', '>= 5 x RocksDB', US, 'rocksdb', 'value'),
    ('puts', '>= 1.7 x LevelDB', US, 'leveldb', 'value'),
    ('batches', '>= 6 x RocksDB', US, 'rocksdb', 'value'),
    ('batches', '>= 4 x LMDB', US, 'lmdb', 'value'),
    ('memtable', '<= 0.083 x RocksDB (12 x faster)', US, 'rocksdb', 'value'),
    ('durable', '>= 2 x RocksDB', US, 'rocksdb', 'value'),
    ('durable', '>= 1.1 x LevelDB', US, 'leveldb', 'value'),
    ('flush', '>= 3.5 x RocksDB', US, 'rocksdb', 'value'),
    ('flush', '<= 0.5 x the CPU of RocksDB', US, 'rocksdb', 'cpu_s'),
    ('flush', '>= 0.9 x zstd alone on all cores', US, 'zstd alone', 'value'),
    ('flush-raw', '>= 4 x RocksDB', US, 'rocksdb', 'value'),
    ('flush-raw', '>= 0.6 x the disk', US, 'disk alone', 'value'),
    ('gets', '<= 0.77 x RocksDB (1.3 x faster)', US, 'rocksdb', 'value'),
    ('cached', '<= 1 x LMDB', US, 'lmdb', 'value'),
    ('misses', '<= 1 x cdb', US, 'cdb', 'value'),
    ('scan', '>= 2.5 x RocksDB', US, 'rocksdb', 'value'),
    ('build', '>= 1.8 x RocksDB', US, 'rocksdb', 'value'),
    ('compact', '>= 1.5 x RocksDB', US, 'rocksdb', 'value'),
    ('growth-memory', '<= 1.1 x: four times the records, the same memory', '4 parts', '1 part', 'value'),
]


def is_met(text, ratio):
    sign, limit = text.split()[:2]
    return ratio <= float(limit) if sign == '<=' else ratio >= float(limit)
