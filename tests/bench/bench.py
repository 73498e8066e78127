#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench.py --build DIR [--quick] [ROW...]: us beside the peers, on one machine, in one run.

Every case runs its contenders in turn (A B A B ...) and shows the median of each with its spread, CPU seconds
(user + system, children and threads included) and peak memory. It prints numbers: what they mean is for the
reader. A contender that is not installed is skipped with a message; one that fails, or gives a wrong answer, makes
the exit status 1. Results: results.tsv, goals.tsv, goals.md and, where gnuplot is installed, one SVG
for each case, in DIR/bench or, of quick runs, DIR/bench/quick.
"""

import argparse
import os
import platform
import sys
import time

sys.dont_write_bytecode = True  # nothing is left beside the sources

import rows_command
import rows_growth
import rows_library
import rows_real
import rows_stream
from measure import Bench, Report, measure

ROWS = {
    'oneshot-put': rows_command.row_oneshot_put,
    'oneshot-get': rows_command.row_oneshot_get,
    'unflushed': rows_command.row_unflushed,
    'tables100': rows_command.row_tables100,
    'shells': rows_command.row_shells,
    'load': rows_stream.row_load,
    'dump': rows_stream.row_dump,
    'puts': rows_library.row_puts,
    'batches': rows_library.row_batches,
    'memtable': rows_library.row_memtable,
    'durable': rows_library.row_durable,
    'flush': rows_library.row_flush,
    'flush-raw': rows_library.row_flush_raw,
    'gets': rows_library.row_gets,
    'cached': rows_library.row_cached,
    'misses': rows_library.row_misses,
    'scan': rows_library.row_scan,
    'build': rows_library.row_build,
    'compact': rows_library.row_compact,
    'real': rows_real.row_real,
    'growth-memory': rows_growth.row_growth_memory,
    'growth-unflushed': rows_growth.row_growth_unflushed,
    'growth-tables': rows_growth.row_growth_tables,
    'growth-values': rows_growth.row_growth_values,
    'growth-processes': rows_growth.row_growth_processes,
}


def machine():
    model = 'unknown processor'
    with open('/proc/cpuinfo') as f:
        for line in f:
            if line.startswith('model name'):
                model = line.split(':', 1)[1].strip()
                break
    return f'{model}, {os.cpu_count()} cores, Linux {platform.release()}'


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--build', default='build')
    parser.add_argument('--quick', action='store_true', help='small sizes: does every row run?')
    parser.add_argument('rows', nargs='*', metavar='ROW', help=' '.join(ROWS))
    arguments = parser.parse_args()
    unknown = [r for r in arguments.rows if r not in ROWS]
    if unknown:
        parser.error(f'no row {unknown[0]}; there are {" ".join(ROWS)}')

    bench = Bench(arguments.build, arguments.quick)
    report = Report(bench)
    print(f'{machine()}; load {os.getloadavg()[0]:.1f}' + ('; quick: these figures say nothing' if bench.quick else ''))
    started = time.monotonic()
    for row in arguments.rows or ROWS:
        for case in ROWS[row](bench):
            report.case(case, *measure(case))
    report.write()
    bench.clear()
    print(f'\n{time.monotonic() - started:.0f} s; {bench.out}/results.tsv, goals.tsv, goals.md; {report.failures} failed')
    if bench.quick and not report.failures:
        print(f'{len(report.results)} tests passed')
    return 1 if report.failures else 0


if __name__ == '__main__':
    sys.exit(main())
