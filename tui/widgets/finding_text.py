"""A finding in full, as lines of text: what was found, where, what it costs, what would mend it. Pure."""

from collections.abc import Iterator

from core.plan.mend import said_of
from core.plan.plan import Finding
from tui.widgets import pane_finding
from tui.widgets.table_view import Cell

NONE = "Nothing was found that defeats the settings of this build."


def head(finding: Finding) -> Cell:
    """Its title with its sign."""
    sign = "" if finding.severity == "hint" else f"{pane_finding.SIGN} "
    return Cell(f"{sign}{finding.title}", pane_finding.role(finding.severity))


def lines(finding: Finding) -> Iterator[Cell]:
    """All of it but its title."""
    yield Cell(f"{finding.severity} · {finding.id}" if finding.id else finding.severity, "dim")
    for one in finding.evidence:
        yield Cell(f"{one.origin.shown or 'somebody'} says {one.value or 'nothing'}")
    if finding.cost:
        yield Cell(f"cost: {finding.cost}")
    if finding.mend:
        yield Cell("")
        yield from diff(finding.mend)
    elif finding.changes:
        yield Cell("")
        yield from map(Cell, said_of(finding.changes))
    else:
        yield Cell("There is no mend to offer.", "dim")


def diff(mend: str) -> Iterator[Cell]:
    """A mend, each line in the colour of what it does."""
    for line in mend.rstrip("\n").split("\n"):
        yield Cell(line.replace("\t", "    "), _role(line))


def _role(line: str) -> str:
    if line.startswith(("---", "+++", "@@", "diff ")):
        return "dim"
    return {"+": "done", "-": "failed"}.get(line[:1], "text")
