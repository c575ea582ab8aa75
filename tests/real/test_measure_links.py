"""What settings do to a link, measured by real builds; nothing of it is left but the figures."""

import os
from pathlib import Path

import pytest

from tests.real.product import Deck
from tests.real.samples import write_files

FILES = {
    "Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n',
    "src/main.rs": 'fn main() { println!("{:?}", std::env::args().collect::<Vec<_>>()); }\n',
}


def content(folder: str) -> dict[str, str]:
    paths = (path for path in Path(folder).rglob("*") if path.is_file() and "target" not in path.parts)
    return {str(path): path.read_text() for path in paths}


@pytest.mark.long
def test_each_setting_is_measured_and_the_repository_stays_as_it_was(deck: Deck) -> None:
    folder = deck.folder + "/work"
    write_files(folder, FILES)
    assert deck.run("build", "--agent", "a", cwd=folder).returncode == 0
    before = content(folder)
    done = deck.json("links", "measure", "a", "--unit", "app(bin)", "--json")
    trials = {trial["setting"]: trial for trial in done["trials"]}
    assert {"as is", "linker mold", "linker bfd", "debug = 0", 'strip = "symbols"'} <= trials.keys()
    assert [trial["trouble"] for trial in trials.values() if trial["trouble"]] == []
    assert all(trial["peak_bytes"] > 5_000_000 and trial["elapsed_s"] > 0 for trial in trials.values())
    assert trials['strip = "symbols"']["output_bytes"] < trials["as is"]["output_bytes"] / 2
    assert (trials["linker mold"]["linker"], trials["linker bfd"]["linker"]) == ("mold", "bfd")
    assert content(folder) == before
    assert os.listdir(deck.folder + "/cache/cargo-deck/measure") == ["lock"]
    listed = deck.json("links", "--json")
    assert [one["unit"] for one in listed["measurements"]] == ["app(bin)"]
    assert [link["agent"] for link in listed["links"]] == ["a"]


def test_a_unit_that_was_not_linked_is_a_sentence(deck: Deck) -> None:
    folder = deck.folder + "/work"
    write_files(folder, FILES)
    assert deck.run("check", "--agent", "a", cwd=folder).returncode == 0
    done = deck.run("links", "measure", "a")
    assert done.returncode == 2
    assert "linked no unit of cargo: its links are: none" in done.stderr
