"""Past runs: what was built, how long it took; two of them compared."""

from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from textual.binding import Binding
from textual.widget import Widget

from core import queries
from core.attach import Reader
from core.compare import counterpart
from core.state import Board, Run
from tui import format as f
from tui.bindings import HISTORY, bindings
from tui.key import Key
from tui.screens.base import DeckScreen
from tui.view import View
from tui.widgets.ansi import safe
from tui.widgets.look import role_of
from tui.widgets.prompt import Prompt
from tui.widgets.status_line import Part, StatusLine
from tui.widgets.table_view import Cell, Column, Row, TableView

FOR_S = 400 * 86400.0
"""As far back as runs are kept, and further."""
_AGAIN_S = 2
"""Between two looks for what is new."""
ORDERS = ("newest", "longest", "most compiled")
_COLUMNS = (
    Column("", 1), Column("when", 11), Column("agent", 12), Column("command", 0), Column("state", 9),
    Column("took", 8, is_right=True), Column("built", 6, is_right=True), Column("fresh", 6, is_right=True),
    Column("errors", 6, is_right=True), Column("warnings", 8, is_right=True), Column("checkout", 24, is_path=True),
)  # fmt: skip


class HistoryScreen(DeckScreen[None]):
    """All runs whose folders are kept, newest first."""

    KEYS = HISTORY
    BINDINGS: ClassVar[list[Binding]] = bindings(HISTORY)  # type: ignore[assignment]
    CSS_PATH = "../../styles/history.tcss"
    TAB = "history"

    def __init__(self) -> None:
        super().__init__()
        self._board = Board()
        self._reader: Reader | None = None
        self._is_reading = False
        self._read_at = 0.0
        self._order = ORDERS[0]
        self._filter = ""
        self._marked: tuple[str, ...] = ()

    def body(self) -> Iterable[Widget]:
        yield StatusLine(self.deck.glyphs, id="about")
        yield TableView(self.deck.glyphs, _COLUMNS, id="runs", empty="No run is kept yet.")
        yield Prompt()

    def begin(self) -> None:
        deck = self.deck.deck
        self._reader = None if deck.is_recording else Reader(deck.paths, deck.clock, FOR_S)
        self.table.focus()

    @property
    def table(self) -> TableView:
        """The runs."""
        return self.query_one(TableView)

    @property
    def chosen(self) -> Run | None:
        """The run of the chosen row."""
        return self._board.runs.get(self.table.chosen or "")

    def show(self, view: View) -> None:
        if self._reader is None:
            self._take(view.board)
        elif not self._is_reading and (self._reader.is_behind or view.now - self._read_at >= _AGAIN_S):
            self._is_reading, self._read_at = True, view.now
            self.run_worker(partial(self._read, self._reader), thread=True, group="history", exit_on_error=False)

    def _read(self, reader: Reader) -> None:
        """Read on for a moment: journals of finished runs take 2 ms each."""
        board = reader.poll()
        self.app.call_from_thread(self._take, board)

    def _take(self, board: Board) -> None:
        self._is_reading = False
        if board is not self._board:
            self._board = board
            self._say()

    def _runs(self) -> list[Run]:
        """Those that the filter lets through, in order."""
        words = self._filter.lower().split()
        found = [
            run
            for run in self._board.runs.values()
            if all(word in f"{run.agent} {run.command} {run.checkout} {run.state.value}".lower() for word in words)
        ]
        match self._order:
            case "longest":
                return sorted(found, key=lambda run: -queries.elapsed_s(run, self._board.now))
            case "most compiled":
                return sorted(found, key=lambda run: -run.units_built)
            case _:
                return sorted(found, key=lambda run: run.run, reverse=True)

    def _say(self) -> None:
        runs = self._runs()
        self.table.show([self._row(run) for run in runs])
        self.table.say_empty("No run is like that: / filters." if self._filter else "No run is kept yet.")
        said = f" {f.many(len(runs), 'run')}, {self._order} first"
        if self._filter:
            said += f", of {len(self._board.runs)}: /{safe(self._filter)}"
        behind = "reading " if self._reader is not None and self._reader.is_behind else ""
        marked = f"{len(self._marked)} marked: d compares " if self._marked else ""
        self.query_one("#about", StatusLine).say((Part(said, "dim"),), (Part(behind + marked, "lit"),))

    def _row(self, run: Run) -> Row:
        now = self._board.now
        built, fresh = (run.units_built, run.units_fresh) if queries.tells_units(run) else (None, None)
        numbers = ((built, "number"), (fresh, "dim"), (run.errors, "failed"), (run.warnings, "dim"))
        return Row(
            run.run,
            (
                Cell(self.deck.glyphs.mark if run.run in self._marked else "", "lit"),
                Cell(f.moment(run.started_at, now), "dim"), Cell(run.agent, "title"), Cell(run.command),
                Cell(f"{self.look.glyph(run)} {run.state.value}", role_of(run)),
                Cell(f.duration(queries.elapsed_s(run, now)), "number"),
                *(Cell(f.UNKNOWN if n is None else f"{n:,}", role if n else "dim") for n, role in numbers),
                Cell(run.checkout, "dim"),
            ),
        )  # fmt: skip

    def on_table_view_opened(self, event: TableView.Opened) -> None:
        from tui.screens.run import RunScreen

        self.app.push_screen(RunScreen(event.key, known=self._board.runs[event.key]))

    def action_order(self) -> None:
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self._say()

    def action_filter(self) -> None:
        self.query_one(Prompt).ask("filter", "/")

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        event.stop()
        self._filter = event.text
        self._say()

    def on_prompt_closed(self, event: Prompt.Closed) -> None:
        event.stop()
        self._filter = event.text or ""
        self.table.focus()
        self._say()

    def action_mark(self) -> None:
        """Mark a run for a comparison; the last two that were marked count."""
        chosen = self.table.chosen
        if chosen is not None:
            kept = tuple(run for run in self._marked if run != chosen)
            self._marked = kept if len(kept) < len(self._marked) else (*kept, chosen)[-2:]
            self._say()

    def action_compare(self) -> None:
        pair = self._pair()
        if pair is None:
            self.notify("Nothing to compare with: m marks two runs, or choose one whose command ran before.")
            return
        from tui.screens.compare import CompareScreen

        self.app.push_screen(CompareScreen(*pair))

    def _pair(self) -> tuple[Run, Run] | None:
        """The earlier and the later of the two marked runs, else the chosen one and the last of its kind before it."""
        runs = self._board.runs
        marked = sorted(run for run in self._marked if run in runs)
        if len(marked) == 2:
            return runs[marked[0]], runs[marked[1]]
        other = counterpart(self.chosen, list(runs.values())) if self.chosen is not None else None
        return (other, self.chosen) if other is not None and self.chosen is not None else None

    def action_back(self) -> None:
        if self._filter or self._marked:
            self._filter, self._marked = "", ()
            self._say()
        else:
            self.deck.action_tab("board")

    def hints(self, view: View) -> tuple[Key, ...]:
        own = tuple(key for key in super().hints(view) if key.id not in ("run.stop", "board.attention"))
        return own
