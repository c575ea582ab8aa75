"""What a build that is about to be started would be told by us: looked up in a thread, said in a few lines."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from core.errors import DeckError, ModeRefused
from core.paths import Paths
from core.plan.figures import gains_of, measured
from core.plan.make import Planned
from core.plan.plan import Finding, Setting
from tui import format as f
from tui.widgets import pane_finding
from tui.widgets.ansi import safe
from tui.widgets.table_view import Cell


class Asked(NamedTuple):
    """A build that nobody started."""

    cwd: str
    agent: str
    tool: str
    """`cargo`, `exec`."""
    words: tuple[str, ...]
    mode: str


class Foreseen(NamedTuple):
    """What is known of it."""

    lines: tuple[Cell, ...] = ()
    modes: tuple[str, ...] = ()
    """Names that can be chosen there; empty: that is not known."""
    is_refused: bool = False
    """The mode cannot be used, and nothing would be started; `lines` say why."""


def foresee(paths: Paths, env: Mapping[str, str], asked: Asked) -> Foreseen:
    """What the plan of a build is; its troubles as sentences."""
    from core.plan import choose, make, modes

    if asked.tool != "cargo":
        return Foreseen((Cell("nothing is changed: it is not cargo that is started", "dim"),))
    variables = dict(env)
    try:
        planned = make.preview(
            paths, words=asked.words, cwd=asked.cwd, env=variables, mode=asked.mode or None, agent=asked.agent
        )
    except ModeRefused as error:
        why = str(error).removeprefix(f"{choose.FLAG}: ")
        return Foreseen((Cell(why, "failed"),), is_refused=True)
    except DeckError as error:
        return Foreseen((Cell(str(error), "failed"),))
    except OSError as error:
        return Foreseen((Cell(f"what it changes cannot be told: {error.strerror or error}", "failed"),))
    own = choose.read_own(paths.cache, planned.found.root, variables)
    known = modes.names((*own.layers, modes.built_in()))
    return Foreseen(tuple(said(planned)), (*known, modes.NONE))


def said(planned: Planned) -> Iterator[Cell]:
    """A plan in lines, what matters most first, for the last ones are cut: the mode, what is in the way, errors before
    the rest, what is added and what that costs, what the mode is for, what it gave."""
    yield _mode_line(planned)
    findings = [one for one in planned.plan.findings if one.severity != "hint"]
    yield from (_seen(one) for one in findings if one.severity == "error")
    for trouble in planned.troubles:
        yield Cell(f"{pane_finding.SIGN} {trouble.sentence}", "waiting")
    yield from (_seen(one) for one in findings if one.severity != "error")
    told: set[str] = set()
    ours = [_added(one, told) for one in planned.plan.ours]
    yield from ours or (Cell("nothing is changed", "dim"),)
    if planned.plan.mode and planned.wish.mode.about:
        yield Cell(f"for: {planned.wish.mode.about}", "dim")
    yield from (Cell(gain, "dim") for gain in gains_of(planned.wish.mode, planned.plan))


def _seen(finding: Finding) -> Cell:
    return Cell(f"{pane_finding.SIGN} {finding.title}", pane_finding.role(finding.severity))


def _mode_line(planned: Planned) -> Cell:
    plan = planned.plan
    if not plan.mode:
        return Cell("no mode: nothing is set that changes what is compiled", "dim")
    by = f", by {plan.mode_origin.shown}" if plan.mode_origin.place not in ("", "--mode") else ""
    return Cell(f"mode {plan.mode}{by}", "strong")


def _added(one: Setting, told: set[str]) -> Cell:
    """What one setting adds, and those of its costs that no other one told; figures are told of the mode."""
    what = ([shlex.join(one.flags)] if one.flags else []) + [f"{name}={value}" for name, value in one.env]
    known = one.cost.removeprefix(measured(one.name, one.value))
    costs = [part for part in known.split("; ") if part and part not in told]
    told.update(costs)
    return Cell(f"adds {' '.join(what)}" + (f": {'; '.join(costs)}" if costs else ""))


def fitted(lines: Sequence[Cell], width: int, rows: int) -> list[Cell]:
    """The lines wrapped to a width, as many as there is room for; the last row says that there are more."""
    wrapped = [Cell(part, line.role) for line in lines for part in f.wrapped(safe(line.text), max(1, width))]
    if len(wrapped) <= rows:
        return wrapped
    return [*wrapped[: max(0, rows - 1)], Cell(f.cut_name("… `cargo deck plan` tells all of it", width), "dim")]
