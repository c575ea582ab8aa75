"""What is said of kernels and calls of nvcc, in words: figures against what they were, phases, where each comes from.
Pure."""

from collections.abc import Iterator, Sequence

from core import events as e
from core.events.native import SEEN
from core.kernel_queries import Compiled, KernelRow
from core.native.kernels.demangle import demangle
from core.native.kernels.kernel_diff import Change
from core.nvcc_queries import CallRow
from core.state import Run
from tui import format as f
from tui.widgets.ansi import safe
from tui.widgets.nvcc_words import doing
from tui.widgets.ptx_words import arch_name
from tui.widgets.table_view import Cell

UP, DOWN = "▲", "▼"
WORSE = "⚠"
_LEAST_TIME = 0.2
_LEAST_TIME_S = 0.1
"""A time that differs by less, or by a smaller share, is the same."""
_FILLS = (("front ends", "░", "."), ("cicc", "█", "#"), ("ptxas", "▓", "="), ("host", "▒", "-"))
COUNT, SPILLS, OCCUPANCY, TIME, SIZE = 4, 10, 6, 6, 5
"""Cells of figures, without what they changed by."""
_LABEL, _FIGURE = 13, 9
SHEET = 69
"""Cells of a line of the sheet behind a figure."""
_COMPARED = (
    ("registers", "registers", ""), ("spill_store_bytes", "spill stores", " B"),
    ("spill_load_bytes", "spill loads", " B"), ("called_spill_bytes", "spills of calls", " B"),
    ("stack_bytes", "stack", " B"), ("shared_bytes", "shared", " B"), ("constant_bytes", "constants", " B"),
    ("barriers", "barriers", ""), ("code_bytes", "code", " B"),
)  # fmt: skip
_OF_TOOL = {"cicc": "cicc", "ptxas": "ptxas", "gcc (compiling)": "host", "nvlink": "ptxas", "fatbinary": "host"}

ALL_GONE = "Sources of all kernels that are known are gone."
NO_BRANCH_POINT = "the branch point is not known: no git repository, or no commit"
NOTHING_MEASURED = "Calls of nvcc are known, and none of them left a kernel: see the list below."
NO_KERNELS = (
    "No kernel was compiled in the last 24 hours.",
    "",
    "Whatever calls nvcc through cargo deck shows here what its kernels need: a build script or CMake in `cargo deck "
    "build`, or nvcc itself in `cargo deck exec -- nvcc -c k.cu`. For each kernel and arch: registers, spills, shared "
    "memory, stack, code and time, each against the build before.",
)


def news_sign(row: KernelRow) -> str:
    """⚠ worse, · changed, – nothing to compare with; empty: as it was."""
    if row.change.is_worse:
        return WORSE
    if row.change.before is None:
        return f.UNKNOWN
    return "·" if row.change.differs else ""


def kernel_name(kernel: e.Kernel) -> str:
    """As a person writes it."""
    return safe(demangle(kernel.name))


def place_of(row: KernelRow) -> str:
    """The source below its checkout; of a link what it made, by package and name."""
    return safe(row.compiled.place if row.compiled.measured.source else row.compiled.made[1])


# Figures


def sign(delta: float | None) -> str:
    """▲ where it grew, ▼ where it shrank."""
    return UP if delta and delta > 0 else DOWN if delta and delta < 0 else ""


def role(delta: float | None) -> str:
    """More of anything here is worse."""
    return "waiting" if delta and delta > 0 else "done" if delta and delta < 0 else "number"


def _beside(shown: str, width: int, change: str) -> str:
    """A figure that ends where those above it end, and how much more it is behind that."""
    return f"{shown:>{width}} {change}".rstrip()


def count_cell(value: int | None, delta: float | None) -> Cell:
    """`168 ▲+12`."""
    if value is None:
        return Cell(_beside(f.UNKNOWN, COUNT, ""), "dim")
    change = f"{sign(delta)}{f.change(delta, is_span=False)}" if delta else ""
    return Cell(_beside(str(value), COUNT, change), role(delta))


def size_cell(value: int | None, delta: float | None) -> Cell:
    """`20 K ▲+1.2 K`; a 0 is quiet."""
    if value is None or (not value and not delta):
        return Cell(_beside(f.UNKNOWN if value is None else "0", SIZE, ""), "dim")
    change = f"{sign(delta)}{f.size_change(int(delta))}" if delta else ""
    return Cell(_beside(f.size(value) if value else "0", SIZE, change), role(delta))


def spills_cell(change: Change) -> Cell:
    """Stores and loads as ptxas tells them: `264/264 ▲`; red where there were none before. `+`: so do functions that it
    calls."""
    stores, loads = change.now.spill_store_bytes, change.now.spill_load_bytes
    if stores is None or loads is None:
        return Cell(_beside(f.UNKNOWN, SPILLS, ""), "dim")
    called = "+" if change.now.called_spill_bytes else ""
    more, is_none = change.more_spilled or 0, not stores and not loads
    look = (
        "failed" if change.spills else role(more) if more else "waiting" if called else "dim" if is_none else "number"
    )
    return Cell(_beside(("0" if is_none else f"{stores}/{loads}") + called, SPILLS, sign(more)), look)


def occupancy_cell(change: Change) -> Cell:
    """`50 % ▼−25`; red where it fell. `≤`: with the best block, since the kernel names none."""
    if change.occupancy is None:
        return Cell(_beside(f.UNKNOWN, OCCUPANCY, ""), "dim")
    now = round(change.occupancy.share * 100)
    shown = f"{'' if change.occupancy.is_block_known else '≤'}{now} %"
    if change.occupancy_before is None:
        return Cell(_beside(shown, OCCUPANCY, ""), "number")
    delta = now - round(change.occupancy_before.share * 100)
    look = "failed" if change.falls else "done" if delta > 0 else "number"
    return Cell(_beside(shown, OCCUPANCY, f"{sign(delta)}{f.change(delta, is_span=False)}" if delta else ""), look)


def time_cell(now: float | None, before: float | None) -> Cell:
    """`1.2 s ▲+0.3 s`, where that is more than noise."""
    if now is None:
        return Cell(_beside(f.UNKNOWN, TIME, ""), "dim")
    delta = now - before if before is not None else 0.0
    is_noise = abs(delta) < _LEAST_TIME_S or abs(delta) < _LEAST_TIME * (before or 0.0)
    if is_noise:
        return Cell(_beside(f.span(now), TIME, ""), "dim")
    return Cell(_beside(f.span(now), TIME, f"{sign(delta)}{f.change(delta)}"), role(delta))


# Phases


def part_of(tool: str) -> str:
    """Which of the four parts of a bar a phase belongs to; empty: none."""
    if tool in _OF_TOOL:
        return _OF_TOOL[tool]
    return "front ends" if tool == "cudafe++" or "preprocessing" in tool else ""


def parts(ended: e.NvccEnded) -> dict[str, float]:
    """Seconds of a call by part of the bar."""
    spent = dict.fromkeys((name for name, _, _ in _FILLS), 0.0)
    for phase in ended.phases:
        if (part := part_of(phase.tool)) in spent:
            spent[part] += phase.elapsed_s
    return spent


def bar(ended: e.NvccEnded, longest_s: float, cells: int, *, is_ascii: bool) -> str:
    """Phases as a bar, in proportion to the longest one; at least a cell for what took any time worth it."""
    scale = cells / longest_s if longest_s > 0 else 0.0
    spent = parts(ended)
    drawn = ""
    for name, fill, plain in _FILLS:
        drawn += (plain if is_ascii else fill) * round(spent[name] * scale)
    return drawn[:cells]


def legend(*, is_ascii: bool) -> str:
    """What the fills of a bar stand for."""
    return "  ".join(f"{plain if is_ascii else fill} {name}" for name, fill, plain in _FILLS)


def phase_words(ended: e.NvccEnded) -> str:
    """`cicc 0.7 s · ptxas 0.2 s`, longest first."""
    named = sorted(parts(ended).items(), key=lambda one: -one[1])
    return " · ".join(f"{name} {f.span(seconds)}" for name, seconds in named if seconds >= 0.001)


# Calls


def verdict_cell(row: CallRow) -> Cell:
    """How a call ended, and what a cache said of it."""
    ended = row.ended
    if ended is None:
        return Cell("runs", "building")
    if ended.is_stale:
        return Cell("stale", "failed")
    if ended.signal is not None:
        return Cell(f"signal {ended.signal}", "failed")
    if ended.verdict == SEEN:
        return Cell("≈ seen", "quiet")
    if ended.code is None:
        return Cell("cut short", "quiet")
    if ended.code != 0:
        return Cell(f"exit {ended.code}", "failed")
    return Cell(ended.verdict if ended.verdict in ("hit", "miss", "bypass") else "compiled",
                "done" if ended.verdict == "hit" else "text")  # fmt: skip


def verdict_words(row: CallRow) -> str:
    """With what the depfile cache said: `miss: k/a.cu has changed`; of a call that failed `exit 2 (miss: …)`."""
    shown, ended = verdict_cell(row).text, row.ended
    if ended is None or not row.why:
        return shown
    has_failed = ended.code not in (0, None) or ended.signal is not None
    return f"{shown} ({ended.verdict}: {safe(row.why)})" if has_failed else f"{shown}: {safe(row.why)}"


def brief_call(row: CallRow) -> Iterator[Cell]:
    """The chosen call in two lines: what it makes for which archs, and how it went."""
    made, started = row.output.rpartition("/")[2], row.under_way.started if row.under_way is not None else None
    if started is None:
        started = next((one for one in row.run.nvcc_starts if one.call == row.call), None)
    archs = safe(" ".join(started.archs)) if started is not None else ""
    yield Cell("  ".join(filter(None, (f"{safe(row.place)} ▸ {safe(made)}", archs, _where(row.run)))), "strong")
    ended = row.ended
    if ended is None:
        yield Cell(doing(row.under_way) if row.under_way is not None else "", "building")
        return
    cpu = f"{f.span(ended.cpu_s)} of cores" if ended.cpu_s is not None else ""
    told = (verdict_words(row), phase_words(ended), cpu)
    yield Cell(" · ".join(part for part in told if part), verdict_cell(row).role)


# Where it comes from


def note(rows: Sequence[KernelRow]) -> str:
    """What got worse in a build, for its pane: `heavy<40> sm_90: spills appear: 528 B in loads and stores`."""
    if not rows:
        return ""
    first, more = rows[0], len(rows) - 1
    said = f"{kernel_name(first.change.now)} {arch_name(first.change.now)}: {first.warnings[0]}"
    return f"{said}{f' · {more} more' if more else ''}"


def brief(row: KernelRow, *, is_made: bool = True, is_branch: bool = False) -> Iterator[Cell]:
    """The chosen kernel in two lines: what it is, and what changed. `is_made`: what was made of it is still there;
    `is_branch`: it is compared with the branch point."""
    kernel = row.change.now
    made = f" ▸ {safe(row.output)}" if row.output else ""
    yield Cell(f"{kernel_name(kernel)}  {arch_name(kernel)}  {place_of(row)}{made}  {_where(row.compiled)}", "strong")
    changed = ", ".join(_changes(row.change))
    if not is_made:
        yield Cell("what was made of it is gone: these are the figures of that build", "dim")
    elif row.warnings:
        yield Cell(f"⚠ {'; '.join(row.warnings)}" + (f"; {changed}" if changed else ""), "failed")
    elif row.change.before is None:
        is_new = row.before is not None
        yield Cell("a new kernel" if is_new else "compiled for the first time that is known", "dim")
    else:
        same = "as at the branch point" if is_branch else "as it was before"
        yield Cell("; ".join(filter(None, (row.other_flags, changed or same))), "text" if changed else "dim")


def _where(one: Compiled | Run) -> str:
    return safe(f"in {one.checkout.rpartition('/')[2] or '/'}, by {one.agent}")


def _changes(change: Change) -> Iterator[str]:
    """`registers 32 to 24`, figure by figure."""
    for field, label, unit in _COMPARED:
        if change.spills and "spill" in field:
            continue  # the warning says it
        now, before = getattr(change.now, field), getattr(change.before, field, None)
        if now is not None and before is not None and now != before:
            yield f"{label} {before:,} to {now:,}{unit}"


def explain(row: KernelRow, now: float, against: str) -> Iterator[Cell]:
    """All figures of a kernel, what they were, and where each comes from."""
    kernel = row.change.now
    yield Cell(f"{place_of(row)}  {kernel.arch}", "strong")
    if kernel.ptxas_arch:
        yield Cell(f"PTX, counted for {kernel.ptxas_arch}: the driver's compiler may make others", "dim")
    if kernel.name != demangle(kernel.name):
        yield Cell(safe(kernel.name), "dim")
    yield Cell("")
    yield from (Cell(f"⚠ {warning}", "failed") for warning in row.warnings)
    came = _sources(kernel)
    for field, label, unit in _COMPARED:
        if field != "called_spill_bytes" or kernel.called_spill_bytes:
            yield _figure(label, getattr(kernel, field), getattr(row.change.before, field, None), came[field], unit)
    yield from _occupancy(row.change)
    yield from _times(row)
    yield Cell("")
    yield from _history(row, now, against)


def _sources(kernel: e.Kernel) -> dict[str, str]:
    """Where each figure comes from."""
    if kernel.ptxas_arch or kernel.registers is None:
        told = f"ptxas -v of {kernel.ptxas_arch}" if kernel.ptxas_arch else "not counted yet: kernels --ptxas"
        return {field: told for field, _, _ in _COMPARED}
    told = "ptxas -v on the PTX nvcc kept" if kernel.spill_store_bytes else "no stack: nothing can spill"
    if kernel.spill_store_bytes is None:
        told = "ptxas did not tell"
    return {
        "registers": "the cubin's .nv.info",
        "stack_bytes": "its frame, .nv.info", "shared_bytes": "static, a block, .nv.shared",
        "constant_bytes": "with parameters, .nv.constant", "barriers": "of a block", "code_bytes": "its .text section",
        "spill_store_bytes": told, "spill_load_bytes": told, "called_spill_bytes": "of functions not inlined",
    }  # fmt: skip


def _figure(label: str, value: float | None, before: float | None, source: str, unit: str = "") -> Cell:
    shown = f.UNKNOWN if value is None else f"{value:,.0f}{unit}"
    delta = value - before if value is not None and before is not None else None
    return _line(label, shown, f"was {before:,.0f}" if delta else "", source, role(delta))


def _line(label: str, shown: str, was: str, source: str, look: str = "text") -> Cell:
    return Cell(f"{label:<{_LABEL}}{shown:>{_FIGURE}}  {was:<10} {source}", look)


def _occupancy(change: Change) -> Iterator[Cell]:
    found, before = change.occupancy, change.occupancy_before
    if found is None:
        yield _line("occupancy", f.UNKNOWN, "", "limits of this arch are not known", "dim")
        return
    was = f"was {f.percent(before.share)}" if before is not None and before.share != found.share else ""
    block = f"blocks of {found.threads}" + (f", by {found.by}" if found.by else "")
    yield _line("occupancy", f.percent(found.share), was, block, "failed" if change.falls else "number")
    about = "as it says" if found.is_block_known else "the best size"
    yield _line("", "", "", f"{about}; no dynamic smem", "dim")


def _times(row: KernelRow) -> Iterator[Cell]:
    seconds, before = row.arch_s, row.arch_s_before
    was = f"was {f.span(before)}" if before is not None else ""
    yield _line("time", f.UNKNOWN if seconds is None else f.span(seconds), was, "cicc, ptxas of its file (--time)")
    if row.change.now.compile_s is not None:
        yield _line("  its own", f.span(row.change.now.compile_s), "", "ptxas alone, asked again")


def _history(row: KernelRow, now: float, against: str) -> Iterator[Cell]:
    compiled = row.compiled
    yield Cell(f"compiled {f.moment(compiled.began, now)} by {safe(compiled.agent)}, run {compiled.run}")
    if compiled.ended is not None:
        told = phase_words(compiled.ended) or ("from the depfile cache" if compiled.ended.verdict == "hit" else "")
        yield Cell("  " + ": ".join(filter(None, (f.span(compiled.ended.elapsed_s), told))), "dim")
    if row.before is not None:
        where = "" if row.before.checkout == compiled.checkout else f" in {safe(row.before.checkout)}"
        yield Cell(f"against {against}: {f.moment(row.before.began, now)}, run {row.before.run}{where}")
        yield Cell(row.other_flags)
    else:
        yield Cell(f"against {against}: nothing that is known", "dim")
