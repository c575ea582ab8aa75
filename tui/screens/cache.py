"""What compiler caches give to whom."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding
from textual.widget import Widget

from tui.bindings import CACHE, bindings
from tui.screens.base import DeckScreen
from tui.view import View
from tui.widgets.status_line import StatusLine


class CacheScreen(DeckScreen[None]):
    """What compiler caches give to whom."""

    KEYS = CACHE
    BINDINGS: ClassVar[list[Binding]] = bindings(CACHE)  # type: ignore[assignment]
    TAB = "cache"

    def body(self) -> Iterable[Widget]:
        yield StatusLine(self.deck.glyphs, id="about")

    def show(self, view: View) -> None:
        pass

    def action_back(self) -> None:
        self.deck.action_tab("board")
