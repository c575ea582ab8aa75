"""The engine's housekeeping: its own log and beat, history, retention. All of it may fail and no build notices."""

import contextlib
import os
import sqlite3
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from core import events as e
from core import history, retention
from core.clock import Clock
from core.native.edits.iteration_watch import Draft, IterationWatch
from core.native.traces.nvcc_calls import KEPT, has_called_nvcc
from core.paths import Paths
from core.watched import WatchedRun

MAX_LOG_BYTES = 1 << 20
SWEEP_EVERY_S = 3600.0
FIRST_SWEEP_S = 20.0
"""After the start of the engine."""
CUT_EVERY_S = 2.0
WORK_S = 0.01
"""Of one tick, for what is not urgent."""
_SAME_FAULT_S = 60.0


class Keeper:
    """Housekeeping for one user's state."""

    def __init__(
        self, paths: Paths, *, clock: Clock, monotonic: Clock, limits: retention.Limits, reaps: bool = False
    ) -> None:
        """`reaps`: all children of this process are ours to wait for."""
        self._reaps = reaps
        self._paths = paths
        self._clock = clock
        self._monotonic = monotonic
        self._limits = limits
        self._history: history.History | None = None
        self._is_history_broken = False
        self._faults: dict[str, float] = {}
        self._cut_at = -1e9
        self._can_punch: bool | None = None
        self._sweep_at = monotonic() + FIRST_SWEEP_S
        self._jobs: list[Iterator[object]] = []
        self._iterations = IterationWatch(paths, monotonic)

    def log(self, sentence: str) -> None:
        """A line in `engine/log`, which is begun anew when it is too long."""
        path = self._paths.engine + "/log"
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self._clock()))
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "a", errors="backslashreplace") as file:
                if file.tell() > MAX_LOG_BYTES:
                    file.truncate(0)
                file.write(f"{stamp} {sentence}\n")

    def fault(self, where: str, error: BaseException) -> None:
        """A line with the traceback, once a minute for the same trouble."""
        key = f"{where}: {error!r}"
        now = self._monotonic()
        if now - self._faults.get(key, -1e9) < _SAME_FAULT_S:
            return
        if len(self._faults) > 1000:
            self._faults.clear()
        self._faults[key] = now
        self.log(key + "\n" + "".join(traceback.format_exception(error)))

    def beat(self) -> None:
        """A sign of life: the time of `engine/beat`."""
        path = self._paths.engine + "/beat"
        try:
            os.utime(path)
        except OSError:
            with contextlib.suppress(OSError):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def typical(self, started: e.RunStarted, at: float) -> e.TypicalRecalled | None:
        """What history knows of such a run."""
        found = self._open_history()
        try:
            return found.typical(started, at) if found else None
        except sqlite3.Error as error:
            self._lose_history(error)
            return None

    def last_size(self, output: str) -> int | None:
        """Bytes of the last link of that output; None: not known."""
        found = self._open_history()
        try:
            return found.last_size(output) if found else None
        except sqlite3.Error as error:
            self._lose_history(error)
            return None

    def run_adopted(self, started: e.RunStarted) -> None:
        """See what was edited since the last run of its kind."""
        try:
            self._jobs.insert(0, self._iterations.began(started))  # first: what is saved later is not known
        except Exception as error:
            self.fault("iterations", error)

    def run_closed(self, run: str) -> None:
        """Put a run that ended into history, and among the iterations."""
        if (draft := self._iterations.ended(run)) is not None:
            self._aside("iterations", partial(self._settle, draft))
        has_called = has_called_nvcc(self._paths, run)
        if has_called or os.path.isdir(f"{self._paths.state}/{KEPT}"):
            self._aside("inputs", partial(self._remember, run, has_called=has_called))
        found = self._open_history()
        ended = history.read_run(self._paths, run)
        if found is None or ended is None:
            return
        try:
            found.add(ended)
        except sqlite3.Error as error:
            self._lose_history(error)

    def _settle(self, draft: Draft) -> None:
        from core.native.edits.iteration_settle import settle  # 17 ms

        settle(self._paths, draft)

    def _remember(self, run: str, *, has_called: bool) -> None:
        """After a run that called nvcc, and after one that did not, where others did: it may have been skipped."""
        from core.native.staleness.seen_run import remember_run  # 15 ms
        from core.native.staleness.stale_kept import is_kept_of, keep_of_run

        if has_called or is_kept_of(self._paths, run):
            remember_run(self._paths, run)
        if has_called:
            keep_of_run(self._paths, run)

    def work(self, runs: Sequence[WatchedRun]) -> bool:
        """A little of what is not urgent (cut logs, sweep, make history anew); True where some is left."""
        now = self._monotonic()
        if self._reaps:
            self._reap()
        if runs and now - self._cut_at >= CUT_EVERY_S:
            self._cut_at = now
            self._cut_logs(runs)
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_EVERY_S
            self._aside("sweep", self.sweep)
        while self._jobs:
            self._advance(self._jobs[0])
            if self._monotonic() - now > WORK_S:
                break
        return bool(self._jobs)

    def _advance(self, job: Iterator[object]) -> None:
        try:
            next(job)
        except StopIteration:
            self._jobs.remove(job)
        except Exception as error:
            self._jobs.remove(job)
            self.fault("housekeeping", error)

    def _cut_logs(self, runs: Sequence[WatchedRun]) -> None:
        limits = self._limits
        is_tight = retention.free_bytes(self._paths.state) < limits.disk_floor_bytes
        limit_bytes = limits.tight_log_bytes if is_tight else limits.log_bytes
        for run in runs:
            if any(log.disk_bytes > limit_bytes for log in run.logs) and self._try_punch():
                run.cut(limit_bytes, self._clock())

    def _try_punch(self) -> bool:
        if self._can_punch is None:
            self._can_punch = retention.can_punch(self._paths.runs)
            if not self._can_punch:
                self.log(f"{self._paths.runs}: this file system cannot cut logs, they grow without a limit")
        return self._can_punch

    def sweep(self) -> None:
        """Remove what is over the limits."""
        retention.clean_leftovers(self._paths)
        stored = list(retention.scan(self._paths))
        for removal in retention.plan_sweep(stored, self._limits, self._clock()):
            if retention.remove(self._paths, removal):
                self.log(f"removed {removal.stored.kind} {removal.stored.name}: {removal.reason}")

    def _aside(self, what: str, act: Callable[[], None]) -> None:
        """In a process of its own: to measure a large target dir takes seconds."""
        if self._reaps and os.fork():
            return  # the loop reaps it
        try:
            if self._reaps:
                os.closerange(3, 1 << 16)  # above all the engine's lock
                os.nice(10)
            act()
        except Exception as error:
            self.fault(what, error)
        finally:
            if self._reaps:
                os._exit(0)

    def _reap(self) -> None:
        """Of sweeps, and of supervisors of runs that were started by request."""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def _open_history(self) -> history.History | None:
        if self._history is None and not self._is_history_broken:
            try:
                self._history = history.History(self._paths.history)
                if self._history.is_new:
                    self._jobs.append(history.rebuild(self._paths, self._history))
            except (sqlite3.Error, OSError) as error:
                self._lose_history(error)
        return self._history

    def _lose_history(self, error: Exception) -> None:
        """This engine goes on without it; the next one tries again."""
        self._history = None
        self._is_history_broken = True
        self.fault("history", error)
