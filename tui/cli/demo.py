"""`cargo deck demo`: four agents build the embedded sample workspace, for real; a fifth takes what they compiled. Where
there is an nvcc, one more works on kernels."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core import sample
from core.attach import Reader
from core.client import ensure_engine
from core.clock import monotonic, wall_clock
from core.errors import DeckError, StateError
from core.paths import Paths
from core.run import begin
from core.state import Board, Run, RunState
from tui.cli import common, demo_cuda, demo_gain
from tui.cli.events import Changes
from tui.own_program import own_words

_KEEP_S = 24 * 3600.0
"""Scratch folders of earlier demos are removed after a day."""
_PULL_S = 0.2
_NOT_PASSED_ON = frozenset({"CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "DECK_RUN"})
"""Each checkout keeps its own target dir, and the builds are not a part of whatever run this is in."""
_LIMIT_S = 1800.0
_WATCHED_SPEED, _UNWATCHED_SPEED = "4", "1000"
"""Of the recording: who reads its lines from a pipe need not wait for them."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one agent does."""

    agent: str
    words: tuple[str, ...]
    checkout: str
    """Folder below the scratch folder."""
    is_planned_to_fail: bool = False


_LINT = ("clippy", "--workspace", "--all-targets", "--target-dir", "target")
_CHECK = ("check", *_LINT[1:])
"""Where clippy is not installed."""
_CHECKOUTS = ("claude-1", "claude-2", "codex")


def jobs(*, has_clippy: bool, has_nvcc: bool = False) -> tuple[Job, ...]:
    """What is built; the fourth uses the first one's checkout and target dir, so that somebody waits for somebody."""
    kernels = (Job(demo_cuda.AGENT, demo_cuda.WORDS, demo_cuda.AGENT),) if has_nvcc else ()
    return (
        Job("claude-1", ("test", "--workspace"), "claude-1"),
        Job("claude-2", ("build", "--release", "--bin", "orchard-gateway"), "claude-2"),
        Job("codex", sample.BROKEN, "codex", is_planned_to_fail=True),
        Job("ci", _LINT if has_clippy else _CHECK, "claude-1"),
        *kernels,
    )


def main(argv: list[str]) -> int:
    """Run the demo; 0 where it went as planned."""
    return common.guarded(_demo, argv)


def _demo(argv: list[str]) -> int:
    parser = common.make_parser("demo", "Four agents build a small workspace of our own.", has_json=False)
    parser.add_argument("--plain", action="store_true", help="no dashboard: a line for each change")
    parser.add_argument("--keep", action="store_true", help="leave the scratch folder (else removed a day later)")
    given = parser.parse_args(argv)
    has_screen = sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not given.plain
    cargo = begin.find_cargo(dict(os.environ))
    if cargo is None:
        return _replay(plain=not has_screen)
    paths = common.user_paths()
    has_nvcc = demo_cuda.has_nvcc(os.environ)
    folder = prepare(paths, wall_clock(), keep=given.keep, has_nvcc=has_nvcc)
    common.print_text(f"sample workspace: {folder}")
    runs = start_jobs(paths, folder, jobs(has_clippy=_has_clippy(cargo, folder), has_nvcc=has_nvcc))
    ensure_engine(paths)
    if has_screen:
        return _watch(paths, folder, runs)
    code = _stream(paths, folder, runs) or _tell_gain(paths, folder)
    ours = own_words()
    common.print_text(f"{ours} ps shows them, {ours} logs AGENT what they printed, {ours} the cache (F5).")
    return code


def prepare(paths: Paths, now: float, *, keep: bool = False, has_nvcc: bool = False) -> str:
    """Write the sample into a new scratch folder; the folder. Old ones go. `has_nvcc`: with a checkout for kernels.

    Raises:
        StateError: the folder cannot be written.
    """
    base = paths.cache + "/demo"
    try:
        os.makedirs(base, 0o700, exist_ok=True)
        _remove_old(base, now)
        return _write(base, now, keep=keep, has_nvcc=has_nvcc)
    except (OSError, shutil.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise StateError(f"cannot write the sample workspace below {base}: {reason}; set XDG_CACHE_HOME") from error


def _remove_old(base: str, now: float) -> None:
    with os.scandir(base) as entries:
        old = [entry.path for entry in entries if now - entry.stat().st_mtime > _KEEP_S]
    for path in old:
        if not os.path.exists(path + "/keep"):
            shutil.rmtree(path, ignore_errors=True)


def _write(base: str, now: float, *, keep: bool, has_nvcc: bool) -> str:
    folder = os.path.join(base, time.strftime("%Y%m%d-%H%M%S", time.localtime(now)) + f"-{os.getpid()}")
    os.mkdir(folder)
    if keep:
        open(folder + "/keep", "wb").close()
    sample.write_shared(folder + "/shared")
    for checkout in (*_CHECKOUTS, *demo_gain.CHECKOUTS):
        sample.write_checkout(f"{folder}/{checkout}", folder + "/shared")
    if has_nvcc:
        sample.write_checkout(f"{folder}/{demo_cuda.AGENT}", folder + "/shared", has_cuda=True)
    return folder


def start_jobs(paths: Paths, folder: str, todo: tuple[Job, ...]) -> dict[str, Job]:
    """Start the builds, detached; the jobs by run id. All or none.

    Raises:
        StateError, SpawnError: one could not be started.
    """
    bare = _environment()
    runs: dict[str, Job] = {}
    try:
        for job in todo:
            cwd = f"{folder}/{job.checkout}"
            # sccache shows what its own first pass over a crate stumbles on, and no error beyond that
            env = demo_gain.uncached(bare) if job.is_planned_to_fail else demo_gain.cached(bare)
            run = begin.start_detached(paths, agent=job.agent, cwd=cwd, words=job.words, tool="cargo", env=env)
            runs[run] = job
    except (DeckError, KeyboardInterrupt):
        _stop(runs)
        raise
    return runs


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}


def _stop(runs: Iterable[str]) -> None:
    from tui.cli.manage import main_stop

    if names := list(runs):
        main_stop(names)


def _has_clippy(cargo: str, folder: str) -> bool:
    """Asked, not looked for: rustup leaves a `cargo-clippy` on PATH that only says how to install it."""
    words = [cargo, "clippy", "--version"]
    asked = subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return asked.returncode == 0


def _watch(paths: Paths, folder: str, runs: dict[str, Job]) -> int:
    """The dashboard; the fifth agent appears on it when the first has ended. What it gained is told afterwards."""
    from threading import Thread

    from tui.app import main as open_board

    gains: list[demo_gain.Gain] = []
    args = (paths, folder, _environment(), {run: job.agent for run, job in runs.items()}, gains.append)
    Thread(target=demo_gain.follow, args=args, daemon=True).start()
    if first := _of_kernels(runs):
        Thread(target=demo_cuda.follow, args=(paths, folder, _environment(), first), daemon=True).start()
    code = open_board()
    for gain in gains:
        common.print_text(demo_gain.sentence(gain))
    return code


def _tell_gain(paths: Paths, folder: str) -> int:
    """Measure what the store gives to a fifth agent, and say so."""
    common.print_text("Now a fifth agent builds in a second checkout, then plain cargo in a third ...")
    common.print_text(demo_gain.sentence(demo_gain.measure(paths, folder, _environment())))
    return 0


def _of_kernels(runs: dict[str, Job]) -> str:
    """The run of the agent that works on kernels; empty: there is none."""
    return next((run for run, job in runs.items() if job.agent == demo_cuda.AGENT), "")


def _stream(paths: Paths, folder: str, runs: dict[str, Job]) -> int:
    """One line a change until all have ended; 0 where it went as planned."""
    changes = Changes(paths)
    first = _of_kernels(runs)
    try:
        board = Board()
        for board in _boards(paths, runs):
            for line in changes.lines(board, tuple(runs)):
                common.print_text(line)
            if first and first in board.runs and board.runs[first].state is RunState.DONE:
                runs[demo_cuda.build_again(paths, folder, _environment())] = runs[first]
                first = ""
    except KeyboardInterrupt:
        _stop(runs)
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
        more = ", kernels built again after an edit" if _of_kernels(runs) else ""
        common.print_text(f"As planned: three builds done, codex failed with its two errors{more}.")
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

    speed = _WATCHED_SPEED if sys.stdout.isatty() else _UNWATCHED_SPEED
    return main_replay([sample.RECORDING, "--speed", speed, *(["--plain"] if plain else [])])
