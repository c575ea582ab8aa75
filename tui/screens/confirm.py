"""A yes-or-no question."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from tui.bindings import CONFIRM, bindings
from tui.screens.dialog import Dialog
from tui.widgets.ansi import safe


class ConfirmScreen(Dialog[bool]):
    """Asks; true means yes. The first choice that has the focus is no."""

    BINDINGS: ClassVar[list[Binding]] = bindings(CONFIRM)  # type: ignore[assignment]

    def __init__(self, question: str, about: str, consequence: str) -> None:
        super().__init__()
        self._question, self._about, self._consequence = question, about, consequence

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(safe(self._question), classes="dialog-title", markup=False)
            yield Static(safe(self._about), classes="dialog-about", markup=False)
            yield Static(self._consequence, markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Button(f"No ({self.key('confirm.no')})", id="no", compact=True)
                yield Button(f"Yes ({self.key('confirm.yes')})", id="yes", variant="error", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, is_sure: bool) -> None:
        self.dismiss(is_sure)
