"""Who watches what: `watches/<hash>` of the state folder, one file a watch, which holds a lock on it while it lives.

One line of JSON: `{"pid", "start": ticks, "agent", "checkout", "command", "since"}`.
"""

import contextlib
import fcntl
import json
import os
import signal
from collections.abc import Iterator
from hashlib import blake2b

from core.daemon import is_locked
from core.errors import StateError, UsageError
from core.paths import Paths
from core.run import proctree
from core.values import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """What is watched, for whom."""

    agent: str
    checkout: str
    command: str
    """The build, as typed."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A watch that lives."""

    process: proctree.Process
    subject: Subject
    since: float


def folder_of(paths: Paths) -> str:
    """Where they are."""
    return paths.state + "/watches"


def _path_of(paths: Paths, subject: Subject) -> str:
    key = "\0".join((subject.agent, subject.checkout, subject.command)).encode("utf-8", "surrogateescape")
    return f"{folder_of(paths)}/{blake2b(key, digest_size=12).hexdigest()}"


@contextlib.contextmanager
def held(paths: Paths, subject: Subject, now: float) -> Iterator[None]:
    """Be the one that watches it.

    Raises:
        UsageError: somebody else does.
        StateError: the state folder cannot be written.
    """
    try:
        os.makedirs(folder_of(paths), 0o700, exist_ok=True)
        fd = os.open(_path_of(paths, subject), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"cannot write {folder_of(paths)}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"{subject.agent} watches `{subject.command}` here already") from None
        me = proctree.read_process(os.getpid())
        record = {"pid": os.getpid(), "start": me.started_ticks if me else 0, "agent": subject.agent,
                  "checkout": subject.checkout, "command": subject.command, "since": now}  # fmt: skip
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(record).encode() + b"\n", 0)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.unlink(_path_of(paths, subject))
    finally:
        os.close(fd)


def find_watches(paths: Paths) -> tuple[Holder, ...]:
    """All that live, oldest first."""
    try:
        names = sorted(os.listdir(folder_of(paths)))
    except OSError:
        return ()
    found = [one for name in names if (one := _read(f"{folder_of(paths)}/{name}")) is not None]
    return tuple(sorted(found, key=lambda one: one.since))


def watched(paths: Paths) -> frozenset[tuple[str, str]]:
    """Agent and checkout of each that lives."""
    return frozenset((one.subject.agent, one.subject.checkout) for one in find_watches(paths))


def _read(path: str) -> Holder | None:
    if not os.path.isfile(path) or not is_locked(path):
        return None
    try:
        with open(path, "rb") as file:
            record = json.loads(file.readline(1 << 16))
        process = proctree.read_process(int(record["pid"]))
        subject = Subject(str(record["agent"]), str(record["checkout"]), str(record["command"]))
        if process is None or process.started_ticks != record["start"]:
            return None
        return Holder(process, subject, float(record["since"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def end(holder: Holder) -> bool:
    """Ask a watch to end, and stop what it builds; False where it is gone."""
    return proctree.send(holder.process, signal.SIGTERM)
