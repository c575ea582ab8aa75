"""Why: whom it waits for, what was compiled although it had been compiled before, and the reason that cargo gave."""

import shlex

from tui.format import UNKNOWN
from tui.pages.scene import Content, Scene, words_of
from tui.widgets.table_view import Cell, Column, Row


def content(scene: Scene) -> Content:
    """The page."""
    columns = (Column("crate", min(24, max(12, scene.width // 3))), Column("why it was compiled", 0))
    found = _entries(scene)
    rows = [Row("wait", (Cell("waits", "waiting"), Cell(text, "waiting"))) for text in scene.waits[:1]]
    rows += [
        Row(f"y{index}", (Cell(package), Cell(reason, "dim" if reason == UNKNOWN else "text")))
        for index, (package, reason) in enumerate(found)
    ]
    told = sum(reason != UNKNOWN for _, reason in found)
    parts = [
        (f"{scene.run.units_built} compiled", "text"), (f"{scene.run.units_fresh} fresh", "dim"),
        (f"cargo gave {told} reason{'' if told == 1 else 's'}", "dim"),
    ]  # fmt: skip
    nothing = "Nothing was compiled." if scene.run.state.is_over else "Nothing was compiled yet."
    return Content(words_of(parts, scene.glyphs.dot), columns, rows, nothing)


def _entries(scene: Scene) -> list[tuple[str, str]]:
    """Crate and reason; those with a reason first."""
    told = [(one.package, one.reason) for one in scene.run.dirtied]
    known = {package for package, _ in told}
    packages = dict.fromkeys(span.package for span in scene.story.spans if span.package and span.package not in known)
    return told + [(package, UNKNOWN) for package in packages]


def detail(scene: Scene, key: str | None) -> tuple[Cell, ...]:
    """A reason in full, or how to come to know it."""
    if key == "wait":
        return (*(Cell(text, "waiting") for text in scene.waits[:1]), *(Cell(text) for text in scene.waits[1:]))
    found = _entries(scene)
    index = int(key[1:]) if key is not None else -1
    if not 0 <= index < len(found):
        return ()
    package, reason = found[index]
    if reason != UNKNOWN:
        return (Cell(package, "strong"), Cell(reason))
    return (Cell(package, "strong"), Cell(_how_to_know(scene), "dim"))


def _how_to_know(scene: Scene) -> str:
    if scene.run.tool != "cargo" or not scene.plan.typed:
        return "Why is not recorded."
    if scene.run.dirtied or {"-v", "-vv", "--verbose"} & set(scene.plan.typed):
        return "Cargo gave no reason, as for what is not there yet."
    command = shlex.join(("cargo", *scene.plan.typed[:1], "-v", *scene.plan.typed[1:]))
    return f"Cargo tells reasons only when it is asked to: {command}"
