"""Real builds through a real sccache: what its log says adds up, and each miss has the reason that was made for it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.cache.sccache_stats import tally
from tests.real.explained import Explained, explained

SOURCES = {
    "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["low", "mid"]\n',
    "low/Cargo.toml": '[package]\nname = "low"\nversion = "0.1.0"\nedition = "2021"\n[features]\nmore = []\n',
    "low/src/lib.rs": "mod part;\npub fn low() -> u64 { part::seven() }\n",
    "low/src/part.rs": "pub fn seven() -> u64 { 7 }\n",
    "mid/Cargo.toml": '[package]\nname = "mid"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n'
    'low = { path = "../low" }\n',
    "mid/src/lib.rs": "pub fn mid() -> u64 { low::low() + 1 }\n",
}


def workspace(where: Path) -> Path:
    for name, text in SOURCES.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_text(text)
    return where


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explained]:
    with explained(tmp_path_factory.mktemp("x")) as found:  # a socket's path must stay short
        yield found


def test_each_miss_has_the_reason_that_was_made_for_it(world: Explained, tmp_path: Path) -> None:
    here = workspace(tmp_path / "here")
    first = world.build(here, target="t")
    assert first == {"low": ("missed", "first time", ""), "mid": ("missed", "first time", "")}
    assert world.build(here, target="t2") == {"low": ("hit", "", ""), "mid": ("hit", "", "")}

    (here / "low/src/part.rs").write_text("pub fn seven() -> u64 { 70 }\n")
    assert world.build(here, target="t") == {
        "low": ("missed", "source", "low/src/part.rs"),
        "mid": ("missed", "dependency", "low (its own inputs differ)"),
    }
    debuginfo = ("missed", "flags", "-C debuginfo=1, was 2")
    found = world.build(here, "build", "--config", "profile.dev.debug=1", target="t")
    assert found == {"low": debuginfo, "mid": debuginfo}
    feature = ("missed", "flags", '--cfg feature="more" is new')
    assert world.build(here, "build", "-p", "low", "--features", "more", target="t") == {"low": feature}
    variable = ("missed", "environment", "CARGO_TERM_QUIET is new")
    assert world.build(here, target="t3", CARGO_TERM_QUIET="true") == {"low": variable, "mid": variable}

    there = tmp_path / "there"
    shutil.copytree(here, there)
    folder = ("missed", "folder", f"{there}, was {here}"[:160])
    assert world.build(there, target="t4") == {"low": folder, "mid": folder}

    manifest = here / "low/Cargo.toml"
    manifest.write_text(manifest.read_text().replace("0.1.0", "0.2.0"))
    assert world.build(here, target="t")["low"] == ("missed", "environment", "CARGO_PKG_VERSION: 0.2.0, was 0.1.0")

    world.ask("--stop-server")
    shutil.rmtree(world.folder / "cache")
    world.ask("--start-server")
    assert world.build(here, target="t5") == {"low": ("missed", "evicted", ""), "mid": ("missed", "evicted", "")}
    assert world.log.skipped_lines == 0


def test_another_toolchain_is_named_as_the_reason(world: Explained, tmp_path: Path) -> None:
    here = workspace(tmp_path / "here")
    world.build(here, target="t")
    found = world.build(here, "+nightly", "build", target="t2")
    assert {crate: told[:2] for crate, told in found.items()} == {
        "low": ("missed", "compiler"), "mid": ("missed", "compiler"),
    }  # fmt: skip
    assert found["low"][2].startswith("nightly-")


@pytest.mark.long
def test_two_cargos_at_once_add_up_to_what_their_server_counted(world: Explained, tmp_path: Path) -> None:
    here = workspace(tmp_path / "here")
    for turn in range(2):
        wishes = [("build", "a"), ("build", "b"), ("check", "c")]
        builds = [world.begin(here, wish, target=f"{target}{turn}") for wish, target in wishes]
        assert [build.wait(300) for build in builds] == [0, 0, 0]
        world.read()
        assert tally(world.verdicts) == world.stats().tally()
    assert sum(verdict.outcome == "hit" for verdict in world.verdicts) >= 6
    assert world.log.in_flight == world.log.skipped_lines == 0
    # Two of one crate that reach a step within a millisecond may be told each other's keys: never another crate's.
    keys: dict[str, set[str]] = {}
    for verdict in world.verdicts:
        keys.setdefault(verdict.crate_name, set()).add(verdict.key)
    assert {crate: len(found) for crate, found in keys.items()} == {"low": 2, "mid": 2}
    assert not keys["low"] & keys["mid"]
