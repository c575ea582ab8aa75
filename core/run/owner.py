"""The owner's side of runs in the foreground: passes signals on, sees their ends, dies as they died.

It sleeps in `sigtimedwait`, because only there the kernel says who sent a signal: the terminal has already sent it
to the whole group, a `kill` to us alone must be passed on.
"""

import fcntl
import json
import os
import signal
import time
from typing import NamedTuple

from core.run import PARENT, proctree
from core.run.spawn import Started

_SI_KERNEL = 0x80
WATCHED = frozenset(
    (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGTSTP,
        signal.SIGCONT,
        signal.SIGCHLD,
    )
)
_ASKS: dict[int, bytes] = {signal.SIGINT: b"I", signal.SIGTERM: b"T", signal.SIGHUP: b"H", signal.SIGQUIT: b"Q"}


class Ending(NamedTuple):
    """How an owned run ended."""

    code: int | None
    signal: int | None
    record: dict[str, object]
    """`exit.json`; empty where the supervisor died."""


class Owner:
    """Owns one or several runs until all have ended."""

    def __init__(self, started: list[Started]) -> None:
        self.live = {run.supervisor: run for run in started}
        self.endings: dict[str, Ending] = {}
        """By run id."""
        self._asks = 0
        self._parent = PARENT if not _is_orphan() else -1
        self._watches_parent = _watches_parent()
        self._folder_fd = -1
        self._watched = WATCHED - {number for number in _ASKS if signal.getsignal(number) == signal.SIG_IGN}
        """What the caller had ignored (a shell's `&` does so with SIGINT, nohup with SIGHUP) asks nothing of a build
        that ignores it too; blocked, it would reach us."""
        self._old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._watched | {signal.SIGIO})
        self._reap()  # whose end came before the mask: no signal tells it again

    def watch(self, folder: str) -> bool:
        """Have naps end when a file in `folder` grows (dnotify, Linux); False where the system cannot say."""
        try:
            self._folder_fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.fcntl(self._folder_fd, fcntl.F_NOTIFY, fcntl.DN_MODIFY | fcntl.DN_MULTISHOT)
        except (OSError, AttributeError):
            return False
        return True

    def nap(self, seconds: float, *, until_growth: bool = False) -> None:
        """Sleep, or until a signal; act on it."""
        info = signal.sigtimedwait(self._watched | {signal.SIGIO} if until_growth else self._watched, seconds)
        if info is not None and info.si_signo != signal.SIGIO:
            self._signal(info.si_signo, info.si_code)
        if self._watches_parent and os.getppid() != self._parent:
            self.tell(b"H")
            self._watches_parent = False

    def tell(self, word: bytes) -> None:
        """Say something to every supervisor: see `core.run.supervisor`."""
        for run in self.live.values():
            try:
                os.write(run.owner_fd, word)
            except OSError:
                pass  # the supervisor is gone; its end is on the way

    def close(self) -> None:
        """All has ended: signals act as before."""
        if self._folder_fd >= 0:
            os.close(self._folder_fd)
            signal.signal(signal.SIGIO, signal.SIG_IGN)  # drops one that is pending and would kill us
            signal.signal(signal.SIGIO, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._old_mask)

    def _signal(self, number: int, code: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number in _ASKS:
            self._asks += 1
            if self._asks > 1 and number != signal.SIGHUP:
                self.tell(b"k")
            else:
                # Of a terminal that hung up the kernel tells its session's leader alone: that may be us.
                is_told = code == _SI_KERNEL and number != signal.SIGHUP
                self.tell(b"i" if is_told else _ASKS[number])
        elif number == signal.SIGTSTP:
            if code != _SI_KERNEL:
                self.tell(b"z")
            os.kill(os.getpid(), signal.SIGSTOP)
        elif number == signal.SIGCONT and code != _SI_KERNEL:
            self.tell(b"c")

    def _reap(self) -> None:
        for pid in list(self.live):
            gone, _ = os.waitpid(pid, os.WNOHANG)
            if gone:
                run = self.live.pop(pid)
                self.endings[run.run] = _ending(run)

    def die_if_asked(self, seconds: float) -> None:
        """Sleep; a signal meanwhile ends us (the builds are over, only a slow reader keeps us)."""
        info = signal.sigtimedwait(self._watched, seconds)
        if info is not None and info.si_signo in _ASKS:
            die_of(info.si_signo)


def _ending(run: Started) -> Ending:
    content = b""
    while chunk := os.read(run.report_fd, 65536):
        content += chunk
    os.close(run.report_fd)
    os.close(run.owner_fd)
    try:
        record = json.loads(content)
    except ValueError:
        return Ending(None, None, {})
    code, number = record.get("code"), record.get("signal")
    return Ending(code if isinstance(code, int) else None, number if isinstance(number, int) else None, record)


def _watches_parent() -> bool:
    """The death of our parent ends the run: not under nohup, and not for a job of an interactive shell (there the
    terminal's SIGHUP says it)."""
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        return False
    is_job = os.getpgrp() == os.getpid() and os.getsid(0) != os.getpid()
    return not is_job


def _is_orphan() -> bool:
    """Our parent died before we could ask who it is: the leader of our group is gone, and who took us over belongs to
    another session."""
    leader = os.getpgrp()
    found = proctree.read_process(leader)
    if leader == os.getpid() or (found is not None and found.state != "Z"):
        return False
    try:
        return os.getsid(os.getppid()) != os.getsid(0)
    except OSError:
        return False


def die_of(number: int) -> None:
    """End this process as the build ended, so that the caller sees the same signal."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.kill(os.getpid(), number)
    time.sleep(1)
