"""Locks of builds that are not ours."""

from dataclasses import replace

from core.events import ForeignSeen
from core.foreign_queries import locks_of
from core.host import ForeignBuild, Held, Host, Owner, Waiter, reduce_host
from core.state import Board

ANALYZER = ForeignBuild(7, 1.0, "cargo", "cargo check", "/w", "/w", (), 9, None, 1, "rust-analyzer")
SHELL = ForeignBuild(8, 2.0, "cargo", "cargo build", "/w", "/w", (), 9, None, 1)


def owner(pid: int, command: str = "cargo build") -> Owner:
    return Owner(pid, "", "", command, "/w", "/w")


def test_two_builds_in_one_folder_do_not_have_each_others_locks() -> None:
    lock = Held("/w/target/debug/.cargo-lock", "artifact dir", (owner(8),), 1.0, (Waiter(owner(7), 2.0),))
    board = Board(host=Host(locks=(lock,), foreign=(ANALYZER, SHELL)))
    assert locks_of(board, SHELL) == (("artifact dir",), "")
    assert locks_of(board, ANALYZER) == ((), "cargo build (not ours, pid 8) · artifact dir lock")


def test_what_a_build_started_for_itself_has_its_locks() -> None:
    lock = Held("/w/target/debug/.cargo-lock", "artifact dir", (owner(20),), 1.0, ())
    make = ForeignBuild(8, 2.0, "make", "make", "/w", "", (), 9, None, 1, "", (19, 20))
    assert locks_of(Board(host=Host(locks=(lock,), foreign=(make,))), make) == (("artifact dir",), "")


def test_another_process_in_the_folder_of_a_build_is_none_of_it() -> None:
    lock = Held("/w/target/debug/.cargo-lock", "artifact dir", (owner(30, "flock"),), 1.0, (Waiter(owner(8), 2.0),))
    other = Held("/w/target/x/.cargo-lock", "artifact dir", (owner(8),), 1.0, (Waiter(owner(31, "flock"), 2.0),))
    board = Board(host=Host(locks=(lock,), foreign=(SHELL,)))
    assert locks_of(board, SHELL) == ((), "flock (not ours, pid 30) · artifact dir lock")
    board = Board(host=Host(locks=(other,), foreign=(SHELL,)))
    assert locks_of(board, SHELL) == (("artifact dir",), "")


def test_a_row_of_an_older_version_is_a_build_too() -> None:
    row = (7, 1.0, "cargo", "cargo check", "/w", "/w", (), 9, None, 1, "rust-analyzer")
    seen = ForeignSeen(1.0, (row, (*row, (9,), "of a later version")))  # type: ignore[arg-type]
    assert reduce_host(Host(), [seen]).foreign == (ANALYZER, replace(ANALYZER, cargos=(9,)))
