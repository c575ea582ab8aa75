"""When the lines of a log came: from the engine's notes of how many there were at which moment."""

import os
import re
from array import array
from bisect import bisect_right

_GREW = re.compile(
    rb'^\{"event": ?"OutputGrew", ?"at": ?([0-9.]{1,20}), ?"stream": ?"(out|err)", ?"shown_lines": ?([0-9]{1,10}),',
    re.MULTILINE,
)
"""As `core.journal` and recordings write it."""
_BYTES = 1 << 20


class Stamps:
    """Times of the lines of one run, to a tick of the engine (a tenth of a second). 12 bytes a tick."""

    def __init__(self, journal: str) -> None:
        self._path = journal
        self._offset = 0
        self._counts = {b"out": array("I"), b"err": array("I")}
        self._times = {b"out": array("d"), b"err": array("d")}

    def grow(self) -> bool:
        """Read what was added to the journal; True where more times are known. One `stat` where nothing was."""
        before = sum(map(len, self._counts.values()))
        self._read()
        return sum(map(len, self._counts.values())) != before

    def _read(self) -> None:
        try:
            size = os.stat(self._path).st_size
            if size < self._offset:
                self.__init__(self._path)  # type: ignore[misc]
            if size == self._offset:
                return
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                while content := file.read(_BYTES):
                    content = content[: content.rfind(b"\n") + 1] or content + file.readline()
                    if not content.endswith(b"\n"):
                        return  # torn: it is still being written
                    self._take(content)
                    self._offset += len(content)
                    file.seek(self._offset)
        except OSError:
            return

    def _take(self, content: bytes) -> None:
        for at, stream, count in _GREW.findall(content):
            counts = self._counts[stream]
            if not counts or int(count) > counts[-1]:
                counts.append(int(count))
                self._times[stream].append(float(at))

    def time_of(self, stream: str, line: int) -> float | None:
        """When a line (from 0) was first seen, seconds since the epoch; None: not noted (yet)."""
        counts = self._counts[stream.encode()]
        at = bisect_right(counts, line)
        return self._times[stream.encode()][at] if at < len(counts) else None

    def lines_until(self, stream: str, at: float) -> int:
        """How many lines had come at a moment."""
        index = bisect_right(self._times[stream.encode()], at)
        return self._counts[stream.encode()][index - 1] if index else 0

    def parts(self, stream: str, since: int, until: float) -> list[tuple[float, int, int]]:
        """Time, first line and number of lines of each note from number `since` on that was made by a moment."""
        counts, times = self._counts[stream.encode()], self._times[stream.encode()]
        found = []
        for index in range(since, bisect_right(times, until)):
            first = counts[index - 1] if index else 0
            found.append((times[index], first, counts[index] - first))
        return found
