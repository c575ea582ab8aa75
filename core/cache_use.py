"""What a compiler cache did for one run, added up. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from core import events as e
from core.values import dataclass

_Key = TypeVar("_Key")
MAX_LOOKUPS = 2000
"""Kept per run with all they say; the earliest go first."""


class Counts(NamedTuple):
    """Compilations by what became of them; each is counted once."""

    own: int = 0
    """Hits on what the agent itself had compiled."""
    other: int = 0
    """Hits on what another agent had compiled."""
    unknown: int = 0
    """Hits of which nobody knows who compiled them."""
    missed: int = 0
    not_cacheable: int = 0
    errors: int = 0
    failed_lookups: int = 0
    """Of those errors, look-ups all the same: no answer in time, nothing that could be read, or nothing stored."""

    @property
    def hits(self) -> int:
        """All of them."""
        return self.own + self.other + self.unknown

    @property
    def all(self) -> int:
        """All compilations that were asked for."""
        return self.hits + self.missed + self.not_cacheable + self.errors

    @property
    def effective_rate(self) -> float | None:
        """Hits of all that had to be made, 0..1; None: nothing had."""
        return self.hits / self.all if self.all else None

    @property
    def server_rate(self) -> float | None:
        """Hits of what the cache looked for, 0..1, as a cache counts for itself; None: it looked for nothing."""
        return self.hits / self.looked_up if self.looked_up else None

    @property
    def looked_up(self) -> int:
        """What the cache looked for: to itself, what it did not get in time or could not store is a miss."""
        return self.hits + self.missed + self.failed_lookups

    @property
    def compiled(self) -> int:
        """Those that the compiler had to make after all."""
        return self.all - self.hits

    def plus(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True)
class CacheUse:
    """All that a cache did for a run."""

    cache: str = ""
    """`sccache`, `zccache`, `kache`, `mbx`; empty: none was seen."""
    languages: Mapping[str, Counts] = field(default_factory=lambda: MappingProxyType({}))
    reasons: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))
    """How often, by outcome (`missed`, `not cacheable`, `error`) and reason."""
    sources: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Hits by the agent that had compiled; the empty name: not known."""
    saved_s: float = 0.0
    """What compiling took of the hits of which that is known, less what looking them up took."""
    saved_unknown: int = 0
    """Hits of which it is not known."""
    hit_bytes: int = 0
    """Of entries that were taken, as far as it is known."""
    stored_bytes: int = 0
    """Of entries that were made, as far as it is known."""
    lookups: tuple[e.CacheLookedUp, ...] = ()
    """In order, at most MAX_LOOKUPS."""
    uncounted: str = ""
    """Why there are no figures, a sentence without its full stop; empty: there are. Of several runs, of one of them."""

    @property
    def rust(self) -> Counts:
        """Of units of cargo."""
        return self.languages.get("Rust", Counts())

    @property
    def total(self) -> Counts:
        """Of all languages."""
        found = Counts()
        for counts in self.languages.values():
            found = found.plus(counts)
        return found

    @property
    def is_saved_known(self) -> bool:
        """`saved_s` says something: all that was looked up is missing, or it is known of a hit."""
        total = self.total
        return bool(total.all) and (not total.hits or total.hits > self.saved_unknown)

    @property
    def main(self) -> Counts:
        """What one number is made of: units of cargo, where there are none all languages."""
        return self.rust if self.rust.all else self.total


def combine(uses: Iterable[CacheUse]) -> CacheUse:
    """What a cache did for several runs together; look-ups by time, at most MAX_LOOKUPS of each."""
    found = [use for use in uses if use.cache]
    if len(found) < 2:
        return found[0] if found else CacheUse()
    languages: dict[str, Counts] = {}
    for use in found:
        for language, counts in use.languages.items():
            languages[language] = languages.get(language, Counts()).plus(counts)
    return CacheUse(
        cache=found[-1].cache,
        languages=MappingProxyType(languages),
        reasons=_added(use.reasons for use in found),
        sources=_added(use.sources for use in found),
        saved_s=sum(use.saved_s for use in found),
        saved_unknown=sum(use.saved_unknown for use in found),
        hit_bytes=sum(use.hit_bytes for use in found),
        stored_bytes=sum(use.stored_bytes for use in found),
        lookups=tuple(sorted((event for use in found for event in use.lookups), key=lambda event: event.at)),
        uncounted=next((use.uncounted for use in reversed(found) if use.uncounted), ""),
    )


def add_lookups(use: CacheUse, events: Sequence[e.CacheLookedUp], agent: str) -> CacheUse:
    """The use after more compilations of `agent`, in order."""
    if use.uncounted or not events:
        return use
    tally = _Tally(use)
    for event in events:
        tally.take(event, agent)
    return CacheUse(
        cache=events[-1].cache,
        languages=MappingProxyType({name: Counts(*counts) for name, counts in tally.languages.items()}),
        reasons=MappingProxyType(tally.reasons),
        sources=MappingProxyType(tally.sources),
        saved_s=tally.saved_s,
        saved_unknown=tally.saved_unknown,
        hit_bytes=tally.hit_bytes,
        stored_bytes=tally.stored_bytes,
        lookups=(*use.lookups, *events)[-MAX_LOOKUPS:],
    )


class _Tally:
    """A use that grows: 1 µs a look-up, where a frozen one each would cost 12."""

    __slots__ = ("hit_bytes", "languages", "reasons", "saved_s", "saved_unknown", "sources", "stored_bytes")

    def __init__(self, use: CacheUse) -> None:
        self.languages = {name: list(counts) for name, counts in use.languages.items()}
        self.reasons, self.sources = dict(use.reasons), dict(use.sources)
        self.saved_s, self.saved_unknown = use.saved_s, use.saved_unknown
        self.hit_bytes, self.stored_bytes = use.hit_bytes, use.stored_bytes

    def take(self, event: e.CacheLookedUp, agent: str) -> None:
        counts = self.languages.setdefault(event.language, [0] * len(Counts._fields))
        counts[_place(event, agent)] += 1
        if event.outcome == "error" and event.reason in _LOOKED:
            counts[_LOOKED_PLACE] += 1
        size = event.size_bytes or 0
        if event.outcome != "hit":
            reason = (event.outcome, event.reason)
            self.reasons[reason] = self.reasons.get(reason, 0) + 1
            self.stored_bytes += size
            return
        self.sources[event.source_agent] = self.sources.get(event.source_agent, 0) + 1
        self.hit_bytes += size
        if event.saved_s is None:
            self.saved_unknown += 1
        else:
            self.saved_s += event.saved_s - (event.elapsed_s or 0.0)


_PLACES = {"missed": 3, "not cacheable": 4, "error": 5}
_LOOKED, _LOOKED_PLACE = ("timeout", "read", "write"), 6


def _place(event: e.CacheLookedUp, agent: str) -> int:
    """Which of the counts it is."""
    if event.outcome == "hit":
        return 2 if not event.source_agent else 0 if event.source_agent == agent else 1
    return _PLACES[event.outcome]


def without_figures(event: e.CacheUncounted) -> CacheUse:
    """The use of a run of which not all can be told."""
    return CacheUse(cache=event.cache, uncounted=event.why)


def _added(many: Iterable[Mapping[_Key, int]]) -> Mapping[_Key, int]:
    found: dict[_Key, int] = {}
    for counts in many:
        for key, count in counts.items():
            found[key] = found.get(key, 0) + count
    return MappingProxyType(found)
