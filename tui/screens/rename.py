"""The dialog that names an agent."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Input, Static

from tui.bindings import RENAME, bindings
from tui.screens.dialog import Dialog
from tui.widgets.ansi import safe

LONGEST = 40
"""Characters of a name: more would leave no room for the command."""


def complaint(name: str) -> str:
    """Why a name cannot be used; empty: it can."""
    if len(name) > LONGEST:
        return f"{len(name)} characters are too many: at most {LONGEST}"
    return "" if name.isprintable() else "letters, digits, signs and spaces only"


class RenameScreen(Dialog[str | None]):
    """Asks for a name; gives the agent's own one for an empty answer, None when it was left."""

    BINDINGS: ClassVar[list[Binding]] = bindings(RENAME)  # type: ignore[assignment]

    def __init__(self, agent: str, name: str) -> None:
        super().__init__()
        self._agent, self._name_before = agent, name

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(f"Call {safe(self._agent)}", classes="dialog-title", markup=False)
            yield Input(safe(self._name_before), id="name", placeholder=safe(self._agent), compact=True)
            yield Static("", id="complaint", markup=False)
            about = f"Here only: commands and requests know it as {safe(self._agent)}. Empty: its own name again."
            yield Static(about, classes="dialog-about", markup=False)

    def on_mount(self) -> None:
        self.query_one("#name").focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        name = event.value.strip()
        why = complaint(name)
        self.query_one("#complaint", Static).update(why)
        if not why:
            self.dismiss(name or self._agent)

    def action_leave(self) -> None:
        self.dismiss(None)
