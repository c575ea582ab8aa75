"""From a key to the paint that shows it, read from the terminal: the dashboard, mprocs and turbo with the same feeds.

`python -m bench.key_paint [--rounds 4] [--keys 50]`. Eight programs print 1,000 lines/s each; keys move the highlight
to the next program; what counts is the first bytes after which the drawn screen has it there. Then the same with a
compiler on every core. The programs take turns in random order.
"""

import argparse
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import accumulate
from typing import NamedTuple

import psutil
import pyte

from bench.feeds import Gate
from bench.figures import Figures, share
from bench.rivals import QUIET, Contestant, Job, dashboard, find, write_workspace
from bench.watched import Drawn, Watched, watched
from tests.real.product import temporary_deck

AGENTS, RATE = 8, 1000
COLUMNS, ROWS = 160, 50
LIMIT_MS = {"8 × 1,000 lines/s": 60.0, "the same, compilers on all cores": 120.0}
LOST_S = 10.0
"""Counted for a key whose change was never on the screen."""
_SETTLE_S = 2.0


class Press(NamedTuple):
    """A key."""

    at: float
    by: int
    """To where: 1 next, -1 previous."""


class Taken(NamedTuple):
    """What one load gave."""

    latencies_s: dict[str, list[float]]
    busy_percent: float
    """Of all cores, on average."""


def run_keys(one: Contestant, keys: int, dice: random.Random) -> tuple[Watched, list[Press]]:
    """One session of a program: started, fed, keys pressed at odd moments, ended."""
    with temporary_deck() as deck:
        gate = Gate(deck)
        lines = int(RATE * (2 * _SETTLE_S + keys))
        jobs = [Job(f"agent-{i + 1}", gate.argv(f"w{i + 1}", lines, RATE)) for i in range(AGENTS)]
        if one.name == "cargo-deck":
            for job in jobs:
                assert deck.run("exec", "--detach", "--agent", job.name, "--", *job.argv).returncode == 0
        else:
            write_workspace(deck.folder, jobs)
        presses = []
        with watched(one.argv, deck, columns=COLUMNS, rows=ROWS, **QUIET) as program:
            program.until(*(job.name.encode() for job in jobs))
            program.rest(_SETTLE_S)
            gate.open()
            program.rest(_SETTLE_S)
            for number in range(keys):
                by = 1 if number // (AGENTS - 1) % 2 == 0 else -1
                presses.append(Press(program.type(one.next_key if by > 0 else one.previous_key), by))
                program.rest(dice.uniform(0.15, 0.35))
            program.rest(1.0)
        return program, presses


def highlighted(screen: pyte.Screen, places: list[tuple[int, int]]) -> int | None:
    """Which of the names looks different from all others; None: not exactly one does."""
    looks = [screen.buffer[y][x]._replace(data="") for y, x in places]
    odd = [index for index, look in enumerate(looks) if looks.count(look) == 1]
    return odd[0] if len(odd) == 1 else None


def places_of(screen: pyte.Screen, columns: int) -> list[tuple[int, int]]:
    """Where the names stand, in reading order."""
    found = {}
    for y, row in enumerate(screen.display):
        for number in range(AGENTS):
            x = row.find(f"agent-{number + 1}", 0, columns)
            if x >= 0 and number not in found:
                found[number] = (y, x)
    return sorted(found.values())


def latencies_s(one: Contestant, program: Watched, presses: list[Press]) -> list[float]:
    """Of each key. Raises SystemExit where the highlight cannot be told."""
    drawn = Drawn(program.size)
    places: list[tuple[int, int]] = []
    targets: list[int] = []
    taken: list[float] = []
    for chunk in program.chunks:
        if chunk.at >= presses[0].at and not targets:
            places = places_of(drawn.screen, one.name_columns)
            base = highlighted(drawn.screen, places)
            if base is None or len(places) != AGENTS:
                raise SystemExit(f"{one.name}: no highlight among\n" + "\n".join(drawn.screen.display))
            targets = [place % AGENTS for place in accumulate((press.by for press in presses), initial=base)][1:]
        drawn.feed(chunk.text)
        pressed = [index for index in range(len(taken), len(targets)) if presses[index].at <= chunk.at]
        if pressed:
            at = highlighted(drawn.screen, places)
            # Keys that came before a paint are shown by it together.
            reached = max((index for index in pressed if targets[index] == at), default=-1)
            taken += [chunk.at - presses[index].at for index in pressed if index <= reached]
    return taken + [LOST_S] * (len(presses) - len(taken))


@contextmanager
def compilers(count: int) -> Iterator[None]:
    """So many compilers, each at work without a pause."""
    with temporary_deck("compilers-") as deck:
        source = os.path.join(deck.folder, "work.c")
        with open(source, "w", encoding="ascii") as file:
            for number in range(400):
                head = f"int f{number}(int *a, int n) {{ int s = {number};"
                body = f"for (int i = 0; i < n; i++) for (int k = 0; k < i; k++) s += a[i] * a[k] % (k + {number + 1});"
                file.write(f"{head} {body} return s; }}\n")
        line = f"while :; do cc -O3 -c {source} -o /dev/null; done"
        loops = [subprocess.Popen(["sh", "-c", line], env=deck.env) for _ in range(count)]
        try:
            yield
        finally:
            for loop in loops:
                loop.kill()
            deck.close()
            for loop in loops:
                loop.wait()


@contextmanager
def undisturbed() -> Iterator[bool]:
    """We are woken at once when bytes come; what we start is not. False: the system refuses."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except (AttributeError, OSError):
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def measure(contestants: list[Contestant], args: argparse.Namespace, dice: random.Random, *, is_busy: bool) -> Taken:
    """Latencies of all, session by session in turn; and the share of the cores that was at work meanwhile."""
    taken: dict[str, list[float]] = {one.name: [] for one in contestants}
    busy: list[float] = []
    for _ in range(args.rounds):
        for one in dice.sample(contestants, len(contestants)):
            with undisturbed(), compilers(os.cpu_count() or 1) if is_busy else nullcontext():
                psutil.cpu_percent()
                program, presses = run_keys(one, args.keys, dice)
                busy.append(psutil.cpu_percent())
            taken[one.name] += latencies_s(one, program, presses)
    return Taken(taken, sum(busy) / len(busy))


def report(figures: Figures, load: str, measured: Taken) -> None:
    """A row a program, with its ratio to ours."""
    taken = measured.latencies_s
    ours = share(taken["cargo-deck"], 0.95)
    print(f"{load} (all cores {measured.busy_percent:.0f} % busy): ms from key to paint; p95 beside ours")
    print(f"{'':14}{'p50':>9}{'p95':>9}{'max':>9}")
    for name, values in taken.items():
        p50, p95, most = (1000 * share(values, part) for part in (0.5, 0.95, 1.0))
        lost = sum(value >= LOST_S for value in values)
        more = f"   {lost} keys not shown" if lost else ""
        print(f"  {name:12}{p50:9.1f}{p95:9.1f}{most:9.1f}   × {p95 / 1000 / ours:.2f}, {len(values)} keys{more}")
    figures.at_most(f"key to paint, {load}: p95, ms", 1000 * ours, LIMIT_MS[load])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--keys", type=int, default=50, help="in each session of a program")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help="without the rivals")
    args = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    figures, dice = Figures(), random.Random(args.seed)
    rivals, missing = ([], []) if args.alone else find()
    for line in missing:
        print(line)
    with undisturbed() as is_real_time:
        print(f"the reader {'has real-time priority' if is_real_time else 'takes its turn among the others'}")
    contestants = [dashboard(COLUMNS), *rivals]
    for load, is_busy in zip(LIMIT_MS, (False, True), strict=True):
        taken = measure(contestants, args, dice, is_busy=is_busy)
        report(figures, load, taken)
    return figures.end("key_paint")


if __name__ == "__main__":
    sys.exit(main())
