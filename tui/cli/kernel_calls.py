"""Calls of nvcc that are over, for `cargo deck kernels`: as a table, and for programs."""

from collections.abc import Iterable, Sequence
from typing import Any

from core import events as e
from core.nvcc_queries import CallRow, call_rows, ended_calls
from core.state import Board
from tui import format as f
from tui.cli import common
from tui.cli.events import plain
from tui.cli.nvcc_record import error_record
from tui.widgets import kernel_words as words
from tui.widgets.call_words import explain_call

_HEADING = (
    "call", *(f"{title:>8}" for title in ("time", "cores", "memory")), "archs", "phases", "file", "made", "agent",
)  # fmt: skip
_GIVES_WAY = ((5, 16), (8, 0), (4, 10), (7, 0), (2, 0), (6, 20), (4, 0), (5, 0), (3, 0), (6, 8))
"""Columns in the order in which they give way on a narrow terminal; of a call are left: how it went, time, file."""
NONE = "No call of nvcc that makes code is known."


def calls_of(board: Board, run: str | None) -> tuple[CallRow, ...]:
    """All calls of a run, in their order; without one, the last of each source and output there is, newest first."""
    if run is not None:
        return ended_calls(board.runs[run]) if run in board.runs else ()
    return tuple(row for row in call_rows(board.runs.values()) if row.ended is not None)


def print_calls(rows: Sequence[CallRow], now: float, *, is_whole: bool) -> None:
    """A table, a row a call; `is_whole`: all that is known of each one instead."""
    if not rows:
        common.print_text(NONE)
    elif is_whole:
        for at, row in enumerate(rows):
            lines = [cell.text for cell in explain_call(row, now)]
            common.print_text("\n".join([""] * (at > 0) + [plain(line) for line in lines]))
    else:
        cells = [_HEADING, *(_cells(row, row.ended) for row in rows if row.ended is not None)]
        for line in common.table(cells, _GIVES_WAY, paths=(6,)):
            common.print_text(line)


def _cells(row: CallRow, ended: e.NvccEnded) -> tuple[str, ...]:
    figures = (f.span(ended.elapsed_s), f.span(ended.cpu_s) if ended.cpu_s is not None else f.UNKNOWN,
               f.size(ended.peak_bytes or None))  # fmt: skip
    archs = " ".join(row.started.archs) if row.started is not None else ""
    more = len(row.started.sources) - 1 if row.started is not None else 0
    place = f"{row.place} and {more} more" if more > 0 else row.place
    return (
        words.verdict_cell(row).text, *(f"{figure:>8}" for figure in figures), plain(archs) or f.UNKNOWN,
        words.phase_words(ended) or f.UNKNOWN, plain(place), plain(row.output.rpartition("/")[2]),
        plain(row.run.agent),
    )  # fmt: skip


def call_records(rows: Iterable[CallRow]) -> list[dict[str, Any]]:
    """Calls as `--json` gives them; fields as in docs/json.md."""
    return [_record(row, row.started, row.ended) for row in rows if row.ended is not None]


def _record(row: CallRow, started: e.NvccStarted | None, ended: e.NvccEnded) -> dict[str, Any]:
    sources = (started.sources if started is not None else ()) or ((ended.source,) if ended.source else ())
    outputs = (started.outputs if started is not None else ()) or ((ended.output,) if ended.output else ())
    return {
        "run": row.run.run, "agent": row.run.agent, "checkout": row.run.checkout, "call": ended.call,
        "package": ended.package or None, "sources": list(sources), "outputs": list(outputs), "kind": ended.kind,
        "archs": list(started.archs) if started is not None else None, "began": ended.began,
        "elapsed_s": ended.elapsed_s, "cpu_s": ended.cpu_s, "peak_bytes": ended.peak_bytes,
        "output_bytes": ended.output_bytes, "code": ended.code, "signal": ended.signal,
        "verdict": ended.verdict or None, "why": ended.why or None, "is_stale": ended.is_stale,
        "errors": [error_record(error) for error in ended.errors] if ended.errors is not None else None,
        "phases": [
            {"tool": phase.tool, "arch": phase.arch, "source": phase.source or None, "elapsed_s": phase.elapsed_s,
             "peak_bytes": phase.peak_bytes}
            for phase in ended.phases
        ],
    }  # fmt: skip
