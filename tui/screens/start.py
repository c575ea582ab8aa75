"""The dialog that starts a build: where, who, what."""

import os
import shlex
from dataclasses import dataclass
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from core.state import Run

_AGENT_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A build that somebody wants."""

    cwd: str
    agent: str
    command: str
    """As typed: `cargo build -p engine`, `build -p engine`, `cmake --build out`."""

    @staticmethod
    def after(newest: Run | None, cwd: str) -> "Wanted":
        """What the dialog suggests: the newest build again."""
        if newest is None:
            return Wanted(cwd, os.path.basename(cwd) or "me", "cargo build")
        command = newest.command if newest.tool != "cargo" else f"cargo {newest.command}"
        return Wanted(newest.cwd, newest.agent, command)

    def message(self) -> dict[str, Any]:
        """The request for the engine."""
        argv = shlex.split(self.command)
        is_cargo = argv[0] == "cargo"
        return {
            "do": "start", "agent": self.agent, "cwd": os.path.abspath(os.path.expanduser(self.cwd)),
            "argv": argv[1:] if is_cargo else argv, "tool": "cargo" if is_cargo else "exec",
        }  # fmt: skip

    def complaint(self) -> tuple[str, str] | None:
        """Which field cannot be used, and why; None: all can."""
        folder = os.path.expanduser(self.cwd)
        if not os.path.isdir(folder):
            return "cwd", f"there is no folder {folder}"
        if not 0 < len(self.agent) <= 64 or not set(self.agent) <= _AGENT_CHARACTERS:
            return "agent", "1 to 64 letters, digits, . _ -"
        try:
            argv = shlex.split(self.command)
        except ValueError as error:
            return "command", f"the quotes do not match ({error})"
        if not argv or argv == ["cargo"]:
            return "command", "what should be built? For example: cargo build"
        return None


class StartScreen(ModalScreen[Wanted | None]):
    """Asks for folder, agent and command; gives None when it was left."""

    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]
        Binding("escape", "leave", "leave", id="start.leave", tooltip="Start nothing"),
        Binding("down", "app.focus_next", "next", id="start.next", tooltip="The next field"),
        Binding("up", "app.focus_previous", "previous", id="start.previous", tooltip="The field before"),
    ]

    def __init__(self, suggested: Wanted) -> None:
        super().__init__()
        self._suggested = suggested

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog start"):
            yield Static("Start a build", classes="dialog-title")
            for name, label in (("command", "command"), ("agent", "agent"), ("cwd", "folder")):
                with Horizontal(classes="field"):
                    yield Label(label)
                    yield Input(getattr(self._suggested, name), id=name, compact=True)
            yield Static("", id="complaint", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Button("Leave (esc)", id="leave", compact=True)
                yield Button("Start (enter)", id="start", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query_one("#command").focus()

    def on_input_submitted(self) -> None:
        self._start()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "start":
            self._start()
        else:
            self.dismiss(None)

    def action_leave(self) -> None:
        self.dismiss(None)

    def _start(self) -> None:
        value = {name: self.query_one(f"#{name}", Input).value.strip() for name in ("cwd", "agent", "command")}
        wanted = Wanted(**value)
        complaint = wanted.complaint()
        if complaint is None:
            self.dismiss(wanted)
            return
        field, why = complaint
        self.query_one("#complaint", Static).update(why)
        self.query_one(f"#{field}").focus()
