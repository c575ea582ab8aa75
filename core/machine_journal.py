"""The journal of the machine as a whole: `machine/events.jsonl`, written by the engine alone.

Kept short, so that whoever opens it has read it in 10 ms: a full one is put aside (`events.1.jsonl` is the newest of
those), and the next one begins with what still holds.
"""

import os
from collections.abc import Iterable

from core import events as e
from core.errors import JournalError
from core.host import Host, reduce_host
from core.journal import NAME, JournalTail, JournalWriter, read_journal
from core.paths import Paths

MAX_BYTES = 256 << 10
"""A quarter of an hour at a sample a second."""
MAX_KEPT = 16
_STANDING = (e.LocksSeen, e.ForeignSeen, e.CachesSeen)
"""They hold until the next one is told."""


class MachineJournal:
    """Appends what was seen of the machine."""

    def __init__(self, folder: str) -> None:
        """Open or create it. Raises OSError where it cannot be written."""
        os.makedirs(folder, 0o700, exist_ok=True)
        self._folder = folder
        self._standing: dict[type[e.Event], e.Event] = {}
        self._writer: JournalWriter | None = self._open()
        """None: it could not be made anew."""

    def append(self, events: Iterable[e.Event]) -> None:
        """Write down what was seen; while the disk takes nothing, it is lost.

        Raises:
            OSError: a new file is due and cannot be made; the next call tries again.
        """
        events = list(events)
        if not events or (self._writer is not None and self._writer.has_pending and not self._writer.flush()):
            return
        self._standing |= {type(event): event for event in events if isinstance(event, _STANDING)}
        if self._writer is None or _is_done(self._writer):
            self._writer = self._begin_anew(self._writer)
        self._writer.append(events)

    def close(self) -> None:
        """Let go of the file."""
        if self._writer is not None:
            self._writer.close()

    def _open(self) -> JournalWriter:
        return JournalWriter(f"{self._folder}/{NAME}", "machine")

    def _begin_anew(self, before: JournalWriter | None) -> JournalWriter:
        self._writer = None
        if before is not None:
            before.close()
        if os.path.exists(f"{self._folder}/{NAME}"):
            for number in range(MAX_KEPT - 1, 0, -1):
                _move(earlier(self._folder, number), earlier(self._folder, number + 1))
            _move(f"{self._folder}/{NAME}", earlier(self._folder, 1))
        os.makedirs(self._folder, 0o700, exist_ok=True)
        writer = self._open()
        writer.append(self._standing.values())
        return writer


def _is_done(writer: JournalWriter) -> bool:
    """Its file is full, or is not there any more."""
    try:
        return writer.is_gone or os.stat(writer.path).st_size > MAX_BYTES
    except OSError:
        return True


def earlier(folder: str, number: int) -> str:
    """The journal that was put aside so many times ago, from 1."""
    return f"{folder}/events.{number}.jsonl"


def _move(old: str, new: str) -> None:
    try:
        os.replace(old, new)
    except OSError:
        pass


class HostReader:
    """Follows the journal; cheap while nothing was added."""

    def __init__(self, paths: Paths) -> None:
        self._folder = paths.machine
        self._tail = JournalTail(f"{self._folder}/{NAME}")
        self._is_begun = False
        self.host = Host()
        """As of the last `poll`."""
        self.note = ""
        """Why it cannot be read."""

    def poll(self) -> Host:
        """The machine now; the same object while nothing was added."""
        if not self._is_begun:
            self._is_begun = True
            self._read_earlier()
        try:
            events = self._tail.poll()
            while self._tail.is_behind:
                events += self._tail.poll()
        except JournalError as error:
            self.note = str(error)
            return self.host
        if events:
            self.host = reduce_host(self.host, events)
        return self.host

    def _read_earlier(self) -> None:
        try:
            self.host = reduce_host(self.host, read_journal(earlier(self._folder, 1)).events)
        except (OSError, JournalError):
            pass  # there is none, or what it says is of no use any more


def events_between(paths: Paths, first: float, last: float) -> list[e.Event]:
    """What was seen of the machine in a span of time, and before it what held then."""
    found: list[e.Event] = []
    for number in range(MAX_KEPT, -1, -1):
        try:
            found += read_journal(earlier(paths.machine, number) if number else f"{paths.machine}/{NAME}").events
        except (OSError, JournalError):
            continue
    before = {type(event): event for event in found if event.at < first and isinstance(event, _STANDING)}
    return [*before.values(), *(event for event in found if first <= event.at <= last)]
