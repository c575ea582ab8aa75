"""Who takes the memory, and what links took."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding
from textual.widget import Widget

from tui.bindings import MEMORY, bindings
from tui.screens.base import DeckScreen
from tui.view import View
from tui.widgets.status_line import StatusLine


class MemoryScreen(DeckScreen[None]):
    """Who takes the memory, and what links took."""

    KEYS = MEMORY
    BINDINGS: ClassVar[list[Binding]] = bindings(MEMORY)  # type: ignore[assignment]
    TAB = "memory"

    def body(self) -> Iterable[Widget]:
        yield StatusLine(self.deck.glyphs, id="about")

    def show(self, view: View) -> None:
        pass

    def action_back(self) -> None:
        self.deck.action_tab("board")
