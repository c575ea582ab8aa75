"""How the demo tells what a store gave."""

from pathlib import Path

import pytest

from core import events as e
from core.journal import JournalWriter
from core.paths import Paths
from tui.cli.demo_gain import Gain, await_end, cached, sentence, uncached


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


def test_the_end_of_a_run_is_awaited_with_what_caches_did_for_it(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    paths = Paths(str(folder), str(folder / "cache"))
    run = "20251229-100000-000-beef"
    (folder / "runs" / run).mkdir(parents=True)
    writer = JournalWriter(paths.run(run) + "/events.jsonl", run)
    writer.append([
        e.RunStarted(1.0, run, "claude-5", "build", "cargo", "build", "/w", "/w", "/t", False, False, False),
        e.CacheLookedUp(2.0, "sccache", "a", "Rust", "hit", "k", "claude-1", "", "", 0.1, 2.0, 9),
        e.RunEnded(3.0, 0, None, 2.0, 1.0, 1.0, 0, None),
    ])  # fmt: skip
    writer.close()
    told = await_end(paths, run)
    assert told is not None
    assert told.cache.rust.other == 1
    assert told.ended is not None
    assert told.ended.wall_s == 2.0
