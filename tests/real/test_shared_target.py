"""Two real checkouts and one target dir: what cargo runs, and that the proof says so."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from core.watch.shared_target import Judged, prove
from tests.real.product import plain_env
from tests.real.samples import write_files

MANIFEST = '[package]\nname = "{}"\nversion = "0.1.0"\nedition = "2021"\n'
FILES = {
    "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["app", "mid"]\n',
    "app/Cargo.toml": MANIFEST.format("app") + '[dependencies]\nmid = { path = "../mid" }\n',
    "app/src/main.rs": 'fn main() { println!("first {}", mid::number()) }\n',
    "mid/Cargo.toml": MANIFEST.format("mid"),
    "mid/src/lib.rs": "//! Middle.\n\n/// One.\npub fn number() -> u32 { 1 }\n",
}
OWN = ("own", ())


class Pair:
    """Two copies of one workspace, older than all that is built of them, and the dir that they share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first, self.second, self.target = (str(folder / name) for name in ("first", "second", "target"))
        write_files(self.first, FILES)
        shutil.copytree(self.first, self.second)
        self.env = plain_env(str(folder))

    def edit(self, checkout: str, file: str, old: str, new: str) -> None:
        path = f"{checkout}/{file}"
        with open(path) as content:
            text = content.read()
        with open(path, "w") as changed:
            changed.write(text.replace(old, new))

    def run(self, checkout: str, *words: str, variable: str = "CARGO_TARGET_DIR") -> str:
        """What the program prints that cargo runs there."""
        done = subprocess.run(
            ["cargo", "run", "-q", *words], cwd=checkout, env={**self.env, variable: self.target},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    def judged(self, package: str) -> dict[str, tuple[str, tuple[str, ...]]]:
        """By name of the checkout: the verdict, and what differs."""
        (made,) = (one for one in prove(self.target, (self.first, self.second)).made if one.package == package)
        return {os.path.basename(one.checkout): _short(one) for one in made.judged}


def _short(judged: Judged) -> tuple[str, tuple[str, ...]]:
    return judged.verdict, judged.differs


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def test_cargo_runs_the_program_of_the_other_checkout_and_the_proof_says_so(pair: Pair) -> None:
    pair.edit(pair.second, "app/src/main.rs", "first", "second")
    assert pair.run(pair.first) == "first 1"
    assert pair.run(pair.second) == "first 1"  # what no one wants
    proof = prove(pair.target, (pair.first, pair.second))
    assert proof.is_harmful
    assert proof.made[0].path.startswith(pair.target + "/debug/deps/app-")
    assert proof.made[0].made_of == pair.first
    assert pair.judged("app") == {"first": OWN, "second": ("wrong", ("app/src/main.rs",))}
    assert pair.judged("mid") == {"first": OWN, "second": ("same", ())}
    os.utime(f"{pair.second}/app/src/main.rs")
    assert pair.judged("app") == {"first": OWN, "second": ("anew", ())}
    assert pair.run(pair.second) == "second 1"
    assert pair.judged("app") == {"first": ("wrong", ("app/src/main.rs",)), "second": OWN}
    assert pair.run(pair.first) == "second 1"


def test_a_library_of_the_other_checkout_is_found_too(pair: Pair) -> None:
    pair.edit(pair.second, "mid/src/lib.rs", "{ 1 }", "{ 2 }")
    assert pair.run(pair.first, "--release") == "first 1"
    assert pair.run(pair.second, "--release") == "first 1"
    judged = pair.judged("app")
    assert {one[0] for one in judged.values()} == {"either"}  # a release says nothing of where it was made
    assert {one[1] for one in judged.values()} == {("mid/src/lib.rs",)}


def test_checkouts_with_equal_sources_do_no_harm(pair: Pair) -> None:
    assert pair.run(pair.first) == pair.run(pair.second) == "first 1"
    proof = prove(pair.target, (pair.first, pair.second))
    assert not proof.is_harmful
    assert {made.package for made in proof.made} == {"app", "mid"}
    assert pair.judged("app") == {"first": OWN, "second": ("same", ())}


def test_an_example_is_found_too(pair: Pair) -> None:
    for checkout in (pair.first, pair.second):
        write_files(checkout, {"app/examples/show.rs": 'fn main() { println!("first") }\n'})
    pair.edit(pair.second, "app/examples/show.rs", "first", "second")
    assert pair.run(pair.first, "--example", "show") == pair.run(pair.second, "--example", "show") == "first"
    (made,) = (one for one in prove(pair.target, (pair.first, pair.second)).made if one.is_harmful)
    assert (made.target, made.made_of) == ("example-show", pair.first)
    assert made.path.startswith(pair.target + "/debug/examples/show-")


def test_a_shared_build_dir_does_the_same_harm(pair: Pair) -> None:
    pair.edit(pair.second, "app/src/main.rs", "first", "second")
    for checkout in (pair.first, pair.second):
        assert pair.run(checkout, variable="CARGO_BUILD_BUILD_DIR") == "first 1"
        assert os.path.exists(f"{checkout}/target/debug/app")
    assert pair.judged("app") == {"first": OWN, "second": ("wrong", ("app/src/main.rs",))}
