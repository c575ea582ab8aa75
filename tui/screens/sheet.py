"""Where a figure comes from: a sheet of text over a screen."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.bindings import SHEET, bindings
from tui.format import ascii_only
from tui.screens.dialog import ScrolledDialog
from tui.widgets.ansi import safe
from tui.widgets.scroll_bar import draw_in_ascii
from tui.widgets.table_view import Cell

_STYLES = {
    "strong": "bold $deck-strong", "dim": "$deck-dim", "failed": "$state-failed", "waiting": "$state-waiting",
    "done": "$state-done",
}  # fmt: skip


_SHARE, _FRAME = 0.9, 5
"""How much of the height a dialog takes, and the rows of it that are no text."""


class SheetScreen(ScrolledDialog[None]):
    """A title and lines below it, in the roles of the other screens."""

    BINDINGS: ClassVar[list[Binding]] = bindings(SHEET)  # type: ignore[assignment]

    def __init__(self, title: str, lines: Sequence[Cell], *, is_ascii: bool = False) -> None:
        super().__init__()
        self._title, self._lines, self._is_ascii = title, tuple(lines), is_ascii

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog sheet"):
            yield Static(self._drawable(self._title), classes="dialog-title", markup=False)
            with VerticalScroll(can_focus=False):
                yield Static(Content("\n").join(self._styled(line) for line in self._lines))

    def on_mount(self) -> None:
        if self._is_ascii:
            draw_in_ascii(self.query_one(VerticalScroll))

    def on_resize(self, event: events.Resize) -> None:
        self.query_one(VerticalScroll).styles.max_height = max(1, int(event.size.height * _SHARE) - _FRAME)

    def _styled(self, line: Cell) -> Content:
        return Content.styled(self._drawable(line.text), _STYLES.get(line.role, ""))

    def _drawable(self, text: str) -> str:
        return ascii_only(safe(text)) if self._is_ascii else safe(text)

    def action_close(self) -> None:
        self.dismiss()
