"""What stands in a build's way, as `run.json` and journals hold it: read with care, whoever wrote it."""

from collections.abc import Iterable
from typing import Any

from core.plan.given import Origin
from core.plan.plan import Change, Evidence, Finding
from core.plan.small_file import read_small

MAX_FINDINGS = 40
MAX_PLACES = 20
"""Kept of one finding."""
_LONGEST = {"id": 80, "title": 400, "cost": 1000, "place": 4096, "value": 1000}
"""Characters of a text; the rest is cut away."""
_LONGEST_MEND = 20_000
"""A longer one is left out: half a diff is none."""
_RANKS = {"error": 0, "warning": 1, "hint": 2}

Row = tuple[str, str, str, tuple[tuple[str, int, str], ...], str, str]
"""A finding in an event: id, severity, title, places with line (0: none) and what they say, cost, mend."""


def from_record(found: object) -> tuple[Finding, ...]:
    """The findings of `run.json`, worst first; none of it that is not as we write it."""
    return _worst_first(_of_record(one) for one in found) if isinstance(found, list) else ()


def from_rows(rows: object) -> tuple[Finding, ...]:
    """The findings of an event, worst first; none of it that is not as we write it."""
    return _worst_first(_of_row(row) for row in rows) if isinstance(rows, tuple) else ()


def mended(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings with the diffs that mend them, of files as they are now; a file that cannot be read has none."""
    if not any(one.changes and not one.mend for one in findings):
        return findings
    from core.plan.findings import with_mend

    return tuple(with_mend(one, _text_of) for one in findings)


def _text_of(path: str) -> str:
    """Of a file that a mend changes. Raises ValueError: it is none, is too large, or cannot be read as text."""
    content = read_small(path)
    if content is None:
        raise ValueError(path)
    return content.decode("utf-8")


def rows_of(findings: Iterable[Finding]) -> tuple[Row, ...]:
    """The findings as an event holds them."""
    return tuple(
        (
            one.id, one.severity, one.title,
            tuple((place.origin.place, place.origin.line, place.value) for place in one.evidence), one.cost, one.mend,
        )
        for one in findings
    )  # fmt: skip


def loud(findings: Iterable[Finding]) -> Finding | None:
    """The worst one that a person should hear of without asking; None: there are hints at most."""
    return next((one for one in findings if one.severity != "hint"), None)


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
    if found is None or not isinstance(changes, list):
        return found
    return found._replace(changes=tuple(change for each in changes[:MAX_PLACES] if (change := _change(each))))


def _change(one: object) -> Change | None:
    if not isinstance(one, dict) or not isinstance(one.get("setting"), list):
        return None
    path, base, key = one.get("path"), one.get("base"), tuple(map(str, one["setting"]))
    if not isinstance(path, str) or not isinstance(base, str) or not path.startswith("/") or not key:
        return None
    return Change(path, key, one.get("value"), base)


def _of_row(row: object) -> Finding | None:
    if not isinstance(row, tuple) or len(row) != 6:
        return None
    places = row[3] if isinstance(row[3], tuple) else ()
    told = [place for place in places if isinstance(place, tuple) and len(place) == 3]
    return _finding(row[:3], told, row[4], row[5])


def _finding(head: tuple[Any, ...], told: list[tuple[Any, ...]], cost: object, mend: object) -> Finding | None:
    """The finding of these values; None where it says nothing."""
    title = _text(head[2], "title")
    if not title.strip():
        return None
    places = (
        Evidence(Origin(_text(place, "place"), _line(line)), _text(value, "value"))
        for place, line, value in told[:MAX_PLACES]
    )
    kept = mend if isinstance(mend, str) and len(mend) <= _LONGEST_MEND else ""
    severity = head[1] if isinstance(head[1], str) and head[1] in _RANKS else "hint"
    return Finding(_text(head[0], "id"), severity, title, tuple(places), _text(cost, "cost"), kept)


def _text(value: object, kind: str) -> str:
    if not isinstance(value, str):
        return ""
    longest = _LONGEST[kind]
    return value if len(value) <= longest else value[: longest - 1] + "…"


def _line(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
