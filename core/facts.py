"""What a run's folder says beside its logs: how it was started, who asked for its end, how it ended."""

import errno
import fcntl
import json
import os
import signal
from typing import Any

from core import events as e
from core.findings import from_record, seen
from core.paths import Paths
from core.plan.plan import Finding
from core.values import dataclass
from core.watch.fault_book import Chosen

LATE_PLAN = "plan.json"
"""What an engine adds to a run's record: see `core.late_plan`."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the engine needs of `run.json`."""

    started: e.RunStarted
    parser: str
    json: str
    has_progress: bool
    cache_server: str = ""
    """Folder of the cache server that we started for it; empty: none."""
    rustc_wrapper: str = ""
    """The user's own; empty: there is none."""
    findings: tuple[Finding, ...] = ()
    """Settings that defeat one another, worst first, as they were seen before it started."""
    chosen: Chosen = Chosen()
    """Of its plan, what may make it fail."""
    is_planned: bool = True
    """False: its plan sets nothing, and is made while it runs."""
    is_readable: bool = True
    """False: the file was missing or corrupt, and this is what could be guessed."""
    schema: int = 1

    @property
    def begun(self) -> tuple[e.Event, ...]:
        """What is known when it starts."""
        if not self.findings:
            return (self.started,)
        return self.started, seen(self.started.at, self.findings)


@dataclass(frozen=True, slots=True)
class Exit:
    """`exit.json`: the end, and the program that took over the terminal before it."""

    ended: e.RunEnded
    handed_to: str | None

    @property
    def is_cut_short(self) -> bool:
        """The run was stopped, or killed."""
        return self.ended.stopped_by is not None or self.ended.signal is not None

    @property
    def is_killed_by_others(self) -> bool:
        """The command died of signal 9, and nobody had asked for its end."""
        return self.ended.stopped_by is None and not self.ended.is_killed and self.ended.signal == signal.SIGKILL


def read_record(paths: Paths, run: str) -> Record | None:
    """The run's record; None while it is missing or not yet complete."""
    found = _load(paths.run(run) + "/run.json")
    if found is None or not isinstance(found.get("started"), int | float):
        return None
    started = e.RunStarted(
        at=float(found["started"]),
        run=run,
        agent=_text(found, "agent") or "?",
        command=_text(found, "command"),
        tool=_text(found, "tool") or "exec",
        subcommand=_text(found, "subcommand"),
        cwd=_text(found, "cwd"),
        checkout=_text(found, "checkout") or _text(found, "cwd"),
        target_dir=_text(found, "target_dir") or None,
        is_private_target=found.get("target_source") == "private",
        is_owned=bool(found.get("owner")),
        is_split=found.get("streams") == 2,
        build_dir=_text(found, "build_dir") or None,
    )
    return Record(
        started,
        _text(found, "parser") or "generic",
        _text(found, "json") or "none",
        has_progress=bool(found.get("progress")),
        cache_server=_text(found, "cache_server"),
        rustc_wrapper=_text(found, "rustc_wrapper"),
        findings=from_record(found.get("findings")),
        chosen=_chosen(found.get("plan")),
        is_planned=found.get("is_planned") is not False,
        schema=_integer(found, "schema") or 1,
    )


def guess_record(paths: Paths, run: str, at: float) -> Record:
    """A record for a run whose `run.json` is lost: it is shown, with a question mark where its name would be."""
    started = e.RunStarted(
        at=at, run=run, agent="?", command="? (run.json cannot be read)", tool="exec", subcommand="?", cwd="",
        checkout="", target_dir=None, is_private_target=False, is_owned=False,
        is_split=os.path.exists(paths.run(run) + "/err.log"),
    )  # fmt: skip
    return Record(started, "generic", "none", has_progress=False, is_readable=False)


def read_exit(paths: Paths, run: str) -> Exit | None:
    """How the run ended; None where nobody wrote it."""
    found = _load(paths.run(run) + "/exit.json")
    if found is None:
        return None
    left = found.get("left_running")
    ended = e.RunEnded(
        at=_number(found, "ended"),
        code=_integer(found, "code"),
        signal=_integer(found, "signal"),
        wall_s=_number(found, "wall_s"),
        user_s=_number(found, "user_s"),
        sys_s=_number(found, "sys_s"),
        largest_process_bytes=_integer(found, "largest_process_bytes") or 0,
        stopped_by=_text(found, "stopped_by") or None,
        is_killed=bool(found.get("is_killed")),
        left_running=tuple(str(name) for name in left) if isinstance(left, list) else (),
    )
    return Exit(ended, _text(found, "handed_to") or None)


class Asks:
    """Follows `asked.json`: who asked for the end of a run."""

    def __init__(self, path: str, seen: int) -> None:
        """`seen`: so many of its lines are in the journal."""
        self._path = path
        self._seen = seen
        self._size = 0

    def poll(self) -> list[e.StopAsked]:
        """Asks that were added since the last call."""
        try:
            size = os.stat(self._path).st_size
            if size == self._size:
                return []
            with open(self._path, "rb") as file:
                lines = file.read().split(b"\n")[:-1]
        except OSError:
            return []
        self._size = size
        fresh = [ask for line in lines[self._seen :] if (ask := _ask(line)) is not None]
        self._seen = max(self._seen, len(lines))
        return fresh


class Lock:
    """The file `open/<run>`: its supervisor holds a lock on it while it lives."""

    def __init__(self, path: str) -> None:
        """Raises OSError where the file is gone."""
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._supervisor: tuple[int, int] | None = None

    def is_held(self) -> bool:
        """The supervisor lives."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno in (errno.EWOULDBLOCK, errno.EACCES)
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        return False

    def supervisor(self) -> tuple[int, int] | None:
        """Pid and start (in ticks since boot) of the supervisor; None before it has written them for good."""
        if self._supervisor is None:
            try:
                found = json.loads(os.pread(self._fd, 4096, 0).split(b"\n")[0])
                self._supervisor = int(found["supervisor"]), int(found["supervisor_start"])
            except (OSError, ValueError, KeyError, TypeError):
                return None
        return self._supervisor

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


def _chosen(plan: object) -> Chosen:
    rows = [row for row in plan if isinstance(row, dict)] if isinstance(plan, list) else []
    by_name = {_text(row, "setting"): row for row in rows}
    linker, cpu = by_name.get("linker", {}), by_name.get("target-cpu", {})
    is_set = _text(cpu, "value") not in ("", "default")
    return Chosen(_text(linker, "value") if linker.get("flags") else "", _text(cpu, "value") if is_set else "")


def _ask(line: bytes) -> e.StopAsked | None:
    try:
        found = json.loads(line)
        return e.StopAsked(float(found["at"]), by=str(found["by"]), is_kill=bool(found["is_kill"]))
    except (ValueError, KeyError, TypeError):
        return None


def _load(path: str) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""


def _number(record: dict[str, Any], key: str) -> float:
    value = record.get(key)
    return float(value) if isinstance(value, int | float) else 0.0


def _integer(record: dict[str, Any], key: str) -> int | None:
    value = record.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
