"""A build script that asks to be run anew when PATH changes, in builds with and without us by turns."""

import subprocess

import pytest

from tests.real.product import Deck
from tests.real.samples import write_files

FILES = {
    "Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n',
    "src/main.rs": "fn main() {}",
    "build.rs": 'fn main() { println!("cargo:rerun-if-env-changed=PATH"); }',
}


def made(deck: Deck) -> list[str]:
    """What became of the package in a build of ours and then in a plain one."""
    folder = deck.folder + "/app"
    ours = deck.run("build", "-v", "--agent", "a", cwd=folder)
    words = ["cargo", "build", "-v"]
    plain = subprocess.run(words, cwd=folder, env=deck.env, capture_output=True, text=True, check=True)
    assert ours.returncode == 0
    return [line.split()[0] for said in (ours.stderr, plain.stderr) for line in said.splitlines() if " app " in line]


def test_after_a_plain_build_nothing_is_made_again(deck: Deck) -> None:
    write_files(deck.folder + "/app", FILES)
    subprocess.run(["cargo", "build", "-q"], cwd=deck.folder + "/app", env=deck.env, check=True)
    assert made(deck) == ["Fresh", "Fresh"]


@pytest.mark.long
def test_after_a_first_build_of_ours_it_is_made_again_once(deck: Deck) -> None:
    write_files(deck.folder + "/app", FILES)
    assert made(deck)[0] == "Compiling"
    assert made(deck) == ["Fresh", "Fresh"]
