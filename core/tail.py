"""Reading a log that grows, from where we are."""

import os


class LogTail:
    """One log of a run, read in chunks. The file may not exist yet, may be cut short, may have holes."""

    def __init__(self, path: str, offset: int = 0) -> None:
        self.path = path
        self.offset = offset
        """Up to here the bytes were given out."""
        self.size = offset
        """As of the last `poll`."""
        self.disk_bytes = 0
        """What it takes on the disk, as of the last `poll`."""
        self._fd = -1

    def poll(self) -> bool:
        """Look at the file; True where there is something to read."""
        if self._fd < 0:
            try:
                self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return False
        status = os.fstat(self._fd)
        self.size, self.disk_bytes = status.st_size, status.st_blocks * 512
        if self.size < self.offset:
            self.offset = 0  # a process of the build opened /dev/stdout anew, which empties the file
        return self.size > self.offset

    def read(self, limit: int) -> bytes:
        """The next bytes, at most `limit`, up to the size that `poll` saw; empty at the end."""
        if self._fd < 0 and not self.poll():
            return b""
        chunk = os.pread(self._fd, min(limit, max(0, self.size - self.offset)), self.offset)
        self.offset += len(chunk)
        return chunk

    def read_to(self, end: int) -> bytes:
        """The bytes up to offset `end`, as far as they are there."""
        if end < self.offset:
            self.offset = 0
        self.poll()
        return self.read(end - self.offset) if end > self.offset else b""

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
