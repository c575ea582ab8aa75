"""Processes: who is alive in this run, what it has cost so far."""

from tui import format as f
from tui.pages.scene import Content, Scene, seconds, words_of
from tui.widgets.status_line import Part
from tui.widgets.table_view import Cell, Column, Row

_LARGE_BYTES = 1 << 30


def content(scene: Scene) -> Content:
    """The page."""
    columns = (
        Column("process", 0), Column("cpu", 6, is_right=True), Column("RSS", 5, is_right=True),
        Column("pid", 7, is_right=True),
    )  # fmt: skip
    rows = [
        Row(f"{one.pid}", (
            Cell("  " * one.depth + one.program), Cell(seconds(one.cpu_s), "number"),
            Cell(f.size(one.rss_bytes), "waiting" if one.rss_bytes >= _LARGE_BYTES else "number"),
            Cell(str(one.pid), "dim"),
        ))
        for one in scene.processes or ()
    ]  # fmt: skip
    return Content(_summary(scene), columns, rows, _nothing(scene))


def _summary(scene: Scene) -> tuple[Part, ...]:
    found = scene.processes
    if not found:
        return words_of(_in_all(scene), scene.glyphs.dot)
    parts = [
        (f"{len(found)} process{'' if len(found) == 1 else 'es'}", "text"),
        (f"cpu {seconds(sum(one.cpu_s for one in found))}", "dim"),
        (f"RSS {f.size(sum(one.rss_bytes for one in found))}", "dim"),
    ]
    if scene.run.stop is not None:
        parts.insert(0, ("still alive while it stops", "waiting"))
    return words_of(parts, scene.glyphs.dot)


def _in_all(scene: Scene) -> list[tuple[str, str]]:
    """What is left to say when nobody lives."""
    ended = scene.run.ended
    if ended is None:
        return [(f"cpu {f.UNKNOWN}", "dim"), (f"RSS {f.UNKNOWN}", "dim")]
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
    return (
        Cell(f"{one.program}  pid {one.pid}", "strong"), Cell(one.command or f.UNKNOWN),
        Cell(f"cpu {seconds(one.cpu_s)} of its own so far; RSS {f.size(one.rss_bytes)}: what it has in memory, "
             "pages that it shares with others included", "dim"),
    )  # fmt: skip
