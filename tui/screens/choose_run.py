"""The dialog that asks for a run to compare kernels with."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Static

from core.kernel_choice import Comparable
from tui import format as f
from tui.bindings import CHOOSE, bindings
from tui.screens.dialog import Dialog
from tui.widgets.ansi import safe
from tui.widgets.table_view import Cell, Column, Row, TableView

_COLUMNS = (
    Column("when", 12), Column("agent", 0), Column("kernels", 7, is_right=True), Column("sources", 7, is_right=True),
    Column("checkout", 9),
)  # fmt: skip
_SHARE, _FRAME = 0.9, 10
"""How much of the height the dialog takes, and the rows of it that are no run."""


class ChooseRunScreen(Dialog[str | None]):
    """Runs that have kernels of a checkout; gives the id of the chosen one, None when it was left."""

    BINDINGS: ClassVar[list[Binding]] = bindings(CHOOSE)  # type: ignore[assignment]

    def __init__(self, runs: Sequence[Comparable], now: float, *, chosen: str = "") -> None:
        super().__init__()
        self._runs, self._now, self._before = tuple(runs), now, chosen

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog choose"):
            yield Static("Compare kernels with", classes="dialog-title", markup=False)
            yield TableView(self.deck.glyphs, _COLUMNS, id="runs", empty="No run of the last 24 hours has kernels.")
            about = "Runs of the last 24 hours with kernels of this checkout, or of its source in another worktree."
            yield Static(about, classes="dialog-hints", markup=False)
            keys = f"{self.key('table.open')} choose   {self.key('choose.close')} back"
            yield Static(
                f.ascii_only(keys) if self.deck.glyphs.is_ascii else keys, classes="dialog-hints", markup=False
            )

    def on_mount(self) -> None:
        table = self.query_one(TableView)
        table.show([self._row(run) for run in self._runs])
        table.select(self._before)
        table.focus()

    def on_resize(self, event: events.Resize) -> None:
        room = max(2, int(event.size.height * _SHARE) - _FRAME)
        self.query_one(TableView).styles.height = min(room, max(2, len(self._runs) + 1))

    def _row(self, run: Comparable) -> Row:
        cells = (
            Cell(f.moment(run.began, self._now), "dim"), Cell(safe(run.agent), "title"),
            Cell(str(run.kernels), "number"), Cell(str(run.sources), "number"),
            Cell("another" if run.is_elsewhere else "this one", "dim"),
        )  # fmt: skip
        return Row(run.run, cells)

    def on_table_view_opened(self, event: TableView.Opened) -> None:
        event.stop()
        self.dismiss(event.key)

    def action_close(self) -> None:
        self.dismiss(None)
