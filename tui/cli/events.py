"""A board as a stream of plain lines: one for what a person would want to hear, nothing twice."""

from core import queries
from core.parsers.text import sanitise, strip_sgr
from core.paths import Paths
from core.state import Board, Run, RunState
from tui import format as f

PROGRESS_EVERY_S = 5.0


class Changes:
    """Turns boards into lines; remembers what was said."""

    def __init__(self, paths: Paths | None) -> None:
        self._paths = paths
        """Where the logs are; None: they are not named (a recording)."""
        self._states: dict[str, RunState] = {}
        self._said_at: dict[str, float] = {}
        self._errors: set[str] = set()
        self._width = 0

    def lines(self, board: Board, only: tuple[str, ...] | None = None) -> list[str]:
        """What is new on the board, in the order of the runs."""
        runs = [run for name, run in board.runs.items() if only is None or name in only]
        self._width = max([self._width, *(len(run.agent) for run in runs)])
        return [line for run in runs for line in self._of(board, run)]

    def _of(self, board: Board, run: Run) -> list[str]:
        said: list[str] = []
        before = self._states.get(run.run)
        if before is None:
            said.append(f"starts   {plain(run.command)}")
        if run.first_error is not None and run.run not in self._errors:
            self._errors.add(run.run)
            said.append(f"error    {_error(run)}")
        if run.state is not before and (before is not None or run.state is not RunState.BUILDING):
            said.append(self._state(board, run))
        elif self._is_due(board, run):
            said.append(f"builds   {_progress(board, run)}")
        self._states[run.run] = run.state
        if said:
            self._said_at[run.run] = board.now
        elapsed = f"{f.duration(queries.elapsed_s(run, board.now)):>6}"
        return [f"{elapsed}  {run.agent:<{self._width}}  {text}" for text in said]

    def _is_due(self, board: Board, run: Run) -> bool:
        is_moving = not run.state.is_over and run.units_done > 0
        return is_moving and board.now - self._said_at.get(run.run, 0.0) >= PROGRESS_EVERY_S

    def _state(self, board: Board, run: Run) -> str:
        if run.state is RunState.WAITING:
            return plain(queries.waits_on(board, run) or "waits").replace("waits ", "waits    ", 1)
        if not run.state.is_over:
            return f"{run.state:<8} {_progress(board, run)}"
        log = f"  log {self._paths.run(run.run)}/out.log" if self._paths is not None else ""
        return f"{run.state:<8} {_outcome(run)}{log}"


def plain(text: str) -> str:
    """Foreign text without anything that a terminal would obey."""
    return strip_sgr(sanitise(text.encode("utf-8", "replace")))


def _error(run: Run) -> str:
    first = run.first_error
    assert first is not None
    code = f"[{first.code}]" if first.code else ""
    place = f"  {first.file}:{first.line}:{first.column}" if first.file else ""
    return plain(f"error{code}: {first.message}{place}")


def _progress(board: Board, run: Run) -> str:
    total = "?" if run.units_total is None else run.units_total
    eta = queries.eta_s(run, board.now)
    left = "" if eta is None else f"  ≈{f.duration(eta)} left"
    flight = ", ".join(unit.name for unit in run.in_flight[:3])
    return plain(f"{run.units_done}/{total}{left}" + (f"  {flight}" if flight else ""))


def _outcome(run: Run) -> str:
    ended = run.ended
    parts = []
    if ended is not None:
        parts.append(f"signal {ended.signal}" if ended.signal is not None else f"exit {ended.code}")
    if run.errors:
        parts.append(f.many(run.errors, "error"))
    if run.warnings:
        parts.append(f.many(run.warnings, "warning"))
    if run.tests_passed or run.tests_failed:
        parts.append(f"{run.tests_passed} tests passed" + (f", {run.tests_failed} failed" if run.tests_failed else ""))
    parts.append(f"{run.units_built} built, {run.units_fresh} fresh")
    return " · ".join(parts)
