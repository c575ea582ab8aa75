"""What the pages beside a log are made of, and what they give."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from core.chain import Chain
from core.native.reasons.rebuilt import Why
from core.run_plan import Plan
from core.state import Run
from core.story import Story
from core.watch.run_processes import RunProcess
from tui import format as f
from tui.widgets.look import UNICODE, Glyphs
from tui.widgets.status_line import Part
from tui.widgets.table_view import Cell, Column, Row

SORTS = ("longest", "start")
"""Orders of the units."""


class Scene(NamedTuple):
    """One run at one moment."""

    run: Run
    story: Story = Story()
    plan: Plan = Plan()
    now: float = 0.0
    """A whole second; of a run that is over, its end."""
    chain: Chain | None = None
    """None: not known (yet)."""
    knows_needs: bool = False
    """The chain rests on `Cargo.lock` too."""
    processes: Sequence[RunProcess] | None = None
    """None: nobody looked yet."""
    outputs: Mapping[str, Sequence[str] | None] = MappingProxyType({})
    """What failed tests printed, by row; None: that was not found."""
    whys: Sequence[Why] | None = None
    """Why units were rebuilt or not; None: nobody looked further than the journal."""
    is_why_told: bool = True
    """Where there are none, nothing was built; False: that is not known."""
    sort: str = SORTS[0]
    folder: str = ""
    """Where its logs lie."""
    glyphs: Glyphs = UNICODE
    waits: Sequence[str] = ()
    """Whom it waits for, and what would avoid that."""
    called: Mapping[str, str] = MappingProxyType({})
    """What other agents are called, by their true names."""
    width: int = 40
    """Cells that a page has."""


class Content(NamedTuple):
    """A page."""

    summary: tuple[Part, ...]
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    empty: str
    """What is said where there are no rows."""


def seconds(value: float | None) -> str:
    """`4.1 s`, `1:02`; `–` for None."""
    if value is None:
        return f.UNKNOWN
    return f"{max(0.0, value):.1f} s" if value < 59.95 else f.duration(value)


def words_of(parts: Sequence[tuple[str, str]], dot: str) -> tuple[Part, ...]:
    """A line of (text, role), dots between."""
    line = [Part(" ", "text")]
    for index, (text, role) in enumerate(parts):
        line.append(Part(dot + text if index else text, role))
    return tuple(line)


def paragraph(text: str, role: str = "text") -> tuple[Cell, ...]:
    """Lines of a text."""
    return tuple(Cell(line, role) for line in text.split("\n"))
