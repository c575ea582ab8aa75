"""Memory over time, stacked by agent, links marked below: painted where it changed."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip

from core.memory_queries import History, Moment
from tui import format as f
from tui.widgets.look import Glyphs
from tui.widgets.painted import Painted
from tui.widgets.status_line import Part
from tui.widgets.words import Piece

HUES = 6
GUTTER = 8
"""Cells left of the graph, for its scale."""
_FILLS = "█▓▚▙▞▜"
_FILLS_ASCII = "#%xo+="
_PARTS = " ▁▂▃▄▅▆▇"
_MOST_HALVINGS = 5
"""The scale is the limit, or a half of it so many times, where nothing is higher."""


Rows = tuple[tuple[Piece, ...], ...]


class Frame(NamedTuple):
    """What a graph is drawn from."""

    history: History
    limit_bytes: int
    """Memory that there is; 0: not known."""
    chosen: tuple[float, float] | None
    """From when to when the chosen link was under way."""


def fill_of(hue: int, *, is_ascii: bool) -> str:
    """The sign of an agent's memory, by its place on the board."""
    return (_FILLS_ASCII if is_ascii else _FILLS)[hue % HUES]


def legend(entries: Sequence[tuple[str, str, str, bool]], width: int) -> tuple[Part, ...]:
    """Signs and words, as many as there is room for; where not all fit, those that use memory now come first.

    Args:
        entries: Sign, its role, words, whether it uses memory now.
        width: Cells.
    """
    pairs = [(Part(f" {sign} ", role), Part(words, "text")) for sign, role, words, _ in entries]
    sizes = [sum(cell_len(part.text) for part in pair) for pair in pairs]
    order = sorted(range(len(pairs)), key=lambda at: sum(sizes) > width and not entries[at][3])
    parts: list[Part] = []
    for at in order:
        width -= sizes[at]
        if width < 0:
            break
        parts += pairs[at]
    return tuple(parts)


def foreign_fill(*, is_ascii: bool) -> str:
    """The sign of memory that is not ours."""
    return ":" if is_ascii else "▒"


class MemoryGraph(Painted):
    """The graph; its last row is the axis."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002
        super().__init__(glyphs, id=id)
        self._frame: Frame | None = None
        self._rows: Rows = ()

    @property
    def columns(self) -> int:
        """How many moments it has room for."""
        return max(1, self.size.width - GUTTER - 1)

    def show(self, frame: Frame) -> None:
        """Draw this; rows that stay the same are not painted again."""
        self._frame = frame
        rows = draw(frame, self.size.height, is_ascii=self.glyphs.is_ascii)
        before, self._rows = self._rows, rows
        if len(before) != len(rows):
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(before, rows, strict=True)):
            if old != new:
                self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        if y >= len(self._rows):
            return self.blank()
        styles = self.look.plain
        cells = [Segment(text, styles[role]) for text, role in self._rows[y]]
        return Strip(cells).adjust_cell_length(self.size.width, self.base)


def draw(frame: Frame, height: int, *, is_ascii: bool) -> Rows:
    """The rows of a graph so high, its axis included."""
    if height < 2:
        return ()
    bars = height - 1
    scale = scale_of(frame)
    columns = [_column(moment, bars, scale, is_ascii=is_ascii) for moment in frame.history.moments]
    rows = []
    for level in range(bars - 1, -1, -1):
        empty = _empty_cell(frame, level, bars, scale, is_ascii=is_ascii)
        cells = [column[level] if level < len(column) else empty for column in columns]
        rows.append((Piece(_label(level, bars, scale, is_ascii=is_ascii), "dim"), *_merged(cells)))
    return (*rows, _axis(frame, is_ascii=is_ascii))


def scale_of(frame: Frame) -> int:
    """Bytes of the graph's full height."""
    most = max(frame.history.most_bytes, 1)
    if not frame.limit_bytes or most > frame.limit_bytes:
        return most
    scale = frame.limit_bytes
    for _ in range(_MOST_HALVINGS):
        if most * 1.05 > scale / 2:
            break
        scale //= 2
    return scale


@lru_cache(maxsize=2048)
def _column(moment: Moment, bars: int, scale: int, *, is_ascii: bool) -> list[tuple[str, str]]:
    """Signs and roles of a column, from below. Most columns of a graph only moved to the left."""
    parts = [(size, hue) for hue, size in enumerate(moment.taken) if size] + [(moment.foreign_bytes, -1)]
    edges, top = [], 0.0
    for size, hue in parts:
        top += size / scale * bars
        edges.append((top, hue))
    cells = []
    for level in range(bars):
        share = min(1.0, top - level)
        if share <= 0.0 or round(share * 8) == 0:
            break
        cells.append(_cell(_hue_at(edges, level, level + share), share, is_ascii=is_ascii))
    return cells


def _hue_at(edges: list[tuple[float, int]], low: float, high: float) -> int:
    """Whose share of a cell is the largest."""
    best, most, below = -1, 0.0, 0.0
    for top, hue in edges:
        overlap = min(top, high) - max(below, low)
        if overlap > most:
            best, most = hue, overlap
        below = top
    return best


def _cell(hue: int, share: float, *, is_ascii: bool) -> tuple[str, str]:
    if hue < 0:
        low = "." if is_ascii else "░"
        return (foreign_fill(is_ascii=is_ascii) if share >= 0.5 else low), "dim"
    eighths = round(share * 8)
    if eighths >= 8 or is_ascii:
        return fill_of(hue, is_ascii=is_ascii) if share >= 0.25 else ".", f"who-{hue % HUES}"
    return _PARTS[eighths], f"who-{hue % HUES}"


def _empty_cell(frame: Frame, level: int, bars: int, scale: int, *, is_ascii: bool) -> tuple[str, str]:
    """Above all: the limit is a line."""
    is_limit = frame.limit_bytes and level == min(bars - 1, int(frame.limit_bytes / scale * bars))
    if is_limit and frame.limit_bytes <= scale:
        return ("-" if is_ascii else "┄"), "waiting"
    return " ", "text"


def _label(level: int, bars: int, scale: int, *, is_ascii: bool) -> str:
    text = ""
    if level == bars - 1:
        text = f.size(scale)
    elif level == 0:
        text = "0"
    elif bars >= 6 and level == (bars - 1) // 2:
        text = f.size(scale * (level + 0.5) / bars)
    return f"{text:>{GUTTER - 2}} " + ("|" if is_ascii else "┤" if text else "│")


def _axis(frame: Frame, *, is_ascii: bool) -> tuple[Piece, ...]:
    """Where links were under way: how many, in the colour of their agent."""
    history = frame.history
    chosen = history.columns_between(*frame.chosen) if frame.chosen is not None else range(0)
    line = "-" if is_ascii else "─"
    cells = []
    for at, moment in enumerate(history.moments):
        count = sum(moment.links)
        if not count:
            cells.append((line, "track"))
            continue
        owners = [hue for hue, links in enumerate(moment.links) if links]
        single = ("^" if is_ascii else "▲") if at in chosen else ("'" if is_ascii else "▴")
        sign = single if count == 1 or at in chosen else str(count) if count <= 9 else "+"
        cells.append((sign, "lit" if at in chosen else f"who-{owners[0] % HUES}" if len(owners) == 1 else "strong"))
    gutter = f"{'-5 min' if is_ascii else '−5 min':>{GUTTER - 1}} "
    return Piece(gutter, "dim"), *_merged(cells)


def _merged(cells: list[tuple[str, str]]) -> list[Piece]:
    """Neighbours of one role as one piece."""
    runs: list[Piece] = []
    for sign, role in cells:
        if runs and runs[-1].role == role:
            runs[-1] = Piece(runs[-1].text + sign, role)
        else:
            runs.append(Piece(sign, role))
    return runs
