"""Which lines of a store are shown: all of them, or some alone."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

from core.search import Searchable


class LineStore(Searchable, Protocol):
    """Lines by number, on disk."""

    def grow(self) -> bool:
        """Take notice of what was added; True where something was, if only to the last line."""

    def lines(self, first: int, count: int) -> Sequence[str]:
        """Sanitised lines, SGR kept; fewer at the end."""


class ShownLines:
    """The lines of a store by their place on the canvas; without a store there are none."""

    def __init__(self, store: LineStore | None = None) -> None:
        self.store = store
        self.total = 0
        """Lines there are, as of the last `grow`."""
        self.only: Sequence[int] | None = None
        """Numbers of those that are shown alone, ascending; None: all are."""

    def grow(self) -> int | None:
        """Look whether there are more; how many there were before, None where nothing changed."""
        if self.store is None or not self.store.grow():
            return None
        before, self.total = self.total, self.store.shown_line_count
        return before

    @property
    def count(self) -> int:
        """Lines that are shown."""
        return self.total if self.only is None else len(self.only)

    def at(self, place: int) -> int:
        """Number of the line at a place."""
        return place if self.only is None else self.only[place]

    def place(self, line: int) -> int:
        """Place of a line, or of the next one that is shown."""
        return line if self.only is None else bisect_left(self.only, line)

    def read(self, line: int, count: int) -> Sequence[str]:
        """A line, and neighbours that will be wanted too."""
        if self.store is None:
            return ()
        return self.store.lines(line, count if self.only is None else 1)
