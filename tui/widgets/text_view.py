"""Some lines of text that are wrapped to the width, and scroll."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from textual.geometry import Size
from textual.strip import Strip

from tui.format import cut_name, wrapped
from tui.widgets.ansi import safe
from tui.widgets.look import Glyphs
from tui.widgets.painted import PaintedScroll
from tui.widgets.table_view import Cell

_INDENT = 1


class Frame(NamedTuple):
    """A line of a drawing: cut where it is too long, so that what stands above each other stays so."""

    text: str
    role: str = "text"


class TextView(PaintedScroll):
    """Text; what does not fit the width goes on in the next row."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(glyphs, id=id)
        self._lines: Sequence[Cell | Frame] = ()
        self._rows: list[Cell] = []

    @property
    def overflows(self) -> bool:
        """Not all of it is seen."""
        return len(self._rows) > self.size.height

    def show(self, lines: Sequence[Cell | Frame]) -> None:
        """Show this text, from its beginning where it is another one."""
        if lines == self._lines:
            return
        is_other = lines[:1] != self._lines[:1]
        self._lines = lines
        self._wrap()
        if is_other:
            self.scroll_to(y=0, animate=False, immediate=True, force=True)

    def on_resize(self) -> None:
        self._wrap()

    def _wrap(self) -> None:
        width = max(1, self.scrollable_content_region.width - _INDENT)
        self._rows = [Cell(part, line.role) for line in self._lines for part in _parts(line, width)]
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._rows))
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        index = y + self.scroll_offset.y
        if index >= len(self._rows):
            return self.blank()
        row = self._rows[index]
        return Strip([self.segment(" " * _INDENT + row.text, row.role)]).adjust_cell_length(self.size.width, self.base)


def _parts(line: Cell | Frame, width: int) -> Iterator[str]:
    text = safe(line.text)
    return iter((cut_name(text, width),)) if isinstance(line, Frame) else wrapped(text, width)


class QuietText(TextView, can_focus=False):
    """Text that nobody stands in."""
