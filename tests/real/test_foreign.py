"""A real cargo that nobody started through us: seen with and without an engine, and gone when it ends."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.real.product import Deck, temporary_deck, until
from tests.real.samples import write_files

MANIFEST = '[package]\nname = "slow"\nversion = "0.1.0"\nedition = "2021"\n'
SCRIPT = """fn main() {
    let _ = std::io::Read::read(&mut std::fs::File::open("wait").unwrap(), &mut [0]);
}
"""


@contextmanager
def held_build(deck: Deck, root: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Plain cargo, at its build script until the block is left."""
    write_files(root, {"Cargo.toml": MANIFEST, "src/lib.rs": "", "build.rs": SCRIPT})
    os.mkfifo(root + "/wait")
    with subprocess.Popen(
        ["cargo", "build", "-q", *words], cwd=root, env=deck.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as build:
        writer = os.open(root + "/wait", os.O_RDWR)
        try:
            yield build
        finally:
            os.write(writer, b"go on")
            build.wait(30)
            os.close(writer)


def seen(deck: Deck, root: str) -> list[dict[str, Any]]:
    """What `ps` says of builds in a folder."""
    found: list[dict[str, Any]] = deck.json("ps", "--json")["foreign"]
    return [one for one in found if one["cwd"] == root]


def told(deck: Deck, root: str) -> list[list[Any]]:
    """Builds in a folder, as each event of the machine's journal tells of them."""
    try:
        with open(deck.state + "/machine/events.jsonl") as file:
            events = [json.loads(line) for line in file if '"ForeignSeen"' in line]
    except FileNotFoundError:
        return []
    return [[row for row in event["builds"] if row[4] == root] for event in events]


def test_one_look_shows_a_build_without_an_engine(deck: Deck) -> None:
    root = deck.folder + "/one"
    with held_build(deck, root, "--config", "http.proxy='http://ada:geheim@127.0.0.1:9'") as build:
        (one,) = until(lambda: [b for b in seen(deck, root) if b["in_flight"] == ["slow(build)"]], 30, "the build")
        assert deck.engine() is None
        assert (one["pid"], one["tool"], one["checkout"]) == (build.pid, "cargo", root)
        assert one["command"].startswith("cargo build -q --config http.proxy=")
        assert "geheim" not in json.dumps(one)
        assert one["memory_bytes"] > 0
        assert one["processes"] == 2
    assert seen(deck, root) == []


@pytest.mark.long
def test_an_engine_follows_it_to_its_end_and_knows_its_lock(deck: Deck) -> None:
    root, own = deck.folder + "/theirs", deck.folder + "/ours"
    write_files(own, {"Cargo.toml": MANIFEST.replace("slow", "own"), "src/lib.rs": "", "build.rs": SCRIPT})
    os.mkfifo(own + "/wait")
    writer = os.open(own + "/wait", os.O_RDWR)
    deck.run("build", "--detach", "--agent", "me", cwd=own)
    with held_build(deck, root) as build:
        until(lambda: told(deck, root) and told(deck, root)[-1], 30, "the build in the journal")
        (one,) = until(
            lambda: [b for b in seen(deck, root) if b["holds"] and b["cpu_cores"] is not None], 15, "its lock"
        )
        assert one["pid"] == build.pid
        assert "artifact dir" in one["holds"]
        assert seen(deck, own) == []
    until(lambda: told(deck, root)[-1] == [], 15, "its end in the journal")
    os.write(writer, b"go on")
    os.close(writer)
    until(lambda: deck.json("ps", "--json")["runs"][0]["state"] == "done", 30, "the end of our own")


def test_what_another_state_folder_runs_is_not_ours(deck: Deck) -> None:
    root = deck.folder + "/theirs"
    write_files(root, {"Cargo.toml": MANIFEST, "src/lib.rs": "", "build.rs": SCRIPT})
    os.mkfifo(root + "/wait")
    writer = os.open(root + "/wait", os.O_RDWR)
    with temporary_deck() as other:
        other.run("build", "--detach", cwd=root)
        (one,) = until(lambda: [b for b in seen(deck, root) if b["in_flight"] == ["slow(build)"]], 30, "their build")
        assert one["tool"] == "cargo"
        assert (deck.json("ps", "--json")["runs"], seen(other, root)) == ([], [])
    os.close(writer)


def test_what_a_run_leaves_behind_is_shown_once_it_is_over(deck: Deck) -> None:
    root = deck.folder + "/left"
    write_files(root, {"Cargo.toml": MANIFEST, "src/lib.rs": "", "build.rs": SCRIPT})
    os.mkfifo(root + "/wait")
    writer = os.open(root + "/wait", os.O_RDWR)
    deck.run("exec", "--", "sh", "-c", "setsid cargo check -q > log 2>&1 &", cwd=root)
    assert deck.json("ps", "--json")["runs"][0]["state"] == "done"
    until(lambda: [b["command"] for b in seen(deck, root)] == ["cargo check -q"], 30, "what it left")
    os.write(writer, b"go on")
    until(lambda: seen(deck, root) == [], 30, "its end")
    os.close(writer)
