"""The lists of the kernels screen: kernels, and the calls of nvcc that made them; pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from core.events.native import SEEN
from core.kernel_queries import KernelRow
from core.nvcc_queries import CallRow, arch_progress, memory_of, outputs_told_apart
from tui import format as f
from tui.widgets import kernel_words as words
from tui.widgets.ansi import safe
from tui.widgets.look import Glyphs
from tui.widgets.nvcc_words import doing
from tui.widgets.ptx_words import arch_name
from tui.widgets.table_view import Cell, Column, Row

_LEAST_NAME, _LEAST_BESIDE = 20, 14
"""Cells of a kernel's name, before columns are left out; the second one beside the name of its checkout."""
_CHECKOUT, _CHECKOUT_NARROW, _WIDE_FROM = 14, 7, 100
_FIRST, _FIRST_CALLS = 5, 4
"""Columns that always stay: up to spills, up to the time."""
_GAP, _GUTTER = 2, 2
_BAR_CELLS = 24
_LEAST_BAR = 8

_CHANGE = 8
"""Cells behind a figure for what it changed by."""


def _figure(title: str, cells: int, change: int) -> Column:
    return Column(f"{title:>{cells}}", cells + 1 + change)


_KERNELS = (
    Column("", 1), Column("kernel", 0), Column("arch", 7), _figure("regs", words.COUNT, 5),
    _figure("spills", words.SPILLS, 1), _figure("occup", words.OCCUPANCY, 4), _figure("time", words.TIME, _CHANGE),
    Column("file", 14), _figure("code", words.SIZE, _CHANGE), _figure("smem", words.SIZE, _CHANGE),
    _figure("stack", words.SIZE, _CHANGE), Column("agent", 10),
)  # fmt: skip
_CALLS = (
    Column("", 1), Column("call", 0, is_path=True), Column("outcome", 9), Column("time", 7, is_right=True),
    Column("phases", _BAR_CELLS), Column("memory", 6, is_right=True), Column("archs", 5, is_right=True),
    Column("agent", 10), Column("made", 7, is_right=True),
)  # fmt: skip


def kernel_columns(width: int, *, has_checkouts: bool = False) -> tuple[Column, ...]:
    """As many as leave room for the names, the last ones are left out first, spills never. `has_checkouts`: each row
    says whose it is."""
    if not has_checkouts:
        return _fitting(_KERNELS, width, _FIRST, _LEAST_NAME)
    checkout = Column("checkout", _CHECKOUT) if width >= _WIDE_FROM else Column("in", _CHECKOUT_NARROW)
    return _fitting((_KERNELS[0], checkout, *_KERNELS[1:]), width, _FIRST + 1, _LEAST_BESIDE)


def call_columns(width: int) -> tuple[Column, ...]:
    """The same of calls; a narrow list has a shorter bar."""
    room = width - _GUTTER - sum(column.width + _GAP for column in _CALLS[:4]) - _LEAST_NAME
    bar = max(_LEAST_BAR, min(_BAR_CELLS, room - _GAP))
    columns = tuple(one._replace(width=bar) if one.title == "phases" else one for one in _CALLS)
    return _fitting(columns, width, _FIRST_CALLS, _LEAST_NAME)


def _fitting(columns: tuple[Column, ...], width: int, kept: int, least: int) -> tuple[Column, ...]:
    shown = list(columns)
    while len(shown) > kept and width - _GUTTER - sum(column.width + _GAP for column in shown) < least:
        shown.pop()
    return tuple(shown)


def kernel_rows(
    rows: Iterable[KernelRow],
    is_made: Callable[[KernelRow], bool] = lambda row: True,
    names: Mapping[str, str] = MappingProxyType({}),
) -> list[Row]:
    """A row a kernel and arch, in order.

    Args:
        rows: What is shown.
        is_made: What was made of it is still there, else its row is dim.
        names: What checkouts are called, where there are several.
    """
    drawn = ((row, _kernel_cells(row, names)) for row in rows)
    return [Row(row.key, cells if is_made(row) else _dimmed(cells)) for row, cells in drawn]


def _dimmed(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    return (Cell("", "dim"), *(cell._replace(role="dim") for cell in cells[1:]))


def _kernel_cells(row: KernelRow, names: Mapping[str, str]) -> tuple[Cell, ...]:
    kernel, change = row.change.now, row.change
    deltas = change.deltas
    is_news = change.is_worse or change.differs
    look = "failed" if change.is_worse else "dim" if change.before is None else "lit"
    checkout = (Cell(safe(names.get(row.compiled.checkout, "")), "title"),) if names else ()
    return (
        Cell(words.news_sign(row), look), *checkout,
        Cell(words.kernel_name(kernel), "strong" if is_news else "text"), Cell(arch_name(kernel), "dim"),
        words.count_cell(kernel.registers, deltas["registers"]), words.spills_cell(change),
        words.occupancy_cell(change), words.time_cell(row.arch_s, row.arch_s_before),
        Cell(row.output or row.compiled.place.rpartition("/")[2], "dim"),
        words.size_cell(kernel.code_bytes, deltas["code_bytes"]),
        words.size_cell(kernel.shared_bytes, deltas["shared_bytes"]),
        words.size_cell(kernel.stack_bytes, deltas["stack_bytes"]), Cell(row.compiled.agent, "title"),
    )  # fmt: skip


def call_rows(rows: Sequence[CallRow], glyphs: Glyphs, now: float, bar_cells: int) -> list[Row]:
    """A row a call, in order."""
    longest_s = max((sum(words.parts(row.ended).values()) for row in rows if row.ended is not None), default=0.0)
    made = outputs_told_apart(rows)
    return [
        Row(row.key, _with_name(_call_cells(row, glyphs, now, longest_s, bar_cells), made.get(row.key, "")))
        for row in rows
    ]


def _with_name(cells: tuple[Cell, ...], made: str) -> tuple[Cell, ...]:
    """With the name of its output behind the source, where calls for that source differ by it."""
    if not made or len(cells) < 2:
        return cells
    return (cells[0], cells[1]._replace(text=f"{cells[1].text} ▸ {safe(made)}"), *cells[2:])


def _call_cells(row: CallRow, glyphs: Glyphs, now: float, longest_s: float, bar_cells: int) -> tuple[Cell, ...]:
    ended, agent = row.ended, Cell(row.run.agent, "title")
    if ended is None:
        return _live_cells(row, glyphs, now, agent)
    is_bad = (ended.code != 0 and ended.verdict != SEEN) or bool(ended.is_stale)
    sign = Cell(glyphs.failed, "failed") if is_bad else Cell("")
    return (
        sign, Cell(safe(row.place)), words.verdict_cell(row), Cell(f.span(ended.elapsed_s), "number"),
        Cell(words.bar(ended, longest_s, bar_cells, is_ascii=glyphs.is_ascii), "bar"),
        Cell(f.size(ended.peak_bytes or None), "number"), Cell(_archs(row), "dim"), agent,
        Cell(f.size(ended.output_bytes), "number"),
    )  # fmt: skip


def _live_cells(row: CallRow, glyphs: Glyphs, now: float, agent: Cell) -> tuple[Cell, ...]:
    call = row.under_way
    if call is None:
        return ()
    taken = memory_of(row.run, row.call)
    return (
        Cell(glyphs.building, "building"), Cell(safe(row.place), "strong"), words.verdict_cell(row),
        Cell(f.span(max(0.0, now - call.started.at)), "number"), Cell(doing(call, is_short=True), "building"),
        Cell(f.size(taken), "number"), Cell(str(arch_progress(call)[1] or f.UNKNOWN), "dim"), agent, Cell(""),
    )  # fmt: skip


def _archs(row: CallRow) -> str:
    """How many ptxas worked for, else how many were compiled for."""
    phases = row.ended.phases if row.ended is not None else ()
    archs = {phase.arch for phase in phases if phase.tool == "ptxas"} or {p.arch for p in phases if p.tool == "cicc"}
    return str(len(archs)) if archs else f.UNKNOWN
