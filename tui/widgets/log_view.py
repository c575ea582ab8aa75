"""A log whose lines can be marked, and whose text selected, with the mouse or by lines."""

from typing import NamedTuple

from textual import events

from core.parsers.text import strip_sgr
from tui.widgets.log_canvas import LogCanvas
from tui.widgets.log_rows import place_at
from tui.widgets.log_selection import Place, Selection

_COPY_LINES = 10_000
"""Read at once when many lines are copied."""
_MOST_CHARACTERS = 64 << 20
"""More than this is copied to nowhere: the file itself is named."""


class Stand(NamedTuple):
    """Where one is in a log."""

    top: int
    """The line at the top."""
    current: int | None
    is_following: bool


class LogView(LogCanvas):
    """The mouse selects in this view alone; lines are selected by moving on from where one stands."""

    @property
    def stand(self) -> Stand:
        """Where one is, to come back to it."""
        return Stand(self.top_line, self.current, self.is_following)

    def come_back(self, stand: Stand) -> None:
        """Be there again."""
        self._top, self._skip, self._left = self.lines.place(stand.top), 0, 0
        self.current, self.is_following = stand.current, stand.is_following
        self.redraw()

    def toggle_mark(self) -> None:
        """Mark the current line, or take its mark away."""
        if self.count:
            self.current = self.here
            self.marks ^= {self.current}
            self.redraw()

    def go_to_next_mark(self) -> bool:
        """Go to the next marked line, round the end; False: there is none."""
        at = self.here if self.here == self.current else self.here - 1
        line = min(self.marks, key=lambda mark: (mark <= at, mark), default=None)
        if line is not None:
            self.go_to(line)
        return line is not None

    def select_lines(self) -> None:
        """Begin to select whole lines, at the current one; once more: stop."""
        if self.selection is not None:
            self.clear_selection()
            return
        if self.count:
            self.selection = Selection(Place(self.here, 0), Place(self.here, 0), is_lines=True)
            self.is_following = False
            self.redraw()

    def extend_selection(self, by: int) -> None:
        """Move the loose end of selected lines, and keep it on screen."""
        if self.selection is None or not self.count:
            return
        index = min(max(0, self.lines.place(self.selection.head.line) + by), self.count - 1)
        line = self.lines.at(index)
        self.selection = self.selection.to(Place(line, 0))
        seen = self.visible_lines
        if line not in seen:
            self.move(by if abs(by) > 1 or not seen else line - (seen[-1] if line > seen[-1] else seen[0]))
            self.is_following = False
        self.redraw()

    def clear_selection(self) -> None:
        """Select nothing."""
        if self.selection is not None:
            self.selection = None
            self.redraw()

    @property
    def selected_line_count(self) -> int:
        """Shown lines that are selected, if only a part of them."""
        if self.selection is None:
            return 0
        return self.lines.place(self.selection.last.line + 1) - self.lines.place(self.selection.first.line)

    def selected_text(self) -> str | None:
        """What is selected, else the current line, without colours; None: there is neither, or too much to hold."""
        if self.selection is None:
            return None if self.current is None else self._text(self.current, self.current)
        first, last = self.selection.first, self.selection.last
        if self.selection.is_lines:
            return self._text(first.line, last.line)
        if first.line == last.line:
            return self.plain(first.line)[first.character : last.character + 1]
        head = self.plain(first.line)[first.character :]
        tail = self.plain(last.line)[: last.character + 1]
        between = self._read(first.line + 1, last.line - 1)
        return None if between is None else "\n".join([head, *between, tail])

    def all_text(self) -> str | None:
        """All that is shown; None: it is too much to hold."""
        return self._text(0, self.lines.total - 1)

    def _text(self, first: int, last: int) -> str | None:
        lines = self._read(first, last)
        return None if lines is None else "\n".join(lines)

    def _read(self, first: int, last: int) -> list[str] | None:
        """Shown lines from one to another, without colours; None: they are too much to hold."""
        found: list[str] = []
        size, index, end = 0, self.lines.place(first), min(self.lines.place(last + 1), self.count)
        while index < end:
            lines = [strip_sgr(line) for line in self.lines.read(self.lines.at(index), min(_COPY_LINES, end - index))]
            found += lines
            size += sum(map(len, lines))
            if size > _MOST_CHARACTERS:
                return None
            index += max(1, len(lines))
        return found

    # The mouse selects in this view alone

    def on_mouse_down(self, event: events.MouseDown) -> None:
        place = self._place_under(event)
        if place is None or event.button != 1:
            return
        self.selection = Selection(place, place)
        self.is_following = False
        self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self.selection is None or not event.button or self.app.mouse_captured is not self:
            return
        if event.y < 0 or event.y >= self.size.height:
            self.move(-1 if event.y < 0 else 1)
            self.is_following = False
        place = self._place_under(event)
        if place is not None and place != self.selection.head:
            self.selection = self.selection.to(place)
            self.redraw()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self.app.mouse_captured is not self:
            return
        self.release_mouse()
        if self.selection is not None and self.selection.anchor == self.selection.head:
            self.current, self.selection = self.selection.head.line, None
        self.redraw()

    def _place_under(self, event: events.MouseEvent) -> Place | None:
        """The character under the pointer; beside the text, the nearest one."""
        rows = self._visible()
        if not rows:
            return None
        row = rows[min(max(0, event.y), len(rows) - 1)]
        cell = max(0, event.x - self.gutter.left - self.pen.margin)
        return Place(row.line, row.first + place_at(row.text, cell))

    def _on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        event.prevent_default()
        self._wheel(event, 1)

    def _on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        event.prevent_default()
        self._wheel(event, -1)

    def _wheel(self, event: events.MouseEvent, way: int) -> None:
        if event.shift or event.ctrl:
            self.sideways(way)
        else:
            self.move(3 * way)
