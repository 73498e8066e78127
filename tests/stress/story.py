#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""story.py N DIR [SEED]: a history of about N records with overwrites and deletes, in chapters, and how it ends.

DIR/chapter.I      what lsm-put --batch -x takes
DIR/deletes.I      then: keys for lsm-del --batch -x
DIR/expected.I     what a store holds after chapter I and its deletes: hexKEY, tab, hexVALUE, in order
"""
import os, random, sys

n, out = int(sys.argv[1]), sys.argv[2]
rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
CHAPTERS = 4
state = {}
known = []

def key():
    kind = rng.random()
    if known and kind < 0.2:
        return rng.choice(known)
    if kind < 0.6:
        return b'user:%014x' % rng.getrandbits(56)
    if kind < 0.9:
        return b'event/%08d/%d' % (rng.randrange(10 ** 8), rng.randrange(10))
    return rng.randbytes(rng.randrange(1, 40))

def value():
    size = rng.choice((0, 1, 20, 100, 100, 100, 150, 400)) if rng.random() > 0.0005 else rng.randrange(70000)
    return rng.randbytes((size + 1) // 2) + b'.' * (size // 2)

for c in range(CHAPTERS):
    with open(os.path.join(out, 'chapter.%d' % c), 'w') as f:
        for i in range(n // CHAPTERS):
            k, v = key(), value()
            state[k] = v
            known.append(k)
            f.write('%s\t%s\n' % (k.hex(), v.hex()))
    with open(os.path.join(out, 'deletes.%d' % c), 'w') as f:
        for i in range(n // CHAPTERS // 8):
            k = rng.choice(known) if rng.random() < 0.9 else key()
            state.pop(k, None)
            f.write(k.hex() + '\n')
    with open(os.path.join(out, 'expected.%d' % c), 'w') as f:
        for k in sorted(state):
            f.write('%s\t%s\n' % (k.hex(), state[k].hex()))
