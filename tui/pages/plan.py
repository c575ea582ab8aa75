"""Plan: what stands in the way, what was decided for this run and why, and what was really executed."""

import shlex
from collections.abc import Iterator
from typing import NamedTuple

from tui.format import UNKNOWN, cut_path
from tui.pages import plan_words
from tui.pages.scene import Content, Scene, words_of
from tui.widgets import finding_text, pane_finding
from tui.widgets.table_view import Cell, Column, Row

_SOURCES = {
    "default": "cargo's own choice", "user": "named by the caller", "private": "a folder of this agent alone",
}  # fmt: skip
_NAME_CELLS, _WHOSE_CELLS = 16, 7
_LEAST_WITH_WHOSE, _LEAST_WITH_COST = 60, 90
"""Cells of a page that has room for whose a setting is, and what it costs, beside it; else group and detail say it."""
_STARTED = "as started"


class Entry(NamedTuple):
    """A row, and what is said of it in full."""

    cells: tuple[Cell, ...]
    detail: tuple[Cell, ...]


def content(scene: Scene) -> Content:
    """The page."""
    columns = [Column("setting", _NAME_CELLS), Column("value", 0)]
    columns += [Column(title, width) for title, width in (("whose", _whose_cells(scene)), ("cost", _cost_cells(scene)))
                if width]  # fmt: skip
    rows = [Row(f"p{index}", entry.cells) for index, entry in enumerate(_entries(scene))]
    said = words_of(plan_words.summary(scene.plan), scene.glyphs.dot)
    return Content(said, tuple(columns), rows, "How it was started is not recorded.")


def _whose_cells(scene: Scene) -> int:
    """0: it is left out."""
    return _WHOSE_CELLS if scene.width >= _LEAST_WITH_WHOSE and not plan_words.is_old(scene.plan) else 0


def _cost_cells(scene: Scene) -> int:
    is_shown = scene.width >= _LEAST_WITH_COST and any(one.cost for one in scene.plan.settings)
    return min(40, scene.width // 3) if is_shown else 0


def _short(value: str, scene: Scene) -> str:
    """Of a path, its end matters most."""
    taken = _NAME_CELLS + sum(width + 2 for width in (_whose_cells(scene), _cost_cells(scene)) if width)
    return cut_path(value, scene.width - taken - 4) if value.startswith("/") and " " not in value else value


def _entries(scene: Scene) -> list[Entry]:
    found = [*_findings(scene), *_settings(scene)]
    started = [_entry(name, value, reason, scene) for name, value, reason in _started(scene)]
    heading = [_heading(_STARTED, "The command, and what cargo-deck added to it.")] if len(found) and started else []
    return [*found, *heading, *started]


def _findings(scene: Scene) -> Iterator[Entry]:
    for one in scene.plan.findings:
        role = pane_finding.role(one.severity)
        sign = " " if one.severity == "hint" else pane_finding.SIGN
        cells = (Cell(f"{sign} {one.severity}", role), Cell(one.title, role))
        yield Entry(cells, (finding_text.head(one), *finding_text.lines(one)))


def _settings(scene: Scene) -> Iterator[Entry]:
    """Settings in their groups; of a version that knew none, without."""
    for group in plan_words.groups(scene.plan):
        if not plan_words.is_old(scene.plan):
            yield _heading(group.title, group.about)
        for one in group.settings:
            role = "text" if group.title == plan_words.CARGOS else "strong"
            cells = (
                Cell(one.setting), Cell(_short(one.value, scene), role), Cell(plan_words.whose(one), "dim"),
                Cell(one.cost, "dim"),
            )  # fmt: skip
            yield Entry(cells, tuple(plan_words.in_full(one, scene.plan.mode)))


def _heading(title: str, about: str) -> Entry:
    return Entry((Cell(title, "dim"),), (Cell(title, "strong"), Cell(about)))


def _entry(name: str, value: str, reason: str, scene: Scene) -> Entry:
    cells = (Cell(name), Cell(_short(value, scene), "strong"))
    return Entry(cells, (Cell(name, "dim"), Cell(value, "strong"), Cell(reason or UNKNOWN)))


def _started(scene: Scene) -> Iterator[tuple[str, str, str]]:
    """What, value, reason."""
    plan = scene.plan
    if plan.launch.argv:
        yield from _launched(scene)
    if plan.target_dir and not any(one.setting == "target-dir" for one in plan.settings):
        yield "target dir", plan.target_dir, _SOURCES.get(plan.target_source, "")
    yield "folder", scene.run.cwd, "where it runs"
    if scene.folder:
        yield "logs", scene.folder, "its logs, its journal, and how it was started"


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
    """A row in full."""
    found = _entries(scene)
    index = _index(key)
    return found[index].detail if 0 <= index < len(found) else ()


def finding_of(scene: Scene, key: str) -> int | None:
    """Which finding a row is about; None: none."""
    index = _index(key)
    return index if 0 <= index < len(scene.plan.findings) else None


def _index(key: str | None) -> int:
    return int(key[1:]) if key is not None else -1
