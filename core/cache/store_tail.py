"""Follows the log of our own store: whose entry each hit took."""

import json
import os
from collections import deque

from core.paths import Paths

_READ_BYTES = 1 << 20
_EARLIER_S, _LATER_S = 60.0, 1.0
"""A server tells of a hit once it has unpacked what it took; both look at the same clock."""
MAX_WAITING = 20_000
"""Hits that no server has told of yet; the earliest go first."""


class StoreTail:
    """Knows of each hit who had stored what was taken."""

    def __init__(self, paths: Paths) -> None:
        self._path = paths.store + "/log.jsonl"
        self._fd = -1
        self._offset = 0
        self._rest = b""
        self._hits: dict[tuple[str, str], deque[tuple[float, str]]] = {}
        self._waiting = 0

    def poll(self) -> None:
        """Read on; a log that was put aside is read to its end before the next one is begun."""
        while self._fd >= 0 or self._open():
            content = os.pread(self._fd, _READ_BYTES, self._offset)
            self._offset += len(content)
            *lines, self._rest = (self._rest + content).split(b"\n")
            for line in lines:
                self._take(line)
            if len(content) == _READ_BYTES:
                return  # the rest with the next call
            if not self._is_put_aside():
                return
            os.close(self._fd)
            self._fd = -1

    def source(self, agent: str, key: str, at: float) -> str:
        """Who had stored what an agent's hit on a key took that its server told of `at`; empty: not known."""
        found = self._hits.get((agent, key))
        by = ""
        while found and not by and found[0][0] <= at + _LATER_S:
            taken_at, who = found.popleft()
            self._waiting -= 1
            by = who if taken_at >= at - _EARLIER_S else ""
        if found is not None and not found:
            del self._hits[agent, key]
        return by

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _open(self) -> bool:
        try:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        self._offset, self._rest = 0, b""
        return True

    def _is_put_aside(self) -> bool:
        try:
            there = os.stat(self._path)
        except OSError:
            return True
        held = os.fstat(self._fd)
        return (there.st_dev, there.st_ino) != (held.st_dev, held.st_ino)

    def _take(self, line: bytes) -> None:
        if b'"hit"' not in line:
            return
        try:
            note = json.loads(line)
            key = (str(note["agent"]), str(note["key"]))
            hit = (float(note["at"]), str(note["by"]))
        except (ValueError, KeyError, TypeError):
            return
        self._hits.setdefault(key, deque()).append(hit)
        self._waiting += 1
        if self._waiting > MAX_WAITING:
            first = next(iter(self._hits))
            self._waiting -= len(self._hits.pop(first))
