"""A bell or a desktop notification when a build ends: only for ends that happen while the dashboard is open."""

from collections.abc import Iterator

from core.state import Board, Run, RunState
from core.values import dataclass
from tui.config import When
from tui.widgets.ansi import safe

_FAILURES = (RunState.FAILED, RunState.LOST, RunState.KILLED)
_LONGEST = 200
"""Characters of a notification; desktops cut at about so many."""
BELL = "\x07"


@dataclass(frozen=True, slots=True)
class Ended:
    """A build that ended just now."""

    run: Run

    @property
    def is_failure(self) -> bool:
        """It did not end as it should, and nobody asked for that."""
        return self.run.state in _FAILURES and self.run.stop is None

    def text(self) -> str:
        """`cargo deck: claude-1: test -p engine failed`, fit for a terminal."""
        return safe(f"cargo deck: {self.run.agent}: {self.run.command} {self.run.state.value}")[:_LONGEST]


class Watch:
    """Tells which builds ended since the last look."""

    def __init__(self, began: float) -> None:
        self._began = began
        """What ended before is no news, however late it is read."""
        self._told: set[str] = set()

    def ended(self, board: Board) -> Iterator[Ended]:
        """The builds that ended since the last look, oldest first."""
        for run in board.runs.values():
            if run.state.is_over and run.run not in self._told:
                self._told.add(run.run)
                if run.ended_at is not None and run.ended_at >= self._began:
                    yield Ended(run)


def sequences(ended: Ended, *, bell: When, osc9: When, is_in_tmux: bool) -> str:
    """What to send to the terminal; empty: nothing is wanted."""
    wanted = BELL if _is_wanted(bell, ended) else ""
    if _is_wanted(osc9, ended):
        from tui.clipboard import through_tmux

        sequence = f"\x1b]9;{ended.text()}\x07"
        wanted += through_tmux(sequence) if is_in_tmux else sequence
    return wanted


def _is_wanted(when: When, ended: Ended) -> bool:
    kinds: dict[When, bool] = {"never": False, "failure": ended.is_failure, "end": True}
    return kinds[when]
