"""Real cargos that wait for locks: who holds them, and what the waits cost."""

import contextlib
import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.real.product import COMMAND, Deck, until
from tests.real.samples import write_files

MANIFEST = '[package]\nname = "held"\nversion = "0.1.0"\nedition = "2021"\n'


def events(run: str, name: str) -> list[dict[str, Any]]:
    try:
        with open(f"{run}/events.jsonl") as file:
            return [found for line in file if (found := json.loads(line)).get("event") == name]
    except FileNotFoundError:
        return []


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_the_holder_of_a_lock_is_named_and_the_wait_is_measured(deck: Deck, quiet: tuple[str, ...]) -> None:
    root = os.path.join(deck.folder, "held")
    write_files(root, {"Cargo.toml": MANIFEST, "src/lib.rs": ""})
    path = f"{root}/target/debug/.cargo-lock"
    os.makedirs(os.path.dirname(path))
    with open(path, "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        deck.run("build", *quiet, "--detach", "--agent", "waiter", cwd=root)
        (run,) = deck.runs()
        (told,) = until(lambda: events(run, "LockBlocked"), 10, "the wait")
        began = told["since"]
        assert (told["holder_pid"], told["path"], told["kind"]) == (os.getpid(), path, "artifact dir")
        assert (told["holder_run"], told["holder_agent"]) == ("", "")
        (listed,) = deck.json("ps", "--json")["runs"]
        assert listed["state"] == "waiting"
        fcntl.flock(held, fcntl.LOCK_UN)
        waited_s = time.time() - began
    (passed,) = until(lambda: events(run, "LockPassed"), 10, "the end of the wait")
    assert passed["waited_s"] == pytest.approx(waited_s, abs=0.5)
    until(lambda: events(run, "RunEnded"), 20, "the end of the build")


def test_the_lock_of_a_build_dir_that_is_set_apart_is_named_as_cargo_does(deck: Deck) -> None:
    root = os.path.join(deck.folder, "apart")
    config = '[build]\nbuild-dir = "made"\n'
    write_files(root, {"Cargo.toml": MANIFEST, "src/lib.rs": "", ".cargo/config.toml": config})
    os.makedirs(f"{root}/made/debug")
    with open(f"{root}/made/debug/.cargo-lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        deck.run("build", "--detach", cwd=root)
        (run,) = deck.runs()
        (told,) = until(lambda: events(run, "LockBlocked"), 10, "the wait")
        assert (told["path"], told["kind"]) == (held.name, "build dir")
        (listed,) = (one for one in deck.json("locks", "--json")["locks"] if one["path"] == held.name)
        assert listed["kind"] == "build dir"
        with open(run + "/out.log") as log:
            assert "waiting for file lock on build directory" in log.read()
    until(lambda: events(run, "RunEnded"), 20, "the end of the build")


GATED = {
    "Cargo.toml": MANIFEST, "src/main.rs": "fn main() {}\n",
    "build.rs": """fn main() {
    let gate = std::env::var("GATE").unwrap_or_default();
    while !gate.is_empty() && !std::path::Path::new(&gate).exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
""",
}  # fmt: skip
"""A package whose build goes on until a file is there."""


@contextlib.contextmanager
def foreign(deck: Deck, root: str, gate: str, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A cargo that was not started through us."""
    env = {**deck.env, "GATE": gate}
    null = subprocess.DEVNULL
    with subprocess.Popen(["cargo", *words], cwd=root, env=env, stdin=null, stdout=null, stderr=null) as one:
        try:
            yield one
        finally:
            one.kill()


def locks(deck: Deck, lock: str) -> dict[str, Any] | None:
    """The lock as the engine told last, by whoever holds it and waits."""
    with contextlib.suppress(FileNotFoundError), open(deck.state + "/machine/events.jsonl") as file:
        seen = [found for line in file if (found := json.loads(line)).get("event") == "LocksSeen"]
        for path, kind, holders, since, waiters in seen[-1]["locks"] if seen else ():
            if path == lock:
                return {"kind": kind, "holders": holders, "since": since, "waiters": waiters}
    return None


@pytest.mark.parametrize(
    ("toolchain", "name", "kind"),
    [("stable", ".cargo-lock", "artifact dir"), ("nightly", ".cargo-build-lock", "build dir")],
)
def test_builds_that_are_not_ours_are_seen_too_with_their_checkout(
    deck: Deck, toolchain: str, name: str, kind: str
) -> None:
    root, gate = os.path.join(deck.folder, "gated"), os.path.join(deck.folder, "gate")
    write_files(root, GATED)
    deck.env["RUSTUP_TOOLCHAIN"] = toolchain
    path = f"{root}/target/debug/{name}"
    engine = subprocess.Popen([COMMAND, "top"], env=deck.env, stdout=subprocess.DEVNULL)
    try:
        deck.run("build", "--detach", "--agent", "wakes", cwd=root)  # an engine is there from now on
        (run,) = deck.runs()
        until(lambda: events(run, "RunEnded"), 30, "the first build")
        os.utime(f"{root}/build.rs")
        with foreign(deck, root, gate, "build", "--offline") as first:
            until(lambda: locks(deck, path), 10, "the holder")
            with foreign(deck, root, "", "check", "--offline", "--manifest-path", "Cargo.toml") as second:
                seen = until(lambda: (found := locks(deck, path)) and found["waiters"] and found, 10, "the waiter")
                assert seen["kind"] == kind
                ((holder, holder_run, agent, command, cwd, checkout),) = seen["holders"]
                assert (holder, holder_run, agent, cwd, checkout) == (first.pid, "", "", root, root)
                assert command == "cargo build --offline"
                (((waiter, *_, waiting_for), _),) = seen["waiters"]
                assert (waiter, waiting_for) == (second.pid, root)
                open(gate, "w").close()
                second.wait(30)
        until(lambda: locks(deck, path) is None, 10, "the end of both")
    finally:
        engine.terminate()
        engine.wait()


def test_two_agents_in_one_given_dir_wait_and_a_chain_is_followed(deck: Deck) -> None:
    root, gate = os.path.join(deck.folder, "gated"), os.path.join(deck.folder, "gate")
    write_files(root, GATED)
    shared = os.path.join(deck.folder, "shared")
    deck.env["CARGO_TARGET_DIR"] = shared
    path = f"{shared}/debug/.cargo-lock"
    deck.run("build", "--offline", "--detach", "--agent", "first", cwd=root, env={"GATE": gate})
    until(lambda: locks(deck, path), 20, "the holder")
    deck.run("build", "--offline", "--detach", "--agent", "second", cwd=root)
    seen = until(lambda: (found := locks(deck, path)) and found["waiters"] and found, 10, "the waiter")
    assert [owner[2] for owner in seen["holders"]] == ["first"]
    assert [owner[2] for owner, _ in seen["waiters"]] == ["second"]
    shown = deck.json("locks", "--json")
    (one,) = (one for one in shown["locks"] if one["path"] == path)
    assert ([owner["agent"] for owner in one["holders"]], one["waiters"][0]["agent"]) == (["first"], "second")
    assert one["held_since"] is not None
    assert [spent["agent"] for spent in one["lost_today"]] == ["second"]
    assert shown["shared"] == []  # one checkout
    open(gate, "w").close()
    for run in deck.runs():
        until(partial(events, run, "RunEnded"), 30, f"the end of {run}")
