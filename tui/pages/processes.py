"""Processes: who is alive in this run, what it has cost so far."""

from collections.abc import Callable
from typing import NamedTuple

from core.watch.run_processes import RunProcess
from tui import format as f
from tui.pages.scene import Content, Scene, seconds, words_of
from tui.widgets.status_line import Part
from tui.widgets.table_view import Cell, Column, Row

_LARGE_BYTES = 1 << 30


def content(scene: Scene) -> Content:
    """The page. Without much room the numbers that say least are left to the line of a process in full."""
    shown = [column for column in _COLUMNS if scene.width >= column.least_width]
    columns = (Column("process", 0), *(Column(one.title, one.width, is_right=True) for one in shown))
    rows = [
        Row(f"{one.pid}", (
            Cell("  " * one.depth + name(one)), *(Cell(column.text(one), column.role(one)) for column in shown),
        ))
        for one in scene.processes or ()
    ]  # fmt: skip
    return Content(_summary(scene), columns, rows, _nothing(scene))


def name(one: RunProcess) -> str:
    """What it does for the build: `rustc serde`; of any other program its name."""
    shown = one.program if one.role == "program" else f"{one.role} {one.detail}".rstrip()
    return f"{shown} (of the cache)" if one.is_served else shown


class _Column(NamedTuple):
    """A number of a process."""

    title: str
    width: int
    least_width: int
    """Of the page; where it is narrower, the column is left out."""
    text: Callable[[RunProcess], str]
    role: Callable[[RunProcess], str]


def _number(_: RunProcess) -> str:
    return "number"


def _weight(one: RunProcess) -> str:
    return "waiting" if one.anonymous_bytes >= _LARGE_BYTES else "number"


_COLUMNS = (
    _Column("cpu", 6, 0, lambda one: seconds(one.cpu_s), _number),
    _Column("anon", 5, 0, lambda one: f.size(one.anonymous_bytes), _weight),
    _Column("RSS", 5, 44, lambda one: f.size(one.rss_bytes), lambda _: "dim"),
    _Column("read", 5, 64, lambda one: f.size(one.read_bytes), _number),
    _Column("write", 5, 64, lambda one: f.size(one.write_bytes), _number),
    _Column("pid", 7, 0, lambda one: str(one.pid), lambda _: "dim"),
)


def _summary(scene: Scene) -> tuple[Part, ...]:
    """Totals; of memory what no page counts twice."""
    found = scene.processes
    if not found:
        return words_of(_in_all(scene), scene.glyphs.dot)
    shares = [one.pss_bytes for one in found]
    pss = None if None in shares else sum(share or 0 for share in shares)
    parts = [
        (f"{len(found)} process{'' if len(found) == 1 else 'es'}", "text"),
        (f"cpu {seconds(sum(one.cpu_s for one in found))}", "dim"),
        (f"anonymous {f.size(sum(one.anonymous_bytes for one in found))}", "text"),
        (f"PSS {f.size(pss)}", "dim"),
    ]
    if scene.run.stop is not None:
        parts.insert(0, ("still alive while it stops", "waiting"))
    return words_of(parts, scene.glyphs.dot)


def _in_all(scene: Scene) -> list[tuple[str, str]]:
    """What is left to say when nobody lives."""
    ended = scene.run.ended
    if ended is None:
        return [(f"cpu {f.UNKNOWN}", "dim"), (f"anonymous {f.UNKNOWN}", "dim")]
    largest = f.size(ended.largest_process_bytes or None)
    return [(f"cpu {seconds(ended.user_s + ended.sys_s)} in all", "text"), (f"largest process {largest}", "dim")]


def _nothing(scene: Scene) -> str:
    run = scene.run
    if run.survivors:
        return "Its supervisor is gone; still alive then: " + ", ".join(map(str, run.survivors))
    if run.state.is_over:
        left = run.ended.left_running if run.ended is not None else ()
        return "It is over" + (
            f"; cache servers live on: {', '.join(left)}" if left else ": none of its processes lives"
        )
    return "Nobody looked yet." if scene.processes is None else "No process is to be seen."


def detail(scene: Scene, key: str | None) -> tuple[Cell, ...]:
    """A process in full."""
    one = next((one for one in scene.processes or () if str(one.pid) == key), None)
    if one is None:
        return ()
    moved = f"; read {f.size(one.read_bytes)} from disks, wrote {f.size(one.write_bytes)}"
    return (
        Cell(f"{name(one)}  {one.program}  pid {one.pid}", "strong"), Cell(one.command or f.UNKNOWN),
        Cell(f"cpu {seconds(one.cpu_s)} of its own so far; anonymous {f.size(one.anonymous_bytes)}: its own memory; "
             f"RSS {f.size(one.rss_bytes)}: with pages of files, which others share; "
             f"PSS {f.size(one.pss_bytes)}: with its part of those{moved}", "dim"),
    )  # fmt: skip
