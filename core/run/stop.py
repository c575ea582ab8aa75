"""Asking a run to end: the supervisor is found by the lock that it holds, never by name."""

import json
import os
import signal
import time
from typing import NamedTuple

from core.clock import monotonic, wall_clock
from core.daemon import is_locked
from core.errors import StateError
from core.paths import Paths
from core.run import proctree

_STARTS_WITHIN_S = 2.0


class Holder(NamedTuple):
    """Who supervises a run."""

    supervisor: proctree.Process
    child: int
    child_start: int


def is_live(paths: Paths, run: str) -> bool:
    """A supervisor holds the run's lock."""
    return is_locked(f"{paths.open}/{run}")


def find_holder(paths: Paths, run: str) -> Holder | None:
    """The run's supervisor, verified by lock, pid and start time; None where the run is over."""
    if not is_live(paths, run):
        return None
    try:
        with open(f"{paths.open}/{run}", "rb") as file:
            record = json.loads(file.readline())
        process = proctree.read_process(int(record["supervisor"]))
        child, child_start = int(record["child"]), int(record["child_start"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if process is None or process.started_ticks != record["supervisor_start"]:
        return None
    return Holder(process, child, child_start)


def stop_run(paths: Paths, run: str, *, kill: bool = False, by: str = "request") -> bool:
    """Ask for the end of a run; True where a supervisor was told. Its processes may still live a moment.

    Raises:
        StateError: the run is live but its supervisor cannot be signalled.
    """
    holder = _starting_holder(paths, run)
    if holder is None:
        return False
    _note_ask(paths, run, kill=kill, by=by)
    if not proctree.send(holder.supervisor, signal.SIGUSR1 if kill else signal.SIGTERM):
        if not is_live(paths, run):
            return False
        raise StateError(f"run {run} could not be asked to stop: its supervisor, pid {holder.supervisor.pid}, "
                         "belongs to another user")  # fmt: skip
    return True


def _starting_holder(paths: Paths, run: str) -> Holder | None:
    """The supervisor; one that is just starting (its lock is there before its pid) gets a moment."""
    ends = monotonic() + _STARTS_WITHIN_S
    while (holder := find_holder(paths, run)) is None and is_live(paths, run) and monotonic() < ends:
        time.sleep(0.005)
    return holder


def _note_ask(paths: Paths, run: str, *, kill: bool, by: str) -> None:
    record = {"at": wall_clock(), "by": by, "is_kill": kill}
    try:
        fd = os.open(paths.run(run) + "/asked.json", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError:
        return  # the stop itself must not fail for want of a note
    try:
        os.write(fd, json.dumps(record).encode() + b"\n")
    except OSError:
        pass
    finally:
        os.close(fd)
