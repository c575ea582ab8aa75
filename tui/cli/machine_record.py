"""The machine, builds that are not ours, and what holds a run up, as `--json` gives them and as lines."""

from typing import Any

from core.clock import monotonic, wall_clock
from core.foreign_queries import NOT_OURS, foreign_builds, locks_of, short_command
from core.host import ForeignBuild
from core.lock_queries import is_current
from core.paths import Paths
from core.state import Board, Run
from tui import format as f
from tui.cli.events import plain


def builds_of(board: Board, paths: Paths) -> tuple[ForeignBuild, ...]:
    """As an engine sees them; where none looks, as one look of our own does."""
    if is_current(board):
        return foreign_builds(board)
    from functools import partial

    from core.run.stop import find_holder, is_live
    from core.watch.foreign import look_once

    live = [run.run for run in board.runs.values() if not run.state.is_over]
    holders = [holder for run in live if (holder := find_holder(paths, run)) is not None]
    rows = look_once(
        [holder.supervisor.pid for holder in holders], clock=wall_clock, monotonic=monotonic,
        is_open=partial(is_live, paths),
    )  # fmt: skip
    return tuple(ForeignBuild(*row) for row in rows)


def foreign_records(board: Board, builds: tuple[ForeignBuild, ...]) -> list[dict[str, Any]]:
    """Fields as in docs/json.md."""
    return [_foreign_record(board, build) for build in builds]


def _foreign_record(board: Board, build: ForeignBuild) -> dict[str, Any]:
    holds, waits = locks_of(board, build) if is_current(board) else ((), "")
    return {
        "pid": build.pid, "tool": build.tool, "command": build.command, "cwd": build.cwd or None,
        "checkout": build.checkout or None, "editor": build.editor or None, "started_at": build.started_at,
        "in_flight": list(build.in_flight), "cpu_cores": build.cpu_cores, "memory_bytes": build.memory_bytes,
        "processes": build.processes, "holds": list(holds), "waits_for": waits or None,
    }  # fmt: skip


def machine_record(board: Board) -> dict[str, Any] | None:
    """The last sample; None: there is none, or it is old."""
    sample = board.host.sample
    if sample is None or not is_current(board):
        return None
    return {
        "at": sample.at, "cpu": sample.cpu, "total_bytes": sample.total_bytes,
        "available_bytes": sample.available_bytes, "anonymous_bytes": sample.anonymous_bytes,
        "ours_bytes": sample.ours_bytes, "swap_used_bytes": sample.swap_used_bytes,
        "swap_total_bytes": sample.swap_total_bytes,
        "pressure": {name: {"some": some, "full": full} for name, some, full in sample.pressure} or None,
        "disks": [{"folder": folder, "free_bytes": free, "total_bytes": total, "busy": busy}
                  for folder, free, total, busy in sample.disks],
    }  # fmt: skip


def bottleneck_record(run: Run) -> dict[str, Any] | None:
    """What holds a run up; None: nothing that is known."""
    found = run.bottleneck
    return {"word": found.word, "evidence": found.evidence, "since": found.at} if found and found.word else None


def foreign_lines(builds: tuple[ForeignBuild, ...], now: float) -> list[str]:
    """A line a build, for people."""
    if not builds:
        return []
    from tui.widgets.ansi import safe

    return [
        f"○ {NOT_OURS}  {safe(short_command(build))}  {f.duration(now - build.started_at)}"
        f"{'  in ' + plain(build.cwd) if build.cwd else ''}  ≈{f.size(build.memory_bytes)}"
        for build in builds
    ]
