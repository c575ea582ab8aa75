"""What sccache's server says of itself. Pure."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any

from core.cache.sccache_log import is_question
from core.cache.verdict import Verdict
from core.values import dataclass

_NONE: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ServerStats:
    """Since the server was started, or its statistics were zeroed. Not asked: all zero."""

    hits_by: Mapping[str, int] = field(default_factory=lambda: _NONE)
    """By language."""
    misses_by: Mapping[str, int] = field(default_factory=lambda: _NONE)
    """By language; with what timed out or could not be read, and what then could not be stored."""
    errors_by: Mapping[str, int] = field(default_factory=lambda: _NONE)
    """By language: entries that could not be read (they are misses too), sources that the compiler refused while the
    key was made, and failures of the server itself."""
    not_cacheable_by: Mapping[str, int] = field(default_factory=lambda: _NONE)
    """By reason, without questions to a compiler."""
    questions: int = 0
    """Calls that were no compilations: `-vV`, `-`, `-E`, `--print`, links."""
    timeouts: int = 0
    read_errors: int = 0
    """sccache 0.16 never counts one: what the store does not answer is a miss to it (`ServerLog.read_failures`)."""
    write_errors: int = 0
    writes: int = 0
    compile_fails: int = 0
    """Compilers that failed after the key was made; nvcc counts once for itself and once for its step."""
    uncacheable_outputs: int = 0
    """Calls of nvcc itself."""
    recaches: int = 0
    compilations: int = 0
    cache_location: str = ""
    """As sccache words it: `Local disk: "…"`, `redis, name: …`. Foreign text, may hold a user's name in a URL."""
    cache_bytes: int | None = None
    """Of a local disk that was used; None: not known."""
    version: str = ""
    hit_s: float = 0.0
    """Reading entries took, in all."""
    write_s: float = 0.0
    compile_s: float = 0.0

    @property
    def hits(self) -> int:
        """Of all languages."""
        return sum(self.hits_by.values())

    @property
    def misses(self) -> int:
        """Of all languages."""
        return sum(self.misses_by.values())

    @property
    def errors(self) -> int:
        """Of all languages."""
        return sum(self.errors_by.values())

    @property
    def not_cacheable(self) -> int:
        """For all reasons."""
        return sum(self.not_cacheable_by.values())

    @property
    def is_read_only_suspected(self) -> bool:
        """Writes failed, and none went through: the server may have found its store read-only when it started."""
        return self.write_errors > 0 and self.writes == 0

    def tally(self) -> Counter[tuple[str, str]]:
        """All counts under their names, those of no language or reason under an empty one; zeros are left out."""
        counts: Counter[tuple[str, str]] = Counter()
        for name in ("hits", "misses", "errors", "not_cacheable"):
            by: Mapping[str, int] = getattr(self, f"{name}_by")
            counts.update({(name, of): count for of, count in by.items()})
        for name in ("timeouts", "write_errors", "writes", "compile_fails", "uncacheable_outputs", "recaches"):
            counts[name, ""] = getattr(self, name)
        return +counts


def parse_stats(text: bytes) -> ServerStats:
    """The statistics. Source: sccache 0.16, `--show-stats --stats-format=json`. Raises ValueError where it is not that:

    `{"stats": {"cache_hits": {"counts": {"Rust": 20}, …}, "not_cached": {"crate-type": 3, "missing input": 2}, …},
    "cache_location": "…", "cache_size": null, "version": "0.16.0", …}`; a count that is missing is 0.
    """
    try:
        whole = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    stats = whole.get("stats") if isinstance(whole, dict) else None
    if not isinstance(stats, dict):
        raise ValueError("no statistics of sccache")
    reasons = _counts(stats.get("not_cached"))
    unsupported = _count(stats, "requests_unsupported_compiler")
    kept = {reason: count for reason, count in reasons.items() if not is_question(reason)}
    if unsupported:
        kept["unsupported compiler"] = unsupported
    return ServerStats(
        _by_language(stats, "cache_hits"), _by_language(stats, "cache_misses"), _by_language(stats, "cache_errors"),
        MappingProxyType(kept),
        sum(reasons.values()) - sum(kept.values()) + unsupported + _count(stats, "requests_not_compile"),
        _count(stats, "cache_timeouts"), _count(stats, "cache_read_errors"), _count(stats, "cache_write_errors"),
        _count(stats, "cache_writes"), _count(stats, "compile_fails"), _count(stats, "non_cacheable_compilations"),
        _count(stats, "forced_recaches"), _count(stats, "compilations"), str(whole.get("cache_location") or ""),
        _count(whole, "cache_size") if whole.get("cache_size") is not None else None, str(whole.get("version") or ""),
        _seconds(stats, "cache_read_hit_duration"), _seconds(stats, "cache_write_duration"),
        _seconds(stats, "compiler_write_duration"),
    )  # fmt: skip


def tally(verdicts: Iterable[Verdict]) -> Counter[tuple[str, str]]:
    """What the server's statistics should have grown by: (counter, language or reason or nothing) → how often.

    Equal to `ServerStats.tally` of the same span.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for verdict in verdicts:
        for counter in verdict.counters:
            match counter:
                case "hits" | "misses" | "errors":
                    counts[counter, verdict.language] += 1
                case "not_cacheable":
                    counts[counter, verdict.reason] += 1
                case _:
                    counts[counter, ""] += 1
    return counts


def _by_language(stats: Mapping[str, Any], name: str) -> Mapping[str, int]:
    found = stats.get(name)
    return MappingProxyType(_counts(found.get("counts") if isinstance(found, dict) else None))


def _counts(found: object) -> dict[str, int]:
    if not isinstance(found, dict):
        return {}
    return {str(name): count for name, count in found.items() if isinstance(count, int) and count}


def _count(stats: Mapping[str, Any], name: str) -> int:
    found = stats.get(name)
    return found if isinstance(found, int) else 0


def _seconds(stats: Mapping[str, Any], name: str) -> float:
    found = stats.get(name)
    if not isinstance(found, dict):
        return 0.0
    return _count(found, "secs") + _count(found, "nanos") / 1e9
