"""Lines of a log by number, without holding the log: a sparse index, written by the engine, extended by who reads."""

import os
import struct
import sys
from array import array
from bisect import bisect_right

from core.logfile_index import EVERY_BYTES, Classes, LineCounter, Record, make_projection

MAGIC = b"DECKIDX1"
MAX_LINE_BYTES = 1 << 16
"""Of a line, what is given."""
_READ_BYTES = 1 << 18
_RECORD = struct.Struct("<QQQ")
_TRUSTED = 1


class IndexWriter:
    """Writes the index of a log that grows. Holds no file open, so it can be pickled with the parser.

    Fed the same bytes anew, it writes the same records to the same places.
    """

    def __init__(self, path: str, classes: Classes) -> None:
        self._path = path
        self._counter = LineCounter(classes)
        self._written = 0
        self._pending = MAGIC

    @property
    def shown_lines(self) -> int:
        """Lines so far that a person would count."""
        return self._counter.shown_lines

    @property
    def size_bytes(self) -> int:
        """Of log that was taken."""
        return self._counter.offset

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the log. What the disk does not take is tried again with the next record."""
        records = self._counter.feed(chunk)
        if not records:
            return
        self._pending += b"".join(_RECORD.pack(r.offset, r.shown, _TRUSTED * r.is_trusted) for r in records)
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return
        try:
            written = os.pwrite(fd, self._pending, self._written)
            self._written += written
            self._pending = self._pending[written:]
        except OSError:
            return
        finally:
            os.close(fd)


class LogFile:
    """One log, read by line number. Nothing is kept but 17 bytes for 64 KiB of it."""

    def __init__(self, log_path: str, index_path: str, classes: Classes) -> None:
        self._paths = (log_path, index_path)
        self._classes = classes
        self._fd = -1
        self._is_index_good = True
        self._reset([])

    @property
    def shown_line_count(self) -> int:
        """As of the last `extend`, with a last line that is not ended yet."""
        return self._counter.shown_lines

    @property
    def ended_line_count(self) -> int:
        """The same without it: these do not change any more."""
        return self._counter.shown_lines - self._counter.is_open

    @property
    def size_bytes(self) -> int:
        """As of the last `extend`."""
        return self._counter.offset

    def extend(self, limit_bytes: int | None = None) -> bool:
        """Takes notice of what the log has become; True where something changed.

        Reads at most `limit_bytes` of log that no index covers; call again for more.
        """
        if self._fd < 0:
            try:
                self._fd = os.open(self._paths[0], os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return False
        status = os.fstat(self._fd)
        before = (self.size_bytes, len(self._holes))
        holes = _find_holes(self._fd, status) if status.st_blocks * 512 < status.st_size else []
        if holes != self._holes or status.st_size < self.size_bytes:
            self._reset(holes)
        if not holes and self._is_index_good and status.st_size - self.size_bytes > EVERY_BYTES:
            self._adopt_index(status.st_size)
        self._scan(status.st_size, limit_bytes)
        return before != (self.size_bytes, len(self._holes))

    def lines(self, first: int, count: int) -> list[bytes]:
        """Shown lines from number `first` (from 0), at most `count`, without their ends, at most 64 KiB of each.

        A line that was redrawn by `\\r` is given in its last state.
        """
        if self._fd < 0 or count <= 0 or first < 0:
            return []
        at = bisect_right(self._shown, first) - 1
        record = Record(self._offsets[at], self._shown[at], bool(self._trusted[at]))
        return _LineReader(self._fd, self._holes, self.size_bytes, self._classes).read(record, first, count)

    def block(self, line: int, size: int) -> tuple[int, int, bytes]:
        """Whole lines around one: numbers of the first and of the one behind the last, and what is shown of about
        `size` raw bytes, ends kept. The last line of the log may lack its end. Empty: there is no such line.
        """
        if self._fd < 0 or not 0 <= line < self.shown_line_count:
            return line, line, b""
        at = bisect_right(self._shown, line) - 1
        offsets, is_trusted, end = self._offsets, self._trusted[at], at + 1
        while end < len(offsets) and self._trusted[end] == is_trusted and offsets[end] - offsets[at] < size:
            end += 1
        stop = offsets[end] if end < len(offsets) else self.size_bytes
        first, after = self._shown[at], self._shown[end] if end < len(offsets) else self.shown_line_count
        if any(hole[0] < stop and hole[1] > offsets[at] for hole in self._holes):
            return first, after, b"".join(text + b"\n" for text in self.lines(first, after - first))
        text = os.pread(self._fd, stop - offsets[at], offsets[at])
        projection = make_projection(self._classes) if is_trusted else None
        return first, after, text if projection is None else projection.feed(text)

    def tail(self, count: int) -> list[bytes]:
        """The last shown lines, at most `count`."""
        total = self.shown_line_count
        first = max(0, total - count)
        return self.lines(first, total - first)

    def close(self) -> None:
        """Lets go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()

    def _reset(self, holes: list[tuple[int, int]]) -> None:
        self._holes = holes
        self._offsets = array("Q", [0])
        self._shown = array("Q", [0])
        self._trusted = bytearray([1])
        self._counter = LineCounter(self._classes)

    def _keep(self, record: Record) -> None:
        self._offsets.append(record.offset)
        self._shown.append(record.shown)
        self._trusted.append(record.is_trusted)

    def _adopt_index(self, size: int) -> None:
        """Takes over what the engine has written, from where our own count stands."""
        records = _read_index(self._paths[1], len(self._offsets) - 1)
        last = Record(self._offsets[-1], self._shown[-1], bool(self._trusted[-1]))
        for record in records or ():
            if record.offset <= last.offset or record.offset > size or record.shown < last.shown:
                records = None
                break
            last = record
        if records and os.pread(self._fd, 1, records[-1].offset - 1) != b"\n":
            records = None
        if records is None:
            self._is_index_good = False
            self._reset(self._holes)
            return
        for record in records:
            self._keep(record)
        if records:
            self._counter = LineCounter(self._classes, records[-1])

    def _scan(self, size: int, limit_bytes: int | None) -> None:
        counter = self._counter
        end = size if limit_bytes is None else min(size, counter.offset + limit_bytes)
        while counter.offset < end:
            hole = next((h for h in self._holes if h[0] >= counter.offset), (size, size))
            if hole[0] == counter.offset:
                self._keep(counter.skip_hole(hole[1]))
                continue
            chunk = os.pread(self._fd, min(_READ_BYTES, min(hole[0], end) - counter.offset), counter.offset)
            if not chunk:
                return
            for record in counter.feed(chunk):
                self._keep(record)


class _LineReader:
    """Collects the lines of one request."""

    def __init__(self, fd: int, holes: list[tuple[int, int]], size: int, classes: Classes) -> None:
        self._fd = fd
        self._holes = holes
        self._size = size
        self._classes = classes
        self._lines: list[bytes] = []
        self._open = b""

    def read(self, start: Record, first: int, count: int) -> list[bytes]:
        projection = make_projection(self._classes) if start.is_trusted else None
        pos, number = start.offset, start.shown
        lines = self._lines
        while pos < self._size and len(lines) < count:
            hole = next((h for h in self._holes if h[0] >= pos), (self._size, self._size))
            if hole[0] == pos:
                removed = b"[removed %s here]" % _size_words(hole[1] - hole[0])
                seen = (b"\n" if self._open else b"") + removed + b"\n"
                pos, projection = hole[1], None
            else:
                seen = os.pread(self._fd, min(EVERY_BYTES, hole[0] - pos), pos)
                if not seen:
                    break
                pos += len(seen)
                if projection is not None:
                    seen = projection.feed(seen)
            number += self._take(seen, first - number)
        if self._open and len(lines) < count and number >= first:
            lines.append(_last_state(self._open))
        return lines[:count]

    def _take(self, seen: bytes, skip: int) -> int:
        """Adds the lines that `seen` ends, without the next `skip` of them; gives how many it ended."""
        ended = seen.count(b"\n")
        if ended and ended <= skip:
            self._open = _grow(b"", seen[seen.rfind(b"\n") + 1 :])
            return ended
        parts = seen.split(b"\n")
        for i, part in enumerate(parts[:-1]):
            if i >= skip:
                self._lines.append(_last_state(_grow(self._open, part)))
            self._open = b""
        self._open = _grow(self._open, parts[-1])
        return ended


def _grow(line: bytes, part: bytes) -> bytes:
    """The line with more of it, bounded; what a `\\r` has made invisible is let go."""
    cut = part.rstrip(b"\r").rfind(b"\r")
    if cut >= 0 or (line.endswith(b"\r") and part.strip(b"\r")):
        return part[cut + 1 :][:MAX_LINE_BYTES]
    return (line + part)[:MAX_LINE_BYTES] if len(line) < MAX_LINE_BYTES else line


def _last_state(line: bytes) -> bytes:
    return line.rstrip(b"\r").rpartition(b"\r")[2]


def _find_holes(fd: int, status: os.stat_result) -> list[tuple[int, int]]:
    """Runs of the file that take no space, in order."""
    holes: list[tuple[int, int]] = []
    pos = 0
    try:
        while (start := os.lseek(fd, pos, os.SEEK_HOLE)) < status.st_size:
            pos = status.st_size
            try:
                pos = os.lseek(fd, start, os.SEEK_DATA)
            finally:
                holes.append((start, pos))
    except OSError:
        return holes
    return holes


def _read_index(path: str, known: int) -> list[Record] | None:
    """The records of an index behind the first `known`; None where it is not ours."""
    try:
        with open(path, "rb") as file:
            head = file.read(len(MAGIC))
            file.seek(len(MAGIC) + known * _RECORD.size)
            content = file.read()
    except OSError:
        return []
    if head != MAGIC:
        return None if head else []
    numbers = array("Q", content[: len(content) // _RECORD.size * _RECORD.size])
    if sys.byteorder == "big":
        numbers.byteswap()
    rows = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
    return [Record(offset, shown, bool(flags & _TRUSTED)) for offset, shown, flags in rows]


def _size_words(size: int) -> bytes:
    for unit, name in ((10**9, b"GB"), (10**6, b"MB"), (10**3, b"KB")):
        if size >= unit:
            return b"%.1f %s" % (size / unit, name)
    return b"%d bytes" % size
