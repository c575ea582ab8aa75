"""Which lines of a log are shown, counted at C speed: what the index of `core.logfile` is made of.

Which bytes are shown is what `core.parsers.projection` says, so that a view and the caller's terminal agree.
"""

from typing import NamedTuple

from core.parsers.projection import Projection

EVERY_BYTES = 1 << 16
"""Of log between two records, at least; the next line start makes the record."""


class Classes(NamedTuple):
    """What besides text a log may hold."""

    has_json: bool
    """Messages that are ours."""
    has_progress: bool
    """Cargo's progress line."""


class Record(NamedTuple):
    """A line start: its offset, the number of shown lines before it, whether cargo still speaks there."""

    offset: int
    shown: int
    is_trusted: bool


def classes_of(stream: str, *, is_split: bool, json: str, parser: str) -> Classes:
    """What the log of a stream holds, by the words of `run.json`."""
    has_bar = parser != "generic"
    if not is_split:
        return Classes(json == "ours", has_bar)
    return Classes(json == "ours", False) if stream == "out" else Classes(False, has_bar)


class LineCounter:
    """Counts the shown lines of a log, from a line start on."""

    def __init__(self, classes: Classes, start: Record | None = None) -> None:
        start = start or Record(0, 0, is_trusted=True)
        self.offset = start.offset
        self._shown = start.shown
        self._is_open = False
        self._mark = start.offset + EVERY_BYTES
        self._projection = make_projection(classes) if start.is_trusted else None

    @property
    def shown_lines(self) -> int:
        """Lines that a person would count, with the one that is not ended yet."""
        return self._shown + self._is_open

    @property
    def is_open(self) -> bool:
        """The last shown line is not ended yet."""
        return self._is_open

    def feed(self, chunk: bytes) -> list[Record]:
        """Takes the next bytes; gives the records that are due."""
        records: list[Record] = []
        base, pos = self.offset, 0
        while True:
            seek = max(pos, self._mark - 1 - base)
            newline = chunk.find(b"\n", seek) if seek < len(chunk) else -1
            if newline < 0:
                break
            self._count(chunk[pos : newline + 1])
            pos = newline + 1
            self._mark = base + pos + EVERY_BYTES
            records.append(Record(base + pos, self._shown, self._projection is not None))
        if pos < len(chunk):
            self._count(chunk[pos:])
        self.offset = base + len(chunk)
        return records

    def skip_hole(self, end: int) -> Record:
        """Passes what was removed from the log, which counts as one line; gives the record behind it."""
        self._shown += self._is_open + 1
        self._is_open = False
        self._projection = None
        self.offset = end
        self._mark = end + EVERY_BYTES
        return Record(end, self._shown, is_trusted=False)

    def _count(self, part: bytes) -> None:
        projection = self._projection
        if projection is not None:
            part = projection.feed(part)
            if not projection.is_trusting:
                self._projection = None
        if part:
            self._shown += part.count(b"\n")
            self._is_open = not part.endswith(b"\n")


def make_projection(classes: Classes) -> Projection | None:
    """What a view sees of a log; None: all of it."""
    if not (classes.has_json or classes.has_progress):
        return None
    return Projection(cut_json=classes.has_json, cut_progress=classes.has_progress)
