"""`cargo deck locks`: who holds cargo's locks, who waits, what was lost; and dirs that several checkouts share."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from core.client import ensure_engine
from core.host import Held, Owner, kind_of
from core.lock_queries import LockLine, SharedTarget, build_dirs_of, lock_lines, lost_today, shared_targets, what_avoids
from core.paths import Paths
from core.state import Board
from core.watch.lock_now import look_now
from core.watch.shared_mend import Proven, examine
from core.watch.shared_target import Made
from tui import format as f
from tui.cli import common
from tui.cli.events import plain
from tui.widgets import lock_words as words

_HEADING = ("lock", "holder", "since", "waits", "lost today")
_WIDE_ENOUGH = 200
"""Columns of a pipe."""
_UNSEEN = "This system does not say who holds a lock."
EXIT_WRONG = 1


def main(argv: list[str]) -> int:
    """Locks as a table or JSON; exit code: 1 where `--prove` found that cargo runs the wrong program."""
    return common.guarded(_locks, argv)


def _locks(argv: list[str]) -> int:
    parser = common.make_parser(
        "locks", "Who holds cargo's locks, ours or not, who waits for whom, and which target dirs are shared."
    )
    parser.add_argument(
        "--prove", action="store_true",
        help="read the dirs that several checkouts share: whose program each one runs; exit code 1: a wrong one",
    )  # fmt: skip
    given = parser.parse_args(argv)
    board = _board(common.user_paths())
    shared = shared_targets(board)
    proofs = {one.path: examine(one.path, one.checkouts) for one in shared} if given.prove else {}
    if given.json:
        _print_json(board, shared, proofs)
    else:
        for line in _lines(board, shared, proofs):
            common.print_text(plain(line))
        if given.prove and not shared:
            common.print_text("No target or build dir is shared by several checkouts: there is nothing to prove.")
    return EXIT_WRONG if any(proven.proof.is_harmful for proven in proofs.values()) else 0


def _board(paths: Paths) -> Board:
    """The board with the locks of this very moment; an engine is woken where there are some: it sees for how long."""
    board = common.whole_board(paths)
    locks = look_now(paths, board.now, board.host.locks)
    if locks:
        ensure_engine(paths)
    return replace(board, engine_seen_at=board.now, host=replace(board.host, locks=locks))


# For people


def _lines(board: Board, shared: Sequence[SharedTarget], proofs: dict[str, Proven]) -> Iterator[str]:
    lines = lock_lines(board, words.day_began(board.now))
    rows = [(line, _row(line, board)) for line in lines]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDE_ENOUGH
    widths = _widths([_HEADING, *(row for _, row in rows)], room)
    if rows:
        yield common.aligned(_HEADING, widths)
    elif not shared:
        yield words.NOBODY if sys.platform == "linux" else _UNSEEN
    for line, row in rows:
        yield common.aligned(row, widths)
        if line.waits:
            waiter, holder = line.waits[0].owner, line.holders[0] if line.holders else None
            yield f"    {what_avoids(line.kind, waiter, holder)[0]}"
    for one in shared:
        yield ""
        yield from (cell.text for cell in words.shared_detail(one, proofs.get(one.path), "cargo deck locks --prove"))


def _row(line: LockLine, board: Board) -> tuple[str, ...]:
    is_timed = line.held_s is not None and line.held_s > 0
    return (
        f"{line.kind}  {words.place_of(line)}".rstrip(),
        words.holder_of(line, 60),
        f.duration(line.held_s if is_timed else None),
        words.waits(line),
        words.lost(line) or f.UNKNOWN,
    )


def _widths(rows: Sequence[tuple[str, ...]], room: int) -> list[int]:
    """Cells of each column: all are as wide as they need; where there is no room, the widest gives way first."""
    widths = common.column_widths(rows)
    while sum(widths) + 2 * (len(widths) - 1) > room and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1
    return widths


# For programs


def _print_json(board: Board, shared: Sequence[SharedTarget], proofs: dict[str, Proven]) -> None:
    lost = lost_today(board, words.day_began(board.now))
    held = {one.path: one for one in board.host.locks}
    dirs_apart = build_dirs_of(board)
    locks = [
        _lock(path, held.get(path), kind_of(path, dirs_apart), lost.get(path, {}), board.now)
        for path in {**held, **lost}
    ]  # fmt: skip
    dirs = [_shared(one, proofs.get(one.path)) for one in shared]
    common.print_json("locks", now=board.now, locks=locks, shared=dirs)


def _lock(path: str, held: Held | None, kind: str, lost: Any, now: float) -> dict[str, Any]:
    since = held.since if held is not None and held.holders and held.since < now else None
    return {
        "path": path, "kind": held.kind if held is not None else kind, "held_since": since,
        "holders": [_owner(owner) for owner in held.holders] if held is not None else [],
        "waiters": [
            {**_owner(waiter.owner), "since": waiter.since if waiter.since < now else None} for waiter in held.waiters
        ] if held is not None else [],
        "lost_today": [{"agent": agent, "seconds": round(seconds, 3)} for agent, seconds in lost.items()],
    }  # fmt: skip


def _owner(owner: Owner) -> dict[str, Any]:
    return {
        "pid": owner.pid, "run": owner.run or None, "agent": owner.agent or None, "command": owner.command or None,
        "cwd": owner.cwd or None, "checkout": owner.checkout or None,
    }  # fmt: skip


def _shared(shared: SharedTarget, proven: Proven | None) -> dict[str, Any]:
    agents = [{"agent": agent, "checkout": checkout} for agent, checkout in shared.agents]
    proof = None
    if proven is not None:
        units = [_unit(made) for made in proven.proof.made]
        proof = {"is_harmful": proven.proof.is_harmful, "units": units, "mends": list(proven.mends)}
    return {"path": shared.path, "checkouts": list(shared.checkouts), "agents": agents, "proof": proof}


def _unit(made: Made) -> dict[str, Any]:
    return {
        "package": made.package, "target": made.target, "profile": made.profile, "path": made.path,
        "made_at": made.made_at, "made_in": made.made_of or None,
        "found_by": [
            {"checkout": one.checkout, "verdict": one.verdict, "differs": list(one.differs)} for one in made.judged
        ],
    }  # fmt: skip
