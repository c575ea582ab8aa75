"""Cargo's progress line: how far, and which units are in flight since when."""

import re
from typing import NamedTuple

from core import events as e
from core.parsers.text import plain

_BAR = re.compile(rb"(?: {4}Building )?\[=*>? *\] +([0-9]{1,9})/([0-9]{1,9})(?:: (.*?))? *\Z")
_KINDS = {
    "": "lib", "build.rs": "custom-build", "build": "run-build-script", "bin": "bin", "doc": "doc",
    "example": "example", "bench": "bench",
}  # fmt: skip
_CUT = ("…".encode(), b"...")
"""By locale."""


class Bar(NamedTuple):
    """One state of the line. Source: cargo 1.95, `    Building [===>   ] 2/11: serde, ring(build)`."""

    done: int
    total: int
    names: tuple[str, ...]
    is_truncated: bool


def parse_bar(line: bytes) -> Bar | None:
    """The state that a line without SGR shows; with `-q` it has no header."""
    found = _BAR.match(line)
    if found is None:
        return None
    done, total, names = int(found[1]), int(found[2]), found[3] or b""
    is_truncated = names.endswith(_CUT)
    if is_truncated:
        # The last name may be cut in the middle.
        names = names[: max(0, names.rfind(b", "))]
    kept = tuple(plain(name, 200) for name in names.split(b", ") if name)
    return Bar(done, total, kept, is_truncated) if done <= total else None


class UnitClock:
    """When each unit in flight was first named, by its name in the progress line."""

    def __init__(self) -> None:
        self._since: dict[str, float | None] = {}
        self._left: dict[str, float | None] = {}
        self._finished: set[str] = set()
        self._done = 0
        self._was_truncated = False

    def move(self, bar: Bar, at: float, *, is_backlog: bool) -> list[tuple[str, float | None]]:
        """Takes the next state; gives the units that left since the last, with their seconds, where that is sure."""
        gone: list[tuple[str, float | None]] = []
        if not bar.is_truncated:
            left = [name for name in self._since if name not in bar.names]
            for name in left:
                self._left[name] = _elapsed(self._since.pop(name), at)
            if 0 < len(left) <= bar.done - self._done:
                gone = [(name, self._left[name]) for name in left]
        # Where the last list was cut, a name that is new to us may have been in flight unseen.
        since = None if is_backlog or self._was_truncated else at
        for name in bar.names:
            self._since.setdefault(name, since)
        self._was_truncated = bar.is_truncated
        self._done = max(self._done, bar.done)
        return gone

    def finish(self, name: str, at: float) -> float | None:
        """Seconds that a unit was in flight, said by a message that comes before or after it leaves the line.

        None where its start was not seen, where all of it lies in one batch of output, and for a second unit of the
        same name (one for the host, one for the target): which of them is meant is not said.
        """
        if name in self._finished:
            return None
        self._finished.add(name)
        if name in self._left:
            return self._left.pop(name)
        return _elapsed(self._since.pop(name, None), at)

    def leave_all(self, at: float) -> list[tuple[str, float | None]]:
        """The build succeeded: whatever was in flight is done, with its seconds."""
        left = [(name, _elapsed(since, at)) for name, since in self._since.items()]
        self._since.clear()
        return left

    def has(self, name: str) -> bool:
        """The line named it."""
        return name in self._since or name in self._left


def _elapsed(since: float | None, at: float) -> float | None:
    return at - since if since is not None and at > since else None


def left_unit(name: str, elapsed_s: float | None, versions: dict[str, str], at: float) -> e.UnitFinished:
    """A unit of which only the progress line's name is known."""
    package, _, suffix = name.partition("(")
    suffix = suffix.rstrip(")")
    kind = "test" if suffix.endswith("test") else _KINDS.get(suffix, suffix)
    return e.UnitFinished(at, name, package, versions.get(package, ""), kind, False, elapsed_s)
