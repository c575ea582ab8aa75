"""What stands in a build's way, as `run.json` and journals hold it: read with care, whoever wrote it.

No diff is in either: it would hold lines of a person's files. It is made of the changes where it is shown.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from core.events.observed import ChangeRow, ContradictionsSeen
from core.plan.finding_mask import masked
from core.plan.given import Origin
from core.plan.plan import Change, Evidence, Finding

MAX_FINDINGS = 40
MAX_PLACES = 20
"""Kept of one finding."""
MAX_CHANGES = 100
"""Of a finding that has more, none is kept: half of them mend nothing."""
_LONGEST = {"id": 80, "title": 400, "cost": 1000, "place": 4096, "value": 1000}
"""Characters of a text; the rest is cut away."""
_LONGEST_MEND = 20_000
"""A longer command is left out: half of one is none."""
_RANKS = {"error": 0, "warning": 1, "hint": 2}


def from_record(found: object) -> tuple[Finding, ...]:
    """The findings of `run.json`, worst first; none of it that is not as we write it."""
    return _read(_of_record(one) for one in found) if isinstance(found, list) else ()


def from_event(event: ContradictionsSeen) -> tuple[Finding, ...]:
    """The findings of an event, worst first; none of it that is not as we write it."""
    rows, changes = event.findings, event.changes
    if not isinstance(rows, tuple):
        return ()
    beside = changes if isinstance(changes, tuple) and len(changes) == len(rows) else [()] * len(rows)
    return _read(_of_row(row, of_row) for row, of_row in zip(rows, beside, strict=True))


def seen(at: float, findings: Iterable[Finding]) -> ContradictionsSeen:
    """The event that says them, without diffs and credentials."""
    known = [masked(one) for one in findings]
    rows = tuple(
        (
            one.id, one.severity, one.title,
            tuple((place.origin.place, place.origin.line, place.value) for place in one.evidence), one.cost,
            one.command,
        )
        for one in known
    )  # fmt: skip
    return ContradictionsSeen(at, rows, tuple(tuple(map(_row_of, one.changes)) for one in known))


def _row_of(change: Change) -> ChangeRow:
    value = tuple(change.value) if isinstance(change.value, list) else change.value
    return change.path, change.key, value, change.base


def merged(*several: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings of several places, none twice, worst first."""
    known = {(one.id, one.title): one for findings in reversed(several) for one in findings}
    return _worst_first(known.values())


def loud(findings: Iterable[Finding]) -> Finding | None:
    """The worst one that a person should hear of without asking; None: there are hints at most."""
    return next((one for one in findings if one.severity != "hint"), None)


def _read(found: Iterable[Finding | None]) -> tuple[Finding, ...]:
    """What was read, without credentials: those that are kept are looked through, however many there were."""
    return tuple(map(masked, _worst_first(found)))


def _worst_first(found: Iterable[Finding | None]) -> tuple[Finding, ...]:
    known = [one for one in found if one is not None]
    return tuple(sorted(known, key=lambda one: _RANKS[one.severity])[:MAX_FINDINGS])


def _of_record(one: object) -> Finding | None:
    if not isinstance(one, dict):
        return None
    places = one.get("evidence")
    dicts = [place for place in places if isinstance(place, dict)] if isinstance(places, list) else []
    told = [(place.get("place"), place.get("line"), place.get("value")) for place in dicts]
    found = _finding((one.get("id"), one.get("severity"), one.get("title")), told, one.get("cost"), one.get("mend"))
    changes = one.get("changes")
    rows = [_of_change(each) for each in changes] if isinstance(changes, list) else []
    return _with_changes(found, rows)


def _of_change(one: object) -> tuple[Any, ...]:
    if not isinstance(one, dict) or not isinstance(one.get("setting"), list):
        return ()
    return one.get("path"), tuple(one["setting"]), one.get("value"), one.get("base")


def _of_row(row: object, changes: object) -> Finding | None:
    if not isinstance(row, tuple) or len(row) != 6:
        return None
    places = row[3] if isinstance(row[3], tuple) else ()
    told = [place for place in places if isinstance(place, tuple) and len(place) == 3]
    return _with_changes(_finding(row[:3], told, row[4], row[5]), changes if isinstance(changes, tuple) else ())


def _with_changes(found: Finding | None, rows: Sequence[object]) -> Finding | None:
    """With all of the changes, or with none."""
    changes = [change for row in rows[:MAX_CHANGES] if (change := _change(row)) is not None]
    if found is None or len(changes) != len(rows):
        return found
    return found._replace(changes=tuple(changes))


def _change(row: object) -> Change | None:
    if not isinstance(row, tuple) or len(row) != 4:
        return None
    path, key, value, base = row
    if not isinstance(path, str) or not isinstance(base, str) or not path.startswith("/") or not _are_texts(key):
        return None
    if isinstance(value, list | tuple):
        return Change(path, key, list(value), base) if _are_texts(tuple(value)) else None
    is_short = isinstance(value, bool | int | float | None) or _are_texts((value,))
    return Change(path, key, value, base) if is_short else None


def _are_texts(words: object) -> bool:
    """Some, and none of them long."""
    longest = _LONGEST["value"]
    return isinstance(words, tuple) and 0 < len(words) <= MAX_CHANGES and all(
        isinstance(word, str) and len(word) <= longest for word in words
    )  # fmt: skip


def _finding(head: tuple[Any, ...], told: list[tuple[Any, ...]], cost: object, mend: object) -> Finding | None:
    """The finding of these values; None where it says nothing."""
    title = _text(head[2], "title")
    if not title.strip():
        return None
    places = (
        Evidence(Origin(_text(place, "place"), _line(line)), _text(value, "value"))
        for place, line, value in told[:MAX_PLACES]
    )
    kept = mend if isinstance(mend, str) and len(mend) <= _LONGEST_MEND and mend.isprintable() else ""
    severity = head[1] if isinstance(head[1], str) and head[1] in _RANKS else "hint"
    return Finding(_text(head[0], "id"), severity, title, tuple(places), _text(cost, "cost"), kept)


def _text(value: object, kind: str) -> str:
    if not isinstance(value, str):
        return ""
    longest = _LONGEST[kind]
    return value if len(value) <= longest else value[: longest - 1] + "…"


def _line(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
