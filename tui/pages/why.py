"""Why: whom it waits for, what was compiled although it had been compiled before and the reason, and what was not
compiled again although a file near it changed."""

import os
import shlex
from collections.abc import Sequence

from core import queries
from core.native.reasons.rebuilt import Why
from core.state import Run
from tui.format import UNKNOWN, many
from tui.pages.scene import Content, Scene, words_of
from tui.widgets.table_view import Cell, Column, Row


def content(scene: Scene) -> Content:
    """The page."""
    columns = (Column("crate", min(24, max(12, scene.width // 3))), Column("why it was compiled", 0))
    found = _entries(scene)
    rows = [Row("wait", (Cell("waits", "waiting"), Cell(text, "waiting"))) for text in scene.waits[:1]]
    rows += [Row(f"y{index}", (Cell(named(one)), Cell(said(one), _role(one)))) for index, one in enumerate(found)]
    nothing = (
        "Nothing was compiled yet." if not scene.run.state.is_over
        else "Nothing was compiled." if scene.is_why_told
        else "Not known: this run left nothing that says what it made."
    )  # fmt: skip
    return Content(words_of(_counts(scene.run, found), scene.glyphs.dot), columns, rows, nothing)


def _counts(run: Run, found: Sequence[Why]) -> list[tuple[str, str]]:
    """What is wrong comes before what need not be read: the last ones go where there is no room."""
    told = sum(one.by == "cargo" for one in found)
    left = sum(not one.is_rebuilt and one.kind == "output" for one in found)
    unwatched = sum(one.kind == "input" for one in found)
    is_known = queries.tells_units(run)
    return [
        *([(f"{run.units_built} compiled", "text")] if is_known else []),
        *([(f"{left} left old", "waiting")] if left else []),
        *([(f"inputs of {many(unwatched, 'package')} not watched", "waiting")] if unwatched else []),
        *([(f"{run.units_fresh} fresh", "dim"), (f"cargo gave {many(told, 'reason')}", "dim")] if is_known else []),
    ]


def named(one: Why) -> str:
    """What a unit is called, short."""
    return os.path.basename(one.unit) if one.kind in ("output", "call", "file") else one.unit


def said(one: Why) -> str:
    """The reason in words, with what was not made again told as such."""
    if one.is_rebuilt or one.kind in ("call", "file", "input"):
        return one.reason or UNKNOWN
    return f"not rebuilt: {one.reason}" if one.reason else "not rebuilt"


def _role(one: Why) -> str:
    if not one.reason or one.kind == "file":
        return "dim"
    return "waiting" if not one.is_rebuilt and one.kind in ("output", "input") else "text"


def _entries(scene: Scene) -> Sequence[Why]:
    """Units with a reason first; as the journal has them until somebody looked further."""
    if scene.whys:
        return sorted(scene.whys, key=lambda one: not one.reason)
    told = [Why(one.package, "crate", True, one.reason, "cargo", one.package) for one in scene.run.dirtied]
    known = {one.package for one in told}
    packages = dict.fromkeys(span.package for span in scene.story.spans if span.package and span.package not in known)
    return [*told, *(Why(package, "crate", True, "", "", package) for package in packages)]


def detail(scene: Scene, key: str | None) -> tuple[Cell, ...]:
    """A reason in full and who says so, or how to come to know it."""
    if key == "wait":
        return (*(Cell(text, "waiting") for text in scene.waits[:1]), *(Cell(text) for text in scene.waits[1:]))
    found = _entries(scene)
    index = int(key[1:]) if key is not None else -1
    if not 0 <= index < len(found):
        return ()
    one = found[index]
    if not one.reason:
        return (Cell(one.unit, "strong"), Cell(_how_to_know(scene), "dim"))
    told = (Cell(_SAYS[one.by], "dim"),) if _SAYS.get(one.by) else ()
    return (Cell(one.unit, "strong"), Cell(said(one), _role(one)), *told)


_SAYS = {
    "times": "By times of files: nobody said so.",
    "declared": "By what its build script declares, and times of files.",
    "make": "Says make, in its output.",
    "ninja": "Says ninja, or its log.",
    "nvcc": "Says the front before nvcc.",
}


def _how_to_know(scene: Scene) -> str:
    if scene.run.tool != "cargo" or not scene.plan.typed:
        return "Why is not recorded."
    if scene.run.dirtied or {"-v", "-vv", "--verbose"} & set(scene.plan.typed):
        return "Cargo gave no reason, as for what is not there yet."
    command = shlex.join(("cargo", *scene.plan.typed[:1], "-v", *scene.plan.typed[1:]))
    return f"Cargo tells reasons only when it is asked to: {command}"
