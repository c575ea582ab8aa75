"""What is selected in a log: from a character of a line to one of another, or whole lines. Pure."""

from dataclasses import dataclass, replace
from typing import NamedTuple


class Place(NamedTuple):
    """A character of what is drawn of a line."""

    line: int
    character: int


@dataclass(frozen=True, slots=True)
class Selection:
    """From where it began to where it was dragged."""

    anchor: Place
    head: Place
    is_lines: bool = False
    """Whole lines."""

    def to(self, head: Place) -> "Selection":
        """The same, dragged elsewhere."""
        return replace(self, head=head)

    @property
    def first(self) -> Place:
        """Its upper end."""
        return min(self.anchor, self.head)

    @property
    def last(self) -> Place:
        """Its lower end; that character is part of it."""
        return max(self.anchor, self.head)

    def span(self, line: int, length: int) -> tuple[int, int] | None:
        """The characters of a line, of so many, that are selected; None: none is."""
        first, last = self.first, self.last
        if not first.line <= line <= last.line:
            return None
        if self.is_lines:
            return 0, length
        start = first.character if line == first.line else 0
        end = last.character + 1 if line == last.line else length
        return min(start, length), min(end, length)
