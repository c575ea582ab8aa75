"""Who takes the memory, and what links took."""

import os
import subprocess
from collections.abc import Iterable, Sequence
from functools import partial
from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.widget import Widget

from core import measured
from core.errors import DeckError
from core.measured import Measurement
from core.memory_queries import (
    MEASURING_AGENT,
    History,
    KillRow,
    LinkRow,
    has_sampled_links,
    history,
    kill_rows,
    link_rows,
    memory_now,
)
from core.state import Board, Run
from tui import format as f
from tui import link_words
from tui.bindings import MEMORY, bindings
from tui.key import Key
from tui.screens.base import DeckScreen
from tui.view import View
from tui.widgets.ansi import safe
from tui.widgets.memory_graph import HUES, Frame, MemoryGraph, fill_of, foreign_fill, legend
from tui.widgets.status_line import Part, StatusLine
from tui.widgets.table_view import Cell, Column, Row, TableView
from tui.widgets.text_view import TextView

_COLUMNS = (
    Column("", 1), Column("link", 0), Column("memory", 7, is_right=True), Column("agent", 10),
    Column("time", 7, is_right=True), Column("estimate", 8, is_right=True), Column("linker", 8),
    Column("inputs", 6, is_right=True), Column("size", 6, is_right=True), Column("change", 8, is_right=True),
    Column("debug", 6, is_right=True), Column("text", 6, is_right=True), Column("symbols", 7, is_right=True),
)  # fmt: skip
_KEPT, _NAME_COLUMNS = 6, 26
"""Columns that stay as long as they fit; cells for the name, before others are left out."""
_WIDE, _NARROW = 160, 60
_MOST_KILLS = 5
_EMPTY = "No link is known yet. Whatever builds through cargo deck shows here what its links take."
_LEAST_ROWS = 16
"""Of the terminal: with fewer there is no graph."""
_FRESH_S = 10.0
"""A sample of the machine that is older says nothing of now."""


class MemoryScreen(DeckScreen[None]):
    """Memory over time by agent; links under way, and the largest ones."""

    KEYS = MEMORY
    BINDINGS: ClassVar[list[Binding]] = bindings(MEMORY)  # type: ignore[assignment]
    CSS_PATH = "../../styles/memory.tcss"
    TAB = "memory"

    def __init__(self) -> None:
        super().__init__()
        self._board = Board()
        self._now = 0.0
        self._shown: tuple[object, ...] = ()
        self._listed: Sequence[tuple[object, ...]] | None = None
        """What the list is made of, while nothing in it moves; None: something does, or there is no list."""
        self._rows: dict[str, LinkRow] = {}
        self._kills: dict[str, KillRow] = {}
        self._measured: tuple[Measurement, ...] = ()
        self._measured_at = -1
        self._history: History | None = None
        self._limit_bytes = 0

    def body(self) -> Iterable[Widget]:
        yield StatusLine(self.deck.glyphs, id="about")
        yield MemoryGraph(self.deck.glyphs, id="graph")
        yield StatusLine(self.deck.glyphs, id="legend")
        yield TableView(self.deck.glyphs, _COLUMNS, id="links", empty=_EMPTY)
        yield TextView(self.deck.glyphs, id="advice")

    def begin(self) -> None:
        self.query_one("#advice").can_focus = False
        self.table.focus()

    @property
    def table(self) -> TableView:
        """The links."""
        return self.query_one(TableView)

    @property
    def graph(self) -> MemoryGraph:
        """Memory over time."""
        return self.query_one(MemoryGraph)

    @property
    def chosen(self) -> Run | None:
        """The run of the chosen link."""
        row = self._rows.get(self.table.chosen or "") or self._kills.get(self.table.chosen or "")
        return self._board.runs.get(row.run) if row is not None else None

    def on_resize(self, event: events.Resize) -> None:
        rows = event.size.height
        graph = max(5, min(18, rows // 3)) if rows >= _LEAST_ROWS else 0
        self.table.set_columns(columns_for(event.size.width))
        self.graph.styles.height = graph
        self.graph.display = self.query_one("#legend").display = graph > 0
        if self.is_ready:
            self._shown = ()
            self.call_after_refresh(self.deck.show_now)

    def show(self, view: View) -> None:
        links = tuple((len(run.links), len(run.link_ends), len(run.kills)) for run in view.board.runs.values())
        if (view.now, links) == self._shown:
            return  # the rest is measured once a second
        self._shown = view.now, links
        self._board, self._now = view.board, view.now
        self._read_measured()
        self._show_machine(view)
        self._show_history()
        self._show_links()

    def _read_measured(self) -> None:
        paths = self.deck.deck.paths
        try:
            changed_at = os.stat(measured.path_of(paths)).st_mtime_ns
        except OSError:
            changed_at = -1
        if changed_at != self._measured_at:
            self._measured_at, self._measured = changed_at, measured.read(paths)

    # The machine

    def _show_machine(self, view: View) -> None:
        sample = view.board.host.sample
        if sample is not None and view.now - sample.at > _FRESH_S:
            sample = None
        whole = view.load.total_bytes if view.load is not None else 0
        self._limit_bytes = sample.total_bytes if sample is not None else whole
        free = sample.available_bytes if sample is not None else None
        if free is None and view.load is not None:
            free = view.load.total_bytes - view.load.used_bytes
        said = [Part(" free ", "dim"), Part(f.size(free), "number")]
        if self._limit_bytes:
            is_group = bool(whole) and self._limit_bytes < whole * 0.98
            limit = f.size(self._limit_bytes)
            said.append(Part(f" of the {limit} that its group may have" if is_group else f" of {limit}", "dim"))
        if sample is not None and sample.swap_used_bytes:
            said += [Part("   swap ", "dim"), Part(f.size(sample.swap_used_bytes), "number")]
        words = "incomplete" if self.size.width < _NARROW else "sampled: short links are missing"
        incomplete = (Part(f"{self.glyphs.about} {words} ", "dim"),) if has_sampled_links(view.board) else ()
        self.query_one("#about", StatusLine).say(tuple(said), incomplete)

    def _show_history(self) -> None:
        if not self.graph.display:
            return
        self._history = history(self._board, self.graph.columns, self._now)
        self._draw()
        self.query_one("#legend", StatusLine).say(self._legend(self._history))

    def _legend(self, shown: History) -> tuple[Part, ...]:
        """Whose memory is drawn how, and how much it is now; as many as there is room for."""
        now, is_ascii = memory_now(self._board), self.glyphs.is_ascii
        entries = [
            (fill_of(hue, is_ascii=is_ascii), f"who-{hue % HUES}", safe(agent), now.get(agent))
            for hue, agent in enumerate(shown.agents)
            if any(moment.taken[hue] for moment in shown.moments)
        ]
        if any(moment.foreign_bytes for moment in shown.moments):
            foreign = shown.moments[-1].foreign_bytes or None
            entries.insert(0, (foreign_fill(is_ascii=is_ascii), "dim", "not ours", foreign))
        named = [(sign, role, f"{name} {f.size(size):>5}  ", size is not None) for sign, role, name, size in entries]
        return legend(named, self.size.width)

    def _draw(self) -> None:
        if self._history is not None:
            row = self._rows.get(self.table.chosen or "")
            span = (row.began, row.ended.at if row.ended is not None else self._now) if row is not None else None
            self.graph.show(Frame(self._history, self._limit_bytes, span))

    # Links

    def _show_links(self) -> None:
        """A day of builds has tens of thousands of links, which take 40 ms to list."""
        runs = self._board.runs.values()
        known = None if any(run.links for run in runs) else [(run.agent, run.link_ends, run.kills) for run in runs]
        if known is None or known != self._listed:
            self._list_links()
        self._listed = known
        self._advise()

    def _list_links(self) -> None:
        self._rows = {row.key: row for row in link_rows(self._board)}
        self._kills = {row.key: row for row in kill_rows(self._board)[:_MOST_KILLS]}
        running = [self._row(row) for row in self._rows.values() if row.ended is None]
        ended = [self._row(row) for row in self._rows.values() if row.ended is not None]
        self.table.show([*running, *(self._kill_row(row) for row in self._kills.values()), *ended])

    def _row(self, row: LinkRow) -> Row:
        link, glyphs = row.ended, self.glyphs
        sign, role = (glyphs.building, "building") if link is None else _outcome(row, glyphs.failed)
        size = row.peak_bytes if link is not None else row.now_bytes
        memory = link_words.figure(size, is_sampled=row.is_sampled and link is not None)
        parts = (link.debug_bytes, link.text_bytes, link.symbol_bytes) if link is not None else (None, None, None)
        return Row(
            row.key,
            (
                Cell(sign, role), Cell(row.name, "strong" if link is None else "text"), Cell(memory, "number"),
                Cell(row.agent, "title"),
                Cell(f.seconds(link.elapsed_s if link is not None else self._now - row.began), "number"),
                Cell(f.size(row.estimate_bytes), "dim"), Cell(row.linker or f.UNKNOWN),
                Cell(f.size(row.input_bytes), "number"),
                Cell(f.size(link.output_bytes if link is not None else None), "number"),
                Cell(link_words.change_of(link), "number"), *(Cell(f.size(part), "dim") for part in parts),
                Cell(row.output, "dim"),
            ),
        )  # fmt: skip

    def _kill_row(self, row: KillRow) -> Row:
        kill = row.kill
        what = kill.unit or kill.name or "a process"
        return Row(
            row.key,
            (
                Cell(self.glyphs.failed, "failed"), Cell(f"out of memory: {what}", "failed"),
                Cell(f.size(kill.size_bytes), "number"), Cell(row.agent, "title"),
                Cell(f.clock(kill.at)[:-3], "dim"),
            ),
        )  # fmt: skip

    def _advise(self) -> None:
        advice = self.query_one("#advice", TextView)
        kill, row = self._kills.get(self.table.chosen or ""), self._rows.get(self.table.chosen or "")
        if kill is not None:
            advice.show((Cell(link_words.kill_line(kill), "failed"),))
        elif row is None:
            advice.show(())
        elif (setting := self._is_measuring()) is not None:
            advice.show((Cell(f"being measured: {setting}", "building"),))
        else:
            key = self.deck.label_of("memory.measure")
            advice.show((Cell(link_words.advice(row, self._measured, self._now, key), "text"),))

    def _is_measuring(self) -> str | None:
        """What a measurement tries just now."""
        live = (run for run in self._board.runs.values() if run.agent == MEASURING_AGENT and not run.state.is_over)
        return next((link_words.setting_of(run.command) for run in live), None)

    def on_table_view_selected(self, event: TableView.Selected) -> None:
        self._advise()
        self._draw()

    def on_table_view_opened(self, event: TableView.Opened) -> None:
        from tui.screens.link import LinkScreen

        if event.key in self._rows:
            self.app.push_screen(LinkScreen(event.key))
        elif (run := self.chosen) is not None:
            from tui.screens.run import RunScreen

            self.app.push_screen(RunScreen(run.run, known=run))

    # Measuring

    def action_measure(self) -> None:
        row = self._rows.get(self.table.chosen or "")
        if self.deck.deck.is_recording:
            self.notify("A recording cannot be measured.")
        elif row is None or row.ended is None or not row.unit or row.ended.output_bytes is None:
            self.notify("Choose a link of cargo's that is done: it is built anew with several settings.")
        elif self._is_measuring() is not None:
            self.notify("Something is being measured already: two at once would measure each other.")
        else:
            self.run_worker(partial(self._plan, row), thread=True, group="measure", exit_on_error=False)

    def _plan(self, row: LinkRow) -> None:
        """Off the event loop: cargo is asked what is in the workspace."""
        from core.measure_links import make_plan

        try:
            plan = make_plan(self.deck.deck.paths, row.run, row.unit)
        except (DeckError, OSError) as error:
            self.app.call_from_thread(self.notify, str(error), severity="error", markup=False)
            return
        self.app.call_from_thread(self._confirm, row, len(plan.variants), plan.full_builds)

    def _confirm(self, row: LinkRow, builds: int, full_builds: int) -> None:
        from tui.screens.confirm import ConfirmScreen

        def measure(is_sure: bool | None) -> None:
            if is_sure:
                self.run_worker(partial(self._measure, row), thread=True, group="measure", exit_on_error=False)
                self.notify(f"{row.name} is built {builds} times, as agent {MEASURING_AGENT}.", markup=False)

        cost = (
            f"{builds} builds, one after another, {full_builds} of them of all crates that it needs; with low "
            "priority, in a folder that goes afterwards. Your files stay as they are."
        )
        self.app.push_screen(ConfirmScreen(f"Measure what makes {row.name} smaller?", row.output, cost), measure)

    def _measure(self, row: LinkRow) -> None:
        """In a process of its own, which goes on without us."""
        from tui.cli.links import command_of

        done = subprocess.run(
            command_of(row.run, row.unit), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, start_new_session=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            self.app.call_from_thread(self.notify, last, severity="error", markup=False)

    def action_back(self) -> None:
        self.deck.action_tab("board")

    def hints(self, view: View) -> tuple[Key, ...]:
        return tuple(key for key in super().hints(view) if key.id not in ("run.stop", "run.restart", "run.start"))


def columns_for(width: int) -> tuple[Column, ...]:
    """As many as leave room for the names of links; the table leaves out more where it must. Where there is more than
    enough, the files as well."""
    if width >= _WIDE:
        return (_COLUMNS[0], Column("link", _NAME_COLUMNS), *_COLUMNS[2:], Column("output", 0, is_path=True))
    shown = list(_COLUMNS)
    while len(shown) > _KEPT and width - sum(column.width + 2 for column in shown) < _NAME_COLUMNS:
        shown.pop()
    return tuple(shown)


def _outcome(row: LinkRow, failed: str) -> tuple[str, str]:
    """Sign and role of a link that is over."""
    link = row.ended
    is_bad = link is not None and (link.signal is not None or (link.code or 0) != 0 or link.output_bytes is None)
    return (failed, "failed") if is_bad else ("", "text")
