"""A line of a log as rows of segments: colours, highlights, wrapping, and where each character stands. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.widgets.ansi import line_segments

LINE_COLUMNS = 1 << 16
"""So much of a line is looked at: as much as a log gives."""


class Span(NamedTuple):
    """A part of a line that looks otherwise."""

    start: int
    """Character of the drawn text."""
    end: int
    style: Style


def segments_of(line: str, base: Style) -> list[Segment]:
    """A line in its own colours over a base style, tabs as blanks."""
    return line_segments(line, LINE_COLUMNS, base)


def text_of(segments: Iterable[Segment]) -> str:
    """What is drawn, without colours."""
    return "".join(segment.text for segment in segments)


def restyle(segments: Iterable[Segment], spans: Sequence[Span]) -> list[Segment]:
    """The segments with the styles of spans laid over them; these are in order and do not overlap."""
    styled: list[Segment] = []
    at, number = 0, 0
    for text, style, _ in segments:
        begin, end = at, at + len(text)
        while at < end:
            while number < len(spans) and spans[number].end <= at:
                number += 1
            span = spans[number] if number < len(spans) and spans[number].start < end else None
            if span is None or span.start > at:
                stop, look = end if span is None else span.start, style
            else:
                stop, look = min(end, span.end), (style or Style.null()) + span.style
            styled.append(Segment(text[at - begin : stop - begin], look))
            at = stop
    return styled


def row_starts(text: str, width: int) -> list[int]:
    """Where the rows of a wrapped line begin: no character is cut in two, none is left out."""
    if width <= 0 or (len(text) <= width and text.isascii()):
        return [0]
    if text.isascii():
        return list(range(0, len(text), width))
    starts, used = [0], 0
    for index, char in enumerate(text):
        cells = get_character_cell_size(char)
        if used and used + cells > width:
            starts.append(index)
            used = 0
        used += cells
    return starts


def take(segments: Iterable[Segment], start: int, end: int) -> list[Segment]:
    """The characters from one to another."""
    taken: list[Segment] = []
    at = 0
    for text, style, _ in segments:
        part = text[max(0, start - at) : max(0, end - at)]
        if part:
            taken.append(Segment(part, style))
        at += len(text)
    return taken


def split(segments: Iterable[Segment], starts: Sequence[int]) -> list[list[Segment]]:
    """The segments in rows, where these begin is known: the first at 0."""
    rows: list[list[Segment]] = [[]]
    at = 0
    for text, style, _ in segments:
        rest = text
        while len(rows) < len(starts) and at + len(rest) > (edge := starts[len(rows)]):
            if edge > at:
                rows[-1].append(Segment(rest[: edge - at], style))
            rows.append([])
            rest, at = rest[edge - at :], edge
        if rest:
            rows[-1].append(Segment(rest, style))
            at += len(rest)
    return rows


def scrolled(segments: Sequence[Segment], left: int, width: int, cut: Segment) -> tuple[list[Segment], int]:
    """What of an unwrapped line is seen from cell `left` on, with a sign where it goes on; the first character."""
    text = text_of(segments)
    if not left and ((len(text) <= width and text.isascii()) or cell_len(text) <= width):
        return list(segments), 0
    first = left if text.isascii() else _character_at(text, left)
    last = first + width if text.isascii() else _character_at(text, left + width)
    goes_on = cell_len(text[first:]) > width
    if goes_on and not text.isascii():
        last = _character_at(text, left + width - 1)
    shown = take(segments, first, last - 1 if goes_on and text.isascii() else last)
    return ([*shown, cut] if goes_on else shown), first


def _character_at(text: str, cell: int) -> int:
    """The first character that ends behind a cell."""
    used = 0
    for index, char in enumerate(text):
        used += get_character_cell_size(char)
        if used > cell:
            return index
    return len(text)


def strip_of(segments: Iterable[Segment], width: int, base: Style) -> Strip:
    """A whole row."""
    drawn = list(segments)
    used = sum(segment.cell_length for segment in drawn)
    if used < width:
        drawn.append(Segment(" " * (width - used), base))
    return Strip(drawn, max(used, width))


def place_at(text: str, cell: int) -> int:
    """The character of a row's text that stands in a cell; behind its end: its length."""
    return min(cell, len(text)) if text.isascii() else _character_at(text, cell)
