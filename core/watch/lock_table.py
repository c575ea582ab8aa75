"""The kernel's table of file locks.

    3: FLOCK  ADVISORY  WRITE 19427 fe:00:2368489 0 EOF       a holder
    3: -> FLOCK  ADVISORY  WRITE 19562 fe:00:2368489 0 EOF    who waits for it

It is only read: to try a lock would take it. Source: proc_locks(5).
"""

import os

from core.values import dataclass
from core.watch.proc_files import open_file

_PIECE_BYTES = 1 << 16
"""Asked for at once; the kernel gives a page at most, cut between two locks."""
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table."""

    inode: tuple[str, int]
    """Device as `fe:00` and number."""
    pid: int
    is_exclusive: bool
    waits: bool


def parse_locks(content: bytes) -> list[Entry]:
    """Locks of flock(2) and who waits for them; other kinds, and torn lines, are passed over."""
    found: list[Entry] = []
    for line in content.split(b"\n"):
        words = line.split()
        waits = words[1:2] == [b"->"]
        if waits:
            del words[1]
        if len(words) < 6 or words[1] != b"FLOCK" or not words[4].isdigit():
            continue
        device, _, inode = words[5].rpartition(b":")
        if inode.isdigit():
            found.append(
                Entry((device.decode("ascii", "replace"), int(inode)), int(words[4]), words[3] == b"WRITE", waits)
            )
    return found


class LockTable:
    """Reads it again and again. Each read waits until no processor of the machine takes or frees a lock; the whole
    takes two, because only an empty piece says that there is no more."""

    def __init__(self, proc: str = "/proc") -> None:
        self._path = proc + "/locks"
        self._content = b""
        self._only_piece = b""
        """As it came last; empty where there were several."""

    def read(self) -> bytes:
        """Locks of the whole machine, but for those of processes that are not to be seen from here, whose number is
        0. Each as the first, because their order says nothing. Empty: the system does not say."""
        return self._read(is_glance=False)

    def glance(self) -> bytes:
        """The same by one read where the first piece is the only one, and is as it was. What it misses: a lock that
        nobody had at the last look, and that so many wait for by now that it does not fit into the page."""
        return self._read(is_glance=True)

    def _read(self, *, is_glance: bool) -> bytes:
        fd = open_file(self._path)
        if fd < 0:
            return b""
        try:
            first = content = os.read(fd, _PIECE_BYTES)
            if is_glance and first and first == self._only_piece:
                return self._content
            while len(content) < _MAX_BYTES and (piece := os.read(fd, _PIECE_BYTES)):
                content += piece
        except OSError:
            return b""
        finally:
            os.close(fd)
        self._only_piece = first if first == content else b""
        self._content = _seen(content)
        return self._content


def _seen(content: bytes) -> bytes:
    seen = (line.partition(b":")[2] for line in content.split(b"\n") if b"E 0 " not in line and b"D 0 " not in line)
    return b"\n".join(b"1:" + line for line in seen if line)
