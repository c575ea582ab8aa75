"""What a cache did, as `--json` gives it; fields as in docs/json.md."""

from typing import Any

from core.cache_use import CacheUse, Counts


def cache_record(use: CacheUse) -> dict[str, Any] | None:
    """What a cache did for a run; None: nothing went through one."""
    if not use.cache:
        return None
    return {
        "name": use.cache, "uncounted": use.uncounted or None,
        "effective_rate": use.main.effective_rate, "server_rate": use.main.server_rate,
        "saved_s": saved_record(use),
        "saved_unknown": use.saved_unknown, "hit_bytes": use.hit_bytes, "stored_bytes": use.stored_bytes,
        "languages": [
            {"language": language, **counts_record(counts)} for language, counts in use.languages.items()
        ],
        "reasons": [{"outcome": outcome, "reason": reason, "count": count}
                    for (outcome, reason), count in use.reasons.items()],
        "sources": [{"agent": agent or None, "hits": hits} for agent, hits in use.sources.items()],
    }  # fmt: skip


def counts_record(counts: Counts) -> dict[str, int]:
    """Compilations by what became of them."""
    return {
        "hits_own": counts.own, "hits_other": counts.other, "hits_unknown": counts.unknown, "missed": counts.missed,
        "not_cacheable": counts.not_cacheable, "errors": counts.errors,
    }  # fmt: skip


def saved_record(use: CacheUse) -> float | None:
    """Seconds that hits saved; None: that is not known."""
    return round(use.saved_s, 3) if use.is_saved_known else None
