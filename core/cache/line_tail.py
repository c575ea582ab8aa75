"""Lines of another tool's growing journal, from a given moment on; the file may not exist yet, and be rotated."""

import os
from collections.abc import Callable

STEP_BYTES = 4 << 20
"""Read in one look."""
_BLOCK_BYTES = 256 << 10
_MAX_LINE_BYTES = 1 << 20

When = Callable[[bytes], float | None]
"""Seconds since the epoch at which a line was written; None: it does not say."""


class LineTail:
    """Whole lines as they are added.

    A rotation is followed: what was added to the old file is read to its end, and of the new one what the old one did
    not have (zccache begins an empty file, kache keeps the last lines).
    """

    def __init__(self, path: str, since: float, when: When, *, history_bytes: int = 0) -> None:
        """`since`: lines from before it need not be read, but for so many bytes; 0: all are read."""
        self.path = path
        self.is_whole = False
        """Reading began with the file's first line."""
        self._history_bytes = history_bytes
        self._since = since
        self._when = when
        self._fd = -1
        self._inode = 0
        self._offset = 0
        self._last = b""
        """The last whole line that was read."""

    def poll(self) -> list[bytes]:
        """Lines that are new; one `stat` where there are none."""
        try:
            status = os.stat(self.path)
        except OSError:
            return self._read() if self._fd >= 0 else []
        if self._fd >= 0 and status.st_ino == self._inode:
            if status.st_size == self._offset:
                return []
            if status.st_size < self._offset:
                self._offset = 0
            return self._read()
        lines = self._read() if self._fd >= 0 else []
        return [*lines, *(self._read() if self._open() else [])]

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> bool:
        is_first = self._fd < 0
        self.close()
        try:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        status = os.fstat(self._fd)
        self._inode = status.st_ino
        if is_first:
            self._offset = self._with_history(self._begin(status.st_size))
            self.is_whole = self._offset == 0
        else:
            self._offset = self._after_last(status.st_size)
        return True

    def _read(self) -> list[bytes]:
        content = os.pread(self._fd, STEP_BYTES, self._offset)
        whole = content[: content.rfind(b"\n") + 1]
        if not whole and len(content) == STEP_BYTES:
            whole = content  # no line of theirs is so long
        self._offset += len(whole)
        lines = [line for line in whole.split(b"\n") if line]
        if lines:
            self._last = lines[-1]
        return lines

    def _begin(self, size: int) -> int:
        """Where the first line lies that is not older than `since`, or one somewhat before it."""
        offset = size if self._since > 0 else 0
        while offset > 0:
            offset = max(0, offset - _BLOCK_BYTES)
            block = os.pread(self._fd, _MAX_LINE_BYTES, offset)
            start = block.find(b"\n") + 1 if offset else 0
            at = self._when(block[start : block.find(b"\n", start) + 1 or None])
            if at is not None and at < self._since:
                return offset + start
        return 0

    def _with_history(self, offset: int) -> int:
        if self._history_bytes == 0 or offset <= self._history_bytes:
            return offset if self._history_bytes == 0 else 0
        block = os.pread(self._fd, self._history_bytes, offset - self._history_bytes)
        return offset - self._history_bytes + block.find(b"\n") + 1

    def _after_last(self, size: int) -> int:
        """Behind the last line that was read, where a rotation kept it."""
        if not self._last:
            return 0
        found = os.pread(self._fd, size, 0).rfind(self._last + b"\n")
        return 0 if found < 0 else found + len(self._last) + 1
