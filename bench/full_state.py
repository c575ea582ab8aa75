"""The dashboard over a full state beside an empty one: 32 live agents, 100 finished runs, 10 M lines of logs.

`python -m bench.full_state [--starts 15] [--keys 100]`. The live agents are real detached runs. Of the finished ones
half are real runs of a feed, which hold the lines; the others are builds of `tests.scene`, told anew in journals and
logs as if they had just ended. Starts and keys take turns between the two states.
"""

import argparse
import json
import os
import random
import statistics
import sys
import time
from dataclasses import replace
from typing import NamedTuple

from bench.bench_board import SILENT, start
from bench.feeds import Gate, ended
from bench.figures import Figures, share, spread
from bench.watched import Drawn, Watched, watched
from core import events as e
from core.journal import JournalWriter
from tests.real.product import COMMAND, Deck, temporary_deck
from tests.scene import many, run_id, steps, write_until

START_RATIO, KEY_RATIO = 1.5, 1.1
HELP = "find a key"
"""On the help screen alone."""
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
        now = time.time() - 3600 - 60 * index
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
    empty, full = (taken[state.name] for state in states)
    ratio = statistics.median(full) / statistics.median(empty)
    figures.at_most("first paint, full state × empty", ratio, START_RATIO, "{:.2f}",
                    f"{spread(full)} ms, empty {spread(empty)} ms, {count} starts each in turn")  # fmt: skip


def keys(figures: Figures, states: list[State], count: int, dice: random.Random) -> None:
    """From `?` to the help, from Enter back to the board."""
    with watched([COMMAND], states[0].deck) as empty, watched([COMMAND], states[1].deck) as full:
        programs = {"empty": empty, "full": full}
        presses: dict[str, list[float]] = {"empty": [], "full": []}
        for program in programs.values():
            program.rest(3.0)
        for number in range(count):
            for name in dice.sample(sorted(programs), 2):
                presses[name].append(programs[name].type("\r" if number % 2 else "?"))
                for program in programs.values():
                    program.rest(dice.uniform(0.1, 0.2))
    taken = {name: [1000 * one for one in _latencies_s(programs[name], presses[name])] for name in programs}
    medians, tails = ({n: share(values, part) for n, values in taken.items()} for part in (0.5, 0.95))
    more = (
        f"median {medians['full']:.1f} ms, empty {medians['empty']:.1f}; p95 {tails['full']:.1f}, {tails['empty']:.1f}"
    )
    name = "key to paint, full state × empty, medians"
    figures.at_most(name, medians["full"] / medians["empty"], KEY_RATIO, "{:.2f}", f"{more}; {count} keys each in turn")


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
    with temporary_deck() as empty, temporary_deck() as full:
        fill(full, args.agents, args.finished, args.lines)
        found = [run["state"] for run in full.json("ps", "--json", "--all")["runs"]]
        figures.note("state", ", ".join(f"{found.count(one)} {one}" for one in sorted(set(found))))
        names = tuple(b"agent-%d" % (number + 1) for number in range(min(args.agents, _VISIBLE)))
        states = [State("empty", empty, (b"help",)), State("full", full, (b"help", *names))]
        starts(figures, states, args.starts)
        keys(figures, states, args.keys, random.Random(args.seed))
    return figures.end("full_state")


if __name__ == "__main__":
    sys.exit(main())
