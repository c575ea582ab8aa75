"""Who holds which lock, who waits for it."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding
from textual.widget import Widget

from tui.bindings import LOCKS, bindings
from tui.screens.base import DeckScreen
from tui.view import View
from tui.widgets.status_line import StatusLine


class LocksScreen(DeckScreen[None]):
    """Who holds which lock, who waits for it."""

    KEYS = LOCKS
    BINDINGS: ClassVar[list[Binding]] = bindings(LOCKS)  # type: ignore[assignment]
    TAB = "locks"

    def body(self) -> Iterable[Widget]:
        yield StatusLine(self.deck.glyphs, id="about")

    def show(self, view: View) -> None:
        pass

    def action_back(self) -> None:
        self.deck.action_tab("board")
