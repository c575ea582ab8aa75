"""`cargo deck ps` and `cargo deck top`: who builds what and how far, without a dashboard."""

import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

from core import queries
from core.attach import Reader
from core.client import ensure_engine, request
from core.clock import wall_clock
from core.errors import DeckError
from core.findings import loud
from core.paths import Paths
from core.run.stop import is_live
from core.state import Board, Run, RunState
from tui import format as f
from tui.cli import common
from tui.cli.cache_record import cache_record
from tui.cli.events import Changes, plain
from tui.cli.machine_record import bottleneck_record, builds_of, foreign_lines, foreign_records, machine_record
from tui.cli.nvcc_record import nvcc_record

_COLOURS = {
    RunState.FAILED: "31", RunState.KILLED: "31", RunState.LOST: "31", RunState.WAITING: "33",
    RunState.DONE: "32", RunState.STOPPED: "2",
}  # fmt: skip
_GLYPHS = {
    RunState.FAILED: "✗", RunState.KILLED: "✗", RunState.LOST: "?", RunState.WAITING: "◷", RunState.DONE: "✓",
    RunState.STOPPED: "■", RunState.QUEUED: "○",
}  # fmt: skip
_EMPTY = "No builds. Start one: cargo deck build, or look at a demo: cargo deck demo"
_RECENT_S = 3600.0
_GIVES_WAY = (
    ("where", 12), ("command", 24), ("where", 0), ("left", 0), ("failures", 0), ("command", 8), ("done", 0),
    ("time", 0), ("command", 0), ("agent", 8), ("run", 0), ("agent", 4),
)  # fmt: skip
"""Columns in the order in which they get narrower, down to so many cells; 0: they are left out."""
TOP_EVERY_S = 1.0
_ENGINE_ANSWERS_WITHIN_S = 1.0


_Widths = tuple[int, ...]


class _Row(NamedTuple):
    """Cells of the table, in its order."""

    agent: str
    state: str
    done: str
    time: str
    left: str
    failures: str
    run: str
    where: str
    command: str


_HEADING = _Row(*_Row._fields)


def main(argv: list[str]) -> int:
    """`ps`: one table, or JSON; exit code."""
    return common.guarded(_ps, argv)


def main_top(argv: list[str]) -> int:
    """`top`: the table again every second; exit code."""
    return common.guarded(_top, argv)


def _ps(argv: list[str]) -> int:
    parser = common.make_parser("ps", "Builds that run, and of each agent the last one that ended within the hour.")
    parser.add_argument("--all", action="store_true", help="all builds of the last 24 hours")
    given = parser.parse_args(argv)
    _print_now("ps", is_all=given.all, is_json=given.json)
    return 0


def _top(argv: list[str]) -> int:
    parser = common.make_parser("top", "The builds, refreshed every second. Without a terminal: lines as they change.")
    parser.add_argument("--once", action="store_true", help="print once and end")
    parser.add_argument("--all", action="store_true", help="all of the last 24 hours")
    given = parser.parse_args(argv)
    if given.once:
        _print_now("top", is_all=given.all, is_json=given.json)
        return 0
    try:
        _refresh(common.user_paths(), is_all=given.all, is_json=given.json)
    except KeyboardInterrupt:  # the way to leave it
        common.end_line()
        return 0


def _print_now(schema: str, *, is_all: bool, is_json: bool) -> None:
    paths = common.user_paths()
    bring_up_to_date(paths)
    board = common.whole_board(paths)
    runs = _chosen(board, is_all=is_all)
    if is_json:
        _print_json(schema, board, runs, paths)
        return
    shown = runs if is_all else newest_of_each(runs)
    for line in [*table(board, shown, common.room()), *_foreign(board, paths), *_earlier(len(runs) - len(shown))]:
        common.print_text(line)


def _earlier(count: int) -> list[str]:
    """That more is known than is shown; nothing where it is not."""
    return [f"{f.many(count, 'earlier build')} of the last hour: cargo deck ps --all"] if count else []


def _refresh(paths: Paths, *, is_all: bool, is_json: bool) -> NoReturn:
    reader = Reader(paths, wall_clock)
    changes = Changes(paths)
    board = reader.read_all()
    height = 0
    while True:
        ensure_engine(paths)  # even where nothing of ours runs: it looks for what others build
        runs = _chosen(board, is_all=is_all)
        if is_json:
            _print_json("top", board, runs, paths)
        elif sys.stdout.isatty():
            height = _redraw(board, runs, height, _foreign(board, paths), is_all=is_all)
        else:
            for line in changes.lines(board, tuple(run.run for run in runs)):
                common.print_text(line)
        common.rest(TOP_EVERY_S)
        board = reader.poll()


def _redraw(board: Board, runs: list[Run], height: int, foreign: list[str], *, is_all: bool) -> int:
    """Draw over the last picture, which was so high; the height of this one."""
    size = shutil.get_terminal_size()
    others = len(board.notes) + 3  # heading, summary, the cursor's own line
    kept = _most_wanted(runs if is_all else newest_of_each(runs), max(1, size.lines - others))
    room = size.columns - 1  # in the last column, erasing to the end of the line would take its character away
    below = foreign[: max(0, size.lines - others - len(kept))]
    lines = [*table(board, kept, room), *below, f.cut_name(_foot(runs, kept), room)][: max(1, size.lines - 1)]
    up = f"\x1b[{height}A" if height else ""
    common.print_text(f"{up}\r" + "\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J")
    return len(lines)


def _most_wanted(runs: list[Run], room: int) -> list[Run]:
    """As many as there is room for, in their order: what is live rather than what is over, new rather than old."""
    wanted = sorted(runs, key=lambda run: (run.state.is_over, -run.started_at))[:room]
    return [run for run in runs if run in wanted]


def _foot(runs: list[Run], kept: list[Run]) -> str:
    more = f"   … {len(runs) - len(kept)} more: cargo deck ps --all" if len(kept) < len(runs) else ""
    return queries.summary(runs) + more


def _chosen(board: Board, *, is_all: bool) -> list[Run]:
    return [run for run in board.runs.values() if is_all or is_recent(run, board.now)]


def newest_of_each(runs: Sequence[Run]) -> list[Run]:
    """Those that are live, and of each agent the newest; in their order."""
    newest = {run.agent: run.run for run in sorted(runs, key=lambda run: run.run)}
    return [run for run in runs if run.ended_at is None or newest[run.agent] == run.run]


def is_recent(run: Run, now: float) -> bool:
    """Live, or over for less than an hour."""
    return run.ended_at is None or now - run.ended_at < _RECENT_S


def table(board: Board, runs: Sequence[Run], room: int | None) -> list[str]:
    """The runs as aligned lines of at most `room` cells, a heading first; a sentence where there are none."""
    rows = [_row(board, run) for run in runs]
    widths = _widths([_HEADING, *rows], room)
    lines = [
        _line(_HEADING, widths, None),
        *(_line(row, widths, run.state) for run, row in zip(runs, rows, strict=True)),
    ]
    notes = [f"note: {plain(note)}" for note in board.notes]
    shown = lines if rows else [_EMPTY]
    return [*shown, *(notes if room is None else (f.cut_name(note, room) for note in notes))]


def _widths(rows: Sequence[_Row], room: int | None) -> _Widths:
    """Cells of each column, 0 for one that is left out."""
    widths = common.column_widths(rows)
    if room is None:
        return tuple(widths)
    natural = widths[_Row._fields.index("command")]
    widths = common.narrowed(widths, [(_Row._fields.index(name), least) for name, least in _GIVES_WAY], room)
    command = _Row._fields.index("command")
    spare = room - sum(widths) - 2 * (sum(map(bool, widths)) - 1)
    if widths[command]:
        widths[command] = max(widths[command], min(widths[command] + spare, natural))
    return tuple(widths)


def _line(row: _Row, widths: _Widths, state: RunState | None) -> str:
    colour = _COLOURS.get(state) if state is not None and common.has_colour() else None
    cells = []
    for name, cell, width in zip(_Row._fields, row, widths, strict=True):
        if width:
            text = f.fit(f.cut_path(cell, width) if name == "where" else cell, width)
            cells.append(f"\x1b[{colour}m{text}\x1b[0m" if colour and name == "state" else text)
    return "  ".join(cells).rstrip()


def _row(board: Board, run: Run) -> _Row:
    eta = queries.eta_s(run, board.now)
    waits = queries.waits_text(board, run, board.now)
    return _Row(
        agent=plain(run.agent),
        state=f"{_glyph(run)} {run.state}{_how(run)}",
        done=_done(run),
        time=f.duration(queries.elapsed_s(run, board.now)),
        left=f.UNKNOWN if eta is None else f"≈{f.duration(eta)}",
        failures=_failures(run),
        run=run.run,
        where=plain(run.checkout),
        command="   ".join(filter(None, (plain(run.command), plain(waits or ""), _contradiction(run)))),
    )


def _contradiction(run: Run) -> str:
    """The worst of what defeats a live run's settings; a mark and a sentence, or nothing."""
    worst = loud(run.findings) if run.ended_at is None else None
    return f"⚠ {plain(worst.title)}" if worst is not None else ""


def _glyph(run: Run) -> str:
    if run.state is RunState.KILLED and not queries.needs_attention(run):
        return _GLYPHS[RunState.STOPPED]
    return _GLYPHS.get(run.state, "●")


def _how(run: Run) -> str:
    if run.ended is None or run.state not in (RunState.FAILED, RunState.KILLED):
        return ""
    return f" {run.ended.code}" if run.ended.signal is None else f" by {run.ended.signal}"


def _failures(run: Run) -> str:
    if run.errors:
        return f.many(run.errors, "error")
    return f.many(run.tests_failed, "test") if run.tests_failed else f.UNKNOWN


def _done(run: Run) -> str:
    if run.progress_kind == "percent":
        return f"{run.units_done} %"
    if run.units_total is None and not run.units_done:
        return f.UNKNOWN
    return f"{run.units_done}/{'?' if run.units_total is None else run.units_total}"


def _foreign(board: Board, paths: Paths) -> list[str]:
    """Builds that are not ours, a line each, cut to the room."""
    room = common.room()
    lines = foreign_lines(builds_of(board, paths), board.now)
    return lines if room is None else [f.cut_name(line, room) for line in lines]


def _print_json(schema: str, board: Board, runs: list[Run], paths: Paths) -> None:
    records = [run_record(board, run) for run in runs]
    common.print_json(
        schema, now=board.now, engine_seen_at=board.engine_seen_at, notes=board.notes, runs=records,
        foreign=foreign_records(board, builds_of(board, paths)), machine=machine_record(board),
    )  # fmt: skip


def run_record(board: Board, run: Run) -> dict[str, Any]:
    """A run as `--json` gives it; fields as in docs/json.md."""
    ended, first, holder = run.ended, run.first_error, queries.holder_of(board, run)
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
        "waits_on": None if holder is None else {"run": holder.run, "agent": holder.agent},
        "errors": run.errors, "warnings": run.warnings,
        "first_error": None if first is None else {
            "message": first.message, "code": first.code, "file": first.file, "line": first.line,
            "column": first.column,
        },
        "killed": [
            {"pid": k.pid, "name": k.name, "unit": k.unit, "is_oom": k.is_oom, "size_bytes": k.size_bytes,
             "limit_bytes": k.limit_bytes, "others": [{"agent": a, "memory_bytes": b} for a, b in k.others]}
            for k in run.kills
        ],
        "use": None if run.use is None else {
            "at": run.use.at, "processes": run.use.processes, "cpu_cores": run.use.cpu_cores,
            "memory_bytes": run.use.memory_bytes, "read_bytes_s": run.use.read_bytes_s,
            "write_bytes_s": run.use.write_bytes_s,
        },
        "bottleneck": bottleneck_record(run),
        "findings": [finding.record() for finding in run.findings],
        "memory_peak_bytes": run.memory_peak_bytes,
        "links": {"running": len(run.links), "ended": len(run.link_ends),
                  "peak_bytes": max((link.peak_bytes for link in run.link_ends), default=0) or None},
        "cache": cache_record(run.cache), "nvcc": nvcc_record(run),
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


def bring_up_to_date(paths: Paths) -> None:
    """Have an engine read what runs, and what is over and was too short for one."""
    _wake_engine(paths)
    _have_ends_read(paths)


def _wake_engine(paths: Paths) -> None:
    """Somebody looks: an engine should read what runs, if anything does."""
    try:
        if os.listdir(paths.open):
            ensure_engine(paths)
    except OSError:
        pass


def _have_ends_read(paths: Paths) -> None:
    """Runs too short for an engine are over, and no journal says what they printed: one is there when we look."""
    try:
        if not all(is_live(paths, run) for run in os.listdir(paths.open)):
            request(paths, {"do": "ping"}, timeout_s=_ENGINE_ANSWERS_WITHIN_S)
    except (DeckError, OSError):
        pass  # the counts stay unknown
