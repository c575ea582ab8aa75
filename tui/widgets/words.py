"""What a pane says of a run, in words: pure, and of a fixed shape while the numbers move."""

from collections.abc import Callable, Iterable, Iterator
from signal import Signals
from typing import NamedTuple

from core import events as e
from core import queries
from core.nvcc_queries import COMPILING
from core.state import InFlight, Run, RunState
from tui import format as f
from tui.widgets.ansi import safe
from tui.widgets.nvcc_words import under_way

_MEMORY_TRAIL = 5
_MEMORY_WIDTH = 6 + _MEMORY_TRAIL
_SUPERVISOR_BYTES = 32 << 20
"""It takes less itself; whatever it starts counts as large as it was, however small that is."""
_COUNT_WIDTH = 7
LEAST_LINK_BYTES = 1_000_000
LEAST_TYPICAL_S = 1.5
"""What usually takes less is over before one has read how long it takes."""
SILENT_AFTER_S = 60.0
"""A live build that prints nothing for so long says so."""


class Fact(NamedTuple):
    """A number with its label; the column of the number is fixed."""

    label: str
    number: str
    role: str
    trail: str = ""
    """A small graph of the last samples, where the full height is the most that was seen; of a share its numbers."""


class Piece(NamedTuple):
    """A few words of one line."""

    text: str
    role: str


def brief_span(seconds: float) -> str:
    """A span beside a name: `12s`, then as `1:02`."""
    return f"{max(0, int(seconds))}s" if seconds < 60 else f.duration(seconds)


def state_word(run: Run, pending: str | None) -> str:
    """One word for where a run stands; what was asked for comes before what is seen."""
    if pending:
        return pending
    if run.stop is not None and not run.state.is_over:
        return "killing" if run.stop.is_kill else "stopping"
    return run.state.value


def share_done(run: Run) -> float:
    """How much of the bar is filled, 0..1."""
    return 1.0 if run.state is RunState.DONE else queries.fraction(run) or 0.0


def count(run: Run) -> str:
    """Units done of all, as the tool counts them."""
    if run.progress_kind == "percent" and run.units_total:
        return f"{run.units_done} %"
    if run.units_total is not None:
        return f"{run.units_done}/{run.units_total}"
    return str(run.units_done) if run.units_done else "–"


def outcome(run: Run) -> str:
    """How a run that is over ended: its exit code or its signal."""
    if run.ended is None:
        return "exit –" if run.state.is_over else ""
    if run.ended.signal is not None:
        return _signal(run.ended.signal)
    return f"exit {run.ended.code}"


def _signal(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"


def headline(run: Run) -> Iterator[Piece]:
    """What a run does or how it ended: the pieces of one line, the most telling first."""
    match run.state:
        case RunState.FAILED:
            yield from _tally(run)
        case RunState.DONE:
            yield Piece(_done(run), "text")
        case RunState.STOPPED | RunState.KILLED:
            yield Piece(_stopped(run), "dim")
        case RunState.LOST:
            yield Piece(_lost(run), "failed")
        case _ if run.kills:
            yield Piece(": ".join(kill_words(run.kills[-1])), "failed")
        case _ if run.handed_to is not None:
            yield Piece(f"{safe(run.handed_to)} runs in the caller's terminal and is not logged", "text")
        case _ if run.suite is not None:
            yield Piece(safe(run.suite), "text")


def kill_words(kill: e.ProcessKilled) -> tuple[str, str]:
    """Who was killed and by whom, in a few words; and what else is known of it."""
    who = safe(kill.name) or "a process"
    if not kill.is_oom:
        return f"{who} was killed, by whom is unknown", f"at {safe(kill.unit)}" if kill.unit else ""
    said = [f"at {safe(kill.unit)}"] if kill.unit else []
    if kill.size_bytes:
        said.append(f"it had {f.size(kill.size_bytes)}")
    said.append(f"its group may have {f.size(kill.limit_bytes)}" if kill.limit_bytes else "the machine was full")
    said += [f"{safe(agent)} had {f.size(taken)}" for agent, taken in kill.others[:2]]
    return f"out of memory: {who} killed", " · ".join(said)


def _tally(run: Run) -> Iterator[Piece]:
    for kill in run.kills[:1]:
        yield Piece(kill_words(kill)[0], "failed")
    counted = [
        (run.errors, f.many(run.errors, "error"), "failed"),
        (run.tests_failed, f"{f.many(run.tests_failed, 'test')} failed", "failed"),
        (run.warnings, f.many(run.warnings, "warning"), "text"),
    ]
    said = [Piece(text, role) for number, text, role in counted if number]
    if run.kills:
        yield from said
        return
    yield from said or [Piece("it said no error: the log's end tells more", "text")]


def _done(run: Run) -> str:
    if run.tests_passed or run.tests_ignored:
        skipped = f", {run.tests_ignored} ignored" if run.tests_ignored else ""
        return f"{f.many(run.tests_passed, 'test')} passed{skipped}"
    if run.handed_to is not None:
        return f"{safe(run.handed_to)} ran in the caller's terminal"
    if run.units_built:
        fresh = f", {run.units_fresh} were fresh" if run.units_fresh else ""
        return f"{f.many(run.units_built, 'unit')} built{fresh}"
    if run.units_fresh:
        return f"nothing was left to build: all {run.units_fresh} were fresh"
    return "nothing was left to do" if run.tool == "cargo" else "it ended well"


def _stopped(run: Run) -> str:
    by = run.ended.stopped_by if run.ended is not None else None
    if by is None and run.kills:
        return ": ".join(kill_words(run.kills[-1]))
    if by is None:
        return f"ended by {outcome(run)}" + (", by whom is unknown" if outcome(run) == "SIGKILL" else "")
    return {"owner": "its caller went away", "interrupt": "interrupted", "request": "stopped as asked"}.get(by, by)


def _lost(run: Run) -> str:
    left = len(run.survivors)
    alive = f" · {left} process{'' if left == 1 else 'es'} left" if left else ""
    return f"its supervisor died, exit unknown{alive}"


def held_up(run: Run) -> str:
    """What holds it up, in a word; empty: nothing that is known, or its state says it."""
    found = run.bottleneck
    is_said = found is None or run.state.is_over or run.state is RunState.WAITING
    return found.word if found is not None and not is_said else ""


def evidence(run: Run) -> str:
    """The sentence behind that word; empty with it."""
    return f"{held_up(run)}: {run.bottleneck.evidence}" if run.bottleneck and held_up(run) else ""


def facts(run: Run, now: float, graph: Callable[[Iterable[float]], str], *, is_old: bool = False) -> Iterator[Fact]:
    """The run's numbers, labels first; which ones does not change while it runs, but for tests."""
    yield _hit(run)
    yield from _use(run, graph, is_old=is_old)
    yield Fact("errors", f"{run.errors:>3}", "failed" if run.errors else "number")
    yield Fact("warnings", f"{run.warnings:>3}", "number")
    if run.suite is not None or run.tests_passed or run.tests_failed:
        yield Fact("passed", f"{run.tests_passed:>5}", "number")
        yield Fact("failed", f"{run.tests_failed:>3}", "failed" if run.tests_failed else "number")
    if run.tool == "cargo":
        yield Fact("built", f"{run.units_built:>4}", "number")
        yield Fact("fresh", f"{run.units_fresh:>4}", "number")
    else:
        yield Fact("lines", f"{run.out_lines + run.err_lines:>6}", "number")
    quiet_s = now - max(run.output_at or 0.0, run.started_at)
    if not run.state.is_over and run.handed_to is None and quiet_s >= SILENT_AFTER_S:
        yield Fact("silent", f.duration(quiet_s), "number")


def _hit(run: Run) -> Fact:
    """What came from a cache, of all units that had to be made; its columns are kept for a run without one."""
    counts = run.cache.main
    width = max(_COUNT_WIDTH, 2 * len(str(run.units_total or 0)) + 1)
    shown = f"{counts.hits}/{counts.all}" if counts.all else ""
    role = "number" if counts.all else "dim"
    return Fact("hit", f"{f.percent(counts.effective_rate):>5}", role, f" {shown:>{width}}")


def _use(run: Run, graph: Callable[[Iterable[float]], str], *, is_old: bool) -> Iterator[Fact]:
    """What its processes use: a moment ago, or at most."""
    use = run.use
    if use is None:
        yield Fact("cpu", f"{f.UNKNOWN:>4}", "dim")
        shown = _peak(run)
        yield Fact("mem", f"{shown:<{_MEMORY_WIDTH}}", "dim" if shown == f.UNKNOWN else "number")
        return
    role = "dim" if is_old else "number"
    yield Fact("cpu", f"{f.UNKNOWN if use.cpu_cores is None else f'{use.cpu_cores:.1f}':>4}", role)
    peak = max(run.memory_peak_bytes or 0, 1)
    trail = graph(taken / peak for taken in run.memory_trail[-_MEMORY_TRAIL:])
    yield Fact("mem", f"{f.size(use.memory_bytes):>5}", role, f" {trail:<{_MEMORY_TRAIL}}")


def _peak(run: Run) -> str:
    """The most that it took: all of it, as samples saw it; at least what its largest process took, where they missed
    that."""
    largest = run.ended.largest_process_bytes if run.ended is not None else 0
    if largest > max(run.memory_peak_bytes or 0, _SUPERVISOR_BYTES):
        return f"peak ≥{f.size(largest)}"
    return (
        f.UNKNOWN
        if run.memory_peak_bytes is None or not run.state.is_over
        else f"peak ≈{f.size(run.memory_peak_bytes)}"
    )


def error_lines(run: Run) -> tuple[str, ...]:
    """What went wrong, the first error first, as the compiler said it; else the failed tests."""
    lines = [part for kill in run.kills for part in kill_words(kill) if part]
    for error in (d for d in run.diagnostics if d.level == "error"):
        said = [line for line in error.rendered.split("\n") if line.strip()] or [error.message]
        lines += ["", *said] if lines else said
    return tuple(lines) or tuple(f"test {test.name} ... failed  ({test.suite})" for test in run.failed_tests)


def waits(text: str, width: int) -> str:
    """Whom a run waits for, cut so that the seconds at its end stay."""
    whom, dot, how_long = text.rpartition(" · ")
    return f.cut_name(whom, width - len(dot + how_long)) + dot + how_long


def _unit_age(run: Run, unit: InFlight, now: float) -> str:
    """How long it compiles so far, and how long it usually takes."""
    age = ("≈" if unit.is_sampled else "") + brief_span(now - unit.since)
    usual = run.typical_s.get(unit.name)
    return age if usual is None or usual < LEAST_TYPICAL_S else f"{age}/{brief_span(usual)}"


def _link_age(run: Run, link: e.LinkStarted, now: float) -> str:
    """How long it links so far, and the memory that it takes."""
    taken = dict(run.use.links).get(link.link, 0) if run.use is not None else 0
    age = brief_span(now - link.at)
    return age if taken < LEAST_LINK_BYTES else f"{age} {f.size(taken)}"


def in_flight(run: Run, now: float, fits: Callable[[str], bool]) -> Iterator[Piece]:
    """Calls of nvcc, and crates that compile now, longest first; as many whole ones as fit, then how many more."""
    line = ""
    items = _items(run, now)
    for index, (name, more) in enumerate(items):
        rest = len(items) - index - 1
        longer = f"{line}{' · ' if line else ''}{name}{more}"
        if line and not fits(longer + (f"  +{rest}" if rest else "")):
            yield Piece(f"  +{rest + 1}", "dim")
            return
        if line:
            yield Piece(" · ", "dim")
        yield Piece(name, "strong")
        yield Piece(more, "dim")
        line = longer


def _items(run: Run, now: float) -> list[tuple[str, str]]:
    """What is under way: its name, and what is said of it."""
    links = {link.unit: link for link in run.links}
    items = [under_way(run, call) for call in run.nvcc if call.started.kind in COMPILING]
    for unit in run.in_flight:
        link = links.get(unit.name)
        age = _link_age(run, link, now) if link else _unit_age(run, unit, now)
        items.append((f"{'link ' if link else ''}{safe(unit.name)}", f" {age}"))
    return items
