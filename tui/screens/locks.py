"""Who holds which lock of cargo's, who waits for it; and target dirs that several checkouts share."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.widget import Widget

from core.lock_queries import LockLine, SharedTarget, is_current, lock_lines, shared_targets
from core.state import Board
from core.watch.shared_mend import Proven, examine
from tui import format as f
from tui.bindings import LOCKS, bindings
from tui.key import Key
from tui.screens.base import DeckScreen
from tui.view import View
from tui.widgets import lock_words as words
from tui.widgets.status_line import Part, StatusLine
from tui.widgets.table_view import Cell, TableView
from tui.widgets.text_view import TextView

_UNSEEN = "This system does not say who holds a lock: what cargo itself says of waits stands in the panes."


class LocksScreen(DeckScreen[None]):
    """Locks, and the chosen one in full below them."""

    KEYS = LOCKS
    BINDINGS: ClassVar[list[Binding]] = bindings(LOCKS)  # type: ignore[assignment]
    CSS_PATH = "../../styles/locks.tcss"
    TAB = "locks"

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[object, ...] = ()
        self._board = Board()
        self._lines: Sequence[LockLine] = ()
        self._shared: Sequence[SharedTarget] = ()
        self._proofs: dict[str, Proven] = {}
        """By dir, as of when they were asked for."""

    def body(self) -> Iterable[Widget]:
        yield StatusLine(self.deck.glyphs, id="about")
        yield TableView(self.deck.glyphs, (), id="locks", empty=words.NOBODY if sys.platform == "linux" else _UNSEEN)
        yield TextView(self.deck.glyphs, id="detail")

    def begin(self) -> None:
        self.table.focus()

    @property
    def table(self) -> TableView:
        """Locks and shared dirs."""
        return self.query_one("#locks", TableView)

    @property
    def detail(self) -> TextView:
        """The chosen one in full."""
        return self.query_one("#detail", TextView)

    def show(self, view: View) -> None:
        shown = view.now, view.board.host.locks, tuple(run.blocked for run in view.board.runs.values())
        if shown == self._shown:
            return  # lines of logs, crates: all that comes ten times a second is nothing here
        self._shown = shown
        self._board = replace(view.board, now=view.now)
        self._lines = lock_lines(self._board, words.day_began(view.now))
        self._shared = shared_targets(self._board)
        self._say()

    def on_resize(self, event: events.Resize) -> None:
        if self.is_ready:
            self._say()

    def _say(self) -> None:
        shown = words.columns(self.size.width)
        self.table.set_columns(shown)
        self.table.show(words.rows(self._lines, self._shared, self._proofs, shown))
        self._say_about()
        self._say_detail()

    def _say_about(self) -> None:
        waiting = {wait.owner.pid for line in self._lines for wait in line.waits}
        held = sum(bool(line.holders) for line in self._lines)
        lost_s = sum(seconds for line in self._lines for _, seconds in line.lost)
        parts = [
            Part(f" {len(waiting)} wait", "waiting" if waiting else "dim"),
            Part(f"{f.many(held, 'lock')} held", "dim"),
        ]
        if lost_s >= 1:
            parts.append(Part(f"{f.duration(lost_s)} lost today", "number"))
        if self._board.runs and not is_current(self._board):
            parts = [Part(" nobody looks at locks now", "dim"), *parts[2:]]
        dot = Part(self.deck.glyphs.dot, "dim")
        left = tuple(piece for part in parts for piece in (dot, part))[1:]
        shared = f"{words.WARNING} {f.many(len(self._shared), 'shared dir')} "
        self.query_one("#about", StatusLine).say(left, (Part(shared, "failed"),) if self._shared else ())

    def _say_detail(self) -> None:
        self.detail.show(tuple(self._detail()))

    def _detail(self) -> Iterable[Cell]:
        chosen = self.table.chosen
        line = next((line for line in self._lines if line.path == chosen), None)
        if line is not None:
            return words.lock_detail(line, self._board.runs)
        shared = self._chosen_dir
        if shared is None:
            return ()
        return words.shared_detail(shared, self._proofs.get(shared.path), self.deck.label_of("locks.prove"))

    @property
    def _chosen_dir(self) -> SharedTarget | None:
        return next((one for one in self._shared if f"shared {one.path}" == self.table.chosen), None)

    # Keys

    def on_table_view_selected(self, event: TableView.Selected) -> None:
        event.stop()
        self._say_detail()

    def on_table_view_opened(self, event: TableView.Opened) -> None:
        """The chosen one on the whole screen; of a shared dir with the proof."""
        event.stop()
        self.add_class("-alone")
        self.detail.focus()
        if self._chosen_dir is not None:
            self.action_prove()

    def action_prove(self) -> None:
        """Read the chosen shared dir, else the first one."""
        shared = self._chosen_dir or next(iter(self._shared), None)
        if shared is None:
            self.notify("No target dir is shared by two checkouts.")
        elif self.deck.deck.is_recording:
            self.notify("The dir of a recording is not there to be read.")
        else:
            self.table.select(f"shared {shared.path}")
            self.run_worker(partial(self._prove, shared), thread=True, group="proof", exit_on_error=False)

    def _prove(self, shared: SharedTarget) -> None:
        """In a thread: a large dir takes a second."""
        self.app.call_from_thread(self._take, examine(shared.path, shared.checkouts))

    def _take(self, proven: Proven) -> None:
        self._proofs[proven.proof.path] = proven
        self._say()

    def action_other(self) -> None:
        """From the list to the text below it, and back."""
        (self.detail if self.table.has_focus and self.detail.overflows else self.table).focus()

    def action_open_run(self) -> None:
        """Show the run that holds the chosen lock, else the first that waits for it."""
        line = next((line for line in self._lines if line.path == self.table.chosen), None)
        owners = (*line.holders, *(wait.owner for wait in line.waits)) if line is not None else ()
        run = next((owner.run for owner in owners if owner.run in self._board.runs), None)
        if run is None:
            self.notify("No run of ours holds it or waits for it now.")
            return
        from tui.screens.run import RunScreen

        self.app.push_screen(RunScreen(run))

    def action_back(self) -> None:
        if self.has_class("-alone"):
            self.remove_class("-alone")
            self.table.focus()
        else:
            self.deck.action_tab("board")

    def hints(self, view: View) -> tuple[Key, ...]:
        return tuple(
            key
            for key in super().hints(view)
            if key.id not in ("run.stop", "run.restart", "board.attention")
            and (key.id != "locks.prove" or self._shared)
        )
