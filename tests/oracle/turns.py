#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns on one store: our programs change it, RocksDB checks and changes it, our programs check what it left, ...

Every change is made in a dictionary as well, and after every turn the whole store is compared with it, by lsm-scan
and by rocks-torture (scans, Get, MultiGet, Seek, absent keys, checksums). Keys are of any bytes, the empty one too;
each turn leaves it to chance whether records stay in the log of the one for the other to replay, become a table,
or are compacted.

Environment: BUILD, where the programs are; TURNS (12); SEED (1). Ends with "N tests passed": a turn is a test.
"""

import os
import pathlib
import random
import subprocess
import sys
import tempfile

BUILD = pathlib.Path(os.environ.get('BUILD', 'build')).resolve()


def run(program, *arguments, stdin='', ok=(0,)):
    done = subprocess.run([str(BUILD / program), *map(str, arguments)], input=stdin.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode not in ok:
        sys.exit(f'{program} {" ".join(map(str, arguments))}: status {done.returncode}\n'
                 f'{done.stdout.decode()[-2000:]}{done.stderr.decode()[-2000:]}')
    return done.stdout.decode()


def lines(records):
    return ''.join(f'{key}\t{value}\n' for key, value in records)


class Turns:
    def __init__(self, where, seed):
        self.random = random.Random(seed)
        self.where = where
        self.store = where / 'store'
        self.model = {}  # hex -> hex
        self.used = []  # keys, for putting them again

    def chance(self, p):
        return self.random.random() < p

    def key(self):
        if self.used and self.chance(0.3):
            return self.random.choice(self.used)
        size = self.random.choice((0, 1, 2, 3, 8, self.random.randint(4, 40), self.random.randint(4, 400)))
        self.used.append(self.random.randbytes(size).hex())
        return self.used[-1]

    def value(self):
        size = 100000 if self.chance(0.0005) else self.random.randint(0, 200)
        return (self.random.randbytes(size // 2) * 2).hex()

    def ours_changes(self):
        records = [(self.key(), self.value()) for _ in range(self.random.randint(1, 3000))]
        run('lsm-put', '-d', self.store, '--batch', '-x', stdin=lines(records))
        self.model.update(records)

        gone = self.random.sample(sorted(self.model), min(len(self.model), self.random.randint(0, 500)))
        run('lsm-del', '-d', self.store, '--batch', '-x', stdin=''.join(f'{k}\n' for k in gone))
        for key in gone:
            del self.model[key]

        for program, p in (('lsm-flush', 0.6), ('lsm-compact', 0.3)):
            if (BUILD / program).exists() and self.chance(p):
                run(program, '-d', self.store)
            if self.chance(0.5):
                key, value = 'aa' + self.key(), self.value()[:1000]
                run('lsm-put', '-d', self.store, '-x', '--', key, value)
                self.model[key] = value

    def ours_checks(self, when):
        if run('lsm-scan', '-d', self.store, '-x') != lines(sorted(self.model.items(), key=lambda r: bytes.fromhex(r[0]))):
            sys.exit(f'{when}: lsm-scan shows something else')
        for key in self.random.sample(sorted(self.model), min(len(self.model), 5)):
            if run('lsm-get', '-d', self.store, '-x', '--', key) != self.model[key] + '\n':
                sys.exit(f'{when}: lsm-get {key} shows something else')
        if (BUILD / 'lsm-check').exists():
            run('lsm-check', '-d', self.store)

    def rocksdb_turns(self, turn):
        expected, left = self.where / 'expected', self.where / 'left'
        expected.write_text(lines(self.model.items()))
        options = ['--seed', turn, '--out', left]
        for option, p in ((('--write', 500), 0.7), (('--delete', 200), 0.5), (('--flush',), 0.5), (('--compact',), 0.3),
                          (('--no-compression',), 0.2)):
            options += option if self.chance(p) else ()
        if run('oracle/rocks-scan', self.store) != lines(sorted(self.model.items(), key=lambda r: bytes.fromhex(r[0]))):
            sys.exit(f'turn {turn}: rocks-scan shows something else')
        run('oracle/rocks-torture', *options, self.store, expected)
        self.model = dict(line.split('\t') for line in left.read_text().splitlines())

    def forget(self):
        """The store's shared memory, which goes by the token in LOCK."""
        token = (self.store / 'LOCK').read_bytes()[16:32].hex()
        for segment in pathlib.Path('/dev/shm').glob(f'lsm.{token}.*'):
            segment.unlink()

    def turn(self, number):
        self.ours_changes()
        self.ours_checks(f'turn {number}, after our changes')
        self.rocksdb_turns(number)
        self.ours_checks(f'turn {number}, after RocksDB')


def main():
    count, seed = int(os.environ.get('TURNS', '12')), int(os.environ.get('SEED', '1'))
    if not (BUILD / 'oracle/rocks-torture').exists():
        print('skipped: turns with RocksDB: no librocksdb here')
        return
    with tempfile.TemporaryDirectory() as where:
        turns = Turns(pathlib.Path(where), seed)
        try:
            for number in range(1, count + 1):
                turns.turn(number)
        finally:
            turns.forget()
        print(f'{len(turns.model)} keys at the end, seed {seed}')
    print(f'{count} tests passed')


if __name__ == '__main__':
    main()
