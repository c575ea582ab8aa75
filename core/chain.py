"""Which units held a build up to its end: the chain of those that followed one another without a pause. Pure, but for
`read_needs`.

Cargo's own graph of units is not to be had on stable. Known are the times at which the log told of units, and from
`Cargo.lock` which package needs which; more is not claimed.
"""

import tomllib
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.story import Span

RESOLUTION_S = 0.3
"""Cargo draws its progress every 100 ms, the engine looks every 100 to 200: closer moments are not told apart."""

Package = tuple[str, str]
"""Name, version."""
Needs = Mapping[Package, frozenset[Package]]
"""Of each package, those that it needs directly: at run time, to build, or for its tests."""


@dataclass(frozen=True, slots=True)
class Link:
    """A unit of the chain."""

    span: Span
    after: str
    """Why it began when it did: `needs` (a unit of its package or one it needs was there just then), `free` (some
    other unit had just finished: it may have waited for a core), `start` (no unit finished just then)."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Units from first to last: each began when the one before it had finished, the last one ended the build."""

    links: tuple[Link, ...] = ()

    @property
    def seconds(self) -> float:
        """From the first one's start to the last one's end."""
        if not self.links:
            return 0.0
        first, last = self.links[0].span, self.links[-1].span
        return (last.ended or 0.0) - (first.began if first.began is not None else first.ended or 0.0)

    def count(self, after: str) -> int:
        """How many units began for this reason."""
        return sum(link.after == after for link in self.links)


def find_chain(spans: Sequence[Span], needs: Needs | None) -> Chain:
    """The chain that ended a build; `needs`: None where nobody knows."""
    closed = sorted((span for span in spans if span.ended is not None), key=lambda span: span.ended or 0.0)
    if not closed:
        return Chain()
    ends = [span.ended or 0.0 for span in closed]
    span = max(closed, key=lambda one: (one.ended or 0.0, one.elapsed_s or 0.0))
    links: list[Link] = []
    while True:
        before, after = _before(span, closed, ends, needs)
        links.append(Link(span, after))
        if before is None:
            return Chain(tuple(reversed(links)))
        span = before


def _before(span: Span, closed: Sequence[Span], ends: Sequence[float], needs: Needs | None) -> tuple[Span | None, str]:
    """The unit that had finished when this one began, and which way that held it."""
    if span.began is None:
        return None, "start"
    first, last = bisect_left(ends, span.began - RESOLUTION_S), bisect_right(ends, span.began + RESOLUTION_S)
    found = [one for one in closed[first:last] if one is not span and _can_precede(one, span.began)]
    needed = [one for one in found if needs is not None and _is_needed(one, span, needs)]
    chosen = max(needed or found, key=lambda one: one.elapsed_s or 0.0, default=None)
    return chosen, "needs" if needed else "free" if found else "start"


def _can_precede(one: Span, began: float) -> bool:
    """It began earlier (so that the walk back ends); where nobody saw its start, at least it was there."""
    return one.began < began if one.began is not None else one.ended is not None and one.ended <= began


def _is_needed(one: Span, by: Span, needs: Needs) -> bool:
    mine, its = (by.package, by.version), (one.package, one.version)
    return bool(one.package) and (mine == its or its in needs.get(mine, ()))


def read_needs(checkout: str) -> Needs | None:
    """Which package needs which, as `Cargo.lock` stands now; None where it cannot be read."""
    try:
        with open(checkout + "/Cargo.lock", "rb") as file:
            return needs_of(tomllib.load(file))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def needs_of(lock: Mapping[str, object]) -> Needs:
    """The same from a parsed lock file. Source: cargo 1.95, lock file versions 3 and 4.

    A dependency is `name`, or `name version` (`name version (source)`) where several versions are in use.

    Raises:
        KeyError, TypeError, AttributeError: it is not of this form.
    """
    packages = lock["package"]
    if not isinstance(packages, list):
        raise TypeError("Cargo.lock: package is no list")
    versions: dict[str, list[str]] = {}
    for package in packages:
        versions.setdefault(package["name"], []).append(package["version"])
    found: dict[Package, frozenset[Package]] = {}
    for package in packages:
        words = [entry.split(" ") for entry in package.get("dependencies", ())]
        needed = [(word[0], word[1] if len(word) > 1 else versions[word[0]][0]) for word in words]
        found[package["name"], package["version"]] = frozenset(needed)
    return found
