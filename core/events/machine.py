"""What is seen of the machine as a whole: the journal of no single run."""

from core.events.base import Event
from core.values import dataclass

OwnerRow = tuple[int, str, str, str, str, str]
"""Pid; run, agent (both empty: not ours); command, cwd (of one that is not ours); checkout (empty: not known)."""
LockRow = tuple[str, str, tuple[OwnerRow, ...], float, tuple[tuple[OwnerRow, float], ...]]
"""Path; kind; holders; since when, seconds since the epoch; who waits, each with since when."""
BuildRow = tuple[int, float, str, str, str, str, tuple[str, ...], int, float | None, int, str, tuple[int, ...]]
"""Pid; started, seconds since the epoch; tool; command; cwd; checkout (empty: not known); units in flight; anonymous
bytes; CPU seconds a second (None: first look); processes; editor that started it (empty: none is seen); pids of the
cargos below the first process, ascending (not in rows of older versions)."""
DiskRow = tuple[str, int, int, float | None]
"""Folder; free bytes; all bytes; share of the time in which its device was busy, 0..1 (None: not known)."""
ServerRow = tuple[str, str, int | None, int, int, int, int, int, int, int, str, str]
"""Agent; cache (`sccache`); pid (None: it does not run); hits; misses; not cacheable; errors; timeouts; read errors;
write errors; where it stores; alarm (a sentence; empty: all is well). Counts since it was started or zeroed."""
TradeRow = tuple[str, str, int, int]
"""Agent that filled entries; agent that took them; how many hits; bytes."""


@dataclass(frozen=True, slots=True)
class MachineSampled(Event):
    """What the machine as a whole does, once a second while something is alive."""

    cpu: float | None
    """Share of all cores that was busy since the last sample, 0..1; None: the first."""
    total_bytes: int
    """Memory of the machine, or of the cgroup that we and the builds live in where that has less."""
    available_bytes: int
    """What can be had without swapping."""
    anonymous_bytes: int
    """Of all processes that share that memory; of a cgroup, with what the kernel takes for them."""
    ours_bytes: int
    """Of those, the builds'."""
    swap_used_bytes: int
    swap_total_bytes: int
    pressure: tuple[tuple[str, float, float], ...] = ()
    """`cpu`, `memory`, `io`: share of the time since the last sample in which some, and in which all tasks stood
    still for want of it; 0..1. Empty: the kernel does not say."""
    disks: tuple[DiskRow, ...] = ()
    """Where target dirs of live runs are, one a file system."""


@dataclass(frozen=True, slots=True)
class LocksSeen(Event):
    """Cargo's locks, all of them, ours or not: told when a holder or waiter changed."""

    locks: tuple[LockRow, ...]


@dataclass(frozen=True, slots=True)
class ForeignSeen(Event):
    """Builds that nobody started through us, all of them: told when something changed."""

    builds: tuple[BuildRow, ...]


@dataclass(frozen=True, slots=True)
class CachesSeen(Event):
    """The cache servers that we know of, and the store behind ours: told when a figure changed."""

    servers: tuple[ServerRow, ...]
    store_state: str = ""
    """`running`, `stopped`, `foreign` (Redis, S3: not ours to look into); empty: there is none."""
    store_entries: int = 0
    store_bytes: int = 0
    store_limit_bytes: int = 0
    store_oldest_at: float | None = None
    store_evicted: int = 0
    """Entries that had to go for want of room, since it was made."""
    trades: tuple[TradeRow, ...] = ()
    """Who profits from whom; an agent from itself too."""
