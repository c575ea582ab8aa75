"""Plan: what was decided for this run, why, and what was really executed."""

import shlex
from collections.abc import Iterator

from tui.format import UNKNOWN, cut_path
from tui.pages.scene import Content, Scene, words_of
from tui.widgets.table_view import Cell, Column, Row

_SOURCES = {
    "default": "cargo's own choice", "user": "named by the caller", "private": "a folder of this agent alone",
}  # fmt: skip


def content(scene: Scene) -> Content:
    """The page."""
    columns = (Column("setting", _name_cells(scene)), Column("value", 0))
    found = _entries(scene)
    rows = [
        Row(f"p{index}", (Cell(name), Cell(_short(value, scene), "strong")))
        for index, (name, value, _) in enumerate(found)
    ]
    count = len(scene.plan.settings)
    said = f"{count} decided by cargo-deck" if count else "nothing was changed"
    return Content(words_of([(said, "text")], scene.glyphs.dot), columns, rows, "How it was started is not recorded.")


def _name_cells(scene: Scene) -> int:
    return min(18, max(11, scene.width // 4))


def _short(value: str, scene: Scene) -> str:
    """Of a path, its end matters most."""
    return (
        cut_path(value, scene.width - _name_cells(scene) - 4) if value.startswith("/") and " " not in value else value
    )


def _entries(scene: Scene) -> list[tuple[str, str, str]]:
    """Setting, value, reason."""
    plan = scene.plan
    found = [(one.setting, one.value, one.reason) for one in plan.settings]
    if plan.launch.argv:
        found += _launched(scene)
    if plan.target_dir and not any(name == "target-dir" for name, *_ in found):
        found.append(("target dir", plan.target_dir, _SOURCES.get(plan.target_source, "")))
    found.append(("folder", scene.run.cwd, "where it runs"))
    if scene.folder:
        found.append(("logs", scene.folder, "its logs, its journal, and how it was started"))
    return found


def _launched(scene: Scene) -> Iterator[tuple[str, str, str]]:
    plan, launch = scene.plan, scene.plan.launch
    hidden = "; words that hold a credential are masked" if plan.is_masked else ""
    typed = shlex.join(plan.typed) if plan.typed else UNKNOWN
    yield "typed", typed, f"what was typed{' after cargo' if scene.run.tool == 'cargo' else ''}{hidden}"
    added = len(launch.argv) - 1 - len(plan.typed)
    why = "what was executed" + (f"; {added} words of it are cargo-deck's" if plan.typed and added > 0 else "")
    yield "executed", shlex.join(launch.argv), why
    yield "env added", ", ".join(launch.env) or "none", "variables that cargo-deck set; values are not shown"
    if launch.unset:
        yield "env removed", ", ".join(launch.unset), "variables that the build does not see"
    if launch.path_front:
        yield "PATH begins", ":".join(launch.path_front), "found before the caller's own programs"
    if launch.wrappers:
        yield "wrappers", ", ".join(launch.wrappers), "programs that run the compiler"


def detail(scene: Scene, key: str | None) -> tuple[Cell, ...]:
    """A setting in full."""
    found = _entries(scene)
    index = int(key[1:]) if key is not None else -1
    if not 0 <= index < len(found):
        return ()
    name, value, reason = found[index]
    return (Cell(name, "dim"), Cell(value, "strong"), Cell(reason or UNKNOWN))
