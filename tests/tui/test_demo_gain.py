"""How the demo tells what a store gave."""

import fcntl
from pathlib import Path

import pytest

from core import events as e
from core.journal import JournalWriter
from core.paths import Paths
from tui.cli import demo_gain
from tui.cli.demo_gain import Gain, await_end, cached, follow, sentence, uncached


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (Gain(9, 16, 4.1, 8.9),
         "claude-5 in a second checkout: 9 of 16 units came from the store, 4.1 s; plain cargo took 8.9 s."),
        (Gain(9, 16, 8.9, 8.9),
         "claude-5 in a second checkout: 9 of 16 units came from the store, 8.9 s: no faster than plain cargo, which "
         "took 8.9 s."),
        (Gain(0, 16, 70.0, 8.9),
         "claude-5 in a second checkout: 0 of 16 units came from the store, 1:10: slower than plain cargo, which took "
         "8.9 s."),
        (Gain(0, 0, 9.0, 8.9, "sccache could not be used: it is not there"),
         "claude-5 in a second checkout had no compiler cache (sccache could not be used: it is not there): 9.0 s; "
         "plain cargo took 8.9 s."),
    ],
)  # fmt: skip
def test_the_gain_is_told_as_it_is(gain: Gain, said: str) -> None:
    assert sentence(gain) == said


def test_a_persons_own_choice_of_a_cache_stays_but_for_builds_without_one() -> None:
    assert cached({"A": "1"}) == {"A": "1", "DECK_CACHE": "sccache"}
    assert cached({"DECK_CACHE": "none"}) == {"DECK_CACHE": "none"}
    assert uncached({"DECK_CACHE": "sccache", "RUSTC_WRAPPER": "x"}) == {"DECK_CACHE": "none", "RUSTC_WRAPPER": ""}


def _ended(tmp_path: Path, run: str, agent: str, seconds: float, *hits: str) -> Paths:
    """The journal of a build that succeeded."""
    folder = tmp_path / "state"
    paths = Paths(str(folder), str(folder / "cache"))
    (folder / "runs" / run).mkdir(parents=True)
    writer = JournalWriter(paths.run(run) + "/events.jsonl", run)
    writer.append([
        e.RunStarted(1.0, run, agent, "build", "cargo", "build", "/w", "/w", "/t", False, False, False),
        *(e.CacheLookedUp(2.0, "sccache", unit, "Rust", "hit", "k", "claude-1", "", "", 0.1, 2.0, 9) for unit in hits),
        e.RunEnded(1.0 + seconds, 0, None, seconds, 1.0, 1.0, 0, None),
    ])  # fmt: skip
    writer.close()
    return paths


def test_the_end_of_a_run_is_awaited_with_what_caches_did_for_it(tmp_path: Path) -> None:
    run = "20251229-100000-000-beef"
    told = await_end(_ended(tmp_path, run, "claude-5", 2.0, "a"), run)
    assert told is not None
    assert told.cache.rust.other == 1
    assert told.ended is not None
    assert told.ended.wall_s == 2.0


def test_who_watched_on_the_dashboard_is_told_the_gain_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _ended(tmp_path, "20251229-100000-000-0001", "claude-5", 4.0, "a", "b")
    paths = _ended(tmp_path, "20251229-100000-000-0002", "no-cache", 9.0)
    monkeypatch.setattr(demo_gain, "start", lambda *_: "20251229-100000-000-0001")
    monkeypatch.setattr(demo_gain, "start_beside", lambda *_: "20251229-100000-000-0002")
    told: list[Gain] = []
    follow(paths, str(tmp_path), {}, {}, told.append)
    assert told == [Gain(2, 2, 4.0, 9.0)]


def test_the_fifth_agent_waits_for_who_fills_the_store_and_not_for_the_slowest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fills, slow, fifth, beside = (f"20251229-100000-000-000{n}" for n in range(4))
    _ended(tmp_path, fills, "claude-1", 2.0)
    _ended(tmp_path, fifth, "claude-5", 4.0, "a", "b")
    paths = _ended(tmp_path, beside, "no-cache", 9.0)
    monkeypatch.setattr(demo_gain, "start", lambda *_: fifth)
    monkeypatch.setattr(demo_gain, "start_beside", lambda *_: beside)
    (tmp_path / "state" / "open").mkdir()
    told: list[Gain] = []
    with (tmp_path / "state" / "open" / slow).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        follow(paths, str(tmp_path), {}, {fills: "claude-1", slow: "claude-2"}, told.append)
    assert told == [Gain(2, 2, 4.0, 9.0, is_alone=False)]
    assert sentence(told[0]).endswith("plain cargo took 9.0 s. Other builds ran meanwhile.")
