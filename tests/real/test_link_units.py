"""Links of each kind of target are named as cargo names their units, however rustc and its linker are called."""

import json
import os
from pathlib import Path

import pytest

from tests.real.product import Deck, until
from tests.real.samples import write_files

_MANIFEST = """[package]
name = "my-app"
version = "0.1.0"
edition = "2021"
[lib]
[[bin]]
name = "my-bin"
path = "src/main.rs"
[[bench]]
name = "my-bench"
harness = false
[[bench]]
name = "h-bench"
[[test]]
name = "nh-test"
harness = false
[[example]]
name = "dy-ex"
crate-type = ["cdylib"]
"""
_PROGRAMS = (
    "build", "src/main", "benches/my-bench", "benches/h-bench", "tests/nh-test", "tests/my-test", "examples/my-ex",
    "examples/dy-ex",
)  # fmt: skip
_UNITS = [
    "dy-ex(example)", "h-bench(bench)", "my-app(build.rs)", "my-bench(bench)", "my-bin(bin test)", "my-bin(bin)",
    "my-ex(example)", "my-test(test)", "my_app(test)", "nh-test(test)",
]  # fmt: skip
_WRAPPER = '#!/bin/sh\ncc "$@"\n'
_ARGUMENTS_IN_A_FILE = """#!/bin/sh
case "$*" in *"--crate-name ___"* | *-vV*) exec "$@";; esac
rustc=$1; shift
file=$(mktemp)
printf '%s\\n' "$@" > "$file"
"$rustc" "@$file"
"""


@pytest.mark.parametrize("way", ["", *(pytest.param(way, marks=pytest.mark.long) for way in ("linker", "arguments"))])
def test_a_link_is_named_as_its_unit(deck: Deck, way: str) -> None:
    folder = deck.folder + "/work"
    write_files(folder, {
        "Cargo.toml": _MANIFEST, "src/lib.rs": "pub fn one() {}\n",
        "linker": _WRAPPER, "arguments": _ARGUMENTS_IN_A_FILE,
        **{f"{name}.rs": "fn main() {}\n" for name in _PROGRAMS},
    })  # fmt: skip
    for name in ("linker", "arguments"):
        os.chmod(f"{folder}/{name}", 0o755)
    env = {"linker": {"RUSTFLAGS": f"-Clinker={folder}/linker"}, "arguments": {"RUSTC_WRAPPER": f"{folder}/arguments"}}
    done = deck.run("build", "--agent", "a", "--all-targets", cwd=folder, env=env.get(way))
    assert done.returncode == 0, done.stderr
    deck.run("ps")
    (run,) = deck.runs()
    path = Path(run, "events.jsonl")
    until(lambda: path.exists() and '"RunEnded"' in path.read_text(), 30, "the journal")
    events = [json.loads(line) for line in path.read_text().splitlines()]
    ends = [event for event in events if event.get("event") == "LinkEnded" and not event["is_sampled"]]
    assert sorted(end["unit"] for end in ends) == _UNITS
