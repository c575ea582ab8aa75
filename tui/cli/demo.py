"""`cargo deck demo`: four agents build the embedded sample workspace, for real."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from core import sample
from core.attach import Reader
from core.client import ensure_engine
from core.clock import monotonic, wall_clock
from core.errors import DeckError
from core.paths import Paths
from core.run import begin
from core.run.stop import stop_run
from core.state import Board, Run, RunState
from tui.cli import common
from tui.cli.events import Changes

_KEEP_S = 24 * 3600.0
"""Scratch folders of earlier demos are removed after a day."""
_PULL_S = 0.2
_LIMIT_S = 1800.0


@dataclass(frozen=True, slots=True)
class Job:
    """What one agent does."""

    agent: str
    words: tuple[str, ...]
    checkout: str
    """Folder below the scratch folder."""
    is_planned_to_fail: bool = False


JOBS = (
    Job("claude-1", ("test", "--workspace"), "claude-1"),
    Job("claude-2", ("build", "--release", "--bin", "orchard-gateway"), "claude-2"),
    Job("codex", sample.BROKEN, "codex", is_planned_to_fail=True),
    Job("ci", ("check", "--workspace", "--all-targets", "--target-dir", "target"), "claude-1"),
)
"""The fourth checks in the first one's checkout and target dir, so that somebody waits for somebody."""


def main(argv: list[str]) -> int:
    """Run the demo; 0 where it went as planned."""
    return common.guarded(_demo, argv)


def _demo(argv: list[str]) -> int:
    parser = common.make_parser("demo", "Four agents build a small workspace of our own.", has_json=False)
    parser.add_argument("--plain", action="store_true", help="no dashboard: a line for each change")
    parser.add_argument("--keep", action="store_true", help="leave the scratch folder (else removed a day later)")
    given = parser.parse_args(argv)
    has_screen = sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not given.plain
    if begin.find_cargo(dict(os.environ)) is None:
        return _replay(plain=not has_screen)
    paths = common.user_paths()
    folder = prepare(paths, wall_clock(), keep=given.keep)
    common.print_text(f"sample workspace: {folder}")
    runs = start_jobs(paths, folder)
    ensure_engine(paths)
    if has_screen:
        from tui.app import main as open_board

        return open_board()
    return _stream(paths, runs)


def prepare(paths: Paths, now: float, *, keep: bool = False) -> str:
    """Write the sample into a new scratch folder; the folder. Old ones go."""
    base = paths.cache + "/demo"
    os.makedirs(base, 0o700, exist_ok=True)
    for name in os.listdir(base):
        path = os.path.join(base, name)
        if now - os.stat(path).st_mtime > _KEEP_S and not os.path.exists(path + "/keep"):
            shutil.rmtree(path, ignore_errors=True)
    folder = os.path.join(base, time.strftime("%Y%m%d-%H%M%S", time.localtime(now)) + f"-{os.getpid()}")
    os.mkdir(folder)
    if keep:
        open(folder + "/keep", "wb").close()
    sample.write_shared(folder + "/shared")
    for checkout in dict.fromkeys(job.checkout for job in JOBS):
        sample.write_checkout(f"{folder}/{checkout}", folder + "/shared")
    return folder


def start_jobs(paths: Paths, folder: str) -> dict[str, Job]:
    """Start the four builds, detached; the jobs by run id."""
    env = {name: value for name, value in os.environ.items() if name not in ("CARGO_TARGET_DIR", "DECK_RUN")}
    runs: dict[str, Job] = {}
    for job in JOBS:
        cwd = f"{folder}/{job.checkout}"
        run = begin.start_detached(paths, agent=job.agent, cwd=cwd, words=job.words, tool="cargo", env=env)
        runs[run] = job
    return runs


def _stream(paths: Paths, runs: dict[str, Job]) -> int:
    """One line a change until all have ended; 0 where it went as planned."""
    changes = Changes(paths)
    try:
        board = Board()
        for board in _boards(paths, runs):
            for line in changes.lines(board, tuple(runs)):
                common.print_text(line)
    except KeyboardInterrupt:
        for run in runs:
            stop_run(paths, run)
        raise
    return _verdict(board, runs)


def _boards(paths: Paths, runs: dict[str, Job]) -> Iterator[Board]:
    reader = Reader(paths, wall_clock)
    ends = monotonic() + _LIMIT_S
    while monotonic() < ends:
        board = reader.poll()
        yield board
        if all(run in board.runs and board.runs[run].state.is_over for run in runs):
            return
        time.sleep(_PULL_S)


def _verdict(board: Board, runs: dict[str, Job]) -> int:
    strange = [text for name, job in runs.items() if (text := _unplanned(board.runs.get(name), job))]
    for text in strange:
        common.say(text)
    if not strange:
        common.print_text("As planned: three builds done, codex failed with its two errors.")
    common.print_text("cargo deck ps shows them, cargo deck logs AGENT what they printed.")
    return 1 if strange else 0


def _unplanned(run: Run | None, job: Job) -> str | None:
    if run is None or not run.state.is_over:
        return f"{job.agent} did not end within {_LIMIT_S:.0f} s"
    if job.is_planned_to_fail:
        as_planned = run.state is RunState.FAILED and run.errors == 2
        return None if as_planned else f"{job.agent} was to fail with 2 errors: it is {run.state}, {run.errors} errors"
    return None if run.state is RunState.DONE else f"{job.agent} was to succeed: it is {run.state}"


def _replay(*, plain: bool) -> int:
    common.say("cargo was not found on PATH (https://rustup.rs): this is a recording of the demo")
    if not os.path.exists(sample.RECORDING):
        raise DeckError("the recording is not in this installation")
    from tui.cli.record import main_replay

    return main_replay([sample.RECORDING, "--speed", "4", *(["--plain"] if plain else [])])
