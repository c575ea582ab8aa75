"""What the kernels of builds need, against what they needed before; calls of nvcc; what edits cost."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widget import Widget

from core import kernel_queries as queries
from core import nvcc_queries
from core.kernel_order import ORDERS, ordered
from core.kernel_queries import Compiled, KernelRow
from core.native.edits.budgets import rows_with_budgets
from core.native.edits.iteration_book import path_of, read_iterations
from core.native.edits.iterations import ClassRow, Iteration
from core.native.kernels.branch_blobs import BranchPoint
from core.nvcc_queries import CallRow
from core.plan.small_file import stamp
from core.state import Run
from tui import format as f
from tui.bindings import BY_ID, KERNELS, bindings
from tui.kernel_against import Against
from tui.key import Key
from tui.nothing_native import NO_NVCC, has_nvcc
from tui.screens.base import DeckScreen
from tui.view import View
from tui.widgets import iteration_rows, kernel_rows, kernel_summary
from tui.widgets import kernel_words as words
from tui.widgets.checkout_names import checkout_names
from tui.widgets.status_line import Part, StatusLine
from tui.widgets.table_view import Cell, TableView
from tui.widgets.text_view import QuietText, TextView

BOTH_FROM = 150
"""Columns: on a narrower screen calls and iterations are two pages."""
LOW_BELOW = 30
"""Rows of a terminal that has none to leave blank."""
MOST_SHOWN = 500
"""Kernels in the list, the first ones of its order: more take longer than a frame."""
_ITERATIONS_EVERY_S = 5.0
_NOT_HINTED = ("run.start", "run.stop", "run.restart", "board.attention")


class KernelsScreen(DeckScreen[None]):
    """What the kernels of builds need."""

    KEYS = KERNELS
    BINDINGS: ClassVar[list[Binding]] = bindings(KERNELS)  # type: ignore[assignment]
    CSS_PATH = "../../styles/kernels.tcss"
    TAB = "kernels"

    def __init__(self) -> None:
        super().__init__()
        self._view: View | None = None
        self._news = nvcc_queries.News()
        self._found: tuple[Compiled, ...] = ()
        self._book = queries.RowBook()
        self._rows: dict[str, KernelRow] = {}
        self._counts = queries.count(())
        """Of those in the list and of those for which it is too long."""
        self._calls: dict[str, CallRow] = {}
        self._iterations: Sequence[ClassRow] = ()
        self._iterations_at = -1e9
        self._kept: tuple[Iteration, ...] = ()
        self._kept_stamp: str | None = None
        """Of the book that those were read from; None: it was not read yet."""
        self._against = Against()
        self._order = ORDERS[0]
        self._changed_only = False
        self._agent_only = ""
        self._gone: frozenset[str] = frozenset()
        """Sources, and what was made of them, that are not there any more."""

    def body(self) -> Iterable[Widget]:
        glyphs = self.deck.glyphs
        yield StatusLine(glyphs, id="about")
        yield QuietText(glyphs, id="none")
        yield TableView(glyphs, (), id="kernels", is_news=True)
        yield QuietText(glyphs, id="chosen")
        yield StatusLine(glyphs, id="below")
        with Horizontal(id="halves"):
            yield TableView(glyphs, (), id="calls", empty="No call of nvcc that makes code is known.")
            yield TableView(glyphs, (), id="iterations", empty=iteration_rows.EMPTY)

    def begin(self) -> None:
        self.table("kernels").focus()
        self.watch(self.table("kernels"), "scroll_y", self._say, init=False)

    def table(self, name: str) -> TableView:
        """One of the lists: `kernels`, `calls`, `iterations`."""
        return self.query_one(f"#{name}", TableView)

    @property
    def chosen(self) -> Run | None:
        """The run of what is chosen."""
        if self._view is None:
            return None
        if self.focused is self.table("calls"):
            call = self._calls.get(self.table("calls").chosen or "")
            return call.run if call is not None else None
        row = self._rows.get(self.table("kernels").chosen or "")
        return self._view.board.runs.get(row.compiled.run) if row is not None else None

    # What is shown

    def show(self, view: View) -> None:
        """Lists are made anew where something was compiled; what runs, once a second."""
        before, self._view = self._view, view
        runs = view.board.runs.values()
        is_live = any(run.nvcc for run in runs)
        if self._news.has_come(runs):
            self._list()
        elif is_live and (before is None or before.now != view.now):
            self._list_calls()
        if view.now - self._iterations_at >= _ITERATIONS_EVERY_S:
            self._iterations_at = view.now
            self.run_worker(self._read_iterations, thread=True, group="iterations", exclusive=True, exit_on_error=False)

    def _list(self) -> None:
        view = self._view
        if view is None or not self.is_ready:
            return
        runs = view.board.runs.values()
        self._found = queries.compilations(runs)
        has_any = bool(self._found) or any(run.nvcc or run.nvcc_ends for run in runs)
        self.set_class(not has_any, "-none")
        missing = () if self.deck.deck.env is None or has_nvcc(self.deck.deck.env) else (*NO_NVCC, "")
        self.query_one("#none", TextView).show([Cell(line) for line in (*missing, *words.NO_KERNELS)])
        self._look_at_branch()
        self._list_kernels()
        self._list_calls()

    def _find_gone(self) -> None:
        """Off the event loop: which sources, and what was made of them, are gone."""
        if (is_there := self.deck.deck.is_there) is not None:
            last = queries.newest(self._found)
            paths = {path for one in last for path in (one.measured.source, one.measured.output) if path}
            self.app.call_from_thread(self._know_gone, frozenset(path for path in paths if not is_there(path)))

    def _know_gone(self, gone: frozenset[str]) -> None:
        if gone != self._gone:
            self._gone = gone
            if self.is_ready:
                self._list_kernels()

    def _list_kernels(self) -> None:
        now = [one for one in queries.newest(self._found) if not self._agent_only or one.agent == self._agent_only]
        now = queries.there(now, lambda path: path not in self._gone)
        rows = ordered(queries.distinct(self._book.rows(now, self._against.baseline(self._found))), self._order)
        if self._changed_only:
            rows = [row for row in rows if row.change.differs or row.change.is_worse]
        self._counts = queries.count(rows)
        self._rows = {row.key: row for row in rows[:MOST_SHOWN]}
        table = self.table("kernels")
        names = checkout_names(row.compiled.checkout for row in self._rows.values())
        width = table.size.width or self.size.width
        table.set_columns(kernel_rows.kernel_columns(width, has_checkouts=bool(names)))
        nothing = words.ALL_GONE if self._found else words.NOTHING_MEASURED
        table.say_empty("Nothing is like that: esc shows all." if self._changed_only or self._agent_only else nothing)
        table.show(kernel_rows.kernel_rows(self._rows.values(), self._is_made, names))
        self._say()

    def _is_made(self, row: KernelRow) -> bool:
        return row.compiled.measured.output not in self._gone

    def _list_calls(self) -> None:
        view = self._view
        if view is None or not self.is_ready:
            return
        self._calls = {row.key: row for row in nvcc_queries.call_rows(view.board.runs.values())}
        table = self.table("calls")
        columns = kernel_rows.call_columns(table.size.width or self.size.width)
        table.set_columns(columns)
        cells = next((column.width for column in columns if column.title == "phases"), 0)
        legend = (Part(f" {words.legend(is_ascii=self.deck.glyphs.is_ascii)}", "dim"),)
        self.query_one("#below", StatusLine).say(() if self.has_class("-iterations") else legend)
        table.show(kernel_rows.call_rows(tuple(self._calls.values()), self.deck.glyphs, view.now, cells))

    def _say(self) -> None:
        about, dot = self.query_one("#about", StatusLine), self.deck.glyphs.dot
        if self.has_class("-none"):
            about.say((Part(" no kernels", "strong"),))
            return
        against = self._against.short(self._view.now if self._view is not None else 0.0)
        usual, chosen = ("", against) if self._against.is_chosen else (against, "")
        top = self.table("kernels").scroll_offset.y
        left = kernel_summary.about(self._counts, tuple(self._rows.values()), top, usual, dot)
        right = kernel_summary.filters(self._order, self._agent_only, chosen, dot, is_changed_only=self._changed_only)
        about.say(left, (right,))
        self._say_chosen()

    def _say_chosen(self) -> None:
        call = self._calls.get(self.table("calls").chosen or "") if self.focused is self.table("calls") else None
        if call is not None:
            self._show_chosen(words.brief_call(call))
            return
        if (edits := self._chosen_edits()) is not None:
            self._show_chosen(iteration_rows.brief(edits))
            return
        row = self._rows.get(self.table("kernels").chosen or "")
        if row is None:
            self._show_chosen(())
            return
        lines = list(words.brief(row, is_made=self._is_made(row), is_branch=self._against.is_branch))
        if why := self._against.why_nothing(row):
            lines[-1:] = [Cell(why, "dim")]
        self._show_chosen(lines)

    def _chosen_edits(self) -> ClassRow | None:
        """The class of edits that somebody stands on."""
        table = self.table("iterations")
        if self.focused is not table:
            return None
        return next((row for row in self._iterations if iteration_rows.key_of(row) == table.chosen), None)

    def _show_chosen(self, lines: Iterable[Cell]) -> None:
        """Two lines, each cut where it is too long."""
        view = self.query_one("#chosen", TextView)
        width = max(1, (view.size.width or self.size.width) - 2)
        view.show([cell._replace(text=f.cut_name(cell.text, width)) for cell in lines])

    def _read_iterations(self) -> None:
        """Off the event loop: the book is read anew where something was added (60 µs an iteration)."""
        paths = self.deck.deck.paths
        now = stamp(path_of(paths))
        if now != self._kept_stamp:
            self._kept, self._kept_stamp = read_iterations(paths), now
        rows = rows_with_budgets(paths.cache, self._kept, self.deck.deck.env or {})
        self.app.call_from_thread(self._list_iterations, rows)
        self._find_gone()

    def _list_iterations(self, rows: Sequence[ClassRow]) -> None:
        if not self.is_ready:
            return
        self._iterations = rows
        table = self.table("iterations")
        width = table.size.width or self.size.width
        table.set_columns(iteration_rows.iteration_columns(rows, width))
        table.show(iteration_rows.iteration_rows(rows, width=width))

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < BOTH_FROM, "-narrow")
        self.set_class(event.size.height < LOW_BELOW, "-low")
        if self.is_ready:
            self.call_after_refresh(self._list)
            self.call_after_refresh(self._list_iterations, self._iterations)

    # Keys

    def on_table_view_selected(self, event: TableView.Selected) -> None:
        event.stop()
        self._say_chosen()

    def on_descendant_focus(self) -> None:
        if self.is_ready:
            self._say_chosen()

    def on_table_view_opened(self, event: TableView.Opened) -> None:
        """Say where the figures of a kernel come from, how a call went; show the last run of a class of edits."""
        event.stop()
        if self._view is None:
            return
        from tui.kernel_sheets import open_call, open_edit, open_kernel

        runs, edits = self._view.board.runs, self._chosen_edits()
        if event.table.id == "kernels" and event.key in self._rows:
            open_kernel(self.deck, self._rows[event.key], self._view.now, self._against.words())
        elif event.table.id == "calls" and event.key in self._calls:
            open_call(self.deck, self._calls[event.key], self._view.now)
        elif edits is not None and edits.newest is not None:
            open_edit(self.deck, edits.newest.run, runs)

    def action_run(self) -> None:
        """Show the run of the chosen row."""
        if (run := self.chosen) is not None:
            self._open(run)

    def _open(self, run: Run) -> None:
        from tui.kernel_sheets import open_run

        open_run(self.deck, run)

    def action_other(self, way: int) -> None:
        """Kernels, calls, iterations: those that are seen, in turn."""
        ring = [self.table(name) for name in ("kernels", "calls", "iterations") if self.table(name).size.height]
        at = ring.index(self.focused) if isinstance(self.focused, TableView) and self.focused in ring else 0
        if ring:
            ring[(at + way) % len(ring)].focus()

    def action_changed(self) -> None:
        self._changed_only = not self._changed_only
        self._list_kernels()

    def action_agent(self) -> None:
        row = self._rows.get(self.table("kernels").chosen or "")
        self._agent_only = "" if self._agent_only or row is None else row.compiled.agent
        self._list_kernels()

    def action_order(self) -> None:
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self._list_kernels()

    def action_against(self) -> None:
        self._against.turn()
        self._look_at_branch()
        self._list_kernels()

    def _look_at_branch(self) -> None:
        """Ask git, if that is what is compared with: also of what was compiled since."""
        if self._against.is_branch and not self.deck.deck.is_recording:
            self.run_worker(partial(self._ask_git, self._found), thread=True, group="git", exit_on_error=False)

    def _ask_git(self, found: Sequence[Compiled]) -> None:
        if (known := self._against.ask(found, self.deck.deck.env or {})) is not None:
            self.app.call_from_thread(self._know_branches, known)

    def _know_branches(self, known: Mapping[str, BranchPoint]) -> None:
        self._against.branches = known
        if self.is_ready:
            self._list_kernels()

    def action_against_run(self) -> None:
        """Compare with a run that is asked for."""
        row = self._rows.get(self.table("kernels").chosen or "")
        if row is not None and self._view is not None:
            from tui.kernel_sheets import choose_run

            choose_run(self.deck, self._found, row, self._view.now, self._against, then=self._list_kernels)

    def action_below(self) -> None:
        """What edits cost instead of the calls, or the calls again; where both are seen, one of them alone."""
        name = "-iterations" if self.has_class("-narrow") else "-alone"
        self.set_class(not self.has_class(name), name)
        self.table("kernels").focus()
        self.call_after_refresh(self._list)
        self.call_after_refresh(self._list_iterations, self._iterations)

    def action_back(self) -> None:
        if self._changed_only or self._agent_only:
            self._changed_only, self._agent_only = False, ""
            self._list_kernels()
        else:
            self.deck.action_tab("board")

    def hints(self, view: View) -> tuple[Key, ...]:
        kept = tuple(key for key in super().hints(view) if key.id not in _NOT_HINTED)
        return kept if self.has_class("-none") else (BY_ID["table.open"], *kept)
