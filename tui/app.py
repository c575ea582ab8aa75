"""The dashboard: wires a source of boards to screens, and keys to requests."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from core import queries
from core.attach import Reader
from core.client import ensure_engine, request
from core.clock import wall_clock
from core.errors import DeckError
from core.load import Load, LoadMeter
from core.machine import Machine, look_around
from core.paths import Paths, find_paths
from core.state import Board, Run, RunState
from tui import format as f
from tui import roster
from tui.bindings import ACTIONS, bindings
from tui.screens.base import DeckScreen
from tui.screens.board import BoardScreen
from tui.source import Deck
from tui.tabs import TABS
from tui.tail import Tails
from tui.themes import FALLBACKS, THEMES, has_unicode, pick_theme
from tui.view import View
from tui.widgets.look import ASCII, UNICODE

PULL_S = 0.1
WAKE_S = 2.0
"""How often the engine is looked for, once it gave no sign of life."""
_DOING = {"stop": "stopping", "kill": "killing", "restart": "restarts", "forget": "forgetting"}
_LEAST_LOAD_CHANGE = 0.02
"""A machine whose load moved by less looks as before."""


class DeckApp(App[str]):
    """cargo-deck's dashboard; its return value says how it was left (`key`, `interrupt`, `signal`)."""

    TITLE = "cargo deck"
    CSS_PATH: ClassVar[list[str]] = [  # type: ignore[assignment]
        "../styles/base.tcss", "../styles/board.tcss", "../styles/log.tcss", "../styles/modals.tcss",
    ]  # fmt: skip
    BINDINGS: ClassVar[list[Binding]] = bindings(ACTIONS)  # type: ignore[assignment]
    DEFAULT_MODE = TABS[0].name
    ENABLE_COMMAND_PALETTE = True
    PAUSE_GC_ON_SCROLL = True

    def __init__(self, deck: Deck, *, is_pulling: bool = True) -> None:
        """A dashboard over `deck`; without `is_pulling` nothing moves until `pull` is called."""
        super().__init__()
        self.deck = deck
        self.glyphs = ASCII if deck.glyphs_are_ascii else UNICODE
        self.tails = Tails(deck.paths)
        self.board = Board()
        self.view = View(self.board, 0.0)
        """What is shown."""
        self.pending: dict[str, tuple[str, Run]] = {}
        """What was asked for, by run, and how the run was then: said until the run changes."""
        self.machine: Machine | None = None
        """What was found on this machine; None: nobody looked yet."""
        self._is_pulling = is_pulling
        self._woken_at = 0.0
        for tab in TABS:
            self.add_mode(tab.name, partial(self._make_screen, tab.name))
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = deck.theme

    def _make_screen(self, tab: str) -> Screen[Any]:
        """The screen of a tab; its module is imported when it is first looked at."""
        match tab:
            case "logs":
                from tui.screens.logs import LogsScreen

                return LogsScreen()
            case "history":
                from tui.screens.history import HistoryScreen

                return HistoryScreen()
            case _:
                return BoardScreen()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(FALLBACKS)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        return ()

    def delay_update(self, delay: float = 0.0) -> None:
        """Textual hides 50 ms of a change of screens; ours need no hiding."""
        super().delay_update(0.0)

    def on_mount(self) -> None:
        self.set_class(self.deck.glyphs_are_ascii, "-ascii")
        if self._is_pulling:
            for number in (signal.SIGTERM, signal.SIGHUP):  # Textual would die and leave the terminal as it is
                asyncio.get_running_loop().add_signal_handler(number, self.exit, "signal")
            self.set_interval(PULL_S, self.pull)
            self.run_worker(self._look_around, thread=True, group="machine", exit_on_error=False)

    def _look_around(self) -> None:
        self.machine = look_around(os.environ)

    def pull(self) -> None:
        """Show the board as it is now."""
        now = self.deck.clock()
        board = self.deck.source.poll()
        if board is not self.board:
            self.board = board
            self._settle(board)
        self._wake_engine(now)
        self.view = View(board, float(int(now)), self._words(), self._load(int(now)))
        self.show_now()

    def show_now(self) -> None:
        """Show the view on the screen that is seen, if it is one of ours."""
        screen = self.front
        if screen is not None and screen.is_ready:
            screen.show_frame(self.view)

    @property
    def front(self) -> DeckScreen[Any] | None:
        """The uppermost screen that is not a dialog."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, DeckScreen)), None)

    def _words(self) -> dict[str, str]:
        return {run: word for run, (word, _) in self.pending.items()}

    def _load(self, second: int) -> Load | None:
        """How busy the machine is: looked at once a second, and as before while hardly anything changed."""
        shown = self.view.load
        if self.deck.load is None or second == int(self.view.now):
            return shown
        load = self.deck.load()
        if load is None or shown is None or load.cpu is None or shown.cpu is None:
            return load
        moved = abs(load.cpu - shown.cpu), abs(load.used_bytes - shown.used_bytes) / load.total_bytes
        return load if max(moved) >= _LEAST_LOAD_CHANGE else shown

    def _settle(self, board: Board) -> None:
        """What was asked for is seen once the run is another."""
        for run, (_, before) in list(self.pending.items()):
            if board.runs.get(run) is not before:
                del self.pending[run]

    def _wake_engine(self, now: float) -> None:
        wake = self.deck.wake
        if wake is None or now - self._woken_at < WAKE_S or not roster.is_old(self.board, now):
            return
        if self._woken_at and not roster.live_count(self.board):
            return  # nothing to observe: it ended because it was idle
        self._woken_at = now
        self.run_worker(wake, thread=True, group="wake", exclusive=True, exit_on_error=False)

    @property
    def chosen(self) -> Run | None:
        """The run that actions are about: the highlighted pane's, or the one whose log is open."""
        return self.front.chosen if self.front is not None else None

    def ask(self, message: dict[str, Any], *, word: str = "") -> None:
        """Send a request off the event loop; its refusal is shown as a sentence."""
        run = self.board.runs.get(message.get("run", ""))
        if run is not None and word:
            self.pending[run.run] = (word, run)
            self.pull()
        self.run_worker(partial(self._request, message), thread=True, group="request", exit_on_error=False)

    def _request(self, message: dict[str, Any]) -> None:
        try:
            self.deck.request(message)
        except DeckError as error:
            self.call_from_thread(self._tell_refusal, message, str(error))

    def _tell_refusal(self, message: dict[str, Any], why: str) -> None:
        self.pending.pop(message.get("run", ""), None)
        self.notify(why, title=f"could not {message['do']}", severity="error", markup=False)

    def copy_text(self, text: str, what: str = "") -> None:
        """Copy to where a person can paste it; a toast says what really happened to `what` (`3 lines`)."""
        self._clipboard = text  # what ctrl+v of an input pastes
        what = what or f.many(len(text.splitlines()), "line")
        self.run_worker(partial(self._copy, text, what), thread=True, group="copy", exit_on_error=False)

    def _copy(self, text: str, what: str) -> None:
        from tui.clipboard import Clipboard, look_around

        board = Clipboard(look_around(os.environ), f"{self.deck.paths.state}/copied.txt", self._send)
        try:
            said, severity = board.copy(text, what), "information"
        except OSError as error:
            said, severity = f"could not copy {what}: {error.filename}: {error.strerror}", "error"
        self.call_from_thread(self.notify, said, severity=severity, markup=False)

    def _send(self, sequence: str) -> None:
        """Write a control sequence to the terminal."""
        if self._driver is not None:
            self._driver.write(sequence)

    def copy_to_clipboard(self, text: str) -> None:
        self.copy_text(text)

    def action_tab(self, name: str) -> None:
        self.switch_mode(name)

    def action_next_tab(self, by: int) -> None:
        names = [tab.name for tab in TABS]
        self.switch_mode(names[(names.index(self.current_mode) + by) % len(names)])

    def action_press(self, key: str) -> None:
        self.simulate_key(key)

    def action_command_palette(self) -> None:
        from textual.command import CommandPalette

        from tui.commands import DeckCommands

        if not CommandPalette.is_open(self):  # type: ignore[arg-type]
            self.push_screen(CommandPalette([DeckCommands], id="--command-palette"))

    def action_start(self) -> None:
        from tui.screens.start import StartScreen, Wanted

        def start(wanted: Wanted | None) -> None:
            if wanted is not None:
                self.ask(wanted.message())

        newest = max(self.board.runs.values(), key=lambda run: run.run, default=None)
        self.push_screen(StartScreen(Wanted.after(newest, os.getcwd())), start)

    def action_stop(self) -> None:
        run = self._live()
        if run is not None:
            self.ask({"do": "stop", "run": run.run, "kill": False}, word=_DOING["stop"])

    def action_kill(self) -> None:
        run = self._live()
        if run is None:
            return
        from tui.screens.confirm import ConfirmScreen

        def kill(is_sure: bool | None) -> None:
            if is_sure:
                self.ask({"do": "stop", "run": run.run, "kill": True}, word=_DOING["kill"])

        self.push_screen(
            ConfirmScreen(f"Kill {run.agent}'s build?", run.command, "All its processes get SIGKILL at once."), kill
        )

    def action_restart(self) -> None:
        run = self.chosen
        if run is None:
            self.notify("There is no build to start again: s starts one.")
        elif run.is_owned and not run.state.is_over:
            self.notify("Its caller waits for it: stop it there, or with x.", severity="warning")
        else:
            self.ask({"do": "restart", "run": run.run}, word=_DOING["restart"])

    def action_forget(self) -> None:
        run = self.chosen
        if run is not None and not run.state.is_over:
            self.notify("It still runs: x stops it first.")
        elif run is not None:
            self.ask({"do": "forget", "run": run.run}, word=_DOING["forget"])

    def _live(self) -> Run | None:
        run = self.chosen
        if run is None or run.state.is_over:
            self.notify("No build runs here." if run is None else f"{run.agent}'s build is over.", markup=False)
            return None
        return run

    def action_attention(self) -> None:
        if self.front is not None:
            self.front.show_next_needing()

    def action_help(self) -> None:
        from tui.screens.help import HelpScreen

        keys = self.front.KEYS if self.front is not None else ()
        self.push_screen(HelpScreen((*keys, *ACTIONS), is_ascii=self.glyphs.is_ascii))

    def action_next_theme(self) -> None:
        names = [theme.name for theme in THEMES]
        at = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(at + 1) % len(names)]

    def action_leave(self) -> None:
        self.exit("key")

    def action_interrupt(self) -> None:
        self.exit("interrupt")


def main(argv: list[str] | None = None) -> int:
    """Open the dashboard over this user's builds; exit code."""
    paths = find_paths(os.environ)
    deck = Deck(
        source=Reader(paths, wall_clock),
        paths=paths,
        clock=wall_clock,
        request=partial(request, paths, timeout_s=15.0),
        wake=partial(_wake, paths),
        load=LoadMeter().sample,
        glyphs_are_ascii=not has_unicode(os.environ),
        theme=pick_theme(os.environ),
    )
    return run_app(DeckApp(deck))


def run_app(app: DeckApp) -> int:
    """Run the app until it is left, then say what goes on without it; exit code."""
    app.run()
    if app.return_code:
        return app.return_code
    for line in farewell(app.board, app.deck.paths):
        sys.stdout.write(line + "\n")
    return 0


def farewell(board: Board, paths: Paths) -> list[str]:
    """At most three lines: what goes on, what failed, where the logs are."""
    live = [run for run in board.runs.values() if not run.state.is_over]
    failed = [pane.run for pane in queries.panes(board) if pane.run.state is RunState.FAILED]
    lines = []
    if live:
        names = ", ".join(run.agent for run in live[:6]) + (" …" if len(live) > 6 else "")
        verb = "build goes on" if len(live) == 1 else "builds go on"
        lines.append(f"{len(live)} {verb} ({names}): `cargo deck` shows them again")
    if failed:
        lines.append(f"failed: {failed[-1].agent}, log {paths.run(failed[-1].run)}/out.log")
    if board.runs:
        lines.append(f"logs: {paths.runs}")
    return lines


def _wake(paths: Paths) -> None:
    try:
        ensure_engine(paths)
    except (DeckError, OSError):
        pass  # the board says that figures are old
