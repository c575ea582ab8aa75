"""Locks for a board of the scene: who holds them, who waits, what was lost."""

from dataclasses import replace
from types import MappingProxyType

from core.host import Held, Owner, Waiter
from core.state import Board, Run
from tests.scene import FOUR


def with_locks(board: Board) -> Board:
    """The same board, with locks that its builds and others hold, a chain of waits, and a dir that two share."""
    now, runs = board.now, {run.agent: run for run in board.runs.values()}
    first, second, third, fourth = (runs[one.agent] for one in FOUR)
    target = f"{first.checkout}/target/debug"

    def ours(pid: int, run: Run) -> Owner:
        return Owner(pid, run.run, run.agent, "", "", first.checkout)

    desk = "/home/ada/src/desk"
    analyzer = Owner(3977, "", "", "cargo check --workspace --message-format=json", desk, desk)
    shell = Owner(4310, "", "", "cargo build", desk, desk)
    locks = (
        Held("/home/ada/.cargo/.package-cache", "package cache", (Owner(4400, "", "", "", ""),), now - 3, ()),
        Held(f"{target}/.cargo-lock", "artifact dir", (ours(4121, first),), now - 42,
             (Waiter(ours(4200, second), now - 31), Waiter(shell, now - 4))),
        Held("/home/ada/src/claude-2/target/release/.cargo-build-lock", "build dir", (ours(4200, second),), now - 40,
             (Waiter(ours(4250, third), now - 12),)),
        Held(f"{desk}/target/debug/.cargo-build-lock", "build dir", (analyzer,), now - 9, ()),
    )  # fmt: skip
    paid = {
        second.run: replace(second, lock_paid=MappingProxyType({f"{target}/.cargo-lock": 370.0})),
        third.run: replace(third, lock_paid=MappingProxyType({f"{target}/.cargo-lock": 48.0})),
        fourth.run: replace(fourth, lock_paid=MappingProxyType({"/home/ada/.cargo/.package-cache": 5.0})),
    }
    targets = MappingProxyType({"/home/ada/build": ("/home/ada/src/claude-1", desk)})
    host = replace(board.host, locks=locks, targets=targets)
    return replace(board, runs=MappingProxyType({**board.runs, **paid}), host=host)
