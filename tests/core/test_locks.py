"""Cargo's locks: the kernel's list as text, real holders and waiters of real files, and what that means for runs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import events as e
from core.host import Held, Owner, Waiter
from core.watch.lock_book import NOISE_S, LockBook
from core.watch.locks import Entry, LockWatch, chain, parse_locks, shared_targets
from tests.core.runs import until

TABLE = b"""1: FLOCK  ADVISORY  WRITE 19427 fe:00:2368489 0 EOF
1: -> FLOCK  ADVISORY  WRITE 19562 fe:00:2368489 0 EOF
1: -> FLOCK  ADVISORY  READ 19563 fe:00:2368489 0 EOF
2: POSIX  ADVISORY  WRITE 512 00:1a:99 0 EOF
3: OFDLCK ADVISORY  READ -1 00:06:1042 0 EOF
4: FLOCK  ADVISORY  READ 7 00:1a:12 0 EOF
5: FLOCK  ADVISORY  WR"""
HOLD = """
import fcntl, os, sys
for path in sys.argv[1:]:
    is_shared = path.startswith("S:")
    fd = os.open(path.removeprefix("S:"), os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


class Holders:
    """Processes that take locks one after another and keep them until they are told to end."""

    def __init__(self) -> None:
        self.all: list[subprocess.Popen[str]] = []

    def start(self, *paths: str | Path, cwd: Path | None = None) -> subprocess.Popen[str]:
        words = [sys.executable, "-I", "-S", "-c", HOLD, *map(str, paths)]
        one = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=cwd)
        self.all.append(one)
        return one

    def holding(self, *paths: str | Path, cwd: Path | None = None) -> subprocess.Popen[str]:
        one = self.start(*paths, cwd=cwd)
        assert one.stdout is not None
        assert one.stdout.readline() == "held\n"
        return one

    def end(self, one: subprocess.Popen[str]) -> None:
        one.communicate("")


@pytest.fixture
def holders() -> Iterator[Holders]:
    found = Holders()
    yield found
    for one in found.all:
        if one.poll() is None:
            one.kill()
            one.communicate()


def nobody(pid: int) -> tuple[str, str]:
    return "", ""


def below(folder: Path, locks: tuple[Held, ...]) -> list[Held]:
    return [held for held in locks if held.path.startswith(str(folder))]


def test_locks_and_who_waits_for_them_are_read() -> None:
    assert parse_locks(TABLE) == [
        Entry(("fe:00", 2368489), 19427, is_exclusive=True, waits=False),
        Entry(("fe:00", 2368489), 19562, is_exclusive=True, waits=True),
        Entry(("fe:00", 2368489), 19563, is_exclusive=False, waits=True),
        Entry(("00:1a", 12), 7, is_exclusive=False, waits=False),
    ]


def test_a_system_without_the_list_has_no_locks(tmp_path: Path) -> None:
    assert LockWatch(nobody, str(tmp_path)).look(1.0) == ()


@pytest.mark.parametrize(
    ("name", "kind"),
    [(".package-cache", "package cache"), (".package-cache-mutate", "shared package cache"),
     (".cargo-lock", "artifact dir"), (".cargo-build-lock", "build dir"), (".cargo-artifact-lock", "artifact dir")],
)  # fmt: skip
def test_a_lock_of_each_generation_is_known_by_its_file(tmp_path: Path, holders: Holders, name: str, kind: str) -> None:
    one = holders.holding(tmp_path / name, cwd=tmp_path)
    (held,) = below(tmp_path, LockWatch(nobody).look(5.0))
    assert (held.path, held.kind, held.since, held.waiters) == (str(tmp_path / name), kind, 5.0, ())
    (owner,) = held.holders
    assert (owner.pid, owner.run, owner.cwd) == (one.pid, "", str(tmp_path))
    assert owner.command == os.path.basename(sys.executable)


def test_locks_that_are_not_cargos_are_left_out(tmp_path: Path, holders: Holders) -> None:
    holders.holding(tmp_path / "other.lock")
    assert below(tmp_path, LockWatch(nobody).look(1.0)) == []


def test_a_waiter_is_seen_and_so_is_its_end(tmp_path: Path, holders: Holders) -> None:
    lock = tmp_path / ".cargo-lock"
    first = holders.holding(lock)
    second = holders.start(lock)
    watch = LockWatch(nobody)
    (held,) = until(lambda: [one for one in below(tmp_path, watch.look(10.0)) if one.waiters], "a waiter")
    assert [waiter.owner.pid for waiter in held.waiters] == [second.pid]
    assert below(tmp_path, watch.look(14.0))[0].waiters[0].since == 10.0
    holders.end(first)
    (held,) = until(
        lambda: [one for one in below(tmp_path, watch.look(20.0)) if one.holders and not one.waiters], "the next holder"
    )
    assert (held.holders[0].pid, held.since) == (second.pid, 20.0)


def test_several_share_a_lock_and_one_waits_for_all(tmp_path: Path, holders: Holders) -> None:
    lock = tmp_path / ".package-cache-mutate"
    sharing = {holders.holding(f"S:{lock}").pid for _ in range(3)}
    waiting = holders.start(lock)
    watch = LockWatch(nobody)
    (held,) = until(lambda: [one for one in below(tmp_path, watch.look(1.0)) if one.waiters], "a waiter")
    assert {owner.pid for owner in held.holders} == sharing
    assert held.waiters[0].owner.pid == waiting.pid


def test_a_chain_is_followed_to_its_end(tmp_path: Path, holders: Holders) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
    locks = [tmp_path / name / ".cargo-lock" for name in "abc"]
    last = holders.holding(locks[2])
    middle = holders.holding(locks[1])
    second = holders.start(locks[0], locks[2])  # holds a, waits for c
    watch = LockWatch(nobody)
    until(lambda: [held for held in below(tmp_path, watch.look(1.0)) if held.waiters], "the first waiter")
    third = holders.start(locks[0])  # waits for a
    found = until(lambda: chain(watch.look(1.0), third.pid), "the chain")
    assert [owner.pid for owner in found] == [second.pid, last.pid]
    assert chain(watch.look(1.0), middle.pid) == ()


def test_runs_are_told_from_what_is_not_ours(tmp_path: Path, holders: Holders) -> None:
    one = holders.holding(tmp_path / ".cargo-lock")
    watch = LockWatch(lambda pid: ("run-1", "claude-1") if pid == one.pid else ("", ""))
    (owner,) = below(tmp_path, watch.look(1.0))[0].holders
    assert (owner.run, owner.agent, owner.command) == ("run-1", "claude-1", "")


def ours(pid: int, agent: str) -> Owner:
    return Owner(pid, f"run-{agent}", agent, "", "")


def held_by(holder: Owner, *waiters: Owner, path: str = "/t/debug/.cargo-lock", since: float = 50.0) -> Held:
    return Held(path, "artifact dir", (holder,), since, tuple(Waiter(one, 100.0) for one in waiters))


A, B, C = ours(1, "a"), ours(2, "b"), ours(3, "c")
FOREIGN = Owner(9, "", "", "cargo check", "/w")


def test_a_wait_is_told_once_it_is_no_noise_and_again_when_it_is_over() -> None:
    book = LockBook()
    assert book.update(100.1, [held_by(A, B)]) == []
    ((run, told),) = book.update(100.0 + NOISE_S, [held_by(A, B)])
    assert run == "run-b"
    assert isinstance(told, e.LockBlocked)
    assert (told.holder_agent, told.holder_run, told.holder_pid, told.since) == ("a", "run-a", 1, 100.0)
    assert book.has_waits
    assert book.update(101.0, [held_by(A, B)]) == []
    ((run, over),) = book.update(131.0, [])
    assert (run, over) == ("run-b", e.LockPassed(131.0, "artifact dir", told.path, 31.0, "a", ""))
    assert not book.has_waits


def test_a_short_wait_is_never_told() -> None:
    book = LockBook()
    assert book.update(100.2, [held_by(A, B)]) == []
    assert book.update(100.4, []) == []


def test_another_holder_is_told_and_the_wait_goes_on() -> None:
    book = LockBook()
    book.update(101.0, [held_by(A, B, C)])
    facts = book.update(102.0, [held_by(B, C, since=102.0)])
    assert [(run, type(fact).__name__) for run, fact in facts] == [("run-b", "LockPassed"), ("run-c", "LockBlocked")]
    told = facts[1][1]
    assert isinstance(told, e.LockBlocked)
    assert (told.holder_agent, told.since, told.holder_since) == ("b", 100.0, 102.0)


def test_who_is_not_ours_is_told_by_command_and_folder() -> None:
    ((_, told),) = LockBook().update(101.0, [held_by(FOREIGN, B)])
    assert isinstance(told, e.LockBlocked)
    assert (told.holder, told.holder_cwd, told.holder_agent, told.holder_run) == ("cargo check", "/w", "", "")
    assert LockBook().update(101.0, [held_by(A, FOREIGN)]) == []


def test_whom_the_holder_waits_for_is_told() -> None:
    locks = [held_by(A, B), held_by(FOREIGN, A, path="/u/.cargo-lock")]
    told = dict(LockBook().update(101.0, locks))["run-b"]
    assert isinstance(told, e.LockBlocked)
    assert told.behind == ("cargo check",)


def test_two_checkouts_with_one_target_dir_are_found() -> None:
    runs = {"1": ("/a", "/t"), "2": ("/b", "/t"), "3": ("/b", "/b/target"), "4": ("/c", None)}
    assert shared_targets(runs) == {"/t": ("/a", "/b")}
