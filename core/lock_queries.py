"""What cargo's locks mean for people: who waits for whom, what that cost today, which target dirs are shared. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Set

from core import events as e
from core.host import Held, Owner, Waiter, kind_of, target_of
from core.queries import waits_on
from core.state import Board, Run
from core.values import dataclass

STALE_AFTER_S = 4.0
"""The engine beats every 2.8 seconds at least: what an engine saw that is silent for longer is not how it is now."""
_RANKS = {".cargo-build-lock": 0, ".cargo-artifact-lock": 1, ".cargo-lock": 2, ".package-cache": 3}
"""Of the locks of one folder that the same process holds, the first one says most."""
_FOR_ALL = ".package-cache-mutate"
"""Every build shares it: worth a line only where somebody waits."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Who waits, as a link of a chain."""

    owner: Owner
    waited_s: float
    depth: int
    """0: for the lock itself; 1: for one that the last of depth 0 holds, and so on."""


@dataclass(frozen=True, slots=True)
class LockLine:
    """A lock that is held, or that cost something today."""

    path: str
    kind: str
    """As in `Held`."""
    holders: tuple[Owner, ...]
    """Empty: nobody holds it now, or nobody is seen to."""
    held_s: float | None
    """None: nobody holds it."""
    waits: tuple[Wait, ...]
    """Who waits the longest first, each followed by those that wait behind it."""
    lost: tuple[tuple[str, float], ...]
    """Agents and the seconds that they spent waiting for it today, the most first."""

    @property
    def is_free(self) -> bool:
        """Nobody holds it and nobody waits."""
        return not self.holders and not self.waits

    @property
    def is_ours(self) -> bool:
        """A run of ours holds it, waits for it, or did so today."""
        return bool(self.lost) or any(one.run for one in (*self.holders, *(wait.owner for wait in self.waits)))


@dataclass(frozen=True, slots=True)
class SharedTarget:
    """A target or build dir that several checkouts write to."""

    path: str
    checkouts: tuple[str, ...]
    """Sorted."""
    agents: tuple[tuple[str, str], ...]
    """Ours that used it in the last 24 h, each with its checkout; sorted."""
    runs: frozenset[str] = frozenset()
    """Runs of ours that hold a lock of it now, or wait for one."""


def is_current(board: Board) -> bool:
    """What is known of locks is how it is now."""
    return board.engine_seen_at is not None and board.now - board.engine_seen_at < STALE_AFTER_S


def lock_lines(board: Board, day_began: float) -> tuple[LockLine, ...]:
    """Locks that matter: ours first, of them last those that nobody holds any more; package caches at the end; else by
    path, so that each keeps its place while it is held.

    Args:
        board: Runs and machine.
        day_began: Seconds since the epoch; waits of runs that ended before do not count as today's.
    """
    held = {one.path: one for one in board.host.locks} if is_current(board) else {}
    lost = lost_today(board, day_began)
    shown = [*_telling(held.values(), lost), *(path for path in lost if path not in held)]
    build_dirs = build_dirs_of(board)
    kinds = {path: kind for run in board.runs.values() for path, kind in _kinds(run, build_dirs)}
    lines = [_line(path, held.get(path), kinds.get(path, ""), lost.get(path, {}), held, board.now) for path in shown]
    return tuple(sorted(lines, key=lambda line: (not line.is_ours, line.is_free, "cache" in line.kind, line.path)))


def lost_today(board: Board, day_began: float) -> Mapping[str, Mapping[str, float]]:
    """Seconds by lock and agent, waits that go on included: where no engine looks, up to its last sign of life."""
    found: dict[str, dict[str, float]] = {}
    seen_until = board.now if is_current(board) else board.engine_seen_at or 0.0
    for run in board.runs.values():
        if run.ended_at is not None and run.ended_at < day_began:
            continue
        for path, seconds in lost_by(run, seen_until).items():
            of_path = found.setdefault(path, {})
            of_path[run.agent] = of_path.get(run.agent, 0.0) + seconds
    return found


def lost_by(run: Run, now: float) -> Mapping[str, float]:
    """Seconds that a run spent waiting until a time, by lock."""
    lost = dict(run.lock_paid)
    if run.blocked is not None and not run.state.is_over and now > run.blocked.since:
        lost[run.blocked.path] = lost.get(run.blocked.path, 0.0) + now - run.blocked.since
    return lost


def _telling(locks: Iterable[Held], lost: Mapping[str, object]) -> Iterator[str]:
    """Without those that say nothing that another lock of the same folder does not say."""
    by_folder: dict[str, list[Held]] = {}
    for held in locks:
        by_folder.setdefault(held.path.rpartition("/")[0], []).append(held)
    for group in by_folder.values():
        known: set[int] = set()
        for held in sorted(group, key=lambda one: (not one.waiters, one.path not in lost, _rank(one.path))):
            pids = {owner.pid for owner in held.holders}
            if held.waiters or held.path in lost or not (pids <= known or held.path.endswith(_FOR_ALL)):
                known |= pids
                yield held.path


def _rank(path: str) -> int:
    return _RANKS.get(path.rpartition("/")[2], len(_RANKS))


def build_dirs_of(board: Board) -> Set[str]:
    """Build dirs of runs that are no target dir of any."""
    runs = board.runs.values()
    return {run.build_dir for run in runs if run.build_dir} - {run.target_dir for run in runs if run.target_dir}


def _kinds(run: Run, build_dirs: Set[str]) -> Iterator[tuple[str, str]]:
    """What its locks guard, as far as it is known of those that nobody holds."""
    for path in run.lock_paid:
        yield path, kind_of(path, build_dirs)
    if run.blocked is not None:
        yield run.blocked.path, run.blocked.kind


def _line(
    path: str, held: Held | None, kind: str, lost: Mapping[str, float], locks: Mapping[str, Held], now: float
) -> LockLine:
    return LockLine(
        path,
        held.kind if held is not None else kind,
        held.holders if held is not None else (),
        max(0.0, now - held.since) if held is not None and held.holders else None,
        tuple(_waits(held.waiters, locks, now, 0, set())) if held is not None else (),
        tuple(sorted(lost.items(), key=lambda one: (-one[1], one[0]))),
    )


def _waits(
    waiters: Iterable[Waiter], locks: Mapping[str, Held], now: float, depth: int, seen: set[int]
) -> Iterator[Wait]:
    """Who waits, each followed by those that wait for what it holds."""
    for waiter in waiters:
        pid = waiter.owner.pid
        if pid in seen:
            continue
        seen.add(pid)
        yield Wait(waiter.owner, max(0.0, now - waiter.since), depth)
        for held in locks.values():
            if any(owner.pid == pid for owner in held.holders):
                yield from _waits(held.waiters, locks, now, depth + 1, seen)


def shared_targets(board: Board) -> tuple[SharedTarget, ...]:
    """Target and build dirs that several checkouts use or used in the last 24 hours, ours or not, by path."""
    checkouts: dict[str, set[str]] = {path: set(seen) for path, seen in board.host.targets.items()}
    agents: dict[str, set[tuple[str, str]]] = {}
    locking = _locking(board.host.locks)
    for run in board.runs.values():
        for path in _dirs(run):
            checkouts.setdefault(path, set()).add(run.checkout)
            agents.setdefault(path, set()).add((run.agent, run.checkout))
    return tuple(
        SharedTarget(path, tuple(sorted(found)), tuple(sorted(agents.get(path, ()))), frozenset(locking.get(path, ())))
        for path, found in sorted(checkouts.items())
        if len(found) > 1
    )


def _locking(locks: Iterable[Held]) -> Mapping[str, set[str]]:
    """Runs of ours by the target or build dir that they lock."""
    found: dict[str, set[str]] = {}
    for held in locks:
        if (folder := target_of(held.path)) is not None:
            owners = (*held.holders, *(waiter.owner for waiter in held.waiters))
            found.setdefault(folder, set()).update(owner.run for owner in owners if owner.run)
    return found


def _dirs(run: Run) -> tuple[str, ...]:
    """Where it writes what it builds, as far as its settings say."""
    return tuple(path for path in (run.target_dir, run.build_dir) if path is not None) if run.tool == "cargo" else ()


def shared_by(run: Run, shared: Iterable[SharedTarget]) -> SharedTarget | None:
    """The one of these dirs that a run writes to, as its settings or its locks tell. Where others of its checkout
    build, an editor for example, says nothing of it."""
    return next((one for one in shared if one.path in _dirs(run) or run.run in one.runs), None)


def shared_words(run: Run, shared: Iterable[SharedTarget]) -> str | None:
    """What a pane says of a dir that its run shares with another checkout; None: it shares none."""
    one = shared_by(run, shared)
    if one is None:
        return None
    others = [checkout for checkout in one.checkouts if checkout != run.checkout]
    who = _whose(one, others[0]) + (f" and {len(others) - 1} more" if len(others) > 1 else "")
    return f"shares its target dir with {who}: cargo can run the wrong program"


def _whose(shared: SharedTarget, checkout: str) -> str:
    """The agent in a checkout, else the folder's name."""
    return next((agent for agent, where in shared.agents if where == checkout), checkout.rpartition("/")[2] or checkout)


def what_avoids(kind: str, waiter: Owner, holder: Owner | None) -> tuple[str, ...]:
    """What would avoid such a wait: sentences, the best one first.

    Args:
        kind: Of the lock, as in `Held`.
        waiter: Who waits.
        holder: Who holds it; None: not known.
    """
    if kind == "package cache":
        return (
            "Fetch once, then build offline: cargo fetch --locked, and --frozen for each build after it. The lock is"
            " then held for milliseconds.",
        )
    if kind == "shared package cache":
        return (
            'Cargo is cleaning its package cache: [cache] auto-clean-frequency = "never" in $CARGO_HOME/config.toml'
            " keeps that out of builds; cargo clean gc does it when you want it.",
        )
    return tuple(_of_target_dir(waiter, holder))


def _of_target_dir(waiter: Owner, holder: Owner | None) -> Iterator[str]:
    if holder is not None and _differ(waiter.checkout, holder.checkout):
        yield f"Two checkouts build into this one dir: give each its own. In {waiter.checkout}: --target-dir target."
        return
    if holder is not None and not holder.run:
        if "--message-format" in holder.command or "rust-analyzer" in holder.command:
            yield 'Let the editor check in a dir of its own: "rust-analyzer.cargo.targetDir": true in its settings.'
        yield "Start that build through cargo deck too: the second agent in a checkout gets a target dir of its own."
    elif holder is not None and waiter.run and holder.agent == waiter.agent:
        yield (
            "Two builds of one agent share a target dir: under another name (--agent) the second one gets its own,"
            " or start it when the first is done."
        )
    elif holder is not None and waiter.run:
        yield (
            "Leave out --target-dir and CARGO_TARGET_DIR: of two agents in one checkout the second then gets a dir of"
            " its own."
        )
    yield "Give the second one a dir of its own: --target-dir target/second (its crates are compiled once more)."
    yield "cargo check in a dir of its own never waits for a build: cargo check --target-dir target/check."


def _differ(one: str, other: str) -> bool:
    return bool(one and other) and one != other


def run_advice(board: Board, run: Run) -> tuple[str, ...]:
    """What would avoid the wait of a run, or waits like its last ones; empty: it did not wait for a known lock."""
    blocked = run.blocked
    if blocked is None:
        return ()
    return what_avoids(blocked.kind, Owner(0, run.run, run.agent, "", "", run.checkout), _holder(board, blocked))


def wait_words(board: Board, run: Run) -> tuple[str, ...]:
    """Whom a run waits for, then what would avoid that; empty: it does not wait."""
    waits = waits_on(board, run)
    return (waits, *run_advice(board, run)) if waits is not None else ()


def _holder(board: Board, blocked: e.LockBlocked) -> Owner | None:
    if blocked.holder_pid is None:
        return None
    for held in board.host.locks:
        for owner in held.holders:
            if owner.pid == blocked.holder_pid:
                return owner
    run = board.runs.get(blocked.holder_run)
    return Owner(
        blocked.holder_pid, blocked.holder_run, blocked.holder_agent, blocked.holder, blocked.holder_cwd,
        run.checkout if run is not None else "",
    )  # fmt: skip
