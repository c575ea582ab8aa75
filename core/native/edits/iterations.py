"""Iterations: what an edit cost until its build was there, and what edits of its kind usually cost. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from statistics import median
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from core.native.edits.edit_class import CLASSES, EditClass
from core.native.edits.wait_phases import CARGO, LOCK, ORDER, REST
from core.values import dataclass

SCHEMA = 1
BY_WATCH = "watch"
"""`by` of what a watch kept; without it, the engine did."""
MOST_CHANGED = 20
"""Names of files that an iteration keeps."""
TREND_OF = 10
"""So many iterations before the last one are what it is compared with."""
_LEAST_TREND = 3
"""Fewer tell nothing."""
_LEAST_MORE_S = 0.3
_LEAST_MORE = 0.2
"""Share by which the last one must be slower to be marked, and beyond three deviations of those before it."""
_MAX_TEXT = 4096

State = Literal["done", "failed", "stopped"]


class Budget(NamedTuple):
    """Seconds that an iteration of a class may take."""

    least_s: float
    most_s: float
    origin: str = ""
    """Where it stands: `deck.toml`, `config.toml`; empty: built in."""


BUDGETS: Mapping[EditClass, Budget] = MappingProxyType({
    EditClass.RUST: Budget(1, 2), EditClass.CU: Budget(3, 5), EditClass.CPP: Budget(3, 5),
    EditClass.HEADER: Budget(5, 15), EditClass.CMAKE: Budget(30, 60), EditClass.CLEAN: Budget(90, 120),
})  # fmt: skip
"""Of a CUDA crate whose native part is built by CMake; where no kernel was ever built, only those that somebody set
hold."""
_OF_KERNELS = (EditClass.CU, EditClass.CMAKE)


@dataclass(frozen=True, slots=True)
class Iteration:
    """One build after an edit."""

    run: str
    at: float
    """When it ended, seconds since the epoch."""
    checkout: str
    command: str
    """As typed after `cargo`, or that of `exec`."""
    kind: EditClass
    state: State
    wall_s: float
    agent: str = ""
    changed: tuple[str, ...] = ()
    """Absolute paths, at most MOST_CHANGED."""
    changed_count: int = 0
    phases: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Seconds by what ran then (`core.native.edits.wait_phases`); together they are `wall_s`. Empty: not known."""
    nvcc_calls: int | None = None
    """Calls that compiled; None: nobody told."""
    nvcc_hits: int | None = None
    """Of them, answered by the cache."""
    since_save_s: float | None = None
    """From the first save to the end of the build; None: nobody watched."""
    test_run: str = ""
    """That followed it; empty: none did."""
    test_s: float | None = None
    test_code: int | None = None
    unseen: tuple[str, ...] = ()
    """Changed inputs of nvcc for which it did not run, though the build went well."""
    has_built: bool | None = None
    """It made anything: a crate, what a build script makes, an object; None: nobody looked."""

    @property
    def is_idle(self) -> bool:
        """It went well, and made nothing of what was edited."""
        if self.state != "done" or self.kind is EditClass.CLEAN or self.nvcc_calls:
            return False
        if self.changed and self.changed_count == len(self.changed) and set(self.changed) <= set(self.unseen):
            return True
        if self.has_built is None:
            return CARGO in self.phases and set(self.phases) <= {CARGO, LOCK}
        return not self.has_built

    @property
    def is_answered(self) -> bool:
        """All calls of nvcc for an edit of native files were answered by the cache: nothing of it was compiled."""
        return bool(self.nvcc_calls) and self.nvcc_hits == self.nvcc_calls and self.kind is not EditClass.RUST

    @property
    def wait_s(self) -> float:
        """What somebody waited for: from the save where that is known, else the build alone."""
        return self.since_save_s if self.since_save_s is not None else self.wall_s


class PhaseRow(NamedTuple):
    """One phase of a class."""

    what: str
    median_s: float
    last_s: float


class ClassRow(NamedTuple):
    """Iterations of one class of one command in one checkout."""

    checkout: str
    command: str
    kind: EditClass
    done: int
    """Iterations that went well and built something: all figures are theirs. Answers of nvcc's cache are not among them
    where others compiled."""
    failed: int
    stopped: int
    median_s: float | None
    """Of the wait; None: none went well."""
    last: Iteration | None
    before_s: float | None
    """Median of the ten before the last one; None: there are too few."""
    is_slower: bool
    """The last one took longer than those before it, beyond their noise."""
    culprit: str
    """The phase that grew most; empty: it is not slower, or that is not known."""
    budget: Budget | None
    phases: tuple[PhaseRow, ...]
    """In the order of ORDER."""
    idle: int = 0
    """That went well, and made nothing of what was edited."""
    answered: int = 0
    """Of which nvcc's cache had everything."""
    newest: Iteration | None = None
    """The last one that went well, also where it built nothing."""

    @property
    def trend(self) -> float | None:
        """The last one against the median of those before it: 1.2 is a fifth slower; None: not known."""
        return self.last.wait_s / self.before_s if self.last is not None and self.before_s else None

    @property
    def is_over_budget(self) -> bool:
        """Half of them take longer than they may."""
        return self.budget is not None and self.median_s is not None and self.median_s > self.budget.most_s


def rows_of(iterations: Iterable[Iteration], budgets: Mapping[EditClass, Budget] = BUDGETS) -> tuple[ClassRow, ...]:
    """A row a class, of each command; commands by their last iteration, newest first, classes in their own order."""
    grouped: dict[tuple[str, str], dict[EditClass, list[Iteration]]] = {}
    for one in sorted(iterations, key=lambda one: one.at):
        of_command = grouped.pop((one.checkout, one.command), {})
        of_command.setdefault(one.kind, []).append(one)
        grouped[one.checkout, one.command] = of_command
    return tuple(
        _row(checkout, command, kind, of_command[kind], _budget(budgets.get(kind), of_command))
        for (checkout, command), of_command in reversed(grouped.items())
        for kind in CLASSES
        if kind in of_command
    )


def _budget(budget: Budget | None, of_command: Mapping[EditClass, Sequence[Iteration]]) -> Budget | None:
    """The one that holds for a command."""
    if budget is None or budget.origin:
        return budget
    is_native = any(kind in of_command for kind in _OF_KERNELS) or any(
        one.nvcc_calls for found in of_command.values() for one in found
    )
    return budget if is_native else None


def _row(checkout: str, command: str, kind: EditClass, found: Sequence[Iteration], budget: Budget | None) -> ClassRow:
    well = [one for one in found if one.state == "done"]
    built = [one for one in well if not one.is_idle]
    good = [one for one in built if not one.is_answered] or built  # what was compiled is compared with its like
    none = ClassRow(
        checkout, command, kind, 0, sum(one.state == "failed" for one in found),
        sum(one.state == "stopped" for one in found), None, None, None, False, "", budget, (),
        len(well) - len(built), sum(one.is_answered for one in built), well[-1] if well else None,
    )  # fmt: skip
    return none if not good else _with_figures(none, good)


def _with_figures(row: ClassRow, good: Sequence[Iteration]) -> ClassRow:
    before = good[-TREND_OF - 1 : -1]
    has_trend = len(before) >= _LEAST_TREND
    is_slower = has_trend and _is_slower(good[-1].wait_s, [one.wait_s for one in before])
    return row._replace(
        done=len(good), median_s=median(one.wait_s for one in good), last=good[-1],
        before_s=median(one.wait_s for one in before) if has_trend else None, is_slower=is_slower,
        culprit=_culprit(good[-1], before) if is_slower else "", phases=_phases(good),
    )  # fmt: skip


def unseen_now(iterations: Iterable[Iteration]) -> tuple[str, ...]:
    """Files of which the last iteration that edited them went well without nvcc, though it read them before; the one
    that was edited last first."""
    last: dict[tuple[str, str], Iteration] = {}
    for one in sorted(iterations, key=lambda one: one.at):
        if one.state == "done" and (one.unseen or not one.is_idle):  # a test of what a build made says nothing of it
            for path in one.changed:
                last.pop((one.checkout, path), None)
                last[one.checkout, path] = one
    return tuple(dict.fromkeys(path for (_, path), one in reversed(last.items()) if path in one.unseen))


def _is_slower(last_s: float, before: Sequence[float]) -> bool:
    middle = median(before)
    noise = 1.4826 * median(abs(one - middle) for one in before)
    return last_s - middle > max(3 * noise, _LEAST_MORE * middle, _LEAST_MORE_S)


def _phases(good: Sequence[Iteration]) -> tuple[PhaseRow, ...]:
    known = [one for one in good if one.phases]
    if not known:
        return ()
    return tuple(
        PhaseRow(what, median(one.phases.get(what, 0.0) for one in known), known[-1].phases.get(what, 0.0))
        for what in ORDER
        if any(what in one.phases for one in known)
    )


def _culprit(last: Iteration, before: Sequence[Iteration]) -> str:
    known = [one for one in before if one.phases]
    if not last.phases or not known:
        return ""
    grown = {what: s - median(one.phases.get(what, 0.0) for one in known) for what, s in last.phases.items()}
    return max(grown, key=lambda what: grown[what])


def to_record(one: Iteration) -> dict[str, Any]:
    """As it is kept, and printed as JSON."""
    return {
        "run": one.run, "at": one.at, "checkout": one.checkout, "command": one.command, "class": str(one.kind),
        "state": one.state, "wall_s": one.wall_s, "agent": one.agent, "changed": list(one.changed),
        "changed_count": one.changed_count, "phases": {name: round(s, 4) for name, s in one.phases.items()},
        "nvcc_calls": one.nvcc_calls, "nvcc_hits": one.nvcc_hits, "since_save_s": one.since_save_s,
        "test_run": one.test_run, "test_s": one.test_s, "test_code": one.test_code, "unseen": list(one.unseen),
        "has_built": one.has_built,
    }  # fmt: skip


def from_record(record: object) -> Iteration | None:
    """An iteration of a record; None where it is none."""
    if not isinstance(record, dict):
        return None
    try:
        state = record["state"]
        if state not in ("done", "failed", "stopped"):
            return None
        return Iteration(
            run=_text(record["run"]), at=_seconds(record["at"]), checkout=_text(record["checkout"]),
            command=_text(record["command"]), kind=EditClass(record["class"]), state=state,
            wall_s=_seconds(record["wall_s"]), agent=_text(record.get("agent", "")),
            changed=_texts(record.get("changed")), changed_count=_count(record.get("changed_count")) or 0,
            phases=_phases_of(record.get("phases")), nvcc_calls=_count(record.get("nvcc_calls")),
            nvcc_hits=_count(record.get("nvcc_hits")), since_save_s=_seconds_or_none(record.get("since_save_s")),
            test_run=_text(record.get("test_run", "")), test_s=_seconds_or_none(record.get("test_s")),
            test_code=_count(record.get("test_code")), unseen=_texts(record.get("unseen")),
            has_built=built if isinstance(built := record.get("has_built"), bool) else None,
        )  # fmt: skip
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def joined(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Two records of a run: the later one adds what it knows, but a watch knows best what was saved."""
    known = {name: value for name, value in later.items() if value not in (None, "", [], {})}
    both = {**known, **earlier} if earlier.get("by") == BY_WATCH != later.get("by") else {**earlier, **known}
    phases = [one["phases"] for one in (earlier, known) if isinstance(one.get("phases"), dict)]
    if phases:
        both["phases"] = max(phases, key=lambda one: (REST not in one, len(one)))  # an engine knows of more links
    return both


def merged(records: Iterable[Mapping[str, Any]]) -> tuple[Iteration, ...]:
    """The iterations of records, one a run, by their end. A test that followed a build is a part of that one's
    iteration."""
    by_run: dict[str, dict[str, Any]] = {}
    for record in records:
        if isinstance(run := record.get("run"), str):
            by_run[run] = joined(by_run.get(run, {}), record)
    found = [one for record in by_run.values() if (one := from_record(record)) is not None]
    tests = {one.test_run for one in found}
    return tuple(sorted((one for one in found if one.run not in tests), key=lambda one: (one.at, one.run)))


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise TypeError("text was expected")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str))[:MOST_CHANGED] if isinstance(value, list) else ()


def _seconds(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError("a number was expected")
    found = float(value)
    if not 0 <= found < 1e11:
        raise ValueError(f"{found} is no moment and no span")
    return found


def _seconds_or_none(value: Any) -> float | None:
    return None if value is None else _seconds(value)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _phases_of(value: Any) -> Mapping[str, float]:
    if not isinstance(value, dict):
        return MappingProxyType({})
    return MappingProxyType({name: _seconds(s) for name, s in value.items() if name in ORDER})
