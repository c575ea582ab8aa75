"""Processes of real builds that die of signal 9: told, and by whom is unknown; not where somebody ended the run."""

import os
from typing import Any

import pytest

from tests.real.product import Deck, until
from tests.real.samples import write_files

MANIFEST = '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n'
SUICIDE = 'std::process::Command::new("sh").args(["-c", "kill -9 $PPID"]).status().unwrap();'
KILLED = {
    "build script": ("build", {"build.rs": f"fn main() {{ {SUICIDE} }}"}, "build-script-bu"),
    "test": ("test", {"src/main.rs": f"fn main() {{}}\n#[test] fn a() {{ {SUICIDE} }}"}, "app-"),
}


def killed(deck: Deck, agent: str) -> list[dict[str, Any]]:
    """What is told of the run of an agent once it is over."""

    def ended() -> dict[str, Any] | None:
        runs = [one for one in deck.json("ps", "--json")["runs"] if one["agent"] == agent and one["exit"]]
        return runs[0] if runs else None

    found: list[dict[str, Any]] = until(ended, 10, "its end")["killed"]
    return found


@pytest.mark.parametrize("kind", KILLED)
def test_a_process_that_is_killed_is_named(deck: Deck, kind: str) -> None:
    word, files, name = KILLED[kind]
    write_files(deck.folder + "/app", {"Cargo.toml": MANIFEST, "src/main.rs": "fn main() {}", **files})
    assert deck.run(word, "--agent", "a", cwd=deck.folder + "/app").returncode == 101
    (told,) = killed(deck, "a")
    assert (told["is_oom"], told["pid"]) == (False, None)
    assert told["name"].startswith(name)


def test_a_command_that_is_killed_is_named(deck: Deck) -> None:
    deck.run("exec", "--agent", "a", "--", "sh", "-c", "kill -9 $$")
    (told,) = killed(deck, "a")
    assert (told["is_oom"], told["name"]) == (False, "sh")


def test_what_somebody_stopped_was_not_killed_by_somebody_unknown(deck: Deck) -> None:
    deck.run("exec", "--detach", "--agent", "a", "--", "sh", "-c", "trap '' TERM INT; sleep 60 & wait; sleep 60")
    (run,) = until(lambda: deck.runs(), 5, "the run")
    assert deck.run("stop", "--kill", os.path.basename(run)).returncode == 0
    assert killed(deck, "a") == []
