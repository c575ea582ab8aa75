"""Events as JSON objects, and back."""

from dataclasses import fields
from typing import Any

from core.events.base import Event
from core.events.build import (
    BuildFinished,
    DiagnosticEmitted,
    HandedOver,
    LockWaitBegan,
    LockWaitEnded,
    LogCut,
    OutputGrew,
    ProgressMoved,
    RunEnded,
    RunLost,
    RunStarted,
    StopAsked,
    TestFinished,
    TestsCounted,
    TestSuiteStarted,
    TypicalRecalled,
    UnitDirtied,
    UnitFinished,
    UnitStarted,
)
from core.events.cache import CacheLookedUp, CacheUncounted
from core.events.machine import CachesSeen, ForeignSeen, LocksSeen, MachineSampled
from core.events.native import KernelsMeasured, NvccEnded, NvccPhaseBegan, NvccStarted
from core.events.observed import (
    BottleneckFound,
    ContradictionsSeen,
    LinkEnded,
    LinkStarted,
    LockBlocked,
    LockPassed,
    ProcessKilled,
    RunSampled,
)

EVENTS: dict[str, type[Event]] = {
    cls.__name__: cls
    for cls in (
        RunStarted, OutputGrew, ProgressMoved, UnitStarted, UnitFinished, UnitDirtied, DiagnosticEmitted,
        LockWaitBegan, LockWaitEnded, BuildFinished, TestSuiteStarted, TestFinished, TestsCounted,
        TypicalRecalled, HandedOver, LogCut, StopAsked, RunEnded, RunLost,
        LinkStarted, LinkEnded, RunSampled, ProcessKilled, LockBlocked, LockPassed,
        CacheLookedUp, CacheUncounted, BottleneckFound, ContradictionsSeen,
        NvccStarted, NvccPhaseBegan, NvccEnded, KernelsMeasured,
        MachineSampled, LocksSeen, ForeignSeen, CachesSeen,
    )
}  # fmt: skip
_FIELDS: dict[type[Event], tuple[str, ...]] = {c: tuple(f.name for f in fields(c)) for c in EVENTS.values()}


def to_record(event: Event) -> dict[str, Any]:
    """The event as a JSON object: its class under `event`, then its fields."""
    record: dict[str, Any] = {"event": type(event).__name__}
    for name in _FIELDS[type(event)]:
        record[name] = getattr(event, name)
    return record


def from_record(record: dict[str, Any]) -> Event | None:
    """The event of a record; None for a class this version does not know, or with fields missing.

    Unknown fields are dropped, so that a journal of a later minor version can be read.
    """
    cls = EVENTS.get(record.get("event", ""))
    if cls is None:
        return None
    known = {name: _frozen(record[name]) for name in _FIELDS[cls] if name in record}
    try:
        return cls(**known)
    except TypeError:
        return None


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
