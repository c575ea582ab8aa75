"""What a run asked of a cache that keeps one journal for everybody: the lines that are this run's."""

import os
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from core import events as e
from core.cache.calls import Call, CallNotes
from core.cache.line_tail import LineTail
from core.events.cache import CacheOutcome
from core.parsers.text import plain

HOLD_S = 0.5
"""A line that no note of ours stands for waits so long: by then it is known whether the run waited for a lock."""
MATCH_WAIT_S = 2.0
"""A line waits so long for the note of its call."""
FIND_S = 0.5
"""So soon journals are looked for again, each time twice as late,"""
FIND_LIMIT_S = 4.0
"""and at most."""
SETTLE_S = 0.3
"""After the end of a run, for lines that are still being written,"""
SETTLE_LIMIT_S = 1.5
"""and at most, where calls are not answered."""
_EARLY_S = 0.05
"""Clocks of two programs differ by no more."""
_MAX_DETAIL = 200


class Lookup(NamedTuple):
    """One line of a journal: a compilation that went through the cache."""

    began: float
    """When it was asked for, seconds since the epoch."""
    at: float
    """When it was answered."""
    out_dir: str
    """Where its outputs go, absolute; empty: the journal does not say."""
    root: str
    """Folder around the target dir, where that is what the journal says; else empty."""
    crate: str
    """As rustc is told; empty: not Rust."""
    extra: str | None
    """`-C extra-filename`; None: the journal does not say."""
    unit: str
    """As far as the journal says it."""
    language: str
    outcome: CacheOutcome
    key: str
    reason: str
    detail: str
    saved_s: float | None
    size_bytes: int | None

    def event(self, cache: str, unit: str, source_agent: str = "") -> e.CacheLookedUp:
        """What is told of it."""
        return e.CacheLookedUp(
            at=self.at, cache=cache, unit=shown(unit), language=self.language, outcome=self.outcome, key=self.key,
            source_agent=source_agent, reason=shown(self.reason), detail=shown(self.detail),
            elapsed_s=max(0.0, self.at - self.began), saved_s=self.saved_s, size_bytes=self.size_bytes,
        )  # fmt: skip


def shown(text: str) -> str:
    """Foreign text for a screen: no control character, at most two hundred columns."""
    return plain(text.encode("utf-8", "replace"), _MAX_DETAIL)


@dataclass(frozen=True, slots=True)
class Source:
    """A cache's journals, and how to read them."""

    cache: str
    find: Callable[[], Iterable[str]]
    """Paths of journals that this run's cache may write to; asked again until a line of the run was found."""
    when: Callable[[bytes], float | None]
    parse: Callable[[bytes], Lookup | None]
    """None: no compilation."""
    fits: Callable[[Lookup, Call], float | None]
    """How far the call's beginning and the line's are apart, in seconds; None: it is another compilation."""
    follow: Callable[[Iterable[str]], None] | None = None
    """Reads what has to be known of these journals before lines of them are parsed."""
    is_keyed: bool = False
    """Its keys name contents: a hit comes from whoever stored under the key."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose lines are looked at."""

    agent: str
    target: str
    """The run's target dir; empty: it has none, and only lines count that a note of ours stands for."""
    since: float
    """When the run was started, seconds since the epoch."""
    real_target: str = ""
    """Without symbolic links."""

    def has(self, found: Lookup) -> bool:
        """The line may be the run's."""
        if not self.target:
            return False
        if found.out_dir:
            return found.out_dir.startswith((self.target + "/", self.real_target + "/"))
        return bool(found.root) and found.root in (os.path.dirname(self.target), os.path.dirname(self.real_target))


@dataclass(slots=True)
class Shared:
    """What the readers of one cache know together."""

    readers: list["JournalReader"] = field(default_factory=list)
    past: deque[tuple[Scope, float]] = field(default_factory=lambda: deque(maxlen=100))
    """Of runs that ended lately, and when they did."""
    owners: dict[str, str] = field(default_factory=dict)
    """Agent by key of an entry; empty: several stored it."""

    def stored(self, key: str, agent: str) -> None:
        """An entry was made."""
        self.owners[key] = agent if self.owners.get(key, agent) == agent else ""


class JournalReader:
    """Follows one run. Lines are told once; those that may be another's are not told, and `note` says why."""

    def __init__(
        self, source: Source, scope: Scope, notes: str, shared: Shared, *, told: frozenset[tuple[str, float]]
    ) -> None:
        """`notes`: what the front before the cache writes. `told`: units and times that the run's journal has."""
        self.cache = source.cache
        self.note = ""
        self.scope = scope
        self.ended: float | None = None
        self._source = source
        self._shared = shared
        self._notes_path = notes
        self._notes = CallNotes(notes)
        self._has_notes = False
        self._told = told
        self._calls: list[Call] = []
        self._held: deque[tuple[float, Lookup]] = deque()
        self._tails: dict[str, LineTail] = {}
        self._find_at = float("-inf")
        self._find_wait_s = FIND_S
        self._has_own = False
        """A line of this run was found, so its journal is."""
        self._unanswered = 0
        shared.readers.append(self)

    def poll(self, now: float) -> list[e.CacheLookedUp]:
        """Compilations that are new; a few `stat`s where there are none."""
        self._read_notes()
        for line in self._lines(now):
            found = self._source.parse(line)
            if found is not None and self._was_there(found):
                self._held.append((now, found))
        told = []
        for _ in range(len(self._held)):
            since, found = self._held.popleft()
            event = self._judge(found, now - since)
            if event is None:
                self._held.append((since, found))
            elif isinstance(event, e.CacheLookedUp):
                self._has_own = True
                told.append(event)
        told = [event for event in told if (event.unit, event.at) not in self._told]
        return sorted(told, key=lambda event: event.at)

    def end(self, at: float, *, is_whole: bool) -> None:
        """The run ended then; not whole: it was stopped or killed, so calls may have no answer."""
        self.ended = at
        self._unanswered = 0 if is_whole else -1

    def is_settled(self, now: float) -> bool:
        """The run ended, and nothing more is to come."""
        if self.ended is None or now < self.ended + SETTLE_S or self._held:
            return False
        if self._calls and now < self.ended + SETTLE_LIMIT_S:
            return False
        if self._calls and not self.note and self._unanswered == 0:
            self.note = f"the log of {self._source.cache} lacks {len(self._calls)} of the run's compilations"
        return True

    def saw_lock_wait(self, path: str) -> None:
        """The run waited for a lock on that file: somebody else compiled in the same folder."""
        target = self.scope.real_target
        if target and os.path.realpath(path).startswith(target + "/") and not self._has_notes:
            self._give_up("another build used this target dir meanwhile")

    def close(self) -> None:
        """Let go of all files."""
        for tail in self._tails.values():
            tail.close()
        if self in self._shared.readers:
            self._shared.readers.remove(self)
            if self.ended is not None:
                self._shared.past.append((self.scope, self.ended))

    def _lines(self, now: float) -> list[bytes]:
        if not self._has_own and now >= self._find_at:
            self._find_at = now + self._find_wait_s
            self._find_wait_s = min(FIND_LIMIT_S, 2 * self._find_wait_s)
            for path in self._source.find():
                if path not in self._tails:
                    self._tails[path] = LineTail(path, self.scope.since - _EARLY_S, self._source.when)
        lines = [line for tail in self._tails.values() for line in tail.poll()]
        if lines and self._source.follow is not None:
            self._source.follow(self._tails)
        return lines

    def _read_notes(self) -> None:
        calls = self._notes.poll()
        self._calls += [call for call in calls if "-" not in call.argv]
        self._has_notes = self._has_notes or bool(calls) or os.path.exists(self._notes_path)

    def _judge(self, found: Lookup, waited_s: float) -> e.CacheLookedUp | bool | None:
        """The event; False: it is not the run's; None: not known yet."""
        if found.crate and found.language == "Rust" and self._has_notes:
            call = self._take(found)
            if call is not None:
                return self._event(found, call.unit)
            return False if waited_s >= MATCH_WAIT_S else None
        if not self.scope.has(found):
            return False
        if waited_s < HOLD_S:
            return None
        if self._is_shared(found):
            if not self._has_notes:
                self._give_up("another run used this target dir at the same time")
            return False  # of what no front notes (C, a build script's run) nothing is told then
        return False if self.note else self._event(found, found.unit)

    def _was_there(self, found: Lookup) -> bool:
        return found.at >= self.scope.since - _EARLY_S and (self.ended is None or found.began <= self.ended)

    def could_take(self, found: Lookup) -> bool:
        """A call of this run may be the one."""
        self._read_notes()
        return any(self._source.fits(found, call) is not None for call in self._calls)

    def _take(self, found: Lookup) -> Call | None:
        fitting = [(apart, call) for call in self._calls if (apart := self._source.fits(found, call)) is not None]
        if not fitting:
            return None
        if found.extra is None and any(other.could_take(found) for other in self._others()):
            self._give_up("another run compiled the same crate at the same moment")
            return None
        _, call = min(fitting, key=lambda one: one[0])
        self._calls.remove(call)
        return call

    def _event(self, found: Lookup, unit: str) -> e.CacheLookedUp:
        owner = ""
        if self._source.is_keyed and found.key:
            if found.outcome == "hit":
                owner = self._shared.owners.get(found.key, "")
            elif found.outcome == "missed":
                self._shared.stored(found.key, self.scope.agent)
        return found.event(self._source.cache, unit, owner)

    def _others(self) -> list["JournalReader"]:
        return [other for other in self._shared.readers if other is not self]

    def _is_shared(self, found: Lookup) -> bool:
        """Another run was there at that time, and the line may be its."""
        spans = [(other.scope, other.ended) for other in self._others()]
        return any(
            scope.has(found) and scope.since <= found.at and (ended is None or found.began <= ended)
            for scope, ended in (*spans, *self._shared.past)
        )

    def _give_up(self, why: str) -> None:
        if not self.note:
            self.note = f"{why}, and {self._source.cache} does not say which asked"
