"""Advice on a project's builds: what each could gain of what edits were seen to cost here, at most. Pure."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from core.native.edits.edit_class import EditClass
from core.native.edits.iterations import ClassRow
from core.native.edits.wait_phases import CMAKE, CPP, LINK, NVCC, NVCC_TOOLS, RUSTC, SCRIPT


class Advice(StrEnum):
    """What is often advised."""

    SPLIT = "split"
    """The native part becomes a crate of its own."""
    DEBUG = "debug"
    """Fewer debug symbols."""
    SCCACHE = "sccache"
    LINKER = "linker"
    """A faster one: mold, lld."""
    JOBS = "jobs"
    """As many compilers at once as there are cores, in what CMake builds."""


ALL = tuple(Advice)
TITLES = {
    Advice.SPLIT: "native part in a crate of its own", Advice.DEBUG: "fewer debug symbols",
    Advice.SCCACHE: "sccache", Advice.LINKER: "another linker", Advice.JOBS: "parallel CMake",
}  # fmt: skip
_NATIVE = (SCRIPT, CMAKE, NVCC, *NVCC_TOOLS, CPP)
_TOUCHED: dict[Advice, tuple[tuple[EditClass, ...], tuple[str, ...]]] = {
    Advice.SPLIT: ((EditClass.RUST,), _NATIVE),
    Advice.DEBUG: ((EditClass.RUST, EditClass.CU, EditClass.CPP), (RUSTC, LINK)),
    Advice.SCCACHE: ((EditClass.CLEAN,), (RUSTC,)),
    Advice.LINKER: ((EditClass.RUST, EditClass.CU, EditClass.CPP), (LINK,)),
    Advice.JOBS: ((EditClass.HEADER, EditClass.SEVERAL, EditClass.CMAKE, EditClass.CLEAN), (*NVCC_TOOLS, CPP)),
}
"""Edits that it is for, the first that was recorded counts; and what it can shorten of them."""
_FIGURES: dict[Advice, tuple[str, tuple[str, ...]]] = {
    Advice.DEBUG: ("debug={}", ("edit", "link")), Advice.LINKER: ("linker={}", ("link",)),
    Advice.JOBS: ("cmake-parallel=2", ("clean", "edit")),
}  # fmt: skip
_LEAST_S = 0.005


class Touch(NamedTuple):
    """What of recorded iterations an advice can shorten."""

    kind: EditClass
    of_s: float | None
    """Median of such an iteration; None: none was recorded."""
    at_most_s: float | None
    """Of it, what the advice could save if it cost nothing; None: not known."""
    done: int = 0
    """Iterations that this rests on."""
    why: str = ""
    """Why it is not known, or is nothing; empty: neither."""


def touch_of(advice: Advice, rows: Sequence[ClassRow], cores: int = 1, *, is_met: bool = False) -> Touch:
    """What it can shorten.

    Args:
        advice: Which one.
        rows: Of one project, as `core.native.edits.iterations.rows_of` gives them.
        cores: That may be used.
        is_met: What builds here does it by itself.
    """
    kinds, phases = _TOUCHED[advice]
    named = f"no {kinds[0]} iteration recorded"
    row = next((row for kind in kinds for row in rows if row.kind == kind and row.median_s is not None), None)
    if row is None or row.median_s is None:
        return Touch(kinds[0], None, None, 0, f"not known: {named}")
    spent = {phase.what: phase.median_s for phase in row.phases}
    if not spent:
        return Touch(row.kind, row.median_s, None, row.done, "not known: nobody told where the time went")
    if advice == Advice.LINKER and LINK not in spent:
        return Touch(row.kind, row.median_s, None, row.done, "not known: no link was seen")
    if advice == Advice.DEBUG and RUSTC not in spent:
        return Touch(row.kind, row.median_s, None, row.done, "not known: nobody told when rustc ran")
    saved_s = sum(spent.get(phase, 0.0) for phase in phases)
    if advice == Advice.JOBS:
        saved_s *= 1 - 1 / max(1, cores)
    if is_met:
        return Touch(row.kind, row.median_s, 0.0, row.done, "nothing")
    if saved_s < _LEAST_S:
        return Touch(row.kind, row.median_s, 0.0, row.done, f"nothing: {_why_nothing(advice, row.kind)}")
    return Touch(row.kind, row.median_s, min(saved_s, row.median_s), row.done)


def _why_nothing(advice: Advice, kind: EditClass) -> str:
    match advice:
        case Advice.SPLIT:
            return "no build script runs on a Rust edit"
        case Advice.LINKER:
            return f"a {kind} edit takes no time to link"
        case Advice.JOBS:
            return f"no compiler of CMake's was seen on a {kind} edit"
        case Advice.DEBUG | Advice.SCCACHE:
            return f"rustc took no time on a {kind} edit"
        case _:
            raise TypeError(advice)


def elsewhere(advice: Advice, table: Any, value: str = "") -> str:
    """What was measured in other projects, in a few words; empty: nothing was.

    Args:
        advice: Which one.
        table: As `core.plan.figures.figures` reads it.
        value: Of the setting in question.
    """
    name, situations = _FIGURES.get(advice, ("", ()))
    settings = table.get("settings") if isinstance(table, dict) else None
    entry = settings.get(name.format(value)) if isinstance(settings, dict) else None
    if not isinstance(entry, dict):
        return ""
    told = [f"{situation} {said}" for situation in situations if (said := _ratio_of(entry.get(situation)))]
    return f"elsewhere ({entry.get('workspace')}): {', '.join(told)}" if told else ""


def _ratio_of(one: Any) -> str:
    if not isinstance(one, dict) or one.get("verdict") is None:
        return ""
    if one["verdict"] not in ("faster", "slower"):
        return "no difference shown"
    before, after = one.get("without_s"), one.get("with_s")
    if not isinstance(before, int | float) or not isinstance(after, int | float) or not before:
        return ""
    return f"×{after / before:.2f} {one['verdict']}"
