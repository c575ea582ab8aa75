"""Whether an engine may go on being the engine."""

import os
from collections.abc import Callable

from core.clock import Clock

CODE_S = 60.0
"""How often our own files are looked at: 2 ms."""


class Tenure:
    """Ends where the state was removed, or another version was installed."""

    def __init__(self, lock: str, lock_fd: int, monotonic: Clock, code: Callable[[], str] | None = None) -> None:
        """`lock`: path of the lock that `lock_fd` holds (-1: none does). `code`: what tells versions apart."""
        self._lock = lock
        self._lock_fd = lock_fd
        self._monotonic = monotonic
        self._code = code
        self._began_with = code() if code is not None else ""
        self._due_at = monotonic() + CODE_S

    def is_over(self) -> bool:
        """Somebody else is the engine now, or is to be."""
        return self._is_dispossessed() or self._is_outdated()

    def _is_dispossessed(self) -> bool:
        """Our lock is not the one in the folder any more: the state was removed, and another engine may be at it."""
        if self._lock_fd < 0:
            return False
        try:
            there = os.stat(self._lock)
        except OSError:
            return True
        held = os.fstat(self._lock_fd)
        return (there.st_dev, there.st_ino) != (held.st_dev, held.st_ino)

    def _is_outdated(self) -> bool:
        """What is imported from now on would be of another version: the next engine takes the runs over."""
        now = self._monotonic()
        if self._code is None or now < self._due_at:
            return False
        self._due_at = now + CODE_S
        return self._code() != self._began_with


def installed_code() -> str:
    """Names, sizes and times of all our modules."""
    here = os.path.dirname(os.path.abspath(__file__))
    found: list[str] = []
    for folder, folders, names in os.walk(here):
        folders[:] = [name for name in folders if name not in ("__pycache__", "sample")]
        for name in names:
            if name.endswith(".py"):
                try:
                    status = os.stat(f"{folder}/{name}")
                except OSError:
                    continue
                found.append(f"{folder}/{name}:{status.st_size}:{status.st_mtime_ns}")
    return " ".join(sorted(found))
