"""What a person does to runs: start, stop, kill, restart, forget, rename, copy. Each is said on the pane at once, until
the board shows that it has really happened."""

import os
import shlex
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from core.errors import DeckError
from core.run.mask import MASK, safe_words
from core.state import Board, Run
from core.values import dataclass
from tui import survivors
from tui.own_program import current_folder
from tui.personal import PersonalApp
from tui.screens.base import DeckScreen

if TYPE_CHECKING:
    from tui.source import Deck
    from tui.watching import Watches

SEEN_WITHIN_S = 20.0
"""What was asked for and is not seen by then is not said any longer."""
_BRIEF_S = 2.0
"""A toast of what a pane says too goes away by then."""
_WORDS = {"stop": "stopping", "kill": "killing", "restart": "restarts", "forget": "removing"}


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that was asked for and is not seen yet."""

    what: str
    """`stop`, `kill`, `restart`, `forget`."""
    run: Run
    """As it was then."""
    at: float
    """Seconds since the epoch."""

    @property
    def word(self) -> str:
        """For the pane: `stopping`."""
        return _WORDS[self.what]

    def has_happened(self, board: Board) -> bool:
        """The board shows it."""
        run = board.runs.get(self.run.run)
        if run is None:
            return True
        match self.what:
            case "stop":
                return run.state.is_over or run.stop is not None
            case "kill":
                return run.state.is_over or (run.stop is not None and run.stop.is_kill)
            case "restart":
                newer = (one for one in board.runs.values() if one.run > run.run and one.cwd == run.cwd)
                return any(one.command == run.command for one in newer)
            case _:
                return False  # a run that was forgotten is gone


class RunActions(PersonalApp):
    """The part of the dashboard that asks for things."""

    def __init__(self, deck: "Deck") -> None:
        super().__init__(deck)
        self.board = Board()
        self.pending: dict[str, Asked] = {}
        """What was asked for, by run."""
        self.alive: Mapping[str, tuple[str, ...]] = {}
        """Names of the processes that still live, by run that is being stopped."""
        self.watches: Watches | None = None
        """Watches that were started here; None: none yet."""
        self.started = ""
        """Run that was started here and whose pane nobody saw yet; empty: none."""

    def pull(self) -> None:
        """Show the board as it is now."""
        raise NotImplementedError

    def copy_text(self, text: str, what: str = "") -> None:
        """Copy to where a person can paste it."""
        raise NotImplementedError

    @property
    def front(self) -> DeckScreen[Any] | None:
        """The uppermost screen that is not a dialog; None as well while the app ends: its widgets go one by one."""
        if not self.is_running:
            return None
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, DeckScreen)), None)

    @property
    def chosen(self) -> Run | None:
        """The run that actions are about: the highlighted pane's, or the one whose log is open."""
        return self.front.chosen if self.front is not None else None

    def ask(self, message: dict[str, Any], *, what: str = "") -> None:
        """Send a request off the event loop; its refusal is shown as a sentence."""
        run = self.board.runs.get(message.get("run", ""))
        if run is not None and what:
            self.pending[run.run] = Asked(what, run, self.deck.clock())
            self.pull()
        self.run_worker(partial(self._request, message), thread=True, group="request", exit_on_error=False)

    def _request(self, message: dict[str, Any]) -> None:
        try:
            answer = self.deck.request(message)
        except DeckError as error:
            self.call_from_thread(self._tell_refusal, message, str(error))
            return
        if message["do"] == "start" and isinstance(run := answer.get("run"), str):
            self.call_from_thread(self._show_started, run)

    def _show_started(self, run: str) -> None:
        self.started = run
        self.pull()

    def _tell_refusal(self, message: dict[str, Any], why: str) -> None:
        self.pending.pop(message.get("run", ""), None)
        self.notify(why, title=f"could not {message['do']}", severity="error", markup=False)
        self.pull()

    def settle(self, board: Board, now: float) -> None:
        """Forget what was asked for once it is seen, or is not to be expected any more."""
        for run, asked in list(self.pending.items()):
            if asked.has_happened(board) or now - asked.at > SEEN_WITHIN_S:
                del self.pending[run]

    def pending_words(self) -> dict[str, str]:
        """What is said of runs until it is seen: `stopping`."""
        return {run: asked.word for run, asked in self.pending.items()}

    def look_at_survivors(self) -> None:
        """Off the event loop, and only while something is being stopped: see who is still alive."""
        stopping = [run.run for run in self.board.runs.values() if self._is_stopping(run)]
        if stopping:
            self.run_worker(partial(self._look, stopping), thread=True, group="survivors", exclusive=True,
                            exit_on_error=False)  # fmt: skip
        elif self.alive:
            self.alive = {}

    def _is_stopping(self, run: Run) -> bool:
        asked = self.pending.get(run.run)
        is_asked = asked is not None and asked.what in ("stop", "kill")
        return not run.state.is_over and (run.stop is not None or is_asked)

    def _look(self, runs: list[str]) -> None:
        self.alive = survivors.look(self.deck.paths, runs)

    def action_start(self) -> None:
        from tui.screens.start import StartScreen, Wanted

        def start(wanted: Wanted | None) -> None:
            if wanted is None:
                return
            self.ask(wanted.message(self.deck.env))
            self.notify(f"{wanted.agent}: {wanted.command}", title="starts", markup=False, timeout=3)
            if not _has_credentials(wanted.command):
                self.remember(lambda memory: memory.having_started(wanted.cwd, wanted.agent, wanted.command))

        folder = current_folder()
        run = self.chosen or self._newest_in(folder)
        agent = self.names.true_name(run) if run is not None else ""
        suggested = Wanted.after(run, agent, folder, self.remembered)
        self.push_screen(StartScreen(suggested, self.remembered, self.deck.foresee), start)

    def _newest_in(self, folder: str) -> Run | None:
        runs = (run for run in self.board.runs.values() if folder in (run.cwd, run.checkout))
        return max(runs, key=lambda run: run.run, default=None)

    def action_stop(self) -> None:
        run = self._live()
        if run is not None:
            self.ask({"do": "stop", "run": run.run, "kill": False}, what="stop")

    def action_kill(self) -> None:
        run = self._live()
        if run is None:
            return
        self._ask_first("Kill", run, "All its processes get SIGKILL at once.", {"do": "stop", "kill": True})

    def action_restart(self) -> None:
        run = self.chosen
        if run is None and self._refuse_guest():
            return
        if run is None:
            self.notify(f"There is no build to start again: {self.label_of('run.start')} starts one.", markup=False)
        elif run.is_owned and not run.state.is_over:
            stop = self.label_of("run.stop")
            self.notify(f"Its caller waits for it: stop it there, or with {stop}.", severity="warning", markup=False)
        else:
            self.ask({"do": "restart", "run": run.run}, what="restart")

    def action_watch(self) -> None:
        run = self.chosen
        if run is None:
            if not self._refuse_guest():
                self.notify("There is no build here to repeat after each save.")
        elif self.deck.is_recording:
            self.notify("This is a recording: nothing is built.")
        else:
            self.run_worker(partial(self._toggle_watch, run), thread=True, group="watch", exit_on_error=False)

    def _toggle_watch(self, run: Run) -> None:
        from tui.watching import Watches

        if self.watches is None:
            self.watches = Watches(self.deck.paths, self.deck.env or os.environ)
        try:
            say = partial(self.notify, self.watches.toggle(run), timeout=_BRIEF_S)
        except DeckError as error:
            say = partial(self.notify, str(error), title="watch", severity="error")
        self.call_from_thread(say, markup=False)

    def action_forget(self) -> None:
        run = self.chosen
        if run is None and self._refuse_guest():
            return
        if run is not None and not run.state.is_over:
            self.notify(f"It still runs: {self.label_of('run.stop')} stops it first.", markup=False)
        elif run is not None:
            self._ask_first("Forget", run, "Its log and its figures are removed for good.", {"do": "forget"})

    def _ask_first(self, word: str, run: Run, consequence: str, message: dict[str, Any]) -> None:
        """A question; what `message` says is done after a yes."""
        from tui.screens.confirm import ConfirmScreen

        def answer(is_sure: bool | None) -> None:
            if is_sure:
                self.ask({**message, "run": run.run}, what=word.lower())

        self.push_screen(ConfirmScreen(f"{word} {run.agent}'s build?", run.command, consequence), answer)

    def _refuse_guest(self) -> bool:
        """A build of somebody else's is highlighted; that nothing can be done to it was said."""
        return self.front is not None and self.front.explain_guest()

    def _live(self) -> Run | None:
        run = self.chosen
        if run is None and self._refuse_guest():
            return None
        if run is None or run.state.is_over:
            self.notify("No build runs here." if run is None else f"{run.agent}'s build is over.", markup=False)
            return None
        return run

    def action_rename(self) -> None:
        run = self.chosen
        if run is None:
            self._refuse_guest()
            return
        from tui.screens.rename import RenameScreen

        agent = self.names.true_name(run)

        def rename(name: str | None) -> None:
            if name is not None:
                self.remember(lambda memory: memory.calling(agent, name))
                self.names.call(self.remembered.names)
                self.pull()

        self.push_screen(RenameScreen(agent, self.remembered.names.get(agent, agent)), rename)

    def action_findings(self) -> None:
        run = self.chosen
        if run is None:
            if not self._refuse_guest():
                self.notify("There is no build here to tell about.")
            return
        from tui.screens.finding import FindingScreen

        self.push_screen(FindingScreen(run, run.findings, is_ascii=self.glyphs.is_ascii))

    def action_copy_command(self) -> None:
        run = self.chosen
        if run is not None:
            masked = f" (credentials are {MASK})" if MASK in run.command else ""
            self.copy_text(command_line(run), f"the command line{masked}")
        else:
            self._refuse_guest()


def command_line(run: Run) -> str:
    """What does the same in a shell: `cd ~/src/app && cargo build`. Credentials are masked, as in `run.json`."""
    cargo = "cargo deck " if " --mode " in run.command else "cargo "  # cargo itself knows none
    return f"cd {shlex.quote(run.cwd)} && {cargo if run.tool == 'cargo' else ''}{run.command}"


def _has_credentials(command: str) -> bool:
    words = tuple(shlex.split(command))
    return safe_words(words, dict(os.environ)) != words
