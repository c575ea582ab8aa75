"""One run's log, as large as the terminal: follow its end, or scroll."""

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen

from core.state import Board, Run
from tui import roster
from tui.bindings import ACTIONS, LOG, bindings
from tui.format import cut_path
from tui.tail import Tails
from tui.widgets.key_line import KeyLine
from tui.widgets.log_view import LogView
from tui.widgets.look import Glyphs
from tui.widgets.pane_grid import PaneState
from tui.widgets.pane_head import PaneHead
from tui.widgets.status_line import Part, StatusLine

_HINTS = tuple(key for key in (*LOG, *ACTIONS) if key.is_hint and key.id != "app.leave")


class LogScreen(Screen[str]):
    """The log of one run; gives back which run was looked at last."""

    BINDINGS: ClassVar[list[Binding]] = bindings(LOG)  # type: ignore[assignment]

    def __init__(self, glyphs: Glyphs, tails: Tails, run: str) -> None:
        super().__init__(classes="-log")
        self._glyphs = glyphs
        self._tails = tails
        self._run_id = run
        self._stream = "out"
        self._panes: tuple[PaneState, ...] = ()
        self._run: Run | None = None
        self.is_ready = False
        """Its widgets are there."""

    def compose(self) -> ComposeResult:
        yield PaneHead(self._glyphs)
        yield LogView(self._glyphs)
        yield StatusLine(self._glyphs, id="where")
        yield KeyLine(self._glyphs, id="keys")

    def on_mount(self) -> None:
        self.is_ready = True
        self.view.focus()
        self.app.pull()  # type: ignore[attr-defined]

    @property
    def view(self) -> LogView:
        """The log."""
        return self.query_one(LogView)

    @property
    def chosen(self) -> Run | None:
        """The run whose log is shown."""
        return self._run

    def show(self, board: Board, now: float, pending: Mapping[str, str]) -> None:
        """Show a board at a moment: of it, this run."""
        self._panes = roster.panes(board, now, pending)
        run = board.runs.get(self._run_id)
        if run is None:
            self.dismiss(self._run_id)
            return
        is_new = self._run is None
        self._run = run
        if is_new:
            self._stream = "err" if run.is_split and run.err_bytes >= run.out_bytes else "out"
            self.view.open(self._tails.store(run, self._stream))
            self.query_one(KeyLine).hint(_HINTS, last="q leave")
        self.query_one(PaneHead).show(self._pane(run), now)
        self.view.grow()
        self._say_where(run)

    def _pane(self, run: Run) -> PaneState:
        return next((p for p in self._panes if p.run.run == run.run), PaneState(0, run, 0, None, False, None))

    def _say_where(self, run: Run) -> None:
        below, view = self.view.lines_below, self.view
        if view.is_following:
            left = "follows the end" if not run.state.is_over else "end of the log"
        else:
            left = f"{below} more below"
        name = {"out": "stdout", "err": "stderr"}[self._stream] + "  " if run.is_split else ""
        count = f"{view.line_count} lines "
        room = self.size.width - len(left) - len(name) - len(count) - 6
        path = cut_path(self._tails.path(run, self._stream), max(10, room))
        self.query_one("#where", StatusLine).say(
            (Part(f" {left}   ", "strong" if not view.is_following else "dim"), Part(name, "text"), Part(path, "dim")),
            (Part(count, "dim"),),
        )

    def show_next_needing(self) -> None:
        """Show the log of the next run that a person should look at."""
        self._go(1, needing=True)

    def action_back(self) -> None:
        self.dismiss(self._run_id)

    def action_follow(self) -> None:
        self.view.follow()

    def action_home(self) -> None:
        self.view.scroll_home(animate=False)
        self.view.leave_end()

    def action_scroll(self, lines: int) -> None:
        self.view.scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        self.view.scroll_relative(y=pages * max(1, self.view.size.height - 1), animate=False)

    def action_neighbour(self, by: int) -> None:
        self._go(by)

    def action_swap(self) -> None:
        if self._run is not None and self._run.is_split:
            self._stream = "err" if self._stream == "out" else "out"
            self.view.open(self._tails.store(self._run, self._stream))
            self._say_where(self._run)

    def _go(self, by: int, *, needing: bool = False) -> None:
        runs = [pane.run.run for pane in self._panes if not needing or roster.needs_someone(pane.run)]
        if not runs:
            self.notify("Nothing needs you.")
            return
        at = runs.index(self._run_id) if self._run_id in runs else -1
        self._run_id, self._run = runs[(at + by) % len(runs)], None
        self.app.pull()  # type: ignore[attr-defined]
