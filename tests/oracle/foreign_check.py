#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""foreign_check.py BUILD FIRST COUNT [TMP [MAKER]]: directories of RocksDB's, made by foreign-make (or MAKER, a path
in BUILD) from COUNT seeds from FIRST on, are read by our programs; every difference from what RocksDB says is printed. Exit status 1 when there was one."""
import collections, hashlib, os, random, shutil, subprocess, sys, tempfile

def run(argv):
    r = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
    return r.returncode, r.stdout, r.stderr.decode('utf8', 'replace').strip()

def lines(path):
    with open(path, 'rb') as f:
        return f.read().split(b'\n')[:-1]

def digest(d):
    h = hashlib.sha256()
    for root, dirs, files in os.walk(d):
        dirs.sort()
        for f in sorted(files):
            with open(os.path.join(root, f), 'rb') as x:
                h.update(f.encode() + b'\0' + x.read())
    return h.hexdigest()

def first_difference(got, want):
    for i, (a, b) in enumerate(zip(got, want)):
        if a != b:
            return 'line %d: %r, not %r' % (i + 1, a[:120], b[:120])
    return '%d lines, not %d' % (len(got), len(want))

class Check:
    def __init__(self, build, seed, base):
        self.build, self.seed, self.base, self.db = build, seed, base, base + '/db'
        self.rng, self.wrong, self.done = random.Random(seed), 0, 0

    def tell(self, what):
        self.wrong += 1
        print('seed %d: %s' % (self.seed, what))

    def scan(self, family, options, want):
        self.done += 1
        code, out, err = run([self.build + '/lsm-scan', '-x', '-d', self.db, '--cf', family] + options)
        got = out.split(b'\n')[:-1]
        if code or got != want:
            self.tell('lsm-scan %s of %r: exit %d, %s %s' % (options, family, code, err, first_difference(got, want)))

    def family(self, name, view, absent, reverse):
        order = view[::-1] if reverse else view
        self.scan(name, [], order)
        self.scan(name, ['-r'], order[::-1])
        keys = [l.split(b'\t')[0] for l in view] + absent
        for _ in range(6):
            a, b = sorted(bytes.fromhex(self.rng.choice(keys or [b'61']).decode()) for _ in 'ab')
            options = ['-f', a.hex(), '-u', b.hex()] if self.rng.random() < .7 else ['-p', a.hex()[:2]]
            part = [l for l in order if a <= bytes.fromhex(l.split(b'\t')[0].decode()) < b] if options[0] == '-f' else \
                   [l for l in order if l.split(b'\t')[0].startswith(options[1].encode())]
            if self.rng.random() < .5:
                options, part = options + ['-r'], part[::-1]
            if self.rng.random() < .3:
                options, part = options + ['-m', '3'], part[:3]
            self.scan(name, options, part)

    def gets(self, view, absent):
        ask = self.rng.sample(view, min(8, len(view))) + [k + b'\t' for k in self.rng.sample(absent, min(5, len(absent)))]
        for line in ask:
            key, want = line.split(b'\t')
            there = line in view
            self.done += 1
            code, out, err = run([self.build + '/lsm-get', '-x', '-d', self.db, '--', key.decode()])
            if (code, out) != ((0, want + b'\n') if there else (1, b'')):
                self.tell('lsm-get %s: exit %d %s %r, not %r' % (key.decode(), code, err, out[:100], want[:100] if there else None))

    def all(self):
        before = digest(self.db)
        reverse = [l.split(' reverse=')[1][0] == '1' for l in open(self.base + '/options', encoding='latin1') if l.startswith('family:')]
        for i, name in enumerate(lines(self.base + '/families')):
            view, absent = lines('%s/%d.view' % (self.base, i)), lines('%s/%d.absent' % (self.base, i))
            self.family(bytes.fromhex(name.decode()).decode(), view, absent, reverse[i])
            if i == 0:
                self.gets(view, absent)
        for f in sorted(lines(self.base + '/tables')):
            self.done += 1
            code, out, err = run([self.build + '/sst-check', self.db + '/' + f.decode()])
            if code:
                self.tell('sst-check %s: exit %d %s %s' % (f, code, out[:200], err))
        if digest(self.db) != before:
            self.tell('the directory was changed')
        return self.wrong

def main():
    build, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    tmp = sys.argv[4] if len(sys.argv) > 4 else tempfile.mkdtemp(prefix='foreign-')
    maker = build + '/' + (sys.argv[5] if len(sys.argv) > 5 else 'oracle/foreign-make')
    total = collections.Counter()
    for seed in range(first, first + count):
        base = '%s/%d' % (tmp, seed)
        code, _, err = run([maker, str(seed), base])
        if code == 2:
            total['refused'] += 1
        elif code:
            total['failed'] += 1
            print('seed %d: foreign-make: exit %d: %s' % (seed, code, err))
        else:
            c = Check(build, seed, base)
            total['wrong'] += c.all()
            total['checks'] += c.done
            total['made'] += 1
            if c.wrong:
                continue
        shutil.rmtree(base, ignore_errors=True)
    print('%d directories, %d checks, %d wrong; RocksDB refused %d, failed on %d' %
          tuple(total[k] for k in ('made', 'checks', 'wrong', 'refused', 'failed')))
    sys.exit(1 if total['wrong'] or not total['made'] or total['failed'] * 20 > count or total['refused'] * 2 > count else 0)

main()
