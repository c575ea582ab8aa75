"""Errors: what the compiler said, errors first."""

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from core import events as e
from tui import format as f
from tui.pages.scene import Content, Scene, words_of
from tui.widgets.status_line import Part
from tui.widgets.table_view import Cell, Column, Row
from tui.widgets.text_view import Frame
from tui.widgets.words import kill_words

_PLACE_CELLS = (14, 40)
_SOURCE = re.compile(r"( *\d* [|])(.*)")  # rustc 1.95
_CARET = re.compile(r"[ \t~]*\^[ \t~^]*\Z")  # nvcc 13, clang: below the source as it is
_ROLES = {"error": "failed", "warning": "waiting"}


def content(scene: Scene) -> Content:
    """The page."""
    place = min(_PLACE_CELLS[1], max(_PLACE_CELLS[0], scene.width // 3))
    columns = (Column("", 1), Column("message", 0), Column("place", place, is_path=True))
    kills = [
        Row(f"k{index}", (Cell(scene.glyphs.failed, "failed"), Cell(kill_words(kill)[0]), Cell(f.UNKNOWN, "dim")))
        for index, kill in enumerate(scene.run.kills)
    ]
    return Content(
        _summary(scene), columns, [*kills, *(_row(key, one, scene) for key, one in _ordered(scene))], _nothing(scene)
    )


def _ordered(scene: Scene) -> list[tuple[str, e.DiagnosticEmitted]]:
    keyed = [(f"d{index}", one) for index, one in enumerate(scene.run.diagnostics)]
    return sorted(keyed, key=lambda pair: pair[1].level != "error")


def _row(key: str, one: e.DiagnosticEmitted, scene: Scene) -> Row:
    role = _ROLES[one.level]
    sign = scene.glyphs.failed if one.level == "error" else "!"
    return Row(key, (Cell(sign, role), Cell(one.message, "text"), Cell(place_of(one), "dim")))


def place_of(one: e.DiagnosticEmitted) -> str:
    """`src/lib.rs:41:18`; `–` where there is none."""
    if one.file is None:
        return f.UNKNOWN
    return ":".join(str(part) for part in (one.file, one.line, one.column) if part is not None)


def _summary(scene: Scene) -> tuple[Part, ...]:
    run = scene.run
    parts = [
        (f.many(run.errors, "error"), "failed" if run.errors else "dim"),
        (f.many(run.warnings, "warning"), "waiting" if run.warnings else "dim"),
    ]
    if (kept := len(run.diagnostics)) < run.errors + run.warnings:
        parts.append((f"{kept} listed", "dim"))
    return words_of(parts, scene.glyphs.dot)


def _nothing(scene: Scene) -> str:
    return "No error and no warning." if scene.run.state.is_over else "No error and no warning so far."


def chosen(scene: Scene, key: str | None) -> e.DiagnosticEmitted | None:
    """What a row stands for."""
    index = int(key[1:]) if key is not None and key.startswith("d") else -1
    return scene.run.diagnostics[index] if 0 <= index < len(scene.run.diagnostics) else None


def earlier(scene: Scene, key: str) -> int:
    """How many of the same text stand before it."""
    index = int(key[1:])
    wanted = scene.run.diagnostics[index]
    return sum(one.rendered == wanted.rendered for one in scene.run.diagnostics[:index])


def detail(scene: Scene, key: str | None) -> tuple[Cell | Frame, ...]:
    """The whole text of an error."""
    if key is not None and key.startswith("k") and int(key[1:]) < len(scene.run.kills):
        what, more = kill_words(scene.run.kills[int(key[1:])])
        return Cell(what, "failed"), Cell(more, "text")
    one = chosen(scene, key)
    if one is None:
        return ()
    first, *rest = one.rendered.rstrip().split("\n") if one.rendered.strip() else [f"{one.level}: {one.message}"]
    return (Cell(first, _ROLES[one.level]), *_drawn(rest))


def _drawn(lines: Sequence[str]) -> Iterator[Cell | Frame]:
    """Lines of source are moved to the left as far as all of them have blanks."""
    sources = [found[2] for line in lines if (found := _SOURCE.match(line)) and found[2].strip()]
    indent = max(0, min((len(text) - len(text.lstrip()) for text in sources), default=0) - 1)
    for line, below in zip_longest(lines, lines[1:], fillvalue=""):
        if found := _SOURCE.match(line):
            yield Frame(found[1] + found[2][indent:], "text")
        elif _CARET.match(line) or _CARET.match(below):
            yield Frame(line, "text")
        else:
            yield Cell(line, "dim" if "-->" in line else "text")
