"""What nvcc's depfile cache did for runs, added up: calls that make code, each counted once. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from core.events.native import SEEN
from core.nvcc_queries import COMPILING, why_below
from core.state import Run

_COUNTED = {"hit": "hits", "miss": "misses", "bypass": "bypassed", "off": "off", SEEN: "off"}


class NvccUse(NamedTuple):
    """Calls of nvcc that are over and were to make code, by what the depfile cache said."""

    hits: int = 0
    """nvcc was not called."""
    misses: int = 0
    bypassed: int = 0
    """Not looked up: such a call is not understood, or may not be kept."""
    off: int = 0
    """There was no depfile cache before them: the run has none, or no front."""
    unknown: int = 0
    """Nobody told their end."""
    reasons: tuple[tuple[str, str, int], ...] = ()
    """`miss` or `bypass`, why in words with files below their checkout, and how often; the most frequent first."""

    @property
    def asked(self) -> int:
        """Calls that had a depfile cache before them."""
        return self.hits + self.misses + self.bypassed

    @property
    def all(self) -> int:
        """All that are over."""
        return self.asked + self.off + self.unknown

    @property
    def rate(self) -> float | None:
        """Hits of all calls that had the cache before them, 0..1; None: there were none."""
        return self.hits / self.asked if self.asked else None

    @property
    def looked_rate(self) -> float | None:
        """Hits of what was looked up, 0..1; None: nothing was."""
        looked = self.hits + self.misses
        return self.hits / looked if looked else None


def nvcc_use(runs: Iterable[Run]) -> NvccUse:
    """Of all these runs together, as far as their last calls are kept."""
    counts: Counter[str] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    for run in runs:
        for end in run.nvcc_ends:
            if end.kind in COMPILING:
                counts[_COUNTED.get(end.verdict, "unknown")] += 1
                if end.verdict in ("miss", "bypass"):
                    reasons[end.verdict, why_below(end.why, run.checkout)] += 1
    return NvccUse(**counts, reasons=tuple((*key, count) for key, count in reasons.most_common()))


def was_asked(runs: Iterable[Run]) -> bool:
    """A call had a depfile cache before it."""
    ends = (end for run in runs for end in run.nvcc_ends)
    return any(end.kind in COMPILING and end.verdict in ("hit", "miss", "bypass") for end in ends)


def added(uses: Iterable[NvccUse]) -> NvccUse:
    """What it did for all of them together."""
    uses = tuple(uses)
    reasons: Counter[tuple[str, str]] = Counter()
    for use in uses:
        reasons.update({(verdict, why): count for verdict, why, count in use.reasons})
    return NvccUse(
        sum(use.hits for use in uses), sum(use.misses for use in uses), sum(use.bypassed for use in uses),
        sum(use.off for use in uses), sum(use.unknown for use in uses),
        tuple((*key, count) for key, count in reasons.most_common()),
    )  # fmt: skip
