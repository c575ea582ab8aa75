"""Panes of builds that are not ours, from the frozen Board alone."""

from core import foreign_queries
from core.host import ForeignBuild
from core.state import Board, Run, RunState
from tui.view import View
from tui.widgets.foreign_pane import ForeignView
from tui.widgets.pane_grid import PaneState


def guests(view: View) -> tuple[PaneState, ...]:
    """A pane a build, oldest first."""
    return tuple(
        PaneState(0, _stand_in(build), 0, None, False, None, foreign=ForeignView(build, _locks(view.board, build)))
        for build in foreign_queries.foreign_builds(view.board)
    )


def _stand_in(build: ForeignBuild) -> Run:
    """A run that has its name and its start: panes are told apart by them."""
    name = f"{foreign_queries.NOT_OURS} {build.pid} {build.started_at:.2f}"
    return Run(
        run=name, agent=name, command=build.command, tool=build.tool, subcommand="", cwd=build.cwd,
        checkout=build.checkout, target_dir=None, is_private_target=False, is_owned=False, is_split=False,
        started_at=build.started_at, state=RunState.RUNNING,
    )  # fmt: skip


def _locks(board: Board, build: ForeignBuild) -> str:
    """`waits for claude-1's build · build dir lock`, `holds the artifact dir lock`."""
    held, waits = foreign_queries.locks_of(board, build)
    said = [f"waits for {waits}"] if waits else []
    if held:
        said.append(f"holds the {', '.join(held)} lock{'s' if len(held) > 1 else ''}")
    return " · ".join(said)


def refusal(view: ForeignView) -> str:
    """Why nothing can be done to it from here."""
    build = view.build
    return f"Not started through cargo-deck (pid {build.pid}): it can only be looked at here."
