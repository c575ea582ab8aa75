"""A real cargo that waits for a lock: who holds it, and what the wait cost."""

import fcntl
import json
import os
import time
from typing import Any

import pytest

from tests.real.product import Deck, until
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
