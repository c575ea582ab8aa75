"""One link: all its figures, and where each comes from."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding
from textual.widget import Widget

from core import measured
from core.memory_queries import LinkRow, kill_rows, link_row, link_rows
from core.state import Run
from tui import link_words
from tui.bindings import LINK, bindings
from tui.screens.base import DeckScreen
from tui.view import View
from tui.widgets.ansi import safe
from tui.widgets.status_line import Part, StatusLine
from tui.widgets.text_view import TextView


class LinkScreen(DeckScreen[None]):
    """A link of the memory screen, by its key."""

    KEYS = LINK
    BINDINGS: ClassVar[list[Binding]] = bindings(LINK)  # type: ignore[assignment]
    CSS_PATH = "../../styles/memory.tcss"
    TAB = "memory"

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key = key
        self._row: LinkRow | None = None
        self._now = -1.0

    def body(self) -> Iterable[Widget]:
        yield StatusLine(self.deck.glyphs, id="about")
        yield TextView(self.deck.glyphs, id="figures")

    def begin(self) -> None:
        self.query_one("#figures").focus()

    @property
    def chosen(self) -> Run | None:
        """Its run."""
        return self.deck.view.board.runs.get(self._row.run) if self._row is not None else None

    def show(self, view: View) -> None:
        if view.now == self._now or (self._row is not None and self._row.ended is not None):
            return
        self._now = view.now
        if self._row is not None:
            row: LinkRow | None = link_row(view.board, self._row)
        else:
            row = next((row for row in link_rows(view.board) if row.key == self._key), None)
        if row is None:
            return
        self._row = row
        about = (Part(f" {safe(row.name)}", "title"), Part(f"  {safe(row.agent)}", "text"))
        self.query_one("#about", StatusLine).say(about)
        known = measured.read(self.deck.deck.paths)
        lines = link_words.page(row, known, kill_rows(view.board), view.now)
        self.query_one("#figures", TextView).show(lines)

    def action_back(self) -> None:
        self.dismiss()
