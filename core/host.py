"""What is known of the machine as a whole at one moment, and how its events change it. Pure."""

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import field, replace
from types import MappingProxyType
from typing import Any

from core import events as e
from core.events.machine import LockRow, OwnerRow
from core.values import dataclass

MAX_TRAIL = 300
"""Samples that are kept: five minutes."""
_SERVER, _TRADE = 12, 4
"""Columns of such rows; what a later version adds to any is dropped."""
LOCK_KINDS = {
    ".package-cache": "package cache",
    ".package-cache-mutate": "shared package cache",
    ".cargo-lock": "artifact dir",
    ".cargo-build-lock": "build dir",
    ".cargo-artifact-lock": "artifact dir",
}
"""What cargo's lock files guard, by their name. Source: cargo 1.80 to 1.98."""
_OF_EITHER = ".cargo-lock"
_TRIPLE = re.compile(
    r"(x86_64|aarch64|arm|thumb|i[3-6]86|riscv|wasm|powerpc|s390x|mips|sparc|loongarch|nvptx|bpf|hexagon|avr|msp430)"
    r"[a-z0-9_]*(-[a-z0-9_]+){1,3}\Z"
)
"""A lock of cargo's lies in `TARGET/PROFILE/` or `TARGET/TRIPLE/PROFILE/`."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a lock, or waits for it."""

    pid: int
    run: str
    """Empty: not ours."""
    agent: str
    """Empty: not ours."""
    command: str
    """Of one that is not ours: cargo's command line, credentials masked, else the program. Empty: not known."""
    cwd: str
    """Of one that is not ours; empty: not known."""
    checkout: str = ""
    """Workspace that it builds; empty: not known."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """Who waits for a lock."""

    owner: Owner
    since: float
    """When it was first seen to wait, seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lock of cargo's that somebody holds."""

    path: str
    kind: str
    """`package cache`, `shared package cache`, `artifact dir`, `build dir`."""
    holders: tuple[Owner, ...]
    """Several where they share it."""
    since: float
    """When it was first seen in the hands of the first of them."""
    waiters: tuple[Waiter, ...]


@dataclass(frozen=True, slots=True)
class ForeignBuild:
    """A build that nobody started through us, as far as it can be known from outside."""

    pid: int
    started_at: float
    tool: str
    """`cargo`, `rustc`, `ninja`, `nvcc`, …"""
    command: str
    """Credentials masked."""
    cwd: str
    """Empty: not to be seen."""
    checkout: str
    """Empty: not known."""
    in_flight: tuple[str, ...]
    memory_bytes: int
    cpu_cores: float | None
    processes: int
    editor: str = ""
    """Editor or language server that started it (`rust-analyzer`); empty: none is seen."""
    cargos: tuple[int, ...] = ()
    """Pids of its other processes that are cargo, and may have locks: a `make` calls several."""


@dataclass(frozen=True, slots=True)
class Host:
    """The machine."""

    sample: e.MachineSampled | None = None
    """The last one; old where the engine gives no signs of life."""
    trail: tuple[e.MachineSampled, ...] = ()
    """Oldest first, at most MAX_TRAIL."""
    locks: tuple[Held, ...] = ()
    foreign: tuple[ForeignBuild, ...] = ()
    """Oldest first."""
    caches: e.CachesSeen | None = None
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Checkouts that were seen to lock a target or build dir, by that dir; sorted."""


def reduce_host(host: Host, batch: Iterable[e.Event]) -> Host:
    """The machine after a batch of events; events of runs are none of it, nor is what another version says in a form
    of its own."""
    samples: list[e.MachineSampled] = []
    for event in batch:
        if isinstance(event, e.MachineSampled):
            samples.append(event)
            continue
        try:
            host = _seen(host, event)
        except (TypeError, ValueError):
            continue
    if samples:
        host = replace(host, sample=samples[-1], trail=(*host.trail, *samples)[-MAX_TRAIL:])
    return host


def _seen(host: Host, event: e.Event) -> Host:
    """The machine after one event. Raises TypeError, ValueError: its rows are of another form."""
    match event:
        case e.LocksSeen():
            held = tuple(_held(row) for row in event.locks)
            return replace(host, locks=held, targets=_targets(host.targets, held))
        case e.ForeignSeen():
            return replace(host, foreign=tuple(ForeignBuild(*row[:12]) for row in event.builds))
        case e.CachesSeen():
            return replace(host, caches=_fitted(event))
        case _:
            return host


def _fitted(event: e.CachesSeen) -> e.CachesSeen:
    servers: list[Any] = [row[:_SERVER] for row in event.servers]
    trades: list[Any] = [row[:_TRADE] for row in event.trades]
    if any(len(row) < _SERVER for row in servers) or any(len(row) < _TRADE for row in trades):
        raise ValueError(f"rows of {event} are shorter than expected")
    return replace(event, servers=tuple(servers), trades=tuple(trades))


def lock_rows(locks: Iterable[Held]) -> tuple[LockRow, ...]:
    """Locks in the form of `LocksSeen`."""
    return tuple(
        (
            held.path,
            held.kind,
            tuple(_owner_row(owner) for owner in held.holders),
            held.since,
            tuple((_owner_row(waiter.owner), waiter.since) for waiter in held.waiters),
        )
        for held in locks
    )


def _owner_row(owner: Owner) -> OwnerRow:
    return (owner.pid, owner.run, owner.agent, owner.command, owner.cwd, owner.checkout)


def _held(row: LockRow) -> Held:
    path, kind, holders, since, waiters, *_ = row
    return Held(
        path,
        kind,
        tuple(Owner(*owner[:6]) for owner in holders),
        since,
        tuple(Waiter(Owner(*owner[:6]), began) for owner, began in waiters),
    )


def _targets(before: Mapping[str, tuple[str, ...]], locks: Iterable[Held]) -> Mapping[str, tuple[str, ...]]:
    """Who locks which target dir, with what was known before."""
    after = dict(before)
    for held in locks:
        folder = target_of(held.path)
        if folder is None:
            continue
        owners = (*held.holders, *(waiter.owner for waiter in held.waiters))
        seen = {owner.checkout for owner in owners if owner.checkout}
        if seen - set(after.get(folder, ())):
            after[folder] = tuple(sorted(seen | set(after.get(folder, ()))))
    return before if after == before else MappingProxyType(after)


def kind_of(path: str, build_dirs: Container[str | None]) -> str:
    """What a lock guards. Up to cargo 1.95, that of a build dir that is set apart has the name of a target dir's.

    Args:
        path: Of the lock's file.
        build_dirs: Those that are known, and are nobody's target dir.
    """
    name = path.rpartition("/")[2]
    return "build dir" if name == _OF_EITHER and target_of(path) in build_dirs else LOCK_KINDS.get(name, "lock")


def target_of(lock: str) -> str | None:
    """The target or build dir of a lock's file; None: it is none of such a dir."""
    folder, _, name = lock.rpartition("/")
    if not LOCK_KINDS.get(name, "").endswith("dir"):
        return None
    above = folder.rpartition("/")[0]
    return above.rpartition("/")[0] if _TRIPLE.match(above.rpartition("/")[2]) else above
