"""Which panes the board has, and how its builds are doing, from the frozen Board alone."""

from typing import TYPE_CHECKING, ClassVar

from core import lock_queries, queries
from core.state import Board, Run
from tui.survivors import in_words
from tui.view import View
from tui.widgets.pane_grid import PaneState

if TYPE_CHECKING:
    from core.kernel_queries import WorseBook

OLD_AFTER_S = 4.0
"""The engine beats every 2.8 seconds at least: older figures are shown as old."""


def panes(view: View) -> tuple[PaneState, ...]:
    """A pane an agent, in the order that was chosen."""
    board, now = view.board, view.now
    old = is_old(board, now)
    shared = lock_queries.shared_targets(board)
    return tuple(
        PaneState(
            number=number,
            run=pane.run,
            others=pane.others,
            eta_s=queries.eta_s(pane.run, now),
            is_old=old and not pane.run.state.is_over,
            pending=view.pending.get(pane.run.run),
            waits=queries.waits_text(board, pane.run, now),
            warning=lock_queries.shared_words(pane.run, shared),
            advice=next(iter(lock_queries.run_advice(board, pane.run)), None),
            worse=_kernel_note(board, pane.run),
            is_watched=(pane.run.agent, pane.run.checkout) in view.watched,
            alive=in_words(view.alive.get(pane.run.run, ())),
        )
        for number, pane in enumerate(_in_order(queries.panes(board), view.sort), 1)
    )


class _Kernels:
    """What is known of kernels, between two frames."""

    book: ClassVar["WorseBook | None"] = None


def _kernel_note(board: Board, run: Run) -> str:
    """Kernels that are worse than in the build before; what finds them is imported once there are any."""
    if not run.kernels:
        return ""
    from core.kernel_queries import WorseBook
    from tui.widgets.kernel_words import note

    _Kernels.book = _Kernels.book or WorseBook()
    return note(_Kernels.book.of(board).get(run.run, ()))


def _in_order(panes: tuple[queries.Pane, ...], sort: str) -> list[queries.Pane]:
    """By appearance, name or state; equals keep the order in which the agents appeared."""
    match sort:
        case "name":
            return sorted(panes, key=lambda pane: pane.agent.lower())
        case "state":
            return sorted(panes, key=lambda pane: _urgency(pane.run))
        case _:
            return list(panes)


def _urgency(run: Run) -> int:
    """Few steps, so that panes change places seldom: needs somebody, runs, is over."""
    return 0 if needs_someone(run) else 2 if run.state.is_over else 1


def is_old(board: Board, now: float) -> bool:
    """Whether the figures of live runs may be behind: the engine gives no sign of life."""
    return board.engine_seen_at is None or now - board.engine_seen_at > OLD_AFTER_S


def live_count(board: Board) -> int:
    """How many builds go on."""
    return sum(not run.state.is_over for run in board.runs.values())


def needs_someone(run: Run) -> bool:
    """Whether a person should look."""
    return queries.needs_attention(run)
