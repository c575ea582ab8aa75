"""An hour of random edits of all kinds under a watch, and what is kept of it. Part of `bench.watch`.

The sample's two CUDA members below a program that uses both are edited at random: each kind of file, two files at once,
by writing in place and by renaming over, some that do not compile, and some while the build of the one before still
runs, at a random moment of it. What was done is noted here; afterwards it is compared with the lines that the watch
told, and with what `cargo deck iterations` keeps:

* the class of each build, by names in a table of this file and what was not built since it was saved (0 wrong);
* each wait, from before the write to the line that tells of the result (TOLERANCE_S), and their medians;
* phases of each build: their sum is its time (PHASES_S);
* how many builds of each class went well, failed, were stopped;
* after each build that was stopped no process has its `DECK_RUN` in the environment; after the watch none has the mark
  of this bench in its environment, and none stands in its folders, but the engine and what that started;
* at the end plain cargo finds nothing to do in the target dir, and the program says what one says that is built from
  the same sources in an empty one.
"""

import calendar
import contextlib
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.figures import Figures
from bench.watch_edits import USER, Editor, Save
from bench.watch_session import Session
from core import sample
from core.native.edits.iteration_book import read_iterations
from core.native.edits.iterations import Iteration, to_record
from core.paths import Paths
from tests.real.product import Deck, Process, process, until, with_environ

TOLERANCE_S, PHASES_S, CLOSED_S = 0.1, 0.02, 200.0
NEAR_S = 0.015
"""A save so shortly before a build begins may be that one's, or cut it short: it waits 20 ms for more."""
_CUT_SHORT = 0.35
"""Share of edits."""
_LONGEST_PAUSE_S = 4.0
_MARK = "BENCH_HOUR"


_PROGRAM = {
    "Cargo.toml": '[package]\nname = "user"\nversion = "0.1.0"\nedition = "2021"\npublish = false\n\n[dependencies]\n'
                  + "".join(f'{name} = {{ path = "../{name}" }}\n' for name in sample.CUDA),
    "table.txt": "0\n",
    "src/main.rs": """const SAVED: u32 = 0;
fn main() {
    let kernels: u64 = orchard_kernels::FILES.iter().flat_map(|(_, all)| all.iter()).fold(7, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(*byte as u64)
    });
    println!("{SAVED} {} {:?} {kernels:x}", include_str!("../table.txt").trim(), orchard_grid::cells(3, 4));
}
""",
}  # fmt: skip


class Build(NamedTuple):
    """A build as the watch told of it, with what it was for as it is known here."""

    run: str
    told: Mapping[str, Any]
    """Its `ended`."""
    kinds: frozenset[str]
    """What it may be classed as."""
    first_at: float | None
    """The first save that no earlier build began for; None: it cannot be told."""


class Hour:
    """The watch that is edited under, and what was seen of it."""

    def __init__(self, deck: Deck, env: Mapping[str, str], seed: int) -> None:
        self._deck, self.root = deck, Path(deck.folder, "hour")
        sample.write_shared(f"{deck.folder}/shared")
        sample.write_checkout(str(self.root), f"{deck.folder}/shared", has_cuda=True)
        for name, text in _PROGRAM.items():
            (self.root / USER / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / USER / name).write_text(text)
        self.env = {**env, _MARK: deck.folder}
        self._rng = random.Random(seed)
        self.editor = Editor(self.root, self._rng)
        self.left: list[str] = []
        """Processes that outlived the stop of their build."""
        self._took = [3.0]

    def play(self, seconds: float) -> list[dict[str, Any]]:
        """Edit for so long; what was told."""
        session = Session(self._deck, self.root, self.env, ("build", "-p", "user"))
        ends = time.monotonic() + seconds
        try:
            session.next("ended")
            session.next("watching")
            while time.monotonic() < ends:
                time.sleep(self._rng.uniform(0.0, _LONGEST_PAUSE_S))
                self.editor.edit()
                while self._rng.random() < _CUT_SHORT:
                    time.sleep(self._rng.uniform(0.0, 1.1 * statistics.median(self._took[-20:])))
                    self.editor.edit()
                self._settle(session)
                self._say(ends)
            if self.editor.mend():
                self._settle(session)
        finally:
            session.close()
        return session.all

    def _settle(self, session: Session) -> None:
        """Until all that was saved was built, or failed."""
        while True:
            ended = session.next("ended", limit_s=600)
            if ended["is_cancelled"]:
                self.left += [
                    f"{one.pid} {' '.join(one.argv)[:200]}" for one in with_environ(f"DECK_RUN={ended['run']}")
                ]
                continue
            started = next(one for one in session.all if one["event"] == "started" and one["run"] == ended["run"])
            self._took.append(ended["wall_s"])
            if started["at"] >= self.editor.saves[-1].done_at:
                session.next("watching")
                return

    def _say(self, ends: float) -> None:
        sys.stderr.write(f"\r{len(self.editor.saves)} saves, {max(0.0, ends - time.monotonic()):.0f} s left ")
        sys.stderr.flush()

    def survivors(self) -> list[Process]:
        """Processes of builds that live after the watch: by environment, session, folder. The engine is none."""
        engine = self._deck.engine()
        spared = engine.pid if engine is not None else -1
        found = {one.pid: one for one in with_environ(f"{_MARK}={self._deck.folder}")}
        for name in os.listdir("/proc"):
            if name.isdigit() and _stands_in(name, self._deck.folder) and (one := process(int(name))) is not None:
                found[one.pid] = one
        return [one for pid, one in found.items() if pid != spared and _session(pid) != spared]


def _stands_in(pid: str, folder: str) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd").startswith(folder + "/")
    except OSError:
        return False


def _session(pid: int) -> int:
    with contextlib.suppress(OSError):
        return os.getsid(pid)
    return 0


def class_of(kinds: Sequence[str]) -> str:
    """The class of an edit of files of these kinds."""
    if len(set(kinds)) > 1 or (kinds[0] in ("cu", "cpp") and len(kinds) > 1):
        return "several"
    return kinds[0]


def _began(run: str) -> float:
    """When a run was given its id: `20261126-135550-487-a29e`, UTC."""
    day, at, ms, _ = run.split("-")
    return calendar.timegm(time.strptime(day + at, "%Y%m%d%H%M%S")) + int(ms) / 1000


def builds_of(saves: Sequence[Save], told: Sequence[Mapping[str, Any]]) -> Iterator[Build]:
    """Each build that was told of after the first one, with what was saved and not built by then."""
    ends = {one["run"]: one for one in told if one["event"] == "ended"}
    first_run, *runs = [one["run"] for one in told if one["event"] == "started"]
    built_at = before_at = _began(first_run)
    for run in runs:
        at = _began(run)
        sure = {one.name: one.kind for one in saves if built_at <= one.done_at < at - NEAR_S}
        near = [one for one in saves if max(built_at, at - NEAR_S) <= one.done_at < at]
        kinds = {class_of(list(sure.values()))} if sure else set()
        for one in near:
            sure[one.name] = one.kind
            kinds.add(class_of(list(sure.values())))
        is_near = any(before_at - NEAR_S <= one.done_at < before_at for one in saves)
        first = next((one.at for one in saves if one.done_at >= before_at), None)
        ended = ends[run]
        yield Build(run, ended, frozenset(kinds), None if is_near else first)
        before_at = at
        if ended["code"] == 0 and not ended["is_cancelled"]:
            built_at = at


def judge(hour: Hour, deck: Deck, told: Sequence[Mapping[str, Any]]) -> int:
    """Compare what was done with what was told and kept; the exit code."""
    figures = Figures()
    left = [f"{one.pid} {' '.join(one.argv)[:200]}" for one in hour.survivors()]
    figures.holds("no process of a stopped build was left", not hour.left, "; ".join(hour.left[:5]))
    figures.holds("no process is left after the watch", not left, "; ".join(left[:5]))
    deck.run("iterations", cwd=str(hour.root))  # where the engine has ended, another one begins
    until(lambda: not os.listdir(f"{deck.state}/open"), CLOSED_S, "the end of what the engine measures")
    builds = list(builds_of(hour.editor.saves, told))
    rows = deck.json("iterations", "--json", cwd=str(hour.root))["rows"]
    found = read_iterations(Paths(deck.state, deck.env["XDG_CACHE_HOME"] + "/cargo-deck"))
    own = [one for one in found if one.checkout == str(hour.root)]
    kept = [to_record(one) for one in own]  # JSON has the last 500
    print(deck.run("iterations", cwd=str(hour.root)).stdout)
    _judge_classes(figures, builds, kept)
    _judge_waits(figures, builds, {one.run: one for one in own}, rows)
    _judge_counts(figures, builds, own, rows)
    _judge_target(figures, hour, deck)
    return figures.end("an hour of edits")


def _judge_classes(figures: Figures, builds: Sequence[Build], kept: Sequence[Mapping[str, Any]]) -> None:
    by_run = {one["run"]: one for one in kept}
    figures.at_most("builds after an edit that are not kept", sum(one.run not in by_run for one in builds), 0, "{:.0f}")
    wrong = [f"{one.run}: {one.told['class']} told, {by_run[one.run]['class'] if one.run in by_run else '-'} kept, "
             f"{sorted(one.kinds)} saved" for one in builds
             if {one.told["class"], by_run.get(one.run, one.told)["class"]} - one.kinds]  # fmt: skip
    figures.at_most("classes that are wrong", len(wrong), 0, "{:.0f}", f"of {len(builds)} " + "; ".join(wrong[:5]))
    apart = [abs(sum(one["phases"].values()) - one["wall_s"]) for one in kept if one["phases"]]
    figures.at_most("phases against the time of the build, s", max(apart, default=0.0), PHASES_S, "{:.3f}",
                    f"of {len(apart)}")  # fmt: skip
    figures.at_most("builds without phases", len(kept) - len(apart), 0, "{:.0f}")


def _judge_waits(
    figures: Figures, builds: Sequence[Build], kept: Mapping[str, Iteration], rows: Sequence[Mapping[str, Any]]
) -> None:
    outside: dict[str, list[float]] = {}
    apart: list[float] = []
    compiled = _classes_that_compiled(kept.values())
    for one in builds:
        known = kept.get(one.run)
        if one.told["is_cancelled"] or known is None or known.since_save_s is None:
            continue
        wait = known.since_save_s  # where it cannot be told from outside: medians are of the same builds
        if one.first_at is not None:
            wait = one.told["told_at"] - one.first_at
            apart.append(wait - known.since_save_s)
        if one.told["code"] == 0 and not known.is_idle and not (known.is_answered and known.kind in compiled):
            outside.setdefault(one.told["class"], []).append(wait)
    figures.note("waits from outside less those that are kept", f"median {statistics.median(apart):.3f} s, "
                 f"{min(apart):.3f} to {max(apart):.3f} s of {len(apart)}")  # fmt: skip
    figures.at_most(f"waits that differ by more than {TOLERANCE_S:g} s", sum(abs(one) > TOLERANCE_S for one in apart),
                    len(apart) // 100, "{:.0f}")  # fmt: skip
    for row in rows:
        if waits := outside.get(row["class"]):
            figures.at_most(f"median of {row['class']}: {row['median_s']:.2f} s, apart by s",
                            abs(statistics.median(waits) - row["median_s"]), TOLERANCE_S, "{:.3f}")  # fmt: skip


def _classes_that_compiled(kept: Iterable[Iteration]) -> frozenset[str]:
    """Those in whose figures answers of the cache have no part."""
    return frozenset(one.kind for one in kept if one.state == "done" and not one.is_idle and not one.is_answered)


def _judge_counts(
    figures: Figures, builds: Sequence[Build], kept: Sequence[Iteration], rows: Sequence[Mapping[str, Any]]
) -> None:
    counted = {"clean": [1, 0, 0]}  # the first build
    for one in builds:
        at = 2 if one.told["is_cancelled"] else 0 if one.told["code"] == 0 else 1
        counted.setdefault(one.told["class"], [0, 0, 0])[at] += 1
    compiled = _classes_that_compiled(kept)
    well = {row["class"]: row["done"] + row["built_nothing"] + (row["answered"] if row["class"] in compiled else 0)
            for row in rows}  # fmt: skip
    shown = {row["class"]: [well[row["class"]], row["failed"], row["stopped"]] for row in rows}
    figures.holds("done, failed, stopped of each class", shown == counted, f"{shown} shown, {counted} counted")


def _judge_target(figures: Figures, hour: Hour, deck: Deck) -> None:
    def build(**more: str) -> str:
        env = {**deck.env, **hour.env, **more}
        return subprocess.run(["cargo", "build", "-p", "user"], cwd=hour.root, env=env, text=True, check=True,
                              stdin=subprocess.DEVNULL, capture_output=True).stderr  # fmt: skip

    def says(target: Path) -> str:
        return subprocess.run([target / "debug/user"], capture_output=True, text=True, check=True).stdout

    compiled = re.findall(r"Compiling (\S+)", build())
    figures.holds("plain cargo finds nothing to do", not compiled, ", ".join(compiled))
    other = Path(deck.folder, "other")
    build(CARGO_TARGET_DIR=str(other))
    here, there = says(hour.root / "target"), says(other)
    figures.holds("the program is that of an empty target dir", here == there, f"{here.strip()} | {there.strip()}")
    shutil.rmtree(other)
