"""One line of pieces at the top or the bottom of a screen; painted when its words change."""

from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.widgets.look import Glyphs, pad
from tui.widgets.painted import Painted


class Part(NamedTuple):
    """Some words of a line."""

    text: str
    role: str
    action: str = ""
    """What a click does."""


class StatusLine(Painted):
    """Parts from the left, parts at the right; what does not fit at the left is left out whole."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002
        super().__init__(glyphs, id=id)
        self._left: tuple[Part, ...] = ()
        self._right: tuple[Part, ...] = ()

    @property
    def words(self) -> str:
        """What it says, as text."""
        return "".join(part.text for part in (*self._left, *self._right))

    def say(self, left: tuple[Part, ...], right: tuple[Part, ...] = ()) -> None:
        """Show these parts."""
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self.refresh()

    def render_line(self, y: int) -> Strip:
        base, width = self.base, self.size.width
        right = [self._part(part) for part in self._right]
        room = width - sum(s.cell_length for s in right) - (1 if right else 0)
        left: list[Segment] = []
        for part in self._left:
            room -= cell_len(part.text)
            if room < 0:
                break
            left.append(self._part(part))
        left = pad(left, width - sum(s.cell_length for s in right), base)
        return Strip([*left, *right]).adjust_cell_length(width, base)

    def _part(self, part: Part) -> Segment:
        style = self.look.plain[part.role]
        if part.action:
            style += Style(meta={"@click": part.action})
        return Segment(self.look.drawable(part.text), style)
