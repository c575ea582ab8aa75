"""Which panes the board has, and how its builds are doing, from the frozen Board alone."""

from collections.abc import Mapping

from core.state import Board, Run, RunState
from tui.widgets.pane_grid import PaneState

OLD_AFTER_S = 4.0
"""The engine beats every two seconds: older figures are shown as old."""


def panes(board: Board, now: float, pending: Mapping[str, str]) -> tuple[PaneState, ...]:
    """A pane an agent, in the order in which the agents first appeared: its newest live run, else its newest."""
    by_agent: dict[str, list[Run]] = {}
    for run in board.runs.values():
        by_agent.setdefault(run.agent, []).append(run)
    old = is_old(board, now)
    return tuple(_pane(i, runs, old, pending) for i, runs in enumerate(by_agent.values(), 1))


def _pane(number: int, runs: list[Run], is_board_old: bool, pending: Mapping[str, str]) -> PaneState:
    live = [run for run in runs if not run.state.is_over]
    shown = (live or runs)[-1]
    return PaneState(
        number=number, run=shown, others=max(0, len(live) - 1), eta_s=None, is_old=is_board_old and not shown.state.is_over,
        pending=pending.get(shown.run),
    )  # fmt: skip


def is_old(board: Board, now: float) -> bool:
    """Whether the figures of live runs may be behind: the engine gives no sign of life."""
    return board.engine_seen_at is None or now - board.engine_seen_at > OLD_AFTER_S


def needs_someone(run: Run) -> bool:
    """Whether a person should look: it failed, died, waits, or nobody knows how it ended."""
    if run.state is RunState.KILLED:
        return run.stop is None
    return run.state in (RunState.FAILED, RunState.LOST, RunState.WAITING)
