"""The caller's side of a foreground run: the logs, projected, go to the caller's streams as they grow."""

import os
import select
import stat
import time
from collections.abc import Callable
from typing import NamedTuple

from core.parsers.projection import Projection
from core.run.owner import Ending, Owner
from core.run.spawn import Started

_PAUSE_S = 0.004
"""Between two copies of a flood."""
_BURST = 16
"""So many copies at once follow each write without a pause: what a program then does to the terminal itself must
come after what was written before."""
_LONGEST_NAP_S = 0.25
"""The kernel says when a log grows; this is for file systems that do not."""
_LONGEST_BLIND_NAP_S = 0.03
_PIPE_CHUNK = 4096
"""A pipe that polls writable takes this much without blocking (PIPE_BUF)."""
_READ_CHUNK = 1 << 18
_ZEROS = bytes(4096)
"""A hole in a log reads as at least a block of these."""
WAKE_ENGINE_AFTER_S = 0.4
"""A run that is over before leaves its journal to the next engine."""


class View(NamedTuple):
    """One log and where it goes."""

    path: str
    fd: int
    """1 or 2."""
    projection: Projection


class Copier:
    """Copies one log, projected, as far as it goes, and never blocks in a write."""

    def __init__(self, view: View) -> None:
        self.fd = view.fd
        self.projection = view.projection
        self.log = os.open(view.path, os.O_RDONLY | os.O_CLOEXEC)
        self.pending = b""
        self.is_closed = False
        """The reader is gone: what follows is only in the log."""
        mode = os.fstat(self.fd).st_mode
        self.may_block = not stat.S_ISREG(mode)
        self.poll = select.poll()
        self.poll.register(self.fd, select.POLLOUT)

    def step(self) -> bool:
        """Copy what is there; True where something moved."""
        moved = False
        while True:
            if not self.pending:
                chunk = os.read(self.log, _READ_CHUNK)
                if not chunk:
                    return moved
                self.pending = self.projection.feed(self._without_hole(chunk) if _ZEROS in chunk else chunk)
                moved = True
            if not self.flush():
                return moved

    def _without_hole(self, chunk: bytes) -> bytes:
        """The chunk up to a hole that was punched while we were behind, and a line that says so; reading goes on
        after the hole. Zeros that the program printed are no hole."""
        end = os.lseek(self.log, 0, os.SEEK_CUR)
        begin = end - len(chunk)
        try:
            hole = os.lseek(self.log, begin, os.SEEK_HOLE)
        except OSError:
            hole = end
        if hole >= end:
            os.lseek(self.log, end, os.SEEK_SET)
            return chunk
        try:
            data = os.lseek(self.log, hole, os.SEEK_DATA)
        except OSError:
            data = os.fstat(self.log).st_size
        os.lseek(self.log, data, os.SEEK_SET)
        notice = f"\ncargo-deck: {data - hole} bytes of output were removed here: the log was over its cap\n"
        return chunk[: hole - begin] + notice.encode()

    def finish(self) -> None:
        """Add what the projection still held back."""
        self.pending += self.projection.close()

    def flush(self) -> bool:
        """Write what is pending; False where the reader takes no more just now."""
        data = memoryview(self.pending)
        at = 0
        try:
            while at < len(data) and not self.is_closed:
                if self.may_block:
                    if not self.poll.poll(0):
                        break
                    at += os.write(self.fd, data[at : at + _PIPE_CHUNK])
                else:
                    at += os.write(self.fd, data[at:])
        except BlockingIOError:
            pass  # the caller made its end non-blocking, and it is full
        except OSError:
            self.is_closed = True
        self.pending = b"" if self.is_closed else bytes(data[at:])
        return not self.pending


class Follower:
    """Follows one run to its end."""

    def __init__(self, started: Started, views: tuple[View, ...], *, stops_when_closed: bool,
                 wake_engine: Callable[[], None]) -> None:  # fmt: skip
        self.owner = Owner([started])
        self.run_id = started.run
        self.folder = started.folder
        self.copiers = [Copier(view) for view in views]
        self.stops_when_closed = stops_when_closed
        """The program's own reader is gone: it would have got SIGPIPE."""
        self.wake_engine: Callable[[], None] | None = wake_engine

    def run(self) -> Ending:
        """Until the run has ended and everything is copied."""
        longest = _LONGEST_NAP_S if self.owner.watch(self.folder) else _LONGEST_BLIND_NAP_S
        wake_at = time.monotonic() + WAKE_ENGINE_AFTER_S
        burst = 0
        while self.owner.live:
            burst = burst + 1 if self._copy() else 0
            if burst > _BURST or any(copier.pending for copier in self.copiers):
                self.owner.nap(_PAUSE_S)
            else:
                self.owner.nap(longest, until_growth=True)
            if self.wake_engine is not None and time.monotonic() > wake_at:
                self.wake_engine()
                self.wake_engine = None
        self._drain()
        self.owner.close()
        return self.owner.endings[self.run_id]

    def _copy(self) -> bool:
        moved = False
        for copier in self.copiers:
            moved |= copier.step()
            if copier.is_closed and self.stops_when_closed:
                self.stops_when_closed = False
                self.owner.tell(b"p")
        return moved

    def _drain(self) -> None:
        while self._copy() or any(copier.pending for copier in self.copiers):
            self.owner.die_if_asked(_PAUSE_S)
        for copier in self.copiers:
            copier.finish()
        while not all([copier.flush() for copier in self.copiers]):
            self.owner.die_if_asked(_PAUSE_S)
