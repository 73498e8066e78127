# SPDX-License-Identifier: MIT
"""Cases, their contenders, how they are run in turn and what is printed of them."""

import dataclasses
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

from goals import GOALS, US, is_met


class Skip(Exception):
    """The contender is not to be had here."""


class Failed(Exception):
    """It ran and did not do what was asked."""


@dataclasses.dataclass
class Sample:
    value: float  # in the unit of the case
    cpu_s: float = None
    rss_kib: int = None


@dataclasses.dataclass
class Contender:
    name: str
    run: callable  # -> [Sample]
    kind: str = 'peer'  # ours, peer, floor
    before: callable = None  # once, before the first round
    after: callable = None
    rounds: int = None  # fewer than the case's, for the slow ones
    ordered: bool = True  # counts for "best"
    series: str = None  # in a curve: which line this is a point of,
    x: float = None  # and where


@dataclasses.dataclass
class Case:
    row: str
    name: str
    unit: str
    more_is_better: bool
    contenders: list
    rounds: int = 3
    axis: str = None  # what x is, in a curve


def curve(row, name, axis, unit, more_is_better, series, rounds=None):
    """A case of series (name, kind, xs, run(x) -> [Sample]); they take turns at each x. rounds: name -> fewer."""
    points = [Contender(f'{s} @ {x:,}', lambda run=run, x=x: run(x), kind, rounds=(rounds or {}).get(s), series=s, x=x)
              for s, kind, xs, run in series for x in xs]
    return Case(row, name, unit, more_is_better, sorted(points, key=lambda c: c.x), axis=axis)


def remove(directory):
    """With the shared memory of the stores in it, which goes by the token in their LOCK files."""
    for lock in directory.rglob('LOCK'):
        token = lock.read_bytes()[16:32].hex()
        for segment in pathlib.Path('/dev/shm').glob(f'lsm.{token}.*') if token else ():
            segment.unlink(missing_ok=True)
    shutil.rmtree(directory)


class Bench:
    def __init__(self, build, quick):
        self.build = pathlib.Path(build).resolve()
        self.quick = quick
        self.bin = self.build / 'bench' / 'bin'
        self.out = self.build / 'bench' / ('quick' if quick else '')
        self.work = self.out / 'work'
        self.stderr = self.out / 'stderr.txt'
        self.made = {}
        self.clear()
        self.work.mkdir(parents=True)

    def clear(self):
        if self.work.exists():
            remove(self.work)

    def size(self, full, quick):
        return quick if self.quick else full

    def ours(self, name):
        path = self.build / name
        if not path.exists():
            raise Skip(f'{name} is not built')
        return str(path)

    def helper(self, name):
        path = self.bin / name
        if not path.exists():
            raise Skip(f'{name} is not built')
        return str(path)

    @staticmethod
    def tool(name):
        path = shutil.which(name)
        if not path:
            raise Skip(f'no {name} here')
        return path

    def fresh(self, name):
        """An empty place for a store: a path that is not there."""
        path = self.work / name
        if path.is_dir():
            remove(path)
        elif path.exists():
            path.unlink()
        return path

    def once(self, key, make):
        """What make() returns, made once a run."""
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]

    def forget(self, key):
        """Gives the room of a store made once back."""
        if key in self.made:
            remove(self.made.pop(key))

    def data(self, form, count, first=0):
        def make():
            path = self.work / f'data-{form}-{count}-{first}'
            with open(path, 'wb') as f:
                subprocess.run([self.helper('gen'), form, str(count), str(first)], stdout=f, check=True)
            return path
        return self.once(('data', form, count, first), make)

    def run(self, argv, stdin=None, ok=(0,), cwd=None):
        """Not timed. Its stdout."""
        with open(self.stderr, 'wb') as err, open(stdin or os.devnull, 'rb') as source:
            done = subprocess.run([str(a) for a in argv], stdin=source, stdout=subprocess.PIPE, stderr=err, cwd=cwd)
        if done.returncode not in ok:
            raise Failed(f'{argv[0]}: status {done.returncode}: {self.last_words()}')
        return done.stdout

    def last_words(self):
        lines = self.stderr.read_bytes().decode('utf-8', 'replace').strip().splitlines()
        return lines[-1] if lines else 'nothing on stderr'

    def timed(self, argv, runs=1, first=0, stdin=None, stdout=None, ok=(0,), unit=1e9):
        """Whole processes, by spawn_timer. One Sample for each run; unit: nanoseconds in one of the case's."""
        command = [self.helper('spawn_timer'), '-n', str(runs), '-b', str(first)]
        command += ['-i', str(stdin)] if stdin else []
        command += ['-o', str(stdout)] if stdout else []
        samples = []
        for line in self.run(command + [str(a) for a in argv]).split(b'\n')[:-1]:
            wall_ns, cpu_us, rss_kib, status = map(int, line.split())
            if status not in ok:
                raise Failed(f'{argv[0]}: status {status}: {self.last_words()}')
            samples.append(Sample(wall_ns / unit, cpu_us / 1e6, rss_kib))
        return samples

    def figures(self, argv):
        """A helper's "name value" lines."""
        return {k: float(v) if '.' in v else int(v) for k, v in (line.split() for line in self.run(argv, ok=(0, 77)).decode().splitlines())}

    def lib(self, engine, verb, where, records, *options):
        command = [self.helper(f'lib_{engine}'), verb, '--dir', where, '--records', records, *options]
        got = self.figures(command)
        if not got:
            raise Skip(f'{engine} has no {verb}')
        return got

    # Turning figures into samples.

    @staticmethod
    def rate(got, what='ops', scale=1e6):
        """kops/s with ops, MB/s with bytes and scale 1e3."""
        return [Sample(got[what] / got['wall_ns'] * scale, got['cpu_ns'] / 1e9)]

    @staticmethod
    def per_op(got, unit=1.0):
        return [Sample(got['wall_ns'] / got['ops'] / unit, got['cpu_ns'] / 1e9)]


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


# What a contender that does not do its work looks like: it failed, or what it printed makes no sense.
BROKEN = (Failed, subprocess.SubprocessError, OSError, ValueError, LookupError, ArithmeticError)


ROUNDS_S = 60  # when those that have rounds before them took so long, there is none: on a busy machine fewer rounds, not hours


def measure(case):
    """name -> samples, and name -> why not."""
    samples = {c.name: [] for c in case.contenders}
    missing, failed = {}, {}

    def attempt(contender, action):
        try:
            action()
        except Skip as why:
            missing[contender.name] = str(why)
        except BROKEN as why:
            failed[contender.name] = f'{type(why).__name__}: {why}'

    try:
        for c in case.contenders:
            if c.before:
                attempt(c, c.before)
        taken = 0
        for turn in range(case.rounds):
            if taken > ROUNDS_S:
                break
            for c in case.contenders:
                rounds = c.rounds or case.rounds
                if turn < rounds and c.name not in missing and c.name not in failed:
                    started = time.monotonic()
                    attempt(c, lambda c=c: samples[c.name].extend(c.run()))
                    taken += time.monotonic() - started if rounds > 1 else 0
    finally:
        for c in case.contenders:
            if c.after:
                c.after()
    return {k: v for k, v in samples.items() if v}, missing, failed


def number(x, digits=4):
    if x is None:
        return '-'
    if x and abs(x) < 10 ** (digits - 1):
        return f'{x:.{digits}g}'
    return f'{x:,.0f}'


def picture_of_bars(case, figures):
    lines = ''.join(f'"{n}" {f["value"]}\n' for n, f in figures.items())
    return (f'set xlabel "{case.unit}" noenhanced\nset style fill solid 0.6\nset boxwidth 0.7\n'
            'set yrange [*:*] reverse\nset xrange [0:*]\nunset key\nset ytics noenhanced\nset lmargin 26\n'
            f'$data << EOD\n{lines}EOD\n'
            'plot $data using (0):0:(0):2:($0-0.35):($0+0.35):ytic(1) with boxxyerror\n')


def short(x):
    for unit, size in (('M', 1000000), ('k', 1000)):
        if x >= size and x % size == 0:
            return f'{x // size}{unit}'
    return str(x)


def picture_of_lines(case, figures):
    """Both axes logarithmic: x 0 is drawn where a tenth of the smallest other is."""
    series = {}
    for c in case.contenders:
        if c.name in figures:
            series.setdefault(c.series, []).append((c.x, figures[c.name]['value']))
    zero = min((x for points in series.values() for x, _ in points if x), default=1) / 10
    blocks = ''.join('$s%d << EOD\n%sEOD\n' % (i, ''.join(f'{x or zero} {y}\n' for x, y in points))
                     for i, points in enumerate(series.values()))
    plots = ', '.join(f'$s{i} using 1:2 with linespoints pt 7 ps 0.5 title "{s}" noenhanced' for i, s in enumerate(series))
    tics = ', '.join(f'"{short(x)}" {x or zero}' for x in sorted({c.x for c in case.contenders}))
    return (f'set xlabel "{case.axis}"\nset ylabel "{case.unit}"\nset logscale xy\nset grid\nset key outside right\n'
            f'set xtics ({tics})\nset offsets graph 0.02, graph 0.02\n{blocks}plot {plots}\n')


class Report:
    def __init__(self, bench):
        self.bench = bench
        self.results, self.goals = [], []
        self.failures = 0

    def case(self, case, samples, missing, failed):
        direction = 'more' if case.more_is_better else 'less'
        print(f'\n{case.row} / {case.name}: {case.unit}, {direction} is better')
        print(f'  {"":24}{"n":>4}{"median":>11}{"min":>11}{"max":>11}{"cpu s":>10}{"rss MiB":>9}{"ours/it":>9}')
        figures = {}
        for c in case.contenders:
            if c.name in samples:
                figures[c.name] = {
                    'value': median(s.value for s in samples[c.name]),
                    'cpu_s': median(s.cpu_s for s in samples[c.name]),
                    'rss_kib': median(s.rss_kib for s in samples[c.name]),
                }
        ours = {c.x: figures[c.name] for c in reversed(case.contenders) if c.kind == 'ours' and c.name in samples}
        for c in case.contenders:
            if c.name in samples:
                self.line(case, c, samples[c.name], figures[c.name], ours.get(c.x))
            elif c.name in missing:
                print(f'  {c.name:24} skipped: {missing[c.name]}')
            if c.name in failed:
                print(f'  {c.name:24} FAILED: {failed[c.name]}')
                self.failures += 1
        self.case_goals(case, figures)
        self.picture(case, figures)
        sys.stdout.flush()

    def line(self, case, c, samples, figure, ours):
        values = [s.value for s in samples]
        rss_mib = figure['rss_kib'] / 1024 if figure['rss_kib'] else None
        ratio = ours['value'] / figure['value'] if ours and figure['value'] else None
        print(f'  {c.name:24}{len(values):4}{number(figure["value"]):>11}{number(min(values)):>11}{number(max(values)):>11}'
              f'{number(figure["cpu_s"], 3):>10}{number(rss_mib, 3):>9}{number(ratio, 3):>9}')
        self.results.append([case.row, case.name, c.name, c.kind, case.unit, len(values), figure['value'], min(values),
                             max(values), figure['cpu_s'], figure['rss_kib']])

    def case_goals(self, case, figures):
        best = max if case.more_is_better else min
        peers = [c.name for c in case.contenders if c.kind == 'peer' and c.ordered and c.name in figures]
        for row, text, what, over, figure in GOALS:
            if row != case.row or what not in figures:
                continue
            names = over if isinstance(over, tuple) else (over,)
            if over == 'best':
                names = (best(peers, key=lambda n: figures[n]['value']),) if peers else ('best',)
            if any(n not in figures or not figures[n][figure] for n in names):
                continue
            theirs = sum(figures[n][figure] for n in names)
            ratio = figures[what][figure] / theirs
            note = f' ({names[0]})' if over == 'best' else ''
            met = 'met' if is_met(text, ratio) else 'missed'
            print(f'    goal {text}{note}: measured {number(ratio, 3)}, {met}')
            unit = 's of CPU' if figure == 'cpu_s' else case.unit
            self.goals.append([case.row, case.name, what, figures[what][figure], ' + '.join(names), theirs, unit, ratio, text, met])

    def picture(self, case, figures):
        gnuplot = shutil.which('gnuplot')
        if not gnuplot or not figures:
            return
        name = re.sub(r'[^A-Za-z0-9]+', '-', f'{case.row} {case.name}').strip('-')
        script = (f'set output "{self.bench.out}/{name}.svg"\nset title "{case.row}: {case.name}" noenhanced\n'
                  + (picture_of_lines(case, figures) if case.axis else picture_of_bars(case, figures)))
        subprocess.run([gnuplot], input=f'set terminal svg size 760,{380 if case.axis else 110 + 30 * len(figures)} '
                       f'font "sans,12"\n{script}'.encode(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def write(self):
        def tsv(name, header, rows):
            with open(self.bench.out / name, 'w') as f:
                for row in [header] + rows:
                    f.write('\t'.join('' if x is None else f'{x:.6g}' if isinstance(x, float) else str(x) for x in row) + '\n')
        tsv('results.tsv', ['row', 'case', 'contender', 'kind', 'unit', 'n', 'median', 'min', 'max', 'cpu_s', 'rss_kib'],
            self.results)
        tsv('goals.tsv', ['row', 'case', 'ours', 'figure', 'over', 'its figure', 'unit', 'ratio', 'goal', 'met'], self.goals)
        self.write_page()

    def write_page(self):
        """goals.md: every goal and what was measured, as a table; and the same on the terminal."""
        lines = ['| row | case | ours | beside | ratio | goal |', '|---|---|---|---|---|---|']
        for row, case, what, figure, over, theirs, unit, ratio, text, met in self.goals:
            who = '' if what == US else f' ({what})'
            lines.append(f'| {row} | {case} | {number(figure, 3)} {unit}{who} | {over} {number(theirs, 3)} | {number(ratio, 3)} | '
                         f'{text}{"" if met == "met" else ", **missed**"} |')
        (self.bench.out / 'goals.md').write_text('\n'.join(lines) + '\n')
        if self.goals:
            print('\n' + '\n'.join(lines))
