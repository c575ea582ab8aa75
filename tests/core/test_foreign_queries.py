"""Locks of builds that are not ours."""

from core.foreign_queries import locks_of
from core.host import ForeignBuild, Held, Host, Owner, Waiter
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
    assert locks_of(Board(host=Host(locks=(lock,), foreign=(SHELL,))), SHELL) == (("artifact dir",), "")
