"""`cargo deck locks`: what is held now, as a table and as JSON; and the proof of what a shared dir does."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core import events as e
from core.machine_journal import MachineJournal
from core.paths import Paths
from tests.core.runs import until
from tests.core.test_locks import Holders
from tests.core.test_shared_target import World
from tests.tui.commands import user_folders
from tests.tui.test_cli_json import documented
from tui.cli import locks as command
from tui.cli.main import main


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setattr("tui.cli.locks.ensure_engine", lambda paths: None)
    return user_folders(tmp_path / "user", monkeypatch)


@pytest.fixture
def holders() -> Iterator[Holders]:
    found = Holders()
    yield found
    for one in found.all:
        one.kill()
        one.communicate()


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    main(["locks", *words, "--json"])
    return json.loads(capsys.readouterr().out)


def test_who_holds_and_who_waits_is_printed_as_it_is_now(
    tmp_path: Path, paths: Paths, holders: Holders, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = tmp_path / "ws/target/debug/.cargo-lock"
    lock.parent.mkdir(parents=True)
    first, second = holders.holding(lock), holders.start(lock)

    def found() -> Any:
        whole = printed(capsys)
        one = next(one for one in whole["locks"] if one["path"] == str(lock))
        return (whole, one) if one["waiters"] else None

    whole, one = until(found, "the waiter")
    assert (whole["schema"], set(whole) - {"schema", "version"}) == (
        "cargo-deck/locks", documented("## `cargo-deck/locks` (version 1)"),
    )  # fmt: skip
    assert set(one) == documented("### A lock")
    assert (one["kind"], one["held_since"], one["lost_today"]) == ("artifact dir", None, [])
    (holder,), (waiter,) = one["holders"], one["waiters"]
    assert set(holder) == documented("### A process at a lock")
    assert set(waiter) == set(holder) | {"since"}
    assert (holder["pid"], waiter["pid"], waiter["since"]) == (first.pid, second.pid, None)
    main(["locks"])
    shown = capsys.readouterr().out
    assert "artifact dir" in shown
    assert f"in {os.getcwd()}" in shown


def test_since_when_is_known_where_an_engine_saw_it(
    tmp_path: Path, paths: Paths, holders: Holders, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = tmp_path / ".package-cache"
    one = holders.holding(lock)
    journal = MachineJournal(paths.machine)
    journal.append([e.LocksSeen(50.0, ((str(lock), "package cache", ((one.pid, "", "", "", "", ""),), 40.0, ()),))])
    journal.close()
    (found,) = (one for one in printed(capsys)["locks"] if one["path"] == str(lock))
    assert found["held_since"] == 40.0


def test_a_proof_that_cargo_runs_the_wrong_program_is_an_exit_code(
    tmp_path: Path, paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(tmp_path / "pair")
    first = world.checkout("a", "fn main() {}")
    world.checkout("b", "fn main() { other() }")
    world.unit(made_in=str(first))
    holding = [(number, "", "", "cargo build", root, root) for number, root in enumerate(world.checkouts, 1)]
    lock = f"{world.target}/debug/.cargo-lock"
    journal = MachineJournal(paths.machine)
    journal.append([e.LocksSeen(50.0, ((lock, "artifact dir", tuple(holding), 40.0, ()),))])
    journal.close()
    (shared,) = printed(capsys)["shared"]
    assert set(shared) == documented("### A shared dir")
    assert (shared["path"], shared["checkouts"], shared["proof"]) == (str(world.target), world.checkouts, None)
    (shared,) = printed(capsys, "--prove")["shared"]
    assert set(shared["proof"]) == documented("### `proof`")
    assert shared["proof"]["is_harmful"]
    (unit,) = shared["proof"]["units"]
    assert set(unit) == documented("### A unit of a shared dir")
    assert [one["verdict"] for one in unit["found_by"]] == ["own", "wrong"]
    assert main(["locks", "--prove"]) == command.EXIT_WRONG
    shown = capsys.readouterr().out
    assert f"{world.checkouts[1]}: cargo runs this one there, though app/src/main.rs differs" in shown
    assert f"touch {world.checkouts[1]}/app/src/main.rs" in shown
    assert main(["locks"]) == 0
    assert "cargo deck locks --prove reads the dir" in capsys.readouterr().out


def test_where_nothing_is_shared_there_is_nothing_to_prove(
    paths: Paths, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.cli.locks.look_now", lambda *_: ())
    assert main(["locks", "--prove"]) == 0
    assert "there is nothing to prove" in capsys.readouterr().out
    assert main(["locks"]) == 0
    assert "prove" not in capsys.readouterr().out
