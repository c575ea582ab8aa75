"""Digests of files, each read once as long as it does not change."""

import os
import stat
from hashlib import blake2b

from core.cache.inputs import Files

MAX_KEPT = 10_000
"""Files that are remembered: 2 MB."""
WHOLE_BYTES = 2 << 20
"""A file up to here is read whole; of a larger one, PIECES pieces and the size: an rlib of 50 MB would take 60 ms."""
PIECES = 16
MAX_READ_BYTES = 4 << 20
PIECE_BYTES = 64 << 10


class FileDigests:
    """Reads what `core.cache.inputs.gather` looks at."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int, str]] = {}
        """By the hash of the path: size, mtime in ns, digest."""
        self.files = Files(read_file, self.digest, os.listdir)

    def digest(self, path: str) -> str:
        """16 hex digits; empty: it cannot be read, or is no plain file."""
        try:
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode):
                return ""
            known = self._known.get(hash(path))
            if known is not None and known[:2] == (status.st_size, status.st_mtime_ns):
                return known[2]
            with open(path, "rb", 0) as file:
                digest = _digest(file.fileno(), status.st_size)
        except OSError:
            return ""
        if len(self._known) >= MAX_KEPT:
            del self._known[next(iter(self._known))]
        self._known[hash(path)] = (status.st_size, status.st_mtime_ns, digest)
        return digest


def read_file(path: str) -> bytes:
    """Its content, at most MAX_READ_BYTES. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(MAX_READ_BYTES)


def _digest(handle: int, size: int) -> str:
    whole = blake2b(digest_size=8)
    if size <= WHOLE_BYTES:
        whole.update(os.pread(handle, size, 0))
        return whole.hexdigest()
    whole.update(str(size).encode())
    for number in range(PIECES):
        whole.update(os.pread(handle, PIECE_BYTES, number * (size - PIECE_BYTES) // (PIECES - 1)))
    return whole.hexdigest()
