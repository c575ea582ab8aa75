"""Draws a line of a log: gutter, time, colours, what was found in it, what is selected. Pure."""

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from core.search import Pattern, SearchError, patience
from tui.widgets.log_rows import Span, restyle, row_starts, scrolled, segments_of, split, strip_of, text_of
from tui.widgets.log_selection import Selection
from tui.widgets.look import Look

_GUTTER = 2
"""Cells left of the text: marks, and where one stands."""
_MAX_HIGHLIGHTS = 200
"""Of a line; a pattern that matches every character would paint thousands."""


class Row(NamedTuple):
    """A row of the screen: part of a line, or all of it."""

    line: int
    first: int
    """Character of the line that it begins with."""
    text: str
    strip: Strip


@dataclass(frozen=True, slots=True)
class LogPen:
    """How lines are drawn."""

    look: Look
    width: int
    """Cells of a row."""
    wraps: bool
    left: int
    """Cells that are left of the screen, where lines are not wrapped."""
    stamp: Callable[[int], str] | None
    label: Callable[[int], tuple[str, str]] | None
    """Whose a line is, in a fixed width, and the role of that."""
    pattern: Pattern | None
    current: int | None
    marks: Container[int]
    selection: Selection | None
    has_gutter: bool

    @property
    def margin(self) -> int:
        """Cells before the text."""
        stamp = len(self.stamp(0)) if self.stamp is not None else 0
        label = cell_len(self.label(0)[0]) if self.label is not None else 0
        return (_GUTTER if self.has_gutter else 0) + stamp + label

    @property
    def columns(self) -> int:
        """Cells for the text."""
        return max(1, self.width - self.margin)

    def text(self, raw: str) -> str:
        """A line without colours, its tabs as blanks: a character for each that is drawn."""
        return text_of(segments_of(raw, self.look.plain["text"]))

    def rows(self, line: int, raw: str) -> list[Row]:
        """The rows of a line. Raises SearchError where the pattern takes for ever."""
        segments = segments_of(raw, self.look.plain["text"])
        text = text_of(segments)
        segments = restyle(restyle(segments, self._found(line, text)), self._selected(line, text))
        if self.look.glyphs.is_ascii:
            segments = [Segment(self.look.drawable(text), style) for text, style, _ in segments]
            text = text_of(segments)
        if not self.wraps:
            cut = Segment(self.look.glyphs.cut, self.look.plain["dim"])
            shown, first = scrolled(segments, self.left, self.columns, cut)
            return [self._row(line, first, shown, text[first:])]
        starts = row_starts(text, self.columns)
        parts = zip(starts, [*starts[1:], len(text)], split(segments, starts), strict=True)
        return [self._row(line, start, part, text[start:end]) for start, end, part in parts]

    def _row(self, line: int, first: int, segments: list[Segment], text: str) -> Row:
        head = self._head(line, is_first=first == 0 or not self.wraps)
        return Row(line, first, text, strip_of([*head, *segments], self.width, self.look.plain["text"]))

    def _head(self, line: int, *, is_first: bool) -> list[Segment]:
        """Gutter and time; blank where a wrapped line goes on."""
        styles, glyphs = self.look.plain, self.look.glyphs
        if not is_first:
            return [Segment(" " * self.margin, styles["text"])]
        head: list[Segment] = []
        if self.has_gutter:
            sign = glyphs.here if line == self.current else glyphs.mark if line in self.marks else " "
            head.append(Segment(f"{sign} ", styles["lit"]))
        if self.stamp is not None:
            head.append(Segment(self.look.drawable(self.stamp(line)), styles["dim"]))
        if self.label is not None:
            text, role = self.label(line)
            head.append(Segment(self.look.drawable(text), styles[role]))
        return head

    def _found(self, line: int, text: str) -> list[Span]:
        if self.pattern is None:
            return []
        style = self.look.match if line == self.current else self.look.found
        spans: list[Span] = []
        with patience():
            for found in self.pattern.line.finditer(text):
                if found.end() > found.start():
                    spans.append(Span(found.start(), found.end(), style))
                if len(spans) >= _MAX_HIGHLIGHTS:
                    break
        return spans

    def cell_of_found(self, text: str) -> int | None:
        """The cell of a line where what is found first begins; None: nothing is, or not in time."""
        try:
            found = self._found(-1, text)
        except SearchError:
            return None  # whoever draws the line is told
        return cell_len(self.look.drawable(text[: found[0].start])) if found else None

    def _selected(self, line: int, text: str) -> list[Span]:
        span = self.selection.span(line, len(text)) if self.selection is not None else None
        return [Span(*span, self.look.picked)] if span is not None else []
