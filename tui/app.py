"""The dashboard: wires a source of boards to screens, and keys to requests."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Iterable
from functools import partial
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import SystemCommand
from textual.binding import Binding
from textual.driver import Driver
from textual.screen import Screen

from core.attach import Reader
from core.client import ensure_engine, request
from core.clock import wall_clock
from core.errors import DeckError
from core.load import Load, LoadMeter, is_news
from core.paths import Paths, find_paths
from core.pulse import Pulse
from core.state import Board
from core.watches import watched
from tui import format as f
from tui import roster
from tui.bindings import ACTIONS, bindings
from tui.driver import DeckDriver
from tui.farewell import crash_notice, farewell
from tui.guardian import guarded_terminal
from tui.key import reachable
from tui.notice import Watch, sequences
from tui.own_program import own_words
from tui.preferences import Preferences
from tui.run_actions import RunActions
from tui.screens.board import BoardScreen
from tui.source import Deck, foresee_plans
from tui.tabs import TABS
from tui.tail import Tails
from tui.themes import FALLBACKS, has_unicode, pick_theme
from tui.timers import later
from tui.view import View

if TYPE_CHECKING:
    from core.machine import Machine

PULL_S = 0.1
QUIET_PULL_S = 0.2
SETTLED_S = 0.7
"""From the start until there is what stays."""
_TICKS_UNTIL_QUIET = 30
WAKE_S = 2.0
"""How often the engine is looked for, once it gave no sign of life."""
KEEP_S = 20.0
"""How often it is asked to stay while it lives: it looks for builds that are not ours, too."""
EXIT_OURS = 125
GRACE_S = 3
"""From a signal to the end."""
_SCREENS = {
    "logs": ("tui.screens.logs", "LogsScreen"), "memory": ("tui.screens.memory", "MemoryScreen"),
    "locks": ("tui.screens.locks", "LocksScreen"), "cache": ("tui.screens.cache", "CacheScreen"),
    "kernels": ("tui.screens.kernels", "KernelsScreen"), "history": ("tui.screens.history", "HistoryScreen"),
}  # fmt: skip
"""Module and class of the screen of each tab but the first."""
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
"""Of these Textual would die and leave the terminal as it is."""


class DeckApp(RunActions):
    """cargo-deck's dashboard; its return value says how it was left (`key`, `interrupt`, `signal`)."""

    TITLE = "cargo deck"
    CSS_PATH: ClassVar[list[str]] = ["../styles/base.tcss", "../styles/board.tcss"]  # type: ignore[assignment]
    BINDINGS: ClassVar[list[Binding]] = bindings(ACTIONS)  # type: ignore[assignment]
    DEFAULT_MODE = TABS[0].name
    ENABLE_COMMAND_PALETTE = True
    PAUSE_GC_ON_SCROLL = True

    def __init__(self, deck: Deck, *, is_pulling: bool = True) -> None:
        """A dashboard over `deck`; without `is_pulling` nothing moves until `pull` is called."""
        super().__init__(deck)
        self.tails = Tails(deck.paths)
        self.view = View(self.board, 0.0)
        """What is shown."""
        self.crash: BaseException | None = None
        """The fault of ours that ended it."""
        self.machine: Machine | None = None
        """What was found on this machine; None: nobody looked yet."""
        self._is_pulling = is_pulling
        self._quiet_ticks = 0
        self._woken_at = 0.0
        self._watch = Watch(deck.clock())
        self.animation_level = "none"

    def get_driver_class(self) -> type[Driver]:
        return DeckDriver

    def get_default_screen(self) -> Screen[Any]:
        return BoardScreen()

    def _make_screen(self, tab: str) -> Screen[Any]:
        """The screen of a tab; its module is imported when it is first looked at."""
        if tab not in _SCREENS:
            return BoardScreen()
        module, name = _SCREENS[tab]
        screen: Screen[Any] = getattr(import_module(module), name)()
        return screen

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(FALLBACKS)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        return ()

    def delay_update(self, delay: float = 0.001) -> None:
        """Textual hides 50 ms of a change of screens; ours need no hiding."""
        super().delay_update(0.001)

    def on_mount(self) -> None:
        for tab in TABS:  # not earlier: Textual parses all styles anew for a first screen that is a mode's
            self.add_mode(tab.name, partial(self._make_screen, tab.name))
        self.set_class(self.glyphs.is_ascii, "-ascii")
        self.app_resume_signal.subscribe(self, lambda _: self.screen.refresh())  # the shell may have cleared it all
        self.call_after_refresh(self.complain)
        if self._is_pulling:
            leave = partial(_leave, asyncio.get_running_loop(), self)
            for number in _SIGNALS:
                signal.signal(number, leave)
            self._tick()
            later(self, SETTLED_S, self._settle_memory)
            self.run_worker(self._look_around, thread=True, group="machine", exit_on_error=False)

    def _settle_memory(self) -> None:
        """What is there after the first paint stays: the collector need not walk it again (5 ms each time)."""
        gc.collect()
        gc.freeze()
        gc.enable()

    def _look_again(self) -> None:
        self.look_at_settings()
        self.look_at_survivors()

    def _look_around(self) -> None:
        from core.machine import look_around

        self.machine = look_around(os.environ)

    def _tick(self) -> None:
        """Pull where something moved, and once a second: times go on. Where nothing moves, it looks less often.

        On the bare loop: a timer of Textual's costs as much as the look.
        """
        try:
            is_quiet = not self._look_for_news()
        except Exception as error:  # as Textual treats a fault in a handler
            self._handle_exception(error)
            return
        self._quiet_ticks = self._quiet_ticks + 1 if is_quiet else 0
        pause_s = QUIET_PULL_S if self._quiet_ticks > _TICKS_UNTIL_QUIET else PULL_S
        asyncio.get_running_loop().call_later(pause_s, self._tick)

    def _look_for_news(self) -> bool:
        """Pull where it is due; True where something moved."""
        if isinstance(self._driver, DeckDriver):
            self._driver.notice_size()
        now, pulse = self.deck.clock(), self.deck.pulse
        is_new_second = int(now) != int(self.view.now)
        if is_new_second:
            self._look_again()
            if pulse is not None:
                pulse.look_for_files()
        has_moved = pulse is None or pulse.has_moved() or bool(self.pending)
        if has_moved or is_new_second:
            self.pull()
        return has_moved

    def pull(self) -> None:
        """Show the board as it is now."""
        now = self.deck.clock()
        board = self.deck.source.poll()
        if board is not self.board:
            self.board = board
            self._announce(board)
        self.settle(board, now)
        self._wake_engine(now)
        self.view = View(
            board, float(int(now)), self.pending_words(), self._load(int(now)), self.alive, self.sort,
            self.layout_of_panes, self._watched(int(now)),
        )  # fmt: skip
        self.show_now()

    def show_now(self) -> None:
        """Show the view on the screen that is seen, if it is one of ours."""
        screen = self.front
        if screen is not None and screen.is_ready:
            screen.show_frame(self.view)

    def _watched(self, second: int) -> frozenset[tuple[str, str]]:
        """What is built again after each save: looked at once a second."""
        look = self.deck.watched
        return self.view.watched if look is None or second == int(self.view.now) else look()

    def _load(self, second: int) -> Load | None:
        """How busy the machine is: looked at once a second, and as before while hardly anything changed."""
        shown = self.view.load
        if self.deck.load is None or second == int(self.view.now):
            return shown
        load = self.deck.load()
        return load if is_news(load, shown) else shown

    def _wake_engine(self, now: float) -> None:
        wake = self.deck.wake
        wait_s = WAKE_S if roster.is_old(self.board, now) else KEEP_S
        if wake is None or now - self._woken_at < wait_s:
            return
        self._woken_at = now
        self.run_worker(wake, thread=True, group="wake", exclusive=True, exit_on_error=False)

    def copy_text(self, text: str, what: str = "") -> None:
        """Copy to where a person can paste it; a toast says what really happened to `what` (`3 lines`)."""
        self._clipboard = text  # what ctrl+v of an input pastes
        what = what or f.many(text.count("\n") + 1, "line")
        self.run_worker(partial(self._copy, text, what), thread=True, group="copy", exit_on_error=False)

    def _copy(self, text: str, what: str) -> None:
        from tui.clipboard import Clipboard, look_around

        situation = look_around(os.environ, self.settings.copy)
        board = Clipboard(situation, f"{self.folder}/copied.txt", self._send)
        try:
            tell = partial(self.notify, board.copy(text, what), markup=False)
        except OSError as error:
            why = f"could not copy {what}: {error.filename}: {error.strerror}"
            tell = partial(self.notify, why, severity="error", markup=False)
        self.call_from_thread(tell)

    def _send(self, sequence: str) -> None:
        """Write a control sequence to the terminal."""
        if self._driver is not None:
            self._driver.write(sequence)

    def _announce(self, board: Board) -> None:
        """Ring or notify for what ended just now, as far as the settings say so."""
        for ended in self._watch.ended(board):
            wanted = sequences(ended, bell=self.settings.bell, osc9=self.settings.osc9, is_in_tmux="TMUX" in os.environ)
            if wanted:
                self._send(wanted)

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

    def action_attention(self) -> None:
        if self.front is not None:
            self.front.show_next_needing()

    def action_help(self) -> None:
        from tui.screens.help import HelpScreen

        keys = self.front.KEYS if self.front is not None else ()
        self.push_screen(HelpScreen(reachable(self.as_bound((*keys, *ACTIONS))), is_ascii=self.glyphs.is_ascii))

    def _fatal_error(self) -> None:
        """A fault of ours: Textual would print the traceback with the values of all variables."""
        self.crash = sys.exc_info()[1] or self._exception
        self._return_code = EXIT_OURS
        self._close_messages_no_wait()

    def action_leave(self) -> None:
        self.exit("key")

    def action_interrupt(self) -> None:
        self.exit("interrupt")


def _leave(loop: asyncio.AbstractEventLoop, app: DeckApp, number: int, frame: FrameType | None) -> None:
    """Leave by a signal; if the terminal is gone and Textual waits for it for ever, die.

    Not a handler of the loop's: that may be what waits.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(GRACE_S)
    loop.call_soon_threadsafe(app.exit, "signal")


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
        foresee=foresee_plans(paths, os.environ),
        env=os.environ,
        pulse=Pulse(paths),
        is_there=os.path.exists,
        watched=partial(watched, paths),
        glyphs_are_ascii=not has_unicode(os.environ),
        theme=pick_theme(os.environ),
        preferences=Preferences.of_user(os.environ, paths),
    )
    return run_app(DeckApp(deck))


def run_app(app: DeckApp) -> int:
    """Run the app until it is left, then say what goes on without it (of a recording: nothing); exit code."""
    with guarded_terminal():
        app.run()
    if app.crash is not None:
        sys.stderr.write(crash_notice(app.crash, app.folder) + "\n")
        return EXIT_OURS
    if app.deck.note:
        return app.return_code or 0
    try:
        sys.stdout.writelines(line + "\n" for line in farewell(app.board, app.deck.paths, own_words()))
        sys.stdout.flush()
    except OSError:
        pass  # the terminal is gone
    return app.return_code or 0


def _wake(paths: Paths) -> None:
    try:
        ensure_engine(paths)
    except (DeckError, OSError):
        pass  # the board says that figures are old
