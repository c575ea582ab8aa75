"""A real workspace from the crate registry, built by four agents at once in four checkouts while a board is open.

`python -m bench.agents [--crate fd-find] [--jobs N]`. Exit codes must be plain cargo's; units, errors and tests that
`bench/count.sh` counts in the raw logs must equal the board at its end; and a line must be on the dashboard's
screen 300 ms after a program wrote it.
"""

import argparse
import glob
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from typing import Any, NamedTuple

import pyte

from tests.real.product import COMMAND, REPO, Deck, temporary_deck, until
from tests.real.survival import Board

_LIMIT_S = 0.3
_MARKS = """import sys, time
from pathlib import Path
seen = open(sys.argv[1], "w")
at = 0
while not Path(sys.argv[2]).exists():
    time.sleep(0.5 + at * 0.137 % 0.5)
    before = time.monotonic()
    print(f"mark-{at:05d} of a program that speaks", flush=True)
    print(at, before, file=seen, flush=True)
    at += 1
"""


class Agent(NamedTuple):
    """One agent's command."""

    name: str
    args: tuple[str, ...]
    is_broken: bool = False
    """Its checkout has an error in the last crate."""


AGENTS = (
    Agent("builder", ("build",)),
    Agent("tester", ("test", "--no-fail-fast")),
    Agent("linter", ("clippy", "--all-targets")),
    Agent("breaker", ("check",), is_broken=True),
)


class Watched(Board):
    """A dashboard whose every byte is kept with its time."""

    def __init__(self, deck: Deck) -> None:
        self.chunks: list[tuple[float, bytes]] = []
        super().__init__(deck)

    def seen(self, chunk: bytes) -> None:
        self.chunks.append((time.monotonic(), chunk))


def _source(crate: str, env: dict[str, str]) -> str:
    """The crate's folder in the registry; `cargo info` puts it there."""
    pattern = os.path.join(env["CARGO_HOME"], "registry", "src", "*", f"{crate}-[0-9]*")
    if not glob.glob(pattern):
        subprocess.run(["cargo", "info", crate], check=True, stdout=subprocess.DEVNULL)
    return sorted(glob.glob(pattern))[-1]


def _checkouts(deck: Deck, crate: str) -> dict[Agent, str]:
    source = _source(crate, deck.env)
    folders = {}
    for agent in AGENTS:
        folder = os.path.join(deck.folder, agent.name)
        shutil.copytree(source, folder)
        if agent.is_broken:
            with open(os.path.join(folder, "src/main.rs"), "a", encoding="utf-8") as file:
                file.write('\nfn planted() -> u64 {\n    "text"\n}\n')
        folders[agent] = folder
    subprocess.run(
        ["cargo", "fetch", "--locked"], cwd=folders[AGENTS[0]], check=True,
        env={**deck.env, "CARGO_NET_OFFLINE": "false"}, capture_output=True,
    )  # fmt: skip
    return folders


def _argv(front: list[str], agent: Agent, jobs: int) -> list[str]:
    return [*front, *agent.args, *([f"-j{jobs}"] if jobs else [])]


def _build_all(deck: Deck, folders: dict[Agent, str], jobs: int) -> dict[Agent, int]:
    callers = {
        agent: subprocess.Popen(
            _argv([COMMAND, "--agent", agent.name], agent, jobs), cwd=folder, env=deck.env,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for agent, folder in folders.items()
    }  # fmt: skip
    return {agent: caller.wait() for agent, caller in callers.items()}


def _compare(record: dict[str, Any], counted: dict[str, int]) -> list[str]:
    """Where the board and the independent count differ."""
    units = record["units"]
    pairs = {
        "units": (units["built"] + units["fresh"], counted["units"]),
        "built": (units["built"], counted["built"] + counted["scripts"]),
        "total": (units["total"] or 0, counted["total"]),
        "errors": (record["errors"], counted["errors"]),
        "warnings": (record["warnings"], counted["warnings"]),
        "tests passed": (record["tests"]["passed"], counted["passed"]),
        "tests failed": (record["tests"]["failed"], counted["failed"]),
        "tests ignored": (record["tests"]["ignored"], counted["ignored"]),
    }
    return [f"{name}: board {board}, logs {logs}" for name, (board, logs) in pairs.items() if board != logs]


def _latencies_s(chunks: list[tuple[float, bytes]], written: dict[int, float]) -> list[float]:
    """From a line's write to the first chunk after which the drawn screen has it; infinite: never shown."""
    screen = pyte.Screen(160, 45)
    stream = pyte.ByteStream(screen)
    shown: dict[int, float] = {}
    for at, chunk in chunks:
        stream.feed(chunk)
        text = "\n".join(screen.display)
        for mark in written:
            if mark not in shown and f"mark-{mark:05d}" in text:
                shown[mark] = at
    return [shown.get(mark, float("inf")) - at for mark, at in written.items()]


def _written(path: str) -> dict[int, float]:
    with open(path, encoding="ascii") as file:
        return {int(line.split()[0]): float(line.split()[1]) for line in file if line.endswith("\n")}


def _speak(deck: Deck, folder: str) -> tuple["subprocess.Popen[bytes]", str, str]:
    """A run that writes numbered lines until a file appears; the file of its times, and that file."""
    program, times, over = (os.path.join(folder, name) for name in ("marks.py", "times", "over"))
    with open(program, "w", encoding="utf-8") as file:
        file.write(_MARKS)
    argv = [COMMAND, "exec", "--agent", "speaker", "--", sys.executable, "-S", program, times, over]
    speaker = subprocess.Popen(
        argv, cwd=folder, env=deck.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return speaker, times, over


def _measure(deck: Deck, crate: str, jobs: int) -> tuple[list[str], list[float]]:
    folders = _checkouts(deck, crate)
    board = Watched(deck)
    until(lambda: board.chunks, 20, "the board's first screen")
    speaker, times, over = _speak(deck, deck.folder)
    began = time.monotonic()
    codes = _build_all(deck, folders, jobs)
    took_s = time.monotonic() - began
    open(over, "w", encoding="ascii").close()
    speaker.wait(30)
    time.sleep(2 * _LIMIT_S)
    is_board_alive = board.is_alive
    board.kill()
    until(lambda: not os.listdir(os.path.join(deck.state, "open")), 10, "all runs closed")
    problems = [] if is_board_alive else ["the board has died"]
    records = {one["agent"]: one for one in deck.json("ps", "--json", "--all")["runs"]}
    for agent, folder in folders.items():
        record = records[agent.name]
        count = subprocess.run(
            ["sh", f"{REPO}/bench/count.sh", f"{deck.state}/runs/{record['run']}"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        counted = json.loads(count.stdout)
        plain = subprocess.run(
            _argv(["cargo"], agent, jobs), cwd=folder, env=deck.env, capture_output=True, check=False
        )
        found = _compare(record, counted)
        if not codes[agent] == plain.returncode == record["exit"]["code"]:
            found.append(f"exit {codes[agent]}, plain cargo {plain.returncode}, board {record['exit']['code']}")
        print(f"{agent.name:8} exit {codes[agent]}: {count.stdout.strip()}: {'; '.join(found) or 'equal'}", flush=True)
        problems += [f"{agent.name}: {one}" for one in found]
    print(f"four builds of {crate} took {took_s:.0f} s", flush=True)
    return problems, _latencies_s(board.chunks, _written(times))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crate", default="fd-find")
    parser.add_argument("--jobs", type=int, default=0, help="for each cargo; 0: cargo's own choice")
    parser.add_argument("--keep", action="store_true", help="leave the folders, for a look at a difference")
    args = parser.parse_args()
    with temporary_deck("agents-") as deck:
        problems, latencies = _measure(deck, args.crate, args.jobs)
        if args.keep:
            shutil.copytree(deck.state, f"{deck.folder}.kept", ignore=shutil.ignore_patterns("socket"))
            print(f"kept: {deck.folder}.kept")
    late = sum(one > _LIMIT_S for one in latencies)
    ordered = sorted(latencies)
    print(
        f"agents: {args.crate}: {len(problems)} differences; {len(latencies)} lines on the board after "
        f"{statistics.median(ordered) * 1000:.0f} ms (median), {ordered[int(len(ordered) * 0.95)] * 1000:.0f} (95 %), "
        f"{ordered[-1] * 1000:.0f} (most); {late} later than {_LIMIT_S * 1000:.0f} ms"
    )
    return 1 if problems or late else 0


if __name__ == "__main__":
    sys.exit(main())
