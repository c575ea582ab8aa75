"""A window over a log: which of its lines are on screen, and how they get there. Only those are read."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from core.search import Pattern, SearchError
from tui.widgets.log_laid import LaidLines
from tui.widgets.log_lines import LineStore, ShownLines
from tui.widgets.log_pen import LogPen, Row
from tui.widgets.log_selection import Selection
from tui.widgets.look import Glyphs
from tui.widgets.painted import PaintedScroll

SIDEWAYS = 16
"""Cells of a step to the side."""


class LogCanvas(PaintedScroll):
    """Lines of a store, following its end until one scrolls up.

    Positions are lines, not rows of the screen: a resize or a change of wrapping keeps the line at the top.
    """

    ALLOW_SELECT: ClassVar[bool] = False

    class Moved(Message):
        """Another part is seen, or another line is the current one."""

    class PatternFailed(Message):
        """What is highlighted cannot be found in time, and is not highlighted any more."""

        def __init__(self, why: str) -> None:
            super().__init__()
            self.why = why

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="log")
        self.is_following = True
        self.wraps = False
        self.is_bare = False
        """Text alone: no signs before it, so that the terminal's own selection takes nothing else."""
        self.stamp: Callable[[int], str] | None = None
        """Text before each line, of a fixed width: its time."""
        self.label: Callable[[int], tuple[str, str]] | None = None
        """Whose each line is, in a fixed width, and the role of that."""
        self.pattern: Pattern | None = None
        """What is highlighted."""
        self.current: int | None = None
        """The line that one stands at: found, clicked, or gone to."""
        self.marks: set[int] = set()
        self.selection: Selection | None = None
        self.lines = ShownLines()
        self._told = 0
        """How many of these there were when they were drawn."""
        self._top, self._skip, self._left = 0, 0, 0
        self._rows: list[Row] | None = None
        self._laid = LaidLines()

    # What is shown

    def open(self, store: LineStore) -> None:
        """Show another log, at its end."""
        self.lines = ShownLines(store)
        self._top = self._skip = self._left = 0
        self.current, self.selection = None, None
        self.marks.clear()
        self.is_following = True
        self.redraw()
        self.grow()

    def grow(self) -> None:
        """Look whether the log got longer; what is on screen is painted again only where it changed."""
        before = self.lines.grow()
        if before is None:
            return
        if self.lines.total < before:
            self.redraw()
        self._laid.forget(before - 1)
        if not self.is_filtered:
            self._reach(before)

    def _reach(self, before: int) -> None:
        """The shown lines are more than they were."""
        if self.is_following or before <= self._top + self._height:
            self._refresh_rows()
        self._tell_size()

    def show_only(self, lines: Sequence[int] | None) -> None:
        """Show these lines alone (ascending; more may come to it), or all of them; one stays where one was."""
        at, self.selection = self.top_line, None
        self.lines.only, self._told = lines, len(lines) if lines is not None else 0
        self._top, self._skip = self.lines.place(at), 0
        if self.is_following:
            self.follow()
        self.redraw()
        self._tell_size()

    @property
    def is_filtered(self) -> bool:
        """Not all lines are shown."""
        return self.lines.only is not None

    def lines_found(self, top: int) -> None:
        """There may be more of the lines that are shown alone, above and below; `top` was the line at the top."""
        if not self.is_filtered or self.count == self._told:
            return
        before, self._told = self._told, self.count
        if not self.is_following:
            self._top, self._skip = self.lines.place(top), 0
        self._reach(before)

    @property
    def line_count(self) -> int:
        """Lines there are."""
        return self.lines.total

    @property
    def count(self) -> int:
        """Lines that are shown: all, or some of them."""
        return self.lines.count

    @property
    def top_line(self) -> int:
        """Number of the line at the top of the screen."""
        return self.lines.at(self._top) if self._top < self.count else 0

    @property
    def lines_below(self) -> int:
        """Shown lines below the screen."""
        rows = self._visible()
        return max(0, self.count - 1 - self.lines.place(rows[-1].line)) if rows else 0

    @property
    def visible_lines(self) -> range:
        """Numbers of the first and last line on screen."""
        rows = self._visible()
        return range(rows[0].line, rows[-1].line + 1) if rows else range(0)

    @property
    def here(self) -> int:
        """Where one is: the current line if it is on screen, else the one at the top."""
        is_seen = any(row.line == self.current for row in self._visible())
        return self.current if is_seen and self.current is not None else self.top_line

    # Where one is

    def follow(self) -> None:
        """Keep to the end from now on."""
        self.is_following = True
        self._refresh_rows()

    def go_home(self) -> None:
        """Show the first lines, and stay there."""
        self.is_following = False
        self._top = self._skip = 0
        self._refresh_rows()

    def go_to(self, line: int) -> None:
        """Make a line the current one, a third below the top where it was not seen."""
        if not self.count:
            return
        index = min(max(0, self.lines.place(line)), self.count - 1)
        self.current = self.lines.at(index)
        self.is_following = False
        if self.current not in [row.line for row in self._visible()]:
            self._top, self._skip = max(0, index - self._height // 3), 0
        self._show_sideways()
        self.redraw()

    def _show_sideways(self) -> None:
        """What is found in the current line is not left of the screen or right of it."""
        if self.wraps or self.current is None:
            return
        cell, columns = self.pen.cell_of_found(self.plain(self.current)), self.pen.columns
        if cell is not None and not self._left <= cell < self._left + columns - 1:
            self._left = max(0, cell - columns // 2)

    def move(self, rows: int) -> None:
        """Scroll by rows of the screen; at the end it follows again."""
        self._visible()
        self.is_following = False
        if self.wraps:
            self._move_wrapped(rows)
        else:
            self._top = self._top + rows
        self._clamp()
        if rows > 0 and self._is_at_end():
            self.is_following = True
        self._refresh_rows()

    def _move_wrapped(self, rows: int) -> None:
        self._skip += rows
        while self._skip < 0 and self._top > 0:
            self._top -= 1
            self._skip += len(self._lay(self._top))
        while self._top < self.count and self._skip >= (many := len(self._lay(self._top))):
            self._top += 1
            self._skip -= many
        self._skip = max(0, self._skip)

    def _clamp(self) -> None:
        """Neither above the first line nor so far down that rows stay empty."""
        end = self._end()
        self._top, self._skip = max((0, 0), min((self._top, self._skip), end))

    def _is_at_end(self) -> bool:
        return (self._top, self._skip) >= self._end()

    def _end(self) -> tuple[int, int]:
        """Top line, and rows of it above the screen, when the last row is at the bottom."""
        if not self.wraps:
            return max(0, self.count - self._height), 0
        index, room = self.count, self._height
        while index > 0 and room > 0:
            index -= 1
            room -= len(self._lay(index))
        return index, max(0, -room)

    def sideways(self, steps: int) -> None:
        """Scroll to the side, where lines are not wrapped."""
        if not self.wraps:
            self._left = max(0, self._left + steps * SIDEWAYS)
            self.redraw()

    def show_wrapped(self, wraps: bool) -> None:
        """Wrap long lines, or cut them at the screen's edge."""
        self.wraps = wraps
        self._skip = self._left = 0
        self.redraw()

    def highlight(self, pattern: Pattern | None) -> None:
        """Show what a pattern matches."""
        self.pattern = pattern
        self.redraw()

    def show_stamps(self, stamp: Callable[[int], str] | None) -> None:
        """Show a time before each line, or none."""
        self.stamp = stamp
        self.redraw()

    def show_bare(self, is_bare: bool) -> None:
        """Show text without signs and scroll bar."""
        self.is_bare = is_bare
        self.set_class(is_bare, "-bare")
        self.redraw()

    # Drawing

    def redraw(self) -> None:
        """Draw all rows again: they look otherwise."""
        self._laid.clear()
        self._refresh_rows()

    def _refresh_rows(self) -> None:
        self._rows = None
        self.refresh()
        self.post_message(self.Moved())

    def forget_drawn(self) -> None:
        self._laid.clear()
        self._rows = None

    def on_resize(self) -> None:
        self._skip = 0
        self.redraw()
        self._tell_size()

    @property
    def _height(self) -> int:
        return max(1, self.scrollable_content_region.height)

    @property
    def pen(self) -> LogPen:
        """How lines are drawn now."""
        width = self.scrollable_content_region.width
        return LogPen(
            look=self.look, width=width, wraps=self.wraps, left=self._left, stamp=self.stamp, label=self.label,
            pattern=self.pattern, current=self.current, marks=self.marks, selection=self.selection,
            has_gutter=not self.is_bare,
        )  # fmt: skip

    def _visible(self) -> list[Row]:
        """The rows on screen."""
        if self._rows is None:
            if self.is_following:
                self._top, self._skip = self._end()
            self._clamp()
            self._rows = self._collect()
            self._place_bar()
        return self._rows

    def _collect(self) -> list[Row]:
        rows: list[Row] = []
        index, height = self._top, self._height
        while len(rows) < height and index < self.count:
            rows += self._lay(index)[self._skip if index == self._top else 0 :]
            index += 1
        return rows[:height]

    def render_line(self, y: int) -> Strip:
        rows = self._visible()
        return rows[y].strip if y < len(rows) else self.blank()

    def _lay(self, index: int) -> list[Row]:
        """The rows of a shown line."""
        return self._laid.rows(self.lines, self.lines.at(index), self._height, self._draw)

    def _draw(self, line: int, text: str) -> list[Row]:
        try:
            return self.pen.rows(line, text)
        except SearchError as error:
            self.pattern = None
            self.post_message(self.PatternFailed(str(error)))
            return self.pen.rows(line, text)

    def plain(self, line: int) -> str:
        """What is drawn of a line."""
        found = self.lines.read(line, 1)
        return self.pen.text(found[0]) if found else ""

    # The scroll bar: always there, so that a log that grows moves nothing else

    def _tell_size(self) -> None:
        size = Size(self.scrollable_content_region.width, self.count)
        if size != self.virtual_size:
            self.set_reactive(ScrollView.virtual_size, size)
            self.vertical_scrollbar.window_virtual_size = size.height
            self.vertical_scrollbar.window_size = self._height

    def _place_bar(self) -> None:
        at = float(min(self._top, max(0, self.count - self._height)))
        self.set_reactive(ScrollView.scroll_y, at)
        self.set_reactive(ScrollView.scroll_target_y, at)
        if self.vertical_scrollbar.position != at:
            self.vertical_scrollbar.position = at

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """The bar was dragged."""
        super().watch_scroll_y(old_value, new_value)
        self.is_following = False
        self._top, self._skip = round(new_value), 0
        self.is_following = self._is_at_end()
        self._refresh_rows()
