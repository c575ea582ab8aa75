"""A whole log, drawn from its file: only the lines on screen are read."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from textual.binding import Binding
from textual.geometry import Size
from textual.strip import Strip

from tui.bindings import LOG, bindings
from tui.widgets.ansi import line_segments
from tui.widgets.look import Glyphs, pad
from tui.widgets.painted import PaintedScroll

LINE_COLUMNS = 4096
"""A line is drawn up to here."""


class LineStore(Protocol):
    """Lines by number, on disk."""

    def grow(self) -> int:
        """How many lines there are now."""

    def lines(self, first: int, count: int) -> Sequence[str]:
        """Sanitised lines, SGR kept; fewer at the end."""


class LogView(PaintedScroll):
    """Lines of a store, following its end until one scrolls up."""

    BINDINGS: ClassVar[list[Binding]] = bindings(LOG)  # type: ignore[assignment]

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="log")
        self._store: LineStore | None = None
        self._lines = 0
        self._strips: dict[int, Strip] = {}
        self.is_following = True

    def open(self, store: LineStore) -> None:
        """Show another log, at its end."""
        self._store, self._lines = store, 0
        self.is_following = True
        self._strips.clear()
        self.grow()
        self.refresh()

    def grow(self) -> None:
        """Look whether the log got longer."""
        if self._store is None:
            return
        lines = self._store.grow()
        if lines == self._lines:
            return
        self._strips.pop(self._lines - 1, None)
        is_shorter = lines < self._lines
        self._lines = lines
        if is_shorter:
            self._strips.clear()
        self.virtual_size = Size(self.size.width, lines)
        if self.is_following:
            self.follow()
        self.refresh()

    @property
    def line_count(self) -> int:
        """Lines there are."""
        return self._lines

    @property
    def lines_below(self) -> int:
        """Lines below what is visible."""
        return max(0, self._lines - self.scroll_offset.y - self.size.height)

    def follow(self) -> None:
        """Keep to the end from now on."""
        self.is_following = True
        self.scroll_end(animate=False, immediate=True)

    def leave_end(self) -> None:
        """Stay where one is."""
        self.is_following = False

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.is_following = new_value >= self.max_scroll_y or (self.is_following and new_value >= old_value)

    def on_resize(self) -> None:
        self._strips.clear()
        self.virtual_size = Size(self.size.width, self._lines)
        if self.is_following:
            self.follow()

    def forget_drawn(self) -> None:
        self._strips.clear()

    def action_follow(self) -> None:
        self.follow()

    def action_home(self) -> None:
        self.scroll_home(animate=False)
        self.leave_end()

    def action_scroll(self, lines: int) -> None:
        self.scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        self.scroll_relative(y=pages * max(1, self.size.height - 1), animate=False)

    def render_line(self, y: int) -> Strip:
        base = self.base
        number, width = y + self.scroll_offset.y, self.size.width
        if number >= self._lines or self._store is None:
            return Strip.blank(width, base)
        if number not in self._strips:
            self._read(number)
        strip = self._strips.get(number)
        return strip if strip is not None else Strip.blank(width, base)

    def _read(self, first: int) -> None:
        """Draw the lines from one on, as many as the screen holds; lines far away are dropped."""
        if self._store is None:
            return
        base, width, height = self.base, self.size.width, max(1, self.size.height)
        if len(self._strips) > 8 * height:
            self._strips.clear()
        for offset, line in enumerate(self._store.lines(first, height)):
            segments = line_segments(self.look.drawable(line), width - 1, base)
            self._strips[first + offset] = Strip(pad(segments, width, base), width)
