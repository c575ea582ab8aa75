import json
from pathlib import Path
from typing import Any

import pytest

from core import events as e
from core.cache_queries import servers
from core.host import Held, Host, Owner, Waiter, lock_rows, reduce_host, target_of
from core.machine_journal import MAX_BYTES, HostReader, MachineJournal, events_between
from core.paths import Paths
from core.state import Board


def paths_in(folder: Path) -> Paths:
    return Paths(str(folder), str(folder / "cache"))


def sample(at: float, ours: int = 7) -> e.MachineSampled:
    return e.MachineSampled(at, 0.5, 100, 60, 40, ours, 0, 0, (("cpu", 0.1, 0.0),), (("/t", 5, 9, None),))


HELD = Held(
    "/w/target/debug/.cargo-lock", "artifact dir", (Owner(7, "r1", "a", "", "", "/w"),), 3.0,
    (Waiter(Owner(9, "", "", "cargo build", "/v", "/v"), 4.0),),
)  # fmt: skip


def test_what_was_seen_is_read_back(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    journal = MachineJournal(paths.machine)
    reader = HostReader(paths)
    journal.append([sample(1.0), e.LocksSeen(2.0, lock_rows([HELD]))])
    host = reader.poll()
    assert host.sample == sample(1.0)
    assert host.locks == (HELD,)
    assert host.targets == {"/w/target": ("/v", "/w")}
    assert reader.poll() is host
    journal.append([sample(3.0), e.LocksSeen(3.0, ())])
    later = reader.poll()
    assert ([s.at for s in later.trail], later.locks) == ([1.0, 3.0], ())
    assert later.targets == host.targets, "who used a target dir is remembered"


def test_a_full_journal_is_put_aside_and_what_holds_goes_on(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    journal = MachineJournal(paths.machine)
    journal.append([e.LocksSeen(0.5, lock_rows([HELD]))])
    reader = HostReader(paths)
    at = 0.0
    while not (tmp_path / "machine" / "events.2.jsonl").exists():
        at += 1.0
        journal.append([sample(at)])
        reader.poll()
    assert (tmp_path / "machine" / "events.jsonl").stat().st_size < MAX_BYTES
    assert reader.poll().sample == sample(at)
    fresh = HostReader(paths).poll()
    assert fresh.sample == sample(at)
    assert fresh.locks == (HELD,)
    assert len(fresh.trail) == 300, "what was put aside last is read too"


def test_a_span_of_time_begins_with_what_held_then(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    journal = MachineJournal(paths.machine)
    locks = e.LocksSeen(1.0, lock_rows([HELD]))
    journal.append([locks, sample(2.0), sample(5.0), sample(9.0)])
    assert events_between(paths, 4.0, 6.0) == [locks, sample(5.0)]


def test_a_journal_that_was_removed_begins_anew(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    journal = MachineJournal(paths.machine)
    journal.append([sample(1.0)])
    (tmp_path / "machine" / "events.jsonl").unlink()
    journal.append([sample(2.0)])
    assert HostReader(paths).poll().sample == sample(2.0)


def test_events_of_runs_change_nothing_of_the_machine() -> None:
    host = Host()
    assert reduce_host(host, [e.LockWaitEnded(1.0)]) is host


def test_target_dirs_are_told_from_their_locks() -> None:
    assert target_of("/w/target/debug/.cargo-lock") == "/w/target"
    assert target_of("/w/target/x86_64-unknown-linux-gnu/release/.cargo-build-lock") == "/w/target"
    assert target_of("/tmp/my-own-target-dir/debug/.cargo-lock") == "/tmp/my-own-target-dir"
    assert target_of("/home/me/.cargo/.package-cache") is None


def test_a_journal_that_could_not_be_made_anew_is_made_later(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    journal = MachineJournal(paths.machine)
    journal.append([sample(1.0), e.LocksSeen(1.0, lock_rows([HELD]))])
    Path(paths.machine).rename(tmp_path / "elsewhere")
    Path(paths.machine).write_text("in the way")
    for at in (2.0, 3.0):
        with pytest.raises(OSError, match="machine"):
            journal.append([sample(at)])
    Path(paths.machine).unlink()
    journal.append([sample(4.0)])
    host = HostReader(paths).poll()
    assert (host.sample, host.locks) == (sample(4.0), (HELD,))
    assert [file.name for file in Path(paths.machine).iterdir()] == ["events.jsonl"]


OWNER = [7, "", "", "cargo build", "/v", "/v"]
BUILD = [7, 1.0, "cargo", "cargo build", "/v", "/v", ["serde"], 9, None, 2, ""]
SERVER = ["ada", "sccache", None, 1, 2, 3, 4, 5, 6, 7, "own", ""]


def told(tmp_path: Path, *records: dict[str, Any]) -> Host:
    """The machine as a journal with these records tells it."""
    paths = paths_in(tmp_path)
    MachineJournal(paths.machine).append([sample(1.0)])
    with open(f"{paths.machine}/events.jsonl", "a") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)
    return HostReader(paths).poll()


def test_columns_that_a_later_version_adds_to_rows_are_dropped(tmp_path: Path) -> None:
    host = told(
        tmp_path,
        {"event": "ForeignSeen", "at": 2.0, "builds": [[*BUILD, "new"]]},
        {"event": "LocksSeen", "at": 2.0, "locks": [["/l", "k", [[*OWNER, "new"]], 1.0, [[[*OWNER, 1], 1.5]], "new"]]},
        {"event": "CachesSeen", "at": 2.0, "servers": [[*SERVER, "new"]], "trades": [["ada", "bob", 1, 2, "new"]]},
    )
    assert (host.foreign[0].pid, host.foreign[0].in_flight) == (7, ("serde",))
    assert (host.locks[0].holders, host.locks[0].waiters[0].since) == (
        (Owner(7, "", "", "cargo build", "/v", "/v"),),
        1.5,
    )
    assert host.caches is not None
    assert host.caches.trades == (("ada", "bob", 1, 2),)
    assert [server.location for server in servers(Board(host=host))] == ["own"]


@pytest.mark.parametrize(
    "record",
    [
        {"event": "ForeignSeen", "builds": [5]},
        {"event": "ForeignSeen", "builds": [BUILD[:4]]},
        {"event": "LocksSeen", "locks": None},
        {"event": "LocksSeen", "locks": [["/l", "k", [], 1.0]]},
        {"event": "CachesSeen", "servers": [SERVER[:11]]},
        {"event": "CachesSeen", "servers": [SERVER], "trades": [["ada"]]},
    ],
)
def test_rows_of_another_form_say_nothing_and_hide_nothing(tmp_path: Path, record: dict[str, Any]) -> None:
    after = e.to_record(sample(3.0))
    host = told(tmp_path, {**record, "at": 2.0}, after)
    assert host.sample == sample(3.0)
    assert (host.foreign, host.locks, host.caches) == ((), (), None)
