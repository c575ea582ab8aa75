"""What a watch prints: on a terminal its lines fit there, and below them stands what goes on now."""

import os
import sys
from collections.abc import Callable, Iterator

from tui import format as f
from tui.cli import common

_BEHIND_CLOCK = 10
"""Cells of `20:53:56  `, below which the rest of a line goes on."""
_LEAST_INDENTED = 40
"""Columns of a terminal in which rows are indented."""
_GLUE = "\ue000"
"""Stands for a blank at which no row ends."""
_ERASED = "\r\x1b[K"


class Lines:
    """Prints them, one after the other. `room`: columns of the terminal; None: there is none."""

    def __init__(self, room: Callable[[], int | None] = common.room) -> None:
        self._room = room
        self._now = ""
        """What goes on, as it stands below the last line of a terminal; empty: nothing does."""
        self._is_open = False
        """A line was begun, whose end is what the test says; on a terminal that comes below it."""

    @property
    def is_open(self) -> bool:
        """What the test says is still to come."""
        return self._is_open

    def say(self, text: str, *, is_open: bool = False, goes_on: bool = False) -> None:
        """A line of ours, or its beginning (`is_open`), or more of it (`goes_on`), which a terminal gets as a line."""
        was_open, self._is_open = self._is_open, is_open
        width = self._room()
        if width is not None:
            self._print("\n".join(laid(f"{' ' * _BEHIND_CLOCK * goes_on}{text.lstrip()}", width)))
            return
        before = "\n" if was_open and not goes_on else ""
        common.print_text(before + text, end="" if is_open else "\n")

    def quote(self, text: str) -> None:
        """A line of somebody else, as it is."""
        before = "\n" if self._is_open and self._room() is None else ""
        self._is_open = False
        self._print(before + text)

    def show(self, text: str) -> None:
        """What goes on from now on; empty: nothing does."""
        width = self._room()
        if width is None or os.environ.get("TERM", "dumb") == "dumb":
            return
        self._erase()
        self._now = text
        common.print_text(f.cut_name(text, width - 1), end="")

    def _print(self, text: str) -> None:
        now = self._now
        self._erase()
        common.print_text(text)
        if now:
            self.show(now)

    def _erase(self) -> None:
        if self._now:
            sys.stdout.write(_ERASED)
            sys.stdout.flush()
            self._now = ""


def laid(text: str, width: int) -> Iterator[str]:
    """A line as rows of a terminal, which part behind a `·` where they can."""
    indent = _BEHIND_CLOCK if width >= _LEAST_INDENTED else 0
    first, *parts = text.split(" · ")
    glued = f"{_GLUE}· ".join([first, *(part.replace(" ", _GLUE) for part in parts)])
    head = next(f.wrapped(glued, width))
    yield head.replace(_GLUE, " ")
    if rest := glued[len(head) :].lstrip(" "):
        for row in f.wrapped(rest, width - indent):
            yield " " * indent + row.replace(_GLUE, " ")
