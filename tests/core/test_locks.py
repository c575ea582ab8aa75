"""Cargo's locks: the kernel's list as text, real holders and waiters of real files, and what that means for runs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import events as e
from core.host import Held, Owner, Waiter
from core.reduce import reduce_run
from core.watch.lock_book import LockBook
from core.watch.lock_table import Entry, LockTable, parse_locks
from core.watch.locks import NOISE_S, LockWatch, between, build_dirs_of, chain, manifest_of
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
    if path == "--manifest-path":
        break
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

    def start(
        self, *paths: str | Path, cwd: Path | None = None, words: list[str] | None = None
    ) -> subprocess.Popen[str]:
        words = words or [sys.executable, "-I", "-S", "-c", HOLD, *map(str, paths)]
        one = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=cwd)
        self.all.append(one)
        return one

    def holding(
        self, *paths: str | Path, cwd: Path | None = None, words: list[str] | None = None
    ) -> subprocess.Popen[str]:
        one = self.start(*paths, cwd=cwd, words=words)
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


def nobody(pid: int) -> tuple[str, str, str]:
    return "", "", ""


def below(folder: Path, locks: tuple[Held, ...]) -> list[Held]:
    return [held for held in locks if held.path.startswith(str(folder))]


def test_locks_and_who_waits_for_them_are_read() -> None:
    assert parse_locks(TABLE) == [
        Entry(("fe:00", 2368489), 19427, is_exclusive=True, waits=False),
        Entry(("fe:00", 2368489), 19562, is_exclusive=True, waits=True),
        Entry(("fe:00", 2368489), 19563, is_exclusive=False, waits=True),
        Entry(("00:1a", 12), 7, is_exclusive=False, waits=False),
    ]


def test_a_glance_sees_what_a_look_sees(tmp_path: Path) -> None:
    table = LockTable(str(tmp_path))
    assert table.glance() == table.read() == b"", "this system does not say"
    file, first, other = tmp_path / "locks", b"1: FLOCK  ADVISORY  WRITE 7 fe:00:12 0 EOF\n", b"99: FLOCK x\n"
    for content in (first, first, first + other, other + first, b"", first, first + other * 9000, first + other * 9001):
        file.write_bytes(content)
        glance = table.glance()
        assert glance == LockTable(str(tmp_path)).read()
        assert glance == table.read()
        assert glance.count(b"\n") == max(0, content.count(b"\n") - 1)


def test_locks_of_processes_that_cannot_be_seen_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "locks").write_bytes(
        b"1: FLOCK  ADVISORY  WRITE 0 fe:00:12 0 EOF\n2: FLOCK  ADVISORY  READ 0 fe:00:12 0 EOF\n"
        b"3: FLOCK  ADVISORY  READ 70 fe:00:13 0 EOF\n3: -> FLOCK  ADVISORY  WRITE 8 fe:00:13 0 EOF\n"
    )
    assert [(one.pid, one.waits) for one in parse_locks(LockTable(str(tmp_path)).read())] == [(70, False), (8, True)]


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
        lambda: [one for one in below(tmp_path, watch.look(40.0)) if one.holders and not one.waiters], "the next holder"
    )
    assert (held.holders[0].pid, held.since) == (second.pid, 40.0)


def test_several_share_a_lock_and_one_waits_for_all(tmp_path: Path, holders: Holders) -> None:
    lock = tmp_path / ".package-cache-mutate"
    sharing = {holders.holding(f"S:{lock}").pid for _ in range(3)}
    waiting = holders.start(lock)
    watch = LockWatch(nobody)
    (held,) = until(lambda: [one for one in below(tmp_path, watch.look(1.0)) if one.waiters], "a waiter")
    assert {owner.pid for owner in held.holders} == sharing
    assert held.waiters[0].owner.pid == waiting.pid


def test_who_shares_the_package_cache_is_news_while_somebody_waits(tmp_path: Path, holders: Holders) -> None:
    lock = tmp_path / ".package-cache-mutate"
    holders.holding(f"S:{lock}")
    watch = LockWatch(nobody)
    assert below(tmp_path, watch.look(1.0))
    watch.look(1.5)
    assert below(tmp_path, watch.settled()) == []
    holders.start(lock)
    until(lambda: [one for one in below(tmp_path, watch.look(3.0)) if one.waiters], "a waiter")
    watch.look(3.0 + NOISE_S)
    assert below(tmp_path, watch.settled())


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


def test_what_is_open_only_to_who_waits_is_found_by_it(tmp_path: Path, holders: Holders) -> None:
    proc, lock = tmp_path / "proc", tmp_path / "debug" / ".cargo-lock"
    lock.parent.mkdir()
    lock.touch()
    (proc / "20" / "fd").mkdir(parents=True)
    (proc / "20" / "comm").write_text("cargo\n")
    (proc / "20" / "fd" / "5").symlink_to(lock)
    inode = lock.stat().st_ino
    (proc / "locks").write_text(
        f"1: FLOCK  ADVISORY  WRITE 10 fe:00:{inode} 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 20 fe:00:{inode} 0 EOF\n"
    )
    (held,) = LockWatch(nobody, str(proc)).look(1.0)
    assert held.path == str(lock)
    assert held.holders == (Owner(10, "", "", "", ""),)
    assert [waiter.owner.pid for waiter in held.waiters] == [20]


def test_a_lock_whose_caller_is_gone_belongs_to_who_kept_the_file_open(tmp_path: Path) -> None:
    lock = tmp_path / ".cargo-lock"
    words = ["sh", "-c", 'exec 9>"$0"; flock 9; echo held; read line', str(lock)]
    shell = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert shell.stdout is not None
        assert shell.stdout.readline() == "held\n"
        watch = LockWatch(nobody)
        (held,) = below(tmp_path, watch.look(1.0))
        assert [(owner.pid, owner.command) for owner in held.holders] == [(shell.pid, "sh")]
        assert below(tmp_path, watch.look(1.2)) == [held]
    finally:
        shell.communicate("\n")


def test_who_has_a_lock_of_somebody_hidden_is_not_sought_at_each_look(tmp_path: Path) -> None:
    lock, proc = tmp_path / ".cargo-lock", tmp_path / "proc"
    lock.touch()

    def opens(pid: int) -> None:
        for folder in ("fd", "fdinfo"):
            (proc / str(pid) / folder).mkdir(parents=True)
        (proc / str(pid) / "fd/9").symlink_to(lock)
        (proc / str(pid) / "fdinfo/9").write_text("lock:\t1: FLOCK  ADVISORY  WRITE 5 fe:00:1 0 EOF\n")
        (proc / str(pid) / "comm").write_text("cargo\n")

    opens(7)
    (proc / "7/fdinfo/9").write_text("pos: 0\n")
    inode = f"fe:00:{lock.stat().st_ino} 0 EOF"
    (proc / "locks").write_text(f"1: FLOCK  ADVISORY  WRITE 5 {inode}\n1: -> FLOCK  ADVISORY  WRITE 7 {inode}\n")
    watch = LockWatch(nobody, str(proc))

    def holder(look: int) -> int:
        watch.forget_owners()  # each look is one in full
        (held,) = watch.look(100.0 + look / 5)
        return held.holders[0].pid

    assert holder(0) == 5
    opens(8)
    assert {holder(look) for look in range(1, 20)} == {5}
    assert [holder(look) for look in range(20, 60)][-1] == 8


def test_a_clock_that_was_set_back_leaves_no_beginning_in_the_future(tmp_path: Path, holders: Holders) -> None:
    path = tmp_path / ".package-cache"
    holders.holding(path)
    watch = LockWatch(nobody)
    (held,) = below(tmp_path, watch.look(5000.0))
    assert held.since == 5000.0
    (held,) = below(tmp_path, watch.look(1400.0))
    assert held.since == 1400.0
    watch.look(1400.5)
    assert [one.path for one in below(tmp_path, watch.settled())] == [str(path)]


def test_who_was_caught_letting_go_is_looked_at_again(tmp_path: Path) -> None:
    lock = tmp_path / ".package-cache"
    lock.touch()
    fds = tmp_path / "proc" / "10" / "fd"
    fds.mkdir(parents=True)
    (fds.parent / "comm").write_text("cargo\n")
    (tmp_path / "proc" / "locks").write_text(f"1: FLOCK  ADVISORY  WRITE 10 fe:00:{lock.stat().st_ino} 0 EOF\n")
    watch = LockWatch(nobody, str(tmp_path / "proc"))
    assert watch.look(1.0) == ()
    (fds / "3").symlink_to(lock)
    assert [held.path for held in watch.look(1.2)] == [str(lock)]


def test_the_beginning_lies_between_two_looks() -> None:
    assert between(10.0, 10.5) == 10.25
    assert between(10.0, 25.0) == 25.0
    assert between(float("-inf"), 3.0) == 3.0
    assert between(11.0, 10.0) == 10.0  # the clock was set back


def test_what_is_short_is_not_settled_but_who_keeps_others_waiting_is(tmp_path: Path, holders: Holders) -> None:
    lock = tmp_path / ".package-cache"
    first = holders.holding(lock)
    watch = LockWatch(nobody)
    watch.look(10.0)
    assert below(tmp_path, watch.settled()) == []
    watch.look(10.0 + NOISE_S)
    (held,) = below(tmp_path, watch.settled())
    assert [owner.pid for owner in held.holders] == [first.pid]
    second = holders.start(lock)
    until(lambda: [one for one in below(tmp_path, watch.look(31.0)) if one.waiters], "a waiter")
    (held,) = below(tmp_path, watch.settled())
    assert held.waiters == ()
    holders.end(first)

    def has_it() -> list[Held]:
        """For a moment nobody may have it."""
        found = below(tmp_path, watch.look(52.0))
        return [held for held in found if [owner.pid for owner in held.holders] == [second.pid]]

    until(has_it, "the next holder")
    assert below(tmp_path, watch.settled()) == []
    third = holders.start(lock)
    until(lambda: [one for one in below(tmp_path, watch.look(52.1)) if one.waiters], "another waiter")
    watch._since[str(lock), third.pid, True] = 51.0
    (held,) = below(tmp_path, watch.settled())
    assert [owner.pid for owner in held.holders] == [second.pid]


def test_a_process_that_seemed_to_be_nobodys_is_asked_for_again(tmp_path: Path, holders: Holders) -> None:
    one = holders.holding(tmp_path / ".cargo-lock")
    known: dict[int, tuple[str, str, str]] = {}
    watch = LockWatch(lambda pid: known.get(pid, ("", "", "")))
    assert below(tmp_path, watch.look(1.0))[0].holders[0].run == ""
    known[one.pid] = ("run-1", "claude-1", "/w")
    watch.forget_owners()
    assert below(tmp_path, watch.look(1.2))[0].holders[0].agent == "claude-1"


def test_whose_checkout_a_foreign_cargo_builds_is_known(tmp_path: Path, holders: Holders) -> None:
    (tmp_path / "ws" / "app").mkdir(parents=True)
    (tmp_path / "ws" / "Cargo.toml").write_text('[workspace]\nmembers = ["app"]\n')
    (tmp_path / "ws" / "app" / "Cargo.toml").write_text("[package]\n")
    cargo = tmp_path / "bin" / "cargo"
    cargo.parent.mkdir()
    cargo.symlink_to(sys.executable)
    lock = tmp_path / ".cargo-lock"
    words = [str(cargo), "-I", "-S", "-c", HOLD, str(lock)]
    inside = holders.holding(lock, cwd=tmp_path / "ws" / "app", words=words)
    (owner,) = below(tmp_path, LockWatch(nobody).look(1.0))[0].holders
    assert owner.checkout == str(tmp_path / "ws")
    holders.end(inside)
    words += ["--manifest-path", "app/Cargo.toml"]
    holders.holding(lock, cwd=tmp_path / "ws", words=words)
    (owner,) = below(tmp_path, LockWatch(nobody).look(1.0))[0].holders
    assert owner.checkout == str(tmp_path / "ws")


@pytest.mark.parametrize(
    ("words", "manifest"),
    [("cargo build", None), ("cargo build --manifest-path a/Cargo.toml", "a/Cargo.toml"),
     ("cargo build --manifest-path=b", "b"), ("cargo run -- --manifest-path c", None), ("cargo --manifest-path", None)],
)  # fmt: skip
def test_the_manifest_that_was_named(words: str, manifest: str | None) -> None:
    assert manifest_of(words.split()) == manifest


def test_runs_are_told_from_what_is_not_ours(tmp_path: Path, holders: Holders) -> None:
    one = holders.holding(tmp_path / ".cargo-lock")
    watch = LockWatch(lambda pid: ("run-1", "claude-1", "/w") if pid == one.pid else ("", "", ""))
    (owner,) = below(tmp_path, watch.look(1.0))[0].holders
    assert (owner.run, owner.agent, owner.command, owner.checkout) == ("run-1", "claude-1", "", "/w")


def started(target_dir: Path, build_dir: Path | None) -> e.RunStarted:
    return e.RunStarted(1.0, "run-1", "claude-1", "build", "cargo", "build", "/w", "/w", str(target_dir), False, False,
                        False, None if build_dir is None else str(build_dir))  # fmt: skip


@pytest.mark.parametrize("target", ["target", "build/target", "."])
def test_the_lock_of_a_build_dir_that_is_set_apart_is_told_as_such(
    tmp_path: Path, holders: Holders, target: str
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "build")
    dirs = build_dirs_of([started(tmp_path / target, tmp_path / "link")])
    kinds = {tmp_path / "build": "build dir", tmp_path / target: "artifact dir"}
    for folder in kinds:
        (folder / "debug").mkdir(parents=True)
        holders.holding(folder / "debug" / ".cargo-lock")
    watch = LockWatch(nobody)
    assert {held.kind for held in below(tmp_path, watch.look(1.0))} == {"artifact dir"}
    watch.forget_owners(dirs)
    found = below(tmp_path, watch.look(2.0))
    assert {Path(held.path).parent.parent: held.kind for held in found} == kinds


def test_a_build_dir_in_which_another_run_has_its_target_is_a_target_dir_too(tmp_path: Path) -> None:
    runs = [started(tmp_path / "a", tmp_path / "b"), started(tmp_path / "b", None), started(tmp_path, tmp_path)]
    assert build_dirs_of(runs) == frozenset()
    assert build_dirs_of(runs[:1]) == {str(tmp_path / "b")}


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
    assert book._told
    assert book.update(101.0, [held_by(A, B)]) == []
    ((run, over),) = book.update(131.0, [])
    assert (run, over) == ("run-b", e.LockPassed(131.0, "artifact dir", told.path, 31.0, "a", ""))
    assert not book._told


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


def test_a_run_of_which_another_process_still_waits_is_told_of_that_one() -> None:
    book = LockBook()
    both = [held_by(A, B), held_by(C, Owner(22, "run-b", "b", "", ""), path="/u/.cargo-lock")]
    assert len(book.update(101.0, both)) == 2
    facts = book.update(102.0, both[1:])
    assert [type(fact).__name__ for _, fact in facts] == ["LockPassed", "LockBlocked"]
    assert facts[1][1].path == "/u/.cargo-lock"


def test_what_was_paid_is_summed_for_each_lock() -> None:
    started = e.RunStarted(1.0, "r", "a", "build", "cargo", "build", "/w", "/w", "/w/target", False, False, False)
    passed = [
        e.LockPassed(2.0, "build dir", path, paid, "b", "") for path, paid in (("/x", 1.5), ("/y", 2.0), ("/x", 1.0))
    ]
    run = reduce_run(None, [started, *passed])
    assert run is not None
    assert dict(run.lock_paid) == {"/x": 2.5, "/y": 2.0}
    assert sum(run.lock_paid.values()) == 4.5


def test_a_wait_that_outlives_an_engine_began_when_the_first_one_saw_it(tmp_path: Path, holders: Holders) -> None:
    lock = tmp_path / ".cargo-lock"
    first = holders.holding(lock)
    second = holders.start(lock)
    watch = LockWatch(lambda pid: ("run-b", "b", "/w") if pid == second.pid else ("", "", ""))
    before = Held(
        str(lock), "artifact dir", (Owner(first.pid, "", "", "", ""),), 40.0, (Waiter(ours(second.pid, "b"), 50.0),)
    )
    other = LockWatch(nobody)
    until(lambda: [one for one in below(tmp_path, other.look(1.0)) if one.waiters], "the waiter")
    watch.remember([before])
    (held,) = below(tmp_path, watch.look(100.0))
    assert (held.since, held.waiters[0].since) == (40.0, 50.0)
    book = LockBook()
    book.remember([before], 90.0)
    assert [fact for _, fact in book.update(100.0, [held]) if isinstance(fact, e.LockPassed)] == []
    book.update(100.2, [held])
    ((_, over),) = book.update(100.4, [])
    assert isinstance(over, e.LockPassed)
    assert over.waited_s == pytest.approx(50.3)


def test_of_a_wait_that_ended_without_an_engine_what_was_seen_counts() -> None:
    book = LockBook()
    book.remember([held_by(A, B)], 130.0)
    ((run, over),) = book.update(500.0, [])
    assert run == "run-b"
    assert isinstance(over, e.LockPassed)
    assert over.waited_s == 30.0
