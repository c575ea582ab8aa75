"""One run: its whole log, and beside it what the log does not say at a glance."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding
from textual.widget import Widget

from core.stamps import Stamps
from core.state import Run
from tui import roster
from tui.bindings import LOG, RUN, bindings
from tui.format import clock
from tui.screens.log_host import LogHost
from tui.view import View
from tui.widgets.log_panel import LogPanel, LogSource
from tui.widgets.pane_grid import PaneState
from tui.widgets.pane_head import PaneHead


class RunScreen(LogHost[str]):
    """One run; gives back which run was looked at last."""

    KEYS = (*RUN, *LOG)
    BINDINGS: ClassVar[list[Binding]] = bindings(RUN)  # type: ignore[assignment]
    CSS_PATH = "../../styles/log.tcss"
    TAB = "board"

    def __init__(self, run: str) -> None:
        super().__init__()
        self._run_id = run
        self._stream = "out"
        self._panes: tuple[PaneState, ...] = ()
        self._run: Run | None = None
        self._stamps: Stamps | None = None

    def body(self) -> Iterable[Widget]:
        yield PaneHead(self.deck.glyphs)
        yield LogPanel(self.deck.glyphs)

    def begin(self) -> None:
        self.panel.view.focus()

    @property
    def chosen(self) -> Run | None:
        return self._run

    def show(self, view: View) -> None:
        self._panes = roster.panes(view)
        run = view.board.runs.get(self._run_id)
        if run is None:
            self.dismiss(self._run_id)
            return
        is_new = self._run is None
        self._run = run
        if is_new:
            self._stream = "err" if run.is_split and run.err_bytes >= run.out_bytes else "out"
            self._open(run)
        self.query_one(PaneHead).show(self._pane(run), view.now)
        if self._stamps is not None and self._stamps.grow():
            self.panel.times_came()
        self.panel.is_live = not run.state.is_over
        self.panel.grow()

    def _pane(self, run: Run) -> PaneState:
        return next((p for p in self._panes if p.run.run == run.run), PaneState(0, run, 0, None, False, None))

    def _open(self, run: Run) -> None:
        """Show the log of a stream."""
        tails, stream = self.deck.tails, self._stream
        name = {"out": "stdout", "err": "stderr"}[stream] if run.is_split else ""
        stamps = self._stamps = Stamps(self.deck.deck.paths.run(run.run) + "/events.jsonl")
        stamps.grow()

        def stamp(line: int) -> str:
            return clock(stamps.time_of(stream, line)) + "  "

        self.panel.open(LogSource(tails.store(run, stream), tails.path(run, stream), name, stamp))

    def show_next_needing(self) -> None:
        """Show the next run that a person should look at."""
        self._go(1, needing=True)

    def go_back(self) -> None:
        self.dismiss(self._run_id)

    def action_neighbour(self, by: int) -> None:
        self._go(by)

    def action_swap(self) -> None:
        if self._run is not None and self._run.is_split:
            self._stream = "err" if self._stream == "out" else "out"
            self._open(self._run)

    def _go(self, by: int, *, needing: bool = False) -> None:
        runs = [pane.run.run for pane in self._panes if not needing or roster.needs_someone(pane.run)]
        if not runs:
            self.notify("Nothing needs you.")
            return
        at = runs.index(self._run_id) if self._run_id in runs else -1
        self._run_id, self._run = runs[(at + by) % len(runs)], None
        self.deck.pull()
