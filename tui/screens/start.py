"""The dialog that starts a build: where, who, what."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.strip import Strip
from textual.suggester import SuggestFromList
from textual.timer import Timer
from textual.widgets import Button, Input, Label, Static

from core.errors import UsageError
from core.plan.modes import BUILT_IN, NONE
from core.state import Run
from tui import format as f
from tui.bindings import START, bindings
from tui.remembered import Remembered
from tui.screens.dialog import Dialog
from tui.screens.sheet import styled
from tui.screens.start_preview import Asked, Foreseen, fitted
from tui.source import Foresee
from tui.timers import later
from tui.widgets.ansi import safe
from tui.widgets.table_view import Cell

LOOK_AFTER_S = 0.3
"""Nothing was typed for so long: what would be changed is looked up."""
_REFUSED = "nothing is started with this mode: see above"
_AS_SAID = "as files and variables say"
_AGENT_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A build that somebody wants."""

    cwd: str
    agent: str
    command: str
    """As typed: `cargo build -p engine`, `build -p engine`, `cmake --build out`."""
    mode: str = ""
    """Empty: as files and variables say."""

    @staticmethod
    def after(run: Run | None, agent: str, cwd: str, memory: Remembered) -> "Wanted":
        """What the dialog suggests: that run's command again; without one what was entered last, else a build here."""
        if run is None:
            folder, command = (*memory.folders, cwd)[0], (*memory.commands, "cargo build")[0]
            return Wanted(folder, (*memory.agents, os.path.basename(cwd) or "me")[0], command)
        return Wanted(run.cwd, agent, run.command if run.tool != "cargo" else f"cargo {run.command}")

    def message(self, env: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The request for the engine. `env`: of the build; None: the engine's own."""
        asked = self.asked()
        message: dict[str, Any] = {
            "do": "start", "agent": asked.agent, "cwd": asked.cwd, "argv": list(asked.words), "tool": asked.tool,
        }  # fmt: skip
        if env is not None:
            message["env"] = dict(env)
        return message | {"mode": asked.mode} if asked.mode else message

    def asked(self) -> Asked:
        """What that is. Raises ValueError: its quotes do not match; UsageError: an option of ours lacks its value."""
        from core.run.begin import tool_of
        from tui.cli.build import split_own

        cwd = os.path.abspath(os.path.expanduser(self.cwd))
        tool, words = tool_of(tuple(shlex.split(self.command)), cwd, dict(os.environ))
        if tool != "cargo":
            return Asked(cwd, self.agent, tool, words, self.mode)
        words, own = split_own(list(words))
        return Asked(cwd, self.agent, tool, words, self.mode or own.get("mode", ""))

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
        try:
            self.asked()
        except UsageError as error:
            return "command", str(error)
        if not argv or argv in (["cargo"], ["exec"], ["exec", "--"]):
            return "command", "what should be built? For example: cargo build"
        return None


class StartScreen(Dialog[Wanted | None]):
    """Asks for command, agent, folder and mode, and says what would be changed; gives None when it was left."""

    BINDINGS: ClassVar[list[Binding]] = bindings(START)  # type: ignore[assignment]

    def __init__(
        self, suggested: Wanted, memory: Remembered, foresee: Foresee | None = None, *, wait_s: float = LOOK_AFTER_S
    ) -> None:
        """`foresee`: tells what would be changed; None: nobody does. `wait_s`: from a key until it is asked."""
        super().__init__()
        self._before = {
            "command": _with(suggested.command, memory.commands),
            "agent": _with(suggested.agent, memory.agents),
            "cwd": _with(suggested.cwd, memory.folders),
            "mode": ("", *BUILT_IN, NONE),
        }
        """What can be recalled, by field: what is suggested, then what was entered before, newest first; modes."""
        self._foresee = foresee
        self._wait_s = wait_s
        self._timer: Timer | None = None
        self._is_looking = False
        self._is_due = False
        """While it looked, something else was entered."""
        self._looked_at: Wanted | None = None
        self._foreseen = Foreseen()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog start"):
            yield Static("Start a build", classes="dialog-title")
            for name, label in (("command", "command"), ("agent", "agent"), ("cwd", "folder"), ("mode", "mode")):
                before = self._before[name]
                with Horizontal(classes="field"):
                    yield Label(label)
                    suggester = SuggestFromList(before, case_sensitive=True)
                    hint = _AS_SAID if name == "mode" else ""
                    yield Field(before[0], id=name, compact=True, suggester=suggester, placeholder=hint)
            preview = Static("", id="preview", markup=False)
            preview.display = self._foresee is not None
            yield preview
            yield Static("", id="complaint", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Button(f"Leave ({self.key('start.leave')})", id="leave", compact=True)
                yield Button("Start (enter)", id="start", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query_one("#command").focus()
        self.look()

    def on_input_submitted(self) -> None:
        self._start()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "start":
            self._start()
        else:
            self.dismiss(None)

    def on_input_changed(self) -> None:
        """Look what would be changed, once nothing was typed for a moment; what was wrong may be mended."""
        self._complain("")
        if self._timer is not None:
            self._timer.stop()
        self._timer = later(self, self._wait_s, self.look)

    def on_resize(self) -> None:
        self._say()

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_recall(self, by: int) -> None:
        """Show the entry before or after the one that the field shows; the newest for one that is new. Down goes to
        the next mode, up to the one before."""
        field = self.focused
        if not isinstance(field, Input) or field.id not in self._before:
            return
        before = self._before[field.id]
        step = -by if field.id == "mode" else by
        at = before.index(field.value) + step if field.value in before else 0
        field.value = before[at % len(before) if field.id == "mode" else min(max(at, 0), len(before) - 1)]
        field.cursor_position = len(field.value)

    # What would be changed

    @property
    def is_settled(self) -> bool:
        """What is said is about what is entered."""
        return self._foresee is None or (not self._is_looking and self._entered() == self._looked_at)

    def look(self) -> None:
        """Have a thread look what would be changed; one at a time, and never the same twice."""
        wanted = self._entered()
        if self._foresee is None or wanted == self._looked_at:
            return
        if self._is_looking:
            self._is_due = True
            return
        self._looked_at = wanted
        if wanted.complaint() is not None:
            self._take(Foreseen(modes=self._foreseen.modes))
            return
        self._is_looking = True
        if not self._foreseen.lines:
            self._foreseen = Foreseen((Cell("looking what it would change …", "dim"),), self._foreseen.modes)
            self._say()
        self.run_worker(partial(self._work, self._foresee, wanted), thread=True, group="preview", exit_on_error=False)

    def _work(self, foresee: Foresee, wanted: Wanted) -> None:
        """Off the event loop."""
        found = Foreseen((Cell("what it would change cannot be told", "dim"),))
        try:
            found = foresee(wanted.asked())
        finally:
            self.app.call_from_thread(self._found, found)

    def _found(self, found: Foreseen) -> None:
        self._is_looking = False
        if not self.is_attached:
            return
        self._take(found)
        if self._is_due:
            self._is_due = False
            self.look()

    def _take(self, found: Foreseen) -> None:
        """Show what was found. A list of modes stays where no other is known."""
        self._foreseen = found if found.modes else found._replace(modes=self._foreseen.modes)
        if found.modes:
            self._before["mode"] = ("", *found.modes)
            self.query_one("#mode", Input).suggester = SuggestFromList(found.modes, case_sensitive=True)
        self._say()

    def _say(self) -> None:
        preview = self.query_one("#preview", Static)
        size = preview.content_size
        lines = fitted(self._foreseen.lines, size.width, size.height) if size.width else ()
        is_ascii = self.deck.glyphs.is_ascii
        preview.update(Content("\n").join(styled(line, is_ascii=is_ascii) for line in lines))

    def _entered(self) -> Wanted:
        return Wanted(**{name: self.query_one(f"#{name}", Input).value.strip() for name in self._before})

    def _start(self) -> None:
        wanted = self._entered()
        complaint = wanted.complaint()
        if complaint is None and wanted == self._looked_at and not self._is_looking and self._foreseen.is_refused:
            complaint = "mode" if wanted.mode else "command", _REFUSED
        if complaint is None:
            self.dismiss(wanted)
            return
        field, why = complaint
        self._complain(why)
        self.query_one(f"#{field}").focus()

    def _complain(self, why: str) -> None:
        self.query_one("#complaint", Static).update(why)


class Field(Input):
    """An input that says `…` where nobody is in it and its text is longer: of a folder the end is seen."""

    def render_line(self, y: int) -> Strip:
        room = self.scrollable_content_region.width
        if y != 0 or self.has_focus or f.cell_len(self.value) <= room:
            return super().render_line(y)
        text = f.cut_path(self.value, room) if self.id == "cwd" else f.cut_name(self.value, room)
        is_ascii = isinstance(self.screen, StartScreen) and self.screen.deck.glyphs.is_ascii
        return Strip([Segment(f.ascii_only(text) if is_ascii else text, self.rich_style)]).extend_cell_length(room + 1)


def _with(suggested: str, entries: tuple[str, ...]) -> tuple[str, ...]:
    """What is suggested and the entries, as they can be shown: a field draws its text as it is."""
    return tuple(dict.fromkeys(safe(entry) for entry in (suggested, *entries)))
