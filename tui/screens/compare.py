"""Two runs beside each other: totals, and the seconds of each unit."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding
from textual.widget import Widget

from core.compare import Total, UnitPair, compare_totals, compare_units
from core.state import Run
from tui import format as f
from tui.bindings import COMPARE, bindings
from tui.screens.base import DeckScreen
from tui.widgets.ansi import safe
from tui.widgets.status_line import Part, StatusLine
from tui.widgets.table_view import Cell, Column, Row, TableView

_TOTALS = (
    Column("", 18), Column("before", 10, is_right=True), Column("after", 10, is_right=True),
    Column("change", 10, is_right=True),
)  # fmt: skip
_UNITS = (
    Column("unit", 0), Column("before", 10, is_right=True), Column("after", 10, is_right=True),
    Column("change", 10, is_right=True),
)  # fmt: skip
_NOISE_S = 0.3
"""Seconds of a unit are seen to a tick of the engine at either end."""


class CompareScreen(DeckScreen[None]):
    """The earlier run is `before`, the later one `after`."""

    KEYS = COMPARE
    BINDINGS: ClassVar[list[Binding]] = bindings(COMPARE)  # type: ignore[assignment]
    CSS_PATH = "../../styles/history.tcss"
    TAB = "history"

    def __init__(self, before: Run, after: Run) -> None:
        super().__init__()
        self._before, self._after = before, after

    def body(self) -> Iterable[Widget]:
        yield StatusLine(self.deck.glyphs, id="before")
        yield StatusLine(self.deck.glyphs, id="after")
        yield StatusLine(self.deck.glyphs, id="summary")
        yield TableView(self.deck.glyphs, _TOTALS, id="totals")
        yield TableView(self.deck.glyphs, _UNITS, id="units", empty="Neither compiled anything.")

    def begin(self) -> None:
        now = self.deck.view.now
        for name, run in (("before", self._before), ("after", self._after)):
            said = f"{f.moment(run.started_at, now)}  {safe(run.agent)}  {safe(run.command)}"
            self.query_one(f"#{name}", StatusLine).say((Part(f" {name:<7}", "dim"), Part(said, "text")))
        units = compare_units(self._before, self._after)
        self.query_one("#summary", StatusLine).say((Part(f" {summary(units)}", "strong"),))
        totals = compare_totals(self._before, self._after)
        self.query_one("#totals", TableView).show([_total(total) for total in totals])
        self.query_one("#units", TableView).show([_unit(pair) for pair in units])
        self.query_one("#units", TableView).focus()

    @property
    def chosen(self) -> Run | None:
        """The later run."""
        return self._after

    def action_back(self) -> None:
        self.dismiss()


def summary(units: tuple[UnitPair, ...]) -> str:
    """In one line what was compiled again, and where the time went."""
    new = sum(pair.before_s is None for pair in units)
    gone = sum(pair.after_s is None for pair in units)
    moved = [pair for pair in units if abs(pair.change_s) > _NOISE_S][:2]
    said = f"{new} only after, {gone} only before, {len(units) - new - gone} in both"
    most = " · ".join(f"{safe(pair.name)} {f.change(pair.change_s)}" for pair in moved)
    return f"compiled: {said}" + (f" · most: {most}" if most else "")


def _total(total: Total) -> Row:
    cells = [Cell(_figure(value, total.kind), "number") for value in (total.before, total.after)]
    changed = f.UNKNOWN if total.change is None else f.change(total.change, is_span=total.kind == "span")
    return Row(total.name, (Cell(total.name, "dim"), *cells, Cell(changed)))


def _figure(value: float | None, kind: str) -> str:
    if value is None:
        return f.UNKNOWN
    return f.seconds(value) if kind == "span" else f"{value:,.0f}"


def _unit(pair: UnitPair) -> Row:
    cells = [Cell(_figure(value, "span"), "number") for value in (pair.before_s, pair.after_s)]
    role = "text" if abs(pair.change_s) > _NOISE_S else "dim"
    return Row(pair.name, (Cell(pair.name), *cells, Cell(f.change(pair.change_s), role)))
