"""`cargo deck ps` and `cargo deck top`: who builds what and how far, without a dashboard."""

import shutil
import sys
import time
from typing import Any

from core import queries
from core.attach import Reader
from core.client import ensure_engine
from core.clock import wall_clock
from core.errors import DeckError
from core.parsers.text import sanitise, strip_sgr
from core.paths import Paths
from core.state import Board, Run, RunState
from tui import format as f
from tui.cli import common

_COLOURS = {
    RunState.FAILED: "31", RunState.KILLED: "31", RunState.LOST: "31", RunState.WAITING: "33",
    RunState.DONE: "32", RunState.STOPPED: "2",
}  # fmt: skip
_GLYPHS = {
    RunState.FAILED: "✖", RunState.KILLED: "✖", RunState.LOST: "?", RunState.WAITING: "◷", RunState.DONE: "✔",
    RunState.STOPPED: "■", RunState.QUEUED: "○",
}  # fmt: skip
_HEADINGS = ("run", "agent", "state", "done", "time", "left", "errors", "command")
_RECENT_S = 3600.0
TOP_EVERY_S = 1.0


def main(argv: list[str]) -> int:
    """`ps`: one table, or JSON; exit code."""
    return common.guarded(_ps, argv)


def main_top(argv: list[str]) -> int:
    """`top`: the table again every second; exit code."""
    return common.guarded(_top, argv)


def _ps(argv: list[str]) -> int:
    parser = common.make_parser("ps", "Builds that run, and those that ended in the last hour.")
    parser.add_argument("--all", action="store_true", help="all of the last 24 hours")
    given = parser.parse_args(argv)
    paths = common.user_paths()
    _wake_engine(paths)
    board = common.whole_board(paths)
    runs = [run for run in board.runs.values() if given.all or is_recent(run, board.now)]
    if given.json:
        common.print_json("ps", now=board.now, engine_seen_at=board.engine_seen_at, notes=board.notes,
                          runs=[run_record(board, run) for run in runs])  # fmt: skip
    else:
        for line in table(board, runs):
            common.print_text(line)
    return 0


def _top(argv: list[str]) -> int:
    parser = common.make_parser("top", "The builds, refreshed every second. Without a terminal: lines as they change.")
    parser.add_argument("--once", action="store_true", help="print once and end")
    parser.add_argument("--all", action="store_true", help="all of the last 24 hours")
    given = parser.parse_args(argv)
    if given.once:
        return _ps([word for word in argv if word != "--once"])
    paths = common.user_paths()
    reader = Reader(paths, wall_clock)
    board = reader.read_all()
    said: dict[str, str] = {}
    height = 0
    while True:
        _wake_engine(paths)
        runs = [run for run in board.runs.values() if given.all or is_recent(run, board.now)]
        if given.json:
            common.print_json("top", now=board.now, runs=[run_record(board, run) for run in runs])
        elif sys.stdout.isatty():
            lines = table(board, runs)[: shutil.get_terminal_size().lines - 1]
            common.print_text(
                (f"\x1b[{height}A" if height else "") + "\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J"
            )
            height = len(lines)
        else:
            _print_changes(board, runs, said)
        time.sleep(TOP_EVERY_S)
        board = reader.poll()


def _print_changes(board: Board, runs: list[Run], said: dict[str, str]) -> None:
    for run in runs:
        progress = _done(run)
        text = f"{run.agent}  {run.state}  {progress}  {_plain(run.command)}"
        if said.get(run.run) != text:
            said[run.run] = text
            common.print_text(f"{f.duration(queries.elapsed_s(run, board.now)):>7}  {text}")


def is_recent(run: Run, now: float) -> bool:
    """Live, or over for less than an hour."""
    return run.ended_at is None or now - run.ended_at < _RECENT_S


def table(board: Board, runs: list[Run]) -> list[str]:
    """The runs as aligned lines, a heading first; a sentence where there are none."""
    if not runs:
        return ["No builds. Start one: cargo deck build, or look at a demo: cargo deck demo"]
    rows = [_row(board, run) for run in runs]
    widths = [max(f.cell_len(row[i]) for row in (_HEADINGS, *rows)) for i in range(len(_HEADINGS))]
    room = shutil.get_terminal_size((160, 24)).columns if sys.stdout.isatty() else 10_000
    lines = [_line(_HEADINGS, widths, room)]
    for run, row in zip(runs, rows, strict=True):
        line = _line(row, widths, room)
        colour = _COLOURS.get(run.state)
        lines.append(f"\x1b[{colour}m{line}\x1b[0m" if colour and common.has_colour() else line)
    lines += [f"note: {_plain(note)}" for note in board.notes]
    return lines


def _line(cells: tuple[str, ...], widths: list[int], room: int) -> str:
    text = "  ".join(f.fit(cell, width) for cell, width in zip(cells, widths, strict=True)).rstrip()
    return f.cut_name(text, room)


def _row(board: Board, run: Run) -> tuple[str, ...]:
    state = f"{_GLYPHS.get(run.state, '●')} {run.state}"
    eta = queries.eta_s(run, board.now)
    waits = queries.waits_text(board, run, board.now)
    command = _plain(run.command) + (f"   {_plain(waits)}" if waits else "")
    return (
        run.run,
        run.agent,
        state,
        _done(run),
        f.duration(queries.elapsed_s(run, board.now)),
        f.UNKNOWN if eta is None else f"≈{f.duration(eta)}",
        str(run.errors or run.tests_failed) if run.errors or run.tests_failed else f.UNKNOWN,
        command,
    )


def _done(run: Run) -> str:
    if run.progress_kind == "percent":
        return f"{run.units_done} %"
    if run.units_total is None and not run.units_done:
        return f.UNKNOWN
    return f"{run.units_done}/{'?' if run.units_total is None else run.units_total}"


def _plain(text: str) -> str:
    return strip_sgr(sanitise(text.encode("utf-8", "surrogateescape")))


def run_record(board: Board, run: Run) -> dict[str, Any]:
    """A run as `--json` gives it; fields as in docs/json.md."""
    ended, first = run.ended, run.first_error
    return {
        "run": run.run, "agent": run.agent, "state": str(run.state), "command": run.command, "tool": run.tool,
        "subcommand": run.subcommand, "cwd": run.cwd, "checkout": run.checkout, "target_dir": run.target_dir,
        "is_private_target": run.is_private_target, "is_owned": run.is_owned, "started_at": run.started_at,
        "ended_at": run.ended_at, "elapsed_s": round(queries.elapsed_s(run, board.now), 3),
        "eta_s": queries.eta_s(run, board.now),
        "units": {"done": run.units_done, "total": run.units_total, "built": run.units_built,
                  "fresh": run.units_fresh, "kind": run.progress_kind},
        "in_flight": [{"name": u.name, "since": u.since, "is_sampled": u.is_sampled} for u in run.in_flight],
        "waits_for": run.waits_for, "waits_since": run.waits_since,
        "errors": run.errors, "warnings": run.warnings,
        "first_error": None if first is None else {
            "message": first.message, "code": first.code, "file": first.file, "line": first.line,
            "column": first.column,
        },
        "tests": {"passed": run.tests_passed, "failed": run.tests_failed, "ignored": run.tests_ignored,
                  "suites": run.suites},
        "lines": {"out": run.out_lines, "err": run.err_lines},
        "bytes": {"out": run.out_bytes, "err": run.err_bytes, "cut": run.cut_bytes},
        "exit": None if ended is None else {
            "code": ended.code, "signal": ended.signal, "wall_s": ended.wall_s, "user_s": ended.user_s,
            "sys_s": ended.sys_s, "largest_process_bytes": ended.largest_process_bytes,
            "stopped_by": ended.stopped_by, "is_killed": ended.is_killed, "left_running": list(ended.left_running),
        },
        "handed_to": run.handed_to,
    }  # fmt: skip


def _wake_engine(paths: Paths) -> None:
    """Somebody looks: an engine should read what runs."""
    try:
        ensure_engine(paths)
    except (DeckError, OSError):
        pass
