"""What is said above the list of kernels, and of a kernel that has nothing at the branch point. Pure."""

import shlex
from collections.abc import Iterable, Iterator, Sequence

from core.kernel_order import Order
from core.kernel_queries import Count, KernelRow
from core.native.edits.lever_figures import Measurement
from core.native.kernels.branch_blobs import BranchPoint
from tui import format as f
from tui.widgets.ansi import safe
from tui.widgets.iteration_rows import lever_words
from tui.widgets.kernel_words import NO_BRANCH_POINT
from tui.widgets.status_line import Part
from tui.widgets.table_view import Cell


def about(found: Count, rows: Sequence[KernelRow], top: int, against: str, dot: str) -> tuple[Part, ...]:
    """` 5 kernels of 3 sources · 2 worse above · 10 changed · against last build · 5 archs`: the last parts go first
    where there is no room.

    Args:
        found: What there is.
        rows: What the list has.
        top: How many rows are above what is seen.
        against: Empty where it is said elsewhere.
        dot: Between parts.
    """
    shown, above = len(rows), sum(row.change.is_worse for row in rows[:top])
    parts = [Part(f" {f.many(found.kernels, 'kernel')} of {f.many(found.sources, 'source')}", "strong")]
    if found.rows > shown:
        parts.append(Part(f"{dot}the first {shown} of {found.rows} rows", "dim"))
    if found.worse:
        where = f", {above} above" if 0 < above < found.worse else " above" if above else ""
        parts.append(Part(f"{dot}{found.worse} worse{where}", "failed"))
    parts.append(Part(f"{dot}{found.changed} changed", "number" if found.changed else "dim"))
    if against:
        parts.append(Part(f"{dot}against {against}", "dim"))
    return (*parts, Part(f"{dot}{f.many(found.archs, 'arch')}", "dim"))


def filters(order: Order, agent: str, against: str, dot: str, *, is_changed_only: bool) -> Part:
    """`against branch point · registers first · changed only · claude-1`: what a person chose, which is never left out;
    bright where there is anything but the order."""
    said = [f"against {against}"] if against else []
    said += [f"{order} first" if order != "source" else "by source"]
    said += ["changed only"] if is_changed_only else []
    said += [safe(agent)] if agent else []
    return Part(dot.join(said) + " ", "lit" if len(said) > 1 else "dim")


def no_branch(row: KernelRow, point: BranchPoint | None) -> str:
    """Why a kernel has nothing at the branch point."""
    if point is None or not point.commit:
        return NO_BRANCH_POINT
    at = f"{point.name} ({point.commit[:8]})"
    if row.compiled.place not in point.blobs:
        return f"{safe(row.compiled.place)} was not there at {at}"
    return f"no build of the branch point is known: none of the last 24 h compiled it as of {at}"


def lever_lines(source: str, place: str, measured: Iterable[Measurement], width: int) -> Iterator[Cell]:
    """What makes nvcc faster on a source, as measured here; else how to measure it. `place`: below its checkout."""
    found = [one for one in measured if one.source == source]
    said = lever_words(found[-1]) if found else ""
    yield Cell("")
    if said:
        yield from (Cell(line) for line in f.wrapped(f"measured here: {safe(said)}", width))
    else:
        yield Cell("what would make nvcc faster on it is measured by", "dim")
        yield Cell(f"  cargo deck iterations --levers {safe(shlex.quote(place))}", "dim")
