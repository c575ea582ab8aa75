"""Rows of locks, chains, what was lost, and dirs that several checkouts share."""

from dataclasses import replace
from types import MappingProxyType

from core import events as e
from core.host import Held, Host, Owner, Waiter
from core.lock_queries import (
    LockLine,
    lock_lines,
    lost_today,
    run_advice,
    shared_targets,
    shared_words,
    what_avoids,
)
from core.reduce import reduce_run
from core.state import Board, Run

NOW = 10_000.0
TARGET = "/w/target/debug/"


def owner(pid: int, agent: str = "", command: str = "", checkout: str = "/w") -> Owner:
    return Owner(pid, f"run-{agent}" if agent else "", agent, command, "" if agent else "/w", checkout)


A, B, C = owner(1, "a"), owner(2, "b"), owner(3, "c")
FOREIGN = owner(9, command="cargo check")


def held(path: str, holder: Owner, *waiters: tuple[Owner, float], kind: str = "artifact dir") -> Held:
    waiting = tuple(Waiter(one, NOW - waited_s) for one, waited_s in waiters)
    return Held(path, kind, (holder,), NOW - 100, waiting)


def run(name: str, agent: str, *events: e.Event, checkout: str = "/w", target: str | None = "/w/target") -> Run:
    started = e.RunStarted(
        NOW - 200, name, agent, "build", "cargo", "build", checkout, checkout, target, False, False, False
    )
    found = reduce_run(None, [started, *events])
    assert found is not None
    return found


def board(*locks: Held, runs: tuple[Run, ...] = (), **targets: tuple[str, ...]) -> Board:
    seen = MappingProxyType({f"/{name}": found for name, found in targets.items()})
    return Board({one.run: one for one in runs}, NOW, NOW - 1, Host(locks=locks, targets=seen))


def blocked(path: str, since: float, holder_pid: int | None = 1) -> e.LockBlocked:
    return e.LockBlocked(since, "artifact dir", path, since, holder_pid, "run-a", "a", "", "", since)


def test_a_free_lock_of_a_build_dir_is_told_as_such() -> None:
    passed = [e.LockPassed(NOW - 50, "build dir", f"/w/{name}/debug/.cargo-lock", 40.0, "a", "") for name in "bt"]
    one = replace(run("1", "a", *passed, target="/w/t"), build_dir="/w/b")
    assert [(line.path[3], line.kind) for line in lock_lines(board(runs=(one,)), 0.0)] == [
        ("b", "build dir"), ("t", "artifact dir"),
    ]  # fmt: skip


def test_who_waits_stands_in_the_order_of_chains() -> None:
    first = held(TARGET + ".cargo-lock", A, (B, 31.0), (FOREIGN, 2.0))
    second = held("/x/target/debug/.cargo-lock", B, (C, 12.0))
    (line, other) = lock_lines(board(first, second), 0.0)
    assert [(wait.owner, wait.waited_s, wait.depth) for wait in line.waits] == [
        (B, 31.0, 0), (C, 12.0, 1), (FOREIGN, 2.0, 0),
    ]  # fmt: skip
    assert [(wait.owner, wait.depth) for wait in other.waits] == [(C, 0)]
    assert (line.holders, line.held_s) == ((A,), 100.0)


def test_ours_come_first_and_package_caches_last() -> None:
    paths = ("/z/debug/.cargo-lock", "/b/debug/.cargo-lock", "/a/.package-cache", "/c/.package-cache")
    holders = (A, FOREIGN, A, FOREIGN)
    kinds = ("artifact dir", "artifact dir", "package cache", "package cache")
    locks = [held(path, one, kind=kind) for path, one, kind in zip(paths, holders, kinds, strict=True)]
    lines = lock_lines(board(*locks), 0.0)
    assert [line.path for line in lines] == [paths[0], paths[2], paths[1], paths[3]]


def test_a_lock_that_nobody_holds_any_more_stands_below_those_that_are_held() -> None:
    cost = run(
        "r1",
        "claude-1",
        blocked("/a/debug/.cargo-lock", 5.0),
        e.LockPassed(8.0, "artifact dir", "/a/debug/.cargo-lock", 3.0, "", ""),
    )
    lines = lock_lines(board(held("/z/debug/.cargo-lock", A), runs=(cost,)), 0.0)
    assert [(line.path, line.is_free) for line in lines] == [
        ("/z/debug/.cargo-lock", False), ("/a/debug/.cargo-lock", True),
    ]  # fmt: skip


def test_a_wait_that_nobody_looks_at_any_more_does_not_go_on_to_cost() -> None:
    path = TARGET + ".cargo-lock"
    waiting = board(runs=(run("r", "b", blocked(path, NOW - 400)),))
    assert lost_today(waiting, 0.0) == {path: {"b": 400.0}}
    assert lost_today(replace(waiting, engine_seen_at=NOW - 300), 0.0) == {path: {"b": 100.0}}
    assert lost_today(replace(waiting, engine_seen_at=None), 0.0) == {}


def test_a_ring_of_waits_has_an_end() -> None:
    lines = lock_lines(board(held("/1/.cargo-lock", A, (B, 3.0)), held("/2/.cargo-lock", B, (A, 2.0))), 0.0)
    assert [[wait.owner.pid for wait in line.waits] for line in lines] == [[2, 1], [1, 2]]


def test_of_the_three_locks_of_a_new_cargo_the_one_that_says_most_is_shown() -> None:
    new = [
        held(TARGET + ".cargo-artifact-lock", A),
        held(TARGET + ".cargo-build-lock", A, kind="build dir"),
        held(TARGET + ".cargo-lock", A),
    ]
    assert [line.path for line in lock_lines(board(*new), 0.0)] == [TARGET + ".cargo-build-lock"]
    new[0] = held(TARGET + ".cargo-artifact-lock", A, (B, 3.0))
    assert [line.path for line in lock_lines(board(*new), 0.0)] == [TARGET + ".cargo-artifact-lock"]


def test_the_package_cache_that_all_share_is_shown_where_somebody_waits() -> None:
    path = "/c/.package-cache-mutate"
    assert lock_lines(board(held(path, A, kind="shared package cache")), 0.0) == ()
    (line,) = lock_lines(board(held(path, A, (B, 1.0), kind="shared package cache")), 0.0)
    assert line.kind == "shared package cache"


def test_what_was_lost_today_counts_waits_that_go_on() -> None:
    path = TARGET + ".cargo-lock"
    passed = e.LockPassed(NOW - 50, "artifact dir", path, 40.0, "a", "")
    over = e.RunEnded(NOW - 20_000, 0, None, 1.0, 1.0, 1.0, 1, None)
    runs = (
        run("1", "b", passed, blocked(path, NOW - 5)),
        run("2", "b", passed),
        run("3", "c", e.LockPassed(NOW - 50, "artifact dir", path, 90.0, "a", "")),
        run("4", "old", passed, over),
    )
    assert lost_today(board(runs=runs), NOW - 5000) == {path: {"b": 85.0, "c": 90.0}}
    (line,) = lock_lines(board(runs=runs), NOW - 5000)
    assert line == LockLine(path, "artifact dir", (), None, (), (("c", 90.0), ("b", 85.0)))
    assert line.is_free


def test_locks_that_an_engine_saw_that_is_silent_are_not_shown_as_held() -> None:
    silent = replace(board(held(TARGET + ".cargo-lock", A)), engine_seen_at=NOW - 60)
    assert lock_lines(silent, 0.0) == ()
    assert lock_lines(replace(silent, engine_seen_at=None), 0.0) == ()


def test_two_checkouts_on_one_dir_are_found_among_runs_and_locks() -> None:
    runs = (
        run("1", "a", checkout="/a", target="/t"), run("2", "b", checkout="/b", target="/t"),
        run("3", "b", checkout="/b", target="/b/target"), run("4", "c", checkout="/c", target=None),
        run("5", "a", checkout="/a", target="/seen"),
    )  # fmt: skip
    found = shared_targets(board(runs=runs, seen=("/z",), alone=("/y",), foreign=("/p", "/q")))
    assert [(one.path, one.checkouts) for one in found] == [
        ("/foreign", ("/p", "/q")), ("/seen", ("/a", "/z")), ("/t", ("/a", "/b")),
    ]  # fmt: skip
    assert found[2].agents == (("a", "/a"), ("b", "/b"))


def test_two_checkouts_with_one_build_dir_are_found_by_their_settings() -> None:
    first, second = run("1", "a", checkout="/a", target="/a/target"), run("2", "b", checkout="/b", target="/b/target")
    runs = (replace(first, build_dir="/build"), replace(second, build_dir="/build"))
    (found,) = shared_targets(board(runs=runs))
    assert (found.path, found.checkouts) == ("/build", ("/a", "/b"))
    assert shared_words(runs[0], (found,)) == "shares its target dir with b: cargo can run the wrong program"


def test_both_panes_say_with_whom_they_share_and_others_say_nothing() -> None:
    runs = (run("1", "a", checkout="/a", target="/t"), run("2", "b", checkout="/b", target="/t"), run("3", "c"))
    shared = shared_targets(board(runs=runs))
    assert shared_words(runs[0], shared) == "shares its target dir with b: cargo can run the wrong program"
    assert shared_words(runs[1], shared) == "shares its target dir with a: cargo can run the wrong program"
    assert shared_words(runs[2], shared) is None


def test_of_a_shared_build_dir_its_locks_tell() -> None:
    runs = (run("1", "a", checkout="/a", target="/a/target"), run("2", "b", checkout="/b", target="/b/target"))
    lock = held("/build/debug/.cargo-build-lock", Owner(1, "1", "a", "", "", "/a"))
    shared = shared_targets(board(lock, runs=runs, build=("/a", "/src/app")))
    assert shared_words(runs[0], shared) == "shares its target dir with app: cargo can run the wrong program"
    assert shared_words(runs[1], shared) is None


def test_where_an_editor_of_its_checkout_builds_endangers_no_run() -> None:
    one = run("1", "a", checkout="/a", target="/a/target")
    lock = held("/ra/debug/.cargo-lock", Owner(9, "", "", "cargo check", "/a", "/a"))
    shared = shared_targets(board(lock, runs=(one,), ra=("/a", "/b")))
    assert [found.path for found in shared] == ["/ra"]
    assert shared_words(one, shared) is None


def test_what_avoids_a_wait_depends_on_who_waits_for_whom() -> None:
    assert "--frozen" in what_avoids("package cache", B, A)[0]
    assert "auto-clean" in what_avoids("shared package cache", B, A)[0]
    assert "--agent" in what_avoids("artifact dir", B, owner(5, "b"))[0]
    assert "through cargo deck" in what_avoids("artifact dir", B, FOREIGN)[0]
    assert "Leave out --target-dir" in what_avoids("artifact dir", B, A)[0]
    assert "rust-analyzer" in what_avoids("build dir", B, owner(7, command="cargo check --message-format=json"))[0]
    (said,) = what_avoids("artifact dir", B, owner(7, command="cargo build", checkout="/other"))
    assert said == "Two checkouts build into this one dir: give each its own. In /w: --target-dir target."
    assert all("second" in said or "check" in said for said in what_avoids("artifact dir", B, None))


def test_the_advice_for_a_run_knows_the_holder_by_the_kernel() -> None:
    waiting = run("2", "b", blocked(TARGET + ".cargo-lock", NOW - 5, holder_pid=9))
    there = board(held(TARGET + ".cargo-lock", FOREIGN), runs=(waiting,))
    assert "through cargo deck" in run_advice(there, waiting)[0]
    assert run_advice(there, run("3", "c")) == ()
