"""What is known of builds that are not ours at one moment: which still hold, and their locks. Pure."""

from collections.abc import Iterable, Iterator, Set

from core.host import ForeignBuild, Held
from core.lock_queries import is_current
from core.state import Board

NOT_OURS = "not ours"


def short_command(build: ForeignBuild) -> str:
    """What it was called with, up to the first option, and which editor called it: `cargo check (rust-analyzer)`.
    Foreign text."""
    words = build.command.split() or [build.tool]
    end = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    shown = " ".join(words[: max(1, end)])
    return f"{shown} ({build.editor})" if build.editor else shown


def foreign_builds(board: Board) -> tuple[ForeignBuild, ...]:
    """Oldest first; none where no engine looks: what it saw last is not how it is now."""
    return board.host.foreign if is_current(board) else ()


def locks_of(board: Board, build: ForeignBuild) -> tuple[tuple[str, ...], str]:
    """Kinds of the locks that it holds, and what it waits for: `claude-1 · build dir lock`; empty: for nothing."""
    own = {build.pid, *build.cargos}
    locks = board.host.locks
    held = tuple(dict.fromkeys(one.kind for one in locks if any(owner.pid in own for owner in one.holders)))
    return held, next(_waits(locks, own), "")


def _waits(locks: Iterable[Held], own: Set[int]) -> Iterator[str]:
    for held in locks:
        if any(waiter.owner.pid in own for waiter in held.waiters):
            yield f"{_holder(held)} · {held.kind} lock"


def _holder(held: Held) -> str:
    if not held.holders:
        return "nobody that is to be seen"
    owner = held.holders[0]
    return f"{owner.agent}'s build" if owner.agent else f"{owner.command or 'a process'} (not ours, pid {owner.pid})"
