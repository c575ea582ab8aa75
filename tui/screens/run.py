"""One run: its whole log, and beside it what the log does not say at a glance."""

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widget import Widget

from core.lock_queries import wait_words
from core.retry import retry_words
from core.stamps import Stamps
from core.state import Run
from tui import format as f
from tui import roster
from tui.bindings import BY_ID, LOG, RUN, bindings
from tui.dossier import Dossier, Place
from tui.key import Key
from tui.pages import plan, tests
from tui.pages.places import file_of, first_page
from tui.pages.scene import SORTS, Scene
from tui.screens.log_host import LogHost
from tui.view import View
from tui.widgets.log_panel import LogPanel, LogSource
from tui.widgets.pane_grid import PaneState
from tui.widgets.pane_head import PaneHead
from tui.widgets.side import Side

TWO_PAGES_BELOW = 110
"""Columns: on a narrower screen log and list are two pages."""
_PAGE_KEYS = {"crates": ("run.order",), "errors": ("run.edit",), "tests": ("run.retry", "run.edit"),
              "plan": ("run.findings",)}  # fmt: skip
"""Hints of a page."""


class RunScreen(LogHost[str]):
    """One run; gives back which run was looked at last."""

    KEYS = (*RUN, *LOG)
    BINDINGS: ClassVar[list[Binding]] = bindings(RUN)  # type: ignore[assignment]
    CSS_PATH: ClassVar[list[str]] = ["../../styles/log.tcss", "../../styles/run.tcss"]  # type: ignore[assignment]
    TAB = "board"

    def __init__(self, run: str, *, stream: str = "", line: int | None = None, known: Run | None = None) -> None:
        """A run's screen; at a line (from 0) of a stream, else at the end of the one that says more.

        `known`: the run itself, where it may not be on the board any more.
        """
        super().__init__()
        self._run_id = run
        self._known = known
        self._stream = stream
        self._line = line
        self._panes: tuple[PaneState, ...] = ()
        self._run: Run | None = None
        self._now = 0.0
        self._waits: tuple[str, ...] = ()
        self._stamps: Stamps | None = None
        self._dossier: Dossier | None = None
        self._busy: set[str] = set()
        """What threads look up now."""

    def body(self) -> Iterable[Widget]:
        yield PaneHead(self.deck.glyphs)
        with Horizontal(id="halves"):
            yield LogPanel(self.deck.glyphs, **self.log_options)
            yield Side(self.deck.glyphs)

    def begin(self) -> None:
        self.panel.view.focus()

    @property
    def chosen(self) -> Run | None:
        return self._run

    @property
    def side(self) -> Side:
        """What stands beside the log."""
        return self.query_one(Side)

    # What is shown

    def show(self, view: View) -> None:
        self._panes = roster.panes(view)
        run = view.board.runs.get(self._run_id)
        if run is None and self._known is not None and self._known.run == self._run_id:
            run = self._known
        if run is None:
            self.dismiss(self._run_id)
            return
        is_new, is_new_second = self._run is None, int(view.now) != int(self._now)
        self._run, self._now = run, view.now
        self._waits = wait_words(view.board, run)
        if is_new:
            self._begin_run(run)
        self.query_one(PaneHead).show(self._pane(run), view.now)
        if self._stamps is not None and self._stamps.grow():
            self.panel.times_came()
        self.panel.is_live = not run.state.is_over
        self.panel.grow()
        if self._shows_side:
            self._show_side(is_new_second=is_new_second)

    def _begin_run(self, run: Run) -> None:
        if not self._stream or not run.is_split:
            self._stream = "err" if run.is_split and run.err_bytes >= run.out_bytes else "out"
        deck = self.deck.deck
        clock = deck.recording_clock
        self._dossier = Dossier(deck.paths, run.run, self.deck.tails.store, clock)
        self._busy.clear()
        self._open(run)
        self.side.show_page(first_page(run))
        if self._line is not None:
            self.panel.go_to(self._line)
            self._line = None

    def _pane(self, run: Run) -> PaneState:
        return next((p for p in self._panes if p.run.run == run.run), PaneState(0, run, 0, None, False, None))

    def _open(self, run: Run) -> None:
        """Show the log of a stream."""
        tails, stream = self.deck.tails, self._stream
        name = {"out": "stdout", "err": "stderr"}[stream] if run.is_split else ""
        stamps = self._stamps = Stamps(self.deck.deck.paths.run(run.run) + "/events.jsonl")
        stamps.grow()

        def stamp(line: int) -> str:
            return f.clock(stamps.time_of(stream, line)) + "  "

        self.panel.open(LogSource(tails.store(run, stream), tails.path(run, stream), name, stamp))

    def hints(self, view: View) -> tuple[Key, ...]:
        """In the list, its own keys instead of the log's."""
        hints = super().hints(view)
        if not self.side.has_focus_within:
            return hints
        own = [BY_ID[name] for name in ("table.open", *_PAGE_KEYS.get(self.side.page, ()))]
        kept = [key for key in hints if key.group != "Log"]
        return (*kept[:2], *own, *kept[2:])

    # What stands beside the log

    @property
    def _shows_side(self) -> bool:
        return (
            self.side.display
            and not self.has_class("-alone", "-bare")
            and (not self.is_narrow or self.has_class("-beside"))
        )

    @property
    def is_narrow(self) -> bool:
        """Log and list are two pages."""
        return self.has_class("-narrow")

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < TWO_PAGES_BELOW, "-narrow")

    def _show_side(self, *, is_new_second: bool = False) -> None:
        dossier, run = self._dossier, self._run
        if dossier is None or run is None:
            return
        scene = dossier.scene(run, self._now, self.deck.glyphs)
        self.side.show(scene._replace(waits=self._waits, called=self.deck.names.called))
        if not dossier.is_caught_up:
            self._look_up("journal", dossier.catch_up)
        elif self.side.page == "crates" and dossier.lacks_chain(run):
            self._look_up("chain", partial(dossier.derive_chain, run.checkout))
        elif self.side.page == "why" and dossier.lacks_whys(run):
            self._look_up("why", dossier.look_why)
        is_due = is_new_second or dossier.processes is None
        if self.side.page == "processes" and is_due and not run.state.is_over:
            self._look_up("processes", dossier.look_at_processes)
        if self.side.page == "tests":
            self._look_up_output(self.side.table.chosen)

    def _look_up(self, what: str, look: Callable[[], None]) -> None:
        """Let a thread look something up, then show it; once at a time."""
        if what in self._busy:
            return
        self._busy.add(what)
        dossier = self._dossier

        def found() -> None:
            if dossier is self._dossier and self.is_attached:
                self._busy.discard(what)
                self._show_side()

        def work() -> None:
            look()
            self.app.call_from_thread(found)

        self.run_worker(work, thread=True, group="look", exit_on_error=False)

    def _look_up_output(self, key: str | None) -> None:
        scene, dossier = self.side.scene, self._dossier
        test = tests.chosen(scene, key) if scene is not None else None
        if test is None or scene is None or dossier is None or key is None:
            return
        if test.outcome == "failed" and key not in dossier.outputs:
            self._look_up(f"output {key}", partial(dossier.read_output, scene, key))

    def on_side_row_chosen(self, event: Side.RowChosen) -> None:
        if event.page == "tests":
            self._look_up_output(event.key)

    def on_side_row_opened(self, event: Side.RowOpened) -> None:
        """Go to the place in the log that a row is about."""
        dossier, scene = self._dossier, self.side.scene
        if dossier is None or scene is None:
            return
        if event.page == "plan":
            self._tell_of_plan(scene, event.key)
            return

        def work() -> None:
            place = dossier.find(scene, event.page, event.key)
            self.app.call_from_thread(self._go_to, place)

        self.run_worker(work, thread=True, group="place", exclusive=True, exit_on_error=False)

    def _tell_of_plan(self, scene: Scene, key: str) -> None:
        """A finding, or a setting with its reason, on a sheet of its own."""
        from tui.screens.finding import FindingScreen
        from tui.screens.sheet import SheetScreen

        at, is_ascii = plan.finding_of(scene, key), self.deck.glyphs.is_ascii
        if at is not None:
            self.app.push_screen(FindingScreen(scene.run, scene.plan.findings, chosen=at, is_ascii=is_ascii))
            return
        first, *rest = plan.detail(scene, key)
        self.app.push_screen(SheetScreen(first.text, rest, is_ascii=is_ascii))

    def _go_to(self, place: Place | None) -> None:
        run = self._run
        if place is None or run is None:
            self.notify("The log says nothing of it.")
            return
        stream, line = place
        if stream != self._stream:
            self._stream = stream
            self._open(run)
        self.remove_class("-beside")
        self.panel.view.focus()
        self.panel.go_to(line)

    # Keys

    def show_next_needing(self) -> None:
        """Show the next run that a person should look at."""
        self._go(1, needing=True)

    def go_back(self) -> None:
        if self.is_narrow and self.has_class("-beside"):
            self.action_beside()
        else:
            self.dismiss(self._run_id)

    def action_beside(self) -> None:
        name = "-beside" if self.is_narrow else "-alone"
        self.set_class(not self.has_class(name), name)
        if self._shows_side:
            self.side.table.focus()
            self._show_side()
        else:
            self.panel.view.focus()

    def action_side(self, page: str) -> None:
        """Show a page beside the log."""
        self.side.show_page(page)
        if self.is_narrow:
            self.add_class("-beside")
        self.remove_class("-alone")
        self.side.table.focus()
        self._show_side()

    def action_other(self, way: int) -> None:
        """Log, list, text of the chosen row where not all of it is seen, in turn."""
        if self.is_narrow and not self.has_class("-beside"):
            self.action_beside()
            return
        side = self.side
        ring: list[Widget] = [self.panel.view]
        if self._shows_side:
            ring += [side.table, side.text] if side.text.overflows else [side.table]
        at = ring.index(self.focused) if self.focused in ring else 0
        target = ring[(at + way) % len(ring)]
        if target is self.panel.view and self.is_narrow:
            self.remove_class("-beside")
        target.focus()

    def action_order(self) -> None:
        dossier = self._dossier
        if dossier is not None:
            dossier.sort = SORTS[(SORTS.index(dossier.sort) + 1) % len(SORTS)]
            self.action_side("crates")

    def action_edit(self) -> None:
        """Open the file that the chosen error or failed test names."""
        scene, key = self.side.scene, self.side.table.chosen
        place = file_of(scene, self.side.page, key) if scene is not None and key is not None else None
        if place is None:
            self.notify("Choose an error or a failed test that names a file: 2 or 3 shows them.")
            return
        from tui.editor import open_file

        file, line, column = place
        with self.app.suspend():
            why = open_file(os.environ, file, line, column, wanted=self.deck.settings.editor)
        self.refresh()
        if why:
            self.notify(why, severity="error", markup=False)

    def action_retry(self) -> None:
        """Run the chosen test alone, as another run of the same agent."""
        scene, run = self.side.scene, self._run
        test = tests.chosen(scene, self.side.table.chosen) if scene is not None and self.side.page == "tests" else None
        if scene is None or run is None or test is None:
            self.notify("Choose a test to run it again: 3 shows them.")
            return
        words = retry_words(scene.plan.typed, test) if run.tool == "cargo" else None
        if words is None or scene.plan.is_masked:
            self.notify("How to run this test alone is not known.", severity="warning")
            return
        env = {name: os.environ.get(name) if value is None else value for name, value in scene.plan.env.items()}
        self.deck.ask({
            "do": "start", "agent": self.deck.names.true_name(run), "cwd": run.cwd, "tool": "cargo",
            "argv": list(words), "env": {name: value for name, value in env.items() if value is not None},
        })  # fmt: skip
        self.notify(test.name, title=f"{run.agent} tests again", markup=False, timeout=3)

    def action_neighbour(self, by: int) -> None:
        self._go(by)

    def action_swap(self) -> None:
        if self._run is not None and self._run.is_split:
            self._stream = "err" if self._stream == "out" else "out"
            self._open(self._run)

    def _go(self, by: int, *, needing: bool = False) -> None:
        runs = [pane.run.run for pane in self._panes if not needing or roster.needs_someone(pane.run)]
        if not runs:
            self.notify("Nothing needs you.")
            return
        at = runs.index(self._run_id) if self._run_id in runs else -1
        self._run_id, self._run, self._stream = runs[(at + by) % len(runs)], None, ""
        self.deck.pull()
