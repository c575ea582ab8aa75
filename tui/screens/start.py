"""The dialog that starts a build: where, who, what."""

import os
import shlex
from dataclasses import dataclass
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.suggester import SuggestFromList
from textual.widgets import Button, Input, Label, Static

from core.state import Run
from tui.bindings import START, bindings
from tui.remembered import Remembered
from tui.screens.dialog import Dialog
from tui.widgets.ansi import safe

_AGENT_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A build that somebody wants."""

    cwd: str
    agent: str
    command: str
    """As typed: `cargo build -p engine`, `build -p engine`, `cmake --build out`."""

    @staticmethod
    def after(newest: Run | None, agent: str, cwd: str) -> "Wanted":
        """What the dialog suggests to who never used it: the newest build again."""
        if newest is None:
            return Wanted(cwd, os.path.basename(cwd) or "me", "cargo build")
        command = newest.command if newest.tool != "cargo" else f"cargo {newest.command}"
        return Wanted(newest.cwd, agent, command)

    def message(self) -> dict[str, Any]:
        """The request for the engine."""
        from core.run.begin import tool_of

        cwd = os.path.abspath(os.path.expanduser(self.cwd))
        tool, words = tool_of(tuple(shlex.split(self.command)), cwd, dict(os.environ))
        return {"do": "start", "agent": self.agent, "cwd": cwd, "argv": list(words), "tool": tool}

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
        if not argv or argv in (["cargo"], ["exec"], ["exec", "--"]):
            return "command", "what should be built? For example: cargo build"
        return None


class StartScreen(Dialog[Wanted | None]):
    """Asks for folder, agent and command; gives None when it was left."""

    BINDINGS: ClassVar[list[Binding]] = bindings(START)  # type: ignore[assignment]

    def __init__(self, suggested: Wanted, memory: Remembered) -> None:
        super().__init__()
        self._before = {
            "command": _with(memory.commands, suggested.command),
            "agent": _with(memory.agents, suggested.agent),
            "cwd": _with(memory.folders, suggested.cwd),
        }
        """What was entered before, by field, newest first; what the dialog suggests is among it."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog start"):
            yield Static("Start a build", classes="dialog-title")
            for name, label in (("command", "command"), ("agent", "agent"), ("cwd", "folder")):
                before = self._before[name]
                with Horizontal(classes="field"):
                    yield Label(label)
                    suggester = SuggestFromList(before, case_sensitive=True)
                    yield Input(before[0], id=name, compact=True, suggester=suggester)
            yield Static("", id="complaint", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Button(f"Leave ({self.key('start.leave')})", id="leave", compact=True)
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

    def action_recall(self, by: int) -> None:
        """Show the entry before or after the one that the field shows; the newest for one that is new."""
        field = self.focused
        if not isinstance(field, Input) or field.id not in self._before:
            return
        before = self._before[field.id]
        at = before.index(field.value) + by if field.value in before else 0
        field.value = before[min(max(at, 0), len(before) - 1)]
        field.cursor_position = len(field.value)

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


def _with(entries: tuple[str, ...], suggested: str) -> tuple[str, ...]:
    """The entries and what is suggested, as they can be shown: a field draws its text as it is."""
    return tuple(dict.fromkeys(safe(entry) for entry in (*entries, suggested)))
