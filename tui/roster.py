"""Which panes the board has, and how its builds are doing, from the frozen Board alone."""

from collections.abc import Mapping

from core import queries
from core.state import Board, Run
from tui.widgets.pane_grid import PaneState

OLD_AFTER_S = 4.0
"""The engine beats every two seconds: older figures are shown as old."""


def panes(board: Board, now: float, pending: Mapping[str, str]) -> tuple[PaneState, ...]:
    """A pane an agent, in the order in which the agents first appeared."""
    old = is_old(board, now)
    return tuple(
        PaneState(
            number=number,
            run=pane.run,
            others=pane.others,
            eta_s=queries.eta_s(pane.run, now),
            is_old=old and not pane.run.state.is_over,
            pending=pending.get(pane.run.run),
            waits=queries.waits_text(board, pane.run, now),
        )
        for number, pane in enumerate(queries.panes(board), 1)
    )


def is_old(board: Board, now: float) -> bool:
    """Whether the figures of live runs may be behind: the engine gives no sign of life."""
    return board.engine_seen_at is None or now - board.engine_seen_at > OLD_AFTER_S


def live_count(board: Board) -> int:
    """How many builds go on."""
    return sum(not run.state.is_over for run in board.runs.values())


def needs_someone(run: Run) -> bool:
    """Whether a person should look."""
    return queries.needs_attention(run)
