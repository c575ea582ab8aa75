"""What the Kernels screen opens: sheets, the page of a run, the choice of a run. Imported where one is opened."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from core.kernel_choice import comparable
from core.kernel_queries import Compiled, KernelRow
from core.native.edits import lever_figures
from core.nvcc_queries import CallRow
from core.state import Run
from tui.kernel_against import Against
from tui.screens.choose_run import ChooseRunScreen
from tui.screens.run import RunScreen
from tui.screens.sheet import SheetScreen
from tui.widgets import kernel_summary
from tui.widgets import kernel_words as words
from tui.widgets.call_words import explain_call

if TYPE_CHECKING:
    from tui.app import DeckApp


def open_kernel(app: "DeckApp", row: KernelRow, now: float, against: str) -> None:
    """Say where each figure of a kernel comes from, and what was measured to make its source faster."""
    measured = lever_figures.read(app.deck.paths)
    levers = kernel_summary.lever_lines(row.compiled.source, row.compiled.place, measured, words.SHEET)
    lines = (*words.explain(row, now, against), *levers)
    app.push_screen(SheetScreen(words.kernel_name(row.change.now), lines, is_ascii=app.glyphs.is_ascii))


def open_call(app: "DeckApp", row: CallRow, now: float) -> None:
    """Say all of a call that is over; of one under way show the run."""
    if row.ended is None:
        open_run(app, row.run)
        return
    lines = tuple(explain_call(row, now, words.SHEET))
    app.push_screen(SheetScreen(f"nvcc {row.place.rpartition('/')[2]}", lines, is_ascii=app.glyphs.is_ascii))


def open_run(app: "DeckApp", run: Run) -> None:
    """Show a run."""
    app.push_screen(RunScreen(run.run, known=run))


def open_edit(app: "DeckApp", run: str, known: Mapping[str, Run]) -> None:
    """Show the run of an edit, if it is one of the last 24 hours."""
    if run in known:
        open_run(app, known[run])
    else:
        app.notify(f"Run {run} is older than 24 hours: History (F7) has it, if it is kept.")


def choose_run(
    app: "DeckApp", found: Sequence[Compiled], row: KernelRow, now: float, against: Against, *, then: Callable[[], None]
) -> None:
    """Ask for a run to compare kernels with.

    Args:
        app: Over whose screen.
        found: All compilations that are known.
        row: The chosen kernel: runs of its checkout and its worktrees are offered.
        now: Seconds since the epoch.
        against: Takes the answer.
        then: Called when there is one.
    """
    runs = {run.run: run for run in comparable(found, row.compiled, against.repository)}

    def answer(run: str | None) -> None:
        if run is not None:
            against.choose(runs[run])
            then()

    app.push_screen(ChooseRunScreen(tuple(runs.values()), now, chosen=against.run), answer)
