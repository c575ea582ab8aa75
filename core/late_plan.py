"""Plans of builds that were started without one: made by the engine while they run, for who asks what was in force.

Such a build had no mode, so its plan sets nothing, whatever variables and files say by now; what stands in its way is
told as soon as it starts. Programs that nobody asked yet what they are, are asked by a process of its own: that takes
half a second, and then it is planned anew.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.clock import Clock
from core.daemon import Daemons
from core.facts import LATE_PLAN
from core.findings import from_record
from core.paths import Paths
from core.plan.make import Planned, finish, prepare
from core.plan.plan import Finding
from core.run import begin, cache, mask, target
from core.watched import WatchedRun

ASK_AGAIN_S = 600.0
"""Programs are asked at most so often by us."""


def plan_late(paths: Paths, run: str, *, may_ask: bool = False) -> Planned | None:
    """The plan of a run that is under way, as of now; None: it is no build of cargo's that could be planned."""
    try:
        with open(paths.run(run) + "/run.json", "rb") as file:
            record = json.load(file)
        env = {name: value for name, value in record["env"].items() if isinstance(value, str)}
        words, cwd = tuple(map(str, record["typed"])), str(record["cwd"])
        where = target.Target(
            record["target_dir"], str(record["target_source"]), _of_row(record, "target-dir", "reason")
        )
        cached = cache.Chosen(
            value=_of_row(record, "cache", "value") or "none", reason=_of_row(record, "cache", "reason")
        )
        if record["tool"] != "cargo" or record.get("is_masked"):
            return None
        command = begin.command_of(paths, words, cwd, env)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not command.takes_flags:
        return None
    planned = finish(prepare(paths, command, may_ask=may_ask, has_wishes=False), where, cached)
    told = from_record(record.get("findings"))  # as it started: why it was not planned then
    stale = _stale(paths, record.get("build_dir") or record["target_dir"])
    return planned._replace(plan=planned.plan._replace(findings=(*told, *planned.plan.findings, *stale)))


def _stale(paths: Paths, build_dir: object) -> tuple[Finding, ...]:
    """What was wrong with build scripts after the last build there that called nvcc."""
    if not isinstance(build_dir, str) or not os.path.isdir(paths.state + "/native/stale"):
        return ()
    from core.native.staleness.stale_kept import read_kept  # 30 ms, where somebody has kernels alone

    return read_kept(paths, build_dir)


def _of_row(record: Mapping[str, Any], name: str, field: str) -> str:
    """What the record's short plan says. Raises as indexing does where it is none of ours."""
    return next((str(row[field]) for row in record["plan"] if row["setting"] == name), "")


class LatePlans:
    """Makes them, one a turn."""

    def __init__(self, paths: Paths, monotonic: Clock, ask: Callable[[str], int] | None = None) -> None:
        """`ask`: starts a process that asks programs what they are, for a run; its pid."""
        self._paths = paths
        self._monotonic = monotonic
        self._daemons = Daemons()
        self._ask = ask or self._start_asker
        self._waiting: list[str] = []
        self._asked_at = -1e9
        self._unsure: set[str] = set()
        """Runs whose plan lacks answers that are being asked for."""

    def add(self, run: WatchedRun) -> None:
        """A run was adopted."""
        is_planned = run.record.is_planned or os.path.exists(f"{run.folder}/{LATE_PLAN}")
        if not is_planned and run.record.started.tool == "cargo":
            self._waiting.append(run.run)

    @property
    def waiting(self) -> Sequence[str]:
        """Runs that are to be planned: their journals are kept open for it."""
        return self._waiting

    def work(self, runs: Mapping[str, WatchedRun], now: float) -> None:
        """Plan one run that waits for it; of one that was closed since, what was learned goes into its plan alone.
        Raises what `plan_late` does not expect."""
        self._take_answers()
        if not self._waiting:
            return
        name = self._waiting.pop(0)
        run = runs.get(name)
        planned = plan_late(self._paths, name) if run is None or not run.is_gone else None
        if planned is None:
            return
        _write(self._paths, name, planned)
        if run is None:
            return
        run.found(planned.plan.findings, now)
        if planned.found.unasked:
            self._ask_for(name)

    def _ask_for(self, run: str) -> None:
        if not self._daemons.pids and self._monotonic() - self._asked_at < ASK_AGAIN_S:
            return
        self._unsure.add(run)
        if not self._daemons.pids:
            self._asked_at = self._monotonic()
            try:
                self._ask(run)
            except OSError:
                self._unsure.clear()

    def _start_asker(self, run: str) -> int:
        return self._daemons.start(
            os.path.dirname(os.path.abspath(__file__)) + "/asker.py", self._paths.state, self._paths.cache, run
        )

    def _take_answers(self) -> None:
        """Who asked has ended: what was not sure is planned anew."""
        if not self._unsure:
            return
        self._daemons.reap()
        if not self._daemons.pids:
            self._waiting += sorted(self._unsure)
            self._unsure.clear()


def _write(paths: Paths, run: str, planned: Planned) -> None:
    """Leave the plan beside the run's record; where that is not possible it is not there."""
    path = f"{paths.run(run)}/{LATE_PLAN}"
    try:
        fd = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            json.dump(mask.safe_record(planned.record, dict(planned.found.env)), file)
        os.replace(path + ".new", path)
    except OSError:
        pass
