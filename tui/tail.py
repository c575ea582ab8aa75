"""The last lines of runs' logs, read from the files themselves when they grew."""

import os
from array import array

from core.paths import Paths
from core.state import Run

_READ_BYTES = 64 << 10


class Tails:
    """Last lines by run; a log that did not grow costs one `stat`."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._seen: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {}

    def __call__(self, run: Run, count: int) -> tuple[str, ...]:
        """The last lines of a run's log, oldest first; the same object while the log did not grow."""
        folder = self._paths.run(run.run)
        names = [folder + "/out.log", folder + "/err.log"] if run.is_split else [folder + "/out.log"]
        key = (count, *(_size(name) for name in names))
        seen = self._seen.get(run.run)
        if seen is not None and seen[0] == key:
            return seen[1]
        lines: list[str] = []
        for name in names:
            lines += _tail(name, count)
        self._seen[run.run] = key, tuple(lines[-count:])
        return self._seen[run.run][1]

    def path(self, run: Run, stream: str) -> str:
        """Where a log lies."""
        return f"{self._paths.run(run.run)}/{stream}.log"

    def store(self, run: Run, stream: str) -> "Lines":
        """A whole log, by line."""
        return Lines(self.path(run, stream))


class Lines:
    """Lines of a file by number: offsets in memory, text on disk."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._starts = array("Q", [0])
        self._size = 0

    def grow(self) -> int:
        try:
            with open(self._path, "rb") as file:
                file.seek(self._size)
                chunk = file.read()
        except OSError:
            return 0
        at = chunk.find(b"\n")
        while at >= 0:
            self._starts.append(self._size + at + 1)
            at = chunk.find(b"\n", at + 1)
        self._size += len(chunk)
        return len(self._starts) - (self._starts[-1] == self._size)

    def lines(self, first: int, count: int) -> list[str]:
        starts = self._starts
        end = starts[first + count] if first + count < len(starts) else self._size
        with open(self._path, "rb") as file:
            file.seek(starts[first])
            return file.read(end - starts[first]).decode(errors="replace").removesuffix("\n").split("\n")


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _tail(path: str, count: int) -> list[str]:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, 2) - _READ_BYTES))
            content = file.read()
    except OSError:
        return []
    return content.decode(errors="replace").rstrip("\n").split("\n")[-count:]
