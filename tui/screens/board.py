"""The board: a pane an agent."""

from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding
from textual.geometry import Size
from textual.widget import Widget

from core.foreign_queries import NOT_OURS
from core.state import Board, Run
from tui import roster
from tui.bindings import BOARD, bindings
from tui.format import cut_name
from tui.guests import guests, refusal
from tui.key import Key
from tui.screens.base import DeckScreen
from tui.view import View
from tui.widgets.ansi import safe
from tui.widgets.foreign_pane import gist
from tui.widgets.layout import LIST_COLUMNS
from tui.widgets.look import role_of
from tui.widgets.pane_grid import PaneGrid, PaneState
from tui.widgets.status_line import Part, StatusLine
from tui.widgets.welcome import Welcome

_FIRST_HINTS = ("run.start", "app.help", "app.palette")
"""While there is no build to act on."""
_WORDS = (
    ("building", "building"),
    ("waiting", "waiting"),
    ("failed", "failed"),
    ("done", "done"),
    ("quiet", "stopped"),
)


class BoardScreen(DeckScreen[None]):
    """All agents' panes, a line of totals above."""

    KEYS = BOARD
    BINDINGS: ClassVar[list[Binding]] = bindings(BOARD)  # type: ignore[assignment]
    TAB = "board"

    def __init__(self) -> None:
        super().__init__()
        self._panes: tuple[PaneState, ...] = ()
        self._shown: tuple[View, Size] | None = None

    def body(self) -> Iterable[Widget]:
        yield StatusLine(self.deck.glyphs, id="totals")
        yield PaneGrid(self.deck.glyphs, self.deck.tails)
        yield Welcome()

    def begin(self) -> None:
        self.grid.focus()

    @property
    def grid(self) -> PaneGrid:
        """The panes."""
        return self.query_one(PaneGrid)

    @property
    def chosen(self) -> Run | None:
        """The run of the highlighted pane."""
        return self.grid.chosen

    def show(self, view: View) -> None:
        shown = (view, self.size)
        if shown != self._shown:
            self._shown = shown
            self._panes = (*roster.panes(view), *guests(view))
            self.set_class(not self._panes, "-empty")
            self._say_totals(view)
            if not self._panes:
                self.query_one(Welcome).tell(self.deck.machine)
        self.grid.lay_out(view.layout)
        self.grid.show(self._panes, view.now, self.deck.label_of("run.findings"))
        if self.deck.started and self.grid.select_run(self.deck.started):
            self.deck.started = ""

    def hints(self, view: View) -> tuple[Key, ...]:
        hints = super().hints(view)
        is_ours = bool(self._panes) and self.grid.guest is None
        return hints if is_ours else tuple(key for key in hints if key.id in _FIRST_HINTS)

    def _say_totals(self, view: View) -> None:
        """How many build, wait, failed; at the right what cannot be trusted or shown."""
        counted = Counter(role_of(pane.run) for pane in self._panes if pane.foreign is None)
        is_narrow = self.size.width < LIST_COLUMNS
        parts = [Part(" ", "text")]
        for role, word in _WORDS:
            if counted[role]:
                sign = self.deck.glyphs.of_role(role)
                parts.append(Part(f"{sign} {counted[role]}{'' if is_narrow else ' ' + word}   ", role))
        parts += self._foreign_parts(view, is_narrow=is_narrow)
        self.query_one("#totals", StatusLine).say(tuple(parts), self._warning(view))

    def _foreign_parts(self, view: View, *, is_narrow: bool) -> list[Part]:
        """How many builds are not ours, and of one which: its pane may be below the screen."""
        others = [pane.foreign.build for pane in self._panes if pane.foreign is not None]
        if not others:
            return []
        which = "" if len(others) > 1 or self.size.width < 100 else f": {cut_name(gist(others[0], view.now), 40)}"
        words = "" if is_narrow else f" {NOT_OURS}{which}"
        return [Part(f"{self.deck.glyphs.queued} {len(others)}{words}   ", "quiet")]

    def _warning(self, view: View) -> tuple[Part, ...]:
        board = view.board
        if board.notes:
            return (Part(self._note(board), "waiting"),)
        is_stale = roster.is_old(board, view.now) and roster.live_count(board) and not self.deck.deck.note
        return (Part("the engine does not answer: figures may be old ", "waiting"),) if is_stale else ()

    def _note(self, board: Board) -> str:
        """What cannot be shown and why."""
        more = f" (and {len(board.notes) - 1} more: cargo deck ps) " if len(board.notes) > 1 else " "
        return (
            cut_name(
                safe(board.notes[0]),
                max(1, (self.size.width if self.size.width < 80 else self.size.width * 3 // 4) - len(more) - 1),
            )
            + more
        )

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
        if number <= len(self._panes) and self._panes[number - 1].foreign is None:
            self.grid.selected = number - 1

    def action_open(self) -> None:
        if self.chosen is not None:
            self._open(self.chosen.run)
        else:
            self.explain_guest()

    def explain_guest(self) -> bool:
        guest = self.grid.guest
        if guest is not None:
            self.notify(refusal(guest), markup=False)
        return guest is not None

    def on_pane_grid_opened(self, message: PaneGrid.Opened) -> None:
        if not self.explain_guest():
            self._open(message.run)

    def _open(self, run: str) -> None:
        from tui.screens.run import RunScreen

        def back(last: str | None) -> None:
            if last:
                self.grid.select_run(last)

        self.app.push_screen(RunScreen(run), back)
