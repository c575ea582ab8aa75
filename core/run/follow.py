"""The caller's side of a foreground run: copies the logs to the caller's streams, owns the build, passes signals on.

The loop sleeps in `sigtimedwait`, because only there the kernel says who sent a signal: the terminal has already
sent it to the whole group, a `kill` to us alone must be passed on.
"""

import _signal as signal
import json
import os
import select
import stat
import time
from collections.abc import Callable
from typing import NamedTuple

from core.parsers.projection import Projection
from core.run.spawn import Started

_SI_KERNEL = 0x80
_WATCHED = frozenset(
    (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP, signal.SIGCONT, signal.SIGCHLD)
)
_ASKS = {signal.SIGINT: b"I", signal.SIGTERM: b"T", signal.SIGHUP: b"H", signal.SIGQUIT: b"Q"}
_SHORTEST_NAP_S = 0.004
_LONGEST_NAP_S = 0.05
"""20 looks a second at a quiet log cost 0.05 % of a core."""
_PIPE_CHUNK = 4096
"""A pipe that polls writable takes this much without blocking (PIPE_BUF)."""
_READ_CHUNK = 1 << 18
_WAKE_ENGINE_AFTER_S = 0.4


class View(NamedTuple):
    """One log and where it goes."""

    path: str
    fd: int
    """1 or 2."""
    projection: Projection


class Ending(NamedTuple):
    """How a followed run ended."""

    code: int | None
    signal: int | None
    record: dict[str, object]
    """`exit.json`; empty where the supervisor died."""


class _Copy:
    """Copies one log, projected, as far as it goes."""

    def __init__(self, view: View) -> None:
        self.fd = view.fd
        self.projection = view.projection
        self.log = os.open(view.path, os.O_RDONLY | os.O_CLOEXEC)
        self.pending = b""
        self.is_closed = False
        self.has_blocked = False
        mode = os.fstat(self.fd).st_mode
        self.may_block = not (stat.S_ISREG(mode) or os.isatty(self.fd) is False and stat.S_ISCHR(mode))
        self.poll = select.poll()
        self.poll.register(self.fd, select.POLLOUT)

    def step(self) -> bool:
        """Copy what is there, without ever blocking; True where something moved."""
        moved = False
        while True:
            if not self.pending:
                chunk = os.read(self.log, _READ_CHUNK)
                if not chunk:
                    return moved
                self.pending = self.projection.feed(chunk)
                moved = True
            if not self._write():
                return moved

    def finish(self) -> None:
        """What the projection still held back."""
        self.pending += self.projection.close()

    def _write(self) -> bool:
        """Write what is pending; False where the reader takes no more just now."""
        data = memoryview(self.pending)
        at = 0
        self.has_blocked = False
        try:
            while at < len(data) and not self.is_closed:
                if self.may_block:
                    if not self.poll.poll(0):
                        self.has_blocked = True
                        break
                    at += os.write(self.fd, data[at : at + _PIPE_CHUNK])
                else:
                    at += os.write(self.fd, data[at:])
        except OSError:
            self.is_closed = True
        self.pending = b"" if self.is_closed else bytes(data[at:])
        return not self.pending


class Follower:
    """Follows one run to its end."""

    def __init__(self, started: Started, views: tuple[View, ...], *, stops_when_closed: bool,
                 wake_engine: Callable[[], None]) -> None:  # fmt: skip
        self.started = started
        self.copies = [_Copy(view) for view in views]
        self.stops_when_closed = stops_when_closed
        self.wake_engine: Callable[[], None] | None = wake_engine
        self.parent = os.getppid()
        self.asks = 0
        self.is_reaped = False
        self.watches_parent = _watches_parent()
        self.old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)

    def run(self) -> Ending:
        """Until the run has ended and everything is copied."""
        nap = _SHORTEST_NAP_S
        started = time.monotonic()
        while not self.is_reaped:
            moved = self._copy()
            nap = _SHORTEST_NAP_S if moved else min(nap * 1.5, _LONGEST_NAP_S)
            if self.wake_engine is not None and time.monotonic() - started > _WAKE_ENGINE_AFTER_S:
                self.wake_engine()
                self.wake_engine = None
            info = signal.sigtimedwait(_WATCHED, nap)
            if info is not None:
                self._signal(info.si_signo, info.si_code)
            if self.watches_parent and os.getppid() != self.parent:
                self._tell(b"H")
                self.watches_parent = False
        return self._end()

    def _copy(self) -> bool:
        moved = False
        for copy in self.copies:
            moved |= copy.step()
            if copy.is_closed and self.stops_when_closed:
                self.stops_when_closed = False
                self._tell(b"p")
        return moved

    def _signal(self, number: int, code: int) -> None:
        if number == signal.SIGCHLD:
            pid, _ = os.waitpid(self.started.supervisor, os.WNOHANG)
            self.is_reaped = pid != 0
        elif number in _ASKS:
            self.asks += 1
            if self.asks > 1 and number != signal.SIGHUP:
                self._tell(b"k")
            else:
                self._tell(b"i" if code == _SI_KERNEL else _ASKS[number])
        elif number == signal.SIGTSTP:
            if code != _SI_KERNEL:
                self._tell(b"z")
            os.kill(os.getpid(), signal.SIGSTOP)
        elif number == signal.SIGCONT and code != _SI_KERNEL:
            self._tell(b"c")

    def _tell(self, word: bytes) -> None:
        try:
            os.write(self.started.owner_fd, word)
        except OSError:
            pass  # the supervisor is gone; its end is on the way

    def _end(self) -> Ending:
        record = self._record()
        while self._copy() or any(copy.has_blocked for copy in self.copies):
            self._wait_for_reader()
        for copy in self.copies:
            copy.finish()
        while any(copy.pending and not copy._write() for copy in self.copies):
            self._wait_for_reader()
        signal.pthread_sigmask(signal.SIG_SETMASK, self.old_mask)
        code, number = record.get("code"), record.get("signal")
        return Ending(
            code if isinstance(code, int) else None, number if isinstance(number, int) else None, record
        )  # fmt: skip

    def _wait_for_reader(self) -> None:
        """The build is over but the reader is slow; a signal ends us as it would have ended cargo."""
        info = signal.sigtimedwait(_WATCHED, _SHORTEST_NAP_S * 2)
        if info is not None and info.si_signo in _ASKS:
            die_of(info.si_signo)

    def _record(self) -> dict[str, object]:
        content = b""
        while chunk := os.read(self.started.report_fd, 65536):
            content += chunk
        try:
            record = json.loads(content)
        except ValueError:
            return {}
        return record if isinstance(record, dict) else {}


def _watches_parent() -> bool:
    """The death of our parent ends the run: not under nohup, and not for a job of an interactive shell (there the
    terminal's SIGHUP says it)."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return False
    is_job = os.getpgrp() == os.getpid() and os.getsid(0) != os.getpid()
    return not is_job


def die_of(number: int) -> None:
    """End this process as the build ended, so that the caller sees the same signal."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.kill(os.getpid(), number)
    time.sleep(1)
