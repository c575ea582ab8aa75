"""A list with columns: rows are drawn when they are seen, and painted again only where they changed."""

from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from tui import format as f
from tui.bindings import TABLE, bindings
from tui.widgets.ansi import safe
from tui.widgets.look import Glyphs
from tui.widgets.painted import PaintedScroll

_GAP = 2
_GUTTER = 2
_HEADER = 1
_LEAST_REST = 10
"""Cells of the column that takes the rest: before it has fewer, others are left out, the last ones first."""


class Column(NamedTuple):
    """A column."""

    title: str
    width: int
    """In cells; 0: it takes the rest."""
    is_right: bool = False
    """Aligned to the right: numbers."""
    is_path: bool = False
    """Cut at its beginning."""


class Cell(NamedTuple):
    """Text in a column."""

    text: str
    role: str = "text"


class Row(NamedTuple):
    """A line of the table."""

    key: str
    """Names it, also when it moves."""
    cells: tuple[Cell, ...]
    is_heading: bool = False
    """Its first cell is all of it, as wide as the table."""


class TableView(PaintedScroll):
    """Rows under a header, one of them chosen."""

    BINDINGS: ClassVar[list[Binding]] = bindings(TABLE)  # type: ignore[assignment]

    class Selected(Message):
        """Another row is chosen."""

        def __init__(self, table: "TableView", key: str) -> None:
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> "TableView":
            """The table."""
            return self.table

    class Opened(Selected):
        """A row was asked for: enter, or a second click."""

    def __init__(
        self,
        glyphs: Glyphs,
        columns: Sequence[Column],
        *,
        id: str | None = None,  # noqa: A002
        empty: str = "",
        is_news: bool = False,
    ) -> None:
        super().__init__(glyphs, id=id)
        self._is_news = is_news
        """The first rows are what one should look at: until somebody moves, they are seen."""
        self._columns = tuple(columns)
        self._empty = empty
        self._rows: Sequence[Row] = ()
        self._index = 0
        self._is_moved = False
        """A row was chosen by somebody: until then, and while nobody stands in the list, the first one is."""
        self._keys: dict[str, int] | None = None
        self._drawn: dict[int, tuple[Row, bool, Strip]] = {}
        self._laid: tuple[tuple[int, int], ...] | None = None
        self._laid_for = 0
        """Cells that the columns were laid out for: a scroll bar takes some without another size of ours."""

    # What is shown

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows; the chosen one stays chosen where it is still there, else its place."""
        if rows is self._rows or rows == self._rows:
            return
        before, chosen = self._rows, self.chosen
        is_seen = self.scroll_offset.y <= self._index < self.scroll_offset.y + self._room
        self._rows, self._keys = rows, None
        self._follow_chosen(chosen)
        if len(before) != len(rows):
            self._tell_size()
        if is_seen:
            self._show_chosen()
        if not before or not rows:
            self.refresh()
        self._refresh_changed()

    def say_empty(self, words: str) -> None:
        """What stands there while there are no rows."""
        if words != self._empty:
            self._empty = words
            self.refresh()

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Other columns, or other titles."""
        if tuple(columns) != self._columns:
            self._columns = tuple(columns)
            self.redraw()

    @property
    def rows(self) -> Sequence[Row]:
        """What is shown."""
        return self._rows

    @property
    def chosen(self) -> str | None:
        """Key of the chosen row; None: there are none."""
        return self._rows[self._index].key if self._index < len(self._rows) else None

    def select(self, key: str) -> bool:
        """Choose a row by its key; False: there is none of that name."""
        index = self._index_of(key)
        if index is not None:
            self._choose(index)
        return index is not None

    def _index_of(self, key: str) -> int | None:
        if self._keys is None:
            self._keys = {row.key: index for index, row in enumerate(self._rows)}
        return self._keys.get(key)

    def _follow_chosen(self, chosen: str | None) -> None:
        rows = self._rows
        if self._index < len(rows) and rows[self._index].key == chosen:
            return
        is_kept = self._is_moved or (self.has_focus and not self._is_news)
        index = self._index_of(chosen) if chosen is not None and is_kept else None
        self._index = index if index is not None else min(self._index, max(0, len(rows) - 1))
        if self.chosen is not None and self.chosen != chosen:
            self.post_message(self.Selected(self, self.chosen))

    def _choose(self, index: int) -> None:
        index = min(max(0, index), len(self._rows) - 1)
        if index < 0:
            return
        is_other, self._index, self._is_moved = index != self._index, index, True
        self._show_chosen()
        self._refresh_changed()
        if is_other:
            self.post_message(self.Selected(self, self._rows[index].key))

    def _show_chosen(self) -> None:
        """Scroll until the chosen row is seen."""
        top, room = self.scroll_offset.y, self._room
        wanted = min(max(top, self._index + 1 - room), self._index)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, immediate=True, force=True)

    # Keys and mouse

    def action_step(self, by: int) -> None:
        self._choose(self._index + by)

    def action_page(self, by: int) -> None:
        self._choose(self._index + by * max(1, self._room - 1))

    def action_first(self) -> None:
        self._choose(0)

    def action_last(self) -> None:
        self._choose(len(self._rows) - 1)

    def action_open(self) -> None:
        if self.chosen is not None:
            self.post_message(self.Opened(self, self.chosen))

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        index = place.y - _HEADER + self.scroll_offset.y if place is not None else -1
        if place is None or place.y < _HEADER or index >= len(self._rows):
            return
        event.stop()
        self._choose(index)
        if event.chain > 1:
            self.action_open()

    # Drawing

    @property
    def _room(self) -> int:
        return max(1, self.scrollable_content_region.height - _HEADER)

    def _tell_size(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._rows) + _HEADER)

    def on_resize(self) -> None:
        self._tell_size()
        self.redraw()

    def redraw(self) -> None:
        """Draw all rows again: they look otherwise."""
        self.forget_drawn()
        self.refresh()

    def forget_drawn(self) -> None:
        self._drawn.clear()
        self._laid = None

    def on_focus(self) -> None:
        self._refresh_row(self._index)

    def on_blur(self) -> None:
        self._refresh_row(self._index)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.refresh()

    def _refresh_changed(self) -> None:
        """Have the seen rows painted that are not as they were drawn."""
        top = self.scroll_offset.y
        for index in range(top, top + self._room):
            drawn = self._drawn.get(index)
            row = self._rows[index] if index < len(self._rows) else None
            if drawn is None or row is None:
                if drawn is not None or row is not None:
                    self._refresh_row(index)
            elif drawn[1] != (index == self._index) or drawn[0] != row:
                self._refresh_row(index)

    def _refresh_row(self, index: int) -> None:
        self._drawn.pop(index, None)
        self.refresh(Region(0, index - self.scroll_offset.y + _HEADER, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        layout = self._layout  # it forgets what was drawn for another width
        if y < _HEADER:
            titles = tuple(Cell(column.title, "dim") for column in self._columns)
            return self._line(titles, layout, is_chosen=False)
        index = y - _HEADER + self.scroll_offset.y
        if index >= len(self._rows):
            return self._words_instead(index) if not self._rows else self.blank()
        row, is_chosen = self._rows[index], index == self._index
        drawn = self._drawn.get(index)
        if drawn is None or drawn[0] is not row or drawn[1] != is_chosen:
            draw = self._heading if row.is_heading else self._line
            drawn = self._drawn[index] = row, is_chosen, draw(row.cells, layout, is_chosen=is_chosen)
        return drawn[2]

    def _words_instead(self, index: int) -> Strip:
        """A row of what is said where there are no rows."""
        lines = list(f.wrapped(safe(self._empty), max(1, self.size.width - _GUTTER)))
        if index >= len(lines):
            return self.blank()
        return Strip([self.segment(" " * _GUTTER + lines[index], "dim")]).adjust_cell_length(self.size.width, self.base)

    def _heading(self, cells: tuple[Cell, ...], layout: object, *, is_chosen: bool) -> Strip:
        """A row whose first cell is as wide as the table."""
        look, styles = self.look, self.look.styles(is_chosen)
        text = f.cut_name(safe(cells[0].text), max(1, self.scrollable_content_region.width - _GUTTER))
        segments = [self._sign(is_chosen=is_chosen), Segment(look.drawable(text), styles[cells[0].role])]
        return Strip(segments).adjust_cell_length(self.size.width, styles["text"])

    def _sign(self, *, is_chosen: bool) -> Segment:
        """What stands before a row."""
        sign = self.look.glyphs.here if is_chosen else " "
        return Segment(sign.ljust(_GUTTER), self.look.styles(is_chosen)["lit" if self.has_focus else "dim"])

    def _line(self, cells: tuple[Cell, ...], layout: Iterable[tuple[int, int]], *, is_chosen: bool) -> Strip:
        look = self.look
        styles = look.styles(is_chosen)
        segments = [self._sign(is_chosen=is_chosen)]
        for at, width in layout:
            column, cell = self._columns[at], cells[at] if at < len(cells) else Cell("")
            segments.append(Segment(look.drawable(_fitted(safe(cell.text), column, width)), styles[cell.role]))
            segments.append(Segment(" " * _GAP, styles["text"]))
        return Strip(segments).adjust_cell_length(self.size.width, styles["text"])

    @property
    def _layout(self) -> tuple[tuple[int, int], ...]:
        """Which columns are drawn, and how wide."""
        width = self.scrollable_content_region.width
        if self._laid is None or self._laid_for != width:
            self._drawn.clear()
            self._laid, self._laid_for = lay_out(self._columns, width - _GUTTER), width
        return self._laid

    def width_of(self, column: int) -> int:
        """Cells of a column; 0: it is left out."""
        return dict(self._layout).get(column, 0)


def lay_out(columns: Sequence[Column], width: int) -> tuple[tuple[int, int], ...]:
    """Indexes and widths of the columns that fit; of those of a fixed width but the first, the last go first."""
    kept = list(range(len(columns)))

    def left() -> int:
        return width - sum(columns[at].width for at in kept) - _GAP * (len(kept) - 1)

    has_rest = any(not column.width for column in columns)
    while left() < (_LEAST_REST if has_rest else 0):
        gone = next((at for at in reversed(kept[1:]) if columns[at].width), None)
        if gone is None:
            break
        kept.remove(gone)
    rest = max(0, left())
    return tuple((at, min(columns[at].width or rest, max(0, width))) for at in kept)


def _fitted(text: str, column: Column, width: int) -> str:
    """Exactly as wide as its column."""
    cut = f.cut_path(text, width) if column.is_path else f.cut_name(text, width)
    blanks = " " * (width - cell_len(cut))
    return blanks + cut if column.is_right else cut + blanks
