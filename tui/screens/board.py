"""The board: a pane an agent."""

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.geometry import Size
from textual.screen import Screen

from core.machine import Machine
from core.state import Board, Run
from tui import roster
from tui.bindings import ACTIONS, BOARD, bindings
from tui.format import cut_name
from tui.screens.log import LogScreen
from tui.tail import Tails
from tui.widgets.ansi import safe
from tui.widgets.key_line import KeyLine
from tui.widgets.layout import LIST_COLUMNS
from tui.widgets.look import Glyphs, role_of
from tui.widgets.pane_grid import PaneGrid, PaneState
from tui.widgets.status_line import Part, StatusLine
from tui.widgets.welcome import Welcome

_HINTS = tuple(key for key in (*BOARD, *ACTIONS) if key.is_hint and key.id != "app.leave")
_FIRST_HINTS = tuple(key for key in _HINTS if key.id in ("run.start", "app.help", "app.palette"))
"""While there is no build to act on."""
_WORDS = (
    ("building", "building"),
    ("waiting", "waiting"),
    ("failed", "failed"),
    ("done", "done"),
    ("quiet", "stopped"),
)


class BoardScreen(Screen[None]):
    """All agents' panes, a line of totals above, keys below."""

    BINDINGS: ClassVar[list[Binding]] = bindings(BOARD)  # type: ignore[assignment]

    def __init__(self, glyphs: Glyphs, tails: Tails, note: str) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._tails = tails
        self._note = note
        self._panes: tuple[PaneState, ...] = ()
        self.is_ready = False
        """Its widgets are there."""
        self._shown: tuple[Board, bool, dict[str, str], Size] | None = None

    def compose(self) -> ComposeResult:
        yield StatusLine(self._glyphs, id="totals")
        yield StatusLine(self._glyphs, id="note")
        yield PaneGrid(self._glyphs, self._tails)
        yield Welcome()
        yield KeyLine(self._glyphs, id="keys")

    def on_mount(self) -> None:
        self.is_ready = True
        self.grid.focus()
        self.app.pull()  # type: ignore[attr-defined]

    @property
    def grid(self) -> PaneGrid:
        """The panes."""
        return self.query_one(PaneGrid)

    @property
    def chosen(self) -> Run | None:
        """The run of the highlighted pane."""
        return self.grid.chosen

    def show(self, board: Board, now: float, pending: Mapping[str, str]) -> None:
        """Show a board at a moment."""
        is_old = roster.is_old(board, now)
        shown = (board, is_old, dict(pending), self.size)
        if shown != self._shown:
            self._shown = shown
            self._panes = roster.panes(board, now, pending)
            self.set_class(not self._panes, "-empty")
            live = roster.live_count(board)
            self._say_totals(board, is_old, live)
            self._say_notes(board.notes)
            hints = _HINTS if self._panes else _FIRST_HINTS
            self.query_one(KeyLine).hint(
                hints, last=f"q leave ({live} go on)" if live and not self._note else "q leave"
            )
        self.grid.show(self._panes, now)

    def tell(self, machine: Machine) -> None:
        """Say what was found on this machine, where no build is known."""
        self.query_one(Welcome).tell(machine)

    def _say_totals(self, board: Board, is_old: bool, live: int) -> None:
        counted = Counter(role_of(pane.run) for pane in self._panes)
        parts = [Part(" cargo deck   ", "title")]
        for role, word in _WORDS:
            if counted[role]:
                sign = {
                    "building": self._glyphs.building,
                    "waiting": self._glyphs.waiting,
                    "failed": self._glyphs.failed,
                    "done": self._glyphs.done,
                }.get(role, self._glyphs.stopped)
                said = (
                    f"{sign} {counted[role]} {word}" if self.size.width >= LIST_COLUMNS else f"{sign} {counted[role]}"
                )
                parts.append(Part(said + "   ", role))
        right = [Part(self._note + " ", "dim")] if self._note else []
        if is_old and live and not self._note:
            right.append(Part("the engine does not answer: figures may be old ", "waiting"))
        self.query_one("#totals", StatusLine).say(tuple(parts), tuple(right))

    def _say_notes(self, notes: tuple[str, ...]) -> None:
        """What cannot be shown and why, in the row that is blank otherwise."""
        more = f"  (and {len(notes) - 1} more: cargo deck ps)" if len(notes) > 1 else ""
        said = cut_name(safe(notes[0]), max(1, self.size.width - len(more) - 2)) + more if notes else ""
        self.query_one("#note", StatusLine).say((Part(f" {said}", "waiting"),))

    def show_next_needing(self) -> None:
        """Highlight the next pane that a person should look at."""
        order = [(self.grid.selected + 1 + i) % len(self._panes) for i in range(len(self._panes))]
        for index in order:
            if roster.needs_someone(self._panes[index].run):
                self.grid.selected = index
                return
        self.notify("Nothing needs you.")

    def action_move(self, columns: int, rows: int) -> None:
        self.grid.move(columns, rows)

    def action_step(self, by: int) -> None:
        self.grid.step(by)

    def action_number(self, number: int) -> None:
        if number <= len(self._panes):
            self.grid.selected = number - 1

    def action_open(self) -> None:
        if self.chosen is not None:
            self._open(self.chosen.run)

    def on_pane_grid_opened(self, message: PaneGrid.Opened) -> None:
        self._open(message.run)

    def _open(self, run: str) -> None:
        def back(last: str | None) -> None:
            if last:
                self.grid.select_run(last)

        self.app.push_screen(LogScreen(self._glyphs, self._tails, run), back)
