"""What a watch does things with, for real: builds as runs of ours that it owns, the lookout, digests of files."""

import contextlib
import json
import os
import select
import signal
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from core.client import ensure_engine
from core.clock import wall_clock
from core.errors import DeckError, SpawnError
from core.native.edits.calls_ahead import CallsAhead, calls_as_now
from core.native.edits.inputs_of import Inputs, Subject, inputs_of, native_inputs
from core.native.edits.iteration_book import keep
from core.native.edits.iteration_of import Measured, measure
from core.native.edits.unseen import unseen_by_nvcc
from core.native.traces.nvcc_calls import NvccCall, calls_of_run, has_called_nvcc
from core.paths import Paths
from core.plan.small_file import read_object
from core.run import begin, compose, fronts, identity, spawn, stop
from core.run.ahead import HELD_AT_MOST_S
from core.watch_lookout import Heard, Lookout
from core.watch_loop import Ended, Step, Woken
from core.watched_files import Change, WatchedFiles, first_inputs, noted_runs

SWEEP_S = 5.0
"""All files are looked at so often: what nobody told of is seen then."""
_KEPT = 8
"""Runs of which is known how they were started."""
_MOST_RUNS = 20
"""In whose notes closures are looked for."""
_SOURCES = (".rs", ".cu", ".cuh", ".h", ".hh", ".hpp", ".hxx", ".inl", ".c", ".cc", ".cpp", ".cxx")
"""How a build is run does not depend on them."""


class _Held(NamedTuple):
    """A run that waits for further saves."""

    begun: begin.Begun
    step: Step
    changed: frozenset[str]
    """What it was begun for."""
    at: float


class RealWorld:
    """Runs, files and signals of one watch. Close it at the end."""

    def __init__(
        self, paths: Paths, *, agent: identity.Agent, cwd: str, env: Mapping[str, str], mode: str | None = None,
        parent_fd: int | None = None,
    ) -> None:  # fmt: skip
        """`parent_fd`: its end of file says that nobody watches any more."""
        self.begun: dict[str, begin.Begun] = {}
        """What was started, by run."""
        self._paths, self._agent, self._cwd, self._env, self._mode = paths, agent, cwd, dict(env), mode
        self._under_way: spawn.Started | None = None
        self._held: _Held | None = None
        self._calls = CallsAhead()
        self._parent_fd = parent_fd
        self._wake_fd, self._wake_write = os.pipe()
        os.set_blocking(self._wake_fd, False)
        os.set_blocking(self._wake_write, False)
        self._old_handlers = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
        self._old_wake = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._lookout = Lookout()
        self._swept_at = wall_clock()
        self._by_step: dict[int, Inputs] = {}
        self._noted: list[str] = []
        self._native: frozenset[str] = frozenset()
        """What nvcc was seen to read."""
        self._steps: dict[str, Step] = {}
        self._stops: set[str] = set()
        self._notices: list[str] = []
        """To be told with the next wait."""
        self._said: set[str] = set()
        self.files: WatchedFiles | None = None
        self._target_dirs: set[str] = set()

    def now(self) -> float:
        """Seconds since the epoch."""
        return wall_clock()

    def build_scripts(self) -> frozenset[str]:
        """Of the last survey."""
        return frozenset().union(*(one.build_scripts for one in self._by_step.values()))

    def cmake_files(self) -> frozenset[str]:
        """Of the last survey."""
        return frozenset().union(*(one.cmake_files for one in self._by_step.values()))

    def prepare(self, step: Step, changed: Collection[str]) -> None:
        """Begin what a save asks of nvcc; the rest of the run waits for `start`, which also says what is wrong."""
        if self._held is None and self._under_way is None and (calls := self._calls.asked_by(changed)):
            with contextlib.suppress(DeckError):
                self._held = _Held(self._begin(step, calls), step, frozenset(changed), self.now())

    def start(self, step: Step, changed: Collection[str] = ()) -> str:
        """Start a run; its id. `changed`: what it is for.

        Raises:
            DeckError: it is not possible.
        """
        if self.files is None:
            self._watch_first(step)
        held, self._held = self._held, None
        if held is not None and not self._is_good(held, step, frozenset(changed)):
            spawn.drop(held.begun.started)
            held = None
        calls = self._calls.asked_by(changed) if held is None else ()
        begun = self._begin(step, calls) if held is None else held.begun
        if held is not None or calls:
            spawn.let_go(begun.started)
        ensure_engine(self._paths)
        self._under_way = begun.started
        while len(self.begun) >= _KEPT:
            del self.begun[next(iter(self.begun))]
        self.begun[begun.started.run] = begun
        self._steps = {run: self._steps[run] for run in self._steps if run in self.begun}
        self._steps[begun.started.run] = step
        if begun.target.path:
            self._target_dirs.add(begun.target.path)
        self._tell_once(begun)
        return begun.started.run

    def _is_good(self, held: _Held, step: Step, changed: frozenset[str]) -> bool:
        """It is still held, and decided as it would be now."""
        is_young = 0 <= self.now() - held.at < HELD_AT_MOST_S / 2
        more = changed - held.changed
        return is_young and held.step == step and all(path.endswith(_SOURCES) for path in more)

    def _begin(self, step: Step, calls: Collection[NvccCall]) -> begin.Begun:
        """Start a run, which is held where there are calls to begin ahead."""
        mode = self._mode if step.tool == "cargo" else None
        launcher = fronts.launcher(self._paths)
        ahead = tuple(
            spawn.Ahead((launcher, call.tool, *call.argv), call.cwd, (call.env or ()) + _of_cargo(call))
            for call in calls
        )
        request = begin.Request(step.tool, step.words, self._agent, self._cwd, self._env, compose.NOBODY,
                                is_owned=True, mode=mode, ahead=ahead)  # fmt: skip
        try:
            return begin.begin(self._paths, request)
        except OSError as error:
            raise SpawnError(f"{step.command} could not be started: {error}") from error

    def _tell_once(self, begun: begin.Begun) -> None:
        """What the caller of a single build is told before it, and where its binaries are."""
        said = list(begun.notices)
        if begun.target.source == "private" and begun.target.path:
            said.append(f"the binaries are in {begun.target.path} ({begun.target.reason})")
        self._notices += [one for one in said if one not in self._said]
        self._said.update(said)

    def _watch_first(self, step: Step) -> None:
        """Before anything was built: what may be its inputs."""
        checkout = identity.checkout_of(self._cwd)
        self._noted = noted_runs(self._paths, checkout, _MOST_RUNS)
        self._calls.learn(calls_as_now(self._paths, self._noted, self._env))
        self.files = WatchedFiles(first_inputs(checkout if step.tool == "cargo" else self._cwd))
        self._lookout.order(self.files.folders)

    def stop(self, run: str) -> None:
        """Ask for its end; who is asked once more kills."""
        is_again = run in self._stops
        self._stops.add(run)
        stop.stop_run(self._paths, run, kill=is_again)

    def survey(self, step: int, run: str, *, is_whole: bool) -> tuple[int, bool]:
        """What is to be watched from now on."""
        begun = self.begun.get(run)
        if begun is None or self.files is None:
            return 0, False
        kind = self._steps[run]
        record = read_object(self._paths.run(run) + "/run.json")
        checkout = str(record.get("checkout") or self._cwd)
        subject = Subject(run, kind.tool, kind.words, self._cwd, checkout, begun.target.path, self._env, is_whole)
        found = inputs_of(self._paths, subject, self._noted)
        if has_called_nvcc(self._paths, run):
            self._noted = [*self._noted, run][-_MOST_RUNS:]
            self._calls.learn(calls_of_run(self._paths, run))
        before = self._by_step.get(step)
        self._native = native_inputs(self._paths, self._noted)
        self._by_step[step] = found if is_whole or before is None else before.joined(found)
        both = Inputs()
        for one in self._by_step.values():
            both = both.joined(one)
        if self.files.watch(both, frozenset(self._target_dirs)):
            self._lookout.order(self.files.folders)
        return len(both.files), both.is_exact

    def measure(self, run: str) -> Measured | None:
        """What a run that is over did."""
        return measure(self._paths, run)

    def keep(self, record: Mapping[str, Any]) -> None:
        """Keep what is known of an iteration."""
        keep(self._paths, record)

    def unseen(self, changed: tuple[str, ...], measured: Measured) -> tuple[str, ...]:
        """Of the changed files those that nvcc read before, where the build went well without calling it."""
        return unseen_by_nvcc(self._paths, changed, measured, self._native)

    def wait(self, timeout_s: float | None) -> Woken:
        """Until a file changed, a run ended, somebody asks for the end, or it is time."""
        ends = None if timeout_s is None else self.now() + timeout_s
        while True:
            woken = self._poll(ends)
            if woken != Woken() or (ends is not None and self.now() >= ends):
                return woken

    def _poll(self, ends: float | None) -> Woken:
        now = self.now()
        until = min(ends if ends is not None else now + SWEEP_S, max(now, self._swept_at + SWEEP_S))
        report = self._under_way.report_fd if self._under_way is not None else -1
        poll = select.poll()
        for fd in {self._wake_fd, self._lookout.fd, report, -1 if self._parent_fd is None else self._parent_fd} - {-1}:
            poll.register(fd, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(max(0, int((until - now) * 1000 + 0.999)))}
        is_over = self._wake_fd in ready and not _SIGNALS.isdisjoint(os.read(self._wake_fd, 512))
        is_last = self._parent_fd in ready and self._is_parent_gone()
        change, troubles = self._look(is_told=self._lookout.fd in ready)
        notices, self._notices = (*self._notices, *troubles), []
        ended = self._take_end() if report in ready else None
        return Woken(change.paths, change.newest, ended, is_over, is_last, notices)

    def _is_parent_gone(self) -> bool:
        if self._parent_fd is None or os.read(self._parent_fd, 512):
            return False
        os.close(self._parent_fd)
        self._parent_fd = None
        return True

    def _look(self, *, is_told: bool) -> tuple[Change, tuple[str, ...]]:
        """What moved, by what the lookout tells, and now and then by looking at everything."""
        if self.files is None:
            return Change(), ()
        told = self._lookout.read() if is_told else Heard()
        is_building = self._under_way is not None
        if told.listens or told.is_gone or self.now() >= self._swept_at + SWEEP_S:
            self._swept_at = self.now()
            change = self.files.sweep(is_building=is_building)
        else:
            change = self.files.moved(told.moved, is_building=is_building) if told.moved else Change()
        if change.has_folders:
            self._lookout.order(self.files.folders)
        return change, told.troubles

    def _take_end(self) -> Ended:
        started, self._under_way = self._under_way, None
        assert started is not None
        content = b""
        while chunk := os.read(started.report_fd, 1 << 16):
            content += chunk
        os.close(started.report_fd)
        os.close(started.owner_fd)
        os.waitpid(started.supervisor, 0)
        try:
            record = json.loads(content)
        except ValueError:
            record = {}  # the supervisor was killed: what it ran may live on
        return _ended(started.run, record)

    def close(self) -> None:
        """End the lookout; signals act as before."""
        if self._held is not None:
            spawn.drop(self._held.begun.started)
        self._lookout.close()
        signal.set_wakeup_fd(self._old_wake)
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        for fd in (self._wake_fd, self._wake_write):
            os.close(fd)


_SIGNALS = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))


def _of_cargo(call: NvccCall) -> tuple[tuple[str, str], ...]:
    """What tells whose build script calls."""
    found = (("CARGO_PKG_NAME", call.package), ("CARGO_MANIFEST_DIR", call.manifest_dir), ("OUT_DIR", call.out_dir))
    return tuple((name, value) for name, value in found if value)


def _ended(run: str, record: dict[str, Any]) -> Ended:
    code, number, wall_s = record.get("code"), record.get("signal"), record.get("wall_s")
    return Ended(
        run, code if isinstance(code, int) else None, number if isinstance(number, int) else None,
        float(wall_s) if isinstance(wall_s, int | float) else 0.0, record.get("stopped_by") is not None,
    )  # fmt: skip
