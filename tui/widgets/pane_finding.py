"""The line of a pane that says which settings defeat one another: pure."""

from core.findings import loud
from core.state import Run
from tui import format as f
from tui.widgets.ansi import safe
from tui.widgets.words import Piece

SIGN = "⚠"
_LEAST_TITLE = 20
"""Cells that the sentence keeps beside the key that tells more."""


def mark(run: Run) -> Piece:
    """The sign beside an agent's name; empty: there is nothing to hear of."""
    worst = loud(run.findings)
    return Piece(f" {SIGN}", role(worst.severity)) if worst is not None else Piece("", "text")


def role(severity: str) -> str:
    """How a severity looks."""
    return {"error": "failed", "warning": "waiting"}.get(severity, "dim")


def line(run: Run, key: str, width: int) -> tuple[Piece, ...]:
    """`⚠ sccache never caches incremental crates · W why`, in so many cells; nothing where there is nothing to hear of.

    `key`: that tells more, as it is printed; empty: none does.
    """
    worst = loud(run.findings)
    if worst is None or width < len(SIGN) + 2:
        return ()
    others = sum(one.severity != "hint" for one in run.findings) - 1
    more = (f" +{others}" if others else "") + (f" · {key} why" if key else "")
    head = f"{SIGN} "
    if width - len(head) - len(more) < _LEAST_TITLE:
        more = ""
    title = f.cut_name(safe(worst.title), width - len(head) - len(more))
    return Piece(head + title, role(worst.severity)), Piece(more, "dim")
