"""What is said when the dashboard is left, by choice or by a fault of ours."""

import os
import traceback

from core import queries
from core.paths import Paths
from core.state import Board, RunState
from tui.widgets.ansi import safe


def farewell(board: Board, paths: Paths, command: str) -> list[str]:
    """At most three lines: what goes on, what failed, where the logs are. `command`: what starts us, as it is typed."""
    live = [run for run in board.runs.values() if not run.state.is_over]
    failed = sorted(
        (pane.run for pane in queries.panes(board) if pane.run.state is RunState.FAILED),
        key=lambda run: run.ended_at or 0.0,
    )
    lines = []
    if live:
        names = ", ".join(safe(run.agent) for run in live[:6]) + (" …" if len(live) > 6 else "")
        verb = "build goes on" if len(live) == 1 else "builds go on"
        lines.append(f"{len(live)} {verb} ({names}): `{command}` shows them again")
    if failed:
        more = f" ({len(failed)} failed, this one last)" if len(failed) > 1 else ""
        lines.append(f"failed: {safe(failed[-1].agent)}, log {paths.run(failed[-1].run)}/out.log{more}")
    if board.runs:
        lines.append(f"logs: {paths.runs}")
    return lines


def crash_notice(error: BaseException, folder: str) -> str:
    """A sentence on a fault of ours; the traceback (no values of variables: they may be secret) goes to a file."""
    what = safe(f"{type(error).__name__}: {error}")[:200]
    said = f"cargo-deck: the dashboard failed ({what}); builds go on."
    path = f"{folder}/crash.txt"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            lines = "".join(traceback.format_exception(error)).splitlines()
            file.writelines(safe(line) + "\n" for line in lines)
    except OSError as failure:
        return f"{said} Its traceback could not be written to {path}: {failure.strerror}"
    return f"{said} Its traceback is in {path}"
