"""A user's own sccache in front of real builds: it stays in charge, and its figures are the run's.

zccache, kache and mbx are tried by `python -m bench.user_caches` where they are installed.
"""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator

import pytest

from core import events as e
from tests.real.product import Deck, read_json, until
from tests.real.samples import write_chain
from tests.real.test_locks import events


@pytest.fixture
def root(deck: Deck) -> Iterator[str]:
    """A workspace of three libraries and a program, behind the user's sccache with a server of his own."""
    folder = os.path.join(deck.folder, "work")
    write_chain(folder, crates=3, functions=5)
    os.makedirs(folder + "/.cargo")
    with open(folder + "/.cargo/config.toml", "w") as file:
        file.write('[build]\nrustc-wrapper = "sccache"\nincremental = false\n')
    deck.env |= {"SCCACHE_DIR": deck.folder + "/store", "SCCACHE_SERVER_UDS": deck.folder + "/s"}
    yield folder
    subprocess.run(["sccache", "--stop-server"], env=deck.env, capture_output=True, check=False)


def told(deck: Deck, folder: str, agent: str, *more: str) -> tuple[Counter[str], list[str]]:
    """Outcomes of a build's compilations, and why there are none."""
    before = set(deck.runs())
    done = deck.run("build", *more, "--agent", agent, cwd=folder)
    assert done.returncode == 0, done.stderr
    (run,) = set(deck.runs()) - before
    until(lambda: events(run, "RunEnded"), 30, "the end of the journal")
    assert read_json(run + "/run.json")["rustc_wrapper"] == "sccache"
    found = [e.from_record(row) for row in events(run, "CacheLookedUp")]
    outcomes = Counter[str](one.outcome for one in found if isinstance(one, e.CacheLookedUp))
    return outcomes, [str(row["why"]) for row in events(run, "CacheUncounted")]


def test_a_run_has_the_figures_that_its_own_calls_made_the_server_count(deck: Deck, root: str) -> None:
    assert told(deck, root, "one") == (Counter({"missed": 3, "not cacheable": 1}), [])
    shutil.rmtree(root + "/target")
    assert told(deck, root, "one") == (Counter({"hit": 3, "not cacheable": 1}), [])
    assert told(deck, root, "one") == (Counter(), [])


@pytest.mark.long
def test_a_run_has_none_where_somebody_else_used_the_server_meanwhile(deck: Deck, root: str) -> None:
    with open(root + "/link0/build.rs", "w") as file:
        file.write(_ASKS_AS_WELL)
    outcomes, why = told(deck, root, "one")
    assert not outcomes
    assert len(why) == 1
    assert "compilations, and the run asked for" in why[0]


_ASKS_AS_WELL = """fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    std::fs::write(format!("{out}/other.rs"), "pub fn other() {}").unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = path.split(':').filter(|one| !one.contains("/fronts/")).collect::<Vec<_>>().join(":");
    let status = std::process::Command::new("sccache")
        .args(["rustc", "--crate-name", "other", "--edition=2021", "--crate-type=lib", "--emit=link"])
        .args(["--out-dir", &out, &format!("{out}/other.rs")])
        .env("PATH", path)
        .status()
        .unwrap();
    assert!(status.success());
}
"""
