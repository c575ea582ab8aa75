"""Why kache missed: which group of a unit's key differs from what it was in the same tree before. No guess, no reason.

Kache notes with each look-up what its key was made of, in groups: `"key_fields": {"args": "c8d98d2516c95a49",
"sources": "18f6d5c495750e93", …}`. A unit is known by `-C extra-filename` in the names of what was compiled, and by the
key of a look-up that had the same one.
"""

import json
import os
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from core.cache.line_tail import LineTail
from core.cache.zccache import when

HISTORY_BYTES = 512 << 10
"""Of a log, what is read from before the first run that we see: some four hundred look-ups, 15 ms."""
MAX_UNITS = 5000
_REASONS = {
    "compiler": "compiler",
    "args": "flags",
    "link": "flags",
    "outcome_lints": "flags",
    "env_deps": "environment",
    "env_cfg": "environment",
    "remap": "folder",
    "sources": "source",
    "build_script_inputs": "dependency",
    "externs": "dependency",
}
"""The first that differs gives the reason; what kache calls them is told beside it."""
_EXTRA = re.compile(r"(-[0-9a-f]{16})(?:\.|$)")
_Unit = tuple[str, str, str]
"""Root, crate, `-C extra-filename`."""


def reason_of(groups: Iterable[str]) -> tuple[str, str]:
    """Reason and detail of a miss where these groups differ."""
    differing = set(groups)
    reason = next((word for group, word in _REASONS.items() if group in differing), "not known")
    return reason, "kache: " + ", ".join(sorted(differing))


def output_of(row: Mapping[str, Any]) -> tuple[str | None, str]:
    """`-C extra-filename` and folder of what was compiled; None and empty where nothing was."""
    paths = [str(path) for path in row.get("rebuilt_paths") or ()]
    found = next((match for path in paths if (match := _EXTRA.search(os.path.basename(path)))), None)
    return (found.group(1), os.path.dirname(paths[0])) if found else (None, "")


class KeyMemory:
    """What the keys of units were made of last, for all readers of kache's logs."""

    def __init__(self) -> None:
        self._tails: dict[str, LineTail] = {}
        self._units: OrderedDict[str, _Unit] = OrderedDict()
        """By key."""
        self._fields: OrderedDict[_Unit, Mapping[str, str]] = OrderedDict()
        self._whys: OrderedDict[str, tuple[str, str]] = OrderedDict()
        """Reason and detail by time and crate of the look-up."""

    def follow(self, paths: Iterable[str]) -> None:
        """Read what is new in these logs."""
        for path in paths:
            tail = self._tails.get(path)
            if tail is None:
                tail = self._tails[path] = LineTail(path, float("inf"), when, history_bytes=HISTORY_BYTES)
            for line in tail.poll():
                self._learn(line, is_whole=tail.is_whole and not os.path.isdir(path + ".archive"))

    def why(self, row: Mapping[str, Any]) -> tuple[str, str] | None:
        """Reason and detail of a miss; None: nothing to compare with."""
        return self._whys.get(_name(row))

    def _learn(self, line: bytes, *, is_whole: bool) -> None:
        """`is_whole`: all that was ever logged was read, so a unit that is not known is new."""
        try:
            row = json.loads(line)
            fields = row.get("key_fields")
            if fields:
                digests = {str(group): str(digest) for group, digest in fields.items()}
                self._compare(row, digests, is_whole=is_whole)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return

    def _compare(self, row: Mapping[str, Any], fields: Mapping[str, str], *, is_whole: bool) -> None:
        key, extra = str(row.get("cache_key") or ""), output_of(row)[0]
        unit = (str(row.get("root")), str(row["crate_name"]), extra) if extra else self._units.get(key)
        if unit is None:
            return
        before = self._fields.get(unit)
        if row["result"] in ("miss", "dup"):
            if before is not None:
                _put(self._whys, _name(row), _difference(before, fields))
            elif is_whole:
                _put(self._whys, _name(row), ("first time", ""))
        _put(self._fields, unit, fields)
        _put(self._units, key, unit)


def _difference(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, str]:
    groups = [group for group in before.keys() | now.keys() if before.get(group) != now.get(group)]
    return reason_of(groups) if groups else ("evicted", "its key was there before")


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['ts']} {row['crate_name']}"


def _put(book: "OrderedDict[Any, Any]", name: object, value: object) -> None:
    book[name] = value
    book.move_to_end(name)
    if len(book) > MAX_UNITS:
        book.popitem(last=False)
