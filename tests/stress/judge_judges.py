#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Small histories at random, most of them nearly right, judged by check_history and by trying out every order.

usage: judge_judges.py CHECK_HISTORY COUNT [SEED]

check_order must say what there is to say when the writes have the order of their sequence numbers; check_keys what
there is to say of each key with the writes in any order."""

import itertools
import random
import subprocess
import sys

KEYS = (1, 2)
ORDER_SAYS_NO = (
    "two writes with", "are nobody's", "a no-clobber put", "a scan", "what it saw", "a write comes before",
)
KEYS_SAYS_NO = ("no order of the operations on one key",)


class Op:
    def __init__(self, verb, pairs, invoked, answered, died=False, sequence=0):
        self.verb, self.pairs, self.invoked, self.answered = verb, pairs, invoked, answered
        self.died, self.sequence = died, sequence

    def line(self, process):
        died = "~" if self.died else ""
        pairs = " ".join(f"{k}={v or '-'}" for k, v in self.pairs)
        return f"{process} {self.invoked} {died}{self.answered} {self.sequence} {self.verb} {pairs}"

    def writes(self):
        return self.verb in ("write", "create")

    def apply(self, state):
        """The state afterwards, or None: it cannot have happened here."""
        if self.verb in ("get", "scan"):
            return state if all(state.get(k, 0) == v for k, v in self.pairs) else None
        if self.verb == "refused":
            return state if any(state.get(k, 0) for k, _ in self.pairs) else None
        if self.verb == "create" and any(state.get(k, 0) for k, _ in self.pairs):
            return None
        return {**state, **dict(self.pairs)}


def before(a, b):
    return not a.died and a.answered < b.invoked


def linearizable(ops, ordered):
    """Is there an order? `ordered`: of those with the writes by sequence number."""
    seen = set()

    def search(left, state):
        if all(ops[i].died for i in left):
            return True
        at = (left, tuple(sorted(state.items())))
        if at in seen:
            return False
        seen.add(at)
        for i in left:
            if any(before(ops[j], ops[i]) for j in left if j != i):
                continue
            if ordered and ops[i].writes() and any(
                ops[j].writes() and not ops[j].died and ops[j].sequence < ops[i].sequence for j in left if j != i
            ):
                continue
            after = ops[i].apply(state)
            if after is not None and search(left - {i}, after):
                return True
        return False

    return search(frozenset(range(len(ops))), {})


def key_linearizable(ops, key):
    part = []
    for o in ops:
        pairs = [p for p in o.pairs if p[0] == key]
        if pairs and not (o.verb == "refused" and len(o.pairs) > 1):
            part.append(Op(o.verb, pairs, o.invoked, o.answered, o.died))
    return linearizable(part, False)


def history(rng):
    """Runs operations one after another, each at an instant of its own; widens them in time; spoils some."""
    ops, state, value, sequence = [], {}, 4, 1
    for instant in range(rng.randint(3, 8)):
        keys = KEYS if rng.random() < 0.3 else (rng.choice(KEYS),)
        verb = rng.choice(("write", "write", "create", "get", "get", "scan"))
        time = 100 * instant + 1000
        o = Op(verb, [], time - rng.randint(1, 250), time + rng.randint(1, 250))
        if verb in ("get", "scan"):
            keys = keys[:1] if verb == "get" else keys
            o.pairs = [(k, state.get(k, 0)) for k in keys]
            o.sequence = sequence - 1 if verb == "scan" else 0
        else:
            value += 1
            o.pairs = [(k, value if verb == "create" or rng.random() < 0.7 else 0) for k in keys]
            if o.apply(state) is None:
                o.verb = "refused"
            else:
                state = o.apply(state)
                o.sequence = sequence
                sequence += len(keys)
                o.died = rng.random() < 0.1
        ops.append(o)
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        spoil(rng, ops, value)
    times = iter(rng.sample(range(5000, 6000), len(ops)))
    for o in ops:
        if o.died:
            o.answered = next(times)
    return ops


def spoil(rng, ops, value):
    o = rng.choice(ops)
    if o.verb in ("get", "scan"):
        i = rng.randrange(len(o.pairs))
        o.pairs[i] = (o.pairs[i][0], rng.choice((0, *range(5, value + 1))))
    else:
        shift = rng.randint(-300, 300)
        o.invoked += shift
        o.answered += shift


def judge_order(ops):
    """What check_order should say: scans at their snapshot, everything else as the numbers order it."""
    writes = sorted((o for o in ops if o.writes()), key=lambda o: o.sequence)
    state, states = {}, {0: {}}
    for w in writes:
        state = {**state, **dict(w.pairs)}
        states[w.sequence + len(w.pairs) - 1] = state
    return all(
        all(states[o.sequence].get(k, 0) == v for k, v in o.pairs) for o in ops if o.verb == "scan"
    ) and linearizable_at_snapshots(ops)


def linearizable_at_snapshots(ops):
    """A scan is a write of nothing between the writes that it saw and those that it did not."""
    class Placed(Op):
        def writes(self):
            return self.verb in ("write", "create", "scan")

    placed = []
    for o in ops:
        place = o.sequence + (0.5 if o.verb == "scan" else len(o.pairs) - 1)
        placed.append(Placed(o.verb, o.pairs, o.invoked, o.answered, o.died, place))
    # Two scans at one snapshot have the same place and may come in any order: `<` of the search lets them.
    return any_with_died(placed)


def any_with_died(ops):
    """All numbers are used, so a write without an answer has happened unless nothing follows it."""
    last = max((o.sequence for o in ops if o.sequence and not o.died and o.writes()), default=0)
    open_ended = [i for i, o in enumerate(ops) if o.died and o.sequence > last]
    for happened in itertools.product((False, True), repeat=len(open_ended)):
        part = [o for i, o in enumerate(ops) if i not in open_ended or happened[open_ended.index(i)]]
        tried = [type(o)(o.verb, o.pairs, o.invoked, o.answered if not o.died else 10**9, False, o.sequence) for o in part]
        if linearizable(tried, True):
            return True
    return False


def main():
    judge, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1
    rng = random.Random(seed)
    sound = 0
    for n in range(count):
        ops = history(rng)
        lines = [o.line(i) for i, o in enumerate(ops)]
        rng.shuffle(lines)
        text = "\n".join(lines) + "\nend\n"
        run = subprocess.run([judge], input=text, capture_output=True, text=True)
        says = [line for line in run.stderr.splitlines() if "WRONG: " in line]
        order = not any(s in line for line in says for s in ORDER_SAYS_NO)
        keys = not any(s in line for line in says for s in KEYS_SAYS_NO)
        want = judge_order(ops), all(key_linearizable(ops, k) for k in KEYS)
        if (order, keys) != want or run.returncode != (not all(want)):
            print(f"seed {seed}, history {n}: (order, keys) should be {want}, was {(order, keys)}\n{text}{run.stderr}")
            return 1
        sound += all(want)
    print(f"{count} histories, {sound} of them linearizable: agreed")
    return 0


sys.exit(main())
