"""What a supervisor runs ahead of a build: commands whose outcome the build is going to ask for."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from core.run.child import Ahead, start_ahead

if TYPE_CHECKING:
    import resource

KILL_AFTER_S = 1.0
"""When the build has ended, they have so long for their notes."""
HELD_AT_MOST_S = 5.0
"""A build that is held is given up after this."""
GO = b"g"
"""What the owner writes to let it go on."""


def waits_for_go(owner_fd: int) -> bool:
    """Wait until the owner of a build that is held says go; False: it says something else, or nothing any more."""
    poll = select.poll()
    poll.register(owner_fd, select.POLLIN | select.POLLHUP)
    return bool(poll.poll(HELD_AT_MOST_S * 1000)) and os.read(owner_fd, len(GO)) == GO


class AheadRuns:
    """Those of one build, and what they took."""

    def __init__(self) -> None:
        self.user_s = self.sys_s = 0.0
        self.peak_kib = 0
        """Of the largest process."""
        self._pids: set[int] = set()

    def start(self, commands: Iterable[Ahead]) -> None:
        """Begin them all."""
        self._pids.update(map(start_ahead, commands))

    def count(self, pid: int, usage: "resource.struct_rusage") -> None:
        """A child was reaped; one that is none of them is passed over."""
        if pid in self._pids:
            self._pids.discard(pid)
            self.user_s += usage.ru_utime
            self.sys_s += usage.ru_stime
            self.peak_kib = max(self.peak_kib, usage.ru_maxrss)

    def end(self, wake_fd: int, reap: Callable[[], None]) -> None:
        """What nobody asked for is not needed any more; what was asked for is noted.

        Args:
            wake_fd: Readable once a child has ended.
            reap: Takes the ends of children, and has them counted here.
        """
        self._signal(signal.SIGTERM)
        ends = time.monotonic() + KILL_AFTER_S
        poll = select.poll()
        poll.register(wake_fd, select.POLLIN)
        while self._pids and (left_s := ends - time.monotonic()) > 0:
            if poll.poll(left_s * 1000):
                os.read(wake_fd, 64)
            reap()
        self._signal(signal.SIGKILL)
        for pid in tuple(self._pids):
            self.count(pid, os.wait4(pid, 0)[2])

    def _signal(self, number: int) -> None:
        """Each leads a group of its own, and is our unreaped child: nobody else has its number."""
        for pid in self._pids:
            with contextlib.suppress(ProcessLookupError):  # it has not come so far
                os.killpg(pid, number)
            os.kill(pid, number)
