"""What edits cost, as rows: of a table on a screen, and of lines in a terminal. Pure."""

from collections.abc import Iterator, Sequence

from core.native.edits.edit_class import EditClass
from core.native.edits.iterations import ClassRow, Iteration
from core.native.edits.lever_figures import Figure, Measurement
from tui import format as f
from tui.phases import phase_words
from tui.widgets.ansi import safe
from tui.widgets.table_view import Cell, Column, Row

_WIDE_FROM = 72
"""Cells below which there is no room to say where the time goes: only what made it slower."""
_COLUMNS = (
    Column("edit", 9), Column("n", 4, is_right=True), Column("median", 7, is_right=True),
    Column("last", 7, is_right=True), Column("trend", 8, is_right=True), Column("budget", 9, is_right=True),
    Column("where the time goes", 0),
)  # fmt: skip
_LEAST_COMMAND, _MARGIN = 10, 4
"""Cells of a command that are left where it is too long, and cells beside a heading."""
_BUDGET = 5
_MOST_PERCENT = 1000
"""From so much more on the factor is shorter, and says more."""
_NATIVE = (EditClass.CU, EditClass.HEADER, EditClass.CPP)
_COLUMNS_NARROW = (*_COLUMNS[:5], Column("", 0))
HEADING = tuple(column.title for column in _COLUMNS)
EMPTY = "No build after an edit is known yet: build, change a file, build again; or `cargo deck watch`."


def iteration_columns(rows: Sequence[ClassRow], width: int) -> tuple[Column, ...]:
    """For a table of so many cells; budgets only where there is one."""
    if width < _WIDE_FROM:
        return _COLUMNS_NARROW
    return tuple(column for at, column in enumerate(_COLUMNS) if at != _BUDGET or _has_budget(rows))


def _has_budget(rows: Sequence[ClassRow]) -> bool:
    return any(row.budget is not None for row in rows)


def iteration_rows(rows: Sequence[ClassRow], *, width: int = 120) -> list[Row]:
    """A row a class of edits, below a row with the command and the folder."""
    found: list[Row] = []
    named: tuple[str, str] | None = None
    is_narrow, has_budget = width < _WIDE_FROM, _has_budget(rows)
    for row in rows:
        key = f"{row.checkout}\n{row.command}"
        if (row.checkout, row.command) != named:
            named = (row.checkout, row.command)
            idle = sum(one.idle for one in rows if (one.checkout, one.command) == named)
            where = command_words(row)[len(row.command) :] + (f": {idle} built nothing" if idle else "")
            command = f.cut_name(row.command, max(_LEAST_COMMAND, width - _MARGIN - f.cell_len(where)))
            found.append(Row(key, (Cell(command + where, "title"),), is_heading=True))
        cells = cells_of(row, is_narrow=is_narrow)
        if not is_narrow and not has_budget:
            cells = (*cells[:_BUDGET], *cells[_BUDGET + 1 :])
        found.append(Row(key_of(row), cells))
    return found


def key_of(row: ClassRow) -> str:
    """Names the row of a class."""
    return f"{row.checkout}\n{row.command}\n{row.kind}"


def brief(row: ClassRow) -> Iterator[Cell]:
    """A class in two lines: its last edit, and where the time of that one went."""
    last = row.newest
    if last is None:
        failed = f"{row.failed} failed, {row.stopped} stopped"
        yield Cell(f"{row.kind} in {row.checkout.rpartition('/')[2]}: none went well, {failed}", "strong")
        return
    edited = safe(changed_words(last)) or "no file that is known"
    yield Cell(f"{row.kind} in {safe(row.checkout.rpartition('/')[2])}: last {edited}", "strong")
    said = [f"{f.span(last.wait_s)} by {safe(last.agent)}" if last.agent else f.span(last.wait_s)]
    if last.nvcc_calls is not None:
        hits = f", {last.nvcc_hits} from the cache" if last.nvcc_hits else ""
        said.append(f"nvcc {f.many(last.nvcc_calls, 'call')}{hits}")
    is_idle = row.kind in _NATIVE and last.is_idle
    said += ["no compiler ran: cargo deck stale says why"] if is_idle else []
    told = " · ".join(part for part in (*said, phase_words(last.phases)) if part)
    yield Cell(told, "waiting" if is_idle else "text")


def count_words(rows: Sequence[ClassRow]) -> str:
    """`48 done (3 answered by nvcc's cache), 2 built nothing, 1 failed` of the rows of a command."""
    done = sum(row.done + (row.answered if _has_compiled(row) else 0) for row in rows)
    answered = sum(row.answered for row in rows)
    counts = (
        (sum(row.idle for row in rows), "built nothing"), (sum(row.failed for row in rows), "failed"),
        (sum(row.stopped for row in rows), "stopped"),
    )  # fmt: skip
    told = f"{done} done" + (f" ({answered} answered by nvcc's cache)" if answered else "")
    return "".join([told, *(f", {count} {word}" for count, word in counts if count)])


def _has_compiled(row: ClassRow) -> bool:
    """Its figures are of iterations that compiled, so that answers of the cache are not among them."""
    return row.last is not None and not row.last.is_answered


def command_words(row: ClassRow) -> str:
    """`build --release in app`."""
    return f"{row.command} in {row.checkout.rpartition('/')[2] or row.checkout}"


def cells_of(row: ClassRow, *, is_narrow: bool = False) -> tuple[Cell, ...]:
    """The cells of a class."""
    median_role = "waiting" if row.is_over_budget else "number" if row.done else "dim"
    first = (
        Cell(str(row.kind), "strong"), Cell(str(row.done), "dim"),
        Cell(_seconds(row.median_s), median_role),
        Cell(_seconds(row.last.wait_s if row.last is not None else None), "waiting" if row.is_slower else "number"),
        Cell(trend_words(row), "waiting" if row.is_slower else "dim"),
    )  # fmt: skip
    if is_narrow:
        return (*first, Cell(f"slower: {row.culprit}" if row.culprit else "", "waiting"))
    return (*first, Cell(budget_words(row), median_role if row.is_over_budget else "dim"),
            Cell(where_words(row), "waiting" if row.culprit else "dim"))  # fmt: skip


def trend_words(row: ClassRow) -> str:
    """`▲ +84 %`, `▲ ×12`, `−12 %`, `±0 %`; `–`: too few to compare with."""
    if row.trend is None:
        return f.UNKNOWN
    percent = round((row.trend - 1) * 100)
    sign = "+" if percent > 0 else "−" if percent < 0 else "±"
    told = f"{sign}{abs(percent)} %" if percent < _MOST_PERCENT else f"×{row.trend:.0f}"
    return f"{'▲ ' if row.is_slower else ''}{told}"


def budget_words(row: ClassRow) -> str:
    """`3–5 s`, `≤2.5 s`; `–`: none is set."""
    if row.budget is None:
        return f.UNKNOWN
    if row.budget.least_s <= 0:
        return f"≤{row.budget.most_s:g} s"
    return f"{row.budget.least_s:g}–{row.budget.most_s:g} s"


def where_words(row: ClassRow) -> str:
    """`cicc 1.2 s · link 0.3 s`, after what made the last one slower."""
    medians = {phase.what: phase.median_s for phase in row.phases}
    words = phase_words(medians)
    if not row.culprit:
        return words
    grown = next((phase.last_s - phase.median_s for phase in row.phases if phase.what == row.culprit), 0.0)
    return f"slower: {row.culprit} {f.change(grown)}" + (f" · {words}" if words else "")


def _seconds(value: float | None) -> str:
    return f.UNKNOWN if value is None else f.span(value)


def changed_words(one: Iteration, most: int = 3) -> str:
    """`k/a.cu`, `a.rs b.cu +3`: below the checkout."""
    names = [path.removeprefix(one.checkout + "/") for path in one.changed[:most]]
    more = one.changed_count - len(names)
    return " ".join([*names, *([f"+{more}"] if more > 0 else [])])


def lever_cells(one: Figure) -> tuple[str, ...]:
    """Lever, time, ratio with its interval, verdict, size, what it changes."""
    if one.trouble:
        return (one.lever, f.UNKNOWN, f.UNKNOWN, "failed", f.UNKNOWN, one.trouble)
    return (one.lever, _seconds(one.wall_s), _ratio(one), one.verdict, f.size(one.output_bytes), one.gives)


def _ratio(one: Figure) -> str:
    """`×0.62 (0.60–0.65)`; `–`: it is what the others are compared with."""
    if one.ratio is None or one.low is None or one.high is None:
        return f.UNKNOWN
    return f"×{one.ratio:.2f} ({one.low:.2f}–{one.high:.2f})"


def lever_words(found: Measurement) -> str:
    """What was measured to be faster for a source, in one line: `gemm.cu: one arch sm_90 ×0.62 · …`; empty: nothing."""
    name = found.source.rpartition("/")[2]
    faster = sorted((one for one in found.figures if one.verdict == "faster"), key=lambda one: one.ratio or 1.0)
    if not faster:
        return f"{name}: no lever is faster beyond noise" if found.figures else ""
    told = (f"{_plain_name(one.lever)} ×{one.ratio:.2f}" + (f" ({one.gives})" if one.gives else "") for one in faster)
    return f"{name}: {' · '.join(told)}"


def _plain_name(lever: str) -> str:
    """Without what would part it within a line: `one arch sm_90`, `-cubin sm_90`."""
    return lever.replace(": ", " ").replace(", ", " ")
