"""All that is known of a call of nvcc that is over: its phases with their memory. Pure."""

from collections.abc import Iterator

from core import events as e
from core.nvcc_queries import CallRow
from tui import format as f
from tui.widgets import kernel_words as words
from tui.widgets.ansi import safe
from tui.widgets.table_view import Cell

_TOOL, _ARCH, _FIGURE = 34, 13, 9


def explain_call(row: CallRow, now: float, width: int = 0) -> Iterator[Cell]:
    """What it made, how it went, and its phases in nvcc's order, each with its arch, seconds and memory; `width`: cells
    that paths are cut to; 0: they are not."""
    ended, started = row.ended, row.started
    if ended is None:
        return
    sources = (started.sources if started is not None else ()) or ((ended.source,) if ended.source else ())
    outputs = (started.outputs if started is not None else ()) or ((ended.output,) if ended.output else ())
    root = row.run.checkout + "/"
    yield from (Cell(_path("source", path.removeprefix(root), width), "strong") for path in sources)
    yield from (Cell(_path("made", path.removeprefix(root), width)) for path in outputs)
    archs = " ".join(started.archs) if started is not None else ""
    yield Cell(f"{ended.kind}  {safe(archs)}".rstrip(), "dim")
    yield Cell("")
    yield Cell(words.verdict_words(row), words.verdict_cell(row).role)
    yield Cell(_spent(ended, is_one=len(outputs) == 1))
    yield Cell("")
    for error in ended.errors or ():
        yield from (Cell(safe(line), "failed") for line in error.rendered.split("\n"))
        yield Cell("")
    yield from _phases(ended)
    yield Cell("")
    yield Cell(f"{f.moment(ended.began, now)} by {safe(row.run.agent)}, run {row.run.run}", "dim")


def _path(label: str, path: str, width: int) -> str:
    return f"{label:<8}{f.cut_path(safe(path), width - 8) if width else safe(path)}"


def _spent(ended: e.NvccEnded, *, is_one: bool) -> str:
    cores = f"{f.span(ended.cpu_s)} of cores" if ended.cpu_s is not None else ""
    peak = f"its largest process {f.size(ended.peak_bytes)}" if ended.peak_bytes else ""
    made = f"made {f.size(ended.output_bytes)}" if ended.output_bytes is not None and is_one else ""
    return " · ".join(part for part in (f"{f.span(ended.elapsed_s)}", cores, peak, made) if part)


def _phases(ended: e.NvccEnded) -> Iterator[Cell]:
    if not ended.phases:
        yield Cell("nothing ran" if ended.verdict == "hit" else "nvcc told of no phases", "dim")
        return
    yield Cell(phase_line("phase", "arch", "time", "memory"), "dim")
    several = len({phase.source for phase in ended.phases if phase.source}) > 1
    source = ""
    for phase in ended.phases:
        if several and (of := phase.source or "all of them") != source:
            source = of
            yield Cell(safe(source), "strong")
        yield Cell(phase_line(safe(phase.tool), safe(phase.arch or ""), f.span(phase.elapsed_s), _memory(phase)))


def _memory(phase: e.Phase) -> str:
    return f.size(phase.peak_bytes) if phase.peak_bytes else f.UNKNOWN


def phase_line(tool: str, arch: str, time: str, memory: str) -> str:
    """A phase as a row of a table."""
    return f"{f.fit(tool, _TOOL - 1)} {arch:<{_ARCH}}{time:>{_FIGURE}}{memory:>{_FIGURE}}"
