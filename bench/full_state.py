"""The dashboard over a full state beside an empty one: 32 live agents, 100 finished runs, 10 M lines of logs.

`python -m bench.full_state [--starts 15] [--keys 100]`. The live agents are real detached runs. Of the finished ones
half are real runs of a feed, which hold the lines; the others are builds of `tests.scene`, told anew in journals and
logs as if they had just ended. Starts and keys take turns between the states.
"""

import argparse
import json
import os
import random
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import NamedTuple

from bench.bench_board import SILENT, start
from bench.feeds import Gate, ended
from bench.figures import Figures, share, spread
from bench.watched import Drawn, Watched, rest_together, watched
from core import events as e
from core.journal import JournalWriter
from tests.real.product import COMMAND, Deck, temporary_deck
from tests.scene import many, run_id, steps, write_until

START_RATIO, KEY_MORE_MS = 1.5, 5.0
HELP = "find a key"
"""On the help screen alone."""
EMPTY, FEW, FULL = "empty", "12 agents alone", "full state"
PANES = 12
"""As many as the screen shows: what a key costs with nothing behind them."""
_VISIBLE = 8
_SCENE_S = 600.0


class State(NamedTuple):
    """A state directory to start over."""

    name: str
    deck: Deck
    wanted: tuple[bytes, ...]
    """What a complete first paint shows."""


def fill(deck: Deck, agents: int, finished: int, lines: int) -> None:
    """Write the state."""
    gate = Gate(deck)
    fed = finished // 2
    for begin in range(0, fed, 10):
        batch = [
            gate.start(f"agent-{number % agents + 1}", lines // fed) for number in range(begin, min(fed, begin + 10))
        ]
        gate.open()
        for feed in batch:
            ended(deck, feed)
    retell(deck, agents, finished - fed)
    for number in range(agents):
        start(deck, f"agent-{number + 1}", sys.executable, "-c", SILENT)


def retell(deck: Deck, agents: int, runs: int) -> None:
    """So many builds of the scene, as if they had ended within the last hours."""
    cast = many(runs)
    write_until(os.path.join(deck.state, "runs"), _SCENE_S, cast)
    told: dict[str, list[e.Event]] = {}
    for step in steps(cast):
        if step.event is not None:
            told.setdefault(step.run, []).append(step.event)
    for index, one in enumerate(cast):
        old = run_id(index, one.begins_s)
        now = time.time() - 6 * 3600 + 60 * index
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
        _retell_one(deck, old, f"{stamp}-{index:03}-{index + 41000:04x}", f"agent-{index % agents + 1}", told[old], now)


def _retell_one(deck: Deck, old: str, run: str, agent: str, events: list[e.Event], ended_at: float) -> None:
    folder = os.path.join(deck.state, "runs", run)
    os.rename(os.path.join(deck.state, "runs", old), folder)
    os.unlink(os.path.join(folder, "events.jsonl"))
    shift_s = ended_at - events[-1].at
    moved = [replace(event, at=event.at + shift_s) for event in events]
    moved[0] = replace(moved[0], run=run, agent=agent)  # type: ignore[call-arg]
    if not isinstance(moved[-1], e.RunEnded):
        moved.append(e.RunEnded(ended_at, 0, None, 60.0, 100.0, 10.0, 500_000_000, None))
    writer = JournalWriter(os.path.join(folder, "events.jsonl"), run)
    assert writer.append(moved)
    writer.close()
    path = os.path.join(folder, "run.json")
    with open(path, encoding="utf-8") as file:
        record = json.load(file)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**record, "run": run, "agent": agent, "started": moved[0].at}, file)


def starts(figures: Figures, states: list[State], count: int) -> None:
    """First complete paints."""
    taken: dict[str, list[float]] = {state.name: [] for state in states}
    for number in range(count + 1):
        for state in states:
            with watched([COMMAND], state.deck) as program:
                took_ms = 1000 * (program.until(*state.wanted) - program.began)
            if number:  # The first of each wakes the engine and warms the caches.
                taken[state.name].append(took_ms)
    for name, values in taken.items():
        figures.note(f"first paint, {name}", f"{spread(values)} ms, {count} starts each in turn")
    ratio = statistics.median(taken[FULL]) / statistics.median(taken[EMPTY])
    figures.at_most("first paint, full state × empty", ratio, START_RATIO, "{:.2f}")


def keys(figures: Figures, states: list[State], count: int, dice: random.Random) -> None:
    """From `?` to the help, from Enter back to the board; all dashboards are open, one key at a time."""
    presses: dict[str, list[float]] = {state.name: [] for state in states}
    with ExitStack() as stack:
        programs = {state.name: stack.enter_context(watched([COMMAND], state.deck)) for state in states}
        shown = list(programs.values())
        rest_together(shown, 3.0)
        for number in range(count):
            for name in dice.sample(sorted(programs), len(programs)):
                presses[name].append(programs[name].type("\r" if number % 2 else "?"))
                rest_together(shown, dice.uniform(0.2, 0.3))
    taken = {name: [1000 * one for one in _latencies_s(programs[name], presses[name])] for name in programs}
    for first, what in enumerate(("help", "board")):
        medians = {name: statistics.median(values[first::2]) for name, values in taken.items()}
        for name, values in taken.items():
            figures.note(
                f"key to {what}, {name}", f"{spread(values[first::2])} ms, p95 {share(values[first::2], 0.95):.0f}"
            )
        figures.note(f"key to {what}, full state × {FEW}", f"{medians[FULL] / medians[FEW]:.2f}")
        more_ms = medians[FULL] - min(medians[EMPTY], medians[FEW])  # more panes are seen, so more is painted
        figures.at_most(f"key to {what}, full state, ms more than the quickest", more_ms, KEY_MORE_MS, "{:.1f}")


def _latencies_s(program: Watched, presses: list[float]) -> list[float]:
    """Keys in turn bring the help and take it away."""
    drawn = Drawn(program.size)
    taken: list[float] = []
    for chunk in program.chunks:
        drawn.feed(chunk.text)
        if len(taken) < len(presses) and chunk.at >= presses[len(taken)]:
            is_help = any(HELP in row for row in drawn.screen.display)
            if is_help == (len(taken) % 2 == 0):
                taken.append(chunk.at - presses[len(taken)])
    if len(taken) < len(presses):
        raise SystemExit(f"{len(presses) - len(taken)} keys had no effect:\n" + "\n".join(drawn.screen.display))
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=32)
    parser.add_argument("--finished", type=int, default=100)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--starts", type=int, default=15)
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    figures = Figures()
    with temporary_deck() as empty, temporary_deck() as few, temporary_deck() as full:
        for number in range(PANES):
            start(few, f"agent-{number + 1}", sys.executable, "-c", SILENT)
        fill(full, args.agents, args.finished, args.lines)
        found = [run["state"] for run in full.json("ps", "--json", "--all")["runs"]]
        figures.note("state", ", ".join(f"{found.count(one)} {one}" for one in sorted(set(found))))
        names = tuple(b"agent-%d" % (number + 1) for number in range(min(args.agents, _VISIBLE)))
        states = [
            State(EMPTY, empty, (b"help",)),
            State(FEW, few, (b"help", *names)),
            State(FULL, full, (b"help", *names)),
        ]
        starts(figures, states, args.starts)
        keys(figures, states, args.keys, random.Random(args.seed))
    return figures.end("full_state")


if __name__ == "__main__":
    sys.exit(main())
