"""Locks: holder, owner and seconds of injected waits are told right and soon.

`python -m bench.locks [--trials 100] [--slots 3]`. Real cargos of both generations of locks (stable: one file a folder;
nightly 1.96 or later: three) wait for real cargos, ours through `cargo deck` or not, and for shells that hold a lock;
chains of three; package caches. What is true is read from /proc/locks a hundred times a second by a reader of its own;
what is shown is read as a dashboard reads it.
"""

import argparse
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product

from bench.figures import Figures, share, spread
from bench.lock_play import GENERATIONS, Case, Situation, Slot, Truth
from core.attach import Reader
from core.clock import wall_clock
from core.host import Held
from core.paths import Paths
from core.state import Board
from tests.real.product import COMMAND, Deck, temporary_deck, until

RIGHT_SHARE, OFF_S, SHOWN_S = 0.99, 0.5, 1.0
_POLL_EVERY_S = 0.05
_ALONE = (("ours",), ("cargo",))
Paid = dict[tuple[str, str, float], float]
"""Seconds by agent, lock and beginning."""


@dataclass
class Shown:
    """What a dashboard shows of a wait."""

    at: float
    holder_agent: str
    holder_is_ours: bool
    waiter_agent: str
    holders: tuple[int, ...]
    since: float
    ended: float | None = None


class Watcher:
    """Polls the board as a dashboard does and notes when which wait was shown."""

    def __init__(self, deck: Deck) -> None:
        self.reader = Reader(Paths(deck.state, deck.env["XDG_CACHE_HOME"] + "/cargo-deck"), wall_clock)
        self.shown: dict[tuple[str, int], Shown] = {}
        self.board = Board()
        self.is_over = False

    def run(self) -> None:
        while not self.is_over:
            self.board = self.reader.poll()
            now = time.time()
            there = set()
            for held in self.board.host.locks:
                there |= set(self._note(held, now))
            for key, one in self.shown.items():
                if key not in there and one.ended is None:
                    one.ended = now
            time.sleep(_POLL_EVERY_S)

    def _note(self, held: Held, now: float) -> Iterator[tuple[str, int]]:
        for waiter in held.waiters:
            key = held.path, waiter.owner.pid
            yield key
            if key not in self.shown and held.holders:
                first = held.holders[0]
                pids = tuple(owner.pid for owner in held.holders)
                self.shown[key] = Shown(now, first.agent, bool(first.run), waiter.owner.agent, pids, waiter.since)


def situations(count: int, dice: random.Random) -> list[Situation]:
    """All kinds in turn, shuffled."""
    at_dir = product(GENERATIONS, ("ours", "cargo", "shell", "python"), (("ours",), ("cargo",), ("ours", "cargo")))
    chains = product(GENERATIONS, ("ours", "cargo", "shell"), product(("ours", "cargo"), repeat=2))
    caches = product(("package cache", "shared package cache"), GENERATIONS, ("shell", "flock", "python"), _ALONE)
    kinds = [
        *(Situation("target", *one) for one in at_dir),
        *(Situation("chain", *one) for one in chains),
        *(Situation(*one) for one in caches),
    ]
    dice.shuffle(kinds)
    return [kinds[number % len(kinds)] for number in range(count)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--slots", type=int, default=3, help="situations at once")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    figures = Figures()
    dice = random.Random(args.seed)
    wanted = [(one, 0.7 + 2.0 * dice.random()) for one in situations(args.trials, dice)]
    with temporary_deck() as deck:
        truth, watcher = Truth(), Watcher(deck)
        threads = [threading.Thread(target=one.run) for one in (truth, watcher)]
        for thread in threads:
            thread.start()
        try:
            slots = [Slot(deck, truth, number) for number in range(args.slots)]
            keep = subprocess.Popen([COMMAND, "top"], env=deck.env, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            until(lambda: watcher.board.engine_seen_at, 20, "an engine")
            cases = _play(slots, wanted)
            until(lambda: all(one.ended for one in watcher.shown.values()), 20, "the last wait to be over")
            keep.terminate()
            keep.wait()
        finally:
            truth.is_over = watcher.is_over = True
            for thread in threads:
                thread.join()
        _judge(figures, deck, watcher, cases, truth.pause_s)
    return figures.end("locks")


def _play(slots: list[Slot], wanted: list[tuple[Situation, float]]) -> list[Case]:
    left = iter(wanted)
    guard = threading.Lock()
    cases: list[Case] = []

    def work(slot: Slot) -> None:
        while True:
            with guard:
                one = next(left, None)
            if one is None:
                return
            try:
                cases.extend(slot.play(*one))
            except AssertionError as error:
                print(f"  {one[0].name}: {error}", flush=True)

    with ThreadPoolExecutor(len(slots)) as pool:
        list(pool.map(work, slots))
    return cases


def _judge(figures: Figures, deck: Deck, watcher: Watcher, cases: list[Case], pause_s: float) -> None:
    right, off, late, missing = 0, [], [], []
    paid = _paid(deck)
    for case in cases:
        true, shown = case.true, watcher.shown.get((case.true.path, case.true.waiter))
        if shown is None:
            missing.append(case)
            continue
        said = (shown.holders == (true.holder,), shown.holder_agent, shown.waiter_agent)
        is_right = said == (True, case.holder, case.waiter) and shown.holder_is_ours == bool(case.holder)
        right += is_right
        if not is_right:
            print(f"  {case.situation.name}: {said}, holders {shown.holders}, true {true}", flush=True)
        late.append(shown.at - true.began)
        assert true.ended is not None
        paid_s = paid.get((case.waiter, case.true.path, round(shown.since, 3))) if case.waiter else None
        begun_off_s = abs(shown.since - true.began)
        off.append(begun_off_s if paid_s is None else max(begun_off_s, abs(paid_s - (true.ended - true.began))))
        if off[-1] > OFF_S or late[-1] > SHOWN_S:
            print(f"  {case.situation.name}: {off[-1]:.2f} s off, shown after {late[-1]:.2f} s", flush=True)
    for case in missing:
        print(f"  {case.situation.name}: never shown; {case.true}", flush=True)
    unpaid = sum(bool(case.waiter) and not _is_paid(case, watcher, paid) for case in cases)
    figures.holds("each wait of ours was said to be over", not unpaid, f"{unpaid} were not" if unpaid else "")
    kinds = len({case.situation for case in cases})
    figures.note("waits", f"{len(cases)}, of {kinds} situations; longest pause of our own reader {pause_s:.2f} s")
    figures.at_least("right pid and owner, of holder and waiter", right / max(1, len(cases)), RIGHT_SHARE, "{:.3f}",
                     f"{right} of {len(cases)}")  # fmt: skip
    if late:
        figures.at_most("seconds are off by at most", max(off), OFF_S, "{:.2f}", f"{spread(off, '{:.2f}')}: the"
                        " beginning of each wait, and what each wait of ours was said to have cost")  # fmt: skip
        figures.at_most("shown after it began, s", max(late), SHOWN_S, "{:.2f}",
                        f"{spread(late, '{:.2f}')}, 95 % {share(late, 0.95):.2f}")  # fmt: skip


def _is_paid(case: Case, watcher: Watcher, paid: Paid) -> bool:
    shown = watcher.shown.get((case.true.path, case.true.waiter))
    return shown is not None and (case.waiter, case.true.path, round(shown.since, 3)) in paid


def _paid(deck: Deck) -> Paid:
    """As journals of runs say."""
    found: Paid = {}
    for run in deck.runs():
        with open(run + "/run.json") as file:
            agent = json.load(file)["agent"]
        since: dict[str, float] = {}
        with open(run + "/events.jsonl") as file:
            for line in file:
                event = json.loads(line)
                if event.get("event") == "LockBlocked":
                    since[event["path"]] = event["since"]
                elif event.get("event") == "LockPassed":
                    found[agent, event["path"], round(since[event["path"]], 3)] = event["waited_s"]
    return found


if __name__ == "__main__":
    sys.exit(main())
