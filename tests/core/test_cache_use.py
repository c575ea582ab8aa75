"""What a cache did for a run, added up."""

from dataclasses import replace

import pytest

from core import events as e
from core.cache_use import MAX_LOOKUPS, CacheUse, Counts, add_lookups, combine, without_figures
from core.events.cache import CacheOutcome

AGENT = "ada"


def looked_up(
    outcome: CacheOutcome,
    *,
    at: float = 1.0,
    unit: str = "serde",
    language: str = "Rust",
    source: str = "",
    reason: str = "",
    saved_s: float | None = None,
) -> e.CacheLookedUp:
    size = 100 if outcome in ("hit", "missed") else None
    return e.CacheLookedUp(at, "sccache", unit, language, outcome, "k", source, reason, "", 0.5, saved_s, size)


def use_of(*events: e.CacheLookedUp, agent: str = AGENT) -> CacheUse:
    return add_lookups(CacheUse(), events, agent)


MIXED = (
    looked_up("hit", source="ada", saved_s=2.5),
    looked_up("hit", source="bob", saved_s=4.0),
    looked_up("hit"),
    looked_up("missed", reason="source"),
    looked_up("not cacheable", reason="crate-type"),
    looked_up("not cacheable", reason="crate-type"),
    looked_up("error", reason="timeout"),
    looked_up("missed", language="PTX", reason="first time"),
)


def test_each_compilation_is_counted_once_by_what_became_of_it() -> None:
    use = use_of(*MIXED)
    assert use.rust == Counts(own=1, other=1, unknown=1, missed=1, not_cacheable=2, errors=1, failed_lookups=1)
    assert use.languages["PTX"] == Counts(missed=1)
    assert use.total.all == len(MIXED)
    assert dict(use.sources) == {"ada": 1, "bob": 1, "": 1}
    assert dict(use.reasons) == {
        ("missed", "source"): 1, ("missed", "first time"): 1,
        ("not cacheable", "crate-type"): 2, ("error", "timeout"): 1,
    }  # fmt: skip
    assert (use.hit_bytes, use.stored_bytes) == (300, 200)


def test_the_effective_rate_is_of_all_that_had_to_be_made_and_the_servers_of_what_it_could_keep() -> None:
    rust = use_of(*MIXED).rust
    assert rust.effective_rate == pytest.approx(3 / 7)
    assert rust.server_rate == pytest.approx(3 / 5)  # a look-up that timed out is a miss to the server
    assert rust.compiled == 4
    assert (Counts().effective_rate, Counts().server_rate) == (None, None)
    assert Counts(not_cacheable=2).server_rate is None


def test_what_could_not_be_looked_up_read_or_stored_is_a_miss_to_the_server_and_what_failed_otherwise_is_not() -> None:
    lookups = ("timeout", "read", "write")
    others = ("compile failed", "server")
    use = use_of(looked_up("hit"), *(looked_up("error", reason=reason) for reason in (*lookups, *others)))
    assert (use.rust.looked_up, use.rust.server_rate) == (4, 1 / 4)
    assert (use.rust.errors, use.rust.all) == (5, 6)


def test_saved_is_what_compiling_took_less_the_look_up_of_hits_of_which_it_is_known() -> None:
    use = use_of(*MIXED)
    assert use.saved_s == pytest.approx(2.0 + 3.5)
    assert use.saved_unknown == 1


def test_what_was_saved_is_known_of_no_hit_and_where_it_is_known_of_one() -> None:
    def is_known(*saved: float | None, missed: int = 0) -> bool:
        hits = [looked_up("hit", saved_s=one) for one in saved]
        return use_of(*hits, *[looked_up("missed")] * missed).is_saved_known

    assert is_known(None, 2.0)
    assert is_known(missed=2)
    assert not is_known(None, missed=2)
    assert not CacheUse().is_saved_known


def test_one_number_is_made_of_units_of_cargo_where_there_are_any() -> None:
    assert use_of(*MIXED).main == use_of(*MIXED).rust
    assert use_of(MIXED[-1]).main == Counts(missed=1)
    assert CacheUse().main == Counts()


def test_only_the_latest_look_ups_are_kept_and_all_are_counted() -> None:
    events = [looked_up("hit", at=float(at), source="ada", saved_s=1.0) for at in range(MAX_LOOKUPS + 5)]
    use = use_of(*events)
    assert use.lookups == tuple(events[5:])
    assert use.rust.own == MAX_LOOKUPS + 5


def test_a_batch_is_as_good_as_one_look_up_after_the_other() -> None:
    use = CacheUse()
    for event in MIXED:
        use = add_lookups(use, [event], AGENT)
    assert use == use_of(*MIXED)
    assert add_lookups(use, [], AGENT) is use


def test_what_is_not_counted_stays_so_and_has_no_figures() -> None:
    bare = without_figures(e.CacheUncounted(1.0, "zccache", "two builds shared a session"))
    assert add_lookups(bare, MIXED, AGENT) is bare
    assert (bare.total.all, bare.cache) == (0, "zccache")
    assert combine([bare, use_of(*MIXED)]).uncounted == "two builds shared a session"


def test_several_runs_add_up() -> None:
    first, second = use_of(*MIXED), use_of(looked_up("hit", at=0.5, source="bob", saved_s=1.5))
    both = combine([first, CacheUse(), second])
    assert both.rust == first.rust.plus(second.rust)
    assert both.languages["PTX"] == first.languages["PTX"]
    assert dict(both.sources) == {"ada": 1, "bob": 2, "": 1}
    assert both.saved_s == pytest.approx(first.saved_s + 1.0)
    assert (both.saved_unknown, both.hit_bytes) == (1, 400)
    assert both.lookups[0] == second.lookups[0]
    assert len(both.lookups) == len(MIXED) + 1
    assert combine([first]) is first
    assert combine([]) == replace(CacheUse())
