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


_SHARE, _FRAME = 0.9, 7
"""How much of the height a dialog takes, and the rows of it that are no text."""


def styled(line: Cell, *, is_ascii: bool) -> Content:
    """A line in the look of its role."""
    return Content.styled(drawable(line.text, is_ascii=is_ascii), _STYLES.get(line.role, ""))


def drawable(text: str, *, is_ascii: bool) -> str:
    """Foreign text in characters that the terminal can draw."""
    return ascii_only(safe(text)) if is_ascii else safe(text)


class SheetText(ScrolledDialog[None]):
    """What sheets share: text in the roles of the other screens, in as much of the height as there is."""

    def __init__(self, *, is_ascii: bool) -> None:
        super().__init__()
        self._is_ascii = is_ascii

    def on_mount(self) -> None:
        if self._is_ascii:
            draw_in_ascii(self.query_one(VerticalScroll))

    def limit_height(self, height: int, *, frame: int) -> None:
        """Let the text take what the screen's height and a frame of so many rows leave."""
        self.query_one(VerticalScroll).styles.max_height = max(1, int(height * _SHARE) - frame)

    def styled(self, line: Cell) -> Content:
        """A line as it is drawn."""
        return styled(line, is_ascii=self._is_ascii)

    def drawable(self, text: str) -> str:
        """Foreign text in characters that the terminal can draw."""
        return drawable(text, is_ascii=self._is_ascii)

    def action_close(self) -> None:
        self.dismiss()


class SheetScreen(SheetText):
    """A title and lines below it."""

    BINDINGS: ClassVar[list[Binding]] = bindings(SHEET)  # type: ignore[assignment]

    def __init__(self, title: str, lines: Sequence[Cell], *, is_ascii: bool = False) -> None:
        super().__init__(is_ascii=is_ascii)
        self._title, self._lines = title, tuple(lines)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog sheet"):
            yield Static(self.drawable(self._title), classes="dialog-title", markup=False)
            with VerticalScroll(can_focus=False):
                yield Static(Content("\n").join(self.styled(line) for line in self._lines))
            yield Static(self.drawable(f"{self.key('sheet.close')} back"), classes="dialog-hints", markup=False)

    def on_resize(self, event: events.Resize) -> None:
        self.limit_height(event.size.height, frame=_FRAME)
